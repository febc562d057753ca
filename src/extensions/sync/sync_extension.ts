/**
 * Mirroring as an extension: the primary makes the pages by which workers agree about upstreams and downloads; every
 * worker answers pulls of mirrored names.
 */
import packageJson from "../../../package.json" with { type: "json" };
import type { PageAt } from "../../lib/shared_page.ts";
import { claimFile } from "../../storage/root_lock.ts";
import type { Extension, ExtensionParts } from "../extension.ts";
import { evictJob, evictJobName } from "./evict_job.ts";
import { MirrorWatch } from "./mirror_watch.ts";
import { openMirrors } from "./open_mirrors.ts";
import { FetchTicks, makeTicks } from "./pull_through/fetch_ticks.ts";
import { PullThrough } from "./pull_through/pull_through.ts";
import { UpstreamGates } from "./upstream/gate.ts";
import { Upstreams } from "./upstream/open_upstreams.ts";

/** What a worker must know; sent to it when it starts. */
export interface SyncPlace {
  /** Of `UpstreamGates` and `FetchTicks`; null where there is one process. */
  readonly gates: PageAt | null;
  readonly ticks: PageAt | null;
  readonly worker: number;
}

export const syncExtension: Extension<SyncPlace> = {
  name: "sync",
  jobNames: [evictJobName],

  openPrimary({ config, clock }) {
    const { sync } = config.extensions;
    if (!sync.enable) return null;
    const { rootDirectory } = config.storage;
    const claims = ["upstreams", "fetches"].map((purpose) =>
      rootDirectory === null ? null : claimFile(rootDirectory, purpose),
    );
    const [gates = null, ticks = null] = claims.map((claim) => claim?.path ?? null);
    const gate = new UpstreamGates(gates, 0, clock);
    // The page is whole before the first worker opens it.
    if (ticks !== null) makeTicks(ticks);
    return {
      jobs: (registry) => {
        const job = evictJob(registry, sync, () => undefined);
        return job === null ? [] : [job];
      },
      place: (worker) => ({ gates, ticks, worker }),
      workerEnded: ({ worker }) => gate.workerEnded(worker),
      close: () => {
        for (const claim of claims) claim?.release();
      },
    };
  },

  openWorker({ config, clock, report, place }) {
    const { sync } = config.extensions;
    if (!sync.enable || place === null) return null;
    const upstreams = openUpstreams({ config, clock, report }, place);
    const names = openMirrors(sync, upstreams);
    const watch = new MirrorWatch(clock);
    const ticks = place.ticks === null ? new FetchTicks() : new FetchTicks(place.ticks);
    return {
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
  });
}
