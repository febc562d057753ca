// What many connections that do nothing cost a server: memory, descriptors, and the answers of everybody else.
//
//   scripts/bun scripts/measure_connections.ts [connections] [workers]
//
// Starts bin/zot, opens that many connections (10000), has one answer on each, and lets them rest; then measures. Talks
// to loopback only, ends what it starts, and prints a table. Not a test: figures depend on the machine.

import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { eventually, startZot } from "../test/harness.ts";

const connections = Number(process.argv[2] ?? 10_000);
const workers = Number(process.argv[3] ?? 2);
const atOnce = 64;
const asked = 2_000;

const get = "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n";

interface Row {
  readonly when: string;
  readonly descriptors: number;
  readonly residentMiB: string;
  readonly p50Ms: string;
  readonly p99Ms: string;
}

async function main(): Promise<void> {
  await using zot = await startZot({
    config: { http: { workers, readTimeout: "2m" } },
  });
  const pids = await eventually("the workers run", () => {
    const found = zot.workerPids();
    return found.length === workers ? found : null;
  });
  const rows: Row[] = [];
  const measure = async (when: string): Promise<void> => {
    const times = await latencies(zot.port);
    rows.push({
      when,
      descriptors: sum(pids, (pid) => readdirSync(`/proc/${pid}/fd`).length),
      residentMiB: (sum(pids, residentBytes) / 1024 / 1024).toFixed(1),
      p50Ms: quantile(times, 0.5),
      p99Ms: quantile(times, 0.99),
    });
  };
  await latencies(zot.port);
  await measure("before");
  const started = performance.now();
  const sockets = await openAll(zot.port);
  const openedMs = Math.round(performance.now() - started);
  await measure(`with ${sockets.length} idle connections`);
  for (const socket of sockets) socket.destroy();
  await eventually(
    "they are gone",
    () => sum(pids, (pid) => readdirSync(`/proc/${pid}/fd`).length) < 200,
  );
  await measure("after");
  console.table(rows);
  console.log(`${workers} workers; opened, with an answer on each, in ${openedMs} ms`);
}

async function openAll(port: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  const open = async (): Promise<void> => {
    while (sockets.length < connections) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const socket = connect({ port, host: "127.0.0.1" }, () => socket.write(get));
      sockets.push(socket);
      socket.once("data", () => resolve());
      socket.once("error", reject);
      await promise;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, open));
  return sockets;
}

/** Of requests one after another on one connection, in milliseconds. */
async function latencies(port: number): Promise<number[]> {
  const socket = connect({ port, host: "127.0.0.1" });
  const times: number[] = [];
  for (let count = 0; count < asked; count += 1) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const started = performance.now();
    socket.once("data", () => resolve());
    socket.write(get);
    await promise;
    times.push(performance.now() - started);
  }
  socket.destroy();
  return times.sort((a, b) => a - b);
}

function quantile(sorted: readonly number[], part: number): string {
  return (sorted[Math.floor(sorted.length * part)] ?? 0).toFixed(3);
}

function sum(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + of(pid), 0);
}

function residentBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096;
}

await main();
