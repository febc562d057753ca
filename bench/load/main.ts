// The load generator: takes one job as JSON on standard input, does it, prints what it did as JSON.
//
// It is a process of its own, so that its CPU time is known and is not the server's or the measurement's.

import type { Job, JobResult } from "./jobs.ts";
import { prepareCopies } from "./copy.ts";
import { prepareCrowd } from "./crowd.ts";
import { runGets } from "./get.ts";
import { prepareManifests } from "./manifests.ts";
import { prepareUploads } from "./upload.ts";

type Run = () => Promise<{ operations: number; bytes: number }>;

function prepare(job: Job): Run {
  if (job.kind === "get") return () => runGets(job);
  if (job.kind === "upload") return prepareUploads(job);
  if (job.kind === "manifests") return prepareManifests(job);
  if (job.kind === "crowd") return prepareCrowd(job);
  return prepareCopies(job);
}

const job: Job = await Bun.stdin.json();
const run = prepare(job);
const started = performance.now();
const cpuStarted = process.cpuUsage();
const { operations, bytes } = await run();
const cpu = process.cpuUsage(cpuStarted);
const result: JobResult = {
  operations,
  bytes,
  seconds: (performance.now() - started) / 1000,
  cpuSeconds: (cpu.user + cpu.system) / 1e6,
};
console.log(JSON.stringify(result));
