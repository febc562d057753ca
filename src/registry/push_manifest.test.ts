// A pushed manifest: all of it in one commit or nothing, of what is here when it is committed, and no bytes left
// of one that was refused. What a manifest must be is tested in `oci` and over HTTP.

import { describe, expect, test } from "bun:test";
import { reasonOf } from "../../test/reason_of.ts";
import {
  filesOf,
  image,
  kindsOf,
  openWorld,
  pushBlob,
  pushImage,
  putManifest,
  repository,
  watched,
  type World,
} from "../../test/registry/world.ts";
import { digestOf } from "../oci/digest.ts";
import type { ApiError } from "../oci/errors.ts";
import type { Commit } from "../metadata/metadata.ts";
import { blobKey } from "../storage/layout.ts";
import { removeBlob, removeTag } from "./delete.ts";
import { pushManifest, type PushRequest } from "./push_manifest.ts";

const app = image(1);

function request(changes: Partial<PushRequest> = {}): PushRequest {
  return {
    repository,
    reference: { kind: "tag", tag: "v1" },
    tags: [],
    bytes: app.bytes,
    contentType: null,
    tagIs: null,
    by: "alice",
    ...changes,
  };
}

async function pushBlobs(world: World): Promise<void> {
  for (const blob of app.blobs) await pushBlob(world, blob);
}

/** Runs `between` once, after the push has written its bytes and before it is committed. */
function crossed(world: World, between: () => Promise<void>) {
  let ran = false;
  return watched(world.registry, async (commit: Commit) => {
    if (!kindsOf(commit).includes("put-manifest") || ran) return;
    ran = true;
    await between();
  });
}

describe("a push", () => {
  test("by digest with tags sets all of them, or none", async () => {
    await using world = await openWorld();
    await pushBlobs(world);
    const byDigest = request({
      reference: { kind: "digest", digest: app.digest },
      tags: ["v1", "v2", "v3"],
    });
    const { metadata } = world.registry;
    await putManifest(world, app.bytes, "v2");
    const onlyNew = { ...byDigest, tagIs: [null] };
    expect(await reasonOf(pushManifest(world.registry, onlyNew))).toMatchObject({
      reason: "PRECONDITION_FAILED",
    });
    expect(await metadata.tags(repository, { after: null, limit: 9 })).toEqual(["v2"]);
    await pushManifest(world.registry, byDigest);
    expect(await metadata.tags(repository, { after: null, limit: 9 })).toEqual(["v1", "v2", "v3"]);
  });

  test("that loses a blob while it runs is refused, and its bytes go with the next sweep", async () => {
    await using world = await openWorld();
    await pushBlobs(world);
    const layer = digestOf("sha256", app.blobs[1]!);
    const racing = crossed(world, () =>
      removeBlob(world.registry, { repository, target: layer, by: null }),
    );
    expect(await reasonOf(pushManifest(racing, request()))).toMatchObject({
      reason: "MANIFEST_BLOB_UNKNOWN",
    });
    expect(await world.registry.metadata.manifestByDigest(repository, app.digest)).toBeNull();
    await world.settle();
    expect(await filesOf(world)).not.toContain(blobKey(repository, app.digest));
    // The client pushes the blob again, and then the manifest.
    await pushImage(world, app, "v1");
    await world.settle();
    expect(await filesOf(world)).toContain(blobKey(repository, app.digest));
  });

  test("whose tag moves while it runs is refused, and keeps the bytes that another push named", async () => {
    await using world = await openWorld();
    await pushImage(world, image(2), "v1");
    await pushBlobs(world);
    const racing = crossed(world, async () => {
      await putManifest(world, app.bytes, "other");
      await removeTag(world.registry, { repository, target: "v1", by: null, tagIs: null });
    });
    const conditional = request({ tagIs: [image(2).digest] });
    expect(await reasonOf(pushManifest(racing, conditional))).toMatchObject({
      reason: "PRECONDITION_FAILED",
    });
    await world.settle();
    expect(await filesOf(world)).toContain(blobKey(repository, app.digest));
    const found = await world.registry.metadata.manifestByTag(repository, "other");
    expect(found?.digest).toBe(app.digest);
  });

  test("that is refused at once writes nothing", async () => {
    await using world = await openWorld();
    expect(await reasonOf(pushManifest(world.registry, request()))).toMatchObject({
      reason: "MANIFEST_BLOB_UNKNOWN",
    });
    expect(await filesOf(world)).toEqual([]);
    expect(await world.registry.metadata.repositoryExists(repository)).toBe(false);
  });

  test("that names one layer ten thousand times costs as much as one that names it once", async () => {
    await using world = await openWorld();
    await pushBlobs(world);
    const commits: Commit[] = [];
    const seen = watched(world.registry, async (commit) => void commits.push(commit));
    const { layers } = JSON.parse(new TextDecoder().decode(app.bytes));
    const many = image(1, { layers: Array.from({ length: 10_000 }, () => layers[0]) });
    await pushManifest(seen, request());
    await pushManifest(seen, request({ bytes: many.bytes }));
    const [once, often] = commits;
    expect(often!.preconditions).toHaveLength(once!.preconditions.length);
    const references = commits.map(
      ({ changes: [put] }) => put?.kind === "put-manifest" && put.manifest.references.length,
    );
    expect(references).toEqual([2, 2]);
  });

  const absent = (seed: number): object => ({
    mediaType: "application/vnd.oci.image.layer.v1.tar",
    digest: digestOf("sha256", new TextEncoder().encode(`absent ${seed}`)),
    size: 10,
  });

  test("that names ten thousand absent layers looks for some, and lists as many", async () => {
    await using world = await openWorld();
    await pushBlobs(world);
    const layers = Array.from({ length: 10_000 }, (_, seed) => absent(seed));
    const refused = await reasonOf(
      pushManifest(world.registry, request({ bytes: image(1, { layers }).bytes })),
    );
    const { reason, errors } = refused as ApiError;
    expect([reason, errors.length]).toEqual(["MANIFEST_BLOB_UNKNOWN", 129]);
    expect(errors.at(-1)?.message).toBe("No more than 128 are listed; others may be missing, too");
  });

  test("whose tag moved is told so, however many layers are absent", async () => {
    await using world = await openWorld();
    await pushBlobs(world);
    const layers = Array.from({ length: 1_000 }, (_, seed) => absent(seed));
    const push = request({ bytes: image(1, { layers }).bytes, tagIs: "present" });
    expect(await reasonOf(pushManifest(world.registry, push))).toMatchObject({
      reason: "PRECONDITION_FAILED",
    });
  });

  test("that a sweep crosses writes its bytes again", async () => {
    await using world = await openWorld();
    await pushBlobs(world);
    const racing = crossed(world, async () => {
      await world.registry.blobs.remove(repository, app.digest);
    });
    await pushManifest(racing, request());
    const bytes = await world.registry.blobs.read(repository, app.digest, 9999);
    expect(bytes).toEqual(Buffer.from(app.bytes));
  });

  test("of many at once to one tag: one stands, all are there by digest, history has every move", async () => {
    await using world = await openWorld();
    const images = Array.from({ length: 20 }, (_, index) => image(index));
    await Promise.all(images.map((pushed) => pushImage(world, pushed, "latest")));
    const { metadata } = world.registry;
    for (const { digest } of images) {
      expect(await metadata.manifestByDigest(repository, digest)).not.toBeNull();
    }
    const history = await metadata.history(repository, "latest", 99);
    expect(history).toHaveLength(images.length);
    const standing = await metadata.manifestByTag(repository, "latest");
    expect(standing?.digest).toBe(history[0]!.digest as typeof app.digest);
    for (const [index, move] of history.entries()) {
      expect(move.previous).toBe(history[index + 1]?.digest ?? null);
    }
  });
});

test("annotations that a list of referrers would show are bounded, others are not", async () => {
  await using world = await openWorld();
  await pushBlobs(world);
  const annotations = (bytes: number): object => ({ annotations: { pad: "x".repeat(bytes) } });
  const of = (members: object): PushRequest => request({ bytes: image(1, members).bytes });
  const subject = { subject: image(2).descriptor };
  const MiB = 1024 * 1024;
  expect(
    await reasonOf(pushManifest(world.registry, of({ ...subject, ...annotations(MiB) }))),
  ).toMatchObject({ reason: "MANIFEST_TOO_LARGE" });
  await pushManifest(world.registry, of({ ...subject, ...annotations(MiB - 10) }));
  await pushManifest(world.registry, of(annotations(2 * MiB)));
});
