// The same content, half of it garbage, collected by this registry, Debian's docker-registry and zot (Go): CPU seconds.
//
// Each has `images` images of a config and two layers, of which every second one has no tag. This registry collects
// while it serves, as zot (Go) does: what their processes take is compared with what they take in the same time without
// collection. `docker-registry garbage-collect` is a program of its own, which needs a registry that takes no pushes;
// it counts from its start to its end. A program that is not there is passed over with a line.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readProcessTree } from "../src/bench/process_tree.ts";
import { mediaTypes } from "../src/oci/media_types.ts";
import { eventually, startZot, tempDirectory } from "../test/harness.ts";
import { startService } from "../test/processes.ts";
import { change } from "../test/reloading.ts";
import { freePort } from "../test/temp.ts";

export interface PeersOptions {
  readonly images: number;
  /** The program of zot (Go); empty where there is none. */
  readonly zotGo: string;
}

interface Image {
  readonly manifest: Content;
  readonly blobs: readonly Content[];
  /** Null for garbage. */
  readonly tag: string | null;
}

interface Content {
  readonly hex: string;
  readonly bytes: Buffer;
}

const repository = "team/app";
/** How long a server may take. */
const limitMs = 600_000;

function content(text: string): Content {
  const bytes = Buffer.from(text);
  return { hex: createHash("sha256").update(bytes).digest("hex"), bytes };
}

function describe({ hex, bytes }: Content, mediaType: string) {
  return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
}

function imagesOf(count: number): Image[] {
  return Array.from({ length: count }, (_, at) => {
    const config = content(JSON.stringify({ architecture: "amd64", os: "linux", at }));
    const layers = [1, 2].map((layer) => content(`layer ${layer} of ${at} `.repeat(60)));
    const manifest = content(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociImage,
        config: describe(config, "application/vnd.oci.image.config.v1+json"),
        layers: layers.map((layer) => describe(layer, "application/vnd.oci.image.layer.v1.tar")),
      }),
    );
    return { manifest, blobs: [config, ...layers], tag: at % 2 === 0 ? `v${at}` : null };
  });
}

/** CPU milliseconds of a server, all of its processes. */
function cpuMs(pid: number): number {
  return 1_000 * readProcessTree(pid).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
}

/** Waits until only what is wanted is left: blobs in a directory. */
async function collected(directory: string, left: number): Promise<void> {
  const done = (): boolean => readdirSync(directory).length <= left;
  await eventually(`${left} files are left in ${directory}`, done, limitMs);
}

async function ours(images: readonly Image[]): Promise<number> {
  await using directory = await tempDirectory("zot-bench-gc");
  const storage = { rootDirectory: join(directory.path, "root"), undo: { window: "0s" } };
  const off = { http: { workers: 2 }, storage: { ...storage, gc: false } };
  const on = {
    http: { workers: 2 },
    storage: { ...storage, gcDelay: "1s", gcInterval: "1s" },
  };
  await using zot = await startZot({ config: off });
  const base = `${zot.url}/v2/${repository}`;
  for (const { manifest, blobs, tag } of images) {
    await Promise.all(
      blobs.map(({ hex, bytes }) =>
        sent(`${base}/blobs/uploads/?digest=sha256:${hex}`, "POST", bytes),
      ),
    );
    const reference = tag ?? `sha256:${manifest.hex}`;
    await sent(`${base}/manifests/${reference}`, "PUT", manifest.bytes, mediaTypes.ociImage);
  }
  await Bun.sleep(5_000);
  const idle = await idlePerMs(zot.pid);
  const startedMs = performance.now();
  const before = cpuMs(zot.pid);
  await change(zot, on);
  const wanted = images.filter(({ tag }) => tag !== null);
  await collected(
    join(storage.rootDirectory, repository, "blobs/sha256"),
    wanted.reduce((sum, { blobs }) => sum + blobs.length + 1, 0),
  );
  // What it puts off is on its bill.
  await Bun.sleep(2_000);
  return cpuMs(zot.pid) - before - idle * (performance.now() - startedMs);
}

async function idlePerMs(pid: number): Promise<number> {
  const [before, startedMs] = [cpuMs(pid), performance.now()];
  await Bun.sleep(5_000);
  return (cpuMs(pid) - before) / (performance.now() - startedMs);
}

async function sent(url: string, method: string, body: Buffer, type?: string): Promise<void> {
  const headers = type === undefined ? {} : { "content-type": type };
  const answer = await fetch(url, { method, body: new Uint8Array(body), headers });
  await answer.arrayBuffer();
  if (answer.status !== 201) throw new Error(`${method} ${url}: ${answer.status}`);
}

function write(path: string, bytes: string | Buffer): void {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, bytes);
}

/** As docker-registry lays its files out. */
function writeDocker(root: string, images: readonly Image[]): void {
  const base = join(root, "docker/registry/v2");
  const at = join(base, "repositories", repository);
  const link = (path: string, { hex }: Content): void =>
    write(join(at, path, "link"), `sha256:${hex}`);
  for (const { manifest, blobs, tag } of images) {
    for (const each of [manifest, ...blobs]) {
      write(join(base, "blobs/sha256", each.hex.slice(0, 2), each.hex, "data"), each.bytes);
    }
    for (const each of blobs) link(`_layers/sha256/${each.hex}`, each);
    link(`_manifests/revisions/sha256/${manifest.hex}`, manifest);
    if (tag === null) continue;
    link(`_manifests/tags/${tag}/current`, manifest);
    link(`_manifests/tags/${tag}/index/sha256/${manifest.hex}`, manifest);
  }
}

async function dockerRegistry(images: readonly Image[]): Promise<number | string> {
  const program = Bun.which("docker-registry");
  if (program === null) return "docker-registry is not installed: passed over";
  await using directory = await tempDirectory("zot-bench-gc");
  const root = join(directory.path, "root");
  writeDocker(root, images);
  const file = join(directory.path, "config.yml");
  write(
    file,
    JSON.stringify({
      version: 0.1,
      log: { level: "error" },
      storage: { filesystem: { rootdirectory: root }, delete: { enabled: true } },
    }),
  );
  const child = Bun.spawn([program, "garbage-collect", "--delete-untagged=true", file], {
    stdout: "ignore",
    stderr: "pipe",
  });
  const [code, stderr] = await Promise.all([child.exited, new Response(child.stderr).text()]);
  if (code !== 0) throw new Error(`docker-registry garbage-collect: ${stderr}`);
  const garbage = images.find(({ tag }) => tag === null)?.manifest.hex ?? "";
  const gone = join(root, "docker/registry/v2/blobs/sha256", garbage.slice(0, 2), garbage, "data");
  if (existsSync(gone)) throw new Error("docker-registry collected nothing");
  const { cpuTime } = child.resourceUsage() ?? {};
  return Number(cpuTime?.total ?? 0) / 1_000;
}

function writeLayout(root: string, images: readonly Image[]): void {
  const at = join(root, repository);
  for (const { manifest, blobs } of images) {
    for (const each of [manifest, ...blobs]) write(join(at, "blobs/sha256", each.hex), each.bytes);
  }
  write(join(at, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  const manifests = images.map(({ manifest, tag }) => ({
    ...describe(manifest, mediaTypes.ociImage),
    ...(tag === null ? {} : { annotations: { "org.opencontainers.image.ref.name": tag } }),
  }));
  write(join(at, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
}

/** Its own collection while it serves, less what it takes in the same time without. */
async function zotInGo(images: readonly Image[], program: string): Promise<number | string> {
  if (program === "" || !existsSync(program)) return "zot (Go): no --zot-go FILE: passed over";
  const wanted = images.filter(({ tag }) => tag !== null).length * 4;
  const run = async (gc: boolean, forMs: number | null) => {
    await using directory = await tempDirectory("zot-bench-gc");
    const root = join(directory.path, "root");
    writeLayout(root, images);
    const file = join(directory.path, "config.json");
    const collects = gc ? { gcDelay: "1s", gcInterval: "1h" } : {};
    const storage = { rootDirectory: root, gc, ...collects };
    const http = { address: "127.0.0.1", port: String(await freePort()) };
    write(file, JSON.stringify({ storage, http, log: { level: "error" } }));
    // What it collects is to be older than its delay.
    await Bun.sleep(3_000);
    await using service = startService([program, "serve", file], { env: { GOMAXPROCS: "2" } });
    const startedMs = performance.now();
    if (forMs === null) await collected(join(root, repository, "blobs/sha256"), wanted);
    else await Bun.sleep(forMs);
    await Bun.sleep(1_000);
    return { cpu: cpuMs(service.pid), tookMs: performance.now() - startedMs };
  };
  const collecting = await run(true, null);
  const idle = await run(false, collecting.tookMs - 1_000);
  return collecting.cpu - idle.cpu;
}

/** Prints the figures. */
export async function collectOnPeers({ images: count, zotGo }: PeersOptions): Promise<void> {
  const images = imagesOf(count);
  const own = await ours(images);
  console.log(
    `${count} images, half of them without a tag, of 4 files each: ${own.toFixed(0)} ms of CPU`,
  );
  const peers = {
    "docker-registry garbage-collect": dockerRegistry,
    "zot (Go)": (all: readonly Image[]) => zotInGo(all, zotGo),
  };
  for (const [name, collect] of Object.entries(peers)) {
    const cost = await collect(images);
    const says =
      typeof cost === "string"
        ? cost
        : `${name}: ${cost.toFixed(0)} ms of CPU, ${(cost / own).toFixed(1)} times as much`;
    console.log(says);
  }
}
