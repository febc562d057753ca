// How fast checks read: rests after each slice, the rate over time, and backing off while slices are slow.

import { expect, test } from "bun:test";
import { MiB } from "../../lib/bytes.ts";
import type { Clock } from "../../lib/clock.ts";
import { Pace } from "./pace.ts";

const dayMs = 24 * 60 * 60_000;

/** A clock whose sleeps pass at once. */
function passing() {
  let nowMs = 0;
  const clock: Clock = {
    now: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: (ms) => {
      nowMs += ms;
      return Promise.resolve();
    },
  };
  return { clock, work: (ms: number) => void (nowMs += ms), now: () => nowMs };
}

/** Reads slices of a mebibyte that take so long each; how long all of it took. */
async function read(
  at: ReturnType<typeof passing>,
  pace: Pace,
  slices: number,
  tookMs: (slice: number) => number,
): Promise<number> {
  const { signal } = new AbortController();
  const begunMs = at.now();
  for (let slice = 0; slice < slices; slice += 1) {
    at.work(tookMs(slice));
    await pace.rest(MiB, tookMs(slice), signal);
  }
  return at.now() - begunMs;
}

test("a small store is read at once, but for a rest of nine times each slice", async () => {
  const at = passing();
  const pace = new Pace(at.clock);
  pace.begin(50 * MiB);
  expect(await read(at, pace, 50, () => 2)).toBeCloseTo(50 * 2 * 10, 5);
});

test("a larger one is read at a mebibyte a second, once what was saved is used", async () => {
  const at = passing();
  const pace = new Pace(at.clock);
  pace.begin(1_000 * MiB);
  const tookMs = await read(at, pace, 1_000, () => 1);
  expect(tookMs / 1_000).toBeGreaterThan(930);
  expect(tookMs / 1_000).toBeLessThan(945);
});

test("a very large one is read in thirty days", async () => {
  const at = passing();
  const pace = new Pace(at.clock);
  const allBytes = 30_000_000 * MiB;
  pace.begin(allBytes);
  await read(at, pace, 200, () => 0.5);
  const tookMs = await read(at, pace, 30_000, () => 0.5);
  const rate = (30_000 * MiB) / tookMs;
  expect(allBytes / rate / dayMs).toBeGreaterThan(29);
  expect(allBytes / rate / dayMs).toBeLessThan(31);
});

test("it backs off while slices take longer than usual, and no longer", async () => {
  const at = passing();
  const pace = new Pace(at.clock);
  pace.begin(60 * MiB);
  const usual = await read(at, pace, 20, () => 5);
  const slow = await read(at, pace, 5, () => 50);
  expect(slow / 5 / (usual / 20)).toBeGreaterThan(60);
  await read(at, pace, 10, () => 5);
  expect(await read(at, pace, 20, () => 5)).toBeCloseTo(usual, 5);
});

test("what is slow for good is usual in the end", async () => {
  const at = passing();
  const pace = new Pace(at.clock);
  pace.begin(10 * MiB);
  await read(at, pace, 10, () => 5);
  await read(at, pace, 2_000, () => 50);
  pace.begin(10 * MiB);
  expect(await read(at, pace, 10, () => 50)).toBeCloseTo(10 * 50 * 10, 5);
});

test("a rest ends with a stop", async () => {
  const at = passing();
  const stop = new AbortController();
  const pace = new Pace(at.clock);
  pace.begin(10 * MiB);
  stop.abort();
  await pace.rest(1_000 * MiB, 10, stop.signal);
  expect(at.now()).toBe(0);
});
