// Statements that are joined do what they do one by one: a script of commits, run at once and one after the other, leaves
// the same rows; and statements are far fewer than commits have.

import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  change,
  digest,
  manifest,
  type PlacedChange,
} from "../../../test/contracts/metadata_facts.ts";
import { requirePostgres, startPostgres, type Postgres } from "../../../test/postgres.ts";
import { memoryDirectory } from "../../../test/memory_directory.ts";
import { usage, type Quota } from "../usage.ts";
import { manualClock } from "../../lib/clock.ts";
import type { AnyCommit, Change, Commit } from "../metadata.ts";
import { inlinePrefix, objects, type ObjectChange } from "../objects.ts";
import { recordCommit } from "../records.ts";
import { objectsUnderLock } from "../sql/objects_under_lock.ts";
import { storesOf } from "../sql/record_tables.ts";
import type { Answer } from "../sql/statements.ts";
import { ownTables } from "../sqlite/own_tables.ts";
import { SqliteWriter } from "../sqlite/sqlite_writer.ts";
import { joinedText } from "./join_text.ts";
import { JoinedStatements, JoinedTexts } from "./joined_statements.ts";
import { migratePostgres } from "./migrate_postgres.ts";
import { PostgresConnections, type PostgresStatement } from "./postgres_connections.ts";
import { PostgresWriter } from "./postgres_writer.ts";

const stores = storesOf(ownTables);
const repositories = ["a", "b", "c", "team/d", "team/e"];
/** Few, so that repositories share them, and blobs are manifests as well. */
const names = ["1", "2", "3", "4", "5", "6"];

function chances(seed: number): (below: number) => number {
  let state = seed * 2_654_435_761 + 1;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Commits of which none depends on how others of its moment are ordered. */
function script(seed: number, count: number): Commit[] {
  const below = chances(seed);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  return Array.from({ length: count }, (_none, place): Commit => {
    const [repository, name, tag] = [pick(repositories), pick(names), pick(["v1", "v2", "v3"])];
    const pushed = manifest(name, {
      sizeBytes: 1,
      subject: below(4) === 0 ? digest(pick(names)) : null,
      annotations: below(4) === 0 ? JSON.stringify({ long: "x".repeat(below(2) * 5_000) }) : null,
      references: [pick(names), pick(names)].map((each) => ({
        digest: digest(each),
        target: "blob" as const,
      })),
    });
    const hold = below(2) === 0 ? ({ why: "deleted" } as const) : undefined;
    const changes: readonly (readonly PlacedChange[])[] = [
      [change.link(name)],
      [change.link(name)],
      [change.put(pushed), change.tag(tag, name)],
      [change.put(pushed), change.tag(tag, name), change.tag("latest", name)],
      [change.put(pushed)],
      [change.untag(tag)],
      [change.remove(name, repository, hold)],
      [change.unlink(name, repository, hold)],
      [change.restore(name)],
      [change.releaseHeld(name)],
      [change.release(name)],
      [change.sweep(name)],
      [change.pin(name, 5)],
    ];
    const to = { repository, name: digest(name) };
    const naming: readonly (readonly ObjectChange[])[] = [
      [],
      [{ kind: "name", key: `objects/${place}`, sizeBytes: below(9), to }],
      [{ kind: "keep", key: `${inlinePrefix}${place}`, base64: `${place}000`, store: "", to }],
    ];
    const records = pick(naming);
    return {
      repository,
      preconditions: below(5) === 0 ? [{ kind: "blob-linked", digest: digest(name) }] : [],
      changes: pick(changes).map(({ repository: _at, ...each }) => each as Change),
      by: below(2) === 0 ? "alice" : null,
      records: records.length === 0 ? [] : [recordCommit(objects, ...records)],
    };
  });
}

const dumped = [
  "blobs",
  "manifests",
  "manifest_references",
  "tags",
  "orphans",
  "candidates",
  "held_manifests",
  "held_blobs",
  "held_references",
  "held_totals",
  "pins",
  "usage_scopes",
  "usage_members",
  "usage_digests",
  "objects_keys",
  "objects_names",
  "objects_inline",
] as const;

/** What SQLite counts for the same commits. */
async function countedBySqlite(
  commits: readonly AnyCommit[],
): Promise<Record<string, readonly object[]>> {
  await using directory = await memoryDirectory("zot-totals");
  const path = `${directory.path}/metadata.db`;
  const options = { path, durable: false, clock: manualClock(1_000), bytes: objectsUnderLock };
  const writer = new SqliteWriter({ ...options, records: ownTables });
  for (const repository of repositories) {
    const changes = [{ kind: "create-repository" } as const];
    await writer.commit({ repository, preconditions: [], changes, by: null });
  }
  for (const each of commits) await writer.commit(each);
  await writer.close();
  using database = new Database(path, { readonly: true, strict: true });
  return Object.fromEntries(counted.map((text) => [text, database.query<object, []>(text).all()]));
}

const counted = [
  "SELECT * FROM usage_totals ORDER BY repository",
  "SELECT linked, own, manifests, tags, repositories FROM usage_scopes ORDER BY id",
  "SELECT * FROM usage_members ORDER BY repository, scope",
  "SELECT * FROM usage_digests ORDER BY scope, digest",
] as const;

/** Two quotas that refuse nothing, and totals that are counted anew, beside all others. */
const limits = { bytes: 1_000_000, tags: null, manifests: 1_000, repositories: null };
const quota = (prefix: string, count: Quota["count"]): Quota => {
  return { name: prefix, scope: { prefix }, limits, count, warnAt: 0.9, isMaxRepos: false };
};
const beside: readonly AnyCommit[] = [
  { kind: "set-quotas", quotas: [quota("team/", "own"), quota("a", "linked")] } as const,
  { kind: "begin-recount", id: 0 } as const,
  { kind: "begin-recount", id: 1 } as const,
  // A piece of the work each.
  ...Array.from({ length: 12 }, () => ({ kind: "count", limit: 1_000 }) as const),
].map((each) => recordCommit(usage, each));

describe.skipIf(!requirePostgres())("statements that are joined", () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  async function opened() {
    const connections = new PostgresConnections(await server.place());
    await migratePostgres(connections, stores);
    const batches: number[] = [];
    const clock = manualClock(1_000);
    const bytes = objectsUnderLock;
    const onBatch = (commits: number): void => void batches.push(commits);
    const writer = new PostgresWriter({
      connections,
      stores,
      bytes,
      durable: false,
      clock,
      onBatch,
    });
    const own = (text: string) => connections.ask({ text, values: [], isOwn: true });
    // In one order, so that repositories have the same numbers.
    for (const repository of repositories) {
      const changes = [{ kind: "create-repository" } as const];
      await writer.commit({ repository, preconditions: [], changes, by: null });
    }
    batches.length = 0;
    return {
      batches,
      writer,
      connections,
      counted: async () => {
        const found: Record<string, readonly object[]> = {};
        for (const text of counted) found[text] = (await own(text)).rows;
        return found;
      },
      /** All rows, but for numbers that tell the order between repositories. */
      rows: async () => {
        const found: Record<string, string[]> = {};
        for (const table of dumped) {
          const { rows } = await own(`SELECT * FROM ${table}`);
          found[table] = rows
            .map(({ annotations: _long, ...row }) => JSON.stringify(row))
            .toSorted();
        }
        const { rows: totals } = await own("SELECT * FROM usage_totals ORDER BY repository");
        const { rows: history } = await own(
          "SELECT repository, tag, digest, previous, at, by, generation, media_type, previous_at, moment " +
            "FROM history ORDER BY repository, sequence",
        );
        const { rows: generations } = await own(
          "SELECT name, generation, changed_at FROM repositories ORDER BY id",
        );
        const { rows: long } = await own(
          "SELECT repository, manifest, text FROM long_annotations ORDER BY repository, manifest",
        );
        return { ...found, totals, history, generations, long };
      },
      [Symbol.asyncDispose]: async () => {
        await writer.close();
        await connections.close();
      },
    };
  }

  for (const seed of [1, 2]) {
    test(`leave the rows that they leave one by one (${seed})`, async () => {
      await using together = await opened();
      await using apart = await opened();
      const commits = script(seed, 200);
      const reserving: AnyCommit = recordCommit(objects, {
        kind: "reserve",
        keys: commits.map((_none, place) => `objects/${place}`),
        store: "",
      });
      for (const { writer } of [together, apart]) await writer.commit(reserving);
      const outcomes = await Promise.all(commits.map((each) => together.writer.commit(each)));
      const expected = [];
      for (const each of commits) expected.push(await apart.writer.commit(each));
      expect(Math.max(...together.batches)).toBeGreaterThan(30);
      // None of them failed, and was done again by itself.
      expect(together.batches.length).toBeLessThan(20);
      expect(outcomes).toEqual(expected);
      const rows = await together.rows();
      expect(rows).toEqual(await apart.rows());
      // Totals are kept by other triggers there, for each row.
      expect(await together.counted()).toEqual(await countedBySqlite([reserving, ...commits]));
    }, 120_000);
  }

  test("are counted for quotas, and for totals that are counted anew", async () => {
    await using store = await opened();
    const commits = script(9, 120);
    for (const each of beside) await store.writer.commit(each);
    await Promise.all(commits.map((each) => store.writer.commit(each)));
    const found = await store.counted();
    expect(found).toEqual(await countedBySqlite([...beside, ...commits]));
    expect(found[counted[3]]?.length).toBeGreaterThan(3);
  }, 120_000);

  test("are far fewer than those of their commits", async () => {
    await using store = await opened();
    const { connections } = store;
    let asked = 0;
    const hold = connections.hold.bind(connections);
    connections.hold = (work) =>
      hold((ask) =>
        work((statement) => {
          asked += 1;
          return ask(statement);
        }),
      );
    const push = (repository: string): Commit => ({
      repository,
      preconditions: [],
      changes: [
        { kind: "link-blob", digest: digest(`blob of ${repository}`), sizeBytes: 1 },
        { kind: "put-manifest", manifest: manifest(`manifest of ${repository}`) },
        { kind: "set-tag", tag: "v1", digest: digest(`manifest of ${repository}`) },
      ],
      by: null,
    });
    await store.writer.commit(push("a"));
    const alone = asked;
    asked = 0;
    await Promise.all(
      ["a", "b", "c", "team/d", "team/e"].map((each) => store.writer.commit(push(each))),
    );
    expect(store.batches.at(-1)).toBe(5);
    expect(asked).toBeLessThan(alone * 2);
  });

  test("say of each how many rows it changed, of those that do the same however often they are said as well", async () => {
    await using store = await opened();
    const texts = {
      put: "INSERT INTO orphans (repository, digest, since, generation) VALUES (?, ?, 1, 1) ON CONFLICT DO NOTHING",
      erase: "DELETE FROM orphans WHERE repository = ? AND digest = ?",
      pin: "UPDATE pins SET until = 2 WHERE repository = ? AND digest = ?",
    };
    const changed = await store.connections.hold(async (ask) => {
      await ask({ text: "BEGIN", values: [] });
      const run = async (text: string, sets: readonly (readonly [number, string])[]) => {
        const statements = new JoinedStatements(ask, new JoinedTexts());
        const lines = sets.map((values) => ({ values, line: statements.open() }));
        const asked = lines.map(async ({ values, line }) => {
          const { changes } = await line.ask({ text, values: [...values] });
          line.end();
          return changes;
        });
        const changes = await Promise.all(asked);
        await statements.settle();
        return changes;
      };
      const all = [1, 2, 3].map((id) => [id, digest(`of ${id}`)] as const);
      const found = [
        await run(texts.put, all.slice(1)),
        await run(texts.put, all),
        await run(texts.erase, [...all.slice(0, 2), [3, digest("other")]]),
        await run(texts.pin, all),
      ];
      await ask({ text: "COMMIT", values: [] });
      return found;
    });
    expect(changed).toEqual([
      [1, 1],
      [1, 0, 0],
      [1, 1, 0],
      [0, 0, 0],
    ]);
  });

  test("of one that fails: all are told, and the first reason is kept", async () => {
    await using store = await opened();
    const reasons: string[] = [];
    const failing = store.connections.hold(async (ask) => {
      await ask({ text: "BEGIN", values: [] });
      const statements = new JoinedStatements(ask, new JoinedTexts());
      const lines = [1, 2].map(() => statements.open());
      const asked = lines.map((line, at) =>
        line
          .ask({ text: "SELECT 1 / (?1 - 1) FROM repositories WHERE id = ?2", values: [at + 1, 1] })
          .catch((cause: unknown) => reasons.push(String(cause)))
          .finally(() => line.end()),
      );
      await Promise.all(asked);
      await statements.settle();
    });
    expect(await failing.catch(String)).toContain("division by zero");
    expect(reasons).toHaveLength(2);
  });
});

describe("what is joined", () => {
  const asks: PostgresStatement[] = [];
  const answer: Answer = { rows: [], changes: 0 };
  const ask = async (statement: PostgresStatement): Promise<Answer> => {
    asks.push(statement);
    return answer;
  };

  async function sent(lines: readonly (readonly (readonly [string, ...(string | number)[]])[])[]) {
    asks.length = 0;
    const statements = new JoinedStatements(ask, new JoinedTexts());
    const opened = lines.map((told) => ({ told, line: statements.open() }));
    for (const { told, line } of opened) {
      for (const [text, ...values] of told) void line.tell({ text, values });
      line.end();
    }
    await statements.settle();
    return asks.map(({ values }) => values);
  }

  const link = "INSERT INTO blobs (repository, digest) VALUES (?, ?) ON CONFLICT DO NOTHING";
  const one = `sha256:${"1".repeat(64)}`;
  const two = `sha256:${"2".repeat(64)}`;

  test("rows of one digest, or of one repository, are written one after the other", async () => {
    expect(await sent([[[link, 1, one]], [[link, 2, two]]])).toEqual([
      ["{1,2}", `{"${one}","${two}"}`],
    ]);
    expect(await sent([[[link, 1, one]], [[link, 2, one]]])).toEqual([
      [1, one],
      [2, one],
    ]);
    expect(await sent([[[link, 1, one]], [[link, 1, two]]])).toEqual([
      [1, one],
      [1, two],
    ]);
  });

  test("those that do the same however often they are said are joined within a line", async () => {
    const erase = "DELETE FROM orphans WHERE repository = ? AND digest = ?";
    expect(
      await sent([
        [
          [erase, 1, one],
          [erase, 1, two],
        ],
        [[erase, 2, one]],
      ]),
    ).toEqual([["{1,1,2}", `{"${one}","${two}","${one}"}`]]);
  });

  test("each line keeps its order", async () => {
    const erase = "DELETE FROM orphans WHERE repository = ? AND digest = ?";
    const told = await sent([
      [
        [link, 1, one],
        [erase, 1, one],
      ],
      [
        [erase, 2, two],
        [link, 2, two],
      ],
    ]);
    expect(told).toHaveLength(3);
  });

  test("text comes as it was, whatever stands in it", async () => {
    const text = String.raw`a "quoted" \ back, {comma} NULL`;
    const put = "INSERT INTO objects_values (key, text) VALUES (?, ?) ON CONFLICT DO NOTHING";
    expect(await sent([[[put, "k", text]], [[put, "l", ""]]])).toEqual([
      [`{"k","l"}`, String.raw`{"a \"quoted\" \\ back, {comma} NULL",""}`],
    ]);
  });

  for (const text of [
    "UPDATE repositories SET generation = generation + 1",
    "UPDATE usage_scopes SET own = own + ?1 WHERE place = ?2",
    "DELETE FROM tags WHERE repository = ?1 RETURNING name",
    "DELETE FROM tags WHERE repository = ?1 OR name = ?2",
    "INSERT INTO tags (repository, name) VALUES (?1, ?2), (?3, ?4)",
    "INSERT INTO tags (repository, name) SELECT ?1, name FROM tags LIMIT ?2",
    "INSERT INTO x (repository) VALUES (?1) ON CONFLICT (repository) DO UPDATE SET n = ?2",
    "SAVEPOINT quotas",
    "SELECT items FROM held_totals",
  ]) {
    test(`is not this: ${text}`, () => expect(joinedText(text)).toBeNull());
  }
});
