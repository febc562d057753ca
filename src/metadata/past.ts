/**
 * The past of repositories, as the metadata tell it: events of tags, and what stood at a moment.
 *
 * Events are numbered by the sequence of history. Each event of a repository also has a moment, in microseconds since
 * the epoch, later than that of the event before it there. All answers are bounded by the caller.
 */
import type { Digest } from "../oci/digest.ts";
import type { ManifestRecord, Page, ReferrersPage, ScanPage } from "./pages.ts";

/** A tag was set to a manifest, or removed: then `digest` is what it pointed at. */
export interface TagEvent {
  readonly sequence: number;
  /** Microseconds since the epoch. */
  readonly moment: number;
  readonly kind: "created" | "deleted";
  readonly digest: Digest;
  /** Null for a manifest that was removed before history recorded what it was. */
  readonly mediaType: string | null;
  readonly sizeBytes: number | null;
  readonly by: string | null;
  readonly reason: string | null;
}

export interface Moment {
  readonly sequence: number;
  /** Microseconds since the epoch. */
  readonly moment: number;
}

/** Events of one tag, newest first: those between two sequences, neither included. */
export interface TagEventsPage {
  readonly before: number | null;
  readonly after: number;
  readonly limit: number;
}

/** Content that only undo holds. */
export interface HeldRecord {
  readonly repository: string;
  readonly digest: Digest;
  /** When the time for an undo began, in milliseconds since the epoch. */
  readonly since: number;
  readonly sizeBytes: number;
}

/** Content that retention and collection leave alone until then. */
export interface Pin {
  readonly repository: string;
  readonly digest: Digest;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** A page of a list as it was at a moment. */
export interface PastPage<T> {
  readonly items: readonly T[];
  /** The last entry that was looked at; null when there are no more. */
  readonly next: string | null;
}

export interface PastReads {
  /** Where a tag pointed after this event of its repository; null when it was not there. */
  tagAt(repository: string, tag: string, sequence: number): Promise<Digest | null>;
  /** Tags that were there after this event, by byte order; `limit` counts those that were not, too. */
  tagsAt(repository: string, sequence: number, page: Page): Promise<PastPage<string>>;
  /** A manifest that is here, live or held. */
  manifest(repository: string, digest: Digest): Promise<ManifestRecord | null>;
  /** The size of a blob that is here, live or held. */
  blobSize(repository: string, digest: Digest): Promise<number | null>;
  /** As `Metadata.referrers`, of those that are here, live or held, and were pushed by then (milliseconds). */
  referrersAt(
    repository: string,
    subject: string,
    pushedBy: number,
    page: ScanPage & { readonly artifactTypes: readonly string[] },
  ): Promise<ReferrersPage>;
  /** The last event of a repository up to this one, and the first after it. */
  eventsAround(
    repository: string,
    sequence: number,
  ): Promise<{ readonly last: Moment | null; readonly next: Moment | null }>;
  /** The last record of history, of all repositories, that is not later than this moment; 0 when there is none. */
  lastBefore(at: number): Promise<number>;
  /** When a manifest was removed last, in milliseconds since the epoch; null when it never was. */
  removedAt(repository: string, digest: Digest): Promise<number | null>;
  /** When the time for an undo of this content began, in milliseconds since the epoch; null when it is not held. */
  heldFrom(repository: string, digest: Digest): Promise<number | null>;
  /** What undo has held since this moment or before, oldest first. */
  heldSince(until: number, limit: number): Promise<HeldRecord[]>;
  /** Held blobs that a held manifest names, with how many held manifests name each; 1,000 stands for more. */
  heldNamedBy(
    repository: string,
    digest: Digest,
  ): Promise<(Pick<HeldRecord, "digest" | "sizeBytes"> & { readonly parents: number })[]>;
  /** All that undo holds; bytes that repositories share count once for each. */
  heldTotals(): Promise<{ readonly bytes: number; readonly items: number }>;
  /** Until when these are pinned; those that are not are left out. A pin that has ended may be among them. */
  pinnedUntil(repository: string, digests: readonly string[]): Promise<Omit<Pin, "repository">[]>;
  /** Pins that ended at this moment or before. */
  endedPins(until: number, limit: number): Promise<Pin[]>;
  tagEvents(repository: string, tag: string, page: TagEventsPage): Promise<TagEvent[]>;
  /** The last event of a repository that is not later than this moment; 0 when there is none. */
  sequenceAt(repository: string, moment: number): Promise<number>;
}
