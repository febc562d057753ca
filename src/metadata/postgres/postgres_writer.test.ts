// Commits to PostgreSQL when the answer is lost, the server ends, and others write at the same time.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { change, manifest, type PlacedChange } from "../../../test/contracts/metadata_facts.ts";
import { noBytes } from "../../../test/contracts/no_bytes.ts";
import { CuttingProxy } from "../../../test/cutting_proxy.ts";
import { requirePostgres, startPostgres, type Postgres } from "../../../test/postgres.ts";
import { eventually } from "../../../test/processes.ts";
import { reasonOf } from "../../../test/reason_of.ts";
import { MetadataUnavailable, type Commit } from "../metadata.ts";
import { ownTables } from "../sqlite/own_tables.ts";
import type { RecordChange } from "../records.ts";
import { storesOf, type RecordTables } from "../sql/record_tables.ts";
import { get, tell } from "../sql/statements.ts";
import { migratePostgres } from "./migrate_postgres.ts";
import { PostgresConnections, type PostgresOptions } from "./postgres_connections.ts";
import { PostgresMetadata } from "./postgres_metadata.ts";
import { PostgresWriter } from "./postgres_writer.ts";

const ownStores = storesOf(ownTables);
const repository = "library/app";
const own = (text: string) => ({ text, values: [], isOwn: true as const });

class Opened implements AsyncDisposable {
  readonly connections: PostgresConnections;
  readonly writer: PostgresWriter;
  readonly metadata: PostgresMetadata;

  constructor(options: PostgresOptions, stores = ownStores) {
    this.connections = new PostgresConnections(options);
    const { connections } = this;
    this.writer = new PostgresWriter({ connections, stores, bytes: noBytes, durable: true });
    this.metadata = new PostgresMetadata(this.connections, this.writer, stores);
  }

  migrate(): Promise<void> {
    return migratePostgres(this.connections, ownStores);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.writer.close();
    await this.connections.close();
  }
}

function commit(changes: readonly PlacedChange[], more: Partial<Commit> = {}): Commit {
  const given = changes.map(({ repository: _at, ...each }) => each);
  return { repository, preconditions: [], changes: given, by: null, ...more };
}

const push = (tag: string): Commit =>
  commit([change.put(manifest(tag)), change.tag(tag, tag)], { repository });

describe.skipIf(!requirePostgres())("commits to PostgreSQL", () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ synchronous_commit: "on" });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  /** A store that is reached through a proxy, and the same without one. */
  async function throughProxy() {
    const place = await server.place();
    const direct = new Opened(place);
    await direct.migrate();
    const proxy = await CuttingProxy.start(server.port);
    const url = `postgres://zot@127.0.0.1:${proxy.port}/postgres`;
    const opened = new Opened({ url, schema: place.schema });
    return {
      direct,
      opened,
      proxy,
      [Symbol.asyncDispose]: async () => {
        await opened[Symbol.asyncDispose]();
        await direct[Symbol.asyncDispose]();
        await proxy[Symbol.asyncDispose]();
      },
    };
  }

  for (const when of ["before it arrives", "after it was obeyed"] as const) {
    test(`a COMMIT whose connection is cut ${when} has one effect`, async () => {
      await using tested = await throughProxy();
      const { direct, opened, proxy } = tested;
      expect(await opened.metadata.commit(push("v1"))).toEqual({ committed: true });
      proxy.cutAtNext("COMMIT", when);
      expect(await opened.metadata.commit(push("v2"))).toEqual({ committed: true });
      expect(proxy.cuts).toBe(1);
      const history = await direct.metadata.history(repository, null, 10);
      expect(history.map(({ tag }) => tag)).toEqual(["v2", "v1"]);
      const { rows } = await direct.connections.ask(own("SELECT count(*) AS n FROM commits"));
      expect(rows).toEqual([{ n: 2 }]);
    });
  }

  test("what is refused is told so, though its answer was lost", async () => {
    await using tested = await throughProxy();
    const { opened, proxy } = tested;
    await opened.metadata.commit(push("v1"));
    proxy.cutAtNext("COMMIT", "after it was obeyed");
    const refused = commit([change.tag("v3", "v1")], {
      preconditions: [{ kind: "tag-exists", tag: "v2" }],
    });
    expect(await opened.metadata.commit(refused)).toMatchObject({ committed: false });
    expect(proxy.cuts).toBe(1);
  });

  test("of tags that several writers make on the condition that they are new, each is made once", async () => {
    const place = await server.place();
    await using first = new Opened(place);
    await first.migrate();
    await using second = new Opened(place);
    await using third = new Opened(place);
    const make = (opened: Opened, tag: string, by: string) =>
      opened.metadata.commit(
        commit([change.put(manifest(by)), change.tag(tag, by)], {
          preconditions: [{ kind: "tag-is", tag, digests: [null] }],
        }),
      );
    const tags = Array.from({ length: 40 }, (_, at) => `v${at}`);
    const outcomes = await Promise.all(
      tags.flatMap((tag) =>
        [first, second, third].map(async (each, at) => (await make(each, tag, `m${at}`)).committed),
      ),
    );
    expect(outcomes.filter((each) => each)).toHaveLength(tags.length);
    const feed = await second.metadata.feed(0, 1_000);
    const moved = feed.filter(({ tag }) => tag !== null);
    expect(moved.map(({ tag }) => String(tag)).toSorted()).toEqual(tags.toSorted());
    const page = { after: null, limit: 100 };
    expect(await third.metadata.tags(repository, page)).toEqual(tags.toSorted());
  });

  test("two servers that start at once make the tables once; a newer database is refused", async () => {
    const place = await server.place();
    const opened = Array.from({ length: 4 }, () => new Opened(place));
    await Promise.all(opened.map((each) => each.migrate()));
    const [one] = opened;
    await one?.metadata.commit(push("v1"));
    await one?.connections.ask(own("UPDATE schema SET version = 99, code_min = 99"));
    expect(String(await reasonOf(one?.migrate() ?? Promise.resolve()))).toMatch(
      /expected schema version \d+ or older, found 99/,
    );
    for (const each of opened) await each[Symbol.asyncDispose]();
  });

  test("a statement that nobody waited for tells why a commit failed, and others of its batch go on", async () => {
    const broken: RecordTables<RecordChange, unknown> = {
      store: { name: "broken" },
      steps: [],
      sql: {},
      frees: () => false,
      *apply(work) {
        yield* tell(work, "INSERT INTO nowhere VALUES (?1)", 1);
        yield* get(work, "SELECT 1 AS n");
      },
      reads: () => null,
    };
    await using opened = new Opened(await server.place(), storesOf([...ownTables, broken]));
    await opened.migrate();
    const failed = opened.metadata.commit({ records: "broken", changes: [{ kind: "break" }] });
    const [reason, outcome] = await Promise.all([
      reasonOf(failed),
      opened.metadata.commit(push("v1")),
    ]);
    expect(String(reason)).toContain('relation "nowhere" does not exist');
    expect(outcome).toEqual({ committed: true });
  });

  test("whatever was acknowledged is there after the server was killed, and nothing twice", async () => {
    await using other = await startPostgres({ synchronous_commit: "on" });
    await using opened = new Opened(await other.place());
    await opened.migrate();
    const acknowledged: string[] = [];
    const over = new AbortController();
    const pushing = Array.from({ length: 8 }, async (_, client) => {
      for (let count = 0; !over.signal.aborted; count += 1) {
        const tag = `c${client}-${count}`;
        try {
          if ((await opened.metadata.commit(push(tag))).committed) acknowledged.push(tag);
        } catch (error) {
          expect(error).toBeInstanceOf(MetadataUnavailable);
        }
      }
    });
    await eventually("some are acknowledged", () => acknowledged.length > 50);
    await other.kill();
    await other.start();
    const before = acknowledged.length;
    await eventually("more are acknowledged", () => acknowledged.length > before + 50);
    over.abort();
    await Promise.all(pushing);
    const feed = await opened.metadata.feed(0, 100_000);
    const told = feed.flatMap(({ tag }) => (tag === null ? [] : [tag]));
    expect(new Set(told).size).toBe(told.length);
    const known = new Set(told);
    expect(acknowledged.filter((tag) => !known.has(tag))).toEqual([]);
  });
});
