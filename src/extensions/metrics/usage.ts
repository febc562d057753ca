/**
 * Measures what repositories hold: soon after a commit, and every minute for commits of other servers.
 *
 * It reads the metadata slice by slice, and lets requests and commits in between. A measurement that took long makes
 * the next one wait for a hundred times as long, so that measuring never costs more than a hundredth of a process.
 */
import type { Clock } from "../../lib/clock.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import type { RegistryJob } from "../../registry/registry_job.ts";
import type { Registry, Report } from "../../registry/registry.ts";

export interface Usage {
  /** Bytes of all content, each blob once. */
  readonly contentBytes: number;
  /** Bytes that each repository holds, shared ones included. */
  readonly repositories: ReadonlyMap<string, number>;
}

export const measuringName = "measure-usage";
const everyMs = 60_000;
const restFactor = 100;
/** A few milliseconds of reading. */
const sliceMax = 1_000;

/** Every server of a shared root measures for itself: each has figures of its own. */
export function measureUsageJob(
  { metadata, clock }: Pick<Registry, "metadata" | "clock">,
  onUsage: (usage: Usage) => void,
  report: Report,
): RegistryJob {
  return {
    name: measuringName,
    everyMs,
    followsCommits: true,
    restFactor,
    lease: null,
    run: async (signal) => {
      try {
        onUsage(await measureUsage(metadata, clock, signal));
      } catch (error) {
        if (signal.aborted) throw error;
        report("warn", "storage could not be measured", { error: String(error) });
      }
      return null;
    },
  };
}

/** Reads everything once. @throws when the signal ends it. */
async function measureUsage(metadata: Metadata, clock: Clock, signal: AbortSignal): Promise<Usage> {
  const repositories = new Map<string, number>();
  let contentBytes = 0;
  for (const kind of ["blob", "manifest"] as const) {
    let before = "";
    let after: string | null = null;
    do {
      const slice = await metadata.holdings(kind, after, sliceMax);
      for (const { repository, digest, sizeBytes } of slice.items) {
        repositories.set(repository, (repositories.get(repository) ?? 0) + sizeBytes);
        if (digest !== before || kind === "manifest") contentBytes += sizeBytes;
        before = digest;
      }
      after = slice.next;
      await clock.sleep(1, signal);
      signal.throwIfAborted();
    } while (after !== null);
  }
  return { contentBytes, repositories };
}
