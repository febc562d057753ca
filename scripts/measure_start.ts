// How long a start takes until the first answer, and how much memory an idle server holds.
//
//   scripts/bun scripts/measure_start.ts [program] [rounds]
//
// Starts the program (bin/zot, or dist/zot after a build) that often (10) on a root of its own, asks for /v2/ from the
// moment of the start until it is answered, lets it rest, and stops it. Talks to loopback only, ends what it starts,
// and prints a table. Not a test: figures depend on the machine.

import { readFileSync, statSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import {
  descendants,
  freePort,
  packageDirectory,
  startService,
  tempDirectory,
} from "../test/harness.ts";

const program = resolve(process.argv[2] ?? join(packageDirectory, "bin/zot"));
const rounds = Number(process.argv[3] ?? 10);
const restMs = 2_000;

interface Round {
  readonly answeredMs: number;
  /** The share of each process in what they share, summed. */
  readonly proportionalMiB: number;
  /** What each process has alone, summed. */
  readonly privateMiB: number;
  readonly processes: number;
}

async function main(): Promise<void> {
  const measured: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    measured.push(await startOnce());
    process.stderr.write(process.stderr.isTTY ? `\r${round + 1} of ${rounds} ` : "");
  }
  const figures = (of: (round: Round) => number) => {
    const sorted = measured.map(of).toSorted((a, b) => a - b);
    const [least = 0, median = 0, most = 0] = [0, 0.5, 1].map((part) =>
      sorted.at(Math.round(part * (sorted.length - 1))),
    );
    return { least: Math.round(least), median: Math.round(median), most: Math.round(most) };
  };
  console.table({
    "first answer, ms": figures(({ answeredMs }) => answeredMs),
    "idle, proportional, MiB": figures(({ proportionalMiB }) => proportionalMiB),
    "idle, private, MiB": figures(({ privateMiB }) => privateMiB),
  });
  const size = (statSync(program).size / 1e6).toFixed(1);
  console.log(
    `${rounds} starts, ${measured[0]?.processes} processes; the program's file: ${size} MB`,
  );
}

async function startOnce(): Promise<Round> {
  await using directory = await tempDirectory("zot-start");
  const port = await freePort();
  const config = join(directory.path, "config.json");
  const rootDirectory = join(directory.path, "root");
  await mkdir(rootDirectory);
  const http = { address: "127.0.0.1", port: String(port) };
  await writeFile(config, JSON.stringify({ storage: { rootDirectory }, http }));
  const startedMs = performance.now();
  await using service = startService([program, "serve", config]);
  while (!(await isAnswered(port))) {
    if (!service.running()) throw new Error(`${program} ended:\n${service.stderr().join("\n")}`);
  }
  const answeredMs = performance.now() - startedMs;
  await Bun.sleep(restMs);
  const pids = [service.pid, ...descendants(service.pid)];
  return {
    answeredMs,
    proportionalMiB: sum(pids, (pid) => kibibytes(pid, "Pss") / 1024),
    privateMiB: sum(pids, (pid) => kibibytes(pid, "Private_(?:Clean|Dirty)") / 1024),
    processes: pids.length,
  };
}

/** One attempt: connects and asks. */
function isAnswered(port: number): Promise<boolean> {
  const { promise, resolve: settle } = Promise.withResolvers<boolean>();
  const socket = connect({ port, host: "127.0.0.1" }, () => {
    socket.write("GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  });
  socket.once("data", (data) => settle(data.toString().startsWith("HTTP/1.1 200")));
  socket.once("error", () => setTimeout(settle, 1, false));
  socket.once("close", () => settle(false));
  return promise.finally(() => socket.destroy());
}

function kibibytes(pid: number, field: string): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const found = [...text.matchAll(new RegExp(`^${field}:\\s+(\\d+) kB$`, "gm"))];
  return sum(found, ([, amount]) => Number(amount));
}

function sum<T>(list: readonly T[], of: (item: T) => number): number {
  return list.reduce((total, item) => total + of(item), 0);
}

await main();
