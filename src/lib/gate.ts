// Limits how much expensive work runs at once, and how much waits.
//
// When all places are taken, new work waits in line. When the line is full, it is refused at once (`GateFull`), so that
// a flood costs nothing but the API errors. The gate does not limit how long work takes.

import { assert } from "./assert.ts";

/** The line is full. The work was not begun. */
export class GateFull extends Error {
  override readonly name = "GateFull";
}

export class Gate {
  readonly #runningMax: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: { readonly runningMax: number; readonly waitingMax: number }) {
    assert(options.runningMax > 0, "A gate lets at least one in");
    this.#runningMax = options.runningMax;
    this.#waitingMax = options.waitingMax;
  }

  /** How many run and how many wait. */
  get load(): { readonly running: number; readonly waiting: number } {
    return { running: this.#running, waiting: this.#waiting.length };
  }

  /** Runs the work when there is a place. @throws GateFull. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#runningMax) this.#running += 1;
    else await this.#place();
    try {
      return await work();
    } finally {
      // A place is handed on, so that nobody can slip in between.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  #place(): Promise<void> {
    if (this.#waiting.length >= this.#waitingMax) {
      return Promise.reject(new GateFull(`${this.#waiting.length} wait already`));
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    return promise;
  }
}
