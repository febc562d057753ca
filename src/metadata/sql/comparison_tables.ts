/** Comparisons and listings of layers (`../comparisons.ts`), as tables beside those of the metadata. */
import {
  callerComparisonsMax,
  comparisons,
  comparisonsMax,
  listingBytesMax,
  listingsBytesMax,
  waitingComparisonsMax,
  type ComparisonChange,
  type ComparisonReads,
} from "../comparisons.ts";
import type { RecordTables, RecordWork } from "./record_tables.ts";
import { get, type Rule, tell } from "./statements.ts";
import type { Source } from "./source.ts";

const sql = {
  comparison: "SELECT result FROM comparisons_made WHERE key = ?1",
  comparisonWaiting:
    "SELECT key, request FROM comparisons_made INDEXED BY comparisons_waiting " +
    "WHERE result IS NULL ORDER BY number LIMIT 1",
  listing: "SELECT listing FROM comparisons_listings WHERE digest = ?1",
} as const;

const writes = {
  want:
    "INSERT INTO comparisons_made (key, request, wanted_by, result) SELECT ?1, ?2, ?3, NULL " +
    "WHERE (SELECT count(*) FROM comparisons_made INDEXED BY comparisons_waiting WHERE result IS NULL) < ?4 " +
    "AND (SELECT count(*) FROM comparisons_made INDEXED BY comparisons_waiting WHERE result IS NULL AND wanted_by = ?3) < ?5 " +
    "ON CONFLICT DO NOTHING",
  forget: "DELETE FROM comparisons_made WHERE key = ?1",
  done: "UPDATE comparisons_made SET result = ?2 WHERE key = ?1",
  trim:
    "DELETE FROM comparisons_made WHERE number <= " +
    "(SELECT number FROM comparisons_made ORDER BY number DESC LIMIT 1 OFFSET ?1)",
  listing:
    "INSERT INTO comparisons_listings (digest, size, listing) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
  total: "SELECT coalesce(sum(size), 0) AS bytes FROM comparisons_listings",
  oldest: "SELECT number FROM comparisons_listings ORDER BY number LIMIT 1",
  drop: "DELETE FROM comparisons_listings WHERE number = ?1",
} as const;

export const comparisonTables: RecordTables<ComparisonChange, ComparisonReads> = {
  store: comparisons,
  steps: [
    {
      version: 1,
      summary: "comparisons of files, and listings of layers",
      sql: `
        CREATE TABLE comparisons_made (
          number  INTEGER PRIMARY KEY AUTOINCREMENT,
          key     TEXT NOT NULL UNIQUE,
          request TEXT NOT NULL,
          wanted_by TEXT NOT NULL,         -- whom limits count
          result  TEXT                     -- null while it waits
        ) STRICT;
        CREATE INDEX comparisons_waiting ON comparisons_made (number) WHERE result IS NULL;
        CREATE TABLE comparisons_listings (
          number  INTEGER PRIMARY KEY AUTOINCREMENT,
          digest  TEXT NOT NULL UNIQUE,
          size    INTEGER NOT NULL,
          listing BLOB NOT NULL
        ) STRICT;
      `,
    },
  ],
  sql,
  // All of it can be made again: nothing is written on a full disk.
  frees: () => false,
  apply,
  reads,
};

function* apply(work: RecordWork, change: ComparisonChange): Rule<void> {
  switch (change.kind) {
    case "want":
      yield* tell(
        work,
        writes.want,
        change.key,
        change.request,
        change.by,
        waitingComparisonsMax,
        callerComparisonsMax,
      );
      yield* tell(work, writes.trim, comparisonsMax);
      return;
    case "done":
      yield* tell(work, writes.done, change.key, change.result);
      return;
    case "forget":
      yield* tell(work, writes.forget, change.key);
      return;
    case "keep-listing":
      yield* keepListing(work, change);
      return;
  }
}

function* keepListing(
  work: RecordWork,
  { digest, listing }: Extract<ComparisonChange, { kind: "keep-listing" }>,
): Rule<void> {
  const size = listing.length;
  if (size > listingBytesMax) return;
  yield* tell(work, writes.listing, digest, size, listing);
  for (;;) {
    const { bytes = 0 } = (yield* get(work, writes.total)) ?? {};
    if (Number(bytes) <= listingsBytesMax) return;
    const { number = null } = (yield* get(work, writes.oldest)) ?? {};
    if (number === null) return;
    yield* tell(work, writes.drop, number);
  }
}

function reads({ get: one }: Source): ComparisonReads {
  return {
    comparison: async (key) => await one<{ result: string | null }>(sql.comparison, key),
    waiting: async () => await one<{ key: string; request: string }>(sql.comparisonWaiting),
    listing: async (digest) =>
      (await one<{ listing: Uint8Array }>(sql.listing, digest))?.listing ?? null,
  };
}
