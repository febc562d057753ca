/**
 * The registry's own background jobs, as a table: comparing layouts with the metadata, writing index.json after
 * commits, and garbage collection. After a clean stop the index.json of every repository equals the metadata.
 */
import type { HeavyRunner } from "../jobs/heavy_work.ts";
import type { CollectedTotals } from "./collection/collected.ts";
import { auditJob } from "./audit/audit_job.ts";
import { compareFilesJob, compareFilesWork } from "./compare/compare_files.ts";
import { collectionJob, fileWalkJob } from "./collection/collection_job.ts";
import type { CollectionSettings } from "./collection/collector.ts";
import { LayoutProjector, projectLayout, type ProjectionMode } from "./layout_projector.ts";
import { exportJob, type ExportSettings, type MetadataExporter } from "./export_job.ts";
import { endHoldsJob } from "./history/end_holds.ts";
import { forgetHistoryJob } from "./history/forget_history.ts";
import { hasLayouts, type Registry, type Report } from "./registry.ts";
import type { RegistryJob } from "./registry_job.ts";
import { evaluateLarge } from "./retention/evaluate.ts";
import { RetentionJob } from "./retention/retention_job.ts";
import type { ScrubFound } from "./scrub/content_checker.ts";
import type { ScrubSettings } from "./scrub/scrub_settings.ts";
import { scrubJob } from "./scrub/scrub_job.ts";
import type { StoreUpkeep } from "../storage/stores.ts";
import { sweepOrphans } from "./sweep_orphans.ts";
import { UsageJob } from "./usage/usage_job.ts";

/** THE table of the registry's heavy work, by which its process finds it. */
export const registryWork = [projectLayout, evaluateLarge, compareFilesWork] as const;

export interface RegistryJobsOptions {
  readonly registry: Registry;
  readonly report: Report;
  readonly heavy: HeavyRunner<Registry>;
  /** Sessions untouched for this long are dropped (`storage.uploadIdle`, which may change). */
  readonly uploadIdleMs: () => number;
  /** What collection and retention do (it may change). */
  readonly collection: () => CollectionSettings;
  /** Whether content is checked, and how often (it may change). */
  readonly scrub: () => ScrubSettings;
  /** Called with damage that checks find, and with what they heal. */
  readonly onFound?: ((found: ScrubFound) => void) | undefined;
  /** Of the store of bytes; null where it has nothing to do. */
  readonly upkeep: StoreUpkeep | null;
  /** How long bytes stay after their last name (`storage.removalDelay`, which may change). */
  readonly removalDelayMs: () => number;
  /** Between two audits of stores of objects (`storage.auditInterval`, which may change); 0 for none. */
  readonly auditIntervalMs: () => number;
  /** Null where metadata are not exported. */
  readonly exporter: MetadataExporter | null;
  /** How often metadata are exported (it may change). */
  readonly exports: () => ExportSettings;
  /** Called when such bytes were removed. */
  readonly onRemoved?: ((objects: number) => void) | undefined;
  /** How long history is kept (`storage.history.keep`, which may change). */
  readonly historyMs: () => number;
  /** Where people find a repository. */
  readonly directoryOf: (repository: string) => string;
  /** Nothing waits for the first look at all layouts, which comes later (`storage.fastRestart`). */
  readonly fastRestart?: boolean | undefined;
  /** Called once layouts were compared with the metadata for the first time. */
  readonly onReconciled: () => void;
  /** Called when uploads were dropped. */
  readonly onExpired?: ((uploads: number) => void) | undefined;
  /** Called with the bytes by which a total was wrong. */
  readonly onDrift?: ((bytes: number) => void) | undefined;
  /** Called after each round of collection, with what it removed, null when it failed. */
  readonly onCollected?: ((removed: CollectedTotals | null, ms: number) => void) | undefined;
}

export const registryJobNames = [
  "reconcile-layouts",
  "project-layouts",
  "expire-uploads",
  "end-holds",
  "forget-history",
  "retention",
  "collect-garbage",
  "walk-files",
  "count-usage",
  "scrub",
  "compare-files",
  "remove-objects",
  "remove-stale-uploads",
  "audit-objects",
  "export-metadata",
] as const;
/** Of several servers on one root, one does the work. */
const lease = "jobs";

const second = 1_000;
const minute = 60 * second;
/** Commits of the same moment share a projection. */
const settleMs = 100;
/** Until layouts that another tool seemed to be writing are looked at again. */
const unfinishedMs = 2 * second;
/** Files in `temporary` older than this belong to no running request. */
const temporaryAgeMs = 60 * minute;
/** Files that are removed before index.json of others have their turn. */
const sweptMax = 512;
/** Repositories that are asked for at once. */
const repositoriesMax = 1_000;

/** THE table of the registry's jobs. */
export function registryJobs(options: RegistryJobsOptions): RegistryJob[] {
  let isReady = false;
  const onReconciled = (): void => {
    isReady = true;
    options.onReconciled();
  };
  const work = new LayoutJobs({ ...options, onReconciled });
  const retention = new RetentionJob({ ...options, settings: options.collection });
  const usage = new UsageJob(options);
  const [
    reconcile,
    project,
    expire,
    endOfHolds,
    forget,
    retain,
    collect,
    walk,
    count,
    check,
    compare,
    ...ofStores
  ] = registryJobNames;
  const { registry, scrub: settings, directoryOf, onFound } = options;
  return [
    {
      name: reconcile,
      everyMs: 5 * minute,
      followsCommits: false,
      lease,
      run: async (signal) => ((await work.reconcile(signal)) ? null : unfinishedMs),
      // Another server of this root looks at the layouts; this one can serve what is in the metadata.
      elsewhere: onReconciled,
    },
    {
      name: project,
      everyMs: second,
      followsCommits: true,
      lease,
      run: (signal) => work.project(signal),
      last: () => work.last(),
    },
    { ...expireUploadsJob(options), name: expire, lease },
    {
      name: endOfHolds,
      everyMs: minute,
      followsCommits: true,
      restFactor: 20,
      lease,
      run: endHoldsJob(options.registry),
    },
    { ...forgetHistory(options), name: forget, lease },
    {
      name: retain,
      // The run says when it comes again (`storage.gcInterval`).
      everyMs: 60 * minute,
      followsCommits: false,
      lease,
      run: (signal) => retention.run(signal),
    },
    { ...collectionJob({ ...options, settings: options.collection }), name: collect, lease },
    { ...fileWalkJob({ ...options, settings: options.collection }), name: walk, lease },
    {
      name: count,
      everyMs: minute,
      // A quota that is new is counted soon.
      followsCommits: true,
      restFactor: 20,
      lease,
      run: (signal) => usage.run(signal),
    },
    {
      ...scrubJob({ registry, settings, directoryOf, onFound, isReady: () => isReady }),
      name: check,
      lease,
    },
    { ...compareFilesJob(registry, options.heavy), name: compare, lease },
    ...storeJobs(options, ofStores),
  ];
}

function forgetHistory(options: RegistryJobsOptions): Omit<RegistryJob, "name" | "lease"> {
  const run = forgetHistoryJob(options.registry, options.historyMs);
  return { everyMs: 60 * minute, followsCommits: false, run };
}

/** Of stores that are elsewhere. */
function storeJobs(
  options: RegistryJobsOptions,
  [removal, stale, audit, exporting]: readonly [string, string, string, string],
): RegistryJob[] {
  return [
    { ...removeFreedJob(options), name: removal, lease },
    { ...removeStaleJob(options), name: stale },
    { ...auditOf(options), name: audit, lease },
    { ...exportJob(options), name: exporting, lease },
  ];
}

/** Of what the stores hold, against the metadata. */
function auditOf(options: RegistryJobsOptions): Omit<RegistryJob, "name" | "lease"> {
  const { registry, onFound, upkeep, auditIntervalMs: intervalMs } = options;
  return auditJob({ registry, onFound, audits: upkeep?.audits ?? [], intervalMs });
}

/** What the store removes later, after its last name. */
function removeFreedJob(options: RegistryJobsOptions): Omit<RegistryJob, "name" | "lease"> {
  const { upkeep, removalDelayMs, onRemoved, report } = options;
  return {
    everyMs: minute,
    followsCommits: false,
    run: async (signal) => {
      const removed = (await upkeep?.removeFreed(removalDelayMs(), signal)) ?? 0;
      if (removed === 0) return null;
      onRemoved?.(removed);
      report("info", "removed objects that nothing names", { objects: removed });
      return null;
    },
  };
}

/** What lies on a machine is its own. */
function removeStaleJob({ registry }: RegistryJobsOptions): Omit<RegistryJob, "name"> {
  return {
    everyMs: 10 * minute,
    followsCommits: false,
    lease: null,
    run: async () => {
      await registry.uploads.removeStale();
      return null;
    },
  };
}

function expireUploadsJob(options: RegistryJobsOptions): Omit<RegistryJob, "name" | "lease"> {
  return { everyMs: minute, followsCommits: false, run: () => expireUploads(options) };
}

/** Where they may be idle for less than a minute, it comes as often. */
async function expireUploads(options: RegistryJobsOptions): Promise<number> {
  const { uploads, blobs, clock } = options.registry;
  const idleMs = options.uploadIdleMs();
  const expired = await uploads.expire(clock.now(), idleMs);
  await blobs.removeLeftovers(temporaryAgeMs);
  options.onExpired?.(expired);
  if (expired > 0) options.report("info", "dropped idle uploads", { uploads: expired });
  return Math.max(second, Math.min(minute, idleMs));
}

/** What the jobs about layouts share: one repository is worked on by one of them at a time. */
class LayoutJobs {
  readonly #options: RegistryJobsOptions;
  /** Null where there are no layouts. */
  readonly #projector: LayoutProjector | null;
  #isFirst = true;

  constructor(options: RegistryJobsOptions) {
    this.#options = options;
    const { registry, report, heavy } = options;
    this.#projector = hasLayouts(registry) ? new LayoutProjector(registry, report, heavy) : null;
  }

  /** False when a layout has to be looked at again soon. */
  async reconcile(signal: AbortSignal): Promise<boolean> {
    const projector = this.#projector;
    if (await this.#mayComeLater()) {
      this.#options.onReconciled();
      return true;
    }
    const finished = projector === null || (await this.#reconcileAll(projector, signal));
    this.#options.onReconciled();
    return finished;
  }

  /** Once, where a start is to be fast; metadata that were lost are read from the layouts first. */
  async #mayComeLater(): Promise<boolean> {
    const { registry, fastRestart = false } = this.#options;
    if (!fastRestart || !this.#isFirst) return false;
    this.#isFirst = false;
    return (await registry.metadata.repositories({ after: null, limit: 1 })).length > 0;
  }

  /** How soon to come again; null for the usual time. */
  async project(signal: AbortSignal): Promise<number | null> {
    const { registry, report } = this.#options;
    await registry.clock.sleep(settleMs, signal);
    const pauseMs = await this.#project("rested", signal);
    // What index.json no longer lists may go.
    const swept = await sweepOrphans(registry, { signal, limit: sweptMax });
    if (swept > 0) report("info", "removed bytes that nothing names", { files: swept });
    return swept >= sweptMax ? 0 : pauseMs;
  }

  async #project(mode: ProjectionMode, signal?: AbortSignal): Promise<number | null> {
    return (await this.#projector?.run(mode, signal)) ?? null;
  }

  /** Brings every index.json up to date. */
  async last(): Promise<void> {
    const { registry, report } = this.#options;
    try {
      await this.#project("last");
      await sweepOrphans(registry, { limit: sweptMax });
    } catch (error) {
      report("error", "the last look at layouts failed; the next start goes on with it", {
        error: String(error),
      });
    }
  }

  /** False when a layout has to be looked at again soon. */
  async #reconcileAll(projector: LayoutProjector, signal: AbortSignal): Promise<boolean> {
    const { report } = this.#options;
    let finished = true;
    // One damaged repository or directory never keeps the others from being served.
    const unreadable = (directory: string, error: unknown): void =>
      report("error", "a directory could not be read", { directory, error: String(error) });
    for await (const repository of projector.layouts.repositories(unreadable)) {
      try {
        if (!(await projector.takeIn(repository, signal))) finished = false;
      } catch (error) {
        signal.throwIfAborted();
        report("error", "a layout could not be taken in", { repository, error: String(error) });
      }
    }
    return (await this.#restoreRemoved(projector, signal)) && finished;
  }

  /** Repositories that have no index.json any more, and so are none on disk. */
  async #restoreRemoved(projector: LayoutProjector, signal: AbortSignal): Promise<boolean> {
    const { registry, report } = this.#options;
    const { metadata } = registry;
    const { layouts } = projector;
    let finished = true;
    for (let after: string | null = null; ;) {
      const page: string[] = await metadata.repositories({ after, limit: repositoriesMax });
      for (const repository of page) {
        try {
          if ((await layouts.indexStamp(repository)) !== null) continue;
          if (!(await layouts.hasBlobs(repository))) continue;
          if (!(await projector.takeIn(repository, signal))) finished = false;
        } catch (error) {
          signal.throwIfAborted();
          report("error", "index.json could not be looked for", {
            repository,
            error: String(error),
          });
        }
      }
      if (page.length < repositoriesMax) return finished;
      after = page.at(-1) ?? null;
    }
  }
}
