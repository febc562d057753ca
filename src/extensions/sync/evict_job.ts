/** The job that keeps mirrored content within what its entry may have (`pull_through/evict.ts`). */
import type { RegistryJob } from "../../registry/registry_job.ts";
import type { Registry } from "../../registry/registry.ts";
import { namedEntries, NameTable } from "./names.ts";
import type { SyncValues } from "./options.ts";
import { evict, type EvictOptions } from "./pull_through/evict.ts";

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
      const reliefBytes = await relief.bytes(sync().minFree / 100);
      const limitsOf = limitsIn(sync(), reliefBytes > 0);
      if (limitsOf === null) return null;
      let evictedBytes = 0;
      const hasMore = await evict(registry, {
        limitsOf,
        reliefBytes,
        signal,
        onEvicted: (host, bytes) => {
          evictedBytes += bytes;
          onEvicted(host, bytes);
        },
      });
      relief.evicted(evictedBytes);
      if (evictedBytes > 0) {
        registry.report("info", "removed cached content of upstreams", { bytes: evictedBytes });
      }
      return hasMore ? 0 : null;
    },
  };
}

/** What has to go so that the disk has room: what is cached gives way before nothing more can be cached. */
class Relief {
  readonly #registry: Registry;
  /** What was evicted, whose bytes the sweep may not have removed yet. */
  #evicted: readonly { readonly bytes: number; readonly atMs: number }[] = [];

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  async bytes(freePartMin: number): Promise<number> {
    const room = await this.#registry.blobs.room();
    if (room === null) return 0;
    const { freeBytes, totalBytes } = room;
    const nowMs = this.#registry.clock.monotonicMs();
    this.#evicted = this.#evicted.filter(({ atMs }) => nowMs - atMs < sweptWithinMs);
    const onTheirWay = this.#evicted.reduce((sum, { bytes }) => sum + bytes, 0);
    return Math.max(0, totalBytes * freePartMin * reliefFactor - freeBytes - onTheirWay);
  }

  evicted(bytes: number): void {
    const atMs = this.#registry.clock.monotonicMs();
    if (bytes > 0) this.#evicted = [...this.#evicted, { bytes, atMs }];
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
