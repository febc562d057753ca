// What collection costs: `scripts/bun bench/collection.ts [--quick] [--only cost|latency|peers] [--zot-go FILE]`.
//
// First the same thousand candidates among few and among many links, in this process, by CPU time: the goal is a ratio
// of 1.5 at most. Then pulls and pushes against a server that collects, and against the same one that does not, in
// turn: the goal is a p99 of 1.2 times at most. Last the same garbage in this registry and in others, by CPU time
// (`collect_on_peers.ts`): the goal is a tenth. It prints the figures and judges nothing. Wall times on a busy machine
// say little; CPU times and ratios within one run do.

import { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock, type Clock } from "../src/lib/clock.ts";
import { Collector } from "../src/registry/collection/collector.ts";
import { metadataFile } from "../src/storage/layout.ts";
import { startZot, tempDirectory, type Zot } from "../test/harness.ts";
import { collecting } from "../test/registry/collecting.ts";
import { openRoot } from "../test/registry/world.ts";
import { change } from "../test/reloading.ts";
import { collectOnPeers } from "./collect_on_peers.ts";

const { values } = parseArgs({
  args: Bun.argv.slice(2),
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    "zot-go": { type: "string", default: "" },
  },
});

const hex = (text: string): string => createHash("sha256").update(text).digest("hex");
const digest = (text: string): string => `sha256:${hex(text)}`;
const hourMs = 60 * 60_000;
/** Links of one image. */
const layersOfImage = 9;

/** Fills the metadata with images that have a tag each. */
function fill(path: string, links: number, tags: number): void {
  const database = new Database(path, { strict: true });
  const repositories = 1 + Math.floor(tags / 1_000);
  const add = {
    repository: database.query("INSERT INTO repositories (name, created_at) VALUES (?1, 0)"),
    blob: database.query("INSERT OR IGNORE INTO blobs VALUES (?1, ?2, 100, 0)"),
    manifest: database.query(
      "INSERT INTO manifests (repository, digest, media_type, size, pushed_at) VALUES (?1, ?2, 'a/b', 500, 0)",
    ),
    reference: database.query("INSERT INTO manifest_references VALUES (?1, ?2, ?3, 'blob')"),
    tag: database.query("INSERT INTO tags VALUES (?1, ?2, ?3, 0)"),
  };
  database.transaction(() => {
    for (let at = 1; at <= repositories; at += 1) add.repository.run(`filled/app-${at}`);
    for (let image = 0; image < tags; image += 1) {
      const id = 1 + (image % repositories);
      const manifest = digest(`manifest ${image}`);
      add.manifest.run(id, manifest);
      add.tag.run(id, `v${image}`, manifest);
      for (let layer = 0; layer < Math.min(layersOfImage, links / tags); layer += 1) {
        const blob = digest(`layer ${image} ${layer}`);
        add.blob.run(id, blob);
        add.reference.run(id, manifest, blob);
      }
    }
    for (let lone = tags * layersOfImage; lone < links; lone += 1) {
      const [id, blob] = [1 + (lone % repositories), digest(`shared ${lone}`)];
      add.blob.run(id, blob);
      add.reference.run(id, digest(`manifest ${id - 1}`), blob);
    }
  })();
  database.close();
}

/** A thousand: lone blobs, and images without a tag that have four layers each. */
function addGarbage(path: string, round: number, { blobs = 500, images = 100 } = {}): string[] {
  const database = new Database(path, { strict: true });
  const since = Date.now() - 2 * hourMs;
  const files: string[] = [];
  database.transaction(() => {
    const link = database.query("INSERT INTO blobs VALUES (1, ?1, 100, 0)");
    const wait = database.query(
      "INSERT INTO candidates VALUES (1, ?1, ?2, ?3, ?3, CASE ?2 WHEN 'blob' THEN 'unnamed' ELSE 'untagged' END)",
    );
    const put = database.query(
      "INSERT INTO manifests (repository, digest, media_type, size, pushed_at) VALUES (1, ?1, 'a/b', 500, 0)",
    );
    const name = database.query("INSERT INTO manifest_references VALUES (1, ?1, ?2, 'blob')");
    for (let at = 0; at < blobs; at += 1) {
      const blob = digest(`garbage ${round} ${at}`);
      link.run(blob);
      wait.run(blob, "blob", since);
      files.push(blob);
    }
    for (let at = 0; at < images; at += 1) {
      const manifest = digest(`gone ${round} ${at}`);
      put.run(manifest);
      wait.run(manifest, "manifest", since);
      files.push(manifest);
      for (let layer = 0; layer < 4; layer += 1) {
        const blob = digest(`gone ${round} ${at} ${layer}`);
        link.run(blob);
        name.run(manifest, blob);
        files.push(blob);
      }
    }
  })();
  database.close();
  return files;
}

/** CPU milliseconds of rounds over a thousand candidates; the best of several. */
async function costAmong(links: number, tags: number, rounds: number): Promise<number> {
  await using directory = await tempDirectory("zot-bench-gc");
  const root = join(directory.path, "root");
  const clock: Clock = { ...systemClock, sleep: () => Promise.resolve() };
  const opened = await openRoot(root, clock, true, () => {});
  const path = join(root, metadataFile);
  fill(path, links, tags);
  const settings = () => collecting();
  const collector = new Collector({ registry: opened.registry, report: () => {}, settings });
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round += 1) {
    addGarbage(path, round);
    const before = process.cpuUsage();
    const { manifests, blobs } = await collector.round();
    const { user, system } = process.cpuUsage(before);
    if (manifests + blobs !== 1_000) throw new Error(`collected ${manifests} and ${blobs}`);
    // The first round also prepares its statements.
    if (round > 0) best = Math.min(best, (user + system) / 1_000);
  }
  await opened.close();
  return best;
}

const p = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;

/** Latencies of pulls and pushes while `forMs` pass. */
async function load(zot: Zot, forMs: number, seed: string) {
  const times = { pull: [] as number[], push: [] as number[] };
  const endMs = performance.now() + forMs;
  const timed = async (list: number[], work: () => Promise<Response>): Promise<void> => {
    const startedMs = performance.now();
    const answer = await work();
    await answer.arrayBuffer();
    if (answer.status >= 300) throw new Error(`answered ${answer.status}`);
    list.push(performance.now() - startedMs);
  };
  let count = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < endMs) {
      count += 1;
      const body = Buffer.from(`${seed} ${count}`);
      const url = `${zot.url}/v2/load/app/blobs/uploads/?digest=${digest(`${seed} ${count}`)}`;
      await timed(times.push, () => fetch(url, { method: "POST", body }));
      for (let pulls = 0; pulls < 4; pulls += 1) {
        await timed(times.pull, () => fetch(`${zot.url}/v2/load/app/manifests/v1`));
      }
    }
  };
  await Promise.all([client(), client(), client(), client()]);
  return times;
}

const emptyIndex = JSON.stringify({
  schemaVersion: 2,
  mediaType: "application/vnd.oci.image.index.v1+json",
  manifests: [],
});

async function latencies(rounds: number, roundMs: number, garbage: number): Promise<void> {
  await using directory = await tempDirectory("zot-bench-gc");
  const rootDirectory = join(directory.path, "root");
  const storage = { rootDirectory, undo: { window: "0s" } };
  const off = { http: { workers: 2 }, storage: { ...storage, gc: false } };
  const on = { http: { workers: 2 }, storage: { ...storage, gcDelay: "1h", gcInterval: "1s" } };
  {
    await using zot = await startZot({ config: off });
    await fetch(`${zot.url}/v2/load/app/manifests/v1`, {
      method: "PUT",
      headers: { "content-type": "application/vnd.oci.image.index.v1+json" },
      body: emptyIndex,
    });
    await zot.stop();
  }
  const path = join(rootDirectory, metadataFile);
  const files = addGarbage(path, 0, { blobs: garbage / 2, images: garbage / 10 });
  const blobs = join(rootDirectory, "load/app/blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const old = new Date(Date.now() - 3 * hourMs);
  for (const file of files) writeFileSync(join(blobs, file.slice("sha256:".length)), "garbage");
  Bun.spawnSync([
    "find",
    blobs,
    "-type",
    "f",
    "-exec",
    "touch",
    "-d",
    old.toISOString(),
    "{}",
    "+",
  ]);
  await using zot = await startZot({ config: off });
  const times = {
    off: { pull: [] as number[], push: [] as number[] },
    on: { pull: [] as number[], push: [] as number[] },
  };
  await load(zot, roundMs, "warm");
  let now: "on" | "off" = "off";
  for (let round = 0; round < rounds; round += 1) {
    for (const state of round % 2 === 0 ? (["off", "on"] as const) : (["on", "off"] as const)) {
      if (state !== now) await change(zot, state === "on" ? on : off);
      now = state;
      const measured = await load(zot, roundMs, `${state} ${round}`);
      times[state].pull.push(...measured.pull);
      times[state].push.push(...measured.push);
    }
  }
  const database = new Database(path, { readonly: true });
  const left = database
    .query<{ n: number }, []>(
      "SELECT count(*) AS n FROM candidates WHERE since < " + (Date.now() - hourMs),
    )
    .get();
  database.close();
  for (const kind of ["pull", "push"] as const) {
    const [without, during] = [
      times.off[kind].toSorted((a, b) => a - b),
      times.on[kind].toSorted((a, b) => a - b),
    ];
    const ratio = p(during, 0.99) / p(without, 0.99);
    console.log(
      `${kind}: p99 ${p(without, 0.99).toFixed(2)} ms without, ${p(during, 0.99).toFixed(2)} ms during, ratio ${ratio.toFixed(2)} ` +
        `(p50 ${p(without, 0.5).toFixed(2)}, ${p(during, 0.5).toFixed(2)}; ${without.length} and ${during.length} operations)`,
    );
  }
  console.log(
    `${files.length - (left?.n ?? 0)} of ${files.length} candidates were collected meanwhile`,
  );
}

const big = values.quick ? { links: 100_000, tags: 10_000 } : { links: 1_000_000, tags: 100_000 };
const wanted = (part: string): boolean => values.only === "" || values.only === part;
if (wanted("cost")) {
  const rounds = values.quick ? 6 : 12;
  const few = await costAmong(10_000, 1_000, rounds);
  const many = await costAmong(big.links, big.tags, rounds);
  console.log(
    `1,000 candidates: ${few.toFixed(1)} ms of CPU among 10,000 links and 1,000 tags, ${many.toFixed(1)} ms among ` +
      `${big.links} links and ${big.tags} tags, ratio ${(many / few).toFixed(2)}`,
  );
}
if (wanted("latency")) {
  // Many short turns: what else the machine does disturbs both alike.
  await latencies(values.quick ? 4 : 24, 1_250, values.quick ? 4_000 : 60_000);
}
if (wanted("peers")) {
  await collectOnPeers({ images: values.quick ? 600 : 3_000, zotGo: values["zot-go"] });
}
