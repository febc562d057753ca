/** Opens an empty place in memory, for tests and for programs that embed a registry: it ends with its process. */
import type { Clock } from "../../lib/clock.ts";
import type { LocalStores } from "../stores.ts";
import { MemoryBlobs } from "./memory_blobs.ts";
import { MemoryContent, memoryBytesMaxDefault } from "./memory_content.ts";
import { MemoryUploads } from "./memory_uploads.ts";

export interface MemoryOptions {
  readonly clock: Clock;
  /** Bytes of content and uploads together; more are refused as on a full disk. */
  readonly bytesMax?: number;
}

export function openMemory({
  clock,
  bytesMax = memoryBytesMaxDefault,
}: MemoryOptions): LocalStores {
  const content = new MemoryContent(bytesMax);
  return {
    blobs: new MemoryBlobs(content),
    uploads: new MemoryUploads(content, clock),
    layouts: null,
    upkeep: null,
    underLock: {
      present: (repository, digest) => content.get(repository, digest) !== null,
      remove: (repository, digest) => void content.remove(repository, digest),
      stamp: (repository, digest) => content.get(repository, digest)?.stamp ?? null,
      quarantine: (repository, digest, to) => content.quarantine(repository, digest, to),
    },
    close: async () => {},
  };
}
