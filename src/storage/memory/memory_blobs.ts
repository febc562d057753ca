/** Content in memory; equal content of two repositories is stored once when it is shared. */
import { algorithmOf, digestOf, newHasher, type Digest } from "../../oci/digest.ts";
import {
  ContentGone,
  oneDisk,
  type BlobStore,
  type ComparedBytes,
  type ContentCheck,
  type ContentLook,
  type ContentRange,
  type ContentStat,
  type OpenContent,
  type Room,
  type ShareRequest,
  type KeptFile,
} from "../blob_store.ts";
import type { MemoryContent } from "./memory_content.ts";

export class MemoryBlobs implements BlobStore {
  readonly disks = oneDisk;
  readonly #content: MemoryContent;

  constructor(content: MemoryContent) {
    this.#content = content;
  }

  async size(repository: string, digest: Digest): Promise<number | null> {
    return this.#content.get(repository, digest)?.bytes.length ?? null;
  }

  async stat(repository: string, digest: Digest): Promise<ContentStat | null> {
    const stored = this.#content.get(repository, digest);
    return stored === null ? null : { sizeBytes: stored.bytes.length, stamp: stored.stamp };
  }

  async open(repository: string, digest: Digest, range: ContentRange | null): Promise<OpenContent> {
    const bytes = this.#content.get(repository, digest)?.bytes;
    // Removed since the caller looked, as a file may be.
    if (bytes === undefined) throw new ContentGone(repository, digest);
    return {
      kind: "bytes",
      bytes: range === null ? bytes : bytes.subarray(range.first, range.last + 1),
    };
  }

  async read(repository: string, digest: Digest, bytesMax: number): Promise<Uint8Array | null> {
    const bytes = this.#content.get(repository, digest)?.bytes ?? null;
    if (bytes === null || bytes.length <= bytesMax) return bytes;
    throw new Error(
      `storage: ${digest} of ${repository} has ${bytes.length} bytes, expected ${bytesMax} at most`,
    );
  }

  async put(repository: string, digest: Digest, bytes: Uint8Array): Promise<null> {
    const found = this.#content.get(repository, digest);
    if (found !== null && Buffer.compare(found.bytes, bytes) === 0) return null;
    // A copy: the caller may use its own for something else.
    this.#content.put(repository, digest, new Uint8Array(bytes));
    return null;
  }

  async share(digest: Digest, { from, to }: ShareRequest): Promise<boolean> {
    const stored = this.#content.get(from, digest);
    if (stored === null) return false;
    if (from !== to) this.#content.name(to, digest, stored);
    return true;
  }

  async compare(repository: string, digest: Digest, bytes: ComparedBytes) {
    const found = this.#content.get(repository, digest)?.bytes;
    if (found === undefined) return "absent";
    if (found.length !== bytes.sizeBytes) return "different";
    let position = 0;
    for await (const part of bytes.parts()) {
      const same = found.subarray(position, position + part.length);
      if (Buffer.compare(same, part) !== 0) return "different";
      position += part.length;
    }
    return position === found.length ? "equal" : "different";
  }

  async lookAt(repository: string, digest: Digest): Promise<ContentLook | null> {
    const stored = this.#content.get(repository, digest);
    if (stored === null) return null;
    return { sizeBytes: stored.bytes.length, stamp: stored.stamp, isFile: true };
  }

  check(repository: string, digest: Digest): ContentCheck {
    const hasher = newHasher(algorithmOf(digest));
    let position = 0;
    return {
      next: async (bytesMax) => {
        const bytes = this.#content.get(repository, digest)?.bytes;
        if (bytes === undefined) {
          throw Object.assign(new Error(`ENOENT: ${digest} is gone`), { code: "ENOENT" });
        }
        const slice = bytes.subarray(position, position + bytesMax);
        position += slice.length;
        hasher.update(slice);
        return { bytes: slice.length, digest: slice.length === 0 ? hasher.digest() : null };
      },
      close: () => undefined,
    };
  }

  async copyBack(name: string, repository: string, digest: Digest): Promise<boolean> {
    const bytes = this.#content.quarantined(name);
    if (bytes === null || digestOf(algorithmOf(digest), bytes) !== digest) return false;
    this.#content.put(repository, digest, new Uint8Array(bytes));
    return true;
  }

  async kept(): Promise<KeptFile[]> {
    return this.#content.kept();
  }

  async removeKept(name: string): Promise<boolean> {
    return this.#content.removeKept(name);
  }

  async remove(repository: string, digest: Digest): Promise<boolean> {
    return this.#content.remove(repository, digest);
  }

  /** A write that fails leaves nothing. */
  async removeLeftovers(): Promise<number> {
    return 0;
  }

  async room(): Promise<Room> {
    return this.#content.room();
  }

  async probe(): Promise<void> {
    this.#content.take(1);
    this.#content.give(1);
  }
}
