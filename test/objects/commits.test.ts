// How many commits of the metadata each push takes where content lies in a store of objects, and what a push that fails
// leaves: nothing under its name, and no row that keeps its object.

import { describe, expect, test } from "bun:test";
import { manualClock } from "../../src/lib/clock.ts";
import { isRecordCommit, type AnyCommit } from "../../src/metadata/metadata.ts";
import { objects } from "../../src/metadata/objects.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { pushBytes } from "../../src/registry/push_blob.ts";
import type { Registry } from "../../src/registry/registry.ts";
import { MemoryObjects } from "../../src/storage/objects/memory_objects.ts";
import { sample } from "../contracts/store_samples.ts";
import { memoryDirectory } from "../memory_directory.ts";
import { reasonOf } from "../reason_of.ts";
import { image, pushBlob, putManifest, repository } from "../registry/world.ts";
import { openObjectRoot } from "./object_world.ts";

const hour = 60 * 60_000;

async function opened() {
  const directory = await memoryDirectory("zot-objects");
  const clock = manualClock(Date.now());
  const store = new MemoryObjects({ clock });
  const root = await openObjectRoot(directory.path, store, { clock });
  const commits: AnyCommit[] = [];
  const { metadata } = root.registry;
  const commit = metadata.commit.bind(metadata);
  metadata.commit = (unit: AnyCommit) => {
    commits.push(unit);
    return commit(unit);
  };
  return {
    ...root,
    store,
    clock,
    /** Since the last look: `metadata`, or the kinds of changes to the records of objects. */
    counted: () =>
      commits
        .splice(0)
        .map((each) =>
          isRecordCommit(each) ? each.changes.map(({ kind }) => kind).join() : "metadata",
        ),
    objects: async () => (await store.list("objects/", null)).objects.length,
    [Symbol.asyncDispose]: async () => {
      await root.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function states({ metadata }: Registry): Promise<string[]> {
  const keys = await metadata.records(objects).keys("", 1_000);
  return keys.map(({ state }) => state).filter((state) => state !== "reserved");
}

describe("a push", () => {
  test("of a blob is one commit, and one for 32 keys; of a manifest it is one", async () => {
    await using world = await opened();
    const { registry, counted } = world;
    const reserving: string[] = [];
    for (let seed = 1; seed <= 33; seed += 1) {
      await pushBlob({ registry }, sample(100_000, seed));
      const kinds = counted();
      expect(kinds.filter((each) => each === "metadata")).toHaveLength(1);
      reserving.push(...kinds.filter((each) => each !== "metadata"));
    }
    // The first ones, and those for later.
    expect(reserving).toEqual(["reserve", "reserve"]);
    const pushed = image(1);
    for (const blob of pushed.blobs) await pushBlob({ registry }, blob);
    counted();
    await putManifest({ registry }, pushed.bytes, "v1");
    expect(counted()).toEqual(["metadata"]);
    expect(await registry.blobs.read(repository, pushed.digest, 10_000)).toEqual(
      Buffer.from(pushed.bytes),
    );
  });

  test("in parts has one more, which says that there are parts", async () => {
    await using world = await opened();
    const { registry, counted } = world;
    await pushBlob({ registry }, sample(100));
    counted();
    await pushBlob({ registry }, sample(17 * 1024 * 1024, 2));
    expect(counted()).toEqual(["send-parts", "metadata"]);
  });

  test("uses no key that was reserved so long ago that it may be given up", async () => {
    await using world = await opened();
    const { registry, clock, counted, stores } = world;
    await pushBlob({ registry }, sample(100, 1));
    clock.jump(11 * hour);
    await pushBlob({ registry }, sample(100, 2));
    counted();
    clock.jump(2 * hour);
    await pushBlob({ registry }, sample(100, 3));
    expect(counted()).toEqual(["reserve", "metadata"]);
    clock.jump(12 * hour);
    await stores.upkeep!.removeFreed(0);
    const named = (await states(registry)).filter((state) => state === "content");
    expect(named).toHaveLength(3);
    expect(await world.objects()).toBe(3);
  });

  test("whose key was given up while its bytes were sent sends them again", async () => {
    await using world = await opened();
    const { registry, store, clock, stores } = world;
    const put = store.put.bind(store);
    let isFirst = true;
    store.put = async (key, body) => {
      await put(key, body);
      if (!isFirst) return;
      isFirst = false;
      clock.jump(25 * hour);
      await stores.upkeep!.removeFreed(0);
    };
    const digest = await pushBlob({ registry }, sample(100));
    expect(await registry.blobs.read(repository, digest, 100)).toEqual(Buffer.from(sample(100)));
    clock.jump(1);
    await stores.upkeep!.removeFreed(0);
    expect(await world.objects()).toBe(1);
  });
});

describe("a push that fails", () => {
  test("because its commit does not come through gives its object up", async () => {
    await using world = await opened();
    const { registry, clock, stores } = world;
    const bytes = sample(100);
    const digest = digestOf("sha256", bytes);
    const { metadata } = registry;
    const commit = metadata.commit.bind(metadata);
    metadata.commit = (unit) => {
      if ("repository" in unit) return Promise.reject(new Error("no answer"));
      return commit(unit);
    };
    const push = () => pushBytes(registry, { repository, digest, bytes, by: null });
    expect(await reasonOf(push())).toBeInstanceOf(Error);
    metadata.commit = commit;
    expect(await states(registry)).toEqual(["garbage"]);
    expect(await registry.blobs.size(repository, digest)).toBeNull();
    await push();
    clock.jump(1);
    await stores.upkeep!.removeFreed(0);
    expect(await states(registry)).toEqual(["content"]);
    expect(await world.objects()).toBe(1);
  });

  test("by what it was told alone has its object still", async () => {
    await using world = await opened();
    const { registry } = world;
    const bytes = sample(100);
    const digest = digestOf("sha256", bytes);
    const { metadata } = registry;
    const commit = metadata.commit.bind(metadata);
    metadata.commit = async (unit) => {
      const outcome = await commit(unit);
      if ("repository" in unit) throw new Error("the answer was lost");
      return outcome;
    };
    const failed = await reasonOf(pushBytes(registry, { repository, digest, bytes, by: null }));
    expect(failed).toBeInstanceOf(Error);
    metadata.commit = commit;
    expect(await states(registry)).toEqual(["content"]);
    expect(await registry.blobs.read(repository, digest, 100)).toEqual(Buffer.from(bytes));
  });

  test("by a precondition leaves neither bytes nor a name of a manifest", async () => {
    await using world = await opened();
    const { registry, counted } = world;
    const pushed = image(1);
    for (const blob of pushed.blobs) await pushBlob({ registry }, blob);
    const { metadata } = registry;
    const commit = metadata.commit.bind(metadata);
    metadata.commit = async (unit) => {
      const isPush = "repository" in unit && unit.changes[0]?.kind === "put-manifest";
      // A blob goes once all was looked at.
      if (isPush) {
        const layer = digestOf("sha256", pushed.blobs[1]!);
        const changes = [{ kind: "unlink-blob", digest: layer } as const];
        await commit({ repository, preconditions: [], changes, by: null });
      }
      return commit(unit);
    };
    counted();
    expect(await reasonOf(putManifest({ registry }, pushed.bytes, "v1"))).toMatchObject({
      reason: "MANIFEST_BLOB_UNKNOWN",
    });
    expect(await registry.blobs.size(repository, pushed.digest)).toBeNull();
    expect(await registry.metadata.isOrphan(repository, pushed.digest)).toBe(false);
  });
});
