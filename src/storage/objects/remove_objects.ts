/**
 * Removes what nothing names any more from a store of objects, once that was so for a while.
 *
 * A key that is garbage can never be named again, so that nobody is harmed by a removal that comes late, twice, or from
 * a process that was thought to be dead. Its row goes after the object: a removal that was cut off is done again.
 */
import type { StoreUpkeep } from "../stores.ts";
import type { FreedObject } from "../object_records.ts";
import type { ObjectPlace } from "./write_object.ts";

/** Objects that are removed in one turn, and of them at once. */
const turnMax = 256;
const atOnceMax = 8;
/** What has been written for longer, and has not said that it goes on, ended without a word. */
const writingMs = 24 * 60 * 60_000;

export function objectUpkeep(place: ObjectPlace): StoreUpkeep {
  return {
    removeFreed: async (delayMs, signal) => {
      const { records, clock } = place;
      await records.endWriting(clock.now() - writingMs);
      let removed = 0;
      for (;;) {
        const freed = await records.garbage(clock.now() - delayMs, turnMax);
        removed += await removeEach(place, freed, signal);
        if (freed.length < turnMax || signal?.aborted === true) return removed;
      }
    },
  };
}

/** @throws what the store throws, once the rows of what was removed are gone. */
async function removeEach(
  { store, records }: ObjectPlace,
  freed: readonly FreedObject[],
  signal: AbortSignal | undefined,
): Promise<number> {
  const left = [...freed];
  const gone: string[] = [];
  const removeSome = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      if (signal?.aborted === true) return;
      const { key, upload } = next;
      if (upload !== null) await store.abortParts(key, { upload });
      await store.remove(key);
      gone.push(key);
    }
  };
  const removing = await Promise.allSettled(Array.from({ length: atOnceMax }, removeSome));
  if (gone.length > 0) await records.removed(gone);
  const failure = removing.find((each) => each.status === "rejected");
  if (failure !== undefined) throw failure.reason;
  return gone.length;
}
