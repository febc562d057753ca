/** The job that keeps mirrored content within what its entry may have (`pull_through/evict.ts`). */
import type { RegistryJob } from "../../registry/registry_job.ts";
import type { Registry } from "../../registry/registry.ts";
import { namedEntries, NameTable } from "./names.ts";
import type { SyncValues } from "./options.ts";
import { evict, type DiskRelief, type EvictOptions } from "./pull_through/evict.ts";

export const evictJobName = "mirror cache";
/** Content that is too much is removed within this time. */
const everyMs = 60_000;
/** Cached content goes while less than so many times `minFree` is free. */
const reliefFactor = 2;
/** Bytes that were evicted are off the disk within this time. */
const sweptWithinMs = 5 * 60_000;

/** `sync` gives the configuration in force. */
export function evictJob(
  registry: Registry,
  sync: () => SyncValues,
  onEvicted: (host: string, bytes: number) => void,
): RegistryJob {
  const relief = new Relief(registry);
  return {
    name: evictJobName,
    everyMs,
    followsCommits: false,
    followsConfig: true,
    lease: evictJobName,
    run: async (signal) => {
      const short = await relief.needed(sync().minFree / 100);
      const limitsOf = limitsIn(sync(), short.length > 0);
      if (limitsOf === null) return null;
      let evictedBytes = 0;
      const hasMore = await evict(registry, {
        limitsOf,
        relief: short,
        signal,
        onEvicted: (host, bytes, repository) => {
          evictedBytes += bytes;
          relief.evicted(repository, bytes);
          onEvicted(host, bytes);
        },
      });
      if (evictedBytes > 0) {
        registry.report("info", "removed cached content of upstreams", { bytes: evictedBytes });
      }
      return hasMore ? 0 : null;
    },
  };
}

interface Evicted {
  readonly repository: string;
  readonly bytes: number;
  readonly atMs: number;
}

/** What has to go so that each disk has room: what is cached gives way before nothing more can be cached. */
class Relief {
  readonly #registry: Registry;
  /** What was evicted, whose bytes the sweep may not have removed yet. */
  #evicted: readonly Evicted[] = [];

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  async needed(freePartMin: number): Promise<DiskRelief[]> {
    const { blobs, clock } = this.#registry;
    const nowMs = clock.monotonicMs();
    this.#evicted = this.#evicted.filter(({ atMs }) => nowMs - atMs < sweptWithinMs);
    const found: DiskRelief[] = [];
    for (const { example, has } of blobs.disks) {
      const room = await blobs.room(example);
      if (room === null) continue;
      const onTheirWay = this.#evicted.reduce((sum, { repository, bytes }) => {
        return has(repository) ? sum + bytes : sum;
      }, 0);
      const bytes = room.totalBytes * freePartMin * reliefFactor - room.freeBytes - onTheirWay;
      if (bytes > 0) found.push({ bytes, has });
    }
    return found;
  }

  evicted(repository: string, bytes: number): void {
    this.#evicted = [
      ...this.#evicted,
      { repository, bytes, atMs: this.#registry.clock.monotonicMs() },
    ];
  }
}

/** Null where no entry limits what it caches, and nothing has to go. */
function limitsIn(sync: SyncValues, needsRelief: boolean): EvictOptions["limitsOf"] | null {
  const entries = namedEntries(sync).filter(({ values }) => values.onDemand);
  const isLimited = entries.some(({ values: { cache } }) => cache.maxBytes + cache.unpulledFor > 0);
  if (!isLimited && !needsRelief) return null;
  const table = new NameTable(entries);
  return (repository) => {
    const entry = table.upstreamsOf(repository)[0]?.entry;
    if (entry === undefined) return null;
    const { maxBytes, unpulledFor } = entry.values.cache;
    if (maxBytes + unpulledFor === 0 && !needsRelief) return null;
    return { of: entry.place, limits: { maxBytes, unpulledForMs: unpulledFor } };
  };
}
