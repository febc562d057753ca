// What totals of content cost: `scripts/bun bench/usage.ts [--quick] [--only du|push]`.
//
// First what `zot du` asks of a registry of a million links, in this process, by CPU time: the goal is 100 ms. Then the
// commits of pushes with the totals that triggers keep, and the same without the triggers, in turn and in one process:
// the figure is a ratio. It prints the figures and judges nothing.

import { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../src/lib/clock.ts";
import type { Commit, Committer } from "../src/metadata/metadata.ts";
import { SqliteWriter } from "../src/metadata/sqlite/sqlite_writer.ts";
import type { Digest } from "../src/oci/digest.ts";
import {
  prefixFigures,
  registryFigures,
  repositoriesUsage,
} from "../src/registry/usage/usage_figures.ts";
import { metadataFile } from "../src/storage/layout.ts";
import { noBytes } from "../test/contracts/no_bytes.ts";
import { tempDirectory } from "../test/harness.ts";
import { openRoot } from "../test/registry/world.ts";

const { values } = parseArgs({
  args: Bun.argv.slice(2),
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", default: "" },
  },
});

const digest = (text: string): Digest =>
  `sha256:${createHash("sha256").update(text).digest("hex")}` as Digest;
const layersOfImage = 9;
/** Layers that all repositories share. */
const baseLayers = 50;

/** Fills the metadata with images of nine layers, one of which many have. */
function fill(path: string, links: number, repositories: number): void {
  const database = new Database(path, { strict: true });
  const add = {
    repository: database.query("INSERT INTO repositories (name, created_at) VALUES (?1, 0)"),
    blob: database.query("INSERT OR IGNORE INTO blobs VALUES (?1, ?2, 100, 0)"),
    manifest: database.query(
      "INSERT INTO manifests (repository, digest, media_type, size, pushed_at) VALUES (?1, ?2, 'a/b', 500, 0)",
    ),
    tag: database.query("INSERT INTO tags VALUES (?1, ?2, ?3, 0)"),
  };
  const images = Math.floor(links / layersOfImage);
  database.transaction(() => {
    for (let at = 1; at <= repositories; at += 1) add.repository.run(`team-${at % 40}/app-${at}`);
    for (let image = 0; image < images; image += 1) {
      const id = 1 + (image % repositories);
      add.manifest.run(id, digest(`manifest ${image}`));
      add.tag.run(id, `v${image}`, digest(`manifest ${image}`));
      add.blob.run(id, digest(`base ${image % baseLayers}`));
      for (let layer = 1; layer < layersOfImage; layer += 1) {
        add.blob.run(id, digest(`layer ${image} ${layer}`));
      }
    }
  })();
  database.close();
}

/** Milliseconds of CPU that the cheapest of several runs takes. */
async function cpuOf(work: () => Promise<unknown>, runs = 7): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run += 1) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1_000);
  }
  return best;
}

async function measureDu(): Promise<void> {
  await using directory = await tempDirectory("zot-bench-usage");
  const root = join(directory.path, "root");
  const opened = await openRoot(root, systemClock, true, () => {});
  const [links, repositories] = values.quick ? [100_000, 200] : [1_000_000, 2_000];
  fill(join(root, metadataFile), links, repositories);
  const { registry } = opened;
  const reader = { mayRead: () => true };
  const all = async (): Promise<string> => {
    const pages = [];
    for (let after: string | null = null; ;) {
      const page = await repositoriesUsage(registry, "", { after, count: 1_000 }, reader);
      pages.push(page.items);
      if (page.next === null) break;
      after = page.next;
    }
    return JSON.stringify([await registryFigures(registry), pages]);
  };
  const team = async (): Promise<string> =>
    JSON.stringify(await prefixFigures(registry, "team-1/", reader));
  console.log(`${links} links in ${repositories} repositories`);
  console.log(`zot du: ${(await cpuOf(all)).toFixed(1)} ms of CPU`);
  console.log(
    `zot du -s team-1/ (${repositories / 40} repositories): ${(await cpuOf(team)).toFixed(1)} ms of CPU`,
  );
  await opened.close();
}

/** Commits of a push: three layers of its own, one that many have, a manifest and a tag. */
async function push(writer: Committer, at: number): Promise<void> {
  const repository = `team-${at % 20}/app`;
  const layers = [0, 1, 2]
    .map((layer) => digest(`${at} ${layer}`))
    .concat(digest(`base ${at % baseLayers}`));
  const commit = (part: Pick<Commit, "preconditions" | "changes">) =>
    writer.commit({ repository, by: "bench", ...part });
  for (const layer of layers) {
    await commit({
      preconditions: [{ kind: "bytes-present", digest: layer }],
      changes: [{ kind: "link-blob", digest: layer, sizeBytes: 100 }],
    });
  }
  const manifest = digest(`manifest ${at}`);
  const references = layers.map((layer) => ({ digest: layer, target: "blob" as const }));
  await commit({
    preconditions: layers.map((layer) => ({ kind: "blob-linked", digest: layer, sizeBytes: 100 })),
    changes: [
      {
        kind: "put-manifest",
        manifest: {
          digest: manifest,
          mediaType: "a/b",
          sizeBytes: 500,
          subject: null,
          artifactType: null,
          annotations: null,
          references,
        },
      },
      { kind: "set-tag", tag: `v${at}`, digest: manifest },
    ],
  });
}

async function measurePush(): Promise<void> {
  await using directory = await tempDirectory("zot-bench-usage");
  const open = (name: string): SqliteWriter =>
    new SqliteWriter({
      path: join(directory.path, name),
      durable: false,
      clock: systemClock,
      bytes: noBytes,
    });
  const writers = { without: open("without.db"), with: open("with.db") };
  const plain = new Database(join(directory.path, "without.db"), { strict: true });
  const triggers = plain
    .query<{ name: string }, []>(
      "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'usage_%'",
    )
    .all();
  for (const { name } of triggers) plain.run(`DROP TRIGGER ${name}`);
  plain.run("DROP INDEX usage_manifests");
  plain.close();
  // Short turns: whatever else the machine does disturbs both alike.
  const [rounds, pushes] = [values.quick ? 60 : 600, 20];
  const costs = { without: [] as number[], with: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    for (const which of round % 2 === 0
      ? (["without", "with"] as const)
      : (["with", "without"] as const)) {
      const before = process.cpuUsage();
      for (let at = 0; at < pushes; at += 1) await push(writers[which], round * pushes + at);
      const { user, system } = process.cpuUsage(before);
      costs[which].push((user + system) / pushes);
    }
  }
  const quartile = (list: readonly number[]): number =>
    list.toSorted((a, b) => a - b)[Math.floor(list.length / 4)] ?? Number.NaN;
  const [without, during] = [quartile(costs.without), quartile(costs.with)];
  console.log(
    `commits of a push: ${without.toFixed(0)} µs without totals, ${during.toFixed(0)} µs with, ` +
      `ratio ${(during / without).toFixed(2)} (lower quartiles of ${rounds} turns each)`,
  );
  await writers.with.close();
  await writers.without.close();
}

if (values.only !== "push") await measureDu();
if (values.only !== "du") await measurePush();
