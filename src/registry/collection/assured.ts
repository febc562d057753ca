/**
 * Contents of which this process knows for a minute that they are not collected soon: to read that for every HEAD would
 * double its cost. Nothing that is committed meanwhile makes it wrong, since a clock that begins now ends later.
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
