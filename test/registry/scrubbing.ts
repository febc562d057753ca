// Checks for tests: rounds of the job in a world whose clock a test moves.

import { join } from "node:path";
import { scrub, type Damaged } from "../../src/metadata/scrub.ts";
import type { Registry } from "../../src/registry/registry.ts";
import { readState, scrubJob } from "../../src/registry/scrub/scrub_job.ts";
import type { World } from "./world.ts";

const hourMs = 60 * 60_000;

export interface Scrubbing {
  /** Runs what is due: at first a round. */
  run(signal?: AbortSignal): Promise<void>;
  /** Lets the next round be due, and runs it. */
  round(): Promise<void>;
  enable(is: boolean): void;
}

type Scrubbed = Pick<World, "clock" | "root"> & { readonly registry: Registry };

/** The job on a registry, the world's own without one, as a start opens it. */
export function openScrubbing(world: Scrubbed, registry: Registry = world.registry): Scrubbing {
  const settings = { enable: true, interval: hourMs };
  const job = scrubJob({
    registry,
    settings: () => settings,
    isReady: () => true,
    directoryOf: (repository) => join(world.root, repository),
  });
  const run = async (signal = new AbortController().signal): Promise<void> => {
    // What was pushed in this millisecond was hashed in it.
    await world.clock.advance(1);
    if (typeof job.run === "function") await job.run(signal);
  };
  return {
    run,
    round: async () => {
      await world.clock.advance(2 * hourMs);
      await run();
    },
    enable: (is) => {
      settings.enable = is;
    },
  };
}

/** Runs a round as a start does. */
export function scrubOnce(world: Scrubbed, registry?: Registry): Promise<void> {
  return openScrubbing(world, registry).run();
}

export async function damagedOf({ registry }: { readonly registry: Registry }): Promise<Damaged[]> {
  return registry.metadata.records(scrub).damaged(null, 1_000);
}

export async function roundOf({ registry }: World) {
  return (await readState(registry))?.round ?? null;
}

/** Lines of the log with a message, as the fields that a test names. */
export function told(world: World, message: string, ...fields: string[]): unknown[][] {
  return world.reports
    .filter((line) => line.message === message)
    .map((line) => fields.map((field) => line.fields[field]));
}
