// Heavy work in a process of its own: commits go on while it computes, and when it dies, no other
// process does.

import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HeavyProcess } from "../src/cli/heavy_process.ts";
import { checkConfig } from "../src/config/load.ts";
import { runHere, type HeavyRunner } from "../src/jobs/heavy_work.ts";
import { openLog } from "../src/lib/log.ts";
import type { Committer } from "../src/metadata/metadata.ts";
import type { Registry } from "../src/registry/registry.ts";
import { startPrimary } from "../src/server.ts";
import { DirectoryRoot } from "../src/server/directory_root.ts";
import { openRegistry } from "../src/server/open_registry.ts";
import { systemClock } from "../src/lib/clock.ts";
import { eventually, isAlive, packageDirectory, signalTo, tempDirectory } from "./harness.ts";
import { burn } from "./heavy_process.ts";

const command = [
  join(packageDirectory, "scripts/bun"),
  "--config=/dev/null",
  join(import.meta.dir, "heavy_process.ts"),
];
const never = new AbortController().signal;

interface World extends AsyncDisposable {
  readonly heavy: HeavyRunner<Registry>;
  readonly registry: Registry;
  /** The file that ends the burning. */
  readonly until: string;
  /** Processes that burn or have burnt, oldest first. */
  burning(): Promise<number[]>;
  commit(repository: string): Promise<void>;
}

/** A primary whose heavy work runs in a process, or, with the planted bug, in the writer's own. */
async function openWorld(options: { planted?: boolean; idleMs?: number } = {}): Promise<World> {
  const directory = await tempDirectory();
  const checked = checkConfig({ storage: { rootDirectory: join(directory.path, "root") } });
  if ("problems" in checked) throw new Error(checked.problems.join("\n"));
  const { config } = checked;
  const log = await openLog({ level: "silent", output: null, base: {} });
  const opened = Promise.withResolvers<HeavyRunner<Registry>>();
  const reading = (committer: Committer): Registry => {
    const clock = systemClock;
    const root = new DirectoryRoot(config, clock);
    const stores = root.openBytes(committer);
    return openRegistry(config, { root, stores, committer, clock, report: () => undefined });
  };
  const primary = await startPrimary(config, log, {
    heavy: (committer) => {
      const { idleMs } = options;
      const runner: HeavyRunner<Registry> =
        options.planted === true
          ? runHere(reading(committer))
          : new HeavyProcess({
              command,
              config,
              committer,
              log,
              ...(idleMs === undefined ? {} : { idleMs }),
            });
      opened.resolve(runner);
      return runner;
    },
  });
  await primary.reconciled;
  const registry = reading(primary.committer);
  return {
    heavy: await opened.promise,
    registry,
    until: join(directory.path, "until"),
    burning: async () => {
      const names = await registry.metadata.repositories({ after: null, limit: 100 });
      return names.flatMap((name) => /^burning-(\d+)$/.exec(name)?.[1] ?? []).map(Number);
    },
    commit: async (repository) => {
      const changes = [{ kind: "create-repository" as const }];
      await primary.committer.commit({ repository, preconditions: [], changes, by: null });
    },
    [Symbol.asyncDispose]: async () => {
      await registry.metadata.close();
      await primary.stop();
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** What ended first: a commit that was sent while work burns, or the work. */
async function endings(world: World, msMax: number): Promise<string[]> {
  const order: string[] = [];
  const argument = { until: world.until, msMax };
  const work = world.heavy.run(burn, argument, never).then(() => order.push("work"));
  await eventually("it burns", async () => (await world.burning()).length === 1);
  await world.commit("pushed");
  order.push("commit");
  await writeFile(world.until, "");
  await work;
  return order;
}

test("a commit is answered while heavy work computes", async () => {
  await using world = await openWorld();
  expect(await endings(world, 60_000)).toEqual(["commit", "work"]);
});

test("and would not be, if the work were done in the writer's process", async () => {
  await using world = await openWorld({ planted: true });
  expect(await endings(world, 500)).toEqual(["work", "commit"]);
});

test("work whose process is killed is begun again in another one, and commits go on", async () => {
  await using world = await openWorld();
  const argument = { until: world.until, msMax: 60_000 };
  const work = world.heavy.run(burn, argument, never);
  await eventually("it burns", async () => (await world.burning()).length === 1);
  const [first = 0] = await world.burning();
  signalTo(first, "SIGKILL");
  await world.commit("pushed");
  await eventually("it burns again", async () => (await world.burning()).length === 2);
  await writeFile(world.until, "");
  expect(await work).not.toBe(first);
});

test("work whose processes always end is given up, and other work is done", async () => {
  await using world = await openWorld();
  const argument = { until: world.until, msMax: 60_000 };
  const work = world.heavy.run(burn, argument, never).catch(String);
  const killed = new Set<number>();
  await eventually("it is given up", async () => {
    for (const pid of await world.burning()) {
      if (killed.has(pid)) continue;
      killed.add(pid);
      process.kill(pid, "SIGKILL");
    }
    return killed.size === 4;
  });
  expect(await work).toContain("burn: its process ended 4 times");
  await writeFile(world.until, "");
  expect(await world.heavy.run(burn, argument, never)).toBeGreaterThan(0);
});

test("without work there is no process after a while, and another one when there is some", async () => {
  await using world = await openWorld({ idleMs: 1 });
  await writeFile(world.until, "");
  const argument = { until: world.until, msMax: 0 };
  const first = await world.heavy.run(burn, argument, never);
  await eventually("the process is gone", () => !isAlive(first));
  expect(await world.heavy.run(burn, argument, never)).not.toBe(first);
});
