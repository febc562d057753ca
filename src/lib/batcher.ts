// Group commit: one run at a time, each for all callers that submitted during the last one.
//
// The first submit starts a batch in a microtask, so that submits of the same tick share it. A
// submit while a run is in flight waits for the next one. Batches run in order and never overlap. A
// rejected run rejects exactly the callers of its batch; the next batch runs all the same. The
// number of waiting callers is bounded: beyond it a submit is refused at once (`BatcherFull`).
//
// Items may have weights. A batch takes items until `weightMax` is reached. Heavy items wait in a line of their own
// and run one at a time, in turn with the batches of the others: a light item waits for one heavy item at most,
// however many of them wait.

import { setImmediate } from "node:timers/promises";
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
  /** Without it every item weighs nothing. */
  weights?: BatchWeights<T>;
}

export interface BatchWeights<T> {
  weigh: (item: T) => number;
  /** What a batch weighs at most; an item alone may weigh more. */
  weightMax: number;
  /** Items from this weight on are heavy. */
  heavyMin: number;
  /** What all waiting heavy items weigh at most; one alone may weigh more. */
  heavyWaitingMax: number;
}

interface Waiting<T, R> {
  item: T;
  weight: number;
  resolve: (result: R) => void;
  reject: (reason: unknown) => void;
}

export class Batcher<T, R> {
  readonly #options: BatcherOptions<T, R>;
  readonly #idleWaiters: (() => void)[] = [];
  readonly #light: Waiting<T, R>[] = [];
  readonly #heavy: Waiting<T, R>[] = [];
  #heavyWeight = 0;
  #wasHeavy = false; // The last run was of a heavy item.
  #active = false; // A run is in flight, or is on the way.

  constructor(options: BatcherOptions<T, R>) {
    assert(options.itemsMax > 0 && options.waitingMax > 0, "A batch takes at least one item");
    this.#options = options;
  }

  /** Adds the item to the next batch. Resolves with its result once that batch has run. */
  submit(item: T): Promise<R> {
    const { weights, waitingMax } = this.#options;
    const weight = weights?.weigh(item) ?? 0;
    const isHeavy = weights !== undefined && weight >= weights.heavyMin;
    const waiting = this.#light.length + this.#heavy.length;
    const isFull =
      waiting >= waitingMax ||
      (isHeavy && this.#heavyWeight > 0 && this.#heavyWeight + weight > weights.heavyWaitingMax);
    if (isFull) {
      return Promise.reject(new BatcherFull(`${waiting} callers wait already; try again later`));
    }
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    (isHeavy ? this.#heavy : this.#light).push({ item, weight, resolve, reject });
    if (isHeavy) this.#heavyWeight += weight;
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
    const batch = this.#takeBatch();
    try {
      const results = await this.#options.run(batch.map(({ item }) => item));
      assert(results.length === batch.length, "A run returns one result per item");
      for (const [index, result] of results.entries()) batch[index]?.resolve(result);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    // After a long run those whose submits are still on their way to this process come first.
    if (this.#wasHeavy) await setImmediate();
    this.#active = false;
    // The callers just settled run first, so that what they submit at once joins the next batch.
    if (this.#light.length + this.#heavy.length > 0) this.#schedule();
    else for (const wake of this.#idleWaiters.splice(0)) wake();
  }

  #takeBatch(): Waiting<T, R>[] {
    const [first] = this.#heavy;
    const isHeavyTurn = first !== undefined && (!this.#wasHeavy || this.#light.length === 0);
    this.#wasHeavy = isHeavyTurn;
    if (!isHeavyTurn) return this.#light.splice(0, this.#lightCount());
    this.#heavy.shift();
    this.#heavyWeight -= first.weight;
    return [first];
  }

  /** How many of those that wait make a batch. */
  #lightCount(): number {
    const { itemsMax, weights } = this.#options;
    const count = Math.min(this.#light.length, itemsMax);
    if (weights === undefined) return count;
    let weight = 0;
    const end = this.#light.slice(0, count).findIndex((waiting) => {
      weight += waiting.weight;
      return weight > weights.weightMax;
    });
    return end === -1 ? count : Math.max(end, 1);
  }
}
