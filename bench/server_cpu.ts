// The CPU time of a server that runs, finer than the ticks of `src/bench/process_tree.ts`: the kernel's, in nanoseconds,
// of all threads that live.

import { readdirSync, readFileSync } from "node:fs";
import { readProcessTree } from "../src/bench/process_tree.ts";

/** CPU microseconds of each process of a server so far, by its id; the root is the first. */
export function cpuByProcess(pid: number): Map<number, number> {
  return new Map(readProcessTree(pid).map((each) => [each.pid, cpuOfProcess(each.pid)]));
}

/** CPU microseconds of all processes of a server so far. */
export function cpuOf(pid: number): number {
  return cpuByProcess(pid)
    .values()
    .reduce((sum, each) => sum + each, 0);
}

function cpuOfProcess(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  let ns = 0;
  for (const task of tasksOf(tasks)) {
    try {
      ns += Number(readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ")[0]);
    } catch {
      // The thread ended meanwhile.
    }
  }
  return ns / 1_000;
}

function tasksOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
