/** The job that keeps mirrored content within what its entry may have (`pull_through/evict.ts`). */
import type { RegistryJob } from "../../registry/registry_job.ts";
import type { Registry } from "../../registry/registry.ts";
import { namedEntries, NameTable } from "./names.ts";
import type { SyncValues } from "./options.ts";
import { evict, type EvictOptions } from "./pull_through/evict.ts";

export const evictJobName = "mirror cache";
/** Content that is too much is removed within this time. */
const everyMs = 60_000;

/** `sync` gives the configuration in force. */
export function evictJob(
  registry: Registry,
  sync: () => SyncValues,
  onEvicted: (host: string, bytes: number) => void,
): RegistryJob {
  return {
    name: evictJobName,
    everyMs,
    followsCommits: false,
    followsConfig: true,
    lease: evictJobName,
    run: async (signal) => {
      const limitsOf = limitsIn(sync());
      if (limitsOf === null) return null;
      let evictedBytes = 0;
      const hasMore = await evict(registry, {
        limitsOf,
        signal,
        onEvicted: (host, bytes) => {
          evictedBytes += bytes;
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

/** Null where no entry limits what it caches. */
function limitsIn(sync: SyncValues): EvictOptions["limitsOf"] | null {
  const entries = namedEntries(sync).filter(({ values }) => values.onDemand);
  const isLimited = entries.some(({ values: { cache } }) => cache.maxBytes + cache.unpulledFor > 0);
  if (!isLimited) return null;
  const table = new NameTable(entries);
  return (repository) => {
    const entry = table.upstreamsOf(repository)[0]?.entry;
    if (entry === undefined) return null;
    const { maxBytes, unpulledFor } = entry.values.cache;
    if (maxBytes + unpulledFor === 0) return null;
    return { of: entry.place, limits: { maxBytes, unpulledForMs: unpulledFor } };
  };
}
