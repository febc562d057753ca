/**
 * A page of counters that all processes of one server share: whoever downloads a blob moves its counter, so that those
 * in other processes who send the same blob learn without a system call that more of it has come.
 */
import { openSharedPage, type PageAt } from "../../../lib/shared_page.ts";

/** Downloads share counters by hash, which costs a needless look now and then. */
const slots = 1024;

/** Makes the page of a server. */
export function makeTicks(at: PageAt): void {
  openSharedPage(at, new Int32Array(slots));
}

export class FetchTicks {
  readonly #counters: Int32Array;

  constructor(at: PageAt = new Int32Array(slots)) {
    this.#counters = openSharedPage(at, new Int32Array(slots));
  }

  /** The counter of a download by its id. */
  read(id: string): number {
    return Atomics.load(this.#counters, slotOf(id));
  }

  move(id: string): void {
    Atomics.add(this.#counters, slotOf(id), 1);
  }
}

function slotOf(id: string): number {
  return Bun.hash.cityHash32(id) % slots;
}
