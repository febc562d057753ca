/**
 * Content that will not be collected soon, remembered by this process for a minute: asking the metadata at every HEAD
 * would double its cost. No commit in between makes it wrong, since a delay that begins later ends later.
 */
import type { Clock } from "../../lib/clock.ts";
import { Lru } from "../../lib/lru.ts";
import type { Holding } from "../../metadata/metadata.ts";

/** How long it is remembered. */
export const assuredMs = 60_000;
/** Contents that are remembered. */
const assuredMax = 10_000;

export class Assured {
  readonly #until = new Lru<string, number>({ entriesMax: assuredMax });
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  has({ repository, digest }: Holding): boolean {
    return (this.#until.get(`${repository} ${digest}`) ?? 0) > this.#clock.monotonicMs();
  }

  add({ repository, digest }: Holding): void {
    this.#until.set(`${repository} ${digest}`, this.#clock.monotonicMs() + assuredMs);
  }
}
