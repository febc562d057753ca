// A clock that jumps: nothing is collected early, nothing waits for ever, and a restart forgets none of it.

import { describe, expect, test } from "bun:test";
import { sample } from "../../../test/contracts/store_samples.ts";
import { candidates, hourMs, openCollector } from "../../../test/registry/collecting.ts";
import { applyPlan } from "../retention/apply_plan.ts";
import { planLines } from "../retention/plan.ts";
import { compileRules } from "../retention/rules.ts";
import { openWorld, pushBlob, repository, type World } from "../../../test/registry/world.ts";

const dayMs = 24 * hourMs;
const yearMs = 365 * dayMs;
const warnings = (world: World): string[] =>
  world.reports.flatMap(({ level, message }) => (level === "warn" ? [message] : []));

/** A world whose wall clock a test may set, while time goes on as before. */
async function openSettable() {
  const world = await openWorld();
  const { clock } = world;
  const now = clock.now.bind(clock);
  let shiftMs = 0;
  clock.now = () => now() + shiftMs;
  return {
    world,
    jump: (ms: number): void => {
      shiftMs += ms;
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

describe("a jump forward", () => {
  for (const [name, ms] of [
    ["a day", dayMs],
    ["a year", yearMs],
  ] as const) {
    test(`of ${name} removes nothing early, and nothing much later`, async () => {
      await using settable = await openSettable();
      const { world, jump } = settable;
      const gc = openCollector(world);
      await pushBlob(world, sample(500));
      await gc.round();
      await world.clock.advance(hourMs / 2);
      jump(ms);
      expect((await gc.settle()).blobs).toBe(0);
      expect(warnings(world)).toHaveLength(1);
      await world.clock.advance(hourMs / 4);
      expect((await gc.settle()).blobs).toBe(0);
      await world.clock.advance(hourMs / 4);
      expect((await gc.settle()).blobs).toBe(1);
      expect(warnings(world)).toHaveLength(1);
    });
  }

  test("is no waiting for plans either", async () => {
    await using settable = await openSettable();
    const { world, jump } = settable;
    const gc = openCollector(world);
    const rules = compileRules({ dryRun: false, delay: null, policies: [] }, hourMs);
    const registry = { ...world.registry, retention: rules };
    const digest = await pushBlob(world, sample(500));
    await world.settle();
    await gc.round();
    await world.clock.advance(hourMs / 2);
    jump(dayMs);
    await gc.round();
    const planned = () => Array.fromAsync(planLines(registry));
    const since = (await candidates(world))[0]?.since ?? 0;
    const applying = { by: "alice", forbids: () => null };
    const line = { kind: "blob", repository, digest, since } as const;
    expect(await planned()).toEqual([]);
    const { skipped } = await applyPlan(registry, [line], applying);
    expect(skipped).toMatchObject([{ reason: "it has not waited for long enough" }]);
    await world.clock.advance(hourMs / 2 + 60_000);
    expect(await planned()).toHaveLength(1);
    expect(await applyPlan(registry, [line], applying)).toMatchObject({ removed: 1 });
  });

  test("of less than an hour is an adjustment, and counts as waiting", async () => {
    await using settable = await openSettable();
    const { world, jump } = settable;
    const gc = openCollector(world);
    await pushBlob(world, sample(500));
    await gc.round();
    await world.clock.advance(hourMs / 2);
    jump(hourMs / 2);
    expect((await gc.settle()).blobs).toBe(1);
    expect(warnings(world)).toEqual([]);
  });

  test("is not forgotten by a restart", async () => {
    await using settable = await openSettable();
    const { world, jump } = settable;
    const gc = openCollector(world);
    await pushBlob(world, sample(500));
    await gc.round();
    jump(dayMs);
    await gc.round();
    await world.crash();
    gc.restart();
    await world.clock.advance(hourMs / 2);
    expect((await gc.settle()).blobs).toBe(0);
    await world.clock.advance(hourMs / 2);
    expect((await gc.settle()).blobs).toBe(1);
  });

  test("while no server ran is no waiting either", async () => {
    await using settable = await openSettable();
    const { world, jump } = settable;
    const gc = openCollector(world);
    await pushBlob(world, sample(500));
    await gc.round();
    await world.crash();
    jump(dayMs);
    gc.restart();
    expect((await gc.settle()).blobs).toBe(0);
    await world.clock.advance(hourMs);
    expect((await gc.settle()).blobs).toBe(1);
  });

  test("is nothing to what is pushed after it", async () => {
    await using settable = await openSettable();
    const { world, jump } = settable;
    const gc = openCollector(world);
    await gc.round();
    jump(dayMs);
    await gc.round();
    await pushBlob(world, sample(500));
    await world.clock.advance(hourMs);
    expect((await gc.settle()).blobs).toBe(1);
  });

  test("of less than an hour, as clocks are set often, is none", async () => {
    await using settable = await openSettable();
    const { world, jump } = settable;
    const gc = openCollector(world);
    await gc.round();
    jump(hourMs / 2);
    await gc.round();
    expect(warnings(world)).toEqual([]);
  });
});

describe("a jump back", () => {
  test("of a year lets nothing wait for a year", async () => {
    await using settable = await openSettable();
    const { world, jump } = settable;
    jump(yearMs);
    const gc = openCollector(world);
    await pushBlob(world, sample(500));
    await gc.round();
    jump(-yearMs);
    expect((await gc.settle()).blobs).toBe(0);
    await world.clock.advance(hourMs);
    expect((await gc.settle()).blobs).toBe(1);
  });

  test("while no server ran is noticed by the next start", async () => {
    await using settable = await openSettable();
    const { world, jump } = settable;
    jump(yearMs);
    const gc = openCollector(world);
    await pushBlob(world, sample(500));
    await gc.round();
    await world.crash();
    jump(-yearMs);
    gc.restart();
    expect((await gc.settle()).blobs).toBe(0);
    await world.clock.advance(hourMs);
    expect((await gc.settle()).blobs).toBe(1);
  });
});
