/** What history has forgotten (`../forgotten.ts`): where it begins, and tags of which it knows days alone. */
import { forgotten, type ForgottenChange, type ForgottenReads } from "../forgotten.ts";
import type { RecordTables, RecordWork } from "./record_tables.ts";
import { all, get, type Rule, tell } from "./statements.ts";
import type { Source } from "./source.ts";

const here = "(SELECT id FROM repositories WHERE name = ?1)";
const dayMs = 24 * 60 * 60_000;
/** What every follower of the feed has had. */
const followed = `coalesce((SELECT min(sequence) FROM followers), ${Number.MAX_SAFE_INTEGER})`;

/** Events of a tag, up to one, that are followed by another of the same day. */
const sameDay =
  "SELECT h.sequence AS sequence FROM history h INDEXED BY history_tag " +
  `WHERE h.repository = ${here} AND h.tag = ?2 AND h.sequence <= ?3 AND h.sequence <= ${followed} ` +
  "AND (SELECT n.at FROM history n INDEXED BY history_tag WHERE n.repository = h.repository AND n.tag = h.tag " +
  `AND n.sequence > h.sequence ORDER BY n.sequence LIMIT 1) / ${dayMs} = h.at / ${dayMs} ` +
  "ORDER BY h.sequence LIMIT ?4";

const sql = {
  forgottenValue: "SELECT sequence, moment FROM forgotten_places WHERE name = ?1",
  // In order: the first one that is too young ends it.
  forgottenNext:
    "SELECT sequence, repository, tag, digest, at FROM history WHERE sequence > ?1 " +
    `AND sequence <= ${followed} ORDER BY sequence LIMIT ?2`,
  unlooked:
    "SELECT h.sequence AS sequence, r.name AS repository, h.tag AS tag FROM history h " +
    "CROSS JOIN repositories r ON r.id = h.repository WHERE h.sequence > ?1 ORDER BY h.sequence LIMIT ?2",
  /** The newest event of a tag behind so many others. */
  forgottenBehind:
    `SELECT sequence FROM history INDEXED BY history_tag WHERE repository = ${here} AND tag = ?2 ` +
    "ORDER BY sequence DESC LIMIT 1 OFFSET ?3",
  forgottenDays: `SELECT before FROM forgotten_days WHERE repository = ${here} AND tag = ?2`,
  forgottenAfter:
    `SELECT moment FROM history INDEXED BY history_tag WHERE repository = ${here} AND tag = ?2 ` +
    "AND sequence > ?3 ORDER BY sequence LIMIT 1",
  forgottenSameDay: sameDay,
} as const;

const writes = {
  place:
    "INSERT INTO forgotten_places (name, sequence, moment) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE SET " +
    "sequence = max(forgotten_places.sequence, excluded.sequence), " +
    "moment = max(forgotten_places.moment, excluded.moment)",
  event: "DELETE FROM history WHERE sequence = ?1",
  before:
    "DELETE FROM history WHERE sequence IN (SELECT sequence FROM history INDEXED BY history_tag " +
    "WHERE repository = ?1 AND tag = ?2 AND sequence < ?3)",
  days: `DELETE FROM history WHERE sequence IN (${sameDay})`,
  daysBefore:
    `INSERT INTO forgotten_days (repository, tag, before) SELECT id, ?2, ?3 FROM repositories WHERE name = ?1 ` +
    "ON CONFLICT (repository, tag) DO UPDATE SET before = max(forgotten_days.before, excluded.before)",
  noDays: "DELETE FROM forgotten_days WHERE repository = ?1 AND tag = ?2 AND before <= ?3",
} as const;

export const forgottenTables: RecordTables<ForgottenChange, ForgottenReads> = {
  store: forgotten,
  steps: [
    {
      version: 1,
      summary: "where history begins, and tags of which it knows days alone",
      sql: `
        CREATE TABLE forgotten_places (
          name     TEXT NOT NULL PRIMARY KEY,
          sequence INTEGER NOT NULL,
          moment   INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE forgotten_days (
          repository INTEGER NOT NULL,
          tag        TEXT NOT NULL,
          before     INTEGER NOT NULL,       -- in microseconds
          PRIMARY KEY (repository, tag)
        ) STRICT, WITHOUT ROWID;
      `,
    },
  ],
  sql,
  frees: () => true,
  apply,
  reads,
};

function* apply(work: RecordWork, change: ForgottenChange): Rule<void> {
  switch (change.kind) {
    case "forget":
      yield* forget(work, change.until, change.limit);
      return;
    case "thin":
      yield* thin(work, change);
      return;
    case "looked":
      yield* tell(work, writes.place, "looked", change.sequence, 0);
      return;
  }
}

/**
 * Each event takes those before it of its tag along: it tells what the tag was from then on. A removal tells nothing
 * that is not so without it, and goes as well.
 */
function* forget(work: RecordWork, until: number, limit: number): Rule<void> {
  const begin = yield* get(work, sql.forgottenValue, "begin");
  let last = Number(begin?.["sequence"] ?? 0);
  let atLast = 0;
  const found = yield* all(work, sql.forgottenNext, last, limit);
  const due = found.slice(
    0,
    countWhile(found, ({ at }) => Number(at) <= until),
  );
  for (const event of due) {
    const [sequence, repository, at] = ["sequence", "repository", "at"].map((key) =>
      Number(event[key]),
    ) as [number, number, number];
    last = sequence;
    atLast = at;
    const { tag, digest } = event;
    if (tag !== null) {
      yield* tell(work, writes.before, repository, String(tag), sequence);
      yield* tell(work, writes.noDays, repository, String(tag), at * 1_000);
    }
    if (tag === null || digest === null) yield* tell(work, writes.event, sequence);
  }
  const isAll = due.length < limit;
  yield* tell(work, writes.place, "begin", last, (isAll ? until : atLast) * 1_000);
}

function countWhile<T>(items: readonly T[], holds: (item: T) => boolean): number {
  const end = items.findIndex((item) => !holds(item));
  return end === -1 ? items.length : end;
}

function* thin(
  work: RecordWork,
  { repository, tag, kept, limit }: Extract<ForgottenChange, { kind: "thin" }>,
): Rule<void> {
  const behind = yield* get(work, sql.forgottenBehind, repository, tag, kept);
  if (behind === null) return;
  const sequence = Number(behind["sequence"]);
  const after = yield* get(work, sql.forgottenAfter, repository, tag, sequence);
  yield* tell(work, writes.days, repository, tag, sequence, limit);
  if (after !== null)
    yield* tell(work, writes.daysBefore, repository, tag, Number(after["moment"]));
}

function reads(source: Source): ForgottenReads {
  const { get: one, all: many } = source;
  const placeOf = async (name: "begin" | "looked"): Promise<{ sequence: number; moment: number }> =>
    (await one(sql.forgottenValue, name)) ?? { sequence: 0, moment: 0 };
  return {
    begin: async () => await placeOf("begin"),
    isDue: async (until) => {
      const next = await one<{ at: number }>(
        sql.forgottenNext,
        (await placeOf("begin")).sequence,
        1,
      );
      return next !== null && next.at <= until;
    },
    unlooked: async (limit) => await many(sql.unlooked, (await placeOf("looked")).sequence, limit),
    isCrowded: async (repository, tag, kept) => {
      const behind = await one<{ sequence: number }>(sql.forgottenBehind, repository, tag, kept);
      if (behind === null) return false;
      return (await one(sql.forgottenSameDay, repository, tag, behind.sequence, 1)) !== null;
    },
    daysBefore: async (repository, tag) =>
      (await one<{ before: number }>(sql.forgottenDays, repository, tag))?.before ?? null,
    nextEvent: async (repository, tag, sequence) =>
      (await one<{ moment: number }>(sql.forgottenAfter, repository, tag, sequence))?.moment ??
      null,
  };
}
