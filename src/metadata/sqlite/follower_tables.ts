/**
 * Cursors of the feed's followers (`../followers.ts`) as a table. Moving a cursor also removes records that no follower
 * needs any more.
 */
import { followers, type FollowerChange, type FollowerReads } from "../followers.ts";
import type { RecordTables, RecordWork } from "./record_tables.ts";

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
  reads: (database) => ({
    cursor: async (name) =>
      database.query<{ sequence: number }, [string]>(sql.cursor).get(name)?.sequence ?? null,
    end: async () => database.query<{ sequence: number }, []>(sql.end).get()?.sequence ?? 0,
  }),
};

function apply(work: RecordWork, change: FollowerChange): void {
  const { database } = work;
  switch (change.kind) {
    case "follow": {
      database
        .query<unknown, [string, number]>(
          "INSERT INTO followers (name, sequence) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )
        .run(change.name, change.after);
      return;
    }
    case "advance":
      database
        .query<unknown, [string, number]>(
          "UPDATE followers SET sequence = max(sequence, ?2) WHERE name = ?1",
        )
        .run(change.name, change.sequence);
      prune(work);
      return;
    case "unfollow":
      database.query<unknown, [string]>("DELETE FROM followers WHERE name = ?1").run(change.name);
      return;
  }
}

function prune({ database, now }: RecordWork): void {
  const until = now - pushesKeptMs;
  // Records are in the order of their times, about: while the first is young there is nothing to look for.
  const first = database.query<{ at: number }, []>(sql.oldest).get();
  if (first === null || first.at >= until) return;
  database
    .query<unknown, [number, number]>(
      "DELETE FROM history WHERE sequence IN (SELECT sequence FROM history INDEXED BY history_pushed " +
        "WHERE tag IS NULL AND digest IS NOT NULL AND sequence <= (SELECT min(sequence) FROM followers) " +
        "ORDER BY sequence LIMIT ?1) AND at < ?2",
    )
    .run(prunedMax, until);
}
