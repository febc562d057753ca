// The weekly walk: files that nothing names go after two walks found them, and nothing else does.

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { utimes } from "node:fs/promises";
import { sample } from "../../../test/contracts/store_samples.ts";
import {
  image,
  named,
  openWorld,
  pushBlob,
  pushImage,
  repository,
  writeBlobFile,
  writeLayout,
  type World,
} from "../../../test/registry/world.ts";
import { digestOf, type Digest } from "../../oci/digest.ts";
import { blobKey } from "../../storage/layout.ts";
import { walkFiles } from "./file_walk.ts";

const dayMs = 24 * 60 * 60_000;
const weekMs = 7 * dayMs;

const walk = (world: World, mayGoOn = (): boolean => true): Promise<number> =>
  walkFiles({ registry: world.registry, delayMs: () => 60_000, isWalked: () => true, mayGoOn });
const isHere = (world: World, digest: Digest): boolean =>
  existsSync(world.pathOf(blobKey(repository, digest)));

/** A file without a name, as old as the world. */
async function strayFile(world: World, seed: number): Promise<Digest> {
  const bytes = sample(300, seed);
  const digest = digestOf("sha256", bytes);
  await writeBlobFile(world, digest, bytes);
  return digest;
}

test("a stray file goes after the second walk, with the sweep; files that something names stay", async () => {
  await using world = await openWorld();
  const app = image(1);
  await pushImage(world, app, "v1");
  const lone = await pushBlob(world, sample(500));
  await world.settle();
  const stray = await strayFile(world, 7);
  await world.clock.advance(2 * dayMs);
  expect(await walk(world)).toBe(0);
  await world.settle();
  expect(isHere(world, stray)).toBe(true);
  await world.clock.advance(weekMs);
  expect(await walk(world)).toBe(1);
  await world.settle();
  expect(isHere(world, stray)).toBe(false);
  for (const digest of [app.digest, lone]) expect(isHere(world, digest)).toBe(true);
});

test("there is one walk a week, also after a restart", async () => {
  await using world = await openWorld();
  await pushImage(world, image(1), "v1");
  await world.settle();
  const stray = await strayFile(world, 7);
  await world.clock.advance(2 * dayMs);
  for (let turns = 0; turns < 3; turns += 1) {
    expect(await walk(world)).toBe(0);
    await world.clock.advance(dayMs);
    await world.crash();
  }
  await world.settle();
  expect(isHere(world, stray)).toBe(true);
});

test("what became younger, was pushed, or vanished between two walks is left alone", async () => {
  await using world = await openWorld();
  await pushImage(world, image(1), "v1");
  await world.settle();
  const [touched, pushed] = [await strayFile(world, 7), await strayFile(world, 8)];
  await world.clock.advance(2 * dayMs);
  expect(await walk(world)).toBe(0);
  await world.clock.advance(weekMs);
  const now = new Date(world.clock.now());
  await utimes(world.pathOf(blobKey(repository, touched)), now, now);
  await pushBlob(world, sample(300, 8));
  expect(await walk(world)).toBe(0);
  await world.settle();
  expect([isHere(world, touched), isHere(world, pushed)]).toEqual([true, true]);
});

test("a repository in which another tool wrote index.json is taken in first", async () => {
  await using world = await openWorld();
  await pushImage(world, image(1), "v1");
  await world.settle();
  const app = image(2);
  const files = [...app.blobs, app.bytes];
  for (const bytes of files) await writeBlobFile(world, digestOf("sha256", bytes), bytes);
  await world.clock.advance(2 * dayMs);
  expect(await walk(world)).toBe(0);
  await world.clock.advance(weekMs);
  await writeLayout(world, { index: [named(app.descriptor, "copied")] });
  expect(await walk(world)).toBe(0);
  await world.settle();
  for (const bytes of files) expect(isHere(world, digestOf("sha256", bytes))).toBe(true);
});

test("a walk that is broken off goes on where it was", async () => {
  await using world = await openWorld();
  const names = Array.from({ length: 70 }, (_, at) => `team/app-${String(at).padStart(3, "0")}`);
  for (const at of names) await pushBlob(world, sample(500), at);
  await world.settle();
  const blob = sample(300, 7);
  const digest = digestOf("sha256", blob);
  for (const at of names) await writeBlobFile(world, digest, blob, at);
  await world.clock.advance(2 * dayMs);
  const look = world.registry.layouts.indexStamp.bind(world.registry.layouts);
  const looked: string[] = [];
  world.registry.layouts.indexStamp = async (at) => {
    looked.push(at);
    return look(at);
  };
  await walk(world, () => looked.length < 66);
  await walk(world);
  // The first sixty-four were noted, and are not looked at again.
  expect(looked.filter((at) => at === names[0])).toHaveLength(1);
  expect(new Set(looked).size).toBe(70);
  world.registry.layouts.indexStamp = look;
  await world.clock.advance(weekMs);
  expect(await walk(world)).toBe(70);
});
