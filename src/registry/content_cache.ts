/**
 * Bytes of manifests and small blobs that were read lately, by digest, and which content was found on disk just now.
 *
 * Only bytes whose digest was verified are cached (`content.ts`), so nothing here is wrong or goes stale. Each request
 * asks the metadata first what the repository holds. The cache is bounded in bytes.
 */
import { Lru } from "../lib/lru.ts";
import { KiB, MiB } from "../lib/bytes.ts";
import type { Holding } from "../metadata/metadata.ts";
import type { Digest } from "../oci/digest.ts";

const cacheBytesMax = 16 * MiB;
const entriesMax = 10_000;
/** Larger content is served from its file, and would push out hundreds of small ones. */
export const cachedBytesMax = 64 * KiB;
/** How long a look at the disk counts for HEAD, which asks for the same content again and again. */
const lookLastsMs = 1_000;

interface Look {
  readonly repository: string;
  readonly atMs: number;
}

export class ContentCache {
  /** Called with every look-up, for metrics. */
  readonly #onLookup: ((hit: boolean) => void) | null;
  readonly #bytes = new Lru<Digest, Uint8Array>({
    entriesMax,
    weightMax: cacheBytesMax,
    weigh: (bytes) => bytes.length,
  });

  /** The last look at content. Of repositories that share it, the last one counts. */
  readonly #looks = new Lru<Digest, Look>({ entriesMax });

  constructor(onLookup: ((hit: boolean) => void) | null = null) {
    this.#onLookup = onLookup;
  }

  get(digest: Digest): Uint8Array | null {
    const bytes = this.#bytes.get(digest);
    this.#onLookup?.(bytes !== null);
    return bytes;
  }

  /** Whether the content of the repository was found on disk just before. */
  wasSeen({ repository, digest }: Holding, nowMs: number): boolean {
    const look = this.#looks.get(digest);
    return look !== null && look.repository === repository && nowMs - look.atMs < lookLastsMs;
  }

  see({ repository, digest }: Holding, atMs: number): void {
    this.#looks.set(digest, { repository, atMs });
  }

  set(digest: Digest, bytes: Uint8Array): void {
    if (bytes.length <= cachedBytesMax) this.#bytes.set(digest, bytes);
  }
}
