// Processes ended under load: a worker, which the others stand in for, or the whole server.
//
// Every cycle kills with SIGKILL while clients push, move tags and delete. What was acknowledged must be there:
// on the same server after a worker's end, on a new one after the supervisor's, and on disk after a clean stop.
// The caller prints the seed. The moment of a kill is counted in acknowledgements, not in time.

import { readFileSync } from "node:fs";
import { eventually, isAlive, signalTo, startZot, tempDirectory, type Zot } from "../harness.ts";
import { checkRoot } from "./check_root.ts";
import { Journal } from "./journal.ts";
import { randomOf, startLoad } from "./load.ts";

export interface KillOptions {
  readonly cycles: number;
  readonly seed: number;
  readonly clients?: number;
}

export interface KillResult {
  readonly problems: readonly string[];
  readonly acknowledged: number;
  /** Requests that were cut off or refused, of unknown outcome. */
  readonly failures: number;
}

const workers = 2;

/** Kills a worker in every cycle. */
export async function killWorkers({ cycles, seed, clients = 8 }: KillOptions): Promise<KillResult> {
  await using directory = await tempDirectory("zot-kill");
  const rootDirectory = `${directory.path}/root`;
  const journal = new Journal();
  const problems: string[] = [];
  const random = randomOf(seed);
  await using zot = await startZot({ rootDirectory, config: { http: { workers } } });
  const load = startLoad({ url: zot.url, journal, clients, seed });
  await load.acknowledged(clients);
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    await load.acknowledged(random(40));
    const pids = zot.workerPids();
    const victim = pids[random(pids.length)] ?? 0;
    signalTo(victim, "SIGKILL");
    await eventually("the worker is gone", () => !isAlive(victim));
    // The others serve on, also before it is started again.
    await load.acknowledged(20);
    await restarted(zot, victim);
    await load.acknowledged(20);
  }
  await load.stop();
  problems.push(...(await journal.check(zot.url)));
  const code = await zot.stop();
  if (code !== 0) problems.push(`the server ended with ${code}`);
  problems.push(...checkAtRest(rootDirectory, journal));
  return { problems, acknowledged: journal.acknowledged, failures: load.failures() };
}

/** A worker listens again in the place of the one that was killed. */
async function restarted(zot: Zot, victim: number): Promise<void> {
  await eventually("as many workers as before, all listening", () => {
    const pids = zot.workerPids();
    const back = pids.length === workers && !pids.includes(victim);
    return back && listeners(zot.port) === workers;
  });
}

/** How many sockets of this machine listen on a port of the loopback address; workers have one each. */
function listeners(port: number): number {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const listening = "0A";
  return readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, address, , state]) => address === local && state === listening).length;
}

/** Kills the supervisor in every cycle: its workers end by themselves, and a new server finds everything. */
export async function killServers({ cycles, seed, clients = 8 }: KillOptions): Promise<KillResult> {
  await using directory = await tempDirectory("zot-kill");
  const rootDirectory = `${directory.path}/root`;
  const journal = new Journal();
  const problems: string[] = [];
  const random = randomOf(seed);
  let failures = 0;
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    await using zot = await startZot({ rootDirectory, config: { http: { workers } } });
    const served = await journal.check(zot.url);
    problems.push(...served.map((problem) => `start ${cycle + 1}: ${problem}`));
    const load = startLoad({ url: zot.url, journal, clients, seed: seed + cycle });
    await load.acknowledged(30 + random(150));
    await zot.kill();
    await load.stop();
    failures += load.failures();
    const { violations } = checkRoot(rootDirectory);
    problems.push(...violations.map((violation) => `after kill ${cycle + 1}: ${violation}`));
  }
  await using zot = await startZot({ rootDirectory, config: { http: { workers } } });
  problems.push(...(await journal.check(zot.url)));
  const code = await zot.stop();
  if (code !== 0) problems.push(`the last server ended with ${code}`);
  problems.push(...checkAtRest(rootDirectory, journal));
  return { problems, acknowledged: journal.acknowledged, failures };
}

/** After a clean stop every index.json is exact: it lists each tag where the journal has it, and no other. */
export function checkAtRest(root: string, journal: Journal): string[] {
  const { violations, layouts } = checkRoot(root);
  const problems = [...violations];
  for (const repository of journal.repositories) {
    const layout = layouts.find(({ directory }) => directory === repository);
    const listed = new Map(
      (layout?.lines ?? []).map((line) => line.split(" ") as [string, string]),
    );
    listed.delete("-");
    for (const { tag, possible } of journal.tagsOf(repository)) {
      const found = listed.get(tag) ?? null;
      listed.delete(tag);
      if (possible.includes(found)) continue;
      problems.push(
        `${repository}/index.json has ${tag} at ${found}, it was ${possible.join(" or ")}`,
      );
    }
    for (const tag of listed.keys()) problems.push(`${repository}/index.json has the tag ${tag}`);
  }
  return problems;
}
