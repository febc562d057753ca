// The manual clock wakes sleepers in order and lets them run; the system clock ends sleeps on abort.

import { describe, expect, test } from "bun:test";
import { manualClock, systemClock } from "./clock.ts";

test("the wall clock of a manual clock jumps alone", async () => {
  const clock = manualClock(1_000);
  await clock.advance(5);
  clock.jump(-500);
  expect([clock.now(), clock.monotonicMs()]).toEqual([505, 5]);
});

describe("manualClock", () => {
  test("stands still until it is advanced", async () => {
    const clock = manualClock(1_700_000_000_000);
    expect([clock.now(), clock.monotonicMs()]).toEqual([1_700_000_000_000, 0]);
    await clock.advance(1500);
    expect([clock.now(), clock.monotonicMs()]).toEqual([1_700_000_001_500, 1500]);
  });

  test("wakes sleepers in the order of their time, at their time", async () => {
    const clock = manualClock();
    const woken: [string, number][] = [];
    const sleep = async (name: string, ms: number): Promise<void> => {
      await clock.sleep(ms);
      woken.push([name, clock.now()]);
    };
    const all = Promise.all([sleep("c", 30), sleep("a", 10), sleep("b", 20), sleep("a2", 10)]);
    await clock.advance(9);
    expect(woken).toEqual([]);
    await clock.advance(11);
    expect(woken).toEqual([
      ["a", 10],
      ["a2", 10],
      ["b", 20],
    ]);
    await clock.advance(10);
    await all;
    expect(woken.at(-1)).toEqual(["c", 30]);
  });

  test("a sleeper that sleeps again is woken again within one advance", async () => {
    const clock = manualClock();
    const ticks: number[] = [];
    const loop = async (): Promise<void> => {
      for (let tick = 0; tick < 4; tick += 1) {
        await clock.sleep(10);
        await Promise.resolve();
        ticks.push(clock.monotonicMs());
      }
    };
    const looping = loop();
    await clock.advance(35);
    expect(ticks).toEqual([10, 20, 30]);
    expect(clock.now()).toBe(35);
    await clock.advance(5);
    await looping;
    expect(ticks).toEqual([10, 20, 30, 40]);
  });

  test("a sleep ends early when its signal aborts, and at once when it has", async () => {
    const clock = manualClock();
    const controller = new AbortController();
    const asleep = clock.sleep(1000, controller.signal);
    controller.abort();
    await asleep;
    await clock.sleep(1000, controller.signal);
    await clock.sleep(0);
    expect(clock.now()).toBe(0);
  });
});

describe("systemClock", () => {
  test("a moment that has passed is no wait, and no warning of the runtime", async () => {
    const warned: string[] = [];
    const listener = (warning: Error): void => void warned.push(warning.name);
    process.on("warning", listener);
    await systemClock.sleep(-1_000);
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", listener);
    expect(warned).toEqual([]);
  });

  test("tells the time of day and a time that never goes back", () => {
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(60_000);
    const before = systemClock.monotonicMs();
    expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(before);
  });

  test("sleeps, and wakes early on abort however long the sleep", async () => {
    await systemClock.sleep(1);
    for (const ms of [60_000, 2 ** 40, Infinity]) {
      const controller = new AbortController();
      const asleep = systemClock.sleep(ms, controller.signal);
      controller.abort();
      await asleep;
      await systemClock.sleep(ms, controller.signal);
    }
  });
});
