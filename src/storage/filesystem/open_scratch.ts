/** Opens a root directory for uploads alone, whose bytes become content elsewhere. */
import { statfs } from "node:fs/promises";
import type { Clock } from "../../lib/clock.ts";
import { finishedDirectory } from "../layout.ts";
import type { Scratch } from "../scratch_uploads.ts";
import { FilesystemUploads } from "./filesystem_uploads.ts";
import { HashThread } from "./hash_thread.ts";
import { KeyedFiles } from "./keyed_files.ts";

export interface FileScratch extends Scratch {
  readonly files: KeyedFiles;
}

export function openScratch(options: {
  readonly rootDirectory: string;
  readonly clock: Clock;
}): FileScratch {
  const hashes = new HashThread();
  // An upload that is lost with the machine was not acknowledged as content.
  const files = new KeyedFiles({ ...options, durable: false }, hashes);
  return {
    files,
    uploads: new FilesystemUploads(files, null, hashes),
    prepare: async () => {
      await files.prepare();
      await files.durable.ensureDirectory(files.path(finishedDirectory));
    },
    removeLeftovers: (ageMs) => files.sweepTemporary(ageMs),
    room: async () => {
      const { bsize, bavail, blocks } = await statfs(files.path(""));
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    },
    probe: () => files.probe(),
    close: async () => hashes.close(),
  };
}
