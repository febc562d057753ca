/**
 * A run of `zot bench`: every chosen scenario against one registry, or against several in turn.
 *
 * With several registries each scenario runs on all before the next begins, and the order changes with each round and
 * each scenario, so that a machine that warms up or is shared favours none. What was pushed is deleted. Work that a
 * server does after it has answered counts as well, where its process is known. `npm run bench` runs its own scenarios
 * with `runScenario`.
 */
import { RegistryClient, type RegistryClientOptions } from "../client/registry_client.ts";
import { assert } from "../lib/assert.ts";
import { systemClock } from "../lib/clock.ts";
import { generatorCeiling } from "./ceiling.ts";
import { runLoad, type LoadResult } from "./load.ts";
import type { Scenario } from "./scenario.ts";
import { resetPeaks, serverCost, type ServerCost } from "./process_tree.ts";
import { World } from "./world.ts";

export interface Target {
  /** How the registry is called in reports. */
  readonly label: string;
  readonly client: RegistryClientOptions;
  /** The server's process on this machine, to measure what it costs; null when it is not known. */
  readonly pid: number | null;
}

export interface ScenarioOptions {
  readonly targets: readonly Target[];
  readonly requests: number;
  readonly concurrency: number;
  /** How often each scenario is measured on each target; the best round counts. */
  readonly rounds: number;
  /** First part of the repositories' names. */
  readonly prefix: string;
  readonly keep: boolean;
  readonly onProgress: (event: ProgressEvent) => void;
}

export interface BenchOptions extends ScenarioOptions {
  readonly scenarios: readonly Scenario[];
}

export interface ProgressEvent {
  readonly scenario: string;
  readonly target: string;
  readonly phase: "prepare" | "run" | "clean";
  readonly done: number;
  readonly count: number;
}

/** The best round of a scenario on a target: where one failed, the one that failed most. */
export interface Measured extends LoadResult {
  readonly target: string;
  /** Processor seconds of the server for one operation; null without its process. */
  readonly serverCpuSeconds: number | null;
  /** The same of the middle round: far above the best one, the machine was busy. */
  readonly medianCpuSeconds: number | null;
  /** The most memory of one of its processes in any round. */
  readonly serverPeakBytes: number | null;
  /** What kept the scenario from being set up; null when it ran. */
  readonly problem: string | null;
}

export interface ScenarioResult {
  readonly name: string;
  readonly title: string;
  readonly concurrency: number;
  readonly results: readonly Measured[];
}

export interface BenchResult {
  readonly startedAt: string;
  readonly requests: number;
  readonly concurrency: number;
  readonly rounds: number;
  readonly targets: readonly { readonly label: string; readonly url: string }[];
  /** Requests per second of the generator against a server that does nothing, at least. */
  readonly ceiling: number;
  readonly scenarios: readonly ScenarioResult[];
}

export async function runBench(options: BenchOptions): Promise<BenchResult> {
  const startedAt = new Date().toISOString();
  const ceiling = await generatorCeiling(options.concurrency);
  const scenarios: ScenarioResult[] = [];
  for (const [turn, scenario] of options.scenarios.entries()) {
    scenarios.push(await runScenario(scenario, options, turn));
  }
  return {
    startedAt,
    requests: options.requests,
    concurrency: options.concurrency,
    rounds: options.rounds,
    targets: options.targets.map(({ label, client }) => ({ label, url: client.url })),
    ceiling,
    scenarios,
  };
}

/** A target with what a scenario put there and what came of its rounds. */
interface Place {
  readonly target: Target;
  readonly client: RegistryClient;
  readonly world: World;
  readonly rounds: Measured[];
}

/** Runs one scenario on every target. `turn` says which target begins. */
export async function runScenario(
  scenario: Scenario,
  options: ScenarioOptions,
  turn = 0,
): Promise<ScenarioResult> {
  const concurrency = scenario.concurrency ?? options.concurrency;
  const places = options.targets.map((target): Place => {
    const client = new RegistryClient(target.client);
    return { target, client, world: new World(client, options.prefix), rounds: [] };
  });
  for (let round = 0; round < options.rounds; round += 1) {
    const order = (turn + round) % 2 === 0 ? places : places.toReversed();
    for (const place of order) {
      if (place.rounds.some(({ problem }) => problem !== null)) continue;
      place.rounds.push(await measure(scenario, place, { ...options, concurrency }));
    }
  }
  for (const { target, client, world } of places) {
    const event = { scenario: scenario.name, target: target.label, phase: "clean" } as const;
    options.onProgress({ ...event, done: 0, count: 0 });
    if (!options.keep) await world.cleanUp().catch(() => 0);
    client.close();
  }
  return {
    name: scenario.name,
    title: scenario.title,
    concurrency,
    results: places.map(({ rounds }) => bestOf(rounds)),
  };
}

async function measure(
  scenario: Scenario,
  { target, client, world }: Place,
  options: ScenarioOptions,
): Promise<Measured> {
  const { pid } = target;
  const count = Math.max(Math.round(options.requests * scenario.share), options.concurrency);
  const event = { scenario: scenario.name, target: target.label, count };
  try {
    options.onProgress({ ...event, phase: "prepare", done: 0 });
    const operation = await scenario.prepare({ client, world, count });
    if (pid !== null) await settled(pid);
    if (pid !== null) resetPeaks(pid);
    const before = costOf(pid);
    const result = await runLoad({
      operation,
      count,
      concurrency: options.concurrency,
      onProgress: (done) => options.onProgress({ ...event, phase: "run", done }),
    });
    if (pid !== null) await settled(pid);
    const after = costOf(pid);
    const cpu = before === null || after === null ? null : after.cpuSeconds - before.cpuSeconds;
    const serverCpuSeconds = cpu === null ? null : cpu / Math.max(result.completed, 1);
    return {
      ...result,
      target: target.label,
      serverCpuSeconds,
      medianCpuSeconds: serverCpuSeconds,
      serverPeakBytes: after?.peakBytes ?? null,
      problem: null,
    };
  } catch (error) {
    return failedSetUp(target, error);
  }
}

function costOf(pid: number | null): ServerCost | null {
  return pid === null ? null : serverCost(pid);
}

const settlePollMs = 250;
const settlePollsQuiet = 2;
const settlePollsMax = 40;
/** One tick of the kernel's clock in a quarter of a second is what timers cost. */
const timersCpuSeconds = 0.015;

/** Waits until the server has been idle for half a second: writing index.json, say, follows after the answers. */
async function settled(pid: number): Promise<void> {
  let last = serverCost(pid)?.cpuSeconds ?? 0;
  let quiet = 0;
  for (let poll = 0; poll < settlePollsMax && quiet < settlePollsQuiet; poll += 1) {
    await systemClock.sleep(settlePollMs);
    const now = serverCost(pid)?.cpuSeconds ?? 0;
    quiet = now - last <= timersCpuSeconds ? quiet + 1 : 0;
    last = now;
  }
}

/** What else runs on a machine can only make a round worse, so the cheapest counts; without its cost the fastest. */
export function bestOf(rounds: readonly Measured[]): Measured {
  const [best, ...others] = rounds.toSorted(
    (a, b) => badnessOf(b) - badnessOf(a) || costPerOperation(a) - costPerOperation(b),
  );
  assert(best !== undefined, "each target is measured at least once");
  const all = [best, ...others];
  const cpus = all.flatMap(({ serverCpuSeconds }) => serverCpuSeconds ?? []).sort((a, b) => a - b);
  const peaks = all.flatMap(({ serverPeakBytes }) => serverPeakBytes ?? []);
  return {
    ...best,
    medianCpuSeconds: cpus[Math.floor(cpus.length / 2)] ?? null,
    serverPeakBytes: peaks.length === 0 ? null : Math.max(...peaks),
  };
}

function badnessOf({ problem, failed }: Measured): number {
  return problem === null ? failed : Number.MAX_SAFE_INTEGER;
}

function costPerOperation({ serverCpuSeconds, elapsedMs, completed }: Measured): number {
  return serverCpuSeconds ?? elapsedMs / Math.max(completed, 1);
}

function failedSetUp(target: Target, error: unknown): Measured {
  return {
    target: target.label,
    completed: 0,
    failed: 0,
    errors: [],
    elapsedMs: 0,
    bytes: 0,
    latencyMs: null,
    firstByteMs: null,
    generatorBusy: 0,
    serverCpuSeconds: null,
    medianCpuSeconds: null,
    serverPeakBytes: null,
    problem: error instanceof Error ? error.message : String(error),
  };
}
