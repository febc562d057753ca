// Audits of a store of objects: what they find, what becomes of it, and what they leave alone.

import { expect, test } from "bun:test";
import { sample } from "../../../test/contracts/store_samples.ts";
import { memoryDirectory } from "../../../test/memory_directory.ts";
import { openObjectRoot } from "../../../test/objects/object_world.ts";
import { watchedStore } from "../../../test/objects/watched_store.ts";
import { damagedOf } from "../../../test/registry/scrubbing.ts";
import { image, pushBlob, pushImage } from "../../../test/registry/world.ts";
import { must } from "../../lib/assert.ts";
import { manualClock } from "../../lib/clock.ts";
import { objects } from "../../metadata/objects.ts";
import { recordCommit } from "../../metadata/records.ts";
import { digestOf } from "../../oci/digest.ts";
import { MemoryObjects } from "../../storage/objects/memory_objects.ts";
import { ObjectStoreUnavailable } from "../../storage/objects/object_store.ts";
import { writeRegistry } from "../../storage/objects/registry_id.ts";
import { auditJob } from "./audit_job.ts";
import { askForAudit, readAudit, type AuditWish } from "./audit_record.ts";

const day = 24 * 60 * 60_000;
const stray = sample(4_000, 9);
const strayDigest = digestOf("sha256", stray);
const strayKey = "objects/ab/abababababababababababababababab";

async function open() {
  const directory = await memoryDirectory("zot-objects");
  const clock = manualClock(Date.now());
  const store = watchedStore(new MemoryObjects({ clock }));
  const { registry: quiet, stores, close } = await openObjectRoot(directory.path, store, { clock });
  const lines: (object & { message: string })[] = [];
  const registry = {
    ...quiet,
    report: (_level: string, message: string, fields: object = {}) => {
      lines.push({ message, ...fields });
    },
  };
  await writeRegistry(store, { id: "one", restores: 0 });
  const audits = must(stores.upkeep, "objects have upkeep").audits;
  const job = auditJob({ registry, audits, intervalMs: () => 7 * day });
  const run = async (signal = new AbortController().signal): Promise<void> => {
    // Rests are short: a turn takes no time by this clock.
    if (typeof job.run === "function") await job.run(signal);
  };
  const wished = async (strays: AuditWish["strays"], alsoBeforeRestore = false) => {
    await askForAudit(registry, { strays, alsoBeforeRestore });
    await run();
    return await readAudit(registry);
  };
  return {
    clock,
    store,
    registry,
    lines,
    run,
    wished,
    read: () => readAudit(registry),
    [Symbol.asyncDispose]: async () => {
      await close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

test("a registry without objects asks the store for nothing; a week later it is looked at", async () => {
  await using world = await open();
  world.store.counted();
  await world.run();
  expect(world.store.counted()).toEqual({});
  expect(await world.read()).toMatchObject({ outcome: "done", objects: 0 });
  const digest = await pushBlob(world, sample(5_000), "team/app");
  await world.run();
  expect(await world.read()).toMatchObject({ objects: 0 });
  world.clock.jump(7 * day + 1);
  await world.run();
  expect(await world.read()).toMatchObject({ outcome: "done", objects: 1, bytes: 5_000, lost: 0 });
  expect(await world.registry.blobs.size("team/app", digest)).toBe(5_000);
});

test("content whose object is gone is marked as a check would do it, and told by its tags", async () => {
  await using world = await open();
  const { registry, store } = world;
  const pushed = image(1);
  await pushImage(world, pushed, "1.0");
  const other = await pushBlob(world, sample(70_000), "team/other");
  const rows = (await registry.metadata.records(objects).keys("", 100)).filter(
    ({ state }) => state === "content",
  );
  const layer = digestOf("sha256", must(pushed.blobs.at(-1), "it has a layer"));
  const found = must(await registry.blobs.stat("team/app", layer), "it is there");
  await store.remove(found.stamp);
  await world.run();
  expect(await world.read()).toMatchObject({ lost: 1, objects: rows.length - 1, strays: 0 });
  expect(await damagedOf(world)).toMatchObject([
    { repository: "team/app", digest: layer, how: "missing" },
  ]);
  const told = world.lines.find(({ message }) => message.startsWith("content is damaged"));
  expect(told).toMatchObject({ repository: "team/app", digest: layer, tags: ["1.0"] });
  expect(await registry.blobs.size("team/other", other)).toBe(70_000);
  // The next one knows of it.
  expect(await world.wished("tell")).toMatchObject({ lost: 0 });
});

test("objects that nothing knows are told once they are two days old, and removed only when that is asked for", async () => {
  await using world = await open();
  const { store, clock } = world;
  await pushBlob(world, sample(5_000), "team/app");
  await store.put(strayKey, stray);
  await store.put("probe/left", stray);
  expect(await world.wished("remove")).toMatchObject({ strays: 0, removed: 0 });
  clock.jump(2 * day + 1);
  expect(await world.wished("tell")).toMatchObject({
    strays: 2,
    removed: 1,
    found: [{ key: strayKey, sizeBytes: stray.length, digest: null }],
  });
  expect(await store.size(strayKey)).toBe(stray.length);
  expect(await world.wished("remove")).toMatchObject({ strays: 1, removed: 1, found: [] });
  expect(await store.size(strayKey)).toBeNull();
  expect((await store.list("objects/", null)).objects.length).toBe(1);
});

test("after a restore what was there before it stays, though somebody asks to remove", async () => {
  await using world = await open();
  const { store, clock } = world;
  await pushBlob(world, sample(5_000), "team/app");
  await store.put(strayKey, stray);
  clock.jump(3 * day);
  await writeRegistry(store, { id: "one", restores: 1 });
  const later = strayKey.replaceAll("ab", "cd");
  clock.jump(1);
  await store.put(later, stray);
  clock.jump(3 * day);
  expect(await world.wished("remove")).toMatchObject({ strays: 2, removed: 1 });
  expect(await store.size(strayKey)).toBe(stray.length);
  expect(await store.size(later)).toBeNull();
  expect(await world.wished("remove", true)).toMatchObject({ strays: 1, removed: 1 });
  expect(await store.size(strayKey)).toBeNull();
});

test("what nothing knows becomes untagged content of a repository when that is asked for", async () => {
  await using world = await open();
  const { store, clock, registry } = world;
  await store.put(strayKey, stray);
  await pushBlob(world, sample(5_000), "team/app");
  clock.jump(3 * day);
  expect(await world.wished({ adoptAs: "recovered" })).toMatchObject({ strays: 1, adopted: 1 });
  expect(await registry.metadata.blobRecord("recovered", strayDigest)).toMatchObject({
    sizeBytes: stray.length,
  });
  expect(await registry.blobs.read("recovered", strayDigest, 10_000)).toEqual(Buffer.from(stray));
  expect(await world.wished("remove")).toMatchObject({ strays: 0 });
  expect(await store.size(strayKey)).toBe(stray.length);
});

test("parts that nobody sends any more are removed after two days; those that somebody sends are not", async () => {
  await using world = await open();
  const { store, clock, registry } = world;
  await pushBlob(world, sample(5_000), "team/app");
  await store.startParts("objects/aa/left");
  const sent = await store.startParts("objects/aa/sent");
  const { metadata } = registry;
  await metadata.commit(
    recordCommit(
      objects,
      { kind: "reserve", keys: ["objects/aa/sent"], store: "" },
      { kind: "send-parts", key: "objects/aa/sent", upload: sent.upload, sizeBytes: 1 },
    ),
  );
  expect(await world.wished("tell")).toMatchObject({ unfinished: 0 });
  clock.jump(2 * day + 1);
  expect(await world.wished("tell")).toMatchObject({ unfinished: 1 });
  expect((await store.unfinished("objects/", null)).parts).toMatchObject([{ upload: sent.upload }]);
});

test("a store that does not answer, or has lost its registry.json, loses nothing", async () => {
  await using world = await open();
  const { store, registry, clock } = world;
  for (let count = 0; count < 20; count += 1) {
    await pushBlob(world, sample(5_000, count), "team/app");
  }
  store.onRequest = (operation, number) => {
    if (operation === "list" && number > 1) throw new ObjectStoreUnavailable("no answer");
  };
  await world.run();
  const half = must(await world.read(), "it was noted");
  expect(half.outcome).toBe("running");
  store.onRequest = () => undefined;
  // As another process goes on with it.
  await world.run();
  expect(await world.read()).toMatchObject({ outcome: "done", objects: 20, step: 2, lost: 0 });
  await store.remove("registry.json");
  for (const { key } of await registry.metadata.records(objects).keys("", 100)) {
    await store.remove(key);
  }
  clock.jump(1);
  expect(await world.wished("tell")).toMatchObject({ outcome: "failed", lost: 0 });
  expect(await damagedOf(world)).toEqual([]);
});
