// What search adds to a push: two servers, one with search and one without, get the same pushes in turn, and the figure
// is the ratio of their CPU time.
//
// An image has a configuration with a history and four layers, one of which is everybody's; it is pushed as clients do,
// by POST and PUT of each blob and PUT of its manifest. A turn is some images: by four clients at once, or one after the
// other with rests in which search does its work, so that no two images share any. CPU time of a turn is read when the
// next one of the same server begins, so that what search does afterwards is on its bill.

import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RegistryClient, locationOf } from "../src/client/registry_client.ts";
import { mediaTypes } from "../src/oci/media_types.ts";
import {
  checkoutProgram,
  eventually,
  freePort,
  startService,
  tempDirectory,
} from "../test/harness.ts";
import { cpuByProcess } from "./server_cpu.ts";

/** How images are pushed. */
const ways = [
  { name: "four clients at once", images: 24, atOnce: 4, restMs: 0 },
  { name: "one by one, with rests", images: 4, atOnce: 1, restMs: 250 },
] as const;
type Way = (typeof ways)[number];
const layerBytes = 4_096;
const repositories = 12;
/** The first turns compile what runs. */
const warmTurns = 8;

interface Side {
  readonly pid: number;
  readonly client: RegistryClient;
  pushed: number;
  /** CPU microseconds of each image of a turn: of the primary, and of all processes. */
  readonly costs: { readonly primary: number; readonly all: number }[];
  before: { readonly primary: number; readonly all: number } | null;
}

/** Prints the ratios. */
export async function measurePush(turns: number): Promise<void> {
  await using directory = await tempDirectory("zot-bench-search");
  await using without = await start(join(directory.path, "without"), false);
  await using withSearch = await start(join(directory.path, "with"), true);
  for (const way of ways) print(way, await take(way, [without, withSearch], turns));
}

type Sides = readonly [Side, Side];

async function take(way: Way, sides: Sides, turns: number): Promise<Sides> {
  for (const side of sides) Object.assign(side, { costs: [], before: null });
  for (let turn = 0; turn < turns + warmTurns; turn += 1) {
    for (const side of turn % 2 === 0 ? sides : sides.toReversed()) {
      const now = costOf(side.pid);
      if (turn > warmTurns && side.before !== null) {
        const { primary, all } = side.before;
        side.costs.push({
          primary: (now.primary - primary) / way.images,
          all: (now.all - all) / way.images,
        });
      }
      side.before = now;
      await pushSome(way, side);
    }
  }
  return sides;
}

/** Without a log of requests, which both would pay for. */
async function start(path: string, search: boolean): Promise<Side & AsyncDisposable> {
  const port = await freePort();
  const file = `${path}.json`;
  const config = {
    storage: { rootDirectory: path },
    http: { address: "127.0.0.1", port, workers: 2 },
    log: { level: "error" },
    extensions: { search: { enable: search } },
  };
  await writeFile(file, JSON.stringify(config));
  const service = startService([checkoutProgram, "serve", file]);
  const url = `http://127.0.0.1:${port}`;
  await eventually("the server answers", async () => {
    if (!service.running()) throw new Error(service.stderr().join("\n"));
    return fetch(`${url}/v2/`).then(
      ({ status }) => status === 200,
      () => false,
    );
  });
  return {
    pid: service.pid,
    client: new RegistryClient({ url }),
    pushed: 0,
    costs: [],
    before: null,
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}

function costOf(pid: number): { primary: number; all: number } {
  const costs = cpuByProcess(pid);
  return {
    primary: costs.get(pid) ?? 0,
    all: costs.values().reduce((sum, each) => sum + each, 0),
  };
}

async function pushSome({ images, atOnce, restMs }: Way, side: Side): Promise<void> {
  let left: number = images;
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      await pushImage(side, (side.pushed += 1));
      if (restMs > 0) await Bun.sleep(restMs);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, client));
}

/** Of the same bytes for each server. */
async function pushImage({ client }: Side, at: number): Promise<void> {
  const repository = `team/app-${at % repositories}`;
  const config = Buffer.from(JSON.stringify(configOfImage(at)));
  const layers = ["base", `${at} a`, `${at} b`, `${at} c`].map((seed) => layerOf(seed));
  const described = (bytes: Buffer, mediaType: string) => ({
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
  });
  for (const blob of [config, ...layers]) {
    const location = locationOf(await client.uploadStart(repository));
    if (location === null) throw new Error("an upload has no location");
    const body = { open: () => [blob], lengthBytes: blob.length };
    const { status } = await client.uploadPut(location, digestOf(blob), { body });
    if (status !== 201) throw new Error(`a blob was answered ${status}`);
  }
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociImage,
    config: described(config, mediaTypes.ociConfig),
    layers: layers.map((layer) => described(layer, mediaTypes.ociLayer)),
  };
  const { status } = await client.manifestPut(repository, `v${at}`, {
    mediaType: mediaTypes.ociImage,
    body: Buffer.from(JSON.stringify(manifest)),
  });
  if (status !== 201) throw new Error(`a manifest was answered ${status}`);
}

function configOfImage(at: number): object {
  const history = Array.from({ length: 8 }, (_, step) => ({
    created: "2026-01-01T00:00:00Z",
    created_by: `RUN /bin/sh -c step ${step} of image ${at}`,
    ...(step % 2 === 0 ? { empty_layer: true } : {}),
  }));
  return {
    architecture: "amd64",
    os: "linux",
    created: "2026-01-01T00:00:00Z",
    config: { Env: ["PATH=/usr/bin"], Labels: { "org.opencontainers.image.title": `app ${at}` } },
    rootfs: { type: "layers", diff_ids: ["a", "b", "c", "d"].map((seed) => digestOf(seed + at)) },
    history,
  };
}

function layerOf(seed: string): Buffer {
  const seedBytes = createHash("sha256").update(seed).digest();
  return Buffer.concat(Array.from({ length: layerBytes / seedBytes.length }, () => seedBytes));
}

function digestOf(bytes: Buffer | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function print(way: Way, [without, withSearch]: Sides): void {
  for (const part of ["all", "primary"] as const) {
    const of = (side: Side): number[] => side.costs.map((cost) => cost[part]);
    const [one, other] = [of(withSearch), of(without)];
    const ratios = one.map((cost, at) => cost / (other[at] ?? Number.NaN));
    const sum = (costs: readonly number[]): number => costs.reduce((a, b) => a + b, 0);
    console.log(
      `push, ${way.name}, CPU of ${part === "all" ? "all processes" : "the primary"}: ` +
        `${partOf(one, 0.25).toFixed(0)} µs with search, ${partOf(other, 0.25).toFixed(0)} µs without; ` +
        `ratio ${(partOf(one, 0.25) / partOf(other, 0.25)).toFixed(3)} (of neighbours ` +
        `${partOf(ratios, 0.5).toFixed(3)}, of sums ${(sum(one) / sum(other)).toFixed(3)}; ` +
        `${one.length} turns of ${way.images} images)`,
    );
  }
}

function partOf(list: readonly number[], part: number): number {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length * part)] ?? Number.NaN;
}
