// Checks of content in a store of objects that cross pushes of it.

import { expect, test } from "bun:test";
import { sample } from "../../../test/contracts/store_samples.ts";
import { memoryDirectory } from "../../../test/memory_directory.ts";
import { openObjectRoot } from "../../../test/objects/object_world.ts";
import { damagedOf, scrubOnce } from "../../../test/registry/scrubbing.ts";
import { kindsOf, pushBlob, watched } from "../../../test/registry/world.ts";
import { manualClock } from "../../lib/clock.ts";
import { objects } from "../../metadata/objects.ts";
import { digestOf } from "../../oci/digest.ts";
import type { Registry } from "../registry.ts";
import { MemoryObjects } from "../../storage/objects/memory_objects.ts";

const bytes = sample(300_000);
const digest = digestOf("sha256", bytes);
const wrong = sample(300_000, 7);

const moments = ["mark-damaged", "quarantine"] as const;
for (const moment of moments) {
  for (const pushedTo of ["a", "b", "c"]) {
    test(`a push to ${pushedTo} before the commit of ${moment}: right bytes stay, and nothing else is served`, async () => {
      await using directory = await memoryDirectory("zot-objects");
      const clock = manualClock(Date.now());
      const store = new MemoryObjects({ clock });
      const { registry, close } = await openObjectRoot(directory.path, store, { clock });
      const world = { clock, root: directory.path, registry };
      for (const at of ["a", "b"]) await pushBlob(world, bytes, at);
      for (const key of await contentKeys(registry)) await store.put(key, wrong);
      let once = true;
      const crossed = watched(registry, async (commit) => {
        if (!once || commit.repository !== "a" || !kindsOf(commit).includes(moment)) return;
        once = false;
        await pushBlob(world, bytes, pushedTo);
      });
      await scrubOnce(world, crossed);
      expect(once).toBe(false);
      await scrubOnce(world);
      const marked = new Set((await damagedOf(world)).map((mark) => mark.repository));
      // Bytes that are pushed once damage is known are the right ones everywhere.
      if (moment === "quarantine") expect([...marked]).toEqual([]);
      for (const at of ["a", "b", pushedTo]) {
        const found = await registry.blobs.read(at, digest, 1_000_000);
        if (marked.has(at)) expect([at, found]).toEqual([at, null]);
        else expect([at, found !== null && Buffer.from(bytes).equals(found)]).toEqual([at, true]);
      }
      await close();
    });
  }
}

test("small content that a pull found damaged is right after a push of it, though no check was made", async () => {
  await using directory = await memoryDirectory("zot-objects");
  const clock = manualClock(Date.now());
  const store = new MemoryObjects({ clock });
  const { registry, close } = await openObjectRoot(directory.path, store, { clock });
  const small = sample(5_000);
  const name = await pushBlob({ registry }, small, "a");
  for (const key of await contentKeys(registry)) await store.put(key, sample(5_000, 7));
  await pushBlob({ registry }, small, "a");
  const found = await registry.blobs.read("a", name, 1_000_000);
  expect(found !== null && Buffer.from(small).equals(found)).toBe(true);
  await close();
});

async function contentKeys({ metadata }: Registry): Promise<string[]> {
  const keys = await metadata.records(objects).keys("", 1_000);
  return keys.filter(({ state }) => state === "content").map(({ key }) => key);
}
