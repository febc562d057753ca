// Rows go from SQLite to lines, to SQLite and to PostgreSQL and back, and are the same everywhere; what is committed
// afterwards goes on from them.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import {
  change,
  commitOf,
  digest,
  manifest,
  otherRepository,
  repository,
} from "../../../test/contracts/metadata_facts.ts";
import { summaryOf } from "../../../test/contracts/metadata_summaries.ts";
import { noBytes } from "../../../test/contracts/no_bytes.ts";
import { memoryDirectory } from "../../../test/memory_directory.ts";
import { requirePostgres, startPostgres, type Postgres } from "../../../test/postgres.ts";
import { manualClock } from "../../lib/clock.ts";
import { comparisons } from "../comparisons.ts";
import type { Metadata } from "../metadata.ts";
import { objects } from "../objects.ts";
import { migratePostgres } from "../postgres/migrate_postgres.ts";
import { PostgresConnections } from "../postgres/postgres_connections.ts";
import { PostgresMetadata } from "../postgres/postgres_metadata.ts";
import { PostgresRows } from "../postgres/postgres_rows.ts";
import { PostgresWriter } from "../postgres/postgres_writer.ts";
import { recordCommit } from "../records.ts";
import { sharedSecret } from "../secrets.ts";
import { storesOf } from "../sql/record_tables.ts";
import { tablesWithLayouts } from "../sqlite/own_tables.ts";
import { SqliteMetadata } from "../sqlite/sqlite_metadata.ts";
import { SqliteRows } from "../sqlite/sqlite_rows.ts";
import { SqliteWriter } from "../sqlite/sqlite_writer.ts";
import { summaries } from "../summaries.ts";
import { copyRows, sumRows } from "./copy_rows.ts";
import { linesOf, readRowLines } from "./row_lines.ts";
import { groupOf, tablesOfGroups, type RowGroup, type RowStore } from "./row_store.ts";

const clock = manualClock(Date.UTC(2026, 0, 1));

interface Opened extends AsyncDisposable {
  readonly metadata: Metadata;
  readonly rows: RowStore;
}

async function openSqlite(): Promise<Opened> {
  const directory = await memoryDirectory("zot-rows");
  const path = join(directory.path, "metadata.db");
  const writer = new SqliteWriter({ path, durable: false, clock, bytes: noBytes });
  const metadata = new SqliteMetadata(path, writer);
  const rows = new SqliteRows(path, { readonly: false });
  return {
    metadata,
    rows,
    [Symbol.asyncDispose]: async () => {
      await rows.close();
      await metadata.close();
      await writer.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function openPostgres(server: Postgres): Promise<Opened> {
  const place = await server.place();
  const connections = new PostgresConnections(place);
  const stores = storesOf(tablesWithLayouts);
  await migratePostgres(connections, stores);
  const writer = new PostgresWriter({ connections, stores, bytes: noBytes, durable: false, clock });
  const rows = new PostgresRows(new PostgresConnections(place));
  return {
    metadata: new PostgresMetadata(connections, writer, stores),
    rows,
    [Symbol.asyncDispose]: async () => {
      await rows.close();
      await writer.close();
      await connections.close();
    },
  };
}

const groups: readonly RowGroup[] = ["facts"];
const emptied: readonly RowGroup[] = ["derived"];

/** Something in most tables, among it bytes, nulls, and numbers that were given out and are gone. */
async function fill({ metadata }: Opened): Promise<void> {
  const commit = (...changes: Parameters<typeof commitOf>[0]) => metadata.commit(commitOf(changes));
  await commit(change.link("layer"), change.put(manifest("a", { subject: digest("s") })));
  await commit(change.tag("v1", "a"), change.put("b"), change.tag("v1", "b"));
  await commit(change.link("layer", otherRepository), change.put("c", otherRepository));
  const hold = { since: clock.now(), why: "deleted", by: null } as const;
  await commit(change.remove("c", otherRepository, hold), change.pin("b", clock.now() + 5));
  await sharedSecret(metadata, "a secret 'of' \"ours\" ✓");
  const listing = new Uint8Array([0, 1, 255]);
  await metadata.commit(
    recordCommit(comparisons, { kind: "keep-listing", digest: digest("layer"), listing }),
  );
  const layers = [{ digest: digest("layer"), sizeBytes: 5 }];
  await metadata.commit(
    recordCommit(
      summaries,
      { kind: "summarise", repository, summary: summaryOf("b", { layers }) },
      { kind: "set-images", repository, tags: ["v1"] },
    ),
  );
  await metadata.commit(
    recordCommit(objects, { kind: "set", value: "registry", text: "of this bucket" }),
  );
}

/** All rows of these groups, by table. */
function contents({ rows }: Opened, of: readonly RowGroup[] = groups): Promise<object> {
  return rows.snapshot(async (snapshot) => {
    const found: Record<string, unknown[]> = {};
    for (const table of tablesOfGroups(snapshot.shape, of)) {
      const order = table.columns.map(({ name }) => name).toSorted();
      const places = order.map((name) => table.columns.findIndex((each) => each.name === name));
      const all: unknown[] = [];
      for await (const page of snapshot.rows(table)) {
        all.push(...page.map((row) => places.map((place) => plain(row[place]))));
      }
      found[table.name] = all;
    }
    return found;
  });
}

const problemOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "none",
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );

const plain = (value: unknown): unknown => (value instanceof Uint8Array ? [...value] : value);

function copy(from: Opened, to: Opened) {
  return from.rows.snapshot((snapshot) => copyRows(snapshot, to.rows, { groups, emptied }));
}

async function linesIn({ rows }: Opened): Promise<string[]> {
  return rows.snapshot(async (snapshot) => {
    const lines: string[] = [];
    for await (const some of linesOf(snapshot, groups)) lines.push(...some);
    return lines;
  });
}

async function* each(lines: readonly string[]): AsyncIterable<string> {
  yield* lines;
}

async function readLines(lines: readonly string[], to: Opened): Promise<void> {
  const snapshot = await readRowLines(each(lines));
  // The end is looked at before anything is kept.
  await to.rows.replace([...groups, ...emptied], async (replacement) => {
    for (const table of snapshot.shape.tables) {
      for await (const rows of snapshot.rows(table)) await replacement.write(table, rows);
    }
    await snapshot.finish();
    await replacement.reserve(snapshot.numbers);
  });
}

/** What a registry does next is the same after its rows were moved. */
async function goOn({ metadata }: Opened): Promise<object> {
  await metadata.commit(commitOf([change.put("later"), change.tag("v2", "later")]));
  const feed = await metadata.feed(0, 100);
  return { feed, tags: await metadata.tags(repository, { after: null, limit: 10 }) };
}

test("every table of a store belongs to a group", async () => {
  await using store = await openSqlite();
  const byGroup = await store.rows.snapshot(async ({ shape }) =>
    Map.groupBy(shape.tables, ({ name }) => groupOf(name)),
  );
  const names = (group: RowGroup): string[] => (byGroup.get(group) ?? []).map(({ name }) => name);
  expect(names("own")).toEqual(["leases", "moves", "record_stores"]);
  expect(names("bytes")).toEqual([
    "objects_inline",
    "objects_keys",
    "objects_names",
    "objects_values",
    "uploads",
    "uploads_parts",
  ]);
  // Whoever adds a table says here whether it goes with the registry.
  expect(names("facts").join(" ")).toBe(
    "repositories api_keys blobs candidates collection_values damaged file_users followers forgotten_days " +
      "forgotten_places held_blobs held_manifests held_references held_totals history long_annotations " +
      "manifest_references manifests mirror_manifests mirror_origins mirror_tags pins retention_labels " +
      "retention_looks retention_pulls retention_values scrub_rounds scrub_values secrets summary_children " +
      "summary_counters summary_facets summary_images summary_layers summary_looks summary_manifests " +
      "summary_preferences summary_repositories tags usage_digests usage_dropped usage_members usage_scopes " +
      "usage_totals",
  );
});

test("SQLite to SQLite: rows are the same, and layouts are to be written", async () => {
  await using from = await openSqlite();
  await using to = await openSqlite();
  await fill(from);
  const before = await contents(from);
  const counts = await copy(from, to);
  expect(counts["tags"]?.rows).toBe(1);
  expect(await to.rows.snapshot((snapshot) => sumRows(snapshot, groups))).toEqual(counts);
  expect(await contents(to)).toEqual(before);
  expect(await contents(from)).toEqual(before);
  expect(await contents(to, ["bytes"])).toMatchObject({ objects_values: [] });
  expect(await contents(to, ["derived"])).toMatchObject({ comparisons_listings: [] });
  expect(await goOn(to)).toEqual(await goOn(from));
  expect(await contents(to)).toEqual(await contents(from));
});

test("what was there is replaced, and a copy that fails changes nothing", async () => {
  await using from = await openSqlite();
  await using to = await openSqlite();
  await fill(from);
  await to.metadata.commit(commitOf([change.put("old"), change.tag("old", "old")]));
  const before = await contents(to);
  const failed = to.rows.replace([...groups, ...emptied], () =>
    Promise.reject(new Error("the source went")),
  );
  expect(await problemOf(failed)).toBe("the source went");
  expect(await contents(to)).toEqual(before);
  await copy(from, to);
  expect(await contents(to)).toEqual(await contents(from));
});

test("a number that was given out is not given again, though its row is gone", async () => {
  await using from = await openSqlite();
  await using to = await openSqlite();
  await fill(from);
  const numbers = await from.rows.snapshot(async (snapshot) => snapshot.numbers);
  await to.rows.replace([...groups, ...emptied], (replacement) =>
    replacement.reserve({ ...numbers, history: 1_000 }),
  );
  await to.metadata.commit(commitOf([change.put("a"), change.tag("v1", "a")]));
  expect((await to.metadata.feed(0, 1))[0]).toMatchObject({ sequence: 1_001 });
});

describe("lines", () => {
  test("rows are the same after they were lines", async () => {
    await using from = await openSqlite();
    await using to = await openSqlite();
    await fill(from);
    await readLines(await linesIn(from), to);
    expect(await contents(to)).toEqual(await contents(from));
  });

  test("what was cut off, changed or written by another version is refused", async () => {
    await using from = await openSqlite();
    await using to = await openSqlite();
    await fill(from);
    const lines = await linesIn(from);
    const before = await contents(to);
    const tags = lines.indexOf('{"table":"tags"}');
    const broken: readonly (readonly [lines: string[], says: string])[] = [
      [[], "rows: expected more after line 0"],
      [["{}"], 'rows: expected {"zot":"rows"} in the first line'],
      [['{"zot":"rows","version":7}'], "rows: expected version 1 of these lines, found 7"],
      [lines.slice(0, -1), `rows: expected more after line ${lines.length - 1}`],
      [lines.toSpliced(tags + 1, 1), "rows: expected 1 rows of tags, found 0"],
      [lines.with(tags + 1, "[1]"), "rows: expected a row of tags in line"],
      [lines.with(tags + 1, "[1"), "rows: expected JSON in line"],
      [lines.with(tags, '{"table":"pins"}'), "rows: expected the table tags in line"],
    ];
    for (const [given, says] of broken) {
      expect(await problemOf(readLines(given, to))).toStartWith(says);
    }
    expect(await contents(to)).toEqual(before);
  });
});

describe.skipIf(!requirePostgres())("PostgreSQL", () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("SQLite to PostgreSQL and back: rows are the same, and both go on in the same way", async () => {
    await using from = await openSqlite();
    await using middle = await openPostgres(server);
    await using to = await openSqlite();
    await fill(from);
    const sums = await copy(from, middle);
    expect(await contents(middle)).toEqual(await contents(from));
    expect(await middle.rows.snapshot((snapshot) => sumRows(snapshot, groups))).toEqual(sums);
    await copy(middle, to);
    expect(await contents(to)).toEqual(await contents(from));
    const next = await goOn(from);
    expect(await goOn(middle)).toEqual(next);
    expect(await goOn(to)).toEqual(next);
    expect(await contents(middle)).toEqual(await contents(from));
  });

  test("a copy that fails changes nothing", async () => {
    await using from = await openSqlite();
    await using to = await openPostgres(server);
    await fill(from);
    await copy(from, to);
    const before = await contents(to);
    const failed = to.rows.replace([...groups, ...emptied], () =>
      Promise.reject(new Error("the source went")),
    );
    expect(await problemOf(failed)).toBe("the source went");
    expect(await contents(to)).toEqual(before);
    expect(await goOn(to)).toEqual(await goOn(from));
  });
});
