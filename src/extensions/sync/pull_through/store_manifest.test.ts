// A manifest from an upstream whose blobs are not here: listed like any other, and nobody's damage or garbage.

import { expect, test } from "bun:test";
import { mirrors } from "../../../metadata/mirrors.ts";
import { mediaTypes } from "../../../oci/media_types.ts";
import { judgeRepository } from "../../../registry/scrub/judge_repository.ts";
import {
  changedIndex,
  image,
  openWorld,
  readIndex,
  repository,
  writeLayout,
  type Image,
  type World,
} from "../../../../test/registry/world.ts";
import { readFile } from "node:fs/promises";
import { indexKey } from "../../../storage/layout.ts";
import { confirmTag, setCachedTag, storeManifest } from "./store_manifest.ts";

function store({ registry }: World, { digest, bytes }: Image, tag: string | null) {
  return storeManifest(registry, {
    repository,
    hosts: ["docker.io"],
    digest,
    mediaType: mediaTypes.ociImage,
    bytes,
    tag: tag === null ? null : { name: tag, before: [null] },
  });
}

async function faultsOf(world: World) {
  const found = await Array.fromAsync(judgeRepository(world.registry, repository));
  return found.map(({ tag, affected }) => [tag, affected?.error ?? null]);
}

test("its origin, tag and digest are known with it, and no check of content misses its blobs", async () => {
  await using world = await openWorld();
  const one = image(1);
  expect(await store(world, one, "v1")).toMatchObject({ digest: one.digest, repository });
  const reads = world.registry.metadata.records(mirrors);
  expect(await reads.origin(repository)).toBe("docker.io");
  expect(await reads.tag(repository, "v1")).toMatchObject({ digest: one.digest });
  expect(await faultsOf(world)).toEqual([["v1", null]]);
  await world.settle();
  expect(await readIndex(world)).toEqual([`v1 ${one.digest}`]);
  // Another tool adds to the layout: the blobs that were not fetched are no news.
  const other = image(2);
  const text = await readFile(world.pathOf(indexKey(repository)), "utf8");
  await writeLayout(world, {
    blobs: [...other.blobs, other.bytes],
    index: changedIndex(text, [other.descriptor]),
  });
  await world.settle();
  expect(world.reports.filter(({ level }) => level !== "info")).toEqual([]);
});

test("a tag that somebody set meanwhile is not moved", async () => {
  await using world = await openWorld();
  const [one, two, three] = [image(1), image(2), image(3)] as const;
  await store(world, one, "v1");
  expect(await store(world, two, "v1")).toBe("moved");
  const { metadata } = world.registry;
  expect((await metadata.manifestByTag(repository, "v1"))?.digest).toBe(one.digest);
  await store(world, three, null);
  const at = { repository, hosts: ["docker.io"], digest: three.digest };
  expect(await setCachedTag(world.registry, { ...at, tag: { name: "v1", before: [null] } })).toBe(
    "moved",
  );
  expect(
    await setCachedTag(world.registry, { ...at, tag: { name: "v1", before: [one.digest] } }),
  ).toBe("set");
  await world.clock.advance(5_000);
  await confirmTag(world.registry, { ...at, tag: "v1" });
  const row = await metadata.records(mirrors).tag(repository, "v1");
  expect(row).toEqual({ digest: three.digest, checkedAt: world.clock.now() });
});

test("what another upstream has of the same name is not kept, whoever of the two comes first", async () => {
  await using world = await openWorld();
  const [one, two] = [image(1), image(2)] as const;
  const { registry } = world;
  const fetched = ({ digest, bytes }: Image, hosts: readonly string[], tag: string) => ({
    repository,
    hosts,
    digest,
    mediaType: mediaTypes.ociImage,
    bytes,
    tag: { name: tag, before: [null] },
  });
  const [first, second] = await Promise.all([
    storeManifest(registry, fetched(one, ["one.example", "spare.example"], "a")),
    storeManifest(registry, fetched(two, ["two.example"], "b")),
  ]);
  expect([first, second].filter((each) => each === "foreign")).toHaveLength(1);
  const isFirst = second === "foreign";
  const [origin, loser] = isFirst ? ["one.example", "b"] : ["two.example", "a"];
  const reads = registry.metadata.records(mirrors);
  expect(await reads.origin(repository)).toBe(origin);
  expect(await reads.tag(repository, loser)).toBeNull();
  expect(await registry.metadata.manifestByTag(repository, loser)).toBeNull();
  const digest = (isFirst ? one : two).digest;
  const theirs = { repository, hosts: [isFirst ? "two.example" : "one.example"], digest };
  expect(await confirmTag(registry, { ...theirs, tag: "a" })).toBe(false);
  const tag = { name: "c", before: [null] };
  expect(await setCachedTag(registry, { ...theirs, tag })).toBe("foreign");
});
