// Collection over several stores: each has its own switch, delay, time of day, rules and dry run, and none waits for
// another.

import { describe, expect, test } from "bun:test";
import { sample } from "../../../test/contracts/store_samples.ts";
import { collecting, hourMs, openCollector } from "../../../test/registry/collecting.ts";
import { image, openWorld, pushBlob, pushImage, type World } from "../../../test/registry/world.ts";
import { removeTag } from "../delete.ts";
import type { StoreCollection } from "../store_settings.ts";
import { compileStores } from "../retention/rules.ts";
import { waitMs } from "./collection_job.ts";
import { collectionStatus } from "./status.ts";

const dueMs = hourMs + 60_000;
const [main, apart] = ["base/app", "team/app"] as const;

const entry = (changes: Partial<StoreCollection> = {}): StoreCollection => ({
  gc: true,
  gcDelay: hourMs,
  gcInterval: hourMs,
  gcTimeWindow: "",
  retention: { dryRun: false, delay: null, policies: [] },
  ...changes,
});

const withEntry = (changes: Partial<StoreCollection> = {}) => ({
  subPaths: { "/team": entry(changes) },
});

async function pushedBoth(world: World, seed = 1): Promise<void> {
  for (const at of [main, apart]) await pushBlob(world, sample(1_000, seed), at);
}

/** Whose blobs are there still. */
async function left({ registry }: World): Promise<string[]> {
  const there = await Promise.all(
    [main, apart].map(async (at) =>
      (await registry.metadata.repositories({ after: null, limit: 9 })).includes(at) ? [at] : [],
    ),
  );
  return there.flat();
}

describe("a store", () => {
  test("whose gc is off keeps all, and goes on where it was once it is on", async () => {
    await using world = await openWorld();
    const collector = openCollector(world, withEntry({ gc: false }));
    await pushedBoth(world);
    await world.clock.advance(dueMs);
    expect(await collector.settle()).toMatchObject({ blobs: 1, repositories: 1 });
    await world.clock.advance(dueMs);
    expect(await collector.settle()).toMatchObject({ blobs: 0 });
    expect(await left(world)).toEqual([apart]);
    collector.change(withEntry({ gc: true }));
    expect(await collector.settle()).toMatchObject({ blobs: 1 });
    await world.clock.advance(dueMs);
    await collector.settle();
    expect(await left(world)).toEqual([]);
  });

  test("is collected though that of the main one is off", async () => {
    await using world = await openWorld();
    const collector = openCollector(world, { ...withEntry(), gc: false });
    await pushedBoth(world);
    await world.clock.advance(dueMs);
    expect(await collector.settle()).toMatchObject({ blobs: 1 });
    await world.clock.advance(dueMs);
    await collector.settle();
    expect(await left(world)).toEqual([main]);
  });

  for (const [says, mainMs, apartMs] of [
    ["longer", hourMs, 5 * hourMs],
    ["shorter", 5 * hourMs, hourMs],
  ] as const) {
    test(`with a ${says} delay than the main one waits for its own`, async () => {
      await using world = await openWorld();
      const collector = openCollector(world, {
        ...withEntry({ gcDelay: apartMs }),
        gcDelay: mainMs,
      });
      await pushedBoth(world);
      await world.clock.advance(dueMs);
      expect(await collector.settle()).toMatchObject({ blobs: 1 });
      await world.clock.advance(3 * hourMs);
      expect(await collector.settle()).toMatchObject({ blobs: 0 });
      await world.clock.advance(hourMs);
      expect(await collector.settle()).toMatchObject({ blobs: 1 });
    });
  }

  test("is left alone outside of its own time of day", async () => {
    await using world = await openWorld();
    const hour = (at: number): string => `${String(at % 24).padStart(2, "0")}:00`;
    const now = new Date(world.clock.now()).getUTCHours();
    const gcTimeWindow = `${hour(now + 6)}-${hour(now + 8)}`;
    const collector = openCollector(world, withEntry({ gcTimeWindow }));
    await pushedBoth(world);
    await world.clock.advance(dueMs);
    expect(await collector.settle()).toMatchObject({ blobs: 1 });
    await world.clock.advance(5 * hourMs);
    expect(await collector.settle()).toMatchObject({ blobs: 1 });
  });

  test("in a dry run loses nothing, and others lose theirs", async () => {
    await using world = await openWorld();
    const retention = { dryRun: true, delay: null, policies: [] };
    const collector = openCollector(world, withEntry({ retention }));
    await pushedBoth(world);
    await world.clock.advance(dueMs);
    expect(await collector.settle()).toMatchObject({ blobs: 1 });
    await world.clock.advance(dueMs);
    await collector.settle();
    expect(await left(world)).toEqual([apart]);
  });
});

test("what went last is told though the main store only tries, and so is when more may go", async () => {
  await using world = await openWorld();
  const retention = { dryRun: true, delay: null, policies: [] };
  const settings = { ...withEntry(), retention, gcDelay: 9 * hourMs };
  const collector = openCollector(world, settings);
  const rules = compileStores(collecting(settings));
  const registry = { ...world.registry, retention: rules };
  await pushedBoth(world);
  const { nextAt } = await collectionStatus(registry);
  expect(nextAt).toBeLessThanOrEqual(world.clock.now() + dueMs);
  await world.clock.advance(dueMs);
  expect(await collector.settle()).toMatchObject({ blobs: 1 });
  const { last, dryRun } = await collectionStatus(registry);
  expect(last).not.toBeNull();
  expect(dryRun).toBe(false);
});

test("a dry run of one store tells each gcInterval, however often others are collected", async () => {
  await using world = await openWorld();
  const retention = { dryRun: true, delay: null, policies: [] };
  const collector = openCollector(world, withEntry({ retention, gcInterval: 5 * hourMs }));
  for (const [seed, at] of [
    [1, main],
    [2, apart],
    [3, apart],
  ] as const) {
    await pushImage(world, image(seed), "v1", at);
    await removeTag(world.registry, { repository: at, target: "v1", by: null, tagIs: null });
  }
  const told = (): number =>
    world.reports.filter(({ message }) => message === "applied untagged policy").length;
  await world.clock.advance(dueMs);
  await collector.settle();
  // One of the main store, and the two of the other.
  expect(told()).toBe(3);
  for (let round = 0; round < 3; round += 1) {
    await world.clock.advance(hourMs);
    await collector.round();
  }
  expect(told()).toBe(3);
  await world.clock.advance(2 * hourMs);
  await collector.round();
  expect(told()).toBe(5);
});

test("the next look is that of the store that is looked at soonest", () => {
  const now = Date.UTC(2026, 0, 1);
  expect(waitMs(collecting(), now)).toBe(60_000);
  expect(waitMs(collecting(withEntry({ gcInterval: 5_000 })), now)).toBe(5_000);
  expect(waitMs(collecting(withEntry({ gc: false, gcInterval: 5_000 })), now)).toBe(60_000);
});
