// Where a campaign has its metadata and its objects: PostgreSQL, or SQLite for one server alone; a store in this process
// whose faults are commanded.

import { Database } from "bun:sqlite";
import { join } from "node:path";
import { FakeS3 } from "../objects/fake_s3.ts";
import { driverOf } from "../objects/object_registry.ts";
import { postgresRows, sqliteRows, type HeldObjects, type Rows } from "../objects/check_rows.ts";
import { startPostgres, type Postgres } from "../postgres.ts";
import { tempDirectory } from "../temp.ts";

/** The metadata of a campaign. */
export interface CampaignDatabase extends AsyncDisposable {
  /** Servers that share it; one alone has its own root directory. */
  readonly rootDirectory: string | null;
  readonly postgres: Postgres | null;
  /** Of a configuration, under `storage`. */
  readonly options: object;
  rows(): Rows;
  run(sql: string): Promise<void>;
}

export async function postgresDatabase(): Promise<CampaignDatabase> {
  const durable = { fsync: "on", synchronous_commit: "on", full_page_writes: "on" };
  const postgres = await startPostgres(durable);
  const { url, schema } = await postgres.place();
  return {
    rootDirectory: null,
    postgres,
    options: { metadata: { url, schema } },
    rows: () => postgresRows(postgres.port, schema),
    run: async (sql) => {
      await using rows = postgresRows(postgres.port, schema);
      await rows.all(sql);
    },
    [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose](),
  };
}

export async function sqliteDatabase(): Promise<CampaignDatabase> {
  const directory = await tempDirectory("zot-campaign");
  const path = join(directory.path, "root/_zot/metadata.db");
  return {
    rootDirectory: join(directory.path, "root"),
    postgres: null,
    options: {},
    rows: () => sqliteRows(path),
    run: async (sql) => {
      const database = new Database(path);
      database.run("PRAGMA busy_timeout = 20000");
      database.run(sql);
      database.close();
    },
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

export interface CampaignStore extends AsyncDisposable {
  readonly fake: FakeS3;
  /** Of a configuration, under `storage`. */
  readonly options: object;
  readonly held: HeldObjects;
}

export async function fakeStore(): Promise<CampaignStore> {
  const fake = await FakeS3.start();
  fake.remembers = false;
  return {
    fake,
    options: { storageDriver: driverOf(fake) },
    held: heldBy(fake),
    [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose](),
  };
}

export function heldBy(fake: FakeS3): HeldObjects {
  return {
    list: async () => new Map([...fake.objects].map(([key, { bytes }]) => [key, bytes.length])),
    bytes: async (key) => fake.objects.get(key)?.bytes ?? null,
    unfinished: async () => [...fake.uploads.keys()],
  };
}
