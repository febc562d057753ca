// A sender that went silent is told of once; one that is slow never is, and neither is one whose bytes are all here.

import { expect, test } from "bun:test";
import { manualClock } from "../lib/clock.ts";
import { watchIdle } from "./idle_watch.ts";

const idleMs = 60_000;

function watched(startBytes = 0) {
  const clock = manualClock();
  const seen = { bytes: startBytes, told: 0 };
  const end = watchIdle(clock, {
    idleMs,
    arrivedBytes: async () => seen.bytes,
    onIdle: () => {
      seen.told += 1;
    },
  });
  return { clock, seen, end };
}

test("a sender is idle once nothing came for the limit, from the first moment on", async () => {
  for (const startBytes of [0, 1000]) {
    const { clock, seen } = watched(startBytes);
    await clock.advance(idleMs - 1);
    expect(seen.told).toBe(0);
    await clock.advance(1);
    expect(seen.told).toBe(1);
    await clock.advance(10 * idleMs);
    expect(seen.told).toBe(1);
  }
});

test("ten minutes at a byte in each half of the limit are slow, not silent", async () => {
  const { clock, seen } = watched();
  for (let count = 0; count < 20; count += 1) {
    await clock.advance(idleMs / 2);
    seen.bytes += 1;
  }
  expect(seen.told).toBe(0);
  await clock.advance(2 * idleMs);
  expect(seen.told).toBe(1);
});

test("a watch that is ended tells nobody, also when it ends while it looks", async () => {
  const first = watched();
  await first.clock.advance(idleMs - 1);
  first.end();
  await first.clock.advance(10 * idleMs);
  expect(first.seen.told).toBe(0);

  const clock = manualClock();
  const looking: (() => void)[] = [];
  let told = 0;
  const end = watchIdle(clock, {
    idleMs,
    arrivedBytes: () =>
      new Promise((resolve) => {
        looking.push(() => resolve(0));
      }),
    onIdle: () => {
      told += 1;
    },
  });
  for (let look = 0; look < 4; look += 1) {
    looking[look]!();
    await clock.advance(idleMs / 4);
  }
  end();
  looking[4]!();
  await clock.advance(10 * idleMs);
  expect(told).toBe(0);
});
