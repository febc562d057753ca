// A database that was put back from a copy, beside layouts that went on: what was pushed since is served, what was
// deleted since stays deleted, index.json lists nothing whose bytes are gone, and the log says what was found.

import { describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  image,
  openWorld,
  pushImage,
  readIndex,
  repository,
  type Image,
  type World,
} from "../../test/registry/world.ts";
import { blobKey, metadataFile } from "../storage/layout.ts";
import { removeManifest, removeTag } from "./delete.ts";

const [stays, removed, untagged, later] = [image(1), image(2), image(3), image(4)];
const ends = ["", "-wal", "-shm"] as const;
const told = /^the metadata is older than index\.json/;

function copyDatabase(root: string, copy: string): void {
  for (const end of ends) copyFileSync(join(root, metadataFile) + end, copy + end);
}

/** Puts the copy in the place of the database while nobody serves. */
async function restore(world: World, copy: string): Promise<void> {
  const path = join(world.root, metadataFile);
  const meanwhile = (): void => {
    for (const end of ends) {
      rmSync(path + end, { force: true });
      copyFileSync(copy + end, path + end);
    }
  };
  await world.crash({ meanwhile });
}

const found = async ({ registry }: World, tag: string): Promise<string | null> =>
  (await registry.metadata.manifestByTag(repository, tag))?.digest ?? null;

const byDigest = async ({ registry }: World, { digest }: Image): Promise<boolean> =>
  (await registry.metadata.manifestByDigest(repository, digest)) !== null;

describe("metadata older than index.json", () => {
  test("takes in what came since, and lets go what went", async () => {
    await using world = await openWorld();
    for (const [one, tag] of [
      [stays, "stays"],
      [removed, "removed"],
      [untagged, "untagged"],
    ] as const) {
      await pushImage(world, one, tag);
    }
    await pushImage(world, stays, "moves");
    await world.settle();
    const copy = join(world.root, "..", "copy.db");
    copyDatabase(world.root, copy);

    await pushImage(world, later, "later");
    await pushImage(world, later, "moves");
    await removeManifest(world.registry, { repository, target: removed.digest, by: "bob" });
    await removeTag(world.registry, { repository, target: "untagged", by: "bob", tagIs: null });
    await world.settle();
    expect(existsSync(world.pathOf(blobKey(repository, removed.digest)))).toBe(false);
    const before = await readIndex(world);

    await restore(world, copy);
    // As a copy that was put back finds it.
    expect(await found(world, "removed")).toBe(removed.digest);
    world.reports.length = 0;
    await world.settle();
    expect(await found(world, "stays")).toBe(stays.digest);
    expect(await found(world, "later")).toBe(later.digest);
    expect(await found(world, "moves")).toBe(later.digest);
    expect(await found(world, "removed")).toBeNull();
    expect(await found(world, "untagged")).toBeNull();
    expect(await byDigest(world, removed)).toBe(false);
    expect(await byDigest(world, untagged)).toBe(true);
    expect(await readIndex(world)).toEqual(before);
    const line = world.reports.find(({ message }) => told.test(message));
    expect(line).toMatchObject({
      level: "warn",
      fields: { repository, removedTags: 2, removedManifests: 1 },
    });
    // Its generations go on after those that were lost: the next start has nothing to say.
    world.reports.length = 0;
    await world.crash();
    await world.settle();
    expect(world.reports).toEqual([]);
  });

  test("undoes nothing that was pushed before the layout was looked at", async () => {
    await using world = await openWorld();
    await pushImage(world, stays, "tag");
    await pushImage(world, removed, "removed");
    await world.settle();
    const copy = join(world.root, "..", "copy.db");
    copyDatabase(world.root, copy);
    await pushImage(world, later, "tag");
    await removeManifest(world.registry, { repository, target: removed.digest, by: "bob" });
    await world.settle();
    await restore(world, copy);
    // The server is up, and somebody pushes before this repository has its turn.
    await world.clock.advance(3_600_000);
    await pushImage(world, untagged, "tag");
    await world.settle();
    expect(await found(world, "tag")).toBe(untagged.digest);
    expect(await byDigest(world, later)).toBe(true);
    // It is not listed, as its bytes are gone.
    expect(await byDigest(world, removed)).toBe(false);
    expect(world.reports.some(({ message }) => told.test(message))).toBe(true);
  });
});

test("index.json never lists a manifest whose bytes are gone, and the log names it", async () => {
  await using world = await openWorld();
  await pushImage(world, stays, "stays");
  await pushImage(world, removed, "removed");
  await world.settle();
  rmSync(world.pathOf(blobKey(repository, removed.digest)));
  await pushImage(world, later, "later");
  world.reports.length = 0;
  await world.settle();
  expect(await readIndex(world)).toEqual([`later ${later.digest}`, `stays ${stays.digest}`]);
  expect(world.reports).toEqual([
    {
      level: "error",
      message: "bytes of manifests are gone; index.json does not list them",
      fields: { repository, manifests: 1, digests: [removed.digest] },
    },
  ]);
});
