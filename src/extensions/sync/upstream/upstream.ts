/**
 * The contract of an upstream: a registry that content is mirrored from, as the rest of the extension sees it.
 *
 * Names are the upstream's own. Null is "it is not there" (404); whatever else goes wrong is thrown as an
 * `UpstreamTrouble`. What it says of itself (digests, sizes, types) is a hint, apart from the bytes of a manifest, which
 * have the digest that stands beside them.
 */
import type { Descriptor } from "../../../oci/descriptor.ts";

export interface Upstream {
  /** As people name it, normalised (`normaliseHost` of `names.ts`): for `ns`, logs and labels. */
  readonly host: string;
  /** Null: there is no such manifest. */
  headManifest(name: string, reference: string): Promise<ManifestHead | null>;
  /** `ifNoneMatch` is a digest that we have: `"unchanged"` when the upstream still has it there. */
  getManifest(
    name: string,
    reference: string,
    options?: { readonly ifNoneMatch?: string },
  ): Promise<UpstreamManifest | "unchanged" | null>;
  /** Null: it is not there, or the upstream does not say its size. */
  blobSize(name: string, digest: string): Promise<number | null>;
  /** Begins a download. Null: it is not there. The caller compares the digest. */
  getBlob(name: string, digest: string, options?: BlobOptions): Promise<UpstreamBlob | null>;
  /** All pages, in the upstream's order, up to `tagsMax` (100,000). */
  tags(name: string): Promise<readonly string[] | null>;
  catalog(): AsyncIterable<string>;
  /** By the API, else by the tag scheme; null where both have nothing. */
  referrers(name: string, digest: string): Promise<UpstreamReferrers | null>;
  /** How it is now, as all workers together see it. */
  state(): UpstreamState;
  /**
   * The same upstream for a request that came through so many mirrors (`X-Zot-Mirror-Hops`): beyond `hopsMax` what is
   * asked of it is the trouble `loop`, so that mirrors which ask each other come to an end.
   */
  withHops(hops: number): Upstream;
  /** Drops idle connections; downloads that run go on. */
  close(): void;
}

export interface ManifestHead {
  /** Null where the upstream does not say it: then only `getManifest` tells. */
  readonly digest: string | null;
  readonly mediaType: string | null;
  readonly sizeBytes: number | null;
}

export interface UpstreamManifest {
  /** Computed from the bytes: the reference where that is a digest, else in the upstream's algorithm or sha256. */
  readonly digest: string;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

export interface BlobOptions {
  /** Where to begin; 0 where it is left out. */
  readonly fromByte?: number;
  /** The last byte that is wanted, itself included; to the end where it is left out. */
  readonly lastByte?: number;
  /** The `etag` of an earlier answer: begin anew when the content is another. */
  readonly ifRange?: string;
  readonly signal?: AbortSignal;
}

export interface UpstreamBlob {
  /** Where `body` begins: less than was asked for (then 0) when the upstream sends the whole. */
  readonly fromByte: number;
  /** Of the whole blob; null where the upstream does not say it. */
  readonly sizeBytes: number | null;
  readonly etag: string | null;
  /** Throws an `UpstreamTrouble` when it breaks. Leaving the loop early ends the download. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Ends the download, also before anybody reads. */
  close(): void;
}

export interface UpstreamReferrers {
  readonly source: "api" | "tag";
  readonly manifests: readonly Descriptor[];
}

/** `limited`: it answered 429, or its budget is spent. `down`: its circuit is open. */
export interface UpstreamState {
  readonly state: "up" | "limited" | "down";
  /** When it came into this state, in milliseconds since 1970; null when it never left the first. */
  readonly sinceMs: number | null;
  readonly lastError: { readonly words: string; readonly atMs: number } | null;
  /** Requests that it still allows, as its own headers say; null where it says nothing. */
  readonly budgetLeft: number | null;
  /** When it may be asked again (`limited`, `down`), in milliseconds since 1970. */
  readonly resetMs: number | null;
}
