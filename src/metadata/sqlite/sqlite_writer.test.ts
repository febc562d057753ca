// What only the SQLite writer does: migrations, full disks, several writers on one file, and a batch whose
// trouble is that of one commit.

import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { layoutStates } from "../layout_states.ts";
import { counters, counterTables } from "../../../test/contracts/metadata_records.ts";
import { copyFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  change,
  commitOf,
  digest,
  manifest,
  repository,
} from "../../../test/contracts/metadata_facts.ts";
import { canMount, smallDisk } from "../../../test/faults/small_disk.ts";
import { memoryDirectory } from "../../../test/memory_directory.ts";
import { run } from "../../../test/processes.ts";
import { systemClock } from "../../lib/clock.ts";
import { MetadataFull, MetadataUnavailable, type Change, type CommitOutcome } from "../metadata.ts";
import { recordCommit } from "../records.ts";
import type { BytesUnderLock } from "../sql/bytes_under_lock.ts";
import type { RecordStep } from "../sql/record_tables.ts";
import { known } from "../sql/statements.ts";
import { migrate, migrations } from "./schema.ts";
import { SqliteMetadata } from "./sqlite_metadata.ts";
import { SqliteWriter } from "./sqlite_writer.ts";
import { reasonOf } from "../../../test/reason_of.ts";
import { noBytes } from "../../../test/contracts/no_bytes.ts";

function openWriter(path: string, bytes = noBytes, durable = false): SqliteWriter {
  return new SqliteWriter({ path, durable, clock: systemClock, bytes });
}

function commit(writer: SqliteWriter, ...changes: Change[]): Promise<CommitOutcome> {
  return writer.commit(commitOf(changes));
}

describe("migrations", () => {
  const newest = Math.max(...migrations.map(({ version }) => version));

  test("are numbered in order, each with its summary", () => {
    expect(migrations.map(({ version }) => version)).toEqual(
      migrations.map((_, index) => index + 1),
    );
    expect(migrations.every(({ summary }) => summary.length > 0)).toBe(true);
  });

  test("bring an empty database to the newest version, and leave it alone the next time", async () => {
    await using directory = await memoryDirectory();
    const path = join(directory.path, "metadata.db");
    for (const expectedTags of [["v1"], ["v1", "v2"]]) {
      const writer = openWriter(path);
      await commit(writer, change.tag(expectedTags.at(-1) ?? "", "m"));
      const metadata = new SqliteMetadata(path, writer);
      expect(await metadata.tags(repository, { after: null, limit: 9 })).toEqual(expectedTags);
      await metadata.close();
      await writer.close();
    }
    const database = new Database(path);
    expect(database.query("PRAGMA user_version").get()).toEqual({ user_version: newest });
    database.close();
  });

  test("refuse a database that a newer version wrote, with one line, and do not touch it", async () => {
    await using directory = await memoryDirectory();
    const path = join(directory.path, "metadata.db");
    const database = new Database(path);
    database.run("CREATE TABLE theirs (x)");
    database.run(`PRAGMA user_version = ${newest + 1}`);
    expect(() => openWriter(path)).toThrow(
      `expected schema version ${newest} or older, found ${newest + 1}; ` +
        "this root was served by a newer zot: start that version",
    );
    const tables = database.query("SELECT name FROM sqlite_schema").all();
    expect(tables).toEqual([{ name: "theirs" }]);
    database.close();
  });

  test("keep what was known of layouts, and go on marking them", async () => {
    await using directory = await memoryDirectory();
    const path = join(directory.path, "metadata.db");
    const database = new Database(path, { strict: true });
    for (const { sql, version } of migrations.filter((step) => step.version < 8))
      database.run(sql + `PRAGMA user_version = ${version}`);
    database.run(`
      INSERT INTO repositories (id, name, created_at, generation, projected, stale_since, stamp_current, stamp_next, origin)
        VALUES (1, 'written', 5, 7, 7, NULL, 'now', NULL, 'one'), (2, 'behind', 6, 9, 8, 30, 'now', 'next', 'two');
      INSERT INTO history (repository, tag, at, generation) VALUES (1, 'v1', 10, 6), (1, 'v1', 20, 7);
    `);
    database.close();
    const writer = openWriter(path);
    const metadata = new SqliteMetadata(path, writer);
    const layouts = metadata.records(layoutStates);
    const stamps = { stampCurrent: "now", stampNext: null };
    const written = { generation: 7, projected: 7, ...stamps, origin: "one" };
    const behind = { generation: 9, projected: 8, ...stamps, stampNext: "next", origin: "two" };
    expect(await layouts.state("written")).toEqual(written);
    expect(await layouts.state("behind")).toEqual(behind);
    expect(await layouts.lag()).toEqual({ repositories: 1, since: 30 });
    await commit(writer, change.put("m", "written"), change.create("new"));
    expect(await layouts.stale(9)).toEqual(["behind", "written", "new"]);
    expect(await layouts.state("written")).toMatchObject({ generation: 8, projected: 7 });
    await metadata.close();
    await writer.close();
  });

  test("tell of moves before them what is still known of their manifests", async () => {
    await using directory = await memoryDirectory();
    const path = join(directory.path, "metadata.db");
    const database = new Database(path, { strict: true });
    for (const { sql, version } of migrations.filter((step) => step.version < 6))
      database.run(sql + `PRAGMA user_version = ${version}`);
    database.run(`
      INSERT INTO repositories (id, name, created_at) VALUES (1, '${repository}', 0);
      INSERT INTO manifests (repository, digest, media_type, size, pushed_at) VALUES (1, 'kept', 'a/b', 7, 0);
      INSERT INTO history (repository, tag, digest, previous, at, generation)
        VALUES (1, 'v1', 'kept', NULL, 10, 1), (1, 'v2', 'gone', NULL, 15, 2), (1, 'v1', 'gone', 'kept', 20, 3);
    `);
    database.close();
    const writer = openWriter(path);
    const metadata = new SqliteMetadata(path, writer);
    const history = await metadata.history(repository, null, 9);
    expect(
      history.map(({ mediaType, sizeBytes, previousMediaType, previousSizeBytes, previousAt }) => [
        [mediaType, sizeBytes],
        [previousMediaType, previousSizeBytes, previousAt],
      ]),
    ).toEqual([
      [
        [null, null],
        ["a/b", 7, 10],
      ],
      [
        [null, null],
        [null, null, null],
      ],
      [
        ["a/b", 7],
        [null, null, null],
      ],
    ]);
    await metadata.close();
    await writer.close();
  });

  test("give each event before them a moment of its own", async () => {
    await using directory = await memoryDirectory();
    const path = join(directory.path, "metadata.db");
    const database = new Database(path, { strict: true });
    for (const { sql, version } of migrations.filter((step) => step.version < 9))
      database.run(sql + `PRAGMA user_version = ${version}`);
    database.run(`
      INSERT INTO repositories (id, name, created_at) VALUES (1, '${repository}', 0), (2, 'other', 0);
      INSERT INTO history (repository, tag, digest, at, generation) VALUES
        (1, 'v1', 'a', 10, 1), (2, 'v1', 'a', 10, 1), (1, 'v1', 'b', 10, 2), (1, 'v1', 'c', 12, 3),
        (1, 'v1', 'd', 3, 4), (2, 'v1', 'b', 20, 2);
    `);
    database.close();
    const writer = openWriter(path);
    const metadata = new SqliteMetadata(path, writer);
    const page = { before: null, after: 0, limit: 9 };
    const moments = async (at: string) =>
      (await metadata.past.tagEvents(at, "v1", page)).map(({ moment }) => moment);
    expect(await moments(repository)).toEqual([12_001, 12_000, 10_001, 10_000]);
    expect(await moments("other")).toEqual([20_000, 10_000]);
    await metadata.close();
    await writer.close();
  });

  test("of a store of records are its own, and refuse what a newer version wrote", async () => {
    await using directory = await memoryDirectory();
    const path = join(directory.path, "metadata.db");
    const open = (...steps: RecordStep[]): SqliteWriter => {
      const records = [{ ...counterTables, steps: [...counterTables.steps, ...steps] }];
      return new SqliteWriter({
        path,
        durable: false,
        clock: systemClock,
        bytes: noBytes,
        records,
      });
    };
    const first = open();
    await first.commit(recordCommit(counters, { kind: "add", name: "a", count: 1 }));
    await first.close();
    const doubled = {
      version: 2,
      summary: "doubled",
      sql: "UPDATE counters SET count = count * 2;",
    };
    for (let start = 1; start <= 2; start += 1) {
      const writer = open(doubled);
      const metadata = new SqliteMetadata(path, writer, null, null, [counterTables]);
      expect(await metadata.records(counters).value("a")).toBe(2);
      await metadata.close();
      await writer.close();
    }
    expect(() => open()).toThrow("expected counters version 1 or older, found 2");
  });

  test("that fail half-way leave the version that was there", () => {
    const database = new Database(":memory:");
    // The name of a table of the first step is taken: its later statements cannot run.
    database.run("CREATE TABLE orphans (x)");
    expect(() => migrate(database, new Map())).toThrow("orphans");
    expect(database.query("PRAGMA user_version").get()).toEqual({ user_version: 0 });
    const tables = database.query("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    expect(tables).toEqual([{ name: "orphans" }]);
  });
});

describe("a batch", () => {
  const poison = digest("poison");
  const throwing: BytesUnderLock = {
    ...noBytes,
    present: (_work, _at, which) => {
      if (which === poison) throw new Error("the disk does not answer");
      return known(true);
    },
  };

  test("in which one commit fails: the others are kept, that one is told why", async () => {
    await using directory = await memoryDirectory();
    const path = join(directory.path, "metadata.db");
    const writer = openWriter(path, throwing);
    const present = (which: typeof poison) => ({ kind: "bytes-present", digest: which }) as const;
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        reasonOf(
          writer.commit({
            repository,
            preconditions: [present(index === 7 ? poison : digest("fine"))],
            changes: [change.tag(`v${index}`, "m")],
            by: null,
          }),
        ),
      ),
    );
    for (const [index, outcome] of outcomes.entries()) {
      if (index === 7) {
        expect(outcome).toBeInstanceOf(MetadataUnavailable);
        expect(String(outcome)).toContain("the disk does not answer");
      } else {
        expect(outcome).toEqual({ value: { committed: true } });
      }
    }
    const metadata = new SqliteMetadata(path, writer);
    const tags = await metadata.tags(repository, { after: null, limit: 99 });
    expect(tags).toHaveLength(19);
    expect(tags).not.toContain("v7");
    await metadata.close();
    await writer.close();
  });

  test("that was closed answers what was asked of it before", async () => {
    await using directory = await memoryDirectory();
    const path = join(directory.path, "metadata.db");
    const writer = openWriter(path);
    const asked = Array.from({ length: 50 }, (_, index) =>
      commit(writer, change.tag(`v${index}`, "m")),
    );
    await writer.close();
    expect(await Promise.all(asked)).toEqual(asked.map(() => ({ committed: true })));
    const reopened = openWriter(path);
    const metadata = new SqliteMetadata(path, reopened);
    expect(await metadata.tags(repository, { after: null, limit: 99 })).toHaveLength(50);
    await metadata.close();
    await reopened.close();
  });
});

describe("the files", () => {
  test("belong to the server's user alone, and stay after a stop", async () => {
    await using directory = await memoryDirectory();
    const path = join(directory.path, "metadata.db");
    const writer = openWriter(path);
    await commit(writer, change.put("m"));
    await writer.close();
    for (const [end, sizeMin] of [
      ["", 4096],
      ["-wal", 0],
      ["-shm", 32_768],
    ] as const) {
      const { mode, size } = statSync(`${path}${end}`);
      expect([end, mode & 0o777]).toEqual([end, 0o600]);
      expect(size).toBeGreaterThanOrEqual(sizeMin);
    }
  });

  const losses: Readonly<Record<string, (path: string) => void>> = {
    "a removed database": (path) => rmSync(path),
    "a removed log": (path) => rmSync(`${path}-wal`),
    "a removed index of the log": (path) => rmSync(`${path}-shm`),
    "a removed page of counters": (path) => rmSync(join(path, "../page")),
    "a database that a copy has taken the place of": (path) => {
      copyFileSync(path, `${path}.copy`);
      renameSync(`${path}.copy`, path);
    },
  };
  for (const [says, lose] of Object.entries(losses)) {
    test(`${says}: nothing is acknowledged into it, and the end is told once`, async () => {
      await using directory = await memoryDirectory();
      const path = join(directory.path, "metadata.db");
      const page = join(directory.path, "page");
      writeFileSync(page, "");
      const lost: string[] = [];
      const writer = new SqliteWriter({
        path,
        durable: true,
        clock: systemClock,
        bytes: noBytes,
        kept: [page],
        onLost: (problem) => lost.push(problem),
      });
      await commit(writer, change.put("m"));
      lose(path);
      for (const tag of ["v1", "v2"]) {
        const reason = await reasonOf(commit(writer, change.tag(tag, "m")));
        expect(reason).toBeInstanceOf(MetadataUnavailable);
        expect(String(reason)).toContain("The metadata is lost");
      }
      expect(lost).toHaveLength(1);
      await writer.close();
    });
  }

  test("that are no database are told in one line", async () => {
    await using directory = await memoryDirectory();
    const path = join(directory.path, "metadata.db");
    await Bun.write(path, "this is text, and long enough to be taken for a header of something");
    expect(() => openWriter(path)).toThrow(
      `metadata: expected to open ${path}, and cannot (file is not a database); ` +
        "look for free space, rights and a damaged file there",
    );
    expect(await Bun.file(path).text()).toStartWith("this is text");
  });
});

const mountable = await canMount();

describe.skipIf(!mountable)("a full disk", () => {
  test("refuses a commit as a whole, keeps reads, and takes it again when space is there", async () => {
    await using disk = await smallDisk(4 * 1024 * 1024);
    const path = join(disk.path, "metadata.db");
    const writer = openWriter(path, noBytes, true);
    const metadata = new SqliteMetadata(path, writer);
    await commit(writer, change.put("before"), change.tag("before", "before"));
    disk.fill();

    const accepted: string[] = [];
    let refusal: unknown = null;
    for (let index = 0; refusal === null && index < 100_000; index += 1) {
      const outcome = await reasonOf(
        commit(writer, change.put(`m${index}`), change.tag(`v${index}`, `m${index}`)),
      );
      if (outcome instanceof Error) refusal = outcome;
      else accepted.push(`v${index}`);
    }
    expect(refusal).toBeInstanceOf(MetadataFull);
    const refused = `v${accepted.length}`;
    expect(await metadata.manifestByTag(repository, refused)).toBeNull();
    expect(await metadata.manifestByDigest(repository, digest(`m${accepted.length}`))).toBeNull();
    for (const tag of ["before", ...accepted]) {
      expect(await metadata.manifestByTag(repository, tag)).not.toBeNull();
    }
    // Many at once, so that a whole batch meets the full disk.
    const together = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        reasonOf(commit(writer, change.tag(`w${index}`, "x"))),
      ),
    );
    expect(together.every((outcome) => outcome instanceof MetadataFull)).toBe(true);

    disk.free();
    expect(await commit(writer, change.tag(refused, "before"))).toEqual({ committed: true });
    expect((await metadata.manifestByTag(repository, refused))?.digest).toBe(digest("before"));
    await metadata.close();
    await writer.close();
  });

  test("serves what is there after a stop and a start", async () => {
    await using disk = await smallDisk(4 * 1024 * 1024);
    const path = join(disk.path, "metadata.db");
    const first = openWriter(path, noBytes, true);
    await commit(first, change.put("m"), change.tag("v1", "m"));
    await first.close();
    disk.fill();
    const writer = openWriter(path, noBytes, true);
    const metadata = new SqliteMetadata(path, writer);
    expect((await metadata.manifestByTag(repository, "v1"))?.digest).toBe(digest("m"));
    expect(await reasonOf(commit(writer, change.tag("v2", "m")))).toBeInstanceOf(MetadataFull);
    disk.free();
    expect(await commit(writer, change.tag("v2", "m"))).toEqual({ committed: true });
    await metadata.close();
    await writer.close();
  });

  test("does not keep the store from closing, and nothing acknowledged is lost", async () => {
    await using disk = await smallDisk(16 * 1024 * 1024);
    const path = join(disk.path, "metadata.db");
    const writer = openWriter(path, noBytes, true);
    for (let index = 0; index < 200; index += 1) await commit(writer, change.tag(`v${index}`, "m"));
    disk.fill();
    await writer.close();
    disk.free();
    const reopened = openWriter(path);
    const metadata = new SqliteMetadata(path, reopened);
    await commit(reopened, change.put("m"));
    expect(await metadata.tags(repository, { after: null, limit: 999 })).toHaveLength(200);
    await metadata.close();
    await reopened.close();
  });
});

test("a small commit waits for one large one at most, however many there are", async () => {
  await using directory = await memoryDirectory();
  const writer = openWriter(join(directory.path, "metadata.db"));
  const references = Array.from({ length: 1_000 }, (_, index) => ({
    digest: digest(`layer ${index}`),
    target: "blob" as const,
  }));
  const ended: string[] = [];
  const of = async (name: string, put: Change): Promise<void> => {
    await commit(writer, put);
    ended.push(name);
  };
  const large = Array.from({ length: 8 }, (_, index) =>
    of("large", change.put(manifest(`large ${index}`, { references }))),
  );
  await large[0];
  const small = Array.from({ length: 8 }, (_, index) => of("small", change.put(`small ${index}`)));
  await Promise.all(small);
  expect(ended.filter((name) => name === "large").length).toBeLessThanOrEqual(2);
  await Promise.all(large);
  await writer.close();
});

describe("several processes", () => {
  const script = join(import.meta.dir, "../../../test/contracts/sqlite_process.ts");

  test("that write one store, started at once, lose nothing of each other's", async () => {
    await using directory = await memoryDirectory();
    const path = join(directory.path, "metadata.db");
    const names = ["a", "b", "c"];
    const outputs = await Promise.all(
      names.map((name) => run(process.execPath, [script, "write", path, name, "40"])),
    );
    expect(outputs.map(({ stderr }) => stderr)).toEqual(names.map(() => ""));
    const writer = openWriter(path);
    const metadata = new SqliteMetadata(path, writer);
    const tags = await metadata.tags(repository, { after: null, limit: 999 });
    const expected = names.flatMap((name) => Array.from({ length: 40 }, (_, i) => `${name}${i}`));
    expect(tags).toEqual(expected.toSorted());
    const history = await metadata.history(repository, null, 999);
    expect(history).toHaveLength(expected.length);
    // The counter that all of them moved counts every commit.
    const state = await metadata.records(layoutStates).state(repository);
    expect(state?.generation).toBe(expected.length + 1);
    await metadata.close();
    await writer.close();
  });

  test("another process reads what was acknowledged", async () => {
    await using directory = await memoryDirectory();
    const path = join(directory.path, "metadata.db");
    const writer = openWriter(path);
    await commit(writer, change.put("m"), change.tag("v1", "m"));
    const read = await run(process.execPath, [script, "read", path, "v1"]);
    expect(read).toEqual({ code: 0, stdout: digest("m"), stderr: "" });
    await writer.close();
  });
});
