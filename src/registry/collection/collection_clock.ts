/**
 * How long something has waited, though the clock of the machine may jump.
 *
 * A jump forward is no waiting: what was there before it waits for as long again. So is time in which no server looked
 * at the clock, since nobody can tell a long night from a wrong clock. Nothing waits because of a jump back: what seems
 * to come from the future counts from now on.
 */
import {
  collection,
  type CollectionChange,
  type CollectionReads,
} from "../../metadata/collection.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Registry, Report } from "../registry.ts";

/** A difference between wall clock and elapsed time that is a jump; less than that is adjusted often. */
const jumpMsMin = 60 * 60_000;
const backMsMin = 60_000;
/** How often the time is written down while something waits. */
const writtenEveryMs = 10 * 60_000;

interface State {
  /** The wall clock when it was last looked at. */
  readonly seen: number;
  /** What waits since before that moment has waited for so much less than the clock says. */
  readonly lostMs: number;
  readonly lostBefore: number;
}

/** Whose look at the clock it is: each notes it for itself. */
type ClockName = "clock" | "clock of holds" | "clock of history";

export interface ClockParts {
  readonly name?: ClockName;
  readonly clock: Clock;
  readonly report: Report;
  readonly reads: Pick<CollectionReads, "value">;
  readonly commit: (change: CollectionChange) => Promise<void>;
}

export class CollectionClock {
  readonly #parts: ClockParts;
  #state: State | null = null;
  #writtenAt = 0;
  #lastMonotonicMs: number | null = null;

  constructor(parts: ClockParts) {
    this.#parts = parts;
  }

  /** Looks at the clock, once a run. True when it went back since the last look. */
  async look({ isWaiting }: { readonly isWaiting: boolean }): Promise<boolean> {
    const { clock } = this.#parts;
    const now = clock.now();
    const monotonicMs = clock.monotonicMs();
    const before = (this.#state ??= await this.#read(now));
    const elapsedMs = this.#lastMonotonicMs === null ? 0 : monotonicMs - this.#lastMonotonicMs;
    const isFirst = this.#lastMonotonicMs === null;
    this.#lastMonotonicMs = monotonicMs;
    const jumpMs = now - before.seen - elapsedMs;
    this.#state = { ...before, seen: now };
    if (jumpMs > jumpMsMin) await this.#lose(before, jumpMs, { now, isFirst });
    else if (isWaiting && now - this.#writtenAt > writtenEveryMs) await this.#write();
    return jumpMs < -backMsMin;
  }

  /** Up to when something must have lost its last name, to have waited for so long. */
  dueUntil(delayMs: number): number {
    return dueUntil(this.#state, this.#parts.clock.now(), delayMs);
  }

  async #lose(
    before: State,
    jumpMs: number,
    { now, isFirst }: { readonly now: number; readonly isFirst: boolean },
  ): Promise<void> {
    this.#state = { seen: now, lostMs: before.lostMs + jumpMs, lostBefore: now };
    await this.#write();
    const message = isFirst
      ? "nobody looked at the clock for a while; collection counts that time as no waiting"
      : "the clock went forward; collection counts the jump as no waiting";
    this.#parts.report("warn", message, { minutes: Math.round(jumpMs / 60_000) });
  }

  async #read(now: number): Promise<State> {
    const state = await read(this.#parts.reads, this.#parts.name ?? "clock");
    return state ?? { seen: now, lostMs: 0, lostBefore: 0 };
  }

  async #write(): Promise<void> {
    const state = this.#state;
    if (state === null) return;
    this.#writtenAt = state.seen;
    const name = this.#parts.name ?? "clock";
    await this.#parts.commit({ kind: "set", name, value: JSON.stringify(state) });
  }
}

async function read(reads: ClockParts["reads"], name: ClockName): Promise<State | null> {
  const text = await reads.value(name);
  return text === null ? null : (JSON.parse(text) as State);
}

function dueUntil(state: State | null, now: number, delayMs: number): number {
  const { lostMs = 0, lostBefore = 0 } = state ?? {};
  // What waits since before the jump has waited for long enough by then, whatever it lost.
  return now - delayMs - (now - lostBefore < delayMs ? lostMs : 0);
}

/** Up to when something must have lost its last name for collection to find it due, as its last round knew the clock. */
export async function collectionDueUntil(
  { metadata, clock }: Pick<Registry, "metadata" | "clock">,
  delayMs: number,
): Promise<number> {
  return dueUntil(await read(metadata.records(collection), "clock"), clock.now(), delayMs);
}
