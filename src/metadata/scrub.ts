/**
 * What is known of damaged content, of when content was checked last, and of rounds of checks.
 *
 * A mark stands beside the rows of damaged content, which stay: nothing that a damaged manifest names is collected. It
 * goes when right bytes are in their place again, or when the bytes are swept. Marks are written by commits of the
 * repository (`mark-damaged`, `quarantine`, `mark-sound` and pushes, in `metadata.ts`); here they are read.
 */
import type { Digest } from "../oci/digest.ts";
import type { Page } from "./pages.ts";
import type { RecordStore } from "./records.ts";

/** What a check found in the place of content. */
export type Damage =
  /** As many bytes as there should be, of another digest. */
  | "wrong"
  /** More or fewer bytes. */
  | "size"
  | "missing"
  /** The disk, or its rights, give no bytes. */
  | "unreadable"
  /** A directory, or anything else that is no file. */
  | "no-file";

export interface Damaged {
  readonly repository: string;
  readonly digest: Digest;
  /** As it was recorded at the push. */
  readonly sizeBytes: number;
  readonly how: Damage;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** Of what lies in its place and is to go into quarantine; null when that is done, or nothing lay there. */
  readonly stamp: string | null;
  /** Its name in quarantine; null for nothing. */
  readonly kept: string | null;
}

/** A place in the list of what is damaged, which is in the order of digests, then of repositories. */
export interface DamagedPlace {
  readonly digest: string;
  readonly repository: string;
}

/** Content that is checked: a blob wherever it is, or a manifest of one repository. */
export interface Checked {
  readonly digest: Digest;
  /** Empty for a blob, whose file all repositories may share. */
  readonly repository: string;
  readonly sizeBytes: number;
  /** When its bytes were hashed last, in milliseconds since the epoch. */
  readonly checkedAt: number;
}

/** Single values, each JSON text. */
export type ScrubValue = "state" | "disk-errors";

export type ScrubChange =
  /** Content to check from now on; what is listed already stays as it is. */
  | { readonly kind: "list"; readonly checked: readonly Checked[] }
  | {
      readonly kind: "checked";
      readonly digest: string;
      readonly repository: string;
      readonly at: number;
    }
  /** Nothing has it any more. */
  | { readonly kind: "unlist"; readonly digest: string; readonly repository: string }
  /** The proof of a round, by the moment of its beginning; older ones than the newest `kept` go. */
  | {
      readonly kind: "round";
      readonly from: number;
      readonly record: string;
      readonly kept: number;
    }
  | { readonly kind: "set"; readonly name: ScrubValue; readonly value: string };

export interface Sums {
  readonly items: number;
  readonly bytes: number;
}

export interface ScrubReads {
  /** All that is marked under a digest. */
  damagedAs(digest: string): Promise<Damaged[]>;
  damaged(after: DamagedPlace | null, limit: number): Promise<Damaged[]>;
  mark(repository: string, digest: string): Promise<Damaged | null>;
  damagedSums(): Promise<Sums>;
  /** Repositories where a digest has a name of any kind, held ones included: of the ids from `after` on, `limit`. */
  namedIn(
    digest: string,
    after: number,
    limit: number,
  ): Promise<{ readonly names: readonly string[]; readonly next: number | null }>;
  /** Repositories that have a blob, in the order of their ids. */
  holdersOf(
    digest: string,
    after: number,
    limit: number,
  ): Promise<{ readonly repository: string; readonly id: number; readonly sizeBytes: number }[]>;
  /** A manifest of a repository, or none. */
  manifestsIn(repository: string, digest: string): Promise<{ readonly sizeBytes: number }[]>;
  /** Manifests of a repository that name a digest, and those that are about it, so many of each. */
  above(repository: string, digest: string, limit: number): Promise<string[]>;
  /** Blobs, or manifests, from behind a place on, with the moment at which they were pushed here. */
  contents(
    kind: "blob" | "manifest",
    after: string | null,
    limit: number,
  ): Promise<{ readonly items: readonly Checked[]; readonly next: string | null }>;
  /** Those of them that are not listed yet. */
  unlisted(checked: readonly Checked[]): Promise<Checked[]>;
  /** Tags with what they point at, by byte order. */
  tagsIn(
    repository: string,
    page: Page,
  ): Promise<{ readonly tag: string; readonly digest: string; readonly mediaType: string }[]>;
  /** What was last checked before a moment: small content first, and of each the oldest first. */
  due(before: number, limit: number): Promise<Checked[]>;
  /** What was checked since a moment, or all of it for 0. */
  checkedSince(moment: number): Promise<Sums>;
  /** The newest proofs first. */
  rounds(limit: number): Promise<string[]>;
  value(name: ScrubValue): Promise<string | null>;
}

export const scrub: RecordStore<ScrubChange, ScrubReads> = { name: "scrub" };
