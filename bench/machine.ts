// What a reader must know about the machine to understand absolute figures.

import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { formatBytes } from "../src/lib/bytes.ts";
import { run } from "../test/processes.ts";

/** Rows of "name: value". The load average is from before the run: other work makes every figure worse. */
export async function describeMachine(directory: string): Promise<Record<string, string>> {
  const processors = cpus();
  return {
    processor: `${processors.length} × ${processors[0]?.model.trim() ?? "unknown"}`,
    memory: formatBytes(totalmem()),
    system: `${systemName()}, Linux ${release()}`,
    "file system": await fileSystemOf(directory),
    "load average before": loadavg()
      .map((load) => load.toFixed(1))
      .join(" "),
  };
}

function systemName(): string {
  try {
    return /^PRETTY_NAME="(.*)"$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "Linux";
  } catch {
    return "Linux";
  }
}

async function fileSystemOf(directory: string): Promise<string> {
  const output = await run("stat", ["-f", "-c", "%T", directory]).catch(() => null);
  return output?.stdout.trim() ?? "unknown";
}
