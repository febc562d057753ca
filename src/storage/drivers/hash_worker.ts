/**
 * The hashing thread: reads files back in its own thread and keeps running digests of uploads.
 *
 * Promises: `follow` begins with what a request has settled, so that the digest of an upload in several
 * requests is nearly ready when it is asked for; a running digest is kept between requests of the same upload, at positions
 * that the upload never rolls back behind (`filesystem_stage.ts`); a digest that is not at hand is
 * computed from the first byte. Kept digests are bounded.
 * Leaves to others: every decision; this thread only reads and counts.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { newHasher, type Algorithm, type Hasher } from "../../oci/digest.ts";
import { Lru } from "../../lib/lru.ts";
import { KiB, MiB } from "../../lib/bytes.ts";

export type HashRequest =
  | { type: "follow"; key: string; path: string; algorithm: Algorithm }
  | { type: "settle"; key: string; sizeBytes: number }
  | { type: "forget"; key: string }
  | {
      type: "digest";
      key: string;
      path: string;
      algorithm: Algorithm;
      sizeBytes: number;
      id: number;
    };

export type HashReply = { id: number; digest: string } | { id: number; error: string };

interface Running {
  readonly path: string;
  readonly algorithm: Algorithm;
  readonly hasher: Hasher;
  position: number;
  /** Read up to here and stop; null while the file may still grow. */
  end: number | null;
  /** Who waits for the digest once `end` is reached. */
  replyTo: number | null;
  descriptor: number | null;
}

/** Running digests of uploads that wait for their next request. */
const keptMax = 1_000;
/** Fits the caches of a core: larger reads cost more per byte. */
const buffer = new Uint8Array(256 * KiB);
/**
 * A growing file is read once it is this long: before, its first bytes may be reserved and not written yet
 * (`filesystem_stage.ts`, `#transferNative`: at most what arrives before a request is handled).
 */
const followBytesMin = 16 * MiB;
/** Pauses at the end of a growing file, so that it is read in large strides, not as a trickle. */
const pauseMinMs = 16;
const pauseMaxMs = 128;
/** Buffers of one file before the next file has its turn. */
const strideBuffers = 16;

const kept = new Lru<string, Running>({ entriesMax: keptMax });
const active = new Map<string, Running>();
let scheduled = false;
let pauseMs = pauseMinMs;

declare const self: {
  onmessage: ((event: { data: HashRequest }) => void) | null;
  postMessage(reply: HashReply): void;
};

self.onmessage = ({ data }) => {
  handlers[data.type](data as never);
  schedule(0);
};

const handlers: {
  [K in HashRequest["type"]]: (request: Extract<HashRequest, { type: K }>) => void;
} = {
  follow: ({ key, path, algorithm }) => {
    const running = take(key, path, algorithm);
    running.end = null;
    active.set(key, running);
  },
  settle: ({ key, sizeBytes }) => {
    const running = active.get(key);
    if (running !== undefined) running.end = sizeBytes;
  },
  forget: ({ key }) => {
    const running = active.get(key);
    if (running !== undefined) release(running);
    active.delete(key);
    kept.delete(key);
  },
  digest: ({ key, path, algorithm, sizeBytes, id }) => {
    const running = take(key, path, algorithm);
    running.end = sizeBytes;
    running.replyTo = id;
    active.set(key, running);
  },
};

/** The running digest of a key where it fits, else a new one from the first byte. */
function take(key: string, path: string, algorithm: Algorithm): Running {
  const known = active.get(key) ?? kept.get(key);
  kept.delete(key);
  if (known !== null && known.algorithm === algorithm) return known;
  if (known !== null) release(known);
  const hasher = newHasher(algorithm);
  return { path, algorithm, hasher, position: 0, end: null, replyTo: null, descriptor: null };
}

function schedule(delayMs: number): void {
  if (scheduled || active.size === 0) return;
  scheduled = true;
  setTimeout(step, delayMs);
}

/** One stride of every active file, so that a large upload does not hold up the small ones. */
function step(): void {
  scheduled = false;
  let progress = false;
  for (const [key, running] of active) {
    try {
      if (advance(running)) progress = true;
      if (running.end !== null && running.position >= running.end) conclude(key, running);
    } catch (error) {
      fail(key, running, error);
    }
  }
  pauseMs = progress ? pauseMinMs : Math.min(pauseMs * 2, pauseMaxMs);
  schedule(progress ? 0 : pauseMs);
}

function advance(running: Running): boolean {
  for (let count = 0; count < strideBuffers; count += 1) {
    if (running.position === running.end) return true;
    if (!readBuffer(running)) return count > 0;
  }
  return true;
}

/** Digests one buffer; false at the end of a file that may still grow. */
function readBuffer(running: Running): boolean {
  const left = running.end === null ? buffer.length : running.end - running.position;
  if (left <= 0) return true;
  running.descriptor ??= openSync(running.path, "r");
  if (running.end === null && running.position === 0) {
    if (fstatSync(running.descriptor).size < followBytesMin) return false;
  }
  const wanted = Math.min(left, buffer.length);
  const count = readSync(running.descriptor, buffer, 0, wanted, running.position);
  if (count === 0) {
    if (running.end === null) return false;
    throw new Error(`file ended at byte ${running.position}, expected ${running.end}`);
  }
  running.hasher.update(buffer.subarray(0, count));
  running.position += count;
  return true;
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
