/**
 * What is known of content that came from an upstream: a store of its own beside the metadata.
 *
 * A mirrored repository has one origin, the host of its upstream, and keeps it for as long as it holds anything. A tag
 * that is cached stands here with the digest that the upstream gave it last; a tag of the same name that points
 * elsewhere, or has no row, is the repository's own, and no upstream moves it. Rows are written in the commit that sets
 * the tag or puts the manifest (`Commit.records`).
 */
import type { RecordStore } from "./records.ts";

/** A tag as its upstream had it. */
export interface CachedTag {
  readonly digest: string;
  /** When the upstream last said so, in milliseconds since the epoch; null where nobody knows any more. */
  readonly checkedAt: number | null;
}

/** A manifest that came from an upstream. */
export interface CachedManifest {
  readonly digest: string;
  readonly sizeBytes: number;
  /** When it was pulled last, else when it was fetched. */
  readonly usedAt: number;
}

export type MirrorChange =
  /** Does nothing to a repository that has an origin. */
  | {
      readonly kind: "set-origin";
      readonly repository: string;
      readonly host: string;
      readonly at: number;
    }
  | { readonly kind: "forget-origin"; readonly repository: string }
  | {
      readonly kind: "cache-tag";
      readonly repository: string;
      readonly tag: string;
      readonly digest: string;
      readonly checkedAt: number | null;
    }
  /** The tag is the repository's own, or gone. */
  | { readonly kind: "forget-tag"; readonly repository: string; readonly tag: string }
  | {
      readonly kind: "cache-manifest";
      readonly repository: string;
      readonly digest: string;
      readonly at: number;
    }
  /** A push brought it, too: no limit of the cache removes it from then on. */
  | { readonly kind: "own-manifest"; readonly repository: string; readonly digest: string }
  /** With the tags that point at it. */
  | { readonly kind: "forget-manifest"; readonly repository: string; readonly digest: string };

export interface MirrorReads {
  /** The upstream of a repository; null for one that has none. */
  origin(repository: string): Promise<string | null>;
  /** Repositories with an origin after this name, by byte order. */
  repositories(
    after: string,
    limit: number,
  ): Promise<{ readonly repository: string; readonly host: string }[]>;
  tag(repository: string, tag: string): Promise<CachedTag | null>;
  /** Whether a manifest came from the upstream. */
  isFetched(repository: string, digest: string): Promise<boolean>;
  /** When a manifest that came from the upstream was pulled last, else fetched; null for any other. */
  usedAt(repository: string, digest: string): Promise<number | null>;
  /** Whether a tag that no upstream set names a manifest, or one that came from no upstream is about it. */
  hasOwn(repository: string, digest: string): Promise<boolean>;
  /** Cached manifests of a repository after this digest, by digest. */
  manifests(repository: string, after: string, limit: number): Promise<CachedManifest[]>;
  /** Bytes of all blobs and manifests of a repository. */
  usage(repository: string): Promise<number>;
}

export const mirrors: RecordStore<MirrorChange, MirrorReads> = { name: "mirrors" };

/** Whether a repository holds what came from an upstream, and can be fetched again. */
export async function isCached(
  metadata: { records(store: typeof mirrors): MirrorReads },
  repository: string,
): Promise<boolean> {
  return (await metadata.records(mirrors).origin(repository)) !== null;
}
