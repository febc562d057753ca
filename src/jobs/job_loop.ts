/**
 * The loop that runs background jobs.
 *
 * A job never overlaps itself; one that fails is reported and comes again. `stop` ends the waiting, lets the running
 * ones finish, and gives each its last run. On a root that several servers share, a job runs where its lease is held.
 */
import type { Clock } from "../lib/clock.ts";
import type { Lease, Leases } from "../lib/lease.ts";
import type { HeavyRunner } from "./heavy_work.ts";
import type { Job, JobWatcher } from "./job.ts";

/** The shortest rest of a job that rests. */
const restMsMin = 1_000;

export interface JobLoopOptions<Context> {
  readonly jobs: readonly Job<Context>[];
  readonly heavy: HeavyRunner<Context>;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly report: (level: "error", message: string, fields: object) => void;
  readonly watcher?: JobWatcher | undefined;
}

/** A lease that this server holds, and what ends the work under it: its loss, or the stop. */
interface Held {
  readonly lease: Lease;
  readonly signal: AbortSignal;
}

export class JobLoop<Context> {
  readonly #options: JobLoopOptions<Context>;
  readonly #stopping = new AbortController();
  /** Wakes jobs that follow commits, or the configuration. */
  readonly #kicks = new Map<Job<Context>, AbortController>();
  readonly #held = new Map<string, Held>();
  readonly #taking = new Map<string, Promise<Held | null>>();
  #loops: Promise<void>[] = [];

  constructor(options: JobLoopOptions<Context>) {
    this.#options = options;
  }

  start(): void {
    this.#loops = this.#options.jobs.map((job) => this.#loop(job));
  }

  /** Something was committed. */
  kick(): void {
    for (const [job, controller] of this.#kicks) {
      if (job.followsCommits) controller.abort();
    }
  }

  /** Another configuration is in force. */
  reconfigured(): void {
    for (const [job, controller] of this.#kicks) {
      if (job.followsConfig === true) controller.abort();
    }
  }

  /** Never rejects. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#loops);
    for (const job of this.#options.jobs) {
      if (job.last !== undefined && (await this.#hold(job)) !== null) await job.last();
    }
    for (const { lease } of this.#held.values()) await lease.release();
    this.#held.clear();
  }

  async #loop(job: Job<Context>): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const kick = new AbortController();
      this.#kicks.set(job, kick);
      const startedMs = clock.monotonicMs();
      const pauseMs = (await this.#attempt(job)) ?? job.everyMs;
      if (signal.aborted) return;
      const restMs = restOf(job, clock.monotonicMs() - startedMs);
      if (restMs > 0) await clock.sleep(restMs, signal);
      if (signal.aborted) return;
      await clock.sleep(pauseMs - restMs, AbortSignal.any([signal, kick.signal]));
    }
  }

  /** Runs it if this server is to; how soon it wants to run again. */
  async #attempt(job: Job<Context>): Promise<number | null> {
    try {
      const signal = await this.#hold(job);
      if (signal !== null) return await this.#run(job, signal);
      job.elsewhere?.();
    } catch (error) {
      if (this.#stopping.signal.aborted) return null;
      this.#options.report("error", "a background job failed; it will run again", {
        job: job.name,
        error: String(error),
      });
    }
    return null;
  }

  async #run({ name, run }: Job<Context>, signal: AbortSignal): Promise<number | null> {
    const { clock, heavy, watcher } = this.#options;
    const startedMs = clock.monotonicMs();
    let failed = true;
    try {
      const pauseMs =
        typeof run === "function" ? await run(signal) : await heavy.run(run, null, signal);
      failed = false;
      return pauseMs;
    } finally {
      watcher?.(name, clock.monotonicMs() - startedMs, failed && !signal.aborted);
    }
  }

  /** What ends the work of a job; null while another server holds its lease. */
  async #hold({ lease: name }: Job<Context>): Promise<AbortSignal | null> {
    if (name === null) return this.#stopping.signal;
    const held = this.#held.get(name);
    if (held !== undefined && !held.lease.lost.aborted) return held.signal;
    // Jobs that share a lease take it once, also when they ask at the same moment.
    const taking = this.#taking.get(name) ?? this.#take(name);
    this.#taking.set(name, taking);
    const taken = await taking.finally(() => this.#taking.delete(name));
    return taken?.signal ?? null;
  }

  async #take(name: string): Promise<Held | null> {
    this.#held.delete(name);
    const lease = await this.#options.leases.take(name);
    if (lease === null) return null;
    const held = { lease, signal: AbortSignal.any([this.#stopping.signal, lease.lost]) };
    this.#held.set(name, held);
    return held;
  }
}

function restOf({ restFactor }: { readonly restFactor?: number }, ranMs: number): number {
  return restFactor === undefined ? 0 : Math.max(ranMs * restFactor, restMsMin);
}
