// What a small push would cost if its bytes travelled in the commit, beside what it costs with a file of its own.
//
//   scripts/bun scripts/measure_small_content.ts [directory] [count] [writers]
//
// The `file` way is that of the server: the file is written, flushed and named, then a row is committed that names it.
// In the `commit` way the row carries the bytes; files are written, flushed and named behind it, in batches, and the
// rows' bytes are removed once they are. Both share flushes of SQLite as the server does. Prints milliseconds to the
// acknowledgement, and processor time to the last one and in all. The directory (a
// temporary one) should lie on a disk. Figures depend on the machine; docs/decisions/0024 has some.

import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Batcher } from "../src/lib/batcher.ts";
import { KiB } from "../src/lib/bytes.ts";
import { systemClock } from "../src/lib/clock.ts";
import { digestOf, type Digest } from "../src/oci/digest.ts";
import { openFilesystem } from "../src/storage/filesystem/open_filesystem.ts";

const base = process.argv[2] ?? tmpdir();
const count = Number(process.argv[3] ?? 2_000);
const writers = Number(process.argv[4] ?? 16);
const repository = "measured";
/** Files that are written behind the commits at once. */
const behindMax = 64;

interface Push {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

interface Figures {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly acknowledgedUs: number;
  readonly allUs: number;
}

/** One root with files and a database, whose commits share flushes. */
function openRoot(directory: string) {
  const stores = openFilesystem({ rootDirectory: directory, durable: true, clock: systemClock });
  const database = new Database(join(directory, "measured.db"));
  database.run("PRAGMA journal_mode = WAL");
  database.run("PRAGMA synchronous = FULL");
  database.run("PRAGMA wal_autocheckpoint = 4000");
  database.run("CREATE TABLE named (digest TEXT PRIMARY KEY, size INTEGER) STRICT, WITHOUT ROWID");
  database.run("CREATE TABLE contents (digest TEXT PRIMARY KEY, bytes BLOB) STRICT");
  const insert = database.query("INSERT INTO named VALUES (?, ?)");
  const carry = database.query("INSERT INTO contents VALUES (?, ?)");
  const drop = database.query("DELETE FROM contents WHERE digest = ?");
  const batcher = new Batcher<() => void, null>({
    run: async (works) => {
      database.transaction(() => works.forEach((work) => work())).immediate();
      return works.map(() => null);
    },
    itemsMax: 512,
    waitingMax: 100_000,
  });
  return {
    stores,
    put: (push: Push) => stores.blobs.put(repository, push.digest, push.bytes),
    commit: ({ digest, bytes }: Push, withBytes: boolean) =>
      batcher.submit(() => {
        insert.run(digest, bytes.length);
        if (withBytes) carry.run(digest, bytes);
      }),
    remove: (pushes: readonly Push[]) =>
      batcher.submit(() => pushes.forEach(({ digest }) => drop.run(digest))),
    close: async () => {
      await batcher.idle();
      database.close();
      await stores.close();
    },
  };
}

type Root = ReturnType<typeof openRoot>;

async function eachWriter(pushes: readonly Push[], work: (push: Push) => Promise<void>) {
  const next = pushes.values();
  const write = async (): Promise<void> => {
    for (const push of next) await work(push);
  };
  await Promise.all(Array.from({ length: writers }, write));
}

/** Writes what was acknowledged to files, a batch at a time, until it is told that no more comes. */
async function writeBehind(root: Root, waiting: Push[], isOver: () => boolean): Promise<void> {
  while (waiting.length > 0 || !isOver()) {
    if (waiting.length === 0) await Bun.sleep(1);
    const batch = waiting.splice(0, behindMax);
    if (batch.length === 0) continue;
    await Promise.all(batch.map((push) => root.put(push)));
    await root.remove(batch);
  }
}

async function measure(way: "file" | "commit", sizeBytes: number): Promise<Figures> {
  const directory = mkdtempSync(join(base, "zot-small-content-"));
  const root = openRoot(directory);
  await root.stores.prepare();
  const pushes = Array.from({ length: count }, (): Push => {
    const bytes = crypto.getRandomValues(new Uint8Array(sizeBytes));
    return { bytes, digest: digestOf("sha256", bytes) };
  });
  const warm = crypto.getRandomValues(new Uint8Array(16));
  await root.put({ bytes: warm, digest: digestOf("sha256", warm) });
  const latenciesMs: number[] = [];
  const waiting: Push[] = [];
  let isOver = false;
  const behind = way === "commit" ? writeBehind(root, waiting, () => isOver) : Promise.resolve();
  const started = process.cpuUsage();
  await eachWriter(pushes, async (push) => {
    const startedMs = performance.now();
    if (way === "file") await root.put(push);
    await root.commit(push, way === "commit");
    latenciesMs.push(performance.now() - startedMs);
    if (way === "commit") waiting.push(push);
  });
  const acknowledgedUs = microseconds(process.cpuUsage(started));
  isOver = true;
  await behind;
  const allUs = microseconds(process.cpuUsage(started));
  await root.close();
  rmSync(directory, { recursive: true });
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor(part * (count - 1))] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99), acknowledgedUs, allUs };
}

function microseconds({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / count;
}

function median(list: readonly number[]): number {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;
}

const rows: Record<string, unknown>[] = [];
for (const sizeBytes of [600, 4 * KiB, 16 * KiB, 64 * KiB]) {
  const measured: Record<"file" | "commit", Figures[]> = { file: [], commit: [] };
  for (let round = 0; round < 3; round += 1) {
    for (const way of ["file", "commit"] as const)
      measured[way].push(await measure(way, sizeBytes));
  }
  for (const way of ["file", "commit"] as const) {
    const of = (pick: (figures: Figures) => number): number => median(measured[way].map(pick));
    rows.push({
      bytes: sizeBytes,
      way,
      "p50 ms": of(({ p50Ms }) => p50Ms).toFixed(2),
      "p99 ms": of(({ p99Ms }) => p99Ms).toFixed(2),
      "CPU µs to the last answer": Math.round(of(({ acknowledgedUs }) => acknowledgedUs)),
      "CPU µs in all": Math.round(of(({ allUs }) => allUs)),
    });
  }
}
console.table(rows);
