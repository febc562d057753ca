// Mirrored manifests: one that a scrub found damaged is fetched again, also where its bytes are in memory still; and how
// often a check of a tag is recorded.

import { expect, test } from "bun:test";
import { mirrors } from "../../../metadata/mirrors.ts";
import { mediaTypes } from "../../../oci/media_types.ts";
import { readContent } from "../../../registry/content.ts";
import { resolveManifest } from "../../../registry/resolve.ts";
import { image, openWorld, pushImage } from "../../../../test/registry/world.ts";
import type { MirroredName } from "./mirror.ts";
import { MirroredManifests } from "./manifests.ts";

const at = "docker.io/library/app";

test("a mirrored manifest that is damaged is fetched again, and right afterwards", async () => {
  await using world = await openWorld();
  const { registry } = world;
  const { digest, bytes } = image(1);
  await pushImage(world, image(1), null, at);
  await readContent(registry, { repository: at, digest, sizeBytes: bytes.length });
  await registry.metadata.commit({
    repository: at,
    preconditions: [],
    changes: [
      { kind: "mark-damaged", digest, sizeBytes: bytes.length, how: "missing", stamp: null },
    ],
    by: null,
  });
  let asked = 0;
  const upstream = {
    host: "docker.io",
    getManifest: async () => {
      asked += 1;
      return { digest, mediaType: mediaTypes.ociImage, bytes };
    },
  };
  const source = { name: "library/app", mirror: { upstream, hosts: ["docker.io"] } };
  const watch = { pulled: () => {}, blobHit: () => {}, fetching: () => {}, stale: () => {} };
  const manifests = new MirroredManifests(registry, watch);
  const place = { repository: at, from: "any", hops: 0 } as const;
  const reference = { kind: "digest", digest } as const;
  const sources = [source as unknown as MirroredName];
  const pulled = await manifests.pull(place, reference, sources);
  expect(asked).toBe(1);
  expect(pulled.found?.damagedSince).toBeUndefined();
  const { found } = await resolveManifest(registry, at, reference);
  expect(found).not.toBeNull();
  expect(found?.damagedSince).toBeUndefined();
});

test("checks that follow each other are recorded once a minute, and each is known all the same", async () => {
  await using world = await openWorld();
  const { registry, clock } = world;
  const { digest, bytes } = image(1);
  let heads = 0;
  const upstream = {
    host: "docker.io",
    headManifest: async () => {
      heads += 1;
      return { digest, mediaType: mediaTypes.ociImage, sizeBytes: bytes.length };
    },
    getManifest: async () => ({ digest, mediaType: mediaTypes.ociImage, bytes }),
  };
  const mirror = { upstream, hosts: ["docker.io"], manifestCheckMs: 0 };
  const sources = [{ name: "library/app", mirror } as unknown as MirroredName];
  const watch = { pulled: () => {}, blobHit: () => {}, fetching: () => {}, stale: () => {} };
  const manifests = new MirroredManifests(registry, watch);
  const place = { repository: at, from: "any", hops: 0 } as const;
  const pulled = async () => {
    const { provenance } = await manifests.pull(place, { kind: "tag", tag: "1" }, sources);
    const recorded = await registry.metadata.records(mirrors).tag(at, "1");
    return [provenance?.cache, heads, (recorded?.checkedAt ?? 0) - startMs];
  };
  const startMs = clock.now();
  expect(await pulled()).toEqual(["miss", 1, 0]);
  await clock.advance(2_000);
  expect(await pulled()).toEqual(["fresh", 2, 0]);
  expect(await pulled()).toEqual(["hit", 2, 0]);
  await clock.advance(57_000);
  expect(await pulled()).toEqual(["fresh", 3, 0]);
  await clock.advance(1_500);
  expect(await pulled()).toEqual(["fresh", 4, 60_500]);
});
