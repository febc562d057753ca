/** All content of a registry in memory, by repository and digest, within a limit of bytes. */
import { assert } from "../../lib/assert.ts";
import { GiB } from "../../lib/bytes.ts";
import type { Digest } from "../../oci/digest.ts";
import { StorageFull } from "../blob_store.ts";

/** Of content and uploads together, unless the opener says otherwise. */
export const memoryBytesMaxDefault = GiB;

/** Bytes that are stored once, however many repositories have them. */
export interface StoredBytes {
  readonly bytes: Uint8Array;
  readonly stamp: string;
  /** How many names they have. */
  names: number;
}

export class MemoryContent {
  readonly #bytesMax: number;
  readonly #repositories = new Map<string, Map<Digest, StoredBytes>>();
  readonly #quarantined = new Map<string, StoredBytes>();
  #bytes = 0;
  #stamps = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(repository: string, digest: Digest): StoredBytes | null {
    return this.#repositories.get(repository)?.get(digest) ?? null;
  }

  /** Stores bytes without a copy: the caller must not change them afterwards. @throws StorageFull. */
  put(repository: string, digest: Digest, bytes: Uint8Array): void {
    this.take(bytes.length);
    this.#stamps += 1;
    this.name(repository, digest, { bytes, stamp: `${this.#stamps}`, names: 0 });
  }

  /** Gives stored bytes a name, in place of the content that had it. */
  name(repository: string, digest: Digest, stored: StoredBytes): void {
    stored.names += 1;
    this.remove(repository, digest);
    let blobs = this.#repositories.get(repository);
    if (blobs === undefined) this.#repositories.set(repository, (blobs = new Map()));
    blobs.set(digest, stored);
  }

  remove(repository: string, digest: Digest): boolean {
    const blobs = this.#repositories.get(repository);
    const stored = blobs?.get(digest);
    if (blobs === undefined || stored === undefined) return false;
    blobs.delete(digest);
    if (blobs.size === 0) this.#repositories.delete(repository);
    stored.names -= 1;
    if (stored.names === 0) this.give(stored.bytes.length);
    return true;
  }

  /** As `SynchronousBytes` says; what is kept still takes its room. */
  quarantine(
    repository: string,
    digest: Digest,
    { stamp, name }: { readonly stamp: string; readonly name: string },
  ): string | null {
    const stored = this.get(repository, digest);
    const kept = this.#keptAs(stamp, name);
    if (stored === null) return this.#quarantined.has(kept) ? kept : null;
    if (stored.stamp !== stamp) return null;
    if (!this.#quarantined.has(kept)) {
      stored.names += 1;
      this.#quarantined.set(kept, stored);
    }
    this.remove(repository, digest);
    return kept;
  }

  /** The name of these bytes in quarantine, or one that no others have. */
  #keptAs(stamp: string, name: string): string {
    for (let count = 1; ; count += 1) {
      const tried = count === 1 ? name : `${name}.${count}`;
      const kept = this.#quarantined.get(tried);
      if (kept === undefined || kept.stamp === stamp) return tried;
    }
  }

  kept(): { name: string; sizeBytes: number }[] {
    const kept = [...this.#quarantined].map(([name, { bytes }]) => ({
      name,
      sizeBytes: bytes.length,
    }));
    return kept.toSorted((one, other) => (one.name < other.name ? -1 : 1));
  }

  removeKept(name: string): boolean {
    const stored = this.#quarantined.get(name);
    if (stored === undefined) return false;
    this.#quarantined.delete(name);
    stored.names -= 1;
    if (stored.names === 0) this.give(stored.bytes.length);
    return true;
  }

  quarantined(name: string): Uint8Array | null {
    return this.#quarantined.get(name)?.bytes ?? null;
  }

  room(): { freeBytes: number; totalBytes: number } {
    return { freeBytes: this.#bytesMax - this.#bytes, totalBytes: this.#bytesMax };
  }

  /** Room for more bytes. @throws StorageFull. */
  take(bytes: number): void {
    if (this.#bytes + bytes > this.#bytesMax) {
      throw new StorageFull(`No space left in memory: up to ${this.#bytesMax} bytes are kept`);
    }
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
    assert(this.#bytes >= 0, "only what was taken is given back");
  }
}
