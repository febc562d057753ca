/** What upstreams said is not there, for a while: a client that asks again and again costs them nothing. */
import type { Clock } from "../../../lib/clock.ts";
import { Lru } from "../../../lib/lru.ts";

/** References that are remembered, per worker. */
const absencesMax = 10_000;
/** A tag may be pushed any moment; content that has a digest hardly comes later. */
const tagAbsentMs = 30_000;
const digestAbsentMs = 10 * 60_000;

export class Absences {
  readonly #clock: Clock;
  readonly #until = new Lru<string, number>({ entriesMax: absencesMax });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  has(place: string): boolean {
    const until = this.#until.get(place);
    if (until === null) return false;
    if (until > this.#clock.monotonicMs()) return true;
    this.#until.delete(place);
    return false;
  }

  add(place: string, kind: "tag" | "digest"): void {
    const ms = kind === "tag" ? tagAbsentMs : digestAbsentMs;
    this.#until.set(place, this.#clock.monotonicMs() + ms);
  }

  forget(place: string): void {
    this.#until.delete(place);
  }

  forgetAll(): void {
    this.#until.clear();
  }
}
