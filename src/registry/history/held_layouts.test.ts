// Held content and other tools: an old index.json brings nothing back, and one that was written after the delete does,
// though the bytes never went.

import { blobSize } from "../../../test/contracts/metadata_facts.ts";
import { expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import {
  changedIndex,
  image,
  named,
  noUndo,
  openWorld,
  pushImage,
  readIndex,
  reconcile,
  repository,
  type World,
} from "../../../test/registry/world.ts";
import { digestOf } from "../../oci/digest.ts";
import { indexKey } from "../../storage/layout.ts";
import { removeBlob, removeManifest } from "../delete.ts";
import { endHolds } from "./end_holds.ts";

const app = image(1);
const other = image(2);

async function deleted(): Promise<{ world: World; before: string }> {
  const world = await openWorld({ undo: () => ({ ...noUndo, windowMs: 1_000_000 }) });
  await pushImage(world, app, "v1");
  await pushImage(world, other, "v2");
  await world.settle();
  const before = await readFile(world.pathOf(indexKey(repository)), "utf8");
  const { registry } = world;
  await removeManifest(registry, { repository, target: app.digest, by: "alice" });
  for (const blob of app.blobs) {
    const target = digestOf("sha256", blob);
    await removeBlob(registry, { repository, target, by: "alice" });
  }
  await world.settle();
  expect(await readIndex(world)).toEqual([`v2 ${other.digest}`]);
  return { world, before };
}

const isLive = async ({ registry }: World): Promise<boolean> =>
  (await registry.metadata.manifestByDigest(repository, app.digest)) !== null;

test("an index.json from before the delete does not undo it", async () => {
  const { world, before } = await deleted();
  await using _ = world;
  await writeFile(world.pathOf(indexKey(repository)), `${before} `);
  await reconcile(world);
  expect(await isLive(world)).toBe(false);
  await world.settle();
  expect(await readIndex(world)).toEqual([`v2 ${other.digest}`]);
});

test("a tool that lists the image after the delete has it back, with what only undo held", async () => {
  const { world } = await deleted();
  await using _ = world;
  const now = await readFile(world.pathOf(indexKey(repository)), "utf8");
  const written = changedIndex(now, [named(app.descriptor, "v1")]);
  await writeFile(world.pathOf(indexKey(repository)), written);
  await reconcile(world);
  await world.settle();
  expect(await isLive(world)).toBe(true);
  expect((await readIndex(world))?.toSorted()).toEqual([`v1 ${app.digest}`, `v2 ${other.digest}`]);
  const { metadata } = world.registry;
  expect((await metadata.past.heldTotals()).items).toBe(0);
  for (const blob of app.blobs) {
    const size = await blobSize(metadata, repository, digestOf("sha256", blob));
    expect(size).toBe(blob.length);
  }
});

test("holds outlive a crash, and end by their clock afterwards", async () => {
  const { world } = await deleted();
  await using _ = world;
  await world.crash();
  expect((await world.registry.metadata.past.heldTotals()).items).toBe(3);
  await world.clock.advance(1_000_000);
  await endHolds(world.registry);
  await world.settle();
  expect(await readIndex(world)).toEqual([`v2 ${other.digest}`]);
});
