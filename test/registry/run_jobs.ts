// Runs rows of the table of jobs on a test's registry, under the clock that the test moves.

import { runHere } from "../../src/jobs/heavy_work.ts";
import { JobLoop } from "../../src/jobs/job_loop.ts";
import type { Lease } from "../../src/lib/lease.ts";
import type { Registry } from "../../src/registry/registry.ts";
import type { RegistryJob } from "../../src/registry/registry_job.ts";
import { eventually } from "../processes.ts";
import type { World } from "./world.ts";

export function leaseOf(released: () => void = () => undefined): Lease {
  const release = async (): Promise<void> => released();
  return { fence: 1, lost: new AbortController().signal, release };
}

/** Starts the loop; `take` gives each job its lease, which is free without it. Stop it at the end. */
export function runJobs(
  world: World,
  jobs: readonly RegistryJob[],
  take: () => Promise<Lease | null> = () => Promise.resolve(leaseOf()),
): JobLoop<Registry> {
  const { registry, clock, report } = world;
  const heavy = runHere<Registry>(registry);
  const loop = new JobLoop<Registry>({ jobs, heavy, leases: { take }, clock, report });
  loop.start();
  return loop;
}

/** Moves the clock until something is so. */
export function until(
  world: World,
  what: string,
  isSo: () => boolean | Promise<boolean>,
  stepMs = 100,
): Promise<unknown> {
  return eventually(what, async () => {
    await world.clock.advance(stepMs);
    return isSo();
  });
}
