// What pulls and pushes cost against another checkout: `scripts/bun bench/against.ts DIR [--quick] [--only pull|push]`.
//
// Both servers run at the same time, and the same short piece of load goes to one and to the other in turn, many times:
// whatever else the machine does disturbs both alike. CPU time is the kernel's, in nanoseconds, of all threads of a
// server, and is read when its next turn begins, so that what it puts off is on its bill. The figure is the ratio of
// the lower quartiles of turns; the middle of the ratios of neighbours stands beside it. It judges nothing.

import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { newManifest } from "../src/bench/content.ts";
import { World } from "../src/bench/world.ts";
import { RegistryClient } from "../src/client/registry_client.ts";
import { tempDirectory } from "../test/harness.ts";
import { type Peer, startPeer } from "./peers.ts";
import { cpuOf } from "./server_cpu.ts";

const { values, positionals } = parseArgs({
  args: Bun.argv.slice(2),
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    turns: { type: "string", default: "" },
  },
});
const before = positionals[0];
if (before === undefined) {
  console.error(
    "bench/against.ts: expected the directory of another checkout, after 'npm ci' there",
  );
  process.exit(2);
}

const atOnce = 4;

/** A kind of operation, set up in each server; `count` operations are one turn. */
interface Kind {
  readonly name: string;
  readonly count: number;
  readonly prepare: (world: World, client: RegistryClient) => Promise<() => Promise<unknown>>;
}

const layer = 4_096;

const kinds: readonly Kind[] = [
  {
    name: "pull: GET of a manifest by tag",
    count: 400,
    prepare: async (world, client) => {
      const image = world.newImage(world.repository("pulled"), "v1", [layer]);
      await world.pushImage(image);
      return () => client.manifestGet(image.repository, "v1");
    },
  },
  {
    name: "pull: HEAD, manifest, config and 3 layers",
    count: 60,
    prepare: async (world) => {
      const image = world.newImage(world.repository("pulled"), "v2", [layer, layer, layer]);
      await world.pushImage(image);
      return () => world.pullImage(image);
    },
  },
  {
    name: "push: config, 3 layers, manifest by tag",
    count: 16,
    prepare: async (world) => {
      let at = 0;
      return async () => {
        at += 1;
        const image = world.newImage(world.repository(`app-${at % 8}`), `v${at}`, [
          layer,
          layer,
          layer,
        ]);
        await world.pushImage(image);
      };
    },
  },
  {
    name: "push: manifest by tag",
    count: 60,
    prepare: async (world) => {
      const base = world.newImage(world.repository("manifests"), "base", [layer]);
      await world.pushImage(base);
      let at = 0;
      return async () => {
        at += 1;
        const manifest = newManifest({ ...base, label: `m${at}` });
        await world.putManifest(base.repository, `m${at}`, manifest);
      };
    },
  },
];

async function measure(kind: Kind, servers: readonly Peer[], turns: number): Promise<void> {
  const sides = await Promise.all(
    servers.map(async ({ target }) => {
      const client = new RegistryClient(target.client);
      const work = await kind.prepare(new World(client, "bench"), client);
      return { pid: target.pid ?? 0, work, costs: [] as number[], startCpu: 0 };
    }),
  );
  // The first turns compile what runs.
  const warm = 6;
  for (let turn = 0; turn < turns + warm; turn += 1) {
    for (const side of turn % 2 === 0 ? sides : sides.toReversed()) {
      const cpu = cpuOf(side.pid);
      if (turn > warm) side.costs.push((cpu - side.startCpu) / kind.count);
      side.startCpu = cpu;
      let left = kind.count;
      const client = async (): Promise<void> => {
        while (left-- > 0) await side.work();
      };
      await Promise.all(Array.from({ length: atOnce }, client));
    }
  }
  const at = (list: readonly number[], part: number): number =>
    list.toSorted((a, b) => a - b)[Math.floor(list.length * part)] ?? Number.NaN;
  const [one, other] = sides.map(({ costs }) => costs);
  if (one === undefined || other === undefined) return;
  const ratios = one.map((cost, index) => cost / (other[index] ?? Number.NaN));
  const sum = (list: readonly number[]): number => list.reduce((total, each) => total + each, 0);
  console.log(
    `${kind.name}: ${at(one, 0.25).toFixed(0)} µs against ${at(other, 0.25).toFixed(0)} µs before, ` +
      `ratio ${(at(one, 0.25) / at(other, 0.25)).toFixed(3)} (of neighbours ${at(ratios, 0.5).toFixed(3)}, ` +
      `of sums ${(sum(one) / sum(other)).toFixed(3)}; ${one.length} turns of ${kind.count})`,
  );
}

await using directory = await tempDirectory("zot-bench-against");
const options = { workers: 2, tls: false, against: resolve(before) };
await using now = await startPeer("zot", { ...options, directory: join(directory.path, "now") });
await using then = await startPeer("zot-before", {
  ...options,
  directory: join(directory.path, "before"),
});
const turns = Number(values.turns) || (values.quick ? 20 : 160);
for (const kind of kinds) {
  if (kind.name.startsWith(values.only)) await measure(kind, [now, then], turns);
}
