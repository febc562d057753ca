// Group commit: many callers, one run at a time, each run for all who came meanwhile.
//
// The first submit starts a batch in a microtask, so that submits of the same tick share it. Who
// comes while a run is in flight waits for the next one. Batches run in order and never overlap. A
// rejected run rejects exactly the callers of its batch; the next batch runs all the same. The
// number of waiting callers is bounded: beyond it a submit is refused at once (`BatcherFull`).

import { assert } from "./assert.ts";

/** So many callers wait already that one more is refused. The work was not begun. */
export class BatcherFull extends Error {
  override readonly name = "BatcherFull";
}

export interface BatcherOptions<T, R> {
  /** Does the work of a batch. Returns one result per item, in the order of the items. */
  run: (items: T[]) => Promise<R[]>;
  /** The most items that one run is given. */
  itemsMax: number;
  /** The most callers that wait for a run to begin, those of the running batch not counted. */
  waitingMax: number;
}

interface Waiting<T, R> {
  item: T;
  resolve: (result: R) => void;
  reject: (reason: unknown) => void;
}

export class Batcher<T, R> {
  readonly #options: BatcherOptions<T, R>;
  readonly #idleWaiters: (() => void)[] = [];
  #waiting: Waiting<T, R>[] = [];
  #active = false; // A run is in flight, or its microtask is on the way.

  constructor(options: BatcherOptions<T, R>) {
    assert(options.itemsMax > 0 && options.waitingMax > 0, "A batch takes at least one item");
    this.#options = options;
  }

  /** Adds the item to the next batch. Resolves with its result once that batch has run. */
  submit(item: T): Promise<R> {
    if (this.#waiting.length >= this.#options.waitingMax) {
      return Promise.reject(
        new BatcherFull(`${this.#waiting.length} callers wait already; try again later`),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    this.#waiting.push({ item, resolve, reject });
    this.#schedule();
    return promise;
  }

  /** Resolves when no run is in flight and nobody waits for one. */
  idle(): Promise<void> {
    if (!this.#active) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idleWaiters.push(resolve);
    return promise;
  }

  #schedule(): void {
    if (this.#active) return;
    this.#active = true;
    queueMicrotask(() => void this.#runNext());
  }

  /** Runs one batch and settles its callers. Never rejects. */
  async #runNext(): Promise<void> {
    const batch = this.#waiting.splice(0, this.#options.itemsMax);
    try {
      const results = await this.#options.run(batch.map(({ item }) => item));
      assert(results.length === batch.length, "A run returns one result per item");
      for (const [index, result] of results.entries()) batch[index]?.resolve(result);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    this.#active = false;
    // The callers just settled run first, so that what they submit at once joins the next batch.
    if (this.#waiting.length > 0) this.#schedule();
    else for (const wake of this.#idleWaiters.splice(0)) wake();
  }
}
