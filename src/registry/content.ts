/**
 * Content that a repository holds, as the disk has it.
 *
 * Wrong bytes are never a clean answer. A file that is gone, that has another length than was recorded or, where it is
 * read as a whole, other bytes, is an error to readers and absent to pushers: then a push repairs it.
 */
import { algorithmOf, digestOf } from "../oci/digest.ts";
import type { Holding } from "../metadata/metadata.ts";
import { cachedBytesMax } from "./content_cache.ts";
import type { Registry } from "./registry.ts";

/** The disk has not what was recorded. */
export class DamagedContent extends Error {
  override readonly name = "DamagedContent";

  /** `found` is what the file is instead, such as "12 bytes". */
  constructor({ repository, digest, sizeBytes }: Holding, found: string) {
    super(`storage: ${digest} of ${repository} should be ${sizeBytes} bytes on disk, is ${found}`);
  }
}

/** One look at the file: for content that the kernel sends. @throws DamagedContent. */
export function requireFile({ storage }: Registry, content: Holding): void {
  const found = storage.blobSizeNow(content.repository, content.digest);
  if (found === null) throw new DamagedContent(content, "gone");
  if (found !== content.sizeBytes) throw new DamagedContent(content, `${found} bytes`);
}

/** The bytes of small content or of a manifest. @throws DamagedContent. */
export function readContent(registry: Registry, content: Holding): Uint8Array {
  const { contentCache } = registry;
  const cached = contentCache.get(content.digest);
  if (cached !== null) return cached;
  const bytes = readProved(registry, content);
  contentCache.set(content.digest, bytes);
  return bytes;
}

/** Answers "is it there?" where no bytes are sent. @throws DamagedContent. */
export function requireContent(registry: Registry, content: Holding): void {
  requireFile(registry, content);
  if (content.sizeBytes <= cachedBytesMax) readContent(registry, content);
}

/** Reads from disk, and believes the bytes only by their digest. */
function readProved({ storage }: Registry, content: Holding): Uint8Array {
  const bytes = storage.readBlobNow(content.repository, content.digest);
  if (bytes === null) throw new DamagedContent(content, "gone");
  if (bytes.length !== content.sizeBytes) {
    throw new DamagedContent(content, `${bytes.length} bytes`);
  }
  if (digestOf(algorithmOf(content.digest), bytes) === content.digest) return bytes;
  throw new DamagedContent(content, "as many that have another digest");
}

/** Whether a repository can be a source of this content for another; one that cannot is reported. */
export function isSource(registry: Registry, content: Holding): boolean {
  return isSound(registry, content, () => {
    if (content.sizeBytes > cachedBytesMax) requireFile(registry, content);
    else readProved(registry, content);
  });
}

/** Whether a manifest may name this content; what is damaged is reported. */
export function isHeld(registry: Registry, content: Holding): boolean {
  return isSound(registry, content, () => requireFile(registry, content));
}

function isSound(registry: Registry, content: Holding, check: () => void): boolean {
  try {
    check();
    return true;
  } catch (error) {
    if (!(error instanceof DamagedContent)) throw error;
    reportDamage(registry, content, error);
    return false;
  }
}

/** Tells the operator of damage that is no error to whoever met it. */
export function reportDamage({ report }: Registry, content: Holding, found: Error): void {
  const { repository, digest } = content;
  report("error", "content is damaged; a push of it repairs it", {
    repository,
    digest,
    problem: found.message,
  });
}
