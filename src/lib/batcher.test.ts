// Batches share a tick, never overlap, keep order, fail alone, and bound who waits.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { AssertionError } from "./assert.ts";
import { Batcher, BatcherFull } from "./batcher.ts";

/** A batcher whose runs end when the test says so. */
function controlled(limits: { itemsMax?: number; waitingMax?: number } = {}) {
  const runs: { items: number[]; end: PromiseWithResolvers<number[]> }[] = [];
  const batcher = new Batcher<number, number>({
    run: (items) => {
      const end = Promise.withResolvers<number[]>();
      runs.push({ items, end });
      return end.promise;
    },
    itemsMax: limits.itemsMax ?? 100,
    waitingMax: limits.waitingMax ?? 100,
  });
  return { batcher, runs };
}

/** Lets all microtasks run. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What a promise is rejected with; a promise that is kept fails the comparison. */
const reasonOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => ({ value }),
    (reason: unknown) => reason,
  );

const doubled = (items: number[]): number[] => items.map((item) => item * 2);

describe("Batcher", () => {
  test("submits of one tick share a batch, which has not begun when submit returns", async () => {
    const { batcher, runs } = controlled();
    const results = Promise.all([batcher.submit(1), batcher.submit(2), batcher.submit(3)]);
    expect(runs).toHaveLength(0);
    await settle();
    expect(runs.map(({ items }) => items)).toEqual([[1, 2, 3]]);
    runs[0]!.end.resolve(doubled(runs[0]!.items));
    expect(await results).toEqual([2, 4, 6]);
  });

  test("who comes during a run joins the next one", async () => {
    const { batcher, runs } = controlled();
    const first = batcher.submit(1);
    await settle();
    const later = Promise.all([batcher.submit(2), batcher.submit(3)]);
    await settle();
    expect(runs).toHaveLength(1);
    runs[0]!.end.resolve([10]);
    expect(await first).toBe(10);
    await settle();
    expect(runs.map(({ items }) => items)).toEqual([[1], [2, 3]]);
    runs[1]!.end.resolve([20, 30]);
    expect(await later).toEqual([20, 30]);
  });

  test("a settled caller that submits at once joins the next batch", async () => {
    const { batcher, runs } = controlled();
    const chain = (async () => {
      await batcher.submit(1);
      return batcher.submit(3);
    })();
    await settle();
    const waiting = batcher.submit(2);
    runs[0]!.end.resolve([1]);
    await settle();
    expect(runs[1]!.items).toEqual([2, 3]);
    runs[1]!.end.resolve([2, 3]);
    expect(await Promise.all([waiting, chain])).toEqual([2, 3]);
  });

  test("a batch holds itemsMax at most; the rest follow in order", async () => {
    const { batcher, runs } = controlled({ itemsMax: 2 });
    const all = Promise.all([1, 2, 3, 4, 5].map((item) => batcher.submit(item)));
    for (let run = 0; run < 3; run += 1) {
      await settle();
      expect(runs).toHaveLength(run + 1);
      runs[run]!.end.resolve(doubled(runs[run]!.items));
    }
    expect(await all).toEqual([2, 4, 6, 8, 10]);
    expect(runs.map(({ items }) => items)).toEqual([[1, 2], [3, 4], [5]]);
  });

  test("a rejected run rejects exactly its callers", async () => {
    const { batcher, runs } = controlled();
    const failing = Promise.allSettled([batcher.submit(1), batcher.submit(2)]);
    await settle();
    const later = batcher.submit(3);
    const cause = new Error("disk");
    runs[0]!.end.reject(cause);
    expect(await failing).toEqual([
      { status: "rejected", reason: cause },
      { status: "rejected", reason: cause },
    ]);
    await settle();
    runs[1]!.end.resolve([33]);
    expect(await later).toBe(33);
  });

  test("a run that throws before its first await rejects its callers", async () => {
    const run = (): Promise<number[]> => {
      throw new Error("at once");
    };
    const batcher = new Batcher<number, number>({ run, itemsMax: 2, waitingMax: 2 });
    expect(await reasonOf(batcher.submit(1))).toEqual(new Error("at once"));
    await batcher.idle();
  });

  test("a run that returns too few results is a broken promise, and nobody hangs", async () => {
    const { batcher, runs } = controlled();
    const results = Promise.allSettled([batcher.submit(1), batcher.submit(2)]);
    await settle();
    runs[0]!.end.resolve([1]);
    const reason = new AssertionError("A run returns one result per item");
    expect(await results).toEqual([
      { status: "rejected", reason },
      { status: "rejected", reason },
    ]);
  });

  test("results may be undefined", async () => {
    const batcher = new Batcher<number, void>({
      run: async (items) => Array.from({ length: items.length }, () => undefined),
      itemsMax: 2,
      waitingMax: 9,
    });
    expect(await Promise.all([1, 2, 3].map((item) => batcher.submit(item)))).toHaveLength(3);
  });

  test("beyond waitingMax a submit is refused; those in flight do not count", async () => {
    const { batcher, runs } = controlled({ waitingMax: 2 });
    const first = batcher.submit(1);
    await settle();
    const waiting = Promise.all([batcher.submit(2), batcher.submit(3)]);
    expect(await reasonOf(batcher.submit(4))).toBeInstanceOf(BatcherFull);
    runs[0]!.end.resolve([1]);
    await first;
    await settle();
    runs[1]!.end.resolve([2, 3]);
    expect(await waiting).toEqual([2, 3]);
    expect(runs).toHaveLength(2);
  });

  test("idle waits for the run in flight and for all who wait", async () => {
    const { batcher, runs } = controlled({ itemsMax: 1 });
    await batcher.idle();
    const all = Promise.all([batcher.submit(1), batcher.submit(2)]);
    let idle = false;
    const becameIdle = batcher.idle().then(() => (idle = true));
    await settle();
    runs[0]!.end.resolve([1]);
    await settle();
    expect(idle).toBe(false);
    runs[1]!.end.resolve([2]);
    await becameIdle;
    expect(await all).toEqual([1, 2]);
  });

  test("every caller gets its own result, runs never overlap (random arrivals and failures)", async () => {
    const plan = fc.array(fc.record({ pause: fc.nat({ max: 2 }), fails: fc.boolean() }), {
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(plan, fc.integer({ min: 1, max: 5 }), async (arrivals, itemsMax) => {
        let running = 0;
        const batcher = new Batcher<{ id: number; fails: boolean }, number>({
          itemsMax,
          waitingMax: 100,
          run: async (items) => {
            running += 1;
            expect(running).toBe(1);
            expect(items.length).toBeLessThanOrEqual(itemsMax);
            await Promise.resolve();
            running -= 1;
            if (items.some(({ fails }) => fails)) throw items.map(({ id }) => id);
            return items.map(({ id }) => id);
          },
        });
        const outcomes: Promise<void>[] = [];
        for (const [id, { pause, fails }] of arrivals.entries()) {
          for (let tick = 0; tick < pause; tick += 1) await Promise.resolve();
          const check = (result: number): void => expect(result).toBe(id);
          const failed = (ids: unknown): void => expect(ids).toContain(id);
          outcomes.push(batcher.submit({ id, fails }).then(check, failed));
        }
        await Promise.all(outcomes);
        await batcher.idle();
      }),
    );
  });
});

describe("weights", () => {
  /** Items weigh what they are. */
  function weighed(heavyWaitingMax = 1_000) {
    const runs: { items: number[]; end: PromiseWithResolvers<number[]> }[] = [];
    const batcher = new Batcher<number, number>({
      run: (items) => {
        const end = Promise.withResolvers<number[]>();
        runs.push({ items, end });
        return end.promise;
      },
      itemsMax: 100,
      waitingMax: 100,
      weights: { weigh: (item) => item, weightMax: 10, heavyMin: 10, heavyWaitingMax },
    });
    const endLast = async (): Promise<void> => {
      const last = runs.at(-1)!;
      last.end.resolve(last.items);
      await settle();
      await settle();
    };
    return { batcher, runs, endLast };
  }

  test("one heavy item runs between the batches of the others, which wait for no second one", async () => {
    const { batcher, runs, endLast } = weighed();
    const all = [50, 51, 52].map((item) => batcher.submit(item));
    await settle();
    all.push(batcher.submit(1), batcher.submit(2));
    await endLast();
    all.push(batcher.submit(3));
    for (let run = 0; run < 5; run += 1) await endLast();
    expect(runs.map(({ items }) => items)).toEqual([[50], [1, 2], [51], [3], [52]]);
    expect(await Promise.all(all)).toEqual([50, 51, 52, 1, 2, 3]);
  });

  test("a batch ends before it weighs too much", async () => {
    const { batcher, runs, endLast } = weighed();
    const all = [4, 4, 4, 9, 1, 1].map((item) => batcher.submit(item));
    await settle();
    for (let run = 0; run < 4; run += 1) await endLast();
    expect(runs.map(({ items }) => items)).toEqual([[4, 4], [4], [9, 1], [1]]);
    await Promise.all(all);
  });

  test("heavy items are refused beyond what may wait of them, the others are not", async () => {
    const { batcher, endLast } = weighed(100);
    const first = batcher.submit(500);
    await settle();
    const next = batcher.submit(500);
    expect(await reasonOf(batcher.submit(10))).toBeInstanceOf(BatcherFull);
    const light = batcher.submit(1);
    for (let run = 0; run < 3; run += 1) await endLast();
    expect(await Promise.all([first, next, light])).toEqual([500, 500, 1]);
    const again = batcher.submit(60);
    await settle();
    await endLast();
    expect(await again).toBe(60);
  });
});
