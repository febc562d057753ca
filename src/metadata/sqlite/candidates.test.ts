// A database from before collection: what nothing names is found once, by the step that makes the table.

import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { memoryDirectory } from "../../../test/memory_directory.ts";
import { systemClock } from "../../lib/clock.ts";
import { collection } from "../collection.ts";
import { migrations } from "./schema.ts";
import { SqliteMetadata } from "./sqlite_metadata.ts";
import { SqliteWriter } from "./sqlite_writer.ts";
import { noBytes } from "../../../test/contracts/no_bytes.ts";

const before = migrations.find(({ sql }) => sql.includes("CREATE TABLE candidates"))?.version ?? 0;

test("finds what nothing names, and lets it wait from then on", async () => {
  await using directory = await memoryDirectory();
  const path = join(directory.path, "metadata.db");
  const database = new Database(path, { strict: true });
  for (const { sql, version } of migrations.filter((step) => step.version < before))
    database.run(sql + `PRAGMA user_version = ${version}`);
  database.run(`
    INSERT INTO repositories (id, name, created_at) VALUES (1, 'app', 0), (2, 'nothing', 0);
    INSERT INTO blobs VALUES (1, 'named', 1, 0), (1, 'unnamed', 1, 0);
    INSERT INTO manifests (repository, digest, media_type, size, subject, pushed_at) VALUES
      (1, 'tagged', 'a/b', 7, NULL, 0), (1, 'untagged', 'a/b', 7, NULL, 0), (1, 'child', 'a/b', 7, NULL, 0),
      (1, 'signature', 'a/b', 7, 'tagged', 0), (1, 'lost', 'a/b', 7, 'gone', 0);
    INSERT INTO tags VALUES (1, 'v1', 'tagged', 0);
    INSERT INTO manifest_references VALUES (1, 'tagged', 'named', 'blob'), (1, 'tagged', 'child', 'manifest');
  `);
  database.close();
  const startMs = Date.now();
  const bytes = noBytes;
  const writer = new SqliteWriter({ path, durable: false, clock: systemClock, bytes });
  const metadata = new SqliteMetadata(path, writer);
  const reads = metadata.records(collection);
  const all = await Promise.all(
    (["blob", "manifest", "repository"] as const).map((kind) =>
      reads.due(kind, Number.MAX_SAFE_INTEGER, null, 9),
    ),
  );
  const found = all
    .flat()
    .map(({ repository, digest, reason }) => `${repository} ${digest} ${reason}`);
  expect(found.toSorted()).toEqual([
    "app lost no-subject",
    "app unnamed unnamed",
    "app untagged untagged",
    "nothing  empty",
  ]);
  // SQLite's clock is the system's, cut to milliseconds.
  expect(all.flat().every(({ since }) => since >= startMs - 1)).toBe(true);
  await metadata.close();
  await writer.close();
});
