// What a server and all of its processes have cost: CPU time and peak memory, from Linux's /proc.
//
// A child that has ended still counts, because the kernel adds its time to the parent that waited for it. A process
// that ends while it is being read is left out. Without /proc there are no figures.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

/** One process of a tree. `peakBytes` is VmHWM: the most memory that was resident since the last reset. */
export interface ProcessCost {
  readonly pid: number;
  readonly name: string;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

/** The kernel reports CPU time in ticks of USER_HZ, which is 100 on every Linux that Bun runs on. */
const ticksPerSecond = 100;

type ProcessStat = { pid: number; parent: number; name: string; cpuSeconds: number };

/**
 * Reads the text of /proc/PID/stat. CPU seconds are user and system time of the process and of its ended, waited-for children.
 * The name is in brackets and may itself hold brackets and blanks, so fields are counted from the last bracket.
 */
export function parseStat(text: string): ProcessStat {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  const fields = text.slice(close + 2).split(" ");
  const ticks = [11, 12, 13, 14].map((index) => Number(fields[index]));
  return {
    pid: Number(text.slice(0, open)),
    parent: Number(fields[1]),
    name: text.slice(open + 1, close),
    cpuSeconds: ticks.reduce((sum, value) => sum + value, 0) / ticksPerSecond,
  };
}

/** The process `root` and its living descendants, root first. Empty when `root` has ended. */
export function readProcessTree(root: number): ProcessCost[] {
  const stats = new Map<number, ProcessStat>();
  for (const entry of existsSync("/proc") ? readdirSync("/proc") : []) {
    if (!/^\d+$/.test(entry)) continue;
    const text = readProc(`/proc/${entry}/stat`);
    if (text !== null) stats.set(Number(entry), parseStat(text));
  }
  const tree: ProcessCost[] = [];
  const queue = [root];
  for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
    const stat = stats.get(pid);
    if (stat === undefined) continue;
    tree.push({ pid, name: stat.name, cpuSeconds: stat.cpuSeconds, peakBytes: readPeak(pid) });
    for (const other of stats.values()) if (other.parent === pid) queue.push(other.pid);
  }
  return tree;
}

/** CPU time of all processes of a server together, and the most memory of one of them. */
export interface ServerCost {
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

/** What a server has cost until now, ended children included; null when it is not there. */
export function serverCost(root: number): ServerCost | null {
  const tree = readProcessTree(root);
  if (tree.length === 0) return null;
  return {
    cpuSeconds: tree.reduce((sum, each) => sum + each.cpuSeconds, 0),
    peakBytes: Math.max(...tree.map((each) => each.peakBytes)),
  };
}

/** Makes every process of the tree forget its memory peak, so that the next reading tells about what follows. */
export function resetPeaks(root: number): void {
  for (const { pid } of readProcessTree(root)) {
    try {
      writeFileSync(`/proc/${pid}/clear_refs`, "5");
    } catch {
      // A process of another user (or one that just ended) keeps its peak: the figure is then an upper bound.
    }
  }
}

function readPeak(pid: number): number {
  const kibibytes = /VmHWM:\s+(\d+) kB/.exec(readProc(`/proc/${pid}/status`) ?? "")?.[1];
  return kibibytes === undefined ? 0 : Number(kibibytes) * 1024;
}

function readProc(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return null;
  }
}
