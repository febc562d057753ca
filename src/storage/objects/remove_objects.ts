/**
 * Removes what nothing names any more from a store of objects, once that was so for a while.
 *
 * A key that is garbage can never be named again, so that nobody is harmed by a removal that comes late, twice, or from
 * a process that was thought to be dead. Its row goes after the object: a removal that was cut off is done again. What
 * cannot be removed keeps nothing else: the others have their turn first.
 */
import type { FreedObject, GarbagePlace } from "../object_records.ts";
import type { StoreUpkeep } from "../stores.ts";
import { ObjectAudit } from "./object_audit.ts";
import type { ObjectPlace } from "./write_object.ts";

/** Objects that are removed in one turn, and of them at once. */
const turnMax = 256;
const atOnceMax = 8;
/** After so many that could not be removed, and none that could, the store is left alone until the next run. */
const failuresMax = 16;
/** What has been written for longer, and has not said that it goes on, ended without a word. */
const writingMs = 24 * 60 * 60_000;

export function objectUpkeep(place: ObjectPlace): StoreUpkeep {
  const removal = new Removal(place);
  return {
    removeFreed: (delayMs, signal) => removal.run(delayMs, signal),
    audits: [new ObjectAudit(place)],
  };
}

interface Round {
  removed: number;
  /** The first one. */
  failure: { readonly reason: unknown } | null;
  failedInARow: number;
}

class Removal {
  readonly #place: ObjectPlace;
  /** The next run begins behind it: what stands before it could not be removed. */
  #after: GarbagePlace | null = null;

  constructor(place: ObjectPlace) {
    this.#place = place;
  }

  /** @throws what the store throws, once all others had their turn. */
  async run(delayMs: number, signal?: AbortSignal): Promise<number> {
    const { records, clock } = this.#place;
    await records.endWriting(clock.now() - writingMs);
    const begunAt = this.#after;
    const round: Round = { removed: 0, failure: null, failedInARow: 0 };
    for (let isSecond = begunAt === null; ;) {
      const freed = await records.garbage(clock.now() - delayMs, this.#after, turnMax);
      await this.#removeEach(freed, round, signal);
      if (signal?.aborted === true || round.failedInARow >= failuresMax) break;
      this.#after = freed.length < turnMax ? null : (freed.at(-1) ?? null);
      if (this.#after !== null) continue;
      // Once more what stood before the beginning.
      if (isSecond) break;
      isSecond = true;
    }
    if (round.failure !== null) throw round.failure.reason;
    return round.removed;
  }

  async #removeEach(
    freed: readonly FreedObject[],
    round: Round,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { store, records } = this.#place;
    const left = [...freed];
    const gone: string[] = [];
    const removeSome = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        if (signal?.aborted === true || round.failedInARow >= failuresMax) return;
        const { key, upload } = next;
        try {
          if (upload !== null) await store.abortParts(key, { upload });
          await store.remove(key);
          gone.push(key);
          round.failedInARow = 0;
        } catch (error) {
          round.failure ??= { reason: error };
          round.failedInARow += 1;
          this.#after = next;
        }
      }
    };
    await Promise.all(Array.from({ length: atOnceMax }, removeSome));
    if (gone.length > 0) await records.removed(gone);
    round.removed += gone.length;
  }
}
