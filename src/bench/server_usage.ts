/**
 * What a server costs on this machine: processor time and memory of a process and its children, from /proc.
 *
 * Promises: processor time includes children that live and those that ended; null where there is no /proc or no such
 * process. Linux only.
 */
import { readdirSync, readFileSync } from "node:fs";

/** Ticks of a second in /proc: the same on every Linux that this runs on. */
const ticksPerSecond = 100;

export interface ServerUsage {
  readonly cpuSeconds: number;
  /** Peak resident memory of the process with the largest, in bytes. */
  readonly peakBytes: number;
}

interface ProcessFacts {
  readonly parent: number;
  readonly ticks: number;
}

/** The usage of a process tree up to now. */
export function serverUsage(pid: number): ServerUsage | null {
  const processes = readProcesses();
  if (!processes.has(pid)) return null;
  let ticks = 0;
  let peakBytes = 0;
  for (const member of treeOf(processes, pid)) {
    ticks += processes.get(member)?.ticks ?? 0;
    peakBytes = Math.max(peakBytes, peakOf(member));
  }
  return { cpuSeconds: ticks / ticksPerSecond, peakBytes };
}

function readProcesses(): Map<number, ProcessFacts> {
  const processes = new Map<number, ProcessFacts>();
  for (const name of entries("/proc")) {
    const facts = /^\d+$/.test(name) ? factsOf(name) : null;
    if (facts !== null) processes.set(Number(name), facts);
  }
  return processes;
}

function factsOf(name: string): ProcessFacts | null {
  const text = textOf(`/proc/${name}/stat`);
  if (text === null) return null;
  // The command's name may hold spaces and parentheses: fields are counted from its last parenthesis.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const number = (index: number): number => Number(fields[index] ?? 0);
  return { parent: number(1), ticks: number(11) + number(12) + number(13) + number(14) };
}

function treeOf(processes: ReadonlyMap<number, ProcessFacts>, root: number): Set<number> {
  const tree = new Set([root]);
  for (let size = 0; size !== tree.size;) {
    size = tree.size;
    for (const [pid, { parent }] of processes) if (tree.has(parent)) tree.add(pid);
  }
  return tree;
}

function peakOf(pid: number): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(textOf(`/proc/${pid}/status`) ?? "");
  return Number(line?.[1] ?? 0) * 1024;
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function entries(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
