/**
 * Background work: a table of jobs and the loop that runs them.
 *
 * Promises: a job never overlaps itself; one that fails is reported and comes again; `stop` ends the waiting,
 * lets the running one finish, and on a clean stop index.json of every repository is exact. On a root that
 * several servers share, one of them runs the jobs at a time.
 */
import { must } from "../lib/assert.ts";
import type { Clock } from "../lib/clock.ts";
import type { Claim } from "../storage/root_lock.ts";
import { LayoutProjector } from "./layout_projector.ts";
import type { Registry, Report } from "./registry.ts";
import { sweepOrphans } from "./sweep_orphans.ts";

export interface JobsOptions {
  readonly registry: Registry;
  readonly report: Report;
  /** Sessions untouched for this long are dropped (`storage.uploadIdle`). */
  readonly uploadIdleMs: number;
  /** Takes the lease of running jobs; null while another server has it. */
  readonly claim: () => Claim | null;
  /** Called once layouts were compared with the facts for the first time. */
  readonly onReconciled: () => void;
  /** Hears of every run, and of uploads that were dropped. */
  readonly watcher?: JobWatcher | undefined;
}

export interface JobWatcher {
  ran(job: JobName, ms: number, failed: boolean): void;
  expired(uploads: number): void;
}

export const jobNames = ["reconcile-layouts", "project-layouts", "expire-uploads"] as const;
export type JobName = (typeof jobNames)[number];

interface Job {
  readonly name: JobName;
  /** Longest wait between two runs; a kick or the run itself may shorten it. */
  readonly everyMs: number;
  /** Runs soon after a commit. The others walk the disk, and must not do so for every push. */
  readonly followsCommits: boolean;
  /** Runs once and returns how soon it wants to run again, or null for `everyMs`. */
  readonly run: (signal: AbortSignal) => Promise<number | null>;
}

const second = 1_000;
const minute = 60 * second;
/** Commits of the same moment share a projection. */
const settleMs = 100;
/** Until layouts that another tool seemed to be writing are looked at again. */
const unfinishedMs = 2 * second;
/** Files in `temporary` older than this belong to nobody. */
const temporaryAgeMs = 60 * minute;

/** Repositories that are asked for at once. */
const repositoriesMax = 1_000;

export class Jobs {
  readonly #options: JobsOptions;
  readonly #projector: LayoutProjector;
  /** `storage.uploadIdle`, which may change. */
  uploadIdleMs: number;
  readonly #stopping = new AbortController();
  readonly #kicks = new Map<Job, AbortController>();
  #loops: Promise<void>[] = [];
  #claim: Claim | null = null;

  constructor(options: JobsOptions) {
    this.#options = options;
    this.uploadIdleMs = options.uploadIdleMs;
    this.#projector = new LayoutProjector(options.registry, options.report);
  }

  start(): void {
    this.#loops = this.#table().map((job) => this.#loop(job));
  }

  /** A commit happened: index.json wants to follow, and bytes may wait for the sweep. */
  kick(): void {
    for (const [job, controller] of this.#kicks) {
      if (job.followsCommits) controller.abort();
    }
  }

  /** Ends the loops; then, with the lease still held, brings every index.json up to date. Never rejects. */
  async stop(): Promise<void> {
    const { registry, report } = this.#options;
    this.#stopping.abort();
    await Promise.all(this.#loops);
    if (!this.#holdsLease()) return;
    try {
      await this.#projector.run("last");
      await sweepOrphans(registry);
    } catch (error) {
      report("error", "the last look at layouts failed; the next start goes on with it", {
        error: String(error),
      });
    }
    this.#claim?.release();
  }

  /** THE table of jobs. */
  #table(): Job[] {
    const { registry, report } = this.#options;
    const { uploads, storage, clock } = registry;
    return [
      {
        name: "reconcile-layouts",
        everyMs: 5 * minute,
        followsCommits: false,
        run: async (signal) => {
          const finished = await this.#reconcileAll(signal);
          this.#options.onReconciled();
          return finished ? null : unfinishedMs;
        },
      },
      {
        name: "project-layouts",
        everyMs: second,
        followsCommits: true,
        run: async (signal) => {
          await clock.sleep(settleMs, signal);
          const pauseMs = await this.#projector.run("rested", signal);
          // What index.json no longer lists may go.
          const swept = await sweepOrphans(registry, signal);
          if (swept > 0) report("info", "removed bytes that nothing names", { files: swept });
          return pauseMs;
        },
      },
      {
        name: "expire-uploads",
        everyMs: minute,
        followsCommits: false,
        run: async () => {
          const expired = await uploads.expire(clock.now(), this.uploadIdleMs);
          await storage.driver.sweepTemporary(temporaryAgeMs);
          this.#options.watcher?.expired(expired);
          if (expired > 0) report("info", "dropped idle uploads", { uploads: expired });
          return null;
        },
      },
    ];
  }

  async #loop(job: Job): Promise<void> {
    const { registry, report } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const kick = new AbortController();
      this.#kicks.set(job, kick);
      let pauseMs: number | null = null;
      try {
        if (this.#holdsLease()) pauseMs = await this.#run(job, signal);
        // Another server of this root looks at the layouts; this one can serve what the facts know.
        else this.#options.onReconciled();
      } catch (error) {
        if (signal.aborted) return;
        report("error", "a background job failed; it will run again", {
          job: job.name,
          error: String(error),
        });
      }
      await sleepOrKick(registry.clock, pauseMs ?? job.everyMs, [signal, kick.signal]);
    }
  }

  async #run(job: Job, signal: AbortSignal): Promise<number | null> {
    const { registry, watcher } = this.#options;
    const startedMs = registry.clock.monotonicMs();
    let failed = true;
    try {
      const pauseMs = await job.run(signal);
      failed = false;
      return pauseMs;
    } finally {
      watcher?.ran(job.name, registry.clock.monotonicMs() - startedMs, failed && !signal.aborted);
    }
  }

  #holdsLease(): boolean {
    this.#claim ??= this.#options.claim();
    return this.#claim !== null;
  }

  /** False when a layout has to be looked at again soon. */
  async #reconcileAll(signal: AbortSignal): Promise<boolean> {
    const { registry, report } = this.#options;
    let finished = true;
    // One damaged repository or directory never keeps the others from being served.
    const unreadable = (directory: string, error: unknown): void =>
      report("error", "a directory could not be read", { directory, error: String(error) });
    for await (const repository of registry.storage.repositories(unreadable)) {
      try {
        if (!(await this.#projector.takeIn(repository, signal))) finished = false;
      } catch (error) {
        signal.throwIfAborted();
        report("error", "a layout could not be taken in", { repository, error: String(error) });
      }
    }
    return (await this.#restoreRemoved(signal)) && finished;
  }

  /** Repositories that have no index.json any more, and so are none on disk. */
  async #restoreRemoved(signal: AbortSignal): Promise<boolean> {
    const { registry, report } = this.#options;
    const { metadata, storage } = registry;
    let finished = true;
    for (let after: string | null = null; ;) {
      const page: string[] = await metadata.repositories({ after, limit: repositoriesMax });
      for (const repository of page) {
        try {
          if ((await storage.indexStamp(repository)) !== null) continue;
          if (!(await storage.hasBlobs(repository))) continue;
          if (!(await this.#projector.takeIn(repository, signal))) finished = false;
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

async function sleepOrKick(clock: Clock, ms: number, signals: AbortSignal[]): Promise<void> {
  const signal = AbortSignal.any(signals);
  if (must(signals[0], "a loop has a stop signal").aborted) return;
  await clock.sleep(ms, signal);
}
