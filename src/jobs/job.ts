/**
 * What a background job is: a row of a table. The registry has its rows (`registry/jobs.ts`), each extension may add
 * its own, and one loop runs them all (`job_loop.ts`).
 */
import type { HeavyWork } from "./heavy_work.ts";

export interface Job<Context> {
  /** A label in logs and metrics. */
  readonly name: string;
  /** Longest wait between two runs; a commit or the run itself may shorten it. */
  readonly everyMs: number;
  /** Runs soon after a commit. A job that walks the disk must not do so for every push. */
  readonly followsCommits: boolean;
  /** Runs soon after another configuration is in force. */
  readonly followsConfig?: boolean;
  /** After a run it rests so many times as long as the run took, and a second at least, whatever is committed. */
  readonly restFactor?: number;
  /** The lease that a server must hold to run it; null for a job that every server of a shared root runs. */
  readonly lease: string | null;
  /**
   * One run. It gives how soon it wants to run again, or null for `everyMs`. A function runs in the primary, beside the
   * commits: it may read, wait and commit, and must not compute for long. Heavy work runs in a process of its own.
   */
  readonly run:
    | ((signal: AbortSignal) => Promise<number | null>)
    | HeavyWork<Context, null, number | null>;
  /** Called instead of a run while another server holds the lease. */
  readonly elsewhere?: () => void;
  /** Runs once at a clean stop, under the lease, when no job runs any more. Does not throw. */
  readonly last?: () => Promise<void>;
}

/** Hears of every run. */
export type JobWatcher = (job: string, ms: number, failed: boolean) => void;
