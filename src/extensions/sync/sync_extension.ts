/**
 * Mirroring as an extension: the primary makes the pages by which workers agree about upstreams and downloads; every
 * worker answers pulls of mirrored names.
 */
import packageJson from "../../../package.json" with { type: "json" };
import type { Clock } from "../../lib/clock.ts";
import type { PageAt } from "../../lib/shared_page.ts";
import { claimFile } from "../../storage/root_lock.ts";
import type { Extension, ExtensionParts } from "../extension.ts";
import { mirrorEndpoints } from "./endpoints.ts";
import { evictJob, evictJobName } from "./evict_job.ts";
import {
  openCounts,
  openPrimaryCounts,
  type CountsPlace,
  type MirrorCounts,
} from "./metrics/mirror_counts.ts";
import { MirrorWatch } from "./mirror_watch.ts";
import { mirroredHosts } from "./mirrored_hosts.ts";
import { namedEntries } from "./names.ts";
import { openMirrors } from "./open_mirrors.ts";
import { openPeriodic, periodicEntries } from "./periodic/open_periodic.ts";
import { periodicJobName } from "./periodic/periodic_job.ts";
import { FetchTicks, makeTicks } from "./pull_through/fetch_ticks.ts";
import { PullThrough } from "./pull_through/pull_through.ts";
import { mirrorStatus, type StatusParts } from "./status.ts";
import { UpstreamGates } from "./upstream/gate.ts";
import { Upstreams } from "./upstream/open_upstreams.ts";

/** What a worker must know; sent to it when it starts. */
export interface SyncPlace {
  /** Of `UpstreamGates` and `FetchTicks`; null where there is one process. */
  readonly gates: PageAt | null;
  readonly ticks: PageAt | null;
  /** Null for a worker that finds no place to count. */
  readonly counts: CountsPlace | null;
  readonly worker: number;
}

export const syncExtension: Extension<SyncPlace> = {
  name: "sync",
  jobNames: [evictJobName, periodicJobName],

  endpoints({ extensions: { sync } }) {
    return sync.enable ? mirrorEndpoints(async () => []) : [];
  },

  mirrors({ extensions: { sync } }) {
    return sync.enable ? mirroredHosts(namedEntries(sync)) : [];
  },

  openPrimary({ config, clock, report }) {
    const { sync } = config.extensions;
    if (!sync.enable) return null;
    const { rootDirectory } = config.storage;
    const claims = ["upstreams", "fetches"].map((purpose) =>
      rootDirectory === null ? null : claimFile(rootDirectory, purpose),
    );
    const [gates = null, ticks = null] = claims.map((claim) => claim?.path ?? null);
    const gate = new UpstreamGates(gates, 0, clock);
    gate.begin();
    const counts = openPrimaryCounts(rootDirectory, clock);
    // The page is whole before the first worker opens it.
    if (ticks !== null) makeTicks(ticks);
    // A mistake in the files of an upstream ends the start.
    const upstreams =
      periodicEntries(sync).length === 0
        ? null
        : openUpstreams(
            { config, clock, report },
            { gates, ticks, counts: null, worker: 0 },
            counts.counts,
          );
    return {
      jobs: (registry, stores) => {
        const jobs = [
          evictJob(registry, sync, (host, bytes) => counts.counts.evicted(host, bytes)),
        ];
        if (upstreams !== null) {
          const shared = ticks === null ? new FetchTicks() : new FetchTicks(ticks);
          const watch = new MirrorWatch(openMirrors(sync, upstreams), counts.counts, clock);
          jobs.push(openPeriodic(sync, { registry, stores, ticks: shared, upstreams, watch }));
        }
        return jobs.filter((job) => job !== null);
      },
      place: (worker) => ({ gates, ticks, counts: counts.place(), worker }),
      workerEnded: (place) => {
        gate.workerEnded(place.worker);
        if (place.counts !== null) counts.ended(place.counts);
      },
      close: () => {
        upstreams?.close();
        counts.close();
        for (const claim of claims) claim?.release();
      },
    };
  },

  openWorker({ config, clock, report, place }) {
    const { sync } = config.extensions;
    if (!sync.enable || place === null) return null;
    const counts = countsAt(place, clock);
    const upstreams = openUpstreams({ config, clock, report }, place, counts);
    const names = openMirrors(sync, upstreams);
    const watch = new MirrorWatch(names, counts, clock);
    const status = statusParts(mirroredHosts(namedEntries(sync)), upstreams, counts);
    const ticks = place.ticks === null ? new FetchTicks() : new FetchTicks(place.ticks);
    return {
      endpoints: (registry) => mirrorEndpoints(() => mirrorStatus(registry, status)),
      onAnswer: (record) => watch.answered(record),
      figures: () =>
        counts.figures(
          status.hosts.flatMap(({ host }) => {
            const state = status.stateOf(host);
            return state === null ? [] : [{ host, state }];
          }),
        ),
      origin: (registry, { uploads }) =>
        new PullThrough({
          registry,
          uploads,
          names,
          ticks,
          watch,
          settings: { freePartMin: sync.minFree / 100 },
        }),
      close: () => upstreams.close(),
    };
  },
};

function openUpstreams(
  { config, clock, report }: Pick<ExtensionParts, "config" | "clock" | "report">,
  { gates, worker }: SyncPlace,
  counts: MirrorCounts,
): Upstreams {
  return new Upstreams({
    sync: config.extensions.sync,
    clock,
    report,
    env: process.env,
    page: gates,
    worker,
    ownPort: config.http.port === 0 ? null : config.http.port,
    userAgent: `zot/${packageJson.version}`,
    onAnswer: (...answer) => counts.answered(...answer),
  });
}

function countsAt({ counts }: SyncPlace, clock: Clock): MirrorCounts {
  return counts === null ? openPrimaryCounts(null, clock).counts : openCounts(counts, clock);
}

function statusParts(
  hosts: StatusParts["hosts"],
  upstreams: Upstreams,
  counts: MirrorCounts,
): StatusParts {
  return {
    hosts,
    stateOf: (host) => upstreams.opened.find((each) => each.host === host)?.state() ?? null,
    lastDays: () => counts.lastDays(),
  };
}
