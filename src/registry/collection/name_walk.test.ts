// What a crash leaves between the bytes of a push and its commit goes from a store of objects.

import { expect, test } from "bun:test";
import { sample } from "../../../test/contracts/store_samples.ts";
import { memoryDirectory } from "../../../test/memory_directory.ts";
import { openObjectRoot } from "../../../test/objects/object_world.ts";
import { pushBlob } from "../../../test/registry/world.ts";
import { manualClock } from "../../lib/clock.ts";
import { objects } from "../../metadata/objects.ts";
import { digestOf } from "../../oci/digest.ts";
import { MemoryObjects } from "../../storage/objects/memory_objects.ts";
import { sweepOrphans } from "../sweep_orphans.ts";
import { walkNames } from "./name_walk.ts";

const day = 24 * 60 * 60_000;
const stray = sample(5_000, 3);
const strayDigest = digestOf("sha256", stray);

async function open() {
  const directory = await memoryDirectory("zot-objects");
  const clock = manualClock(Date.now());
  const store = new MemoryObjects({ clock });
  const { registry, stores, close } = await openObjectRoot(directory.path, store, { clock });
  const options = { registry, delayMs: () => 0, isWalked: () => true, mayGoOn: () => true };
  return {
    clock,
    store,
    registry,
    stores,
    options,
    [Symbol.asyncDispose]: async () => {
      await close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

test("an object that a crash left between its name and the commit goes after a day; others stay", async () => {
  await using world = await open();
  const { registry, clock, store, options, stores } = world;
  const kept = await pushBlob(world, sample(5_000), "team/app");
  // As a push does before its commit, in a repository that is there and in one that never came to be.
  await registry.blobs.put("team/app", strayDigest, stray);
  await registry.blobs.put("team/never", strayDigest, stray);
  clock.jump(day - 1);
  expect(await walkNames(options)).toBe(0);
  clock.jump(day + 2);
  expect(await walkNames(options)).toBe(2);
  await sweepOrphans(registry);
  clock.jump(day + 1);
  expect(await stores.upkeep!.removeFreed(day)).toBe(2);
  const listed = (await store.list("objects/", null)).objects;
  expect(listed.length).toBe(1);
  const keys = await registry.metadata.records(objects).keys("", 1_000);
  // Others were reserved, and not used.
  expect(keys.filter(({ sizeBytes }) => sizeBytes > 0).length).toBe(1);
  expect(await registry.blobs.size("team/app", kept)).toBe(5_000);
});

test("a walk comes once a day, and one that was stopped goes on", async () => {
  await using world = await open();
  const { registry, clock, options } = world;
  await pushBlob(world, sample(5_000), "team/app");
  clock.jump(2 * day);
  await registry.blobs.put("team/app", strayDigest, stray);
  expect(await walkNames({ ...options, mayGoOn: () => false })).toBe(0);
  clock.jump(2 * day);
  expect(await walkNames({ ...options, isWalked: () => false })).toBe(0);
  expect(await walkNames(options)).toBe(0);
  clock.jump(day);
  expect(await walkNames(options)).toBe(1);
});

test("a push that meets the sweep of what it has just named keeps its bytes", async () => {
  await using world = await open();
  const { registry, clock, options } = world;
  await registry.blobs.put("team/app", strayDigest, stray);
  clock.jump(2 * day);
  expect(await walkNames(options)).toBe(1);
  await pushBlob(world, stray, "team/app");
  await sweepOrphans(registry);
  expect(await registry.blobs.read("team/app", strayDigest, 10_000)).toEqual(Buffer.from(stray));
});
