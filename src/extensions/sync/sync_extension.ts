/**
 * Mirroring as an extension: the primary makes the pages by which workers agree about upstreams and downloads; every
 * worker answers pulls of mirrored names.
 */
import packageJson from "../../../package.json" with { type: "json" };
import type { Clock } from "../../lib/clock.ts";
import type { PageAt } from "../../lib/shared_page.ts";
import { claimFile } from "../../storage/root_lock.ts";
import type { Extension, ExtensionParts } from "../extension.ts";
import { checkUpstreams, ownPlace } from "./check_upstreams.ts";
import { CurrentMirrors, type CurrentMirrorsOptions } from "./current_mirrors.ts";
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
import { periodicEntries, roundsOf } from "./periodic/open_periodic.ts";
import { periodicJobName, PeriodicRounds } from "./periodic/periodic_job.ts";
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

  mirroredFrom({ extensions: { sync } }, repository) {
    if (!sync.enable) return [];
    const fitting = namedEntries(sync).filter(
      ({ rules }) => rules.upstreamName(repository) !== null,
    );
    return fitting.flatMap(({ hosts }) => hosts);
  },

  check: (config) => checkUpstreams(config, process.env),

  openPrimary(parts) {
    const { config, clock } = parts;
    if (!config.extensions.sync.enable) return null;
    const { rootDirectory } = config.storage;
    const claims = ["upstreams", "fetches"].map((purpose) =>
      rootDirectory === null ? null : claimFile(rootDirectory, purpose),
    );
    const [gatePage = null, ticks = null] = claims.map((claim) => claim?.path ?? null);
    const gates = new UpstreamGates(gatePage, 0, clock);
    gates.begin();
    const counts = openPrimaryCounts(rootDirectory, clock);
    // The page is whole before the first worker opens it.
    if (ticks !== null) makeTicks(ticks);
    // A mistake in the files of an upstream ends the start.
    const open = opener(parts, gates, counts.counts);
    const current = new CurrentMirrors(config, { open, needs: periodicEntries });
    const watch = new MirrorWatch(current, counts.counts, clock);
    let sync = config.extensions.sync;
    let reconfigured = (): void => {};
    return {
      jobs: (registry, { uploads }) => {
        const shared = ticks === null ? new FetchTicks() : new FetchTicks(ticks);
        const fetch = { registry, uploads, ticks: shared, watch };
        const rounds = new PeriodicRounds(registry, roundsOf(current, fetch));
        reconfigured = () => rounds.replace(roundsOf(current, fetch));
        const onEvicted = (host: string, bytes: number): void => counts.counts.evicted(host, bytes);
        return [evictJob(registry, () => current.sync, onEvicted), rounds.job];
      },
      place: (worker) => ({ gates: gatePage, ticks, counts: counts.place(), worker }),
      workerEnded: (place) => {
        gates.workerEnded(place.worker);
        if (place.counts !== null) counts.ended(place.counts);
      },
      reconfigure: (next) => {
        if (Bun.deepEquals(sync, next.extensions.sync, true)) return;
        current.replace(next);
        sync = next.extensions.sync;
        // Another login may have another budget.
        gates.forgetLimits();
        watch.forget();
        reconfigured();
      },
      close: () => {
        current.close();
        counts.close();
        for (const claim of claims) claim?.release();
      },
    };
  },

  openWorker(parts) {
    const { config, clock, place } = parts;
    if (!config.extensions.sync.enable || place === null) return null;
    const counts = countsAt(place, clock);
    const gates = new UpstreamGates(place.gates, place.worker, clock);
    const current = new CurrentMirrors(config, {
      open: opener(parts, gates, counts),
      needs: (entries) => entries.filter(({ values }) => values.onDemand),
    });
    const watch = new MirrorWatch(current, counts, clock);
    const status = statusParts(current, counts);
    const ticks = place.ticks === null ? new FetchTicks() : new FetchTicks(place.ticks);
    let sync = config.extensions.sync;
    let pullThrough: PullThrough | null = null;
    return {
      endpoints: (registry) => mirrorEndpoints(() => mirrorStatus(registry, status)),
      onAnswer: (record) => watch.answered(record),
      figures: () =>
        counts.figures(
          status.hosts().flatMap(({ host }) => {
            const state = status.stateOf(host);
            return state === null ? [] : [{ host, state }];
          }),
        ),
      origin: (registry, { uploads }) => {
        const settings = {
          get freePartMin(): number {
            return current.sync.minFree / 100;
          },
        };
        pullThrough = new PullThrough({
          registry,
          uploads,
          names: current,
          ticks,
          watch,
          settings,
        });
        return pullThrough;
      },
      reconfigure: (next) => {
        if (Bun.deepEquals(sync, next.extensions.sync, true)) return;
        current.replace(next);
        sync = next.extensions.sync;
        watch.forget();
        pullThrough?.forget();
      },
      close: () => current.close(),
    };
  },
};

function opener(
  { clock, report }: Pick<ExtensionParts, "clock" | "report">,
  gates: UpstreamGates,
  counts: MirrorCounts,
): CurrentMirrorsOptions["open"] {
  return (config) =>
    new Upstreams({
      sync: config.extensions.sync,
      clock,
      report,
      env: process.env,
      gates,
      own: ownPlace(config),
      userAgent: `zot/${packageJson.version}`,
      onAnswer: (...answer) => counts.answered(...answer),
    });
}

function countsAt({ counts }: SyncPlace, clock: Clock): MirrorCounts {
  return counts === null ? openPrimaryCounts(null, clock).counts : openCounts(counts, clock);
}

function statusParts(current: CurrentMirrors, counts: MirrorCounts): StatusParts {
  const stateOf: StatusParts["stateOf"] = (host) =>
    current.upstreams.opened.find((each) => each.host === host)?.state() ?? null;
  return {
    hosts: () => mirroredHosts(current.entries),
    stateOf,
    lastDays: () => counts.lastDays(),
  };
}
