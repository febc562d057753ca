// A tool that read index.json, took its time, and wrote it back with a change of its own: what was pushed and deleted
// through the registry meanwhile stands, the tool's own change is taken, and the log says what was done.

import { describe, expect, test } from "bun:test";
import { readFile, utimes } from "node:fs/promises";
import {
  changedIndex,
  image,
  named,
  openWorld,
  pushImage,
  readIndex,
  repository,
  type Image,
  type World,
  writeLayout,
} from "../../test/registry/world.ts";
import { mediaTypes } from "../oci/media_types.ts";
import { indexKey } from "../storage/layout.ts";
import { removeManifest, removeTag } from "./delete.ts";

const [old, moved, theirs, gone] = [image(1), image(2), image(3), image(4)];

const textOf = (world: World): Promise<string> =>
  readFile(world.pathOf(indexKey(repository)), "utf8");

async function tagsOf({ registry }: World): Promise<Record<string, string>> {
  const { metadata } = registry;
  const tags = await metadata.tags(repository, { after: null, limit: 999 });
  const entries = tags.map(async (tag) => {
    const found = await metadata.manifestByTag(repository, tag);
    return [tag, found?.digest ?? "nothing"] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

const messagesOf = (world: World, level: string): string[] =>
  world.reports.filter((report) => report.level === level).map(({ message }) => message);

const remove = ({ registry }: World, tag: string): Promise<void> =>
  removeTag(registry, { repository, target: tag, by: "bob", tagIs: null });

async function write(world: World, text: string, blobs: readonly Image[] = [theirs]) {
  world.reports.length = 0;
  const bytes = blobs.flatMap((one) => [...one.blobs, one.bytes]);
  await writeLayout(world, { blobs: bytes, index: text });
  const hourAgo = Date.now() / 1000 - 3600;
  await utimes(world.pathOf(indexKey(repository)), hourAgo, hourAgo);
  await world.settle();
}

/** What the tool makes of the text that it had read. */
const tools: Readonly<Record<string, (read: string, entries: object[]) => string>> = {
  "a tool that keeps annotations, as all that we know do": (read, entries) =>
    changedIndex(read, entries as never),
  "a tool that drops them": (read, entries) => {
    const { manifests } = JSON.parse(changedIndex(read, entries as never)) as {
      manifests: object[];
    };
    return JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
  },
};

for (const [says, made] of Object.entries(tools)) {
  describe(says, () => {
    test("adds a tag to an old copy: moves and deletes since stand, also those that were projected", async () => {
      await using world = await openWorld();
      for (const tag of ["stays", "latest", "goes"]) await pushImage(world, old, tag);
      await pushImage(world, gone, "gone");
      await world.settle();
      const read = await textOf(world);
      await pushImage(world, moved, "latest");
      await remove(world, "goes");
      await removeManifest(world.registry, { repository, target: gone.digest, by: "bob" });
      await world.settle();
      expect(await readIndex(world)).toHaveLength(2);
      await write(world, made(read, [named(theirs.descriptor, "theirs")]));
      const expected = { stays: old.digest, latest: moved.digest, theirs: theirs.digest };
      expect(await tagsOf(world)).toEqual(expected);
      expect((await readIndex(world))?.toSorted()).toEqual(
        Object.entries(expected)
          .map(([tag, digest]) => `${tag} ${digest}`)
          .toSorted(),
      );
      expect(messagesOf(world, "error")).toEqual([]);
      expect(messagesOf(world, "warn")).toEqual([
        "another tool wrote index.json from an older copy; what was pushed and deleted since stands",
      ]);
    });

    test("moves a tag that was pushed since: the push stands, and the log tells", async () => {
      await using world = await openWorld();
      await pushImage(world, old, "latest");
      await world.settle();
      const read = await textOf(world);
      await pushImage(world, moved, "latest");
      await world.settle();
      await write(world, made(read, [named(theirs.descriptor, "latest")]));
      expect(await tagsOf(world)).toEqual({ latest: moved.digest });
      expect(messagesOf(world, "error")).toEqual([
        `tag latest: index.json says ${theirs.digest}, and a push since then made it ${moved.digest}, which stands`,
      ]);
    });

    test("moves a tag of its own, again and again", async () => {
      await using world = await openWorld();
      await pushImage(world, old, "ours");
      await world.settle();
      for (const next of [theirs, moved, theirs]) {
        await write(world, made(await textOf(world), [named(next.descriptor, "theirs")]), [next]);
        if (next !== theirs || says.includes("keeps")) {
          expect(await tagsOf(world)).toEqual({ ours: old.digest, theirs: next.digest });
        }
      }
      expect(messagesOf(world, "error")).toEqual([]);
    });
  });
}

test("a tool that had read what stands now may move and roll back what was pushed", async () => {
  await using world = await openWorld();
  await pushImage(world, old, "latest");
  await pushImage(world, moved, "latest");
  await world.settle();
  await write(world, changedIndex(await textOf(world), [named(old.descriptor, "latest")]), []);
  expect(await tagsOf(world)).toEqual({ latest: old.digest });
  expect(messagesOf(world, "warn")).toEqual([]);
});

test("a copy of another repository's layout is taken in as one that nobody had read", async () => {
  await using world = await openWorld();
  await pushImage(world, old, "latest", "other");
  await pushImage(world, moved, "latest");
  await world.settle();
  const read = await readFile(world.pathOf(indexKey("other")), "utf8");
  await write(world, changedIndex(read, [named(theirs.descriptor, "new")]), [old, theirs]);
  expect(await tagsOf(world)).toEqual({ latest: moved.digest, new: theirs.digest });
  expect(messagesOf(world, "error")).toEqual([
    expect.stringContaining("tag latest") as unknown as string,
  ]);
});

test("a generation that the metadata have not come to proves nothing", async () => {
  await using world = await openWorld();
  await pushImage(world, old, "latest");
  await world.settle();
  const read = await textOf(world);
  const later = read.replace(/\.\d+"}}$/, '.999"}}');
  expect(later).not.toBe(read);
  await pushImage(world, moved, "latest");
  await world.settle();
  await write(world, changedIndex(later, [named(theirs.descriptor, "theirs")]));
  expect(await tagsOf(world)).toEqual({ latest: moved.digest, theirs: theirs.digest });
});

test("a delete of a manifest that a tool copies in anew is undone by that", async () => {
  await using world = await openWorld();
  await pushImage(world, old, "stays");
  await pushImage(world, gone, "gone");
  await world.settle();
  await removeManifest(world.registry, { repository, target: gone.digest, by: "bob" });
  await world.settle();
  const entries = [named(gone.descriptor, "again")];
  await write(world, changedIndex(await textOf(world), entries), [gone]);
  expect(await tagsOf(world)).toEqual({ stays: old.digest, again: gone.digest });
});
