/** The jobs of collection: when a round begins and what it tells, and the walk over files. */
import type { Job } from "../../jobs/job.ts";
import { opensInMs, parseTimeWindow } from "../../lib/time_window.ts";
import type { Registry } from "../registry.ts";
import type { CollectedTotals } from "./collected.ts";
import { everyStore, settingsOf, type StoreCollection } from "../store_settings.ts";
import { walkFiles, type WalkOptions } from "./file_walk.ts";
import { walkNames } from "./name_walk.ts";
import { Collector, type CollectionSettings, type CollectorOptions } from "./collector.ts";

export interface CollectionJobOptions extends CollectorOptions {
  /** Called after each round, with what it removed, null when it failed. */
  readonly onCollected?: ((removed: CollectedTotals | null, ms: number) => void) | undefined;
}

/** A look for what is due costs a read of an index: so often it is no burden, and a changed option soon counts. */
const longestMs = 60_000;
const shortestMs = 1_000;
/** A window of an hour a day is not missed. */
const walkLooksEveryMs = 15 * 60_000;

export function collectionJob(
  options: CollectionJobOptions,
): Omit<Job<Registry>, "name" | "lease"> {
  const { registry, settings, onCollected } = options;
  const collector = new Collector(options);
  return {
    everyMs: longestMs,
    followsCommits: false,
    run: async (signal) => {
      const { clock } = registry;
      const startedMs = clock.monotonicMs();
      let removed: CollectedTotals | null = null;
      try {
        removed = await collector.round(signal);
      } finally {
        onCollected?.(removed, clock.monotonicMs() - startedMs);
      }
      return waitMs(settings(), clock.now());
    },
  };
}

/** The job of the walks over files, and over names in stores of objects. */
export function fileWalkJob({
  registry,
  settings,
}: CollectorOptions): Omit<Job<Registry>, "name" | "lease"> {
  const walks = ({ gc, retention }: StoreCollection): boolean => gc && !retention.dryRun;
  const isOpen = ({ gcTimeWindow }: StoreCollection): boolean =>
    opensInMs(parseTimeWindow(gcTimeWindow), registry.clock.now()) === 0;
  const storeOf = (repository: string): StoreCollection =>
    settingsOf<StoreCollection>(settings(), repository);
  return {
    everyMs: walkLooksEveryMs,
    followsCommits: false,
    run: async (signal) => {
      const walk: WalkOptions = {
        registry,
        delayMs: (repository) => storeOf(repository).gcDelay,
        isWalked: (repository) => walks(storeOf(repository)),
        mayGoOn: (repository) =>
          repository === null
            ? everyStore<StoreCollection>(settings()).some((each) => walks(each) && isOpen(each))
            : isOpen(storeOf(repository)),
        signal,
      };
      await walkFiles(walk);
      await walkNames(walk);
      return null;
    },
  };
}

/** How long to wait for the next round. */
export function waitMs(settings: CollectionSettings, now: number): number {
  const stores = everyStore<StoreCollection>(settings);
  const collected = stores.filter(({ gc }) => gc);
  return Math.min(
    ...(collected.length === 0 ? stores : collected).map((store) => waitIn(store, now)),
  );
}

function waitIn(store: StoreCollection, now: number): number {
  const { gcInterval, gcTimeWindow, retention } = store;
  const interval = Math.max(gcInterval, shortestMs);
  // A dry run changes nothing: it says the same again each time.
  if (retention.dryRun) return interval;
  const closedMs = opensInMs(parseTimeWindow(gcTimeWindow), now);
  return Math.min(Math.max(interval, closedMs), longestMs);
}
