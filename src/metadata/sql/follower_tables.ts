/**
 * Cursors of the feed's followers (`../followers.ts`) as a table. Moving a cursor also removes records that no follower
 * needs any more.
 */
import { followers, type FollowerChange, type FollowerReads } from "../followers.ts";
import type { RecordTables, RecordWork } from "./record_tables.ts";
import { get, type Rule, tell } from "./statements.ts";

/** Records of pushes without a tag are kept for so long at least: what moved a tag or removed something stays. */
const pushesKeptMs = 30 * 24 * 60 * 60_000;
/** Records that one move of a cursor removes at most. */
const prunedMax = 1_000;

const sql = {
  cursor: "SELECT sequence FROM followers WHERE name = ?1",
  end: "SELECT coalesce(max(sequence), 0) AS sequence FROM history",
  oldest:
    "SELECT at FROM history INDEXED BY history_pushed WHERE tag IS NULL AND digest IS NOT NULL ORDER BY sequence LIMIT 1",
} as const;

export const followerTables: RecordTables<FollowerChange, FollowerReads> = {
  store: followers,
  steps: [
    {
      version: 1,
      summary: "cursors",
      sql: `
        CREATE TABLE followers (
          name     TEXT NOT NULL PRIMARY KEY,
          sequence INTEGER NOT NULL          -- of the last record of history that was taken
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX followers_sequence ON followers (sequence);
      `,
    },
  ],
  sql,
  frees: ({ kind }) => kind === "unfollow",
  apply,
  reads: ({ get: one }) => ({
    cursor: async (name) => (await one<{ sequence: number }>(sql.cursor, name))?.sequence ?? null,
    end: async () => (await one<{ sequence: number }>(sql.end))?.sequence ?? 0,
  }),
};

function* apply(work: RecordWork, change: FollowerChange): Rule<void> {
  switch (change.kind) {
    case "follow": {
      yield* tell(
        work,
        "INSERT INTO followers (name, sequence) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        change.name,
        change.after,
      );
      return;
    }
    case "advance":
      yield* tell(
        work,
        "UPDATE followers SET sequence = max(sequence, ?2) WHERE name = ?1",
        change.name,
        change.sequence,
      );
      yield* prune(work);
      return;
    case "unfollow":
      yield* tell(work, "DELETE FROM followers WHERE name = ?1", change.name);
      return;
  }
}

function* prune(work: RecordWork): Rule<void> {
  const until = work.now - pushesKeptMs;
  // Records are in the order of their times, about: while the first is young there is nothing to look for.
  const first = yield* get(work, sql.oldest);
  if (first === null || Number(first["at"]) >= until) return;
  yield* tell(
    work,
    "DELETE FROM history WHERE sequence IN (SELECT sequence FROM history INDEXED BY history_pushed " +
      "WHERE tag IS NULL AND digest IS NOT NULL AND sequence <= (SELECT min(sequence) FROM followers) " +
      "ORDER BY sequence LIMIT ?1) AND at < ?2",
    prunedMax,
    until,
  );
}
