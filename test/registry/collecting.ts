// Collection for tests: settings with zot's defaults, and rounds in a world whose clock a test moves.

import type { Candidate } from "../../src/metadata/collection.ts";
import { collection } from "../../src/metadata/collection.ts";
import type { CollectedTotals } from "../../src/registry/collection/collected.ts";
import { Collector, type CollectionSettings } from "../../src/registry/collection/collector.ts";
import type { World } from "./world.ts";

export const hourMs = 60 * 60_000;

/** Settings in force, with changes. */
export function collecting(changes: Partial<CollectionSettings> = {}): CollectionSettings {
  return {
    gc: true,
    gcDelay: hourMs,
    gcInterval: hourMs,
    gcTimeWindow: "",
    retention: { dryRun: false, delay: null, policies: [] },
    ...changes,
  };
}

/** A collector of a world, by settings that a test may change. */
export function openCollector(world: World, changes: Partial<CollectionSettings> = {}) {
  let settings = collecting(changes);
  const { report } = world;
  let collector = new Collector({ registry: world.registry, report, settings: () => settings });
  return {
    change: (next: Partial<CollectionSettings>): void => {
      settings = { ...settings, ...next };
    },
    /** As a start does, on the registry as it is now. */
    restart: (): void => {
      const { registry } = world;
      collector = new Collector({ registry, report, settings: () => settings });
    },
    round: (signal?: AbortSignal): Promise<CollectedTotals> => collector.round(signal),
    /** Rounds and sweeps, until nothing more goes. */
    settle: async (): Promise<CollectedTotals> => {
      const sum = { manifests: 0, blobs: 0, repositories: 0, sizeBytes: 0 };
      for (let turns = 0; turns < 9; turns += 1) {
        const removed = await collector.round();
        for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += removed[key];
        await world.settle();
        if (removed.manifests + removed.blobs + removed.repositories === 0 && turns > 1) break;
        // A repository waits for the sweep of its last bytes.
        await world.clock.advance(3_000);
      }
      return sum;
    },
  };
}

/** All candidates, as `kind digest`. */
export async function candidates(world: World): Promise<Candidate[]> {
  const reads = world.registry.metadata.records(collection);
  const all = await Promise.all(
    (["blob", "manifest", "repository"] as const).map((kind) =>
      reads.due(kind, Number.MAX_SAFE_INTEGER, null, 1_000),
    ),
  );
  return all.flat();
}
