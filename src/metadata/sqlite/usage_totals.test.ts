// Totals against a count of the rows: after any changes, whatever was counted when they happened.

import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  change,
  manifest,
  digest,
  type PlacedChange,
} from "../../../test/contracts/metadata_facts.ts";
import { noBytes } from "../../../test/contracts/no_bytes.ts";
import { holds } from "../../../test/property.ts";
import { recordCommit } from "../records.ts";
import { scopeTest, usage, type Quota, type UsageChange } from "../usage.ts";
import { applyCommit } from "../sql/apply_commit.ts";
import { tablesWithLayouts } from "./own_tables.ts";
import { storesOf } from "../sql/record_tables.ts";
import { finish } from "../sql/statements.ts";
import { SqliteEngine } from "./sqlite_engine.ts";
import { migrate, migrations } from "./schema.ts";

const repositories = ["team/app", "team/web", "other"];
const names = ["a", "bb", "ccc", "dddd", "eeeee", "ffffff"];
const stores = storesOf(tablesWithLayouts);

const quota = (scope: Quota["scope"], count: Quota["count"]): Quota => ({
  name: JSON.stringify(scope),
  scope,
  limits: { bytes: null, tags: null, manifests: null, repositories: null },
  count,
  warnAt: 0.9,
  isMaxRepos: false,
});
const quotas = [
  quota({ prefix: "team/" }, "linked"),
  quota({ globs: ["**/app"] }, "own"),
  quota({ prefix: "" }, "own"),
  quota({ prefix: "nobody" }, "linked"),
];

class Counted {
  readonly database = new Database(":memory:", { strict: true });
  #now = 1;

  constructor() {
    migrate(this.database, stores);
  }

  did(each: PlacedChange): void {
    const { repository = "team/app", ...rest } = each;
    this.#now += 1;
    const context = {
      engine: new SqliteEngine(this.database),
      bytes: noBytes,
      now: this.#now,
      stores,
    };
    finish(applyCommit(context, { repository, preconditions: [], changes: [rest], by: null }));
  }

  record(each: UsageChange): void {
    const context = {
      engine: new SqliteEngine(this.database),
      bytes: noBytes,
      now: this.#now,
      stores,
    };
    finish(applyCommit(context, recordCommit(usage, each)));
  }

  /** As a database of an older version is: nothing is counted. */
  forget(): void {
    this.database.run(
      "UPDATE usage_totals SET linked = 0, own = 0, kept = 0, digests = 0, manifests = 0, tags = 0, " +
        "counted_to = CASE repository WHEN 0 THEN '' END",
    );
  }

  countAll(limit: number): void {
    for (let step = 0; step < 10_000 && this.isCounting(); step += 1)
      this.record({ kind: "count", limit });
    expect(this.isCounting()).toBe(false);
  }

  isCounting(): boolean {
    const texts = [
      "SELECT 1 FROM usage_totals WHERE counted_to IS NOT '~'",
      "SELECT 1 FROM usage_scopes WHERE looked_to IS NOT NULL",
      "SELECT 1 FROM usage_members WHERE counted_to <> '~'",
      "SELECT 1 FROM usage_dropped",
    ];
    return texts.some((text) => this.database.query(text).get() !== null);
  }

  kept(): unknown {
    const totals = this.database
      .query(
        "SELECT repository, linked, own, kept, digests, manifests, tags FROM usage_totals WHERE repository >= 0 ORDER BY repository",
      )
      .all();
    const scopes = this.database
      .query<{ scope: string; own: number }, []>(
        "SELECT scope, linked, own, manifests, tags, repositories FROM usage_scopes WHERE key <> '' ORDER BY id",
      )
      .all();
    return { totals, scopes };
  }

  /** The same from the rows alone. */
  counted(): unknown {
    type Row = { repository: number; digest: string; size: number };
    const rows = this.database
      .query<Row, []>(
        "SELECT repository, digest, size FROM blobs UNION SELECT repository, digest, size FROM manifests",
      )
      .all();
    const held = this.database
      .query<Row, []>(
        "SELECT repository, digest, size FROM held_blobs UNION SELECT repository, digest, size FROM held_manifests",
      )
      .all();
    const all = this.database
      .query<{ id: number; name: string }, []>("SELECT id, name FROM repositories ORDER BY id")
      .all();
    const count = (table: string, ids: readonly number[]): number =>
      this.database
        .query<{ n: number }, []>(
          `SELECT count(*) AS n FROM ${table} WHERE repository IN (${ids.join(",")})`,
        )
        .get()!.n;
    const linkedIn = (ids: ReadonlySet<number>, among = rows): Map<string, number> =>
      new Map(among.filter((row) => ids.has(row.repository)).map((row) => [row.digest, row.size]));
    const sum = (digests: ReadonlyMap<string, number>): number =>
      [...digests.values()].reduce((total, size) => total + size, 0);
    const ownIn = (ids: ReadonlySet<number>): number => {
      const outside = new Set(
        rows.filter((row) => !ids.has(row.repository)).map((row) => row.digest),
      );
      return sum(new Map([...linkedIn(ids)].filter(([each]) => !outside.has(each))));
    };
    const everything = new Set(all.map(({ id }) => id));
    const totals = [
      {
        repository: 0,
        linked: sum(linkedIn(everything)),
        own: 0,
        kept: sum(linkedIn(everything, [...held, ...rows])),
        digests: linkedIn(everything).size,
        manifests: 0,
        tags: 0,
      },
      ...all.map(({ id }) => ({
        repository: id,
        linked: sum(linkedIn(new Set([id]))),
        own: ownIn(new Set([id])),
        kept: 0,
        digests: linkedIn(new Set([id])).size,
        manifests: count("manifests", [id]),
        tags: count("tags", [id]),
      })),
    ];
    const scopes = this.database
      .query<{ scope: string; counts_own: number }, []>(
        "SELECT scope, counts_own FROM usage_scopes WHERE key <> '' ORDER BY id",
      )
      .all()
      .map(({ scope, counts_own }) => {
        const ids = all
          .filter(({ name }) => scopeTest(JSON.parse(scope))(name))
          .map(({ id }) => id);
        return {
          scope,
          linked: sum(linkedIn(new Set(ids))),
          own: counts_own === 1 ? ownIn(new Set(ids)) : 0,
          manifests: count("manifests", ids),
          tags: count("tags", ids),
          repositories: ids.filter((id) => count("manifests", [id]) > 0).length,
        };
      });
    return { totals, scopes };
  }
}

const at = fc.constantFrom(...repositories);
const name = fc.constantFrom(...names);
const hold = fc.constantFrom(undefined, { why: "deleted" as const }, { why: "collected" as const });
const tag = fc.constantFrom("v1", "v2", "v3");
const references = fc.uniqueArray(fc.constantFrom(...names), { maxLength: 3 });

const changes: fc.Arbitrary<PlacedChange | UsageChange | { kind: "forget" }> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(name, at).map(([one, where]) => change.link(one, where)) },
  {
    weight: 3,
    arbitrary: fc.tuple(name, at, hold).map(([one, where, how]) => change.unlink(one, where, how)),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(name, at, references).map(([one, where, named]) =>
      change.put(
        manifest(one, {
          references: named.map((each) => ({ digest: digest(each), target: "blob" })),
        }),
        where,
      ),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(name, at, hold).map(([one, where, how]) => change.remove(one, where, how)),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(tag, name, at).map(([one, to, where]) => change.tag(one, to, where)),
  },
  { weight: 2, arbitrary: fc.tuple(tag, at).map(([one, where]) => change.untag(one, where)) },
  { weight: 3, arbitrary: fc.tuple(name, at).map(([one, where]) => change.restore(one, where)) },
  {
    weight: 2,
    arbitrary: fc.tuple(name, at).map(([one, where]) => change.releaseHeld(one, where)),
  },
  { weight: 1, arbitrary: fc.tuple(name, at).map(([one, where]) => change.purge(one, where)) },
  {
    weight: 3,
    arbitrary: fc.integer({ min: 1, max: 4 }).map((limit) => ({ kind: "count" as const, limit })),
  },
  {
    weight: 1,
    arbitrary: fc.subarray(quotas).map((some) => ({ kind: "set-quotas" as const, quotas: some })),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 0, max: 3 }).map((id) => ({ kind: "begin-recount" as const, id })),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "forget" as const }) },
);

const ofUsage: ReadonlySet<string> = new Set(["count", "set-quotas", "begin-recount"]);

describe("totals are what a count of the rows gives", () => {
  test(
    "after any changes, whatever was counted when they happened",
    () =>
      holds(
        "totals",
        fc.property(
          fc.array(changes, { maxLength: 120 }),
          fc.integer({ min: 1, max: 5 }),
          (list, limit) => {
            const store = new Counted();
            store.record({ kind: "set-quotas", quotas });
            for (const each of list) {
              if (each.kind === "forget") store.forget();
              else if (ofUsage.has(each.kind)) store.record(each as UsageChange);
              else store.did(each as PlacedChange);
            }
            store.countAll(limit);
            expect(store.kept()).toEqual(store.counted());
            for (let id = 0; id <= repositories.length; id += 1)
              store.record({ kind: "end-recount", id });
            expect(store.kept()).toEqual(store.counted());
            store.database.close();
          },
        ),
        150,
      ),
    240_000,
  );

  test("a wrong total is found by a recount, and mended", () => {
    const store = new Counted();
    for (const one of names) store.did(change.link(one, "team/app"));
    store.did(change.put("m", "team/app"));
    const right = store.counted();
    store.database.run(
      "UPDATE usage_totals SET linked = linked + 7, own = 0, tags = 3 WHERE repository = 1",
    );
    store.record({ kind: "begin-recount", id: 1 });
    store.did(change.link("while it counts", "team/app"));
    store.did(change.unlink("while it counts", "team/app"));
    store.countAll(2);
    store.record({ kind: "end-recount", id: 1 });
    expect(store.kept()).toEqual(right);
  });
});

test("triggers of an older version are replaced, and count nothing any more", () => {
  const store = new Counted();
  const all = store.database
    .query<{ type: string; name: string }, []>(
      "SELECT type, name FROM sqlite_schema WHERE name LIKE 'usage_%' AND type IN ('trigger', 'view')",
    )
    .all();
  for (const { type, name } of all) {
    if (type === "view") store.database.run(`DROP VIEW IF EXISTS ${name}`);
    else store.database.run(`DROP TRIGGER IF EXISTS ${name}`);
  }
  for (const name of ["usage_blobs_in", "usage_blobs_shared_in", "usage_blobs_scopes_in"])
    store.database.run(
      `CREATE TRIGGER ${name} AFTER INSERT ON blobs BEGIN UPDATE usage_totals SET own = own + 1000; END`,
    );
  const smaller = migrations.find(({ summary }) => summary.startsWith("totals cost a push less"));
  store.database.run(`PRAGMA user_version = ${(smaller?.version ?? 0) - 1}`);
  migrate(store.database, stores);
  store.did(change.link("one", "team/app"));
  store.did(change.put("m", "team/web"));
  store.did(change.link("one", "team/web"));
  expect(store.kept()).toEqual(store.counted());
  store.database.close();
});
