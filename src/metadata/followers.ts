/**
 * History as a feed, and its followers: every push, tag move and delete in the order of the commits, so that a feature
 * need not hook into the push.
 *
 * A follower has a name and a cursor that survives crashes. It gets every record after its cursor, in order, page by
 * page, and gets a page again when the process ended before its cursor moved: so handling a record twice must do no
 * more than once. Records of moves and deletes are kept for ever; those of pushes without a tag for at least 30 days,
 * and until every follower has had them.
 */
import type { FeedRecord, Metadata } from "./metadata.ts";
import { recordCommit, type RecordStore } from "./records.ts";

export type FollowerChange =
  /** Begins to follow, unless it does: with all that is kept, or with what is committed from now on. */
  | { readonly kind: "follow"; readonly name: string; readonly from: "start" | "end" }
  /** All up to this record was taken. A cursor never goes back. */
  | { readonly kind: "advance"; readonly name: string; readonly sequence: number }
  /** The follower of this name has ended, and no records are kept for it. */
  | { readonly kind: "unfollow"; readonly name: string };

export interface FollowerReads {
  /** The last record that was taken; null for who does not follow. */
  cursor(name: string): Promise<number | null>;
}

export const followers: RecordStore<FollowerChange, FollowerReads> = { name: "followers" };

/** Records that a follower is handed at once. */
const pageMax = 500;

export interface FollowOptions {
  /** Stands in the database, and never changes. */
  readonly name: string;
  readonly from: "start" | "end";
  /** Takes some records, in order; what it throws ends the round, and they come again. */
  readonly take: (records: readonly FeedRecord[]) => Promise<void>;
}

/** Hands a follower all that was committed since its cursor. Returns how many records it took. */
export async function followFeed(
  metadata: Metadata,
  { name, from, take }: FollowOptions,
  signal?: AbortSignal,
): Promise<number> {
  const reads = metadata.records(followers);
  const known = await reads.cursor(name);
  if (known === null) {
    await metadata.commit(recordCommit(followers, { kind: "follow", name, from }));
  }
  let cursor = known ?? (await reads.cursor(name)) ?? 0;
  let taken = 0;
  for (;;) {
    const records: FeedRecord[] =
      signal?.aborted === true ? [] : await metadata.feed(cursor, pageMax);
    const last = records.at(-1);
    if (last === undefined) return taken;
    await take(records);
    cursor = last.sequence;
    taken += records.length;
    await metadata.commit(recordCommit(followers, { kind: "advance", name, sequence: cursor }));
  }
}
