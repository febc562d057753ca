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

export interface PastReads {
  tagEvents(repository: string, tag: string, page: TagEventsPage): Promise<TagEvent[]>;
  /** The last event of a repository that is not later than this moment; 0 when there is none. */
  sequenceAt(repository: string, moment: number): Promise<number>;
}
