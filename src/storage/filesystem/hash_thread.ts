/**
 * The main thread's handle on `hash_worker.ts`.
 *
 * The thread starts on first use. Each `digest` is answered once, and those that wait are rejected when the thread
 * fails. The thread does not keep the process alive.
 */
import { parseDigest, type Algorithm, type Digest } from "../../oci/digest.ts";
import type { ContentCheck } from "../blob_store.ts";
import { assert, must } from "../../lib/assert.ts";
import { threadScript } from "../../lib/runtime.ts";
import type { HashReply, HashRequest } from "./hash_worker.ts";
import type { FileBytes } from "./running_digests.ts";

interface Waiting {
  resolve(reply: HashReply): void;
  reject(error: Error): void;
}

export class HashThread {
  #worker: Worker | null = null;
  #nextId = 1;
  readonly #waiting = new Map<number, Waiting>();

  /** Begins to digest a file's first bytes; the digest is asked for later under the same key. */
  follow(bytes: FileBytes): void {
    this.#post({ type: "follow", bytes });
  }

  /** What was digested behind `sizeBytes` is gone. */
  goBack(key: string, sizeBytes: number): void {
    if (this.#worker !== null) this.#post({ type: "go back", key, sizeBytes });
  }

  forget(key: string): void {
    if (this.#worker !== null) this.#post({ type: "forget", key });
  }

  /** The digest of a file's first bytes. */
  digest(bytes: FileBytes): Promise<Digest> {
    return this.#ask((id) => ({ type: "digest", bytes, id })).then((reply) => {
      assert(
        "digest" in reply && reply.digest !== null,
        "the hash thread answers what it was asked",
      );
      return must(parseDigest(reply.digest), "the hash thread answers a digest");
    });
  }

  /** Flushes the file system that holds a directory; false when the system has no such call. */
  async flushFileSystem(path: string): Promise<boolean> {
    const reply = await this.#ask((id) => ({ type: "flush", path, id }));
    return "flushed" in reply && reply.flushed;
  }

  /** Hashes a file slice by slice. */
  check(path: string, algorithm: Algorithm): ContentCheck {
    const key = crypto.randomUUID();
    return {
      next: async (bytesMax) => {
        const file = { key, path, algorithm, bytesMax };
        const reply = await this.#ask((id) => ({ type: "check", ...file, id }));
        assert("bytes" in reply, "the hash thread answers what it was asked");
        const { bytes, digest } = reply;
        return { bytes, digest: digest === null ? null : parseDigest(digest) };
      },
      close: () => {
        if (this.#worker !== null) this.#post({ type: "end check", key });
      },
    };
  }

  close(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#rejectAll(new Error("hash thread closed"));
  }

  #ask(request: (id: number) => HashRequest): Promise<HashReply> {
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<HashReply>();
    this.#waiting.set(id, { resolve, reject });
    this.#post(request(id));
    return promise;
  }

  #post(request: HashRequest): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(request);
  }

  #start(): Worker {
    const worker = new Worker(threadScript("storage/filesystem/hash_worker.ts"));
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
    if ("error" in reply) {
      const { error, code } = reply;
      waiting.reject(
        Object.assign(new Error(`hash thread: ${error}`), code === null ? {} : { code }),
      );
    } else waiting.resolve(reply);
  }

  #rejectAll(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
