/** Opens a root directory: content, layouts and uploads. */
import type { Digest } from "../../oci/digest.ts";
import { blobKey } from "../layout.ts";
import type { LocalStores, SynchronousBytes } from "../stores.ts";
import { FilesystemBlobs } from "./filesystem_blobs.ts";
import { FilesystemLayouts } from "./filesystem_layouts.ts";
import { FilesystemUploads } from "./filesystem_uploads.ts";
import { HashThread } from "./hash_thread.ts";
import { KeyedFiles, type FilesystemOptions } from "./keyed_files.ts";
import { quarantineNow } from "./quarantine.ts";
import type { FileReserve } from "./reserve.ts";

export interface FilesystemStores extends LocalStores {
  readonly blobs: FilesystemBlobs;
  readonly uploads: FilesystemUploads;
  readonly layouts: FilesystemLayouts;
  readonly files: KeyedFiles;
  /** Makes the directories that are needed; once for a root, before anything else. */
  prepare(): Promise<void>;
}

/** With a reserve, an index.json that finds no room may have its space. */
export function openFilesystem(
  options: FilesystemOptions,
  reserve: FileReserve | null = null,
): FilesystemStores {
  const hashes = new HashThread();
  const checks = new HashThread();
  const files = new KeyedFiles(options, hashes);
  const layouts = new FilesystemLayouts(files, reserve);
  return {
    files,
    layouts,
    upkeep: null,
    blobs: new FilesystemBlobs(files, layouts, checks),
    uploads: new FilesystemUploads(files, layouts, hashes),
    underLock: bytesUnderLock(files),
    prepare: () => files.prepare(),
    close: async () => {
      hashes.close();
      checks.close();
    },
  };
}

function bytesUnderLock(files: KeyedFiles): SynchronousBytes {
  return {
    present: (repository: string, digest: Digest) =>
      files.sizeNow(blobKey(repository, digest)) !== null,
    remove: (repository: string, digest: Digest) => files.removeNow(blobKey(repository, digest)),
    stamp: (repository, digest) => files.lookNow(blobKey(repository, digest))?.stamp ?? null,
    quarantine: (repository, digest, { stamp, name }) =>
      quarantineNow(files, blobKey(repository, digest), { stamp, name }),
  };
}
