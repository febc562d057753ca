/**
 * The hashing thread: reads uploads back and computes their digests, and flushes file systems.
 *
 * `follow` hashes what one request has stored, so that the digest of an upload in several requests is nearly ready at
 * its end (`running_digests.ts`). `flush` is here because it may take seconds, and the main thread could answer no
 * commit meanwhile.
 */
import { flushFileSystem } from "./file_system_flush.ts";
import { RunningDigests, type FileBytes } from "./running_digests.ts";

export type HashRequest =
  | { type: "follow"; bytes: FileBytes }
  | { type: "go back"; key: string; sizeBytes: number }
  | { type: "forget"; key: string }
  | { type: "digest"; bytes: FileBytes; id: number }
  /** Flushes the file system that holds `path`. */
  | { type: "flush"; path: string; id: number };

export type HashReply =
  | { id: number; digest: string }
  | { id: number; flushed: boolean }
  | { id: number; error: string };

declare const self: {
  onmessage: ((event: { data: HashRequest }) => void) | null;
  postMessage(reply: HashReply): void;
};

const digests = new RunningDigests({
  digest: (id, digest) => self.postMessage({ id, digest }),
  error: (id, error) => self.postMessage({ id, error: String(error) }),
});
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
  flush: ({ path, id }) => {
    self.postMessage({ id, flushed: flushFileSystem(path) });
  },
};

function schedule(): void {
  if (scheduled || !digests.busy) return;
  scheduled = true;
  setTimeout(() => {
    scheduled = false;
    digests.step();
    schedule();
  }, 0);
}
