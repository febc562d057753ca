/**
 * Measures what repositories hold: soon after a commit, and every minute for commits of other servers.
 *
 * It reads the metadata slice by slice, and lets requests and commits in between. A measurement that took long makes
 * the next one wait for a hundred times as long, so that measuring never costs more than a hundredth of a process.
 * `stop` ends it between two slices.
 */
import type { Clock } from "../../lib/clock.ts";
import type { Metadata } from "../../metadata/metadata.ts";

export interface Usage {
  /** Bytes of all content, each blob once. */
  readonly contentBytes: number;
  /** Bytes that each repository holds, shared ones included. */
  readonly repositories: ReadonlyMap<string, number>;
}

const everyMs = 60_000;
/** Pushes that follow each other closely are measured together. */
const restMsMin = 1_000;
const restFactor = 100;
/** A few milliseconds of reading. */
const sliceMax = 1_000;

export interface UsageMeterOptions {
  readonly metadata: Metadata;
  readonly clock: Clock;
  readonly onUsage: (usage: Usage) => void;
  readonly onProblem: (error: unknown) => void;
}

export class UsageMeter {
  readonly #options: UsageMeterOptions;
  readonly #stopping = new AbortController();
  /** Whether something was committed since the last measurement began. */
  #isChanged = false;
  #waiting = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(options: UsageMeterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop = this.#run(this.#stopping.signal);
  }

  /** Something was committed. */
  kick(): void {
    this.#isChanged = true;
    this.#waiting.abort();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#waiting.abort();
    await this.#loop;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { metadata, clock, onUsage, onProblem } = this.#options;
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs();
      this.#isChanged = false;
      try {
        onUsage(await measureUsage(metadata, clock, signal));
      } catch (error) {
        if (!signal.aborted) onProblem(error);
      }
      const restMs = Math.max((clock.monotonicMs() - startedMs) * restFactor, restMsMin);
      await clock.sleep(restMs, signal);
      await this.#waitForChange(everyMs - restMs);
    }
  }

  async #waitForChange(ms: number): Promise<void> {
    if (this.#isChanged || this.#stopping.signal.aborted) return;
    this.#waiting = new AbortController();
    await this.#options.clock.sleep(ms, this.#waiting.signal);
  }
}

/** Reads everything once. @throws when the signal ends it. */
export async function measureUsage(
  metadata: Metadata,
  clock: Clock,
  signal: AbortSignal,
): Promise<Usage> {
  const repositories = new Map<string, number>();
  let contentBytes = 0;
  for (const kind of ["blob", "manifest"] as const) {
    let before = "";
    let after: string | null = null;
    do {
      const slice = await metadata.holdings(kind, after, sliceMax);
      for (const { repository, digest, sizeBytes } of slice.items) {
        repositories.set(repository, (repositories.get(repository) ?? 0) + sizeBytes);
        if (digest !== before || kind === "manifest") contentBytes += sizeBytes;
        before = digest;
      }
      after = slice.next;
      await clock.sleep(1, signal);
      signal.throwIfAborted();
    } while (after !== null);
  }
  return { contentBytes, repositories };
}
