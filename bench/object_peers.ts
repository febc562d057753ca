// The same store of objects below this registry, Debian's docker-registry and zot (Go): what each costs.
//
//   scripts/bun bench/object_peers.ts [--quick] [--zot-go FILE] [--only image|blob|replicas]
//
// versitygw is the store of all, each with a bucket of its own. Servers take turns, and the CPU time is that of the
// registry's processes alone, not of the store and the database. Replicas are compared with one machine that has SQLite
// and the same store: pushes a second, by the same number of clients. What is not installed is passed over by name.

import { mkdir, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Content } from "../src/bench/content.ts";
import { resetPeaks, serverCost } from "../src/bench/process_tree.ts";
import { World } from "../src/bench/world.ts";
import { RegistryClient } from "../src/client/registry_client.ts";
import { GiB, MiB } from "../src/lib/bytes.ts";
import { systemClock } from "../src/lib/clock.ts";
import { startVersitygw, hasVersitygw, type Gateway } from "../test/objects/versitygw.ts";
import { requirePostgres, startPostgres } from "../test/postgres.ts";
import { eventually, startService } from "../test/processes.ts";
import { freePort, tempDirectory } from "../test/temp.ts";
import { cpuOf } from "./server_cpu.ts";

const { values } = parseArgs({
  args: Bun.argv.slice(2),
  options: {
    quick: { type: "boolean", default: false },
    "zot-go": { type: "string", default: "" },
    only: { type: "string", default: "" },
  },
});
const turns = values.quick ? 4 : 16;
const blobBytes = values.quick ? 64 * MiB : 256 * MiB;
const atOnce = 4;
const pushSeconds = values.quick ? 4 : 15;
const pushers = 8;

interface Server {
  readonly name: string;
  /** Of each replica. */
  readonly urls: readonly string[];
  readonly pids: readonly number[];
}

const stack = new AsyncDisposableStack();
const directory = stack.use(await tempDirectory("zot-bench-object-peers"));
const checkout = resolve(import.meta.dir, "..");

/** Starts a program that serves a registry, and waits until it answers. */
async function serve(command: readonly string[], port: number, env = {}): Promise<number> {
  const service = stack.use(startService([...command], { env }));
  await eventually(
    `${command[0]} answers`,
    async () => {
      if (!service.running()) throw new Error(service.stderr().slice(-5).join("\n"));
      const reply = await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => null);
      return reply?.status === 200;
    },
    60_000,
  );
  return service.pid;
}

async function fileOf(name: string, value: object): Promise<string> {
  const path = join(directory.path, name);
  await writeFile(path, JSON.stringify(value));
  return path;
}

/** A bucket is a directory of this gateway. */
async function bucketOf(store: Gateway, name: string): Promise<string> {
  await mkdir(join(store.directory, name), { recursive: true });
  return name;
}

async function zotServer(
  name: string,
  { store, url, count = 1 }: { store: Gateway | null; url?: string; count?: number },
): Promise<Server> {
  const bucket = store === null ? "" : await bucketOf(store, name);
  const replicas = [];
  for (let replica = 1; replica <= count; replica += 1) {
    const port = await freePort();
    const storage = {
      rootDirectory: join(directory.path, `${name}-${replica}`),
      ...(store === null ? {} : { storageDriver: driverOf(store, bucket) }),
      ...(url === undefined ? {} : { metadata: { url } }),
    };
    const http = { address: "127.0.0.1", port: String(port), workers: 2 };
    const file = await fileOf(`${name}-${replica}.json`, {
      storage,
      http,
      log: { level: "error" },
    });
    const pid = await serve([join(checkout, "bin", "zot"), "serve", file], port);
    replicas.push({ url: `http://127.0.0.1:${port}`, pid });
  }
  return { name, urls: replicas.map((each) => each.url), pids: replicas.map((each) => each.pid) };
}

function driverOf(store: Gateway, bucket: string) {
  return {
    name: "s3",
    bucket,
    regionendpoint: store.url,
    region: "us-east-1",
    secure: false,
    accesskey: store.accessKey,
    secretkey: store.secretKey,
  };
}

async function dockerRegistry(store: Gateway): Promise<Server | null> {
  const program = Bun.which("docker-registry");
  if (program === null) return passedOver("docker-registry is not installed");
  const port = await freePort();
  const file = await fileOf("docker-registry.yml", {
    version: 0.1,
    log: { level: "error", accesslog: { disabled: true } },
    storage: {
      cache: { blobdescriptor: "inmemory" },
      redirect: { disable: true },
      delete: { enabled: true },
      s3: {
        accesskey: store.accessKey,
        secretkey: store.secretKey,
        region: "us-east-1",
        regionendpoint: store.url,
        bucket: await bucketOf(store, "docker"),
        secure: false,
        v4auth: true,
      },
    },
    http: { addr: `127.0.0.1:${port}`, secret: "only for a benchmark" },
  });
  const pid = await serve(
    ["env", "-u", "AWS_CA_BUNDLE", "GOMAXPROCS=2", program, "serve", file],
    port,
  );
  return { name: "docker-registry", urls: [`http://127.0.0.1:${port}`], pids: [pid] };
}

async function zotGo(store: Gateway): Promise<Server | null> {
  const program = values["zot-go"];
  if (program === "" || !existsSync(program)) return passedOver("zot (Go): no --zot-go FILE");
  const port = await freePort();
  const bucket = await bucketOf(store, "zot-go");
  const file = await fileOf("zot-go.json", {
    distSpecVersion: "1.1.1",
    storage: {
      rootDirectory: join(directory.path, "zot-go"),
      dedupe: false,
      gc: false,
      storageDriver: { ...driverOf(store, bucket), rootdirectory: "/zot", skipverify: true },
    },
    http: { address: "127.0.0.1", port: String(port) },
    log: { level: "error", output: "/dev/null" },
  });
  const pid = await serve(
    ["env", "-u", "AWS_CA_BUNDLE", "GOMAXPROCS=2", program, "serve", file],
    port,
  );
  return { name: "zot (Go)", urls: [`http://127.0.0.1:${port}`], pids: [pid] };
}

function passedOver(why: string): null {
  console.log(`${why}: passed over`);
  return null;
}

const cpuOfServer = ({ pids }: Server): number => pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
const clientOf = (url: string): RegistryClient =>
  new RegistryClient({ url, tls: { insecure: true }, limits: { idleMs: 120_000 } });

/** A piece of load on a server; the figure is its CPU microseconds for one of `count`. */
interface Work {
  readonly name: string;
  readonly count: number;
  readonly atOnce: number;
  prepare(world: World): Promise<() => Promise<unknown>>;
}

const works: readonly (Work & { readonly kind: "image" | "blob" })[] = [
  {
    kind: "image",
    name: "push of an image of 1 MiB (config, layer, manifest by tag), CPU ms",
    count: values.quick ? 10 : 40,
    atOnce,
    prepare: async (world) => {
      let at = 0;
      return async () => {
        at += 1;
        await world.pushImage(world.newImage(world.repository(`app-${at % 4}`), `v${at}`, [MiB]));
      };
    },
  },
  {
    kind: "image",
    name: "pull of it, CPU ms",
    count: values.quick ? 20 : 80,
    atOnce,
    prepare: async (world) => {
      const image = world.newImage(world.repository("pulled"), "v1", [MiB]);
      await world.pushImage(image);
      return () => world.pullImage(image);
    },
  },
  {
    kind: "blob",
    name: `push of ${blobBytes / MiB} MiB, CPU s per GiB`,
    count: 1,
    atOnce: 1,
    prepare: async (world) => () =>
      world.pushBlob(world.repository("large"), world.newContent(blobBytes), "stream"),
  },
  {
    kind: "blob",
    name: `pull of ${blobBytes / MiB} MiB through the registry, CPU s per GiB`,
    count: 1,
    atOnce: 1,
    prepare: async (world) => {
      const content: Content = world.newContent(blobBytes);
      await world.pushBlob(world.repository("large"), content);
      return () => world.pullBlob(world.repository("large"), content);
    },
  },
];

async function measure(work: (typeof works)[number], servers: readonly Server[]): Promise<void> {
  const sides = [];
  for (const server of servers) {
    const world = new World(clientOf(server.urls[0] ?? ""), "bench");
    sides.push({ server, run: await work.prepare(world), costs: [] as number[], start: 0 });
  }
  for (const { server } of sides) for (const pid of server.pids) resetPeaks(pid);
  for (let turn = -1; turn < (work.kind === "blob" ? Math.ceil(turns / 4) : turns); turn += 1) {
    for (const side of turn % 2 === 0 ? sides : sides.toReversed()) {
      const cpu = cpuOfServer(side.server);
      let left = work.count;
      const client = async (): Promise<void> => {
        while (left-- > 0) await side.run();
      };
      await Promise.all(Array.from({ length: work.atOnce }, client));
      // What it puts off is on its bill.
      await Bun.sleep(300);
      if (turn >= 0) side.costs.push((cpuOfServer(side.server) - cpu) / work.count);
    }
  }
  const middle = (list: readonly number[]): number =>
    list.toSorted((one, other) => one - other)[Math.floor(list.length / 4)] ?? Number.NaN;
  const scale = work.kind === "blob" ? GiB / blobBytes / 1e6 : 1e-3;
  const ours = middle(sides[0]?.costs ?? []);
  console.log(work.name);
  for (const { server, costs } of sides) {
    const peaks = server.pids.map((pid) => (serverCost(pid)?.peakBytes ?? 0) / MiB);
    console.log(
      `  ${server.name.padEnd(28)} ${(middle(costs) * scale).toFixed(2).padStart(8)}` +
        `   ${(middle(costs) / ours).toFixed(2)} times ours   peak ${Math.max(...peaks).toFixed(0)} MiB a process`,
    );
  }
}

/** Pushes of small images a second, by clients that are spread over the replicas. */
async function pushesPerSecond(server: Server): Promise<{ rate: number; cpuMs: number }> {
  const worlds = Array.from({ length: pushers }, (_each, at) => {
    return new World(clientOf(server.urls[at % server.urls.length] ?? ""), "bench");
  });
  let pushed = 0;
  const push = async (world: World, who: number, untilMs: number): Promise<void> => {
    for (let at = 0; systemClock.monotonicMs() < untilMs; at += 1) {
      await world.pushImage(world.newImage(world.repository(`app-${who}`), `v${at}`, [4_096]));
      pushed += 1;
    }
  };
  const both = async (seconds: number): Promise<void> => {
    const untilMs = systemClock.monotonicMs() + seconds * 1_000;
    await Promise.all(worlds.map((world, who) => push(world, who, untilMs)));
  };
  await both(2);
  pushed = 0;
  const [cpu, startedMs] = [cpuOfServer(server), systemClock.monotonicMs()];
  await both(pushSeconds);
  const seconds = (systemClock.monotonicMs() - startedMs) / 1_000;
  return { rate: pushed / seconds, cpuMs: (cpuOfServer(server) - cpu) / pushed / 1_000 };
}

async function compareReplicas(one: Server, several: Server): Promise<void> {
  const figures = new Map<Server, { rate: number; cpuMs: number }[]>();
  for (let round = 0; round < (values.quick ? 1 : 3); round += 1) {
    for (const server of round % 2 === 0 ? [one, several] : [several, one]) {
      figures.set(server, [...(figures.get(server) ?? []), await pushesPerSecond(server)]);
    }
  }
  const best = (server: Server) =>
    (figures.get(server) ?? []).toSorted((a, b) => b.rate - a.rate)[0] ?? { rate: 0, cpuMs: 0 };
  console.log(`pushes of small images a second, ${pushers} clients`);
  for (const server of [one, several]) {
    const { rate, cpuMs } = best(server);
    console.log(
      `  ${server.name.padEnd(28)} ${rate.toFixed(1).padStart(8)}   ` +
        `${(rate / best(one).rate).toFixed(2)} times   ${cpuMs.toFixed(1)} CPU ms of the registry a push`,
    );
  }
}

try {
  if (!hasVersitygw()) process.exit(1);
  const store = stack.use(await startVersitygw());
  const one = await zotServer("sqlite", { store });
  if (values.only !== "replicas") {
    const peers = [await dockerRegistry(store), await zotGo(store)].filter((each) => each !== null);
    for (const work of works) {
      if (values.only === "" || values.only === work.kind) await measure(work, [one, ...peers]);
    }
  }
  if ((values.only === "" || values.only === "replicas") && requirePostgres()) {
    const postgres = stack.use(
      await startPostgres({ fsync: "on", full_page_writes: "on", synchronous_commit: "on" }),
    );
    const url = `postgres://zot@127.0.0.1:${postgres.port}/postgres?sslmode=disable`;
    await compareReplicas(one, await zotServer("replicas", { store, url, count: 2 }));
    const files = await zotServer("files", { store: null });
    await compareReplicas(files, one);
  }
} finally {
  await stack.disposeAsync();
}
