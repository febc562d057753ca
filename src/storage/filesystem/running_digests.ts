/**
 * The digests of uploads while they grow: reads each file once, however often its digest is asked for.
 *
 * A running digest is kept per upload and algorithm, with a copy at the length that the upload had when it was held: a
 * request that fails puts the upload back to that length, and the next one goes on from the copy. So a client that
 * closes an upload again and again with wrong digests, or with other last bytes, costs what it sends, not the upload.
 * Files have their turns in strides. `hash_worker.ts` runs this in a thread.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { newHasher, type Algorithm, type Digest, type Hasher } from "../../oci/digest.ts";
import { KiB } from "../../lib/bytes.ts";
import { Lru } from "../../lib/lru.ts";

/** The bytes of an upload that are to be digested. */
export interface FileBytes {
  /** Names the upload. */
  readonly key: string;
  readonly path: string;
  readonly algorithm: Algorithm;
  readonly sizeBytes: number;
  /** The upload never becomes shorter than this, or than an earlier `sizeBytes`. */
  readonly settledBytes: number;
}

export interface DigestReply {
  digest(id: number, digest: Digest): void;
  error(id: number, error: unknown): void;
}

interface Point {
  readonly hasher: Hasher;
  readonly position: number;
}

interface Running {
  readonly path: string;
  readonly algorithm: Algorithm;
  hasher: Hasher;
  position: number;
  settledBytes: number;
  /** How it was at `settledBytes`; null before that was reached. */
  settled: Point | null;
  /** Read up to here and stop. */
  end: number;
  /** Who waits for the digest once `end` is reached. */
  replyTo: number | null;
  descriptor: number | null;
}

/** Running digests of uploads that wait for their next request. */
const keptMax = 4_000;
/** Fits the caches of a core: larger reads cost more per byte. */
const bufferBytes = 256 * KiB;
/** Buffers of one file before the next file has its turn. */
const strideBuffers = 16;
const algorithms = ["sha256", "sha512"] as const satisfies readonly Algorithm[];

export class RunningDigests {
  readonly #reply: DigestReply;
  readonly #buffer = new Uint8Array(bufferBytes);
  readonly #kept = new Lru<string, Running>({ entriesMax: keptMax });
  readonly #active = new Map<string, Running>();

  constructor(reply: DigestReply) {
    this.#reply = reply;
  }

  /** Whether a file waits for `step`. */
  get busy(): boolean {
    return this.#active.size > 0;
  }

  /** Digests what there is of an upload, to be ahead when its digest is asked for; or answers it, where `id` is given. */
  begin(bytes: FileBytes, id: number | null = null): void {
    const name = nameOf(bytes.key, bytes.algorithm);
    const running = this.#take(name, bytes);
    running.end = bytes.sizeBytes;
    running.replyTo = id;
    running.settledBytes = bytes.settledBytes;
    settle(running);
    this.#active.set(name, running);
  }

  /** The upload was put back to this length. */
  goBack(key: string, sizeBytes: number): void {
    for (const algorithm of algorithms) {
      const name = nameOf(key, algorithm);
      const running = this.#active.get(name) ?? this.#kept.get(name);
      if (running === null || running.replyTo !== null) continue;
      if (running.position > sizeBytes && !restore(running, sizeBytes)) {
        this.#forget(name, running);
        continue;
      }
      running.end = Math.min(running.end, sizeBytes);
    }
  }

  forget(key: string): void {
    for (const algorithm of algorithms) {
      const name = nameOf(key, algorithm);
      const running = this.#active.get(name) ?? this.#kept.get(name);
      if (running !== null) this.#forget(name, running);
    }
  }

  /** One stride of every active file, so that a large upload does not hold up the small ones. */
  step(): void {
    for (const [name, running] of this.#active) {
      try {
        for (let count = 0; count < strideBuffers && running.position < running.end; count += 1) {
          this.#readBuffer(running);
        }
        if (running.position >= running.end) this.#conclude(name, running);
      } catch (error) {
        this.#forget(name, running);
        if (running.replyTo !== null) this.#reply.error(running.replyTo, error);
      }
    }
  }

  /** The running digest where it fits, else what was settled of it, else a new one from the first byte. */
  #take(name: string, { path, algorithm, sizeBytes }: FileBytes): Running {
    const known = this.#active.get(name) ?? this.#kept.get(name);
    this.#kept.delete(name);
    if (known !== null) {
      if (known.position <= sizeBytes || restore(known, sizeBytes)) return known;
      release(known);
    }
    return {
      path,
      algorithm,
      hasher: newHasher(algorithm),
      position: 0,
      settledBytes: 0,
      settled: null,
      end: 0,
      replyTo: null,
      descriptor: null,
    };
  }

  /** Digests one buffer, which ends where the upload is settled. */
  #readBuffer(running: Running): void {
    const { position, settledBytes, end } = running;
    const stop = position < settledBytes ? Math.min(settledBytes, end) : end;
    const wanted = Math.min(stop - position, this.#buffer.length);
    running.descriptor ??= openSync(running.path, "r");
    const count = readSync(running.descriptor, this.#buffer, 0, wanted, position);
    if (count === 0) throw new Error(`file ended at byte ${position}, expected ${end}`);
    running.hasher.update(this.#buffer.subarray(0, count));
    running.position += count;
    settle(running);
  }

  /** Reached its end: answers the digest, and keeps it running for the next request. */
  #conclude(name: string, running: Running): void {
    const { replyTo } = running;
    this.#active.delete(name);
    release(running);
    running.replyTo = null;
    this.#kept.set(name, running);
    if (replyTo !== null) this.#reply.digest(replyTo, running.hasher.copy().digest());
  }

  #forget(name: string, running: Running): void {
    release(running);
    this.#active.delete(name);
    this.#kept.delete(name);
  }
}

function nameOf(key: string, algorithm: Algorithm): string {
  return `${algorithm} ${key}`;
}

/** Keeps a copy at the length that the upload goes back to. */
function settle(running: Running): void {
  if (running.position !== running.settledBytes) return;
  running.settled = { hasher: running.hasher.copy(), position: running.position };
}

/** Goes back to the copy, if it is not behind this length. */
function restore(running: Running, sizeBytes: number): boolean {
  const { settled } = running;
  if (settled === null || settled.position > sizeBytes) return false;
  running.hasher = settled.hasher.copy();
  running.position = settled.position;
  return true;
}

function release(running: Running): void {
  if (running.descriptor !== null) closeSync(running.descriptor);
  running.descriptor = null;
}
