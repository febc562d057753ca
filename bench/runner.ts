// Runs scenarios: fresh processes, a warm-up, then rounds in alternating order, each measured from outside.
//
// Servers take turns (A B C, C B A), so that other load on the machine meets all of them. Work that a server does after
// it has answered counts as well. The data of a scenario is gone when it ends, also when it fails.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../test/processes.ts";
import { runJob } from "./generator.ts";
import { readProcessTree, resetPeaks, treeCpuSeconds } from "../src/bench/process_tree.ts";
import type { JobOf, Measured, Round, Scale, Scenario, ScenarioResult } from "./scenario.ts";
import { type Server, type ServerName, startServer, workersDefault } from "./servers.ts";

export interface RunnerOptions {
  readonly servers: readonly ServerName[];
  readonly against: string | null;
  readonly scale: Scale;
  readonly directory: string;
  readonly say: (line: string) => void;
}

interface Started {
  readonly server: Server;
  readonly jobOf: JobOf;
}

interface Running extends Started {
  readonly caseName: string;
  readonly rounds: Round[];
}

/** Runs one scenario with those of `options.servers` that it has; a failure is part of the result. */
export async function runScenario(
  scenario: Scenario,
  options: RunnerOptions,
): Promise<ScenarioResult> {
  const directory = join(options.directory, scenario.name);
  const measured: Measured[] = [];
  let failure: string | null = null;
  try {
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rm(directory, { recursive: true, force: true }));
    const cells = await startCells(scenario, options, directory, stack);
    for (const { server, caseName, rounds } of cells) {
      measured.push({ server: server.name, case: caseName, rounds });
    }
    await runRounds(scenario, options, cells);
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  return { name: scenario.name, measured, failure };
}

async function startCells(
  scenario: Scenario,
  options: RunnerOptions,
  directory: string,
  stack: AsyncDisposableStack,
): Promise<Running[]> {
  const started = new Map<ServerName, Started>();
  const cells: Running[] = [];
  for (const each of scenario.cases) {
    for (const name of each.servers.filter((name) => options.servers.includes(name))) {
      let known = started.get(name);
      if (known === undefined) {
        options.say(`${scenario.name}: ${name} is started and filled`);
        const server = await startServer(name, {
          directory: join(directory, name),
          workers: scenario.workers ?? workersDefault,
          tls: scenario.tls ?? false,
          against: options.against,
        });
        stack.use(server);
        known = { server, jobOf: await scenario.prepare(server, options.scale) };
        started.set(name, known);
      }
      cells.push({ ...known, caseName: each.name, rounds: [] });
    }
  }
  return cells;
}

async function runRounds(
  scenario: Scenario,
  options: RunnerOptions,
  cells: readonly Running[],
): Promise<void> {
  const count = scenario.rounds ?? options.scale.rounds;
  // A scenario of few rounds is about memory: there the first round is the warm-up, and it counts.
  for (let round = scenario.rounds === undefined ? -1 : 0; round < count; round++) {
    const order = round % 2 === 0 ? cells : cells.toReversed();
    for (const cell of order) {
      const name = round < 0 ? "warm-up" : `round ${round + 1} of ${count}`;
      options.say(`${scenario.name}: ${cell.server.name} ${cell.caseName}, ${name}`);
      const measured = await measure(scenario, cell, round);
      if (round >= 0) cell.rounds.push(measured);
    }
  }
}

/** One round: the generator's job, framed by two readings of the server's processes. */
async function measure(scenario: Scenario, cell: Running, round: number): Promise<Round> {
  const { server, jobOf } = cell;
  const job = await jobOf(cell.caseName, round);
  if (scenario.writes) {
    await run("sync", ["-f", server.directory]);
    await settled(server);
  }
  resetPeaks(server.pid);
  const cpuBefore = treeCpuSeconds(server.pid);
  const { cpuSeconds: generatorCpuSeconds, ...done } = await runJob(job);
  if (scenario.writes) await settled(server);
  const tree = readProcessTree(server.pid);
  const cpuAfter = tree.reduce((sum, process) => sum + process.cpuSeconds, 0);
  return {
    ...done,
    // A floor that is no server does its work inside the generator.
    cpuSeconds: server.pid === 0 ? generatorCpuSeconds : cpuAfter - cpuBefore,
    generatorCpuSeconds: server.pid === 0 ? 0 : generatorCpuSeconds,
    peaks: tree.map(({ name, peakBytes }) => ({ name, bytes: peakBytes })),
  };
}

const settlePollMs = 250;
const settlePollsQuiet = 4;
const settlePollsMax = 40;

/** Waits until the server has been idle for a second: writing index.json, say, may follow after the answers. */
async function settled(server: Server): Promise<void> {
  if (server.pid === 0) return;
  let last = treeCpuSeconds(server.pid);
  let quiet = 0;
  for (let poll = 0; poll < settlePollsMax && quiet < settlePollsQuiet; poll++) {
    await Bun.sleep(settlePollMs);
    const now = treeCpuSeconds(server.pid);
    // One tick of the kernel's clock in a quarter of a second is what timers cost.
    quiet = now - last <= 0.015 ? quiet + 1 : 0;
    last = now;
  }
}
