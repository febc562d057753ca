// Whether memory stops rising: a server under a steady load of pushes, pulls, lists and deletes, for as long as asked.
//
//   scripts/bun scripts/measure_soak.ts [minutes] [operations a second]      (120, 60)
//
// The content repeats after some hundred images, so that what the server stores stops growing soon and only a leak
// goes on rising. Prints a line a minute (proportional share of memory of each process, in MiB), and at the end how
// fast each process rose over the second half. Talks to loopback only and ends what it starts. Not a test.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  descendants,
  eventually,
  freePort,
  packageDirectory,
  startService,
  tempDirectory,
} from "../test/harness.ts";

const minutes = Number(process.argv[2] ?? 120);
const perSecond = Number(process.argv[3] ?? 60);
const program = join(packageDirectory, "bin/zot");

const imagesMax = 400;
const repositories = 8;
const layerBytes = 20_000;
const sampleMs = 60_000;
const manifestType = "application/vnd.oci.image.manifest.v1+json";

interface Sample {
  readonly minute: number;
  /** MiB by role: the primary, then workers in the order of their start. */
  readonly memory: readonly number[];
}

interface Counts {
  done: number;
  failed: number;
}

interface Server {
  readonly url: string;
  readonly pid: number;
}

async function main(): Promise<void> {
  await using directory = await tempDirectory("zot-soak");
  const port = await freePort();
  const rootDirectory = join(directory.path, "root");
  await mkdir(rootDirectory);
  const config = join(directory.path, "config.json");
  const http = { address: "127.0.0.1", port: String(port) };
  await writeFile(
    config,
    JSON.stringify({ storage: { rootDirectory }, http, log: { level: "error" } }),
  );
  await using service = startService([program, "serve", config]);
  const zot: Server = { url: `http://127.0.0.1:${port}`, pid: service.pid };
  await eventually("the server is ready", () => isReady(zot));
  const counts: Counts = { done: 0, failed: 0 };
  const samples: Sample[] = [];
  const endMs = performance.now() + minutes * 60_000;
  const load = runLoad(zot, counts, endMs);
  for (let minute = 0; minute <= minutes; minute += 1) {
    const sample = { minute, memory: memoryOf(zot) };
    samples.push(sample);
    const figures = sample.memory.map((each) => each.toFixed(1)).join("  ");
    console.log(`${minute} min  ${figures}  requests ${counts.done}, failed ${counts.failed}`);
    await Bun.sleep(Math.min(sampleMs, Math.max(endMs - performance.now(), 0)));
  }
  await load;
  console.table(samples[0]?.memory.map((_, index) => riseOf(samples, index)) ?? []);
}

async function isReady({ url }: Server): Promise<boolean> {
  return (await fetch(`${url}/readyz`).catch(() => null))?.status === 200;
}

/** One operation after another at a steady pace; what cannot keep up runs as fast as it can. */
async function runLoad(zot: Server, counts: Counts, endMs: number): Promise<void> {
  let nextMs = performance.now();
  for (let index = 0; performance.now() < endMs; index += 1) {
    await operate(zot, counts, index).catch(() => (counts.failed += 1));
    nextMs = Math.max(nextMs + 1000 / perSecond, performance.now() - 1000);
    await Bun.sleep(Math.max(nextMs - performance.now(), 0));
  }
}

/** One image pushed, pulled and listed; one in four is deleted again. */
async function operate(zot: Server, counts: Counts, index: number): Promise<void> {
  const image = index % imagesMax;
  const repository = `soak/r${image % repositories}`;
  const send = async (path: string, expected: number[], init: RequestInit = {}) => {
    const answer = await fetch(`${zot.url}/v2/${repository}/${path}`, init);
    await answer.arrayBuffer();
    counts.done += 1;
    if (!expected.includes(answer.status)) throw new Error(`${path}: ${answer.status}`);
  };
  const blobs = [contentOf(image, layerBytes), contentOf(image, 300)].map((bytes) => ({
    bytes,
    digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`,
  }));
  for (const { bytes, digest } of blobs) {
    await send(`blobs/uploads/?digest=${digest}`, [201], { method: "POST", body: bytes });
  }
  const [layer, config] = blobs.map(({ bytes, digest }) => ({ digest, size: bytes.length }));
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
    layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", ...layer }],
  });
  const tag = `t${image}`;
  const headers = { "content-type": manifestType };
  await send(`manifests/${tag}`, [201], { method: "PUT", body: manifest, headers });
  await send(`manifests/${tag}`, [200]);
  await send(`blobs/${layer?.digest}`, [200]);
  await send("tags/list?n=50", [200]);
  await send("manifests/absent", [404]);
  if (image % 4 === 0) await send(`manifests/${tag}`, [202], { method: "DELETE" });
}

function contentOf(image: number, length: number): Uint8Array<ArrayBuffer> {
  return Buffer.alloc(length, `image ${image} of ${length} bytes `);
}

function memoryOf(zot: Server): number[] {
  return [zot.pid, ...descendants(zot.pid)].map(proportionalMiB);
}

/** A process's share of memory that it shares with others, and all of its own. */
function proportionalMiB(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) / 1024;
}

/** The straight line through the second half of the samples. */
function riseOf(samples: readonly Sample[], index: number) {
  const half = samples.slice(samples.length >> 1);
  const points = half.map(({ minute, memory }) => [minute, memory[index] ?? 0] as const);
  const mean = (of: (point: readonly [number, number]) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [atMinute, atMemory] = [mean(([x]) => x), mean(([, y]) => y)];
  const spread = mean(([x]) => (x - atMinute) ** 2);
  const slope = mean(([x, y]) => (x - atMinute) * (y - atMemory)) / (spread || 1);
  return {
    process: index === 0 ? "primary" : `worker ${index}`,
    "start, MiB": (samples[0]?.memory[index] ?? 0).toFixed(1),
    "end, MiB": (samples.at(-1)?.memory[index] ?? 0).toFixed(1),
    "rise over the second half, MiB an hour": (slope * 60).toFixed(1),
  };
}

await main();
