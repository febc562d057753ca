/**
 * The job that copies from time to time what entries with a `pollInterval` choose; the first round is at the start.
 *
 * Entries do not wait for each other: one run of the job lasts for as long as a round of any of them does. Another
 * configuration ends rounds of entries that it changes or does not have; the others keep their time.
 */
import type { RegistryJob } from "../../../registry/registry_job.ts";
import type { Registry } from "../../../registry/registry.ts";
import { SyncRound, type RoundParts } from "./sync_round.ts";

export const periodicJobName = "mirror sync";
/** Rounds are moved by up to this part of their interval, so that many mirrors do not ask at the same moment. */
const jitterPart = 0.1;
/** A run that has nothing to do comes again, though whoever changes the configuration wakes it. */
const idleMs = 60 * 60_000;

interface Turn {
  readonly parts: RoundParts;
  dueMs: number;
  /** Null while no round of it runs. */
  running: { readonly ended: Promise<void>; readonly abort: AbortController } | null;
}

export class PeriodicRounds {
  readonly #registry: Registry;
  #turns: Turn[];
  #changed = Promise.withResolvers<void>();

  constructor(registry: Registry, rounds: readonly RoundParts[]) {
    this.#registry = registry;
    this.#turns = rounds.map(turnOf);
  }

  get job(): RegistryJob {
    return {
      name: periodicJobName,
      everyMs: idleMs,
      followsCommits: false,
      followsConfig: true,
      lease: periodicJobName,
      run: (signal) => this.#run(signal),
    };
  }

  /** Other rounds are in force. */
  replace(rounds: readonly RoundParts[]): void {
    const before = this.#turns;
    this.#turns = rounds.map((parts) => {
      const known = before.find((turn) => isSame(turn.parts, parts));
      return known === undefined ? turnOf(parts) : { ...known, parts };
    });
    for (const turn of before) {
      if (!this.#turns.some(({ running }) => running === turn.running)) turn.running?.abort.abort();
    }
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Runs what is due until nothing runs any more; how soon the next round is due. */
  async #run(signal: AbortSignal): Promise<number | null> {
    const running = new Set<Promise<void>>();
    for (;;) {
      const changed = this.#changed.promise;
      for (const turn of this.#turns) {
        if (turn.running !== null || this.#waitMs(turn) > 0) continue;
        const ended = this.#begin(turn, signal).finally(() => running.delete(ended));
        running.add(ended);
      }
      if (running.size === 0) return this.#nextMs();
      const nap = new AbortController();
      const next = this.#registry.clock.sleep(
        this.#nextMs(),
        AbortSignal.any([signal, nap.signal]),
      );
      await Promise.race([...running, changed, next]);
      nap.abort();
      if (!signal.aborted) continue;
      await Promise.all(running);
      return null;
    }
  }

  #begin(turn: Turn, signal: AbortSignal): Promise<void> {
    const abort = new AbortController();
    const ended = this.#round(turn.parts, AbortSignal.any([signal, abort.signal])).then(() => {
      const { clock } = this.#registry;
      // Another configuration may have put a new turn in its place, which waits for the same round.
      for (const each of this.#turns) {
        if (each.running?.abort !== abort) continue;
        each.running = null;
        each.dueMs = clock.monotonicMs() + jittered(each.parts.entry.values.pollInterval);
      }
    });
    turn.running = { ended, abort };
    return ended;
  }

  /** Never rejects. */
  async #round(parts: RoundParts, signal: AbortSignal): Promise<void> {
    try {
      await new SyncRound(parts, signal).run();
    } catch (error) {
      if (signal.aborted) return;
      const problem = error instanceof Error ? error.message : String(error);
      this.#registry.report("error", "an upstream could not be synced", {
        upstream: parts.entry.hosts[0],
        problem,
      });
    }
  }

  #waitMs({ dueMs }: Turn): number {
    return Math.max(0, dueMs - this.#registry.clock.monotonicMs());
  }

  /** Until a round is due that does not run. */
  #nextMs(): number {
    const idle = this.#turns.filter(({ running }) => running === null);
    return Math.min(idleMs, ...idle.map((turn) => this.#waitMs(turn)));
  }
}

function turnOf(parts: RoundParts): Turn {
  return { parts, dueMs: 0, running: null };
}

/** Whether two configurations ask for the same rounds. */
function isSame(one: RoundParts, other: RoundParts): boolean {
  return Bun.deepEquals(one.entry.values, other.entry.values, true);
}

function jittered(intervalMs: number): number {
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
  return intervalMs * (1 + jitterPart * ((2 * random) / 2 ** 32 - 1));
}
