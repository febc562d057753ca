// A clock that jumped ahead removes nothing early, also over a restart; a stop and a clock set back hold nothing up.

import { expect, test } from "bun:test";
import { manualClock, type Clock } from "../../lib/clock.ts";
import { MemoryMetadata } from "../../metadata/memory/memory_metadata.ts";
import { RetentionClock } from "./retention_clock.ts";
import { noBytes } from "../../../test/contracts/no_bytes.ts";

const hour = 3_600_000;
const day = 24 * hour;
const year = 365 * day;

/** A clock that jumps, and looks at it as a server does that is started with `start`. */
function world() {
  const clock = manualClock(Date.UTC(2026, 0, 1));
  let jumpedMs = 0;
  const wall: Clock = { ...clock, now: () => clock.now() + jumpedMs };
  const store = new MemoryMetadata({
    clock: wall,
    bytes: noBytes,
  });
  const metadata = store.open({ committer: store });
  const lines: string[] = [];
  return {
    lines,
    advance: (ms: number) => clock.advance(ms),
    jump: (ms: number) => void (jumpedMs += ms),
    start: () =>
      new RetentionClock({ clock: wall, metadata }, (_level, message) => lines.push(message)),
    close: () => store.close(),
  };
}

test("time that passes holds nothing up", async () => {
  const at = world();
  const clock = at.start();
  for (let days = 0; days < 60; days += 1) {
    expect(await clock.isHeld()).toBe(false);
    await at.advance(day);
  }
  expect(at.lines).toEqual([]);
  await at.close();
});

test("a jump of a year while it runs holds for a year, or until the clock is set back", async () => {
  const at = world();
  const clock = at.start();
  expect(await clock.isHeld()).toBe(false);
  at.jump(year);
  expect(await clock.isHeld()).toBe(true);
  await at.advance(30 * day);
  expect(await clock.isHeld()).toBe(true);
  expect(at.lines).toHaveLength(1);
  expect(await at.start().isHeld()).toBe(true);
  at.jump(-year);
  expect(await clock.isHeld()).toBe(false);
  await at.close();
});

test("a jump that a start finds holds; a stop of some days does not", async () => {
  const at = world();
  expect(await at.start().isHeld()).toBe(false);
  at.jump(5 * day);
  expect(await at.start().isHeld()).toBe(false);
  await at.advance(2 * hour);
  at.jump(year);
  expect(await at.start().isHeld()).toBe(true);
  await at.close();
});

test("what an adjustment moves is no jump", async () => {
  const at = world();
  const clock = at.start();
  await clock.isHeld();
  at.jump(hour);
  expect(await clock.isHeld()).toBe(false);
  at.jump(-year);
  expect(await clock.isHeld()).toBe(false);
  await at.close();
});
