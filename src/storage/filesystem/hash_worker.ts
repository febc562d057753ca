/**
 * The hashing thread: reads uploads back and computes their digests, and flushes file systems.
 *
 * `follow` hashes what one request has stored, so that the digest of an upload in several requests is nearly ready at
 * its end (`running_digests.ts`). `check` hashes one slice of a file that lies there (`file_check.ts`). `flush` is here because it may take seconds, and the main thread could answer no
 * commit meanwhile.
 */
import type { Algorithm } from "../../oci/digest.ts";
import { FileCheck } from "./file_check.ts";
import { flushFileSystem } from "./file_system_flush.ts";
import { RunningDigests, type FileBytes } from "./running_digests.ts";

export type HashRequest =
  | { type: "follow"; bytes: FileBytes }
  | { type: "go back"; key: string; sizeBytes: number }
  | { type: "forget"; key: string }
  | { type: "digest"; bytes: FileBytes; id: number }
  /** Hashes the next slice of a file, which is opened by the first one and closed by the last. */
  | {
      type: "check";
      key: string;
      path: string;
      algorithm: Algorithm;
      bytesMax: number;
      id: number;
    }
  | { type: "end check"; key: string }
  /** Flushes the file system that holds `path`. */
  | { type: "flush"; path: string; id: number };

export type HashReply =
  | { id: number; digest: string }
  | { id: number; bytes: number; digest: string | null }
  | { id: number; flushed: boolean }
  | { id: number; error: string; code: string | null };

declare const self: {
  onmessage: ((event: { data: HashRequest }) => void) | null;
  postMessage(reply: HashReply): void;
};

const digests = new RunningDigests({
  digest: (id, digest) => self.postMessage({ id, digest }),
  error: (id, error) => self.postMessage({ id, error: String(error), code: codeOf(error) }),
});
/** Files that are being checked: one at a time, but for what was broken off. */
const checks = new Map<string, FileCheck>();
let scheduled = false;

self.onmessage = ({ data }) => {
  handlers[data.type](data as never);
  schedule();
};

const handlers: {
  [K in HashRequest["type"]]: (request: Extract<HashRequest, { type: K }>) => void;
} = {
  follow: ({ bytes }) => digests.begin(bytes),
  "go back": ({ key, sizeBytes }) => digests.goBack(key, sizeBytes),
  forget: ({ key }) => digests.forget(key),
  digest: ({ bytes, id }) => digests.begin(bytes, id),
  check: ({ id, ...file }) => {
    try {
      self.postMessage({ id, ...nextSlice(file) });
    } catch (error) {
      endCheck(file.key);
      self.postMessage({ id, error: String(error), code: codeOf(error) });
    }
  },
  "end check": ({ key }) => endCheck(key),
  flush: ({ path, id }) => {
    self.postMessage({ id, flushed: flushFileSystem(path) });
  },
};

interface CheckedFile {
  readonly key: string;
  readonly path: string;
  readonly algorithm: Algorithm;
  readonly bytesMax: number;
}

function nextSlice({ key, path, algorithm, bytesMax }: CheckedFile) {
  let check = checks.get(key);
  if (check === undefined) checks.set(key, (check = new FileCheck(path, algorithm)));
  const bytes = check.next(bytesMax);
  if (bytes > 0) return { bytes, digest: null };
  const digest = check.digest();
  endCheck(key);
  return { bytes, digest };
}

function endCheck(key: string): void {
  checks.get(key)?.close();
  checks.delete(key);
}

function codeOf(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : null;
}

function schedule(): void {
  if (scheduled || !digests.busy) return;
  scheduled = true;
  setTimeout(() => {
    scheduled = false;
    digests.step();
    schedule();
  }, 0);
}
