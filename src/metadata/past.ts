/**
 * The past of repositories, as the metadata tell it: events of tags, and what stood at a moment.
 *
 * Events are numbered by the sequence of history. Each event of a repository also has a moment, in microseconds since
 * the epoch, later than that of the event before it there. All answers are bounded by the caller.
 */
import type { Digest } from "../oci/digest.ts";

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

export interface PastReads {
  /** The last record of history, of all repositories, that is not later than this moment; 0 when there is none. */
  lastBefore(at: number): Promise<number>;
  /** When a manifest was removed last, in milliseconds since the epoch; null when it never was. */
  removedAt(repository: string, digest: Digest): Promise<number | null>;
  /** What undo has held since this moment or before, oldest first. */
  heldSince(until: number, limit: number): Promise<HeldRecord[]>;
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
