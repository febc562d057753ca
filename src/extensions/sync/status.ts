/**
 * How the mirrored upstreams are, for those who look after them: what each one is like now, what the last day brought,
 * and how much of it is here.
 */
import type { MirroredHost } from "../../lib/mirror_clients.ts";
import type { MirrorStatus } from "../../lib/mirror_status.ts";
import { mirrors } from "../../metadata/mirrors.ts";
import type { Registry } from "../../registry/registry.ts";
import type { LastDay } from "./metrics/mirror_counts.ts";
import type { UpstreamState } from "./upstream/upstream.ts";

/** Repositories whose bytes are added up for one answer. */
const repositoriesMax = 10_000;
const pageSize = 500;

export interface StatusParts {
  /** Those of the configuration in force. */
  readonly hosts: () => readonly MirroredHost[];
  readonly stateOf: (host: string) => UpstreamState | null;
  readonly lastDays: () => ReadonlyMap<string, LastDay>;
}

export async function mirrorStatus(
  registry: Registry,
  { hosts, stateOf, lastDays }: StatusParts,
): Promise<readonly MirrorStatus[]> {
  const cached = await cachedOf(registry);
  const days = lastDays();
  return hosts().map((each) => {
    const state = stateOf(each.host);
    const day = days.get(each.host);
    const pulls = day?.pulls ?? 0;
    const { bytes = 0, repositories = 0 } = cached.byHost.get(each.host) ?? {};
    return {
      ...each,
      state: state?.state ?? "up",
      since: time(state?.sinceMs ?? null),
      lastError: lastError(state),
      budgetLeft: state?.budgetLeft ?? null,
      reset: time(state?.resetMs ?? null),
      lastDay: {
        pulls,
        hitRatio: pulls === 0 || day === undefined ? null : day.served / pulls,
        oldestStaleS: day?.stale?.ageS ?? null,
      },
      cached: { repositories, bytes, isCutOff: cached.isCutOff },
    };
  });
}

interface Cached {
  readonly byHost: Map<string, { bytes: number; repositories: number }>;
  readonly isCutOff: boolean;
}

async function cachedOf({ metadata }: Registry): Promise<Cached> {
  const reads = metadata.records(mirrors);
  const byHost: Cached["byHost"] = new Map();
  let seen = 0;
  for (let after = ""; seen < repositoriesMax;) {
    const page = await reads.repositories(after, pageSize);
    for (const { repository, host } of page) {
      const known = byHost.get(host) ?? { bytes: 0, repositories: 0 };
      known.bytes += await reads.usage(repository);
      known.repositories += 1;
      byHost.set(host, known);
    }
    seen += page.length;
    if (page.length < pageSize) return { byHost, isCutOff: false };
    after = page.at(-1)?.repository ?? "";
  }
  return { byHost, isCutOff: true };
}

function lastError(state: UpstreamState | null): MirrorStatus["lastError"] {
  const error = state?.lastError ?? null;
  return error === null ? null : { words: error.words, at: new Date(error.atMs).toISOString() };
}

function time(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
