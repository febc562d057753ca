// Stores on objects pass the contracts of stores (test/contracts/stores.ts); how many requests each thing costs; and
// that every object has a row, whatever request fails.

import { describe, expect, test } from "bun:test";
import { objectsIn, type OpenedObjects } from "../../../test/contracts/object_stores.ts";
import { storesContract } from "../../../test/contracts/stores.ts";
import { held, sample, uploaded } from "../../../test/contracts/store_samples.ts";
import { memoryDirectory } from "../../../test/memory_directory.ts";
import { watchedStore, type WatchedStore } from "../../../test/objects/watched_store.ts";
import { reasonOf } from "../../../test/reason_of.ts";
import { MiB } from "../../lib/bytes.ts";
import { manualClock } from "../../lib/clock.ts";
import { objects } from "../../metadata/objects.ts";
import { digestOf } from "../../oci/digest.ts";
import { ContentGone } from "../blob_store.ts";
import { MemoryObjects } from "./memory_objects.ts";
import { ObjectStoreRefused, ObjectStoreUnavailable } from "./object_store.ts";

storesContract("objects", async () => {
  const directory = await memoryDirectory("zot-objects");
  const clock = manualClock(Date.now());
  const store = new MemoryObjects({ clock });
  const opened = objectsIn(directory.path, store, clock);
  const openings = [opened.open()];
  await openings[0]!.prepare();
  await store.put("registry.json", new Uint8Array([1]));
  return {
    stores: openings[0]!,
    comparesBytes: false,
    clock,
    another: () => {
      const opening = opened.open();
      openings.push(opening);
      return opening;
    },
    elsewhere: null,
    [Symbol.asyncDispose]: async () => {
      for (const opening of openings) await opening.close();
      await opened.metadata.close();
      await directory[Symbol.asyncDispose]();
    },
  };
});

const repository = "team/app";
const other = "team/other";
const small = sample(100_000);
const smallDigest = digestOf("sha256", small);
/** Three parts, the last one of a single byte. */
const large = sample(32 * MiB + 1);
const largeDigest = digestOf("sha256", large);
const hour = 60 * 60_000;
const day = 24 * hour;

async function openWatched() {
  const directory = await memoryDirectory("zot-objects");
  const clock = manualClock(Date.now());
  const store = watchedStore(new MemoryObjects({ clock }));
  const opened = objectsIn(directory.path, store, clock);
  const stores = opened.open();
  await stores.prepare();
  return {
    ...opened,
    stores,
    store,
    clock,
    [Symbol.asyncDispose]: async () => {
      await stores.close();
      await opened.metadata.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** Every object has a row, and every key that is content has its object. Gives how many objects there are. */
async function agree(
  { metadata }: Pick<OpenedObjects, "metadata">,
  store: WatchedStore,
): Promise<number> {
  const rows = await metadata.records(objects).keys("", 1_000);
  const states = new Map(rows.map(({ key, state }) => [key, state]));
  const listed = (await store.list("objects/", null)).objects;
  for (const { key } of listed) expect(states.has(key)).toBe(true);
  const lying = new Map(listed.map(({ key, sizeBytes }) => [key, sizeBytes]));
  for (const { key, state, sizeBytes } of rows) {
    if (state === "content") expect(lying.get(key)).toBe(sizeBytes);
  }
  store.counted();
  return listed.length;
}

describe("requests", () => {
  test("one for content of one part, n + 2 for n parts, none for a share, a look or a removal", async () => {
    await using opened = await openWatched();
    const { blobs, uploads } = opened.stores;
    const { counted } = opened.store;
    await blobs.put(repository, smallDigest, small);
    expect(counted()).toEqual({ put: 1 });
    await uploaded(uploads, "one", small);
    await using one = await held(uploads, "one");
    await one.finish(repository, smallDigest);
    await one.discard();
    expect(counted()).toEqual({ put: 1 });
    await uploaded(uploads, "two", large);
    await using two = await held(uploads, "two");
    await two.finish(repository, largeDigest);
    await two.discard();
    expect(counted()).toEqual({ startParts: 1, putPart: 3, completeParts: 1 });
    expect(await blobs.share(largeDigest, { from: repository, to: other, mayCopy: true })).toBe(
      true,
    );
    expect(await blobs.size(other, largeDigest)).toBe(large.length);
    expect(await blobs.lookAt(other, largeDigest)).not.toBeNull();
    expect(await blobs.remove(repository, largeDigest)).toBe(true);
    expect(counted()).toEqual({});
    expect(await blobs.read(other, largeDigest, large.length)).toEqual(Buffer.from(large));
    expect(counted()).toEqual({ get: 1 });
    await agree(opened, opened.store);
  });

  test("a check reads sixteen mebibytes at a time, whatever its slices are", async () => {
    await using opened = await openWatched();
    const { blobs } = opened.stores;
    await blobs.put(repository, largeDigest, large);
    opened.store.counted();
    const check = blobs.check(repository, largeDigest);
    for (;;) {
      const slice = await check.next(MiB);
      if (slice.digest === null) continue;
      expect(slice.digest).toBe(largeDigest);
      break;
    }
    check.close();
    expect(opened.store.counted()).toEqual({ get: 3 });
  });
});

describe("what nothing names", () => {
  test("is removed when nothing has named it for the delay, and its row after it", async () => {
    await using opened = await openWatched();
    const { blobs, upkeep } = opened.stores;
    await blobs.put(repository, smallDigest, small);
    await blobs.put(repository, smallDigest, small);
    await blobs.share(smallDigest, { from: repository, to: other, mayCopy: false });
    expect(await agree(opened, opened.store)).toBe(2);
    expect(await upkeep!.removeFreed(day)).toBe(0);
    opened.clock.jump(day + 1);
    opened.store.counted();
    expect(await upkeep!.removeFreed(day)).toBe(1);
    expect(opened.store.counted()).toEqual({ remove: 1 });
    expect(await agree(opened, opened.store)).toBe(1);
    await blobs.remove(repository, smallDigest);
    opened.clock.jump(day + 1);
    // Keys that were reserved and not used.
    expect(await upkeep!.removeFreed(day)).toBe(30);
    expect(await agree(opened, opened.store)).toBe(1);
    expect(await blobs.read(other, smallDigest, small.length)).toEqual(Buffer.from(small));
    await blobs.remove(other, smallDigest);
    opened.clock.jump(hour);
    expect(await upkeep!.removeFreed(day)).toBe(0);
    opened.clock.jump(day);
    expect(await upkeep!.removeFreed(day)).toBe(1);
    expect(await agree(opened, opened.store)).toBe(0);
  });

  test("is tried again where the store could not, and told", async () => {
    await using opened = await openWatched();
    const { blobs, upkeep } = opened.stores;
    for (let count = 0; count < 20; count += 1) await blobs.put(repository, smallDigest, small);
    opened.clock.jump(2 * day);
    let left = 5;
    opened.store.onRequest = (operation, _number, when) => {
      if (operation !== "remove" || when === "after") return;
      left -= 1;
      if (left < 0) throw new ObjectStoreUnavailable("no answer");
    };
    expect(await reasonOf(upkeep!.removeFreed(day))).toBeInstanceOf(ObjectStoreUnavailable);
    expect(await agree(opened, opened.store)).toBe(15);
    opened.store.onRequest = () => undefined;
    expect(await upkeep!.removeFreed(day)).toBe(14);
    expect(await agree(opened, opened.store)).toBe(1);
  });

  test("objects that cannot be removed keep no others from being removed", async () => {
    await using opened = await openWatched();
    const { stores, store, clock, metadata } = opened;
    const stuck = new Set<string>();
    for (let count = 0; count < 60; count += 1) {
      await stores.blobs.put(repository, smallDigest, small);
      const { stamp } = (await stores.blobs.stat(repository, smallDigest))!;
      // The oldest ones.
      if (count < 40) stuck.add(stamp);
      clock.jump(1);
    }
    const remove = store.remove.bind(store);
    store.remove = async (key) => {
      if (stuck.has(key)) throw new ObjectStoreRefused("it is locked");
      await remove(key);
    };
    clock.jump(2 * day);
    const { upkeep } = stores;
    const left = async (): Promise<number> => {
      const keys = await metadata.records(objects).keys("", 1_000);
      // Others were reserved, and not used.
      return keys.filter(({ sizeBytes }) => sizeBytes > 0).length;
    };
    for (let runs = 1; runs <= 3; runs += 1) {
      expect(await reasonOf(upkeep!.removeFreed(day))).toBeInstanceOf(ObjectStoreRefused);
    }
    expect(await left()).toBe(41);
    store.remove = remove;
    expect(await upkeep!.removeFreed(day)).toBe(40);
    expect(await left()).toBe(1);
  });

  test("a key that was given up while it was written is never named: another one is", async () => {
    await using opened = await openWatched();
    const { blobs, upkeep } = opened.stores;
    opened.store.onRequest = (operation, number, when) => {
      if (operation !== "put" || number > 1 || when === "before") return;
      opened.clock.jump(2 * day);
    };
    let isFirst = true;
    const put = opened.store.put.bind(opened.store);
    opened.store.put = async (key, body) => {
      await put(key, body);
      if (isFirst) await upkeep!.removeFreed(day);
      isFirst = false;
    };
    await blobs.put(repository, smallDigest, small);
    expect(await blobs.read(repository, smallDigest, small.length)).toEqual(Buffer.from(small));
    expect(await agree(opened, opened.store)).toBe(2);
  });
});

describe("a request that fails", () => {
  for (const when of ["before", "after"] as const) {
    for (let k = 1; k <= 5; k += 1) {
      test(`the ${k}. of a finish, ${when} it is done: nothing is lost, and the rest goes with its row`, async () => {
        await using opened = await openWatched();
        const { stores, store, clock } = opened;
        await stores.blobs.put(repository, largeDigest, small);
        await uploaded(stores.uploads, "one", large);
        await using upload = await held(stores.uploads, "one");
        // The first one was that of what stands there.
        store.onRequest = (_operation, number, moment) => {
          if (moment === when && number === k + 1) throw new ObjectStoreUnavailable("no answer");
        };
        expect(await reasonOf(upload.finish(repository, largeDigest))).toBeInstanceOf(
          ObjectStoreUnavailable,
        );
        store.onRequest = () => undefined;
        expect(await stores.blobs.size(repository, largeDigest)).toBe(small.length);
        await agree(opened, store);
        await upload.finish(repository, largeDigest);
        await upload.discard();
        expect(await stores.blobs.size(repository, largeDigest)).toBe(large.length);
        clock.jump(2 * day);
        await stores.upkeep!.removeFreed(day);
        expect(await agree(opened, store)).toBe(1);
      });
    }
  }

  test("an object that is gone is told as such, and a push brings it back", async () => {
    await using opened = await openWatched();
    const { blobs, uploads } = opened.stores;
    await blobs.put(repository, smallDigest, small);
    const { stamp } = (await blobs.stat(repository, smallDigest))!;
    await opened.store.remove(stamp);
    expect(await reasonOf(blobs.open(repository, smallDigest, null))).toBeInstanceOf(ContentGone);
    expect(await blobs.read(repository, smallDigest, small.length)).toBeNull();
    await uploaded(uploads, "one", small);
    await using upload = await held(uploads, "one");
    expect(await blobs.compare(repository, smallDigest, upload)).toBe("different");
    await upload.finish(repository, smallDigest);
    await upload.discard();
    expect(await blobs.read(repository, smallDigest, small.length)).toEqual(Buffer.from(small));
  });
});
