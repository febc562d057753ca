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
import { reconcileLayout } from "./reconcile_layout.ts";
import type { Registry, Report } from "./registry.ts";
import { sweepOrphans } from "./sweep_orphans.ts";

export interface JobsOptions {
  readonly registry: Registry;
  readonly report: Report;
  /** Sessions untouched for this long are dropped (`storage.uploadIdle`). */
  readonly uploadIdleMs: number;
  /** Takes the duty of running jobs; null while another server has it. */
  readonly claim: () => Claim | null;
  /** Called once layouts were compared with the facts for the first time. */
  readonly onReconciled: () => void;
}

interface Job {
  readonly name: string;
  /** Longest wait between two runs; a kick or the run itself may shorten it. */
  readonly everyMs: number;
  /** Runs once and returns how soon it wants to run again, or null for `everyMs`. */
  readonly run: (signal: AbortSignal) => Promise<number | null>;
}

const second = 1_000;
const minute = 60 * second;
/** Commits of the same moment share a projection. */
const settleMs = 100;
/** Files in `temporary` older than this belong to nobody. */
const temporaryAgeMs = 60 * minute;

export class Jobs {
  readonly #options: JobsOptions;
  readonly #projector: LayoutProjector;
  readonly #stopping = new AbortController();
  readonly #kicks = new Map<string, AbortController>();
  #loops: Promise<void>[] = [];
  #claim: Claim | null = null;

  constructor(options: JobsOptions) {
    this.#options = options;
    this.#projector = new LayoutProjector(options.registry, options.report);
  }

  start(): void {
    this.#loops = this.#table().map((job) => this.#loop(job));
  }

  /** A commit happened: index.json wants to follow, and bytes may wait for the sweep. */
  kick(): void {
    for (const controller of this.#kicks.values()) controller.abort();
  }

  /** Ends the loops; then, with the duty still held, brings every index.json up to date. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.kick();
    await Promise.all(this.#loops);
    if (!this.#holdsDuty()) return;
    await this.#projector.run("all");
    await sweepOrphans(this.#options.registry);
    this.#claim?.release();
  }

  /** THE table of jobs. */
  #table(): Job[] {
    const { registry, report, uploadIdleMs } = this.#options;
    const { uploads, storage, clock } = registry;
    return [
      {
        name: "reconcile-layouts",
        everyMs: 5 * minute,
        run: async (signal) => {
          await this.#reconcileAll(signal);
          this.#options.onReconciled();
          return null;
        },
      },
      {
        name: "project-layouts",
        everyMs: second,
        run: async (signal) => {
          await clock.sleep(settleMs, signal);
          return this.#projector.run("rested", signal);
        },
      },
      {
        name: "sweep-orphans",
        everyMs: 10 * second,
        run: async (signal) => {
          const swept = await sweepOrphans(registry, signal);
          if (swept > 0) report("info", "removed bytes that nothing names", { files: swept });
          return null;
        },
      },
      {
        name: "expire-uploads",
        everyMs: minute,
        run: async () => {
          const expired = await uploads.expire(clock.now(), uploadIdleMs);
          await storage.driver.sweepTemporary(temporaryAgeMs);
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
      this.#kicks.set(job.name, kick);
      let pauseMs: number | null = null;
      try {
        if (this.#holdsDuty()) pauseMs = await job.run(signal);
      } catch (error) {
        report("error", "a background job failed; it will run again", {
          job: job.name,
          error: String(error),
        });
      }
      await sleepOrKick(registry.clock, pauseMs ?? job.everyMs, [signal, kick.signal]);
    }
  }

  #holdsDuty(): boolean {
    this.#claim ??= this.#options.claim();
    return this.#claim !== null;
  }

  async #reconcileAll(signal: AbortSignal): Promise<void> {
    const { registry, report } = this.#options;
    for await (const repository of registry.storage.repositories()) {
      if (signal.aborted) return;
      try {
        await reconcileLayout(registry, repository, report);
      } catch (error) {
        // One damaged repository never keeps the others from being served.
        report("error", "a layout could not be taken in", { repository, error: String(error) });
      }
    }
  }
}

async function sleepOrKick(clock: Clock, ms: number, signals: AbortSignal[]): Promise<void> {
  const signal = AbortSignal.any(signals);
  if (must(signals[0], "a loop has a stop signal").aborted) return;
  await clock.sleep(ms, signal);
}
