/**
 * History as a feed, and its followers: every push, tag move and delete in the order of the commits, so that a feature
 * need not hook into the push.
 *
 * A follower has a name and a cursor that survives crashes. It gets every record after its cursor, in order, page by
 * page, and gets a page again when the process ended before its cursor moved: so handling a record twice must do no
 * more than once. Records of moves and deletes are kept for `storage.history.keep`, those of pushes without a tag for at
 * least 30 days, and all of them until every follower has had them. `../registry/follower_job.ts` runs a follower in the background.
 */
import type { FeedRecord, Metadata } from "./metadata.ts";
import { recordCommit, type RecordCommit, type RecordStore } from "./records.ts";

export type FollowerChange =
  /** Begins to follow behind this record, unless it does. */
  | { readonly kind: "follow"; readonly name: string; readonly after: number }
  /** All up to this record was taken. A cursor never goes back. */
  | { readonly kind: "advance"; readonly name: string; readonly sequence: number }
  /** The follower of this name has ended, and no records are kept for it. */
  | { readonly kind: "unfollow"; readonly name: string };

export interface FollowerReads {
  /** The last record that was taken; null for who does not follow. */
  cursor(name: string): Promise<number | null>;
  /** The last record that there is; 0 for none. */
  end(): Promise<number>;
}

export const followers: RecordStore<FollowerChange, FollowerReads> = { name: "followers" };

/** Records that a follower is handed at once. */
const pageMax = 500;

/** A row of a table of followers. */
export interface Follower {
  /** Stands in the database, and never changes. */
  readonly name: string;
  /** Whether it begins with all that is kept, or with what is committed from now on. */
  readonly from: "start" | "end";
  /**
   * Called before the first record, again if it does not come to its end: for one that begins at the end and reads
   * what is there already. What is committed meanwhile comes as a record, too.
   */
  readonly begin?: (signal: AbortSignal) => Promise<void>;
  /**
   * Takes some records, in order; what it throws ends the round, and they come again. What it gives is committed with
   * the move of its cursor: one transaction instead of two, and one flush.
   */
  readonly take: (records: readonly FeedRecord[], signal: AbortSignal) => Promise<Taken>;
  /** How long commits are waited for that come with the one that woke it; a tenth of a second without it. */
  readonly settleMs?: number;
}

/** Of a follower that has nothing more to commit nothing. */
// oxlint-disable-next-line typescript/no-invalid-void-type
export type Taken = readonly RecordCommit[] | void;

/** Hands a follower all that was committed since its cursor. Returns how many records it took. */
export async function followFeed(
  metadata: Metadata,
  follower: Follower,
  signal: AbortSignal,
): Promise<number> {
  const { name, take } = follower;
  let cursor = await cursorOf(metadata, follower, signal);
  let taken = 0;
  for (;;) {
    const records: FeedRecord[] = signal.aborted ? [] : await metadata.feed(cursor, pageMax);
    const last = records.at(-1);
    if (last === undefined) return taken;
    const also = (await take(records, signal)) ?? [];
    cursor = last.sequence;
    taken += records.length;
    const advance = recordCommit(followers, { kind: "advance", name, sequence: cursor });
    await metadata.commit({ ...advance, also });
  }
}

/** Where it is; lets one begin that does not follow yet. */
async function cursorOf(
  metadata: Metadata,
  { name, from, begin }: Follower,
  signal: AbortSignal,
): Promise<number> {
  const reads = metadata.records(followers);
  const known = await reads.cursor(name);
  if (known !== null) return known;
  const after = from === "start" ? 0 : await reads.end();
  await begin?.(signal);
  // One that was ended has not read all of it.
  signal.throwIfAborted();
  await metadata.commit(recordCommit(followers, { kind: "follow", name, after }));
  return (await reads.cursor(name)) ?? after;
}
