/**
 * The hashing thread: reads uploads back and computes their digests.
 *
 * `follow` hashes what one request has stored, so that the digest of an upload in several requests is nearly ready at
 * its end. The running digest is kept for the next request of the same upload (an upload never rolls back behind that
 * position, see `filesystem_upload.ts`); without it the digest is computed from the first byte. `flush` is here because
 * it may take seconds, and the main thread could answer no commit meanwhile.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { newHasher, type Algorithm, type Hasher } from "../../oci/digest.ts";
import { Lru } from "../../lib/lru.ts";
import { KiB } from "../../lib/bytes.ts";
import { flushFileSystem } from "./file_system_flush.ts";

export type HashRequest =
  | { type: "follow"; key: string; path: string; algorithm: Algorithm; sizeBytes: number }
  | { type: "forget"; key: string }
  | {
      type: "digest";
      key: string;
      path: string;
      algorithm: Algorithm;
      sizeBytes: number;
      id: number;
    }
  /** Flushes the file system that holds `path`. */
  | { type: "flush"; path: string; id: number };

export type HashReply =
  | { id: number; digest: string }
  | { id: number; flushed: boolean }
  | { id: number; error: string };

interface Running {
  readonly path: string;
  readonly algorithm: Algorithm;
  readonly hasher: Hasher;
  position: number;
  /** Read up to here and stop. */
  end: number;
  /** Who waits for the digest once `end` is reached. */
  replyTo: number | null;
  descriptor: number | null;
}

/** Running digests of uploads that wait for their next request. */
const keptMax = 1_000;
/** Fits the caches of a core: larger reads cost more per byte. */
const buffer = new Uint8Array(256 * KiB);
/** Buffers of one file before the next file has its turn. */
const strideBuffers = 16;

const kept = new Lru<string, Running>({ entriesMax: keptMax });
const active = new Map<string, Running>();
let scheduled = false;

declare const self: {
  onmessage: ((event: { data: HashRequest }) => void) | null;
  postMessage(reply: HashReply): void;
};

self.onmessage = ({ data }) => {
  handlers[data.type](data as never);
  schedule();
};

const handlers: {
  [K in HashRequest["type"]]: (request: Extract<HashRequest, { type: K }>) => void;
} = {
  follow: ({ key, path, algorithm, sizeBytes }) => {
    active.set(key, { ...take(key, path, algorithm), end: sizeBytes });
  },
  forget: ({ key }) => {
    const running = active.get(key);
    if (running !== undefined) release(running);
    active.delete(key);
    kept.delete(key);
  },
  digest: ({ key, path, algorithm, sizeBytes, id }) => {
    active.set(key, { ...take(key, path, algorithm), end: sizeBytes, replyTo: id });
  },
  flush: ({ path, id }) => {
    self.postMessage({ id, flushed: flushFileSystem(path) });
  },
};

/** The running digest of a key where it fits, else a new one from the first byte. */
function take(key: string, path: string, algorithm: Algorithm): Running {
  const known = active.get(key) ?? kept.get(key);
  kept.delete(key);
  if (known !== null && known.algorithm === algorithm) return known;
  if (known !== null) release(known);
  const hasher = newHasher(algorithm);
  return { path, algorithm, hasher, position: 0, end: 0, replyTo: null, descriptor: null };
}

function schedule(): void {
  if (scheduled || active.size === 0) return;
  scheduled = true;
  setTimeout(step, 0);
}

/** One stride of every active file, so that a large upload does not hold up the small ones. */
function step(): void {
  scheduled = false;
  for (const [key, running] of active) {
    try {
      for (let count = 0; count < strideBuffers && running.position < running.end; count += 1) {
        readBuffer(running);
      }
      if (running.position >= running.end) conclude(key, running);
    } catch (error) {
      fail(key, running, error);
    }
  }
  schedule();
}

/** Digests one buffer. */
function readBuffer(running: Running): void {
  const wanted = Math.min(running.end - running.position, buffer.length);
  running.descriptor ??= openSync(running.path, "r");
  const count = readSync(running.descriptor, buffer, 0, wanted, running.position);
  if (count === 0) {
    throw new Error(`file ended at byte ${running.position}, expected ${running.end}`);
  }
  running.hasher.update(buffer.subarray(0, count));
  running.position += count;
}

/** Reached its end: answer the digest, or keep the running digest for the next request. */
function conclude(key: string, running: Running): void {
  active.delete(key);
  release(running);
  if (running.position !== running.end) {
    // Read past the settled size: the tail was rolled back, so this digest is of no use.
    if (running.replyTo !== null) restart(key, running);
    return;
  }
  if (running.replyTo === null) {
    kept.set(key, running);
    return;
  }
  self.postMessage({ id: running.replyTo, digest: running.hasher.digest() });
}

function restart(key: string, running: Running): void {
  const fresh = take(key, running.path, running.algorithm);
  fresh.end = running.end;
  fresh.replyTo = running.replyTo;
  active.set(key, fresh);
}

function fail(key: string, running: Running, error: unknown): void {
  active.delete(key);
  release(running);
  if (running.replyTo === null) return;
  self.postMessage({ id: running.replyTo, error: String(error) });
}

function release(running: Running): void {
  if (running.descriptor !== null) closeSync(running.descriptor);
  running.descriptor = null;
}
