// The plan of every statement that reads or writes facts: it finds its rows by an index.
//
// This is the proof that a page of tags costs its own length and a push does not cost the repository's size: a plan
// that walks a table, or sorts what it read, is the beginning of a request that grows with the registry.

import type { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { applyCommit } from "../sql/apply_commit.ts";
import { Connection } from "./connection.ts";
import { tablesWithLayouts } from "./own_tables.ts";
import { pastSql } from "../sql/past_reads.ts";
import { storesOf } from "../sql/record_tables.ts";
import { finish } from "../sql/statements.ts";
import { SqliteEngine } from "./sqlite_engine.ts";
import { migrate } from "./schema.ts";
import { layoutSql } from "../sql/layout_sql.ts";
import { sql } from "../sql/fact_reads.ts";
import { change, digest, layout, repository } from "../../../test/contracts/metadata_facts.ts";
import { layoutStates } from "../layout_states.ts";
import type { AnyCommit, Change, Precondition } from "../metadata.ts";
import { recordCommit } from "../records.ts";
import { noBytes } from "../../../test/contracts/no_bytes.ts";

interface PlanRow {
  readonly detail: string;
}

const stores = storesOf(tablesWithLayouts);

function emptyDatabase(): Database {
  const database = new Connection(":memory:", { strict: true });
  migrate(database, stores);
  return database;
}

function planOf(database: Database, text: string): string[] {
  return database
    .query<PlanRow, []>(`EXPLAIN QUERY PLAN ${text}`)
    .all()
    .map(({ detail }) => detail);
}

/**
 * Steps that cost what a table or a repository holds: a walk without bounds, or bounded by the repository alone, an
 * index made on the fly, a sort.
 */
const costly = /^SCAN (?!CONSTANT ROW|json_each)|\(repository=\?\)|AUTOMATIC|TEMP B-TREE/;

/** The costly steps of a statement. A repository is one row where it is the whole key of a table. */
function costlySteps(database: Database, text: string): string[] {
  return planOf(database, text).filter((step) => {
    const [, table] = /^SEARCH (\w+) USING PRIMARY KEY \(repository=\?\)$/.exec(step) ?? [];
    return costly.test(step) && (table === undefined || keyLength(database, table) !== 1);
  });
}

function keyLength(database: Database, table: string): number {
  const keys = "SELECT count(*) AS length FROM pragma_table_info(?1) WHERE pk > 0";
  return database.query<{ length: number }, [string]>(keys).get(table)?.length ?? 0;
}

/**
 * Walks that a statement may make, by its name: of an index in the order of the answer, so that LIMIT ends
 * them, or of what one repository holds, for the projector alone.
 */
const allowed: Readonly<Record<string, readonly RegExp[]>> = {
  // Three rows: content, what names it, and what names that.
  "collection: isWaiting": [/^SCAN named$/],
  catalog: [/^SEARCH m USING PRIMARY KEY \(repository=\?\)$/],
  history: [/^SEARCH h USING INDEX history_repository \(repository=\?\)$/],
  "layouts: stale": [/^SCAN l USING INDEX layouts_stale$/],
  orphans: [/^SCAN o USING COVERING INDEX orphans_since$/],
  // Each walks an index of what is to be done alone, and takes its first row.
  "usage: uncounted": [/^SCAN usage_totals USING INDEX usage_uncounted$/],
  "usage: unlookedScope": [/^SCAN usage_scopes USING INDEX usage_scopes_unlooked$/],
  "usage: uncountedMember": [
    /^SCAN usage_members USING (COVERING )?INDEX usage_members_uncounted$/,
  ],
  "usage: droppedScope": [/^SCAN d$/],
  "comparisons: comparisonWaiting": [/^SCAN comparisons_made USING INDEX comparisons_waiting$/],
  // Quotas are as many as the configuration has.
  "usage: quotas": [/^SCAN s USING INDEX usage_scopes_place$/],
  // A page of each of two tables, sorted as one; and at most `limit` holders of each of some digests.
  "usage: contentPage": [/^USE TEMP B-TREE FOR GROUP BY$/, /^SCAN \(subquery-\d+\)$/],
  "usage: heldIn": [/^SCAN \(subquery-\d+\)$/],
  "usage: holdersOf": [/TEMP B-TREE/, /^SCAN (\(subquery-\d+\)|h)$/],
  "usage: holders": [/TEMP B-TREE/, /^SCAN \(subquery-\d+\)$/, /^SCAN d VIRTUAL TABLE/],
  // At most 1,000 rows of an index.
  heldNamedBy: [/^SCAN \(subquery-\d+\)$/],
  // The first row of an index.
  "followers: oldest": [/^SCAN history USING INDEX history_pushed$/],
  // Pages of a repository, and of all, in the order of an index.
  "summaries: summaryImagesByTag": [/^SEARCH i USING PRIMARY KEY \(repository=\?\)$/],
  "summaries: summaryImagesByTagDown": [/^SEARCH i USING PRIMARY KEY \(repository=\?\)$/],
  "summaries: summaryImagesUpdated": [/^SEARCH i USING INDEX summary_images_newest/],
  "summaries: summaryImagesSet": [/^SEARCH i USING INDEX summary_images_pushed/],
  "summaries: summaryNewest": [
    /^SCAN (summary_images USING COVERING INDEX summary_images_updated|page)$/,
  ],
  "summaries: summaryNewestWithin": [
    /^SCAN (summary_images USING COVERING INDEX summary_images_updated|page)$/,
  ],
  "summaries: summaryLastSet": [
    /^SCAN (summary_images USING COVERING INDEX summary_images_set|page)$/,
  ],
  "summaries: summaryLastSetWithin": [
    /^SCAN (summary_images USING COVERING INDEX summary_images_set|page)$/,
  ],
  // Tags of one repository; and what was found by an index, each once.
  "summaries: summaryTagText": [
    /^SEARCH i USING COVERING INDEX summary_images_\w+ \(repository=\?\)$/,
  ],
  "summaries: summaryWithDigest": [/TEMP B-TREE/, /^SCAN found$/],
  "summaries: summaryBelow": [/TEMP B-TREE/],
  "summaries: summaryAbove": [/TEMP B-TREE/],
  "summaries: summaryIndexes": [/TEMP B-TREE/],
  // For the job that looks at all repositories, and all their tags, once.
  "summaries: summaryUnlooked": [/^SCAN r$/, /TEMP B-TREE/],
  "summaries: summaryProgress": [/^SCAN (summary_looks|repositories)/],
  "summaries: summaryTags": [/^SEARCH t USING PRIMARY KEY/, /TEMP B-TREE/],
  "summaries: summaryGone": [/^SEARCH i USING COVERING INDEX/],
  "layouts: unlistedOrphans": [/^SCAN o USING INDEX orphans_since$/],
};

describe("every statement of the reader finds its rows by an index", () => {
  const database = emptyDatabase();
  for (const [name, text] of Object.entries({
    ...sql,
    ...layoutSql,
    ...Object.fromEntries(
      tablesWithLayouts.flatMap((tables) =>
        Object.entries(tables.sql).map(([name, text]) => [`${tables.store.name}: ${name}`, text]),
      ),
    ),
    ...pastSql,
  })) {
    test(name, () => {
      expect(planOf(database, text).length).toBeGreaterThan(0);
      const steps = costlySteps(database, text).filter(
        (step) => !(allowed[name] ?? []).some((fits) => fits.test(step)),
      );
      expect(steps).toEqual([]);
    });
  }

  // Both indexes bound the walk of `referrers`, and only this one bounds it by the subject.
  test("referrers walks the subject's own rows, not the repository's", () => {
    const plan = planOf(database, sql.referrers);
    expect(plan.join("; ")).toContain(
      "INDEX manifests_subject (repository=? AND subject=? AND digest>?)",
    );
  });

  test("the check can fail: a statement without its index is noticed", () => {
    for (const text of [
      "SELECT name FROM tags WHERE digest = 'x'",
      "SELECT name FROM tags WHERE repository = 1",
      "SELECT name FROM tags WHERE repository = 1 ORDER BY set_at",
      "SELECT * FROM manifests",
    ]) {
      expect(costlySteps(database, text)).not.toEqual([]);
    }
  });
});

describe("every statement of a commit finds its rows by an index", () => {
  const preconditions: Precondition[] = [
    { kind: "blob-linked", digest: digest("x") },
    { kind: "manifest-exists", digest: digest("x") },
    {
      kind: "child-fits",
      digest: digest("x"),
      sizeBytes: 1,
      mediaType: "a/b",
      mayBeAbsent: false,
    },
    { kind: "unreferenced", digest: digest("x") },
    { kind: "unprotected", digest: digest("x") },
    { kind: "tag-is", tag: "v1", digests: [null] },
    { kind: "tag-exists", tag: "v1" },
    { kind: "manifest-absent", digest: digest("x") },
    { kind: "candidate-since", digest: digest("x"), as: "blob", since: 0 },
    { kind: "repository-empty" },
    { kind: "known", digest: digest("x") },
    { kind: "restorable", as: "manifest", digest: digest("x") },
    { kind: "bytes-present", digest: digest("x") },
    { kind: "origin-in", hosts: ["docker.io"] },
    { kind: "key-reserved", key: "objects/00/1" },
  ];
  const changes: Change[] = [
    change.create(),
    change.link("layer"),
    change.put("m"),
    change.put("m"),
    change.tag("v1", "m"),
    change.untag("v1"),
    change.tag("v1", "m"),
    change.pin("m", 1),
    change.unpin("m"),
    change.remove("m", repository, { why: "deleted" }),
    change.unlink("layer", repository, { why: "collected" }),
    change.link("layer"),
    change.unlink("layer", repository, { why: "deleted" }),
    change.restore("m"),
    change.restore("layer"),
    change.remove("m", repository, { why: "deleted" }),
    change.releaseHeld("m"),
    change.put("m"),
    change.purge("m"),
    change.put("m"),
    change.remove("m"),
    change.unlink("layer"),
    change.release("other"),
    { kind: "retry-orphan", digest: digest("other") },
    { kind: "promise", digest: digest("layer"), as: "blob" },
    { kind: "keep-candidate", digest: digest("layer"), as: "blob", lookAt: 1 },
    { kind: "drop-candidate", digest: digest("layer"), as: "blob" },
    { kind: "remove-repository" },
  ];
  for (const { kind, commit } of [
    ...preconditions.map((precondition) => ({
      kind: precondition.kind as string,
      work: { preconditions: [precondition], changes: [] as Change[] },
    })),
    ...changes.map((_, index) => ({
      kind: `${changes[index]!.kind} (${index + 1})`,
      work: { preconditions: [] as Precondition[], changes: changes.slice(0, index + 1) },
    })),
    { kind: "sweep-orphan", work: { preconditions: [], changes: [change.sweep("layer")] } },
  ].map(({ kind, work }) => ({ kind, commit: { repository, ...work, by: null } as AnyCommit }))) {
    testCommit(kind, commit);
  }
  for (const each of [layout.plan(null, "s"), layout.record("s", 1), layout.raise(1)]) {
    testCommit(each.kind, recordCommit(layoutStates, each));
  }

  function testCommit(kind: string, commit: AnyCommit): void {
    test(kind, () => {
      const database = emptyDatabase();
      const texts = new Set<string>();
      const context = {
        engine: new SqliteEngine(recording(database, texts)),
        bytes: noBytes,
        now: 0,
        stores,
      };
      finish(applyCommit(context, commit));
      expect(texts.size).toBeGreaterThan(0);
      for (const text of texts) {
        expect([text, costlySteps(database, text)]).toEqual([text, []]);
      }
    });
  }
});

test("statements are prepared once, though there are more of them than the runtime keeps by itself", () => {
  const database = emptyDatabase();
  const texts = Object.values(sql);
  expect(texts.length).toBeGreaterThan(20);
  const first = texts.map((text) => database.query(text));
  expect(texts.every((text, index) => database.query(text) === first[index])).toBe(true);
});

/** The database, with the text of every statement that is prepared kept in `texts`. */
function recording(database: Database, texts: Set<string>): Database {
  return new Proxy(database, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      const method = value.bind(target) as (...args: unknown[]) => unknown;
      if (property !== "query") return method;
      return (text: string) => {
        texts.add(text);
        return method(text);
      };
    },
  });
}
