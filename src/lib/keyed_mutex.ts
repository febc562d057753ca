// One lock per key: work under the same key runs one after the other, in the order of the calls.
//
// Work under different keys runs side by side. A key costs memory only while someone holds it or
// waits for it. The lock is of this process alone and is not re-entrant: work that asks for its own
// key waits for ever. Bounding the number of waiters is left to the caller.

export class KeyedMutex {
  readonly #tails = new Map<string, Promise<void>>(); // Settles when the last in line is done.

  /** The number of keys that are held. */
  get size(): number {
    return this.#tails.size;
  }

  /** Runs the work once all earlier work under this key is done; returns or throws what it does. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    const { promise: done, resolve: release } = Promise.withResolvers<void>();
    this.#tails.set(key, done);
    try {
      await before;
      return await work();
    } finally {
      if (this.#tails.get(key) === done) this.#tails.delete(key);
      release();
    }
  }
}
