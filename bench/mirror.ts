// What mirroring costs: `scripts/bun bench/mirror.ts [--quick] [--only cached|cold|crowd|peer] [--zot-go FILE]
// [--size MIB] [--rounds N]`; the last two are of the cold blob.
//
// First the CPU time of pulls from a mirrored repository, whose content is here, and from an ordinary one of the same
// server, in turn: the goal is a ratio of 1.1 at most. Then a cold blob through the mirror and from its upstream
// directly: first byte and last byte within 1.2 times, and the memory that the server took. Its upstream answers after
// 30 ms and sends 1 Gbit/s, as over a network; a second figure is of an upstream without either. Then 50 clients at once
// for one cold blob: the upstream is asked once. With `--zot-go` a cold image through this mirror and through zot (Go).
// It prints the figures and judges nothing.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readProcessTree } from "../src/bench/process_tree.ts";
import { eventually, freePort, startService, startZot, tempDirectory } from "../test/harness.ts";

const { values } = parseArgs({
  args: Bun.argv.slice(2),
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    "zot-go": { type: "string", default: "" },
    size: { type: "string" },
    rounds: { type: "string" },
  },
});
const MiB = 1024 * 1024;
const sha256 = (bytes: Uint8Array | string): string =>
  `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;
const types = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
};

function random(bytes: number): Uint8Array<ArrayBuffer> {
  const content = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65_536)
    crypto.getRandomValues(content.subarray(at, at + 65_536));
  return content;
}

/** A registry to pull from, which counts what it is asked for. */
class Upstream implements AsyncDisposable {
  readonly blobs = new Map<string, Uint8Array<ArrayBuffer> | Blob>();
  readonly manifests = new Map<string, { text: string; type: string }>();
  readonly asked: string[] = [];
  latencyMs = 0;
  /** Of each download; 0 for as fast as it goes. */
  bytesPerSecond = 0;
  readonly #server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch: (request) => this.#answer(request),
  });

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  get host(): string {
    return `127.0.0.1:${this.#server.port}`;
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname !== "/v2/") this.asked.push(`${request.method} ${pathname}`);
    if (this.latencyMs > 0) await Bun.sleep(this.latencyMs);
    if (pathname === "/v2/") return new Response("{}");
    const [, kind = "", reference = ""] = /\/(manifests|blobs)\/(.+)$/.exec(pathname) ?? [];
    if (kind === "blobs") {
      const blob = this.blobs.get(reference);
      if (blob === undefined) return new Response(null, { status: 404 });
      const headers = { "docker-content-digest": reference };
      if (this.bytesPerSecond === 0) return new Response(blob, { headers });
      const sizeBytes = blob instanceof Blob ? blob.size : blob.length;
      return new Response(paced(new Blob([blob]), this.bytesPerSecond), {
        headers: { ...headers, "content-length": String(sizeBytes) },
      });
    }
    const found = this.manifests.get(reference);
    if (found === undefined) return new Response("{}", { status: 404 });
    const headers = {
      "content-type": found.type,
      "docker-content-digest": sha256(found.text),
      "content-length": String(found.text.length),
    };
    return new Response(request.method === "HEAD" ? null : found.text, { headers });
  }

  addManifest(tag: string | null, content: object, type: string): string {
    const text = JSON.stringify({ schemaVersion: 2, mediaType: type, ...content });
    const digest = sha256(text);
    this.manifests.set(digest, { text, type });
    if (tag !== null) this.manifests.set(tag, { text, type });
    return digest;
  }

  /** An image of layers of these sizes; gives its digest. */
  addImage(tag: string | null, layerBytes: readonly number[]): string {
    const config = random(2_000);
    const layers = layerBytes.map((bytes) => random(bytes));
    for (const blob of [config, ...layers]) this.blobs.set(sha256(blob), blob);
    const descriptor = (blob: Uint8Array, mediaType: string) => ({
      mediaType,
      digest: sha256(blob),
      size: blob.length,
    });
    const content = {
      config: descriptor(config, types.config),
      layers: layers.map((layer) => descriptor(layer, types.layer)),
    };
    return this.addManifest(tag, content, types.manifest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }
}

/** A body that comes as over a line of so many bytes a second. */
function paced(blob: Blob, bytesPerSecond: number): ReadableStream<Uint8Array> {
  const startMs = performance.now();
  const partBytes = 256 * 1024;
  let at = 0;
  return new ReadableStream({
    type: "bytes",
    pull: async (controller) => {
      const part = await blob.slice(at, at + partBytes).bytes();
      at += part.length;
      const aheadMs = (at / bytesPerSecond) * 1000 - (performance.now() - startMs);
      if (aheadMs > 1) await Bun.sleep(aheadMs);
      if (part.length > 0) controller.enqueue(part);
      if (at >= blob.size) controller.close();
    },
  });
}

function mirrorOf(upstream: Upstream, changes: object = {}): object {
  return {
    extensions: {
      sync: {
        registries: [
          {
            urls: [upstream.url],
            onDemand: true,
            content: [{ prefix: "**", destination: "/up" }],
            tlsVerify: false,
            ...changes,
          },
        ],
      },
    },
    http: { workers: 2 },
  };
}

interface ImageManifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

const accept = { accept: Object.values(types).join(", ") };

/** As a client does: the tag, then its blobs, three at a time. */
async function pull(base: string, repository: string, tag: string): Promise<number> {
  const at = `${base}/v2/${repository}`;
  const head = await fetch(`${at}/manifests/${tag}`, { method: "HEAD", headers: accept });
  const digest = head.headers.get("docker-content-digest") ?? tag;
  const got = await fetch(`${at}/manifests/${digest}`, { headers: accept });
  if (!got.ok)
    throw new Error(`${repository}:${tag} was answered ${got.status}: ${await got.text()}`);
  let manifest = (await got.json()) as ImageManifest & { manifests?: { digest: string }[] };
  const child = manifest.manifests?.[0]?.digest;
  if (child !== undefined) {
    const answer = await fetch(`${at}/manifests/${child}`, { headers: accept });
    manifest = (await answer.json()) as ImageManifest;
  }
  const waiting = [manifest.config, ...manifest.layers];
  let bytes = 0;
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const blob = await fetch(`${at}/blobs/${next.digest}`);
      if (!blob.ok) throw new Error(`${next.digest} was answered ${blob.status}`);
      for await (const part of blob.body ?? []) bytes += (part as Uint8Array).length;
    }
  };
  await Promise.all([lane(), lane(), lane()]);
  return bytes;
}

/** Of all threads of all processes, to the microsecond: the clock of `readProcessTree` ticks every 10 ms. */
function cpuSeconds(pid: number): number {
  return readProcessTree(pid).reduce((sum, { pid: each, cpuSeconds: ticked }) => {
    const threads = threadsOf(each).map((thread) => nanoseconds(`${thread}/schedstat`));
    if (threads.length === 0) return sum + ticked;
    return sum + threads.reduce((all, ns) => all + ns, 0) / 1e9;
  }, 0);
}

function threadsOf(pid: number): string[] {
  const directory = `/proc/${pid}/task`;
  if (!existsSync(`${directory}/${pid}/schedstat`)) return [];
  return readdirSync(directory).map((thread) => `${directory}/${thread}`);
}

/** 0 for a thread that has ended meanwhile. */
function nanoseconds(path: string): number {
  try {
    return Number(readFileSync(path, "utf8").split(" ")[0]);
  } catch {
    return 0;
  }
}

function quantile(numbers: readonly number[], part: number): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length * part)] ?? 0;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

/** Copies what is at one repository to another of the same server. */
async function push(base: string, repository: string, upstream: Upstream, digest: string) {
  const manifest = upstream.manifests.get(digest);
  if (manifest === undefined) throw new Error("no such image");
  for (const [blob, bytes] of upstream.blobs) {
    const url = `${base}/v2/${repository}/blobs/uploads/?digest=${blob}`;
    await fetch(url, { method: "POST", body: bytes });
  }
  await fetch(`${base}/v2/${repository}/manifests/v1`, {
    method: "PUT",
    headers: { "content-type": manifest.type },
    body: manifest.text,
  });
}

async function cached(pulls: number, rounds: number): Promise<void> {
  await using upstream = new Upstream();
  const digest = upstream.addImage("v1", [20_000, 200_000, 2 * MiB]);
  for (const interval of ["1h", "0s"]) {
    await using zot = await startZot({
      config: mirrorOf(upstream, { manifestCheckInterval: interval }),
    });
    await push(zot.url, "own/app", upstream, digest);
    const places = { ordinary: "own/app", mirrored: "up/app" };
    // Both are compiled and in memory before anything is counted.
    for (let count = 0; count < 100; count += 1) {
      for (const place of Object.values(places)) await pull(zot.url, place, "v1");
    }
    const ratios: number[] = [];
    const spent = { ordinary: 0, mirrored: 0 };
    for (let round = 0; round < rounds; round += 1) {
      const cost = { ordinary: 0, mirrored: 0 };
      // There and back: what gets slower or faster on the way cancels out.
      const order = ["ordinary", "mirrored", "mirrored", "ordinary"] as const;
      for (const kind of round % 2 === 0 ? order : order.map(other)) {
        const before = cpuSeconds(zot.pid);
        for (let count = 0; count < pulls; count += 1) await pull(zot.url, places[kind], "v1");
        cost[kind] += cpuSeconds(zot.pid) - before;
      }
      spent.ordinary += cost.ordinary;
      spent.mirrored += cost.mirrored;
      ratios.push(cost.mirrored / cost.ordinary);
    }
    const each = (kind: keyof typeof spent): string =>
      ((spent[kind] * 1000) / (2 * pulls * rounds)).toFixed(2);
    const [low, middle, high] = [0.25, 0.5, 0.75].map((part) => quantile(ratios, part).toFixed(2));
    console.log(
      `cached pull, manifestCheckInterval ${interval}: ${each("ordinary")} ms of CPU from an ordinary repository, ` +
        `${each("mirrored")} ms from a mirrored one, ratio ${(spent.mirrored / spent.ordinary).toFixed(2)} of all, ` +
        `${middle} in the middle (half of ${rounds} rounds of ${2 * pulls} lie from ${low} to ${high})`,
    );
  }
}

function other(kind: "ordinary" | "mirrored"): "ordinary" | "mirrored" {
  return kind === "ordinary" ? "mirrored" : "ordinary";
}

async function timedBlob(url: string): Promise<{ firstMs: number; lastMs: number; bytes: number }> {
  const start = performance.now();
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} was answered ${answer.status}: ${await answer.text()}`);
  let firstMs = 0;
  let bytes = 0;
  for await (const part of answer.body ?? []) {
    if (bytes === 0) firstMs = performance.now() - start;
    bytes += (part as Uint8Array).length;
  }
  return { firstMs, lastMs: performance.now() - start, bytes };
}

function residentBytes(pid: number): number {
  return readProcessTree(pid).reduce((most, each) => Math.max(most, each.peakBytes), 0);
}

/** A blob in a file, as large as it is said. */
async function largeBlob(
  directory: string,
  bytes: number,
): Promise<{ blob: Blob; digest: string }> {
  const path = join(directory, "large");
  const hash = new Bun.CryptoHasher("sha256");
  const writer = Bun.file(path).writer();
  for (let at = 0; at < bytes; at += 16 * MiB) {
    const part = random(Math.min(16 * MiB, bytes - at));
    hash.update(part);
    await writer.write(part);
    await writer.flush();
  }
  await writer.end();
  return { blob: Bun.file(path), digest: `sha256:${hash.digest("hex")}` };
}

function addLarge(upstream: Upstream, tag: string, large: { blob: Blob; digest: string }): void {
  upstream.blobs.set(large.digest, large.blob);
  const config = random(100);
  upstream.blobs.set(sha256(config), config);
  upstream.addManifest(
    tag,
    {
      config: { mediaType: types.config, digest: sha256(config), size: config.length },
      layers: [{ mediaType: types.layer, digest: large.digest, size: large.blob.size }],
    },
    types.manifest,
  );
}

async function cold(bytes: number, rounds: number, isRemote: boolean): Promise<void> {
  await using directory = await tempDirectory("zot-bench-mirror");
  await using upstream = new Upstream();
  const large = await largeBlob(directory.path, bytes);
  addLarge(upstream, "v1", large);
  if (isRemote) Object.assign(upstream, { latencyMs: 30, bytesPerSecond: 125_000_000 });
  const what = `cold blob of ${bytes / MiB} MiB ${isRemote ? "at 1 Gbit/s and 30 ms" : "on this machine"}`;
  const ratios = { first: [] as number[], last: [] as number[] };
  const cpu: number[] = [];
  let grown = 0;
  for (let round = 0; round < rounds; round += 1) {
    await using zot = await startZot({ config: mirrorOf(upstream) });
    await fetch(`${zot.url}/v2/up/app/manifests/v1`, { headers: accept });
    const direct = await timedBlob(`${upstream.url}/v2/app/blobs/${large.digest}`);
    const before = residentBytes(zot.pid);
    const cpuBefore = cpuSeconds(zot.pid);
    const mirrored = await timedBlob(`${zot.url}/v2/up/app/blobs/${large.digest}`);
    grown = Math.max(grown, residentBytes(zot.pid) - before);
    cpu.push(cpuSeconds(zot.pid) - cpuBefore);
    if (mirrored.bytes !== large.blob.size) throw new Error("not all bytes came");
    ratios.first.push(mirrored.firstMs / direct.firstMs);
    ratios.last.push(mirrored.lastMs / direct.lastMs);
    console.log(
      `${what}: first byte ${direct.firstMs.toFixed(1)} ms directly and ${mirrored.firstMs.toFixed(1)} ms ` +
        `through the mirror, last byte ${direct.lastMs.toFixed(0)} and ${mirrored.lastMs.toFixed(0)} ms`,
    );
  }
  console.log(
    `${what}: ratio ${median(ratios.first).toFixed(2)} to the first byte, ${median(ratios.last).toFixed(2)} to the last; ` +
      `${median(cpu).toFixed(1)} s of CPU; the largest process grew by ${(grown / MiB).toFixed(0)} MiB`,
  );
}

async function crowd(bytes: number, clients: number): Promise<void> {
  await using directory = await tempDirectory("zot-bench-mirror");
  await using upstream = new Upstream();
  const large = await largeBlob(directory.path, bytes);
  addLarge(upstream, "v1", large);
  await using zot = await startZot({ config: mirrorOf(upstream) });
  await fetch(`${zot.url}/v2/up/app/manifests/v1`, { headers: accept });
  const url = `${zot.url}/v2/up/app/blobs/${large.digest}`;
  const got = await Promise.all(Array.from({ length: clients }, () => timedBlob(url)));
  const whole = got.filter((each) => each.bytes === large.blob.size).length;
  const downloads = upstream.asked.filter((each) => each.endsWith(large.digest)).length;
  console.log(
    `${clients} clients at once for a cold blob of ${bytes / MiB} MiB: ${whole} got all of it, ${downloads} download(s) upstream`,
  );
}

interface Peer extends AsyncDisposable {
  readonly url: string;
}

async function startZotGo(file: string, upstream: Upstream): Promise<Peer> {
  const directory = await tempDirectory("zot-go-mirror");
  const port = await freePort();
  const config = {
    distSpecVersion: "1.1.1",
    storage: { rootDirectory: join(directory.path, "root") },
    http: { address: "127.0.0.1", port: String(port) },
    log: { level: "error" },
    extensions: {
      sync: {
        enable: true,
        registries: [
          {
            urls: [upstream.url],
            onDemand: true,
            tlsVerify: false,
            preserveDigest: true,
            content: [{ prefix: "**", destination: "/up" }],
          },
        ],
      },
    },
  };
  mkdirSync(join(directory.path, "root"));
  writeFileSync(
    join(directory.path, "config.json"),
    JSON.stringify({ ...config, http: { ...config.http, compat: ["docker2s2"] } }),
  );
  const service = startService([file, "serve", join(directory.path, "config.json")]);
  const url = `http://127.0.0.1:${port}`;
  await eventually("zot (Go) answers", async () => {
    if (!service.running()) throw new Error(`zot (Go) ended: ${service.stderr().join("\n")}`);
    return (await fetch(`${url}/v2/`).catch(() => null))?.ok;
  });
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      await service[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** An index of four platforms, of which one is pulled, cold and again. */
async function peer(file: string, layerBytes: number, rounds: number): Promise<void> {
  const times = { ours: [] as number[], theirs: [] as number[] };
  const asked = { ours: [] as number[], theirs: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    for (const who of round % 2 === 0
      ? (["ours", "theirs"] as const)
      : (["theirs", "ours"] as const)) {
      await using upstream = new Upstream();
      upstream.latencyMs = 30;
      const platforms = ["amd64", "arm64", "ppc64le", "s390x"].map((architecture) => {
        const digest = upstream.addImage(
          null,
          Array.from({ length: 6 }, () => layerBytes),
        );
        const size = upstream.manifests.get(digest)?.text.length ?? 0;
        return { mediaType: types.manifest, digest, size, platform: { architecture, os: "linux" } };
      });
      upstream.addManifest("v1", { manifests: platforms }, types.index);
      await using server: Peer =
        who === "ours"
          ? await startZot({ config: mirrorOf(upstream) })
          : await startZotGo(file, upstream);
      const start = performance.now();
      await pull(server.url, "up/app", "v1");
      times[who].push(performance.now() - start);
      asked[who].push(upstream.asked.length);
    }
  }
  const [ours, theirs] = [median(times.ours), median(times.theirs)];
  console.log(
    `a cold image of 6 layers of ${layerBytes / MiB} MiB, one of 4 platforms: ${ours.toFixed(0)} ms and ${median(asked.ours)} upstream requests, ` +
      `zot (Go) ${theirs.toFixed(0)} ms and ${median(asked.theirs)}: ratios ${(theirs / ours).toFixed(1)} and ${(median(asked.theirs) / median(asked.ours)).toFixed(1)}`,
  );
}

const wanted = (part: string): boolean => values.only === "" || values.only === part;
if (wanted("cached")) await cached(10, values.quick ? 20 : 60);
if (wanted("cold")) {
  const bytes = Number(values.size ?? (values.quick ? 256 : 1024)) * MiB;
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  await cold(bytes, rounds, true);
  await cold(bytes, rounds, false);
}
if (wanted("crowd")) await crowd(64 * MiB, 50);
if (wanted("peer") && values["zot-go"] !== "") {
  await peer(values["zot-go"], 4 * MiB, values.quick ? 1 : 3);
}
