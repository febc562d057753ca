/** The clock of a store, as its answers tell it: signatures are made by it, since a store refuses those of another time. */
import type { Clock } from "../../../lib/clock.ts";

/** It is followed where it differs by more; answers tell whole seconds. */
const followedMs = 30_000;
/** And this much is worth a word. */
const toldMs = 2 * 60_000;

export class StoreClock {
  readonly #clock: Clock;
  readonly #report: (line: string) => void;
  #aheadMs = 0;

  constructor(clock: Clock, report: (line: string) => void) {
    this.#clock = clock;
    this.#report = report;
  }

  /** Milliseconds since 1970. */
  now(): number {
    return this.#clock.now() + this.#aheadMs;
  }

  /** Looks at the header `Date` of an answer. */
  see(headers: Headers, name: string): void {
    const theirs = Date.parse(headers.get("Date") ?? "");
    if (Number.isNaN(theirs)) return;
    const aheadMs = theirs - this.#clock.now();
    if (Math.abs(aheadMs - this.#aheadMs) < followedMs) return;
    this.#aheadMs = Math.abs(aheadMs) < followedMs ? 0 : aheadMs;
    if (Math.abs(aheadMs) < toldMs) return;
    const way = aheadMs > 0 ? "behind" : "ahead of";
    this.#report(
      `the clock here is ${Math.round(Math.abs(aheadMs) / 1000)} s ${way} that of ${name}`,
    );
  }
}
