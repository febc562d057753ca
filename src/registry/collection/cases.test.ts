// Rows 46, 49 to 51 and 56 of zot's cases: uploads, contents that are not as they should be, and one delay for all.

import { describe, expect, test } from "bun:test";
import { collecting, hourMs, openCollector } from "../../../test/registry/collecting.ts";
import {
  bytesOf,
  filesOf,
  image,
  openWorld,
  pushBlob,
  pushImage,
  putManifest,
  repository,
  watched,
  writeLayout,
  named,
  type Image,
  type World,
} from "../../../test/registry/world.ts";
import { bytesSource, sample, unlimited } from "../../../test/contracts/store_samples.ts";
import { digestOf, type Digest } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import { removeManifest } from "../delete.ts";
import { Collector } from "./collector.ts";

const monthMs = 31 * 24 * hourMs;

function indexOf(images: readonly Image[], members: object = {}): Uint8Array {
  const manifests = images.map(({ descriptor }) => descriptor);
  return bytesOf({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests, ...members });
}

const isHere = async (world: World, digest: Digest): Promise<boolean> =>
  (await world.registry.metadata.manifestByDigest(repository, digest)) !== null;
const isLinked = async (world: World, digest: Digest): Promise<boolean> =>
  (await world.registry.metadata.blobRecord(repository, digest)) !== null;

test("46 an upload that receives nothing goes after its time, and not before", async () => {
  await using world = await openWorld();
  const { uploads } = world.registry;
  const id = await uploads.start(repository);
  await uploads.hold(repository, id, (upload) =>
    upload.append(bytesSource(sample(100)), unlimited),
  );
  const now = world.clock.now();
  expect(await uploads.expire(now + 23 * hourMs, 24 * hourMs)).toBe(0);
  expect(await uploads.size(repository, id)).toBe(100);
  expect(await uploads.expire(now + 25 * hourMs, 24 * hourMs)).toBe(1);
  expect(await uploads.size(repository, id)).toBeNull();
});

test("49 a descriptor of an unknown media type is passed over, and the config that it shares stays", async () => {
  await using world = await openWorld();
  const gc = openCollector(world);
  const good = image(1);
  const config = digestOf("sha256", good.blobs[0]!);
  const bytes = bytesOf({ config, anything: "of another kind" });
  const strange = {
    mediaType: "application/vnd.example.unknown+json",
    digest: digestOf("sha256", bytes),
    size: bytes.length,
  };
  await writeLayout(world, {
    blobs: [...good.blobs, good.bytes, bytes],
    index: [named(good.descriptor, "v1"), named(strange, "odd")],
  });
  await world.settle();
  await world.clock.advance(monthMs);
  await gc.settle();
  expect(await isHere(world, good.digest)).toBe(true);
  for (const blob of good.blobs) expect(await isLinked(world, digestOf("sha256", blob))).toBe(true);
});

describe("50 what is not there", () => {
  test("a descriptor without its blob keeps nothing else from being served and collected", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const [good, lost] = [image(1), image(2)];
    await writeLayout(world, {
      blobs: [...good.blobs, good.bytes],
      index: [named(good.descriptor, "v1"), named(lost.descriptor, "v2")],
    });
    await world.settle();
    expect([await isHere(world, good.digest), await isHere(world, lost.digest)]).toEqual([
      true,
      false,
    ]);
    const unnamed = await pushBlob(world, sample(700, 7));
    await world.clock.advance(monthMs);
    await gc.settle();
    expect(await isHere(world, good.digest)).toBe(true);
    expect(await isLinked(world, unnamed)).toBe(false);
  });

  for (const [what, children] of [
    ["an index with one of two children", 1],
    ["an index with none of two children", 0],
  ] as const) {
    test(`${what} stays while it has a tag, with what is there`, async () => {
      await using world = await openWorld();
      const gc = openCollector(world);
      const images = [image(1), image(2)];
      const there = images.slice(0, children);
      const bytes = indexOf(images);
      const index = {
        mediaType: mediaTypes.ociIndex,
        digest: digestOf("sha256", bytes),
        size: bytes.length,
      };
      await writeLayout(world, {
        blobs: [bytes, ...there.flatMap((one) => [...one.blobs, one.bytes])],
        index: [named(index, "all")],
      });
      await world.settle();
      await world.clock.advance(monthMs);
      await gc.settle();
      expect(await isHere(world, index.digest)).toBe(true);
      const found = await Promise.all(images.map(({ digest }) => isHere(world, digest)));
      expect(found.filter(Boolean)).toHaveLength(children);
      await removeManifest(world.registry, { repository, target: index.digest, by: null });
      await world.clock.advance(monthMs);
      await gc.settle();
      expect(await filesOf(world)).toEqual([]);
    });
  }

  test("an index with an empty list waits as any manifest does", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const digest = await putManifest(world, indexOf([]), "empty");
    await world.clock.advance(monthMs);
    await gc.settle();
    expect(await isHere(world, digest)).toBe(true);
  });
});

test("51 an index that two indexes name is read once, and goes with the last of them", async () => {
  await using world = await openWorld();
  const gc = openCollector(world);
  const app = image(1);
  await pushImage(world, app, null);
  const describe = (bytes: Uint8Array) => ({
    mediaType: mediaTypes.ociIndex,
    digest: digestOf("sha256", bytes),
    size: bytes.length,
  });
  const inner = indexOf([app, app]);
  const outer = [1, 2].map((seed) =>
    bytesOf({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [describe(inner), describe(inner)],
      annotations: { seed: `${seed}` },
    }),
  );
  await putManifest(world, inner, digestOf("sha256", inner));
  for (const bytes of outer)
    await putManifest(world, bytes, digestOf("sha256", bytes).slice(7, 20));
  await world.settle();
  await removeManifest(world.registry, {
    repository,
    target: digestOf("sha256", outer[0]!),
    by: null,
  });
  await world.clock.advance(2 * hourMs);
  await gc.settle();
  expect([await isHere(world, digestOf("sha256", inner)), await isHere(world, app.digest)]).toEqual(
    [true, true],
  );
  await removeManifest(world.registry, {
    repository,
    target: digestOf("sha256", outer[1]!),
    by: null,
  });
  await world.clock.advance(2 * hourMs);
  await gc.settle();
  expect(await filesOf(world)).toEqual([]);
});

test("56 an image and an index that are deleted by digest go with all that they named after one delay", async () => {
  await using world = await openWorld();
  const retention = { dryRun: false, delay: 40_000, policies: [] };
  const gc = openCollector(world, { gcDelay: 30_000, retention });
  const [app, child] = [image(1), image(2)];
  await pushImage(world, app, "v1");
  await pushImage(world, child, null);
  const index = await putManifest(world, indexOf([child]), "all");
  await world.settle();
  for (const target of [app.digest, index]) {
    await removeManifest(world.registry, { repository, target, by: null });
  }
  await world.clock.advance(100_000);
  await gc.settle();
  expect(await filesOf(world)).toEqual([]);
  const { names } = await world.registry.metadata.catalog({ after: null, limit: 9 });
  expect(names).toEqual([]);
});

test("a full disk in the middle of a round fails the round, and the next one goes on", async () => {
  await using world = await openWorld();
  const digests = [];
  for (let seed = 1; seed <= 3; seed += 1) digests.push(await pushBlob(world, sample(500, seed)));
  await world.settle();
  await world.clock.advance(2 * hourMs);
  let collected = 0;
  const full = watched(world.registry, async ({ by }) => {
    if (by !== ":gc") return;
    collected += 1;
    if (collected > 1) throw new Error("ENOSPC: no space left on device");
  });
  const { report } = world;
  const collector = new Collector({ registry: full, report, settings: () => collecting() });
  const outcome = await collector.round().then(
    () => "done",
    (error: Error) => error.message,
  );
  expect(outcome).toContain("ENOSPC");
  const kept = await Promise.all(digests.map((digest) => isLinked(world, digest)));
  expect(kept.filter(Boolean)).toHaveLength(2);
  await openCollector(world).settle();
  expect(await filesOf(world)).toEqual([]);
});
