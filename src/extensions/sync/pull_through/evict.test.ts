// Cached content that goes: what was pulled longest ago, within limits of time and bytes, and never what is wanted.

import { describe, expect, test } from "bun:test";
import { mirrors } from "../../../metadata/mirrors.ts";
import { recordCommit } from "../../../metadata/records.ts";
import { retention } from "../../../metadata/retention.ts";
import { digestOf } from "../../../oci/digest.ts";
import { mediaTypes } from "../../../oci/media_types.ts";
import type { TagEntry } from "../../../registry/retention/rules.ts";
import {
  bytesOf,
  image,
  openWorld,
  pushBlob,
  pushImage,
  putManifest,
  watched,
  type Image,
  type World,
} from "../../../../test/registry/world.ts";
import type { Registry } from "../../../registry/registry.ts";
import { evict, type CacheLimits } from "./evict.ts";
import { mirrorActor } from "./store_manifest.ts";

const day = 24 * 60 * 60_000;
const at = "docker.io/library/app";

/** An image as pull-through keeps it, used so long ago. */
async function cached(world: World, pushed: Image, tag: string | null, daysAgo: number) {
  await pushImage(world, pushed, tag, at);
  await use(world, pushed.digest, daysAgo);
  if (tag !== null) await cacheTag(world, tag, pushed.digest);
}

/** The upstream says that a tag is there. */
async function cacheTag({ registry }: World, tag: string, digest: string): Promise<void> {
  const row = { kind: "cache-tag", repository: at, tag, digest, checkedAt: 1 } as const;
  await registry.metadata.commit(recordCommit(mirrors, row));
}

async function use({ registry }: World, digest: string, daysAgo: number): Promise<void> {
  const usedAt = registry.clock.now() - daysAgo * day;
  await registry.metadata.commit(
    recordCommit(
      mirrors,
      { kind: "set-origin", repository: at, host: "docker.io", at: usedAt },
      { kind: "cache-manifest", repository: at, digest, at: usedAt },
    ),
  );
}

async function evicted(
  world: World,
  { reliefBytes = 0, ...limits }: Partial<CacheLimits> & { reliefBytes?: number },
  laterMs = 2 * 60 * 60_000,
  registry: Registry = world.registry,
) {
  let bytes = 0;
  // What was linked within the hour may be part of a push.
  await world.clock.advance(laterMs);
  const more = await evict(registry, {
    relief: [{ bytes: reliefBytes, has: (repository) => repository === at }],
    limitsOf: (repository) =>
      repository === at
        ? { of: "one", limits: { maxBytes: 0, unpulledForMs: 0, ...limits } }
        : null,
    onEvicted: (host, freed) => {
      expect(host).toBe("docker.io");
      bytes += freed;
    },
    signal: new AbortController().signal,
  });
  expect(more).toBe(false);
  return bytes;
}

const tags = ({ registry }: World) => registry.metadata.tags(at, { after: null, limit: 99 });
const usage = ({ registry }: World) => registry.metadata.records(mirrors).usage(at);

test("what nobody pulled for long goes with its tags and blobs, and nothing is held of it", async () => {
  await using world = await openWorld({
    undo: () => ({ windowMs: day, pinMs: day, bytesMax: null }) as never,
  });
  await world.clock.advance(100 * day);
  await cached(world, image(1), "old", 40);
  await cached(world, image(2), "new", 20);
  const before = await usage(world);
  const freed = await evicted(world, { unpulledForMs: 30 * day });
  expect(await tags(world)).toEqual(["new"]);
  expect(freed).toBeGreaterThan(2_000);
  expect(await usage(world)).toBe(before - freed);
  const held = await world.registry.metadata.held(at, [image(1).digest]);
  expect(held.map(({ as }) => as)).toEqual(["orphan"]);
});

test("row 62: a cache that is over its bytes loses what was pulled longest ago; the last day stays", async () => {
  await using world = await openWorld();
  await world.clock.advance(100 * day);
  for (const [seed, daysAgo] of [
    [1, 9],
    [2, 3],
    [3, 6],
    [4, 0.5],
  ] as const) {
    await cached(world, image(seed), `v${seed}`, daysAgo);
  }
  const all = await usage(world);
  await evicted(world, { maxBytes: all });
  expect(await tags(world)).toEqual(["v1", "v2", "v3", "v4"]);
  await evicted(world, { maxBytes: all - 1 });
  expect(await tags(world)).toEqual(["v2", "v3", "v4"]);
  const pulls = [
    {
      repository: at,
      digest: image(3).digest,
      at: world.clock.now() - 2 * day,
      count: 1,
      looks: false,
    },
  ];
  await world.registry.metadata.commit(recordCommit(retention, { kind: "add-pulls", pulls }));
  await evicted(world, { maxBytes: Math.floor(all * 0.7) });
  expect(await tags(world)).toEqual(["v3", "v4"]);
  await evicted(world, { maxBytes: 1 });
  expect(await tags(world)).toEqual(["v4"]);
});

test("a short disk: of all mirrors what is oldest goes, whatever their limits are; the last day stays", async () => {
  await using world = await openWorld();
  await world.clock.advance(100 * day);
  for (const [seed, daysAgo] of [
    [1, 9],
    [2, 6],
    [3, 3],
    [4, 0.5],
  ] as const) {
    await cached(world, image(seed), `v${seed}`, daysAgo);
  }
  expect(await evicted(world, { reliefBytes: 1 })).toBeGreaterThan(1);
  expect(await tags(world)).toEqual(["v2", "v3", "v4"]);
  await evicted(world, { reliefBytes: Number.MAX_SAFE_INTEGER });
  expect(await tags(world)).toEqual(["v4"]);
});

test("a blob that another image names stays, and a child while its index is here", async () => {
  await using world = await openWorld();
  await world.clock.advance(100 * day);
  const one = image(1);
  const [config, layer] = one.blobs;
  const other = { ...image(2), blobs: [config!, layer!] };
  const sharing = image(1, { annotations: { other: "yes" } });
  await cached(world, one, "one", 40);
  await cached(world, { ...sharing, blobs: other.blobs }, "two", 1.5);
  await evicted(world, { unpulledForMs: 30 * day });
  expect(await tags(world)).toEqual(["two"]);
  const shared = await world.registry.metadata.held(at, [
    (JSON.parse(new TextDecoder().decode(one.bytes)) as { layers: [{ digest: string }] }).layers[0]
      .digest,
  ]);
  expect(shared.map(({ as }) => as)).toEqual(["blob"]);
  const child = image(5);
  await cached(world, child, null, 50);
  const index = bytesOf({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [child.descriptor],
  });
  const digest = await putManifest(world, index, "index", at);
  await use(world, digest, 2);
  await cacheTag(world, "index", digest);
  await evicted(world, { unpulledForMs: 30 * day });
  expect(await world.registry.metadata.manifestByDigest(at, child.digest)).not.toBeNull();
  await use(world, digest, 60);
  await evicted(world, { unpulledForMs: 30 * day });
  await evicted(world, { unpulledForMs: 30 * day });
  expect(await world.registry.metadata.manifestByDigest(at, child.digest)).toBeNull();
});

test("what retention keeps by name is not removed, and what was pushed here neither", async () => {
  await using world = await openWorld();
  await world.clock.advance(100 * day);
  await cached(world, image(1), "stable", 40);
  await cached(world, image(2), "nightly", 40);
  await pushImage(world, image(3), "pushed", at);
  const keeps: TagEntry = {
    matches: (tag) => tag === "stable",
    groupOf: (tag) => tag,
    rules: [],
    all: false,
    minimum: 0,
    expiresAfterMs: null,
  };
  const policy = {
    repositories: () => true,
    deleteReferrers: false,
    deleteUntagged: true,
    keepTags: [keeps],
    keepUntagged: null,
    isImmutable: () => false,
    hasImmutable: false,
    protect: [],
    expiresByLabel: false,
    maxDeletePercent: 100,
    ignoresPull: () => false,
  };
  Object.assign(world.registry, {
    retention: { ...world.registry.retention, policies: [policy] },
  });
  await evicted(world, { unpulledForMs: day });
  expect(await tags(world)).toEqual(["pushed", "stable"]);
});

describe("what pushes have named, or are about to name, stays", () => {
  const over = { unpulledForMs: 30 * day };
  const isHere = async ({ registry }: World, digest: Image["digest"]) =>
    (await registry.metadata.manifestByDigest(at, digest)) !== null;

  test("a tag that was pushed for a cached manifest, beside the upstream's tag", async () => {
    await using world = await openWorld();
    await world.clock.advance(100 * day);
    await cached(world, image(1), "upstream", 40);
    await putManifest(world, image(1).bytes, "ours", at);
    await use(world, image(1).digest, 40);
    await evicted(world, over);
    expect(await tags(world)).toEqual(["ours", "upstream"]);
  });

  test("a cached manifest that a pushed signature is about", async () => {
    await using world = await openWorld();
    await world.clock.advance(100 * day);
    await cached(world, image(1), "signed", 40);
    const signature = image(2, { subject: image(1).descriptor });
    await pushImage(world, signature, null, at);
    await evicted(world, over);
    expect(await isHere(world, image(1).digest)).toBe(true);
    await use(world, signature.digest, 40);
    await evicted(world, over);
    expect(await isHere(world, image(1).digest)).toBe(false);
  });

  test("a manifest that an undo brought back", async () => {
    await using world = await openWorld();
    await world.clock.advance(100 * day);
    await cached(world, image(1), "back", 40);
    const { digest } = image(1);
    const until = world.clock.now() + day;
    await world.registry.metadata.commit({
      repository: at,
      preconditions: [],
      changes: [{ kind: "pin", digest, until }],
      by: null,
    });
    await evicted(world, over);
    expect(await tags(world)).toEqual(["back"]);
    await world.clock.advance(2 * day);
    await evicted(world, over);
    expect(await tags(world)).toEqual([]);
  });

  test("a manifest, or a blob, that somebody who pushes was told of", async () => {
    await using world = await openWorld();
    await world.clock.advance(100 * day);
    await cached(world, image(1), "one", 40);
    await cached(world, image(2), "two", 40);
    await world.clock.advance(day);
    const [layer] = image(2).blobs.slice(-1);
    const blob = digestOf("sha256", layer!);
    for (const [digest, as] of [
      [image(1).digest, "manifest"],
      [blob, "blob"],
    ] as const) {
      await world.registry.metadata.commit({
        repository: at,
        preconditions: [],
        changes: [{ kind: "promise", digest, as }],
        by: null,
      });
    }
    await evicted(world, over, 0);
    expect(await tags(world)).toEqual(["one"]);
    expect(await world.registry.metadata.blobRecord(at, blob)).not.toBeNull();
  });

  test("a blob that was pushed again just now", async () => {
    await using world = await openWorld();
    await world.clock.advance(100 * day);
    await cached(world, image(1), "one", 40);
    await world.clock.advance(day);
    const [config] = image(1).blobs;
    const blob = await pushBlob(world, config!, at);
    await evicted(world, over, 0);
    expect(await tags(world)).toEqual([]);
    expect(await world.registry.metadata.blobRecord(at, blob)).not.toBeNull();
  });

  test.each([
    ["a tag of the upstream that is pushed as it is", "upstream", null],
    ["the manifest by its digest", null, null],
    ["a signature of it", null, image(2, { subject: image(1).descriptor })],
  ])("%s, at the moment when it is evicted", async (_what, tag, signature) => {
    await using world = await openWorld();
    await world.clock.advance(100 * day);
    await cached(world, image(1), "upstream", 40);
    const { digest } = image(1);
    let isPushed = false;
    const pushed = watched(world.registry, async ({ by }) => {
      if (by !== mirrorActor || isPushed) return;
      isPushed = true;
      if (signature !== null) {
        await pushImage(world, signature, null, at);
        return;
      }
      await putManifest(world, image(1).bytes, tag ?? digest, at);
      await world.registry.metadata.commit(
        recordCommit(
          mirrors,
          { kind: "own-manifest", repository: at, digest },
          ...(tag === null ? [] : [{ kind: "forget-tag", repository: at, tag } as const]),
        ),
      );
    });
    await evicted(world, over, undefined, pushed);
    expect([isPushed, await tags(world)]).toEqual([true, ["upstream"]]);
  });
});
