/**
 * The main thread's handle on `hash_worker.ts`.
 *
 * Promises: starts the thread on first use, answers each `digest` once, and rejects what waits when the
 * thread fails. The thread never keeps a process alive on its own.
 */
import { parseDigest, type Algorithm, type Digest } from "../../oci/digest.ts";
import { must } from "../../lib/assert.ts";
import { threadScript } from "../../lib/runtime.ts";
import type { HashReply, HashRequest } from "./hash_worker.ts";

interface Waiting {
  resolve(digest: Digest): void;
  reject(error: Error): void;
}

export class HashThread {
  #worker: Worker | null = null;
  #nextId = 1;
  readonly #waiting = new Map<number, Waiting>();

  /** Begins to digest the file's first `sizeBytes` bytes; the digest is asked for later under the same key. */
  follow(key: string, path: string, algorithm: Algorithm, sizeBytes: number): void {
    this.#post({ type: "follow", key, path, algorithm, sizeBytes });
  }

  forget(key: string): void {
    if (this.#worker !== null) this.#post({ type: "forget", key });
  }

  /** The digest of the file's first `sizeBytes` bytes. */
  digest(key: string, path: string, algorithm: Algorithm, sizeBytes: number): Promise<Digest> {
    const id = this.#nextId++;
    const answer = new Promise<Digest>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
    this.#post({ type: "digest", key, path, algorithm, sizeBytes, id });
    return answer;
  }

  close(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#rejectAll(new Error("hash thread closed"));
  }

  #post(request: HashRequest): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(request);
  }

  #start(): Worker {
    const worker = new Worker(threadScript("storage/drivers/hash_worker.ts"));
    worker.unref();
    worker.onmessage = (event: MessageEvent<HashReply>) => this.#receive(event.data);
    worker.onerror = (event: ErrorEvent) => {
      this.#worker = null;
      this.#rejectAll(new Error(`hash thread failed: ${event.message}`));
    };
    return worker;
  }

  #receive(reply: HashReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (waiting === undefined) return;
    if ("error" in reply) waiting.reject(new Error(`hash thread: ${reply.error}`));
    else waiting.resolve(must(parseDigest(reply.digest), "the hash thread answers a digest"));
  }

  #rejectAll(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
