// A gate lets so many in, keeps so many waiting in order, and refuses the rest.

import { expect, test } from "bun:test";
import { Gate, GateFull } from "./gate.ts";

test("at most two run, at most three wait, in order; the rest is refused at once", async () => {
  const gate = new Gate({ runningMax: 2, waitingMax: 3 });
  const order: number[] = [];
  const ends: (() => void)[] = [];
  const work = (number: number) => () => {
    order.push(number);
    const { promise, resolve } = Promise.withResolvers<void>();
    ends.push(resolve);
    return promise;
  };
  const runs = [1, 2, 3, 4, 5].map((number) => gate.run(work(number)));
  expect(gate.run(work(6))).rejects.toBeInstanceOf(GateFull);
  expect(order).toEqual([1, 2]);
  expect(gate.load).toEqual({ running: 2, waiting: 3 });
  for (let ended = 0; ended < 5; ended += 1) {
    ends[ended]?.();
    await runs[ended];
  }
  expect(order).toEqual([1, 2, 3, 4, 5]);
  expect(gate.load).toEqual({ running: 0, waiting: 0 });
});

test("work that fails gives its place back", async () => {
  const gate = new Gate({ runningMax: 1, waitingMax: 1 });
  const failing = gate.run(() => Promise.reject(new Error("no")));
  const waiting = gate.run(async () => "yes");
  expect(failing).rejects.toThrow("no");
  expect(await waiting).toBe("yes");
  expect(gate.load).toEqual({ running: 0, waiting: 0 });
});
