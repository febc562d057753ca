/**
 * Checks at intervals whether the root directory and the metadata can be written, for `/readyz`.
 *
 * The check is real: a file is written, flushed and removed, and the metadata gets a transaction of its own. A full
 * disk does not make the server unready, because pulls and deletes go on; it is logged.
 */
import type { Clock } from "../lib/clock.ts";
import type { Report } from "./registry.ts";

/** Between two tries while all is well, and while it is not. */
const everyMs = 5_000;
const againMs = 2_000;
/** A try that takes longer counts as failed; another is made when it has ended. */
const tryMsMax = 10_000;

export interface RootProbeOptions {
  readonly clock: Clock;
  readonly report: Report;
  /** Writes for real, and throws what fails; may hang as long as the disk does. */
  readonly attempt: () => Promise<void>;
  /** Whether it failed for want of space alone. */
  readonly isFull: (error: unknown) => boolean;
}

type Listener = (problem: string | null) => void;

export class RootProbe {
  readonly #options: RootProbeOptions;
  readonly #stopping = new AbortController();
  readonly #listeners: Listener[] = [];
  #problem: string | null = null;
  #full = false;
  #loop: Promise<void> | null = null;

  constructor(options: RootProbeOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Calls the listener now and at each change: why requests should go elsewhere; null when they are welcome. */
  watch(listener: Listener): void {
    this.#listeners.push(listener);
    listener(this.#problem);
  }

  /** Does not wait for a try that hangs. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const ended = new AbortController();
    const late = this.#options.clock.sleep(againMs, ended.signal);
    await Promise.race([this.#loop, late]);
    ended.abort();
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      // The start has written already.
      await clock.sleep(this.#problem === null ? everyMs : againMs, signal);
      if (signal.aborted) return;
      const attempt = this.#try();
      const late = new AbortController();
      const failure = await Promise.race([attempt, this.#tooLate(late.signal)]);
      late.abort();
      if (signal.aborted) return;
      this.#tell(failure);
      await attempt;
    }
  }

  /** What failed; null when nothing did. */
  async #try(): Promise<Error | null> {
    try {
      await this.#options.attempt();
      return null;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  async #tooLate(signal: AbortSignal): Promise<Error> {
    const { clock } = this.#options;
    await clock.sleep(tryMsMax, AbortSignal.any([signal, this.#stopping.signal]));
    return new Error(`a small write has taken longer than ${tryMsMax / 1000} s`);
  }

  #tell(failure: Error | null): void {
    const { report, isFull } = this.#options;
    const full = failure !== null && isFull(failure);
    if (full && !this.#full) report("warn", "the disk is full: pushes are answered 507");
    if (!full && this.#full) report("info", "the disk has room again");
    this.#full = full;
    const problem = failure === null || full ? null : reasonOf(failure);
    if (problem === this.#problem) return;
    if (failure !== null && problem !== null) {
      report("error", "content cannot be written: not ready", {
        error: String(failure.cause instanceof Error ? failure.cause : failure),
      });
    } else report("info", "content can be written again");
    this.#problem = problem;
    for (const listener of this.#listeners) listener(problem);
  }
}

/** The reason without the path, which callers of `/readyz` must not learn: "EROFS: read-only file system". */
function reasonOf({ message }: Error): string {
  return message.split(", ", 1)[0] ?? message;
}
