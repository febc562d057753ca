// Deletes: a blob or child that a manifest needs stays, a tag goes alone, a manifest with its tags.

import { describe, expect, test } from "bun:test";
import { reasonOf } from "../../test/reason_of.ts";
import {
  bytesOf,
  image,
  openWorld,
  pushBlob,
  pushImage,
  putManifest,
  repository,
  type World,
} from "../../test/registry/world.ts";
import { digestOf, type Digest } from "../oci/digest.ts";
import { mediaTypes } from "../oci/media_types.ts";
import { removeBlob, removeManifest, removeTag } from "./delete.ts";

const app = image(1);
const layer = digestOf("sha256", app.blobs[1]!);

const blob = ({ registry }: World, target: Digest, at = repository) =>
  removeBlob(registry, { repository: at, target, by: "bob" });
const manifest = ({ registry }: World, target: Digest) =>
  removeManifest(registry, { repository, target, by: "bob" });
const tag = (
  { registry }: World,
  target: string,
  tagIs: readonly (string | null)[] | null = null,
) => removeTag(registry, { repository, target, by: "bob", tagIs });

describe("a blob", () => {
  test("that a manifest names stays, until that is deleted", async () => {
    await using world = await openWorld();
    await pushImage(world, app, "v1");
    const refused = await reasonOf(blob(world, layer));
    expect(refused).toMatchObject({ reason: "BLOB_REFERENCED", status: 405 });
    expect(String(refused)).toContain(app.digest);
    expect(await world.registry.metadata.blobRecord(repository, layer)).not.toBeNull();
    // An untagged manifest needs it as well.
    await tag(world, "v1");
    expect(await reasonOf(blob(world, layer))).toMatchObject({ reason: "BLOB_REFERENCED" });
    await manifest(world, app.digest);
    await blob(world, layer);
    expect(await world.registry.metadata.blobRecord(repository, layer)).toBeNull();
  });

  test("that only another repository's manifest names goes", async () => {
    await using world = await openWorld();
    await pushImage(world, app, "v1", "team/other");
    await pushBlob(world, app.blobs[1]!);
    await blob(world, layer);
    await world.settle();
    expect(await world.registry.blobs.stat(repository, layer)).toBeNull();
    expect(await world.registry.blobs.stat("team/other", layer)).not.toBeNull();
  });

  test("that is not there is unknown", async () => {
    await using world = await openWorld();
    expect(await reasonOf(blob(world, layer))).toMatchObject({ reason: "BLOB_UNKNOWN" });
    await pushBlob(world, app.blobs[1]!);
    await blob(world, layer);
    expect(await reasonOf(blob(world, layer))).toMatchObject({ reason: "BLOB_UNKNOWN" });
  });

  test("and a push of the manifest that needs it, at once: one of them is refused", async () => {
    for (let round = 0; round < 20; round += 1) {
      await using world = await openWorld();
      for (const bytes of app.blobs) await pushBlob(world, bytes);
      const [deleted, pushed] = await Promise.all([
        reasonOf(blob(world, layer)),
        reasonOf(putManifest(world, app.bytes, "v1")),
      ]);
      const refusals = [deleted, pushed].map((reason) => (reason as { reason?: string }).reason);
      expect([
        ["BLOB_REFERENCED", undefined],
        [undefined, "MANIFEST_BLOB_UNKNOWN"],
      ]).toContainEqual(refusals);
    }
  });
});

describe("a manifest", () => {
  test("goes with all its tags, and with history", async () => {
    await using world = await openWorld();
    for (const name of ["v1", "v2"]) await pushImage(world, app, name);
    await pushImage(world, image(2), "other");
    await manifest(world, app.digest);
    const { metadata } = world.registry;
    expect(await metadata.tags(repository, { after: null, limit: 9 })).toEqual(["other"]);
    expect(await metadata.manifestByDigest(repository, app.digest)).toBeNull();
    const history = await metadata.history(repository, null, 3);
    expect(history.map(({ tag, digest, previous, by }) => [tag, digest, previous, by])).toEqual([
      [null, null, app.digest, "bob"],
      ["v2", null, app.digest, "bob"],
      ["v1", null, app.digest, "bob"],
    ]);
    expect(await reasonOf(manifest(world, app.digest))).toMatchObject({
      reason: "MANIFEST_UNKNOWN",
    });
  });

  test("that an index names stays, and goes after it", async () => {
    await using world = await openWorld();
    await pushImage(world, app, null);
    const index = bytesOf({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [app.descriptor],
    });
    const parent = await putManifest(world, index, "multi");
    const refused = await reasonOf(manifest(world, app.digest));
    expect(refused).toMatchObject({ reason: "BLOB_REFERENCED", status: 405 });
    expect(String(refused)).toContain(parent);
    await manifest(world, parent);
    await manifest(world, app.digest);
  });

  test("of an index that lost its tag goes, and the index stays readable", async () => {
    await using world = await openWorld();
    await pushImage(world, app, null);
    const list = { schemaVersion: 2, mediaType: mediaTypes.ociIndex };
    const index = bytesOf({ ...list, manifests: [app.descriptor] });
    const parent = await putManifest(world, index, "multi");
    await tag(world, "multi");
    await manifest(world, app.digest);
    const { metadata } = world.registry;
    expect(await metadata.manifestByDigest(repository, app.digest)).toBeNull();
    expect(await metadata.manifestByDigest(repository, parent)).not.toBeNull();
    // A lost database is rebuilt as it was: the hole is no damage.
    await world.settle();
    await world.crash({ loseFacts: true });
    await world.settle();
    expect(world.reports.filter(({ level }) => level === "error")).toEqual([]);
    expect(await world.registry.metadata.manifestByDigest(repository, parent)).not.toBeNull();
    // An index that lists the one without a tag names it.
    await putManifest(world, app.bytes, app.digest);
    const descriptor = { mediaType: list.mediaType, digest: parent, size: index.length };
    await putManifest(world, bytesOf({ ...list, manifests: [descriptor] }), "outer");
    expect(await reasonOf(manifest(world, app.digest))).toMatchObject({
      reason: "BLOB_REFERENCED",
    });
  });

  test("goes though it is a subject: its referrers stay, and are still listed", async () => {
    await using world = await openWorld();
    await pushImage(world, app, "v1");
    const sbom = image(2, { subject: app.descriptor });
    await pushImage(world, sbom, null);
    await manifest(world, app.digest);
    const page = { after: null, limit: 9, bytesMax: 999 };
    const { records } = await world.registry.metadata.referrers(repository, app.digest, [], page);
    expect(records.map(({ digest }) => digest)).toEqual([sbom.digest]);
  });
});

describe("a tag", () => {
  test("goes alone: its manifest stays under its digest and its other tags", async () => {
    await using world = await openWorld();
    for (const name of ["v1", "v2"]) await pushImage(world, app, name);
    await tag(world, "v1");
    const { metadata } = world.registry;
    expect(await metadata.tags(repository, { after: null, limit: 9 })).toEqual(["v2"]);
    await tag(world, "v2");
    expect(await metadata.manifestByDigest(repository, app.digest)).not.toBeNull();
    expect(await reasonOf(tag(world, "v2"))).toMatchObject({ reason: "MANIFEST_UNKNOWN" });
  });

  test("goes only from where the caller saw it, when that is asked", async () => {
    await using world = await openWorld();
    await pushImage(world, app, "v1");
    expect(await reasonOf(tag(world, "v1", [image(2).digest]))).toMatchObject({
      reason: "PRECONDITION_FAILED",
    });
    await tag(world, "v1", [app.digest]);
    expect(await reasonOf(tag(world, "v1"))).toMatchObject({ reason: "MANIFEST_UNKNOWN" });
  });

  test("of a repository that is not there is told as that", async () => {
    await using world = await openWorld();
    expect(await reasonOf(tag(world, "v1"))).toMatchObject({ reason: "NAME_UNKNOWN" });
  });
});

describe("a manifest whose tags are asked about one by one", () => {
  const remove = (registry: World["registry"], checkTag: (tag: string) => void): Promise<void> =>
    removeManifest(registry, { repository, target: app.digest, by: "bob", checkTag });
  const protects =
    (...names: string[]) =>
    (tag: string): void => {
      if (names.includes(tag)) throw new Error(`${tag} is protected`);
    };
  const tagsOf = (world: World) => world.registry.metadata.tagsOf(repository, app.digest, 10);

  test("goes when all of them may, and stays whole when one may not", async () => {
    await using world = await openWorld();
    await pushImage(world, app, "tmp1");
    await pushImage(world, app, "prod");
    expect(String(await reasonOf(remove(world.registry, protects("prod"))))).toContain(
      "prod is protected",
    );
    expect(await tagsOf(world)).toEqual(["prod", "tmp1"]);
    await tag(world, "prod");
    await remove(world.registry, protects("prod"));
    expect(await world.registry.metadata.manifestByDigest(repository, app.digest)).toBeNull();
  });

  /** A registry in which `meanwhile` happens between asking about tags and the commit. */
  function busy(world: World, meanwhile: () => Promise<unknown>): World["registry"] {
    const { metadata } = world.registry;
    const racing = Object.create(metadata, {
      tagsOf: {
        value: async (...asked: Parameters<typeof metadata.tagsOf>) => {
          const tags = await metadata.tagsOf(...asked);
          await meanwhile();
          return tags;
        },
      },
      commit: { value: metadata.commit.bind(metadata) },
    }) as typeof metadata;
    return { ...world.registry, metadata: racing };
  }

  test("a tag that is set meanwhile is asked about, too", async () => {
    await using world = await openWorld();
    await pushImage(world, app, "tmp1");
    const registry = busy(world, () => pushImage(world, app, "prod"));
    expect(String(await reasonOf(remove(registry, protects("prod"))))).toContain("prod");
    expect(await tagsOf(world)).toEqual(["prod", "tmp1"]);
    // One that may go is asked about as well, and goes.
    await remove(registry, protects());
    expect(await tagsOf(world)).toEqual([]);
  });

  test("whose tags never rest is not deleted, and the client is told to try again", async () => {
    await using world = await openWorld();
    await pushImage(world, app, "tmp1");
    let count = 0;
    const registry = busy(world, () => pushImage(world, app, `more${(count += 1)}`));
    expect(await reasonOf(remove(registry, protects()))).toMatchObject({ reason: "UNAVAILABLE" });
    expect(await world.registry.metadata.manifestByDigest(repository, app.digest)).not.toBeNull();
  });

  test("that has more tags than are asked about keeps them", async () => {
    await using world = await openWorld();
    await pushImage(world, app, "v0");
    const set = (at: number) => ({ kind: "set-tag", tag: `v${at}`, digest: app.digest }) as const;
    await world.commit(...Array.from({ length: 1001 }, (_, at) => set(at)));
    const refused = await reasonOf(remove(world.registry, protects()));
    expect(refused).toMatchObject({ reason: "MANIFEST_COLLISION" });
  });
});

test("a manifest with more tags than go in one commit is kept until some of them are gone", async () => {
  await using world = await openWorld();
  await pushImage(world, app, "v0");
  const set = (at: number) =>
    ({ kind: "set-tag", repository, tag: `v${at}`, digest: app.digest }) as const;
  await world.commit(...Array.from({ length: 10_001 }, (_, at) => set(at)));
  const remove = () =>
    reasonOf(removeManifest(world.registry, { repository, target: app.digest, by: null }));
  expect(await remove()).toMatchObject({
    reason: "MANIFEST_COLLISION",
    message: "More than 10000 tags point at this manifest; delete tags first",
  });
  await world.commit({ kind: "remove-tag", repository, tag: "v0" });
  expect(await remove()).toEqual({ value: undefined });
});
