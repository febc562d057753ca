// Mounts: no bytes travel, nothing tells whether a source that may not be read has the blob, and the target is
// independent of the source afterwards.

import { describe, expect, test } from "bun:test";
import { stat } from "node:fs/promises";
import { sample } from "../../test/contracts/store_samples.ts";
import {
  kindsOf,
  openWorld,
  pushBlob,
  repository,
  watched,
  type World,
} from "../../test/registry/world.ts";
import { digestOf } from "../oci/digest.ts";
import { blobKey } from "../storage/layout.ts";
import { removeBlob } from "./delete.ts";
import { mountBlob } from "./mount_blob.ts";

const bytes = sample(1000);
const digest = digestOf("sha256", bytes);
const target = "team/target";

const mount = (
  { registry }: Pick<World, "registry">,
  from: string | null,
  readable: (name: string) => boolean = () => true,
): Promise<boolean> =>
  mountBlob(registry, {
    repository: target,
    digest,
    from,
    mayRead: readable,
    by: null,
  });

const readTarget = async ({ registry }: World) =>
  (await registry.metadata.blobRecord(target, digest)) === null
    ? null
    : registry.blobs.read(target, digest, 9999);

describe("a mount", () => {
  for (const from of [repository, null]) {
    test(`from ${from ?? "anywhere"} makes the blob one of the target, as one file`, async () => {
      await using world = await openWorld();
      await pushBlob(world, bytes);
      expect(await mount(world, from)).toBe(true);
      expect(await readTarget(world)).toEqual(bytes);
      expect((await stat(world.pathOf(blobKey(target, digest)))).nlink).toBe(2);
      await removeBlob(world.registry, { repository, target: digest, by: null });
      await world.settle();
      expect(await world.registry.blobs.stat(repository, digest)).toBeNull();
      expect(await readTarget(world)).toEqual(bytes);
    });

    test(`from ${from ?? "anywhere"} that the caller may not read is as if nobody had it`, async () => {
      await using world = await openWorld();
      await pushBlob(world, bytes);
      expect(await mount(world, from, () => false)).toBe(false);
      expect(await readTarget(world)).toBeNull();
      expect(await world.registry.metadata.repositoryExists(target)).toBe(false);
    });
  }

  const absences: Readonly<Record<string, (world: World) => Promise<unknown>>> = {
    "a repository that is not there": async () => undefined,
    "a repository without it": (world) => pushBlob(world, sample(3)),
    "a repository that deleted it": async (world) => {
      await pushBlob(world, bytes);
      await removeBlob(world.registry, { repository, target: digest, by: null });
    },
    "a repository that lost its bytes": async (world) => {
      await pushBlob(world, bytes);
      await world.registry.blobs.remove(repository, digest);
    },
  };
  for (const [says, given] of Object.entries(absences)) {
    test(`from ${says} is refused, and leaves no trace of it`, async () => {
      await using world = await openWorld();
      await given(world);
      expect(await mount(world, repository)).toBe(false);
      expect(await mount(world, null)).toBe(false);
      expect(await readTarget(world)).toBeNull();
      expect(await world.registry.blobs.stat(target, digest)).toBeNull();
    });
  }

  test("asks every holder until one may be read", async () => {
    await using world = await openWorld();
    for (const name of ["a", "b", "c"]) await pushBlob(world, bytes, name);
    const asked: string[] = [];
    const readable = (name: string): boolean => {
      asked.push(name);
      return name === "c";
    };
    expect(await mount(world, null, readable)).toBe(true);
    expect(asked.toSorted()).toEqual(["a", "b", "c", target]);
    expect(await readTarget(world)).toEqual(bytes);
  });

  for (const [crossings, mounted] of [
    [1, true],
    [Infinity, false],
  ] as const) {
    test(`that a sweep crosses ${mounted ? "once is made again" : "each time is none"}`, async () => {
      await using world = await openWorld();
      await pushBlob(world, bytes);
      let left: number = crossings;
      const sweeping = watched(world.registry, async (commit) => {
        if (!kindsOf(commit).includes("link-blob") || left === 0) return;
        left -= 1;
        await world.registry.blobs.remove(target, digest);
      });
      expect(await mount({ registry: sweeping }, repository)).toBe(mounted);
      const expected = mounted ? bytes : null;
      expect(await readTarget(world)).toEqual(expected);
      expect(await world.registry.blobs.read(repository, digest, 9999)).toEqual(bytes);
    });
  }

  test("of what is there already succeeds without a source", async () => {
    await using world = await openWorld();
    await pushBlob(world, bytes, target);
    expect(await mount(world, "no/such", (name) => name === target)).toBe(true);
    expect(await readTarget(world)).toEqual(bytes);
  });

  test("of what is there already tells nothing to who may not read it", async () => {
    await using world = await openWorld();
    await pushBlob(world, bytes, target);
    expect(await mount(world, "no/such", () => false)).toBe(false);
    expect(await mount(world, target, () => false)).toBe(false);
  });

  test("takes the place of a damaged file in the target", async () => {
    await using world = await openWorld();
    await pushBlob(world, bytes);
    await world.stores.files.replace(blobKey(target, digest), sample(1000, 2));
    expect(await mount(world, repository)).toBe(true);
    expect(await readTarget(world)).toEqual(bytes);
    expect(await world.registry.blobs.read(repository, digest, 9999)).toEqual(bytes);
  });
});
