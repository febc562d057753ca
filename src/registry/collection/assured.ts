/**
 * Content that will not be collected soon, remembered by this process for a minute: asking the metadata at every HEAD
 * would double its cost. No commit in between makes it wrong, since a delay that begins later ends later.
 */
import { Lru } from "../../lib/lru.ts";
import type { Holding } from "../../metadata/metadata.ts";

/** How long it is remembered. */
export const assuredMs = 60_000;
/** Contents that are remembered. */
const assuredMax = 10_000;

export class Assured {
  readonly #until = new Lru<string, number>({ entriesMax: assuredMax });

  has({ repository, digest }: Holding, nowMs: number): boolean {
    return (this.#until.get(`${repository} ${digest}`) ?? 0) > nowMs;
  }

  add({ repository, digest }: Holding, nowMs: number): void {
    this.#until.set(`${repository} ${digest}`, nowMs + assuredMs);
  }
}
