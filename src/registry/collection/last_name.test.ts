// The clock of what is collected runs since its own last name: an index that has waited for long takes nothing with it
// that was in use a moment ago.

import { expect, test } from "bun:test";
import { candidates, hourMs, openCollector } from "../../../test/registry/collecting.ts";
import {
  bytesOf,
  image,
  noUndo,
  openWorld,
  pushBlob,
  pushImage,
  putManifest,
  repository,
  type Image,
  type World,
} from "../../../test/registry/world.ts";
import { digestOf, type Digest } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import { removeManifest, removeTag } from "../delete.ts";
import { restoreTag, undelete } from "../history/restore.ts";
import { compileRules } from "../retention/rules.ts";
import { anyTag } from "../tag_rule.ts";
import { keepFor } from "./keep_for.ts";

const by = null;
const day = { ...noUndo, windowMs: 24 * hourMs };
const untag = (world: World, tag: string): Promise<void> =>
  removeTag(world.registry, { repository, target: tag, by, tagIs: null });
const remove = (world: World, target: Digest): Promise<void> =>
  removeManifest(world.registry, { repository, target, by });
const isHere = async (world: World, digest: Digest): Promise<boolean> =>
  (await world.registry.metadata.manifestByDigest(repository, digest)) !== null;

/** An index of images that are here, without a tag. */
async function pushIndex(world: World, images: readonly Image[], tag?: string): Promise<Digest> {
  const manifests = images.map(({ descriptor }) => descriptor);
  const bytes = bytesOf({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
  return putManifest(world, bytes, tag ?? digestOf("sha256", bytes));
}

test("an image that lost its tag waits for the delay, though an index that waited for long names it", async () => {
  await using world = await openWorld();
  const gc = openCollector(world);
  const app = image(1);
  await pushImage(world, app, "v1");
  const index = await pushIndex(world, [app]);
  await world.settle();
  await world.clock.advance(2 * hourMs);
  await untag(world, "v1");
  await gc.settle();
  expect([await isHere(world, index), await isHere(world, app.digest)]).toEqual([false, true]);
  await world.clock.advance(hourMs);
  await gc.settle();
  expect(await isHere(world, app.digest)).toBe(false);
});

test("a layer of an image that was deleted waits for the delay, though another one that goes now names it", async () => {
  await using world = await openWorld();
  const gc = openCollector(world);
  const [app, other] = [image(1), image(1, { annotations: { other: "yes" } })];
  await pushImage(world, app, "v1");
  await pushImage(world, other, null);
  await world.settle();
  await world.clock.advance(2 * hourMs);
  await remove(world, app.digest);
  await gc.settle();
  const layer = digestOf("sha256", app.blobs[1]!);
  const { metadata } = world.registry;
  expect(await isHere(world, other.digest)).toBe(false);
  expect(await metadata.blobRecord(repository, layer)).not.toBeNull();
  await world.clock.advance(hourMs);
  await gc.settle();
  expect(await metadata.blobRecord(repository, layer)).toBeNull();
});

test("so does a layer of an image that was collected a moment ago, though one that is due later names it", async () => {
  await using world = await openWorld();
  const retention = { dryRun: false, delay: hourMs / 3, policies: [] };
  const gc = openCollector(world, { gcDelay: 4 * hourMs, retention });
  const [app, other] = [image(1), image(1, { annotations: { other: "yes" } })];
  await pushImage(world, app, "v1");
  await pushImage(world, other, null);
  const until = world.clock.now() + 7 * hourMs;
  await world.commit({ kind: "pin", digest: other.digest, until });
  await world.settle();
  await world.clock.advance(6 * hourMs);
  await gc.settle();
  await untag(world, "v1");
  await world.clock.advance(2 * hourMs);
  await gc.settle();
  expect([await isHere(world, app.digest), await isHere(world, other.digest)]).toEqual([
    false,
    false,
  ]);
  const layer = digestOf("sha256", app.blobs[1]!);
  const { metadata } = world.registry;
  expect(await metadata.blobRecord(repository, layer)).not.toBeNull();
  await world.clock.advance(3 * hourMs);
  await gc.settle();
  expect(await metadata.blobRecord(repository, layer)).toBeNull();
});

test("an image that is due together with the index that names it goes with it, and is not forgotten", async () => {
  await using world = await openWorld();
  const gc = openCollector(world);
  const app = image(1);
  await pushImage(world, app, null);
  await pushIndex(world, [app]);
  // Pushed again: it is a candidate of its own, later than the index.
  await world.clock.advance(60_000);
  await putManifest(world, app.bytes, app.digest);
  await world.settle();
  await world.clock.advance(2 * hourMs);
  await gc.settle();
  expect(await isHere(world, app.digest)).toBe(false);
  expect(await candidates(world)).toEqual([]);
});

test("the time for an undo runs since the tag moved, though an old index named the image until now", async () => {
  await using world = await openWorld({ undo: () => day });
  const gc = openCollector(world, {
    retention: { dryRun: false, delay: 20 * hourMs, policies: [] },
  });
  const app = image(1);
  await pushImage(world, app, "v1");
  await pushIndex(world, [app]);
  await world.settle();
  await world.clock.advance(15 * hourMs);
  await untag(world, "v1");
  await gc.settle();
  // The image is looked at before the index goes.
  await world.clock.advance(20 * hourMs);
  await gc.settle();
  await restoreTag(world.registry, {
    repository,
    tag: "v1",
    digest: app.digest,
    tagRules: anyTag,
    by,
    showsWho: true,
  });
  expect(await isHere(world, app.digest)).toBe(true);
});

test("what came back without a pin waits anew, though an index that waited for long names it", async () => {
  await using world = await openWorld({ undo: () => day });
  const gc = openCollector(world);
  const app = image(1);
  await pushImage(world, app, null);
  await pushIndex(world, [app]);
  await world.settle();
  await world.clock.advance(2 * hourMs);
  await remove(world, app.digest);
  await undelete(world.registry, { repository, digest: app.digest, by });
  await gc.settle();
  expect(await isHere(world, app.digest)).toBe(true);
});

test("a blob that an undo brought back stays until its pin ends", async () => {
  const pinned = { ...day, pinMs: 48 * hourMs };
  await using world = await openWorld({ undo: () => pinned });
  const gc = openCollector(world);
  const digest = await pushBlob(world, image(1).blobs[1]!);
  await undelete(world.registry, { repository, digest, by });
  await world.settle();
  await world.clock.advance(47 * hourMs);
  await gc.settle();
  const { metadata } = world.registry;
  expect(await metadata.blobRecord(repository, digest)).not.toBeNull();
  await world.clock.advance(2 * hourMs);
  await gc.settle();
  expect(await metadata.blobRecord(repository, digest)).toBeNull();
});

test("a tag goes back to an index only with the child that was deleted meanwhile", async () => {
  for (const undo of [noUndo, day]) {
    await using world = await openWorld({ undo: () => undo });
    const app = image(1);
    await pushImage(world, app, null);
    const index = await pushIndex(world, [app], "v1");
    await untag(world, "v1");
    await remove(world, app.digest);
    const request = { repository, tag: "v1", digest: index, tagRules: anyTag, by, showsWho: true };
    const outcome = await restoreTag(world.registry, request).then(
      () => "restored",
      (error: Error) => error.message,
    );
    if (undo === noUndo) expect(outcome).toContain(`needs ${app.digest}, which was collected`);
    else expect([outcome, await isHere(world, app.digest)]).toEqual(["restored", true]);
  }
});

test("a layer of an image in an index in an index is promised, too", async () => {
  await using world = await openWorld();
  const gc = openCollector(world);
  const app = image(1);
  await pushImage(world, app, null);
  let named = app.descriptor;
  for (let depth = 0; depth < 4; depth += 1) {
    const bytes = bytesOf({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [named],
    });
    const digest = await putManifest(world, bytes, digestOf("sha256", bytes));
    named = { mediaType: mediaTypes.ociIndex, digest, size: bytes.length };
  }
  await world.settle();
  await world.clock.advance(2 * hourMs);
  const layer = digestOf("sha256", app.blobs[1]!);
  const rules = compileRules({ dryRun: false, delay: null, policies: [] }, hourMs);
  const told = { repository, digest: layer, sizeBytes: app.blobs[1]!.length };
  expect(await keepFor({ ...world.registry, retention: rules }, told, "blob")).toBe(true);
  await gc.settle();
  expect(await isHere(world, app.digest)).toBe(false);
  expect(await world.registry.metadata.blobRecord(repository, layer)).not.toBeNull();
});
