/**
 * Figures that the system keeps: of processes (from /proc, where there is one) and of the file system.
 *
 * A process that is gone has no figures; without /proc only this process has some.
 */
import { readdirSync, readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";

export interface ProcessFigures {
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
  readonly openFiles: number | null;
  readonly maxFiles: number | null;
}

/** Linux counts processor time in these, whatever its own ticks are. */
const ticksPerSecond = 100;

/** Null when the process is gone, or of another system than Linux and not this one. */
export function processFigures(pid: number): ProcessFigures | null {
  try {
    const directory = `/proc/${pid}`;
    const status = readFileSync(`${directory}/status`, "utf8");
    const limits = readFileSync(`${directory}/limits`, "utf8");
    // The name of the program stands in brackets and may hold anything.
    const stat = readFileSync(`${directory}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
      memoryBytes: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024,
      openFiles: readdirSync(`${directory}/fd`).length,
      // The hard limit: the runtime raises the soft one to it, and `http/connection_limit.ts` lowers that at times.
      maxFiles: Number(/^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1] ?? Number.NaN) || null,
    };
  } catch {
    return pid === process.pid ? ownFigures() : null;
  }
}

function ownFigures(): ProcessFigures {
  const { user, system } = process.cpuUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    memoryBytes: process.memoryUsage.rss(),
    openFiles: null,
    maxFiles: null,
  };
}

/** Bytes of the file system that holds a directory, and what of them this user may take. */
export async function filesystemFigures(
  directory: string,
): Promise<{ readonly sizeBytes: number; readonly freeBytes: number }> {
  const { bsize, blocks, bavail } = await statfs(directory);
  return { sizeBytes: blocks * bsize, freeBytes: bavail * bsize };
}
