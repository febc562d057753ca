// How many bytes may be held at once by work that waits for others, such as bodies of slow clients.
//
// Each body has a limit of its own; this one is for their sum, so that a thousand of them are no danger. Work that finds
// no room does without the memory, or is refused. It never waits for room, since the work that holds it may never end.

import { assert } from "./assert.ts";

export class MemoryBudget {
  readonly #bytesMax: number;
  #takenBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Whether there was room, which is taken then. One alone always has room, also when it is larger than the budget. */
  take(bytes: number): boolean {
    if (this.#takenBytes > 0 && this.#takenBytes + bytes > this.#bytesMax) return false;
    this.#takenBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#takenBytes -= bytes;
    assert(this.#takenBytes >= 0, "Only what was taken is given back");
  }
}
