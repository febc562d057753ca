/**
 * A run of `zot bench`: every chosen scenario against one registry, or against two in turn.
 *
 * With two registries each scenario runs on both before the next begins, and the order changes from one scenario to the
 * next, so that a machine that warms up or is shared favours neither. What was pushed is deleted.
 */
import { RegistryClient, type RegistryClientOptions } from "../client/registry_client.ts";
import { must } from "../lib/assert.ts";
import { generatorCeiling } from "./ceiling.ts";
import { runLoad, type LoadResult } from "./load.ts";
import type { Scenario } from "./scenario.ts";
import { serverCost } from "./process_tree.ts";
import { World } from "./world.ts";

export interface Target {
  /** How the registry is called in reports. */
  readonly label: string;
  readonly client: RegistryClientOptions;
  /** The server's process on this machine, to measure what it costs; null when it is not known. */
  readonly pid: number | null;
}

export interface BenchOptions {
  readonly targets: readonly Target[];
  readonly scenarios: readonly Scenario[];
  readonly requests: number;
  readonly concurrency: number;
  /** First part of the repositories' names. */
  readonly prefix: string;
  readonly keep: boolean;
  readonly onProgress: (event: ProgressEvent) => void;
}

export interface ProgressEvent {
  readonly scenario: string;
  readonly target: string;
  readonly phase: "prepare" | "run" | "clean";
  readonly done: number;
  readonly count: number;
}

export interface Measured extends LoadResult {
  readonly target: string;
  /** Processor seconds of the server for one operation; null without its process. */
  readonly serverCpuSeconds: number | null;
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
    targets: options.targets.map(({ label, client }) => ({ label, url: client.url })),
    ceiling,
    scenarios,
  };
}

async function runScenario(
  scenario: Scenario,
  options: BenchOptions,
  turn: number,
): Promise<ScenarioResult> {
  const concurrency = scenario.concurrency ?? options.concurrency;
  const order = turn % 2 === 0 ? [...options.targets] : [...options.targets].reverse();
  const measured = new Map<Target, Measured>();
  for (const target of order) {
    measured.set(target, await measure(scenario, target, { ...options, concurrency }));
  }
  return {
    name: scenario.name,
    title: scenario.title,
    concurrency,
    results: options.targets.map((target) => must(measured.get(target), "each target is measured")),
  };
}

async function measure(
  scenario: Scenario,
  target: Target,
  options: BenchOptions,
): Promise<Measured> {
  const client = new RegistryClient(target.client);
  const world = new World(client, options.prefix);
  const count = Math.max(Math.round(options.requests * scenario.share), options.concurrency);
  const event = { scenario: scenario.name, target: target.label, count };
  try {
    options.onProgress({ ...event, phase: "prepare", done: 0 });
    const operation = await scenario.prepare({ client, world, count });
    const before = target.pid === null ? null : serverCost(target.pid);
    const result = await runLoad({
      operation,
      count,
      concurrency: options.concurrency,
      onProgress: (done) => options.onProgress({ ...event, phase: "run", done }),
    });
    const after = target.pid === null ? null : serverCost(target.pid);
    const cpu = before === null || after === null ? null : after.cpuSeconds - before.cpuSeconds;
    return {
      ...result,
      target: target.label,
      serverCpuSeconds: cpu === null ? null : cpu / Math.max(result.completed, 1),
      serverPeakBytes: after?.peakBytes ?? null,
      problem: null,
    };
  } catch (error) {
    return failedSetUp(target, error);
  } finally {
    options.onProgress({ ...event, phase: "clean", done: 0 });
    if (!options.keep) await world.cleanUp().catch(() => 0);
    client.close();
  }
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
    serverPeakBytes: null,
    problem: error instanceof Error ? error.message : String(error),
  };
}
