// The rules over stores in memory: whole pushes and pulls, mounts and deletes, without any directory.

import { expect, test } from "bun:test";
import { image, pushBlob, pushImage, repository, noUndo } from "../../test/registry/world.ts";
import { sample } from "../../test/contracts/store_samples.ts";
import { manualClock } from "../lib/clock.ts";
import { MemoryMetadata } from "../metadata/memory/memory_metadata.ts";
import { atOnce } from "../metadata/sql/bytes_under_lock.ts";
import { digestOf } from "../oci/digest.ts";
import { openMemory } from "../storage/memory/open_memory.ts";
import { openContent, readContent, requireContent } from "./content.ts";
import { Assured } from "./collection/assured.ts";
import { RoomSeen } from "./history/room_seen.ts";
import { ContentCache } from "./content_cache.ts";
import { removeBlob, removeManifest } from "./delete.ts";
import { mountBlob } from "./mount_blob.ts";
import type { Registry } from "./registry.ts";
import { sweepOrphans } from "./sweep_orphans.ts";
import { Uploads } from "./uploads.ts";

function openRegistry() {
  const clock = manualClock(Date.now());
  const stores = openMemory({ clock });
  const store = new MemoryMetadata({ clock, bytes: atOnce(stores.underLock) });
  const registry: Registry = {
    blobs: stores.blobs,
    layouts: stores.layouts,
    metadata: store.open({ committer: store }),
    uploads: new Uploads(stores.uploads, clock),
    clock,
    contentCache: new ContentCache(),
    assured: new Assured(),
    roomSeen: new RoomSeen(),
    dedupes: () => true,
    mayBeSparse: () => false,
    undo: () => noUndo,
    retention: {
      dryRun: false,
      delayMs: 0,
      gcDelayMs: 0,
      policies: [],
      ignoresPulls: false,
      apart: new Map(),
    },
    origin: null,
    mirroredFrom: () => [],
    quotas: null,
    pushChecks: [],
    sources: [],
    report: () => undefined,
  };
  return { clock, stores, registry };
}

test("an image is pushed, pulled, mounted and deleted; its bytes go, and no others", async () => {
  const { registry } = openRegistry();
  const { blobs, metadata } = registry;
  expect(registry.layouts).toBeNull();
  const app = image(1);
  await pushImage({ registry }, app, "v1");
  await pushImage({ registry }, app, "v1", "team/other");
  const record = await metadata.manifestByTag(repository, "v1");
  expect(record?.digest).toBe(app.digest);
  const manifest = { repository, digest: app.digest, sizeBytes: app.bytes.length };
  expect(Buffer.compare(await readContent(registry, manifest), app.bytes)).toBe(0);

  const large = sample(300_000);
  const digest = await pushBlob({ registry }, large);
  const content = { repository, digest, sizeBytes: large.length };
  await requireContent(registry, content);
  expect(await openContent(registry, content, { first: 7, last: 9 })).toEqual({
    kind: "bytes",
    bytes: large.slice(7, 10),
  });
  const mount = { repository: "team/third", digest, from: repository, by: null };
  expect(await mountBlob(registry, { ...mount, mayRead: () => true })).toBe(true);
  // Stored once for both.
  const stamp = (await blobs.stat(repository, digest))?.stamp ?? "";
  expect((await blobs.stat("team/third", digest))?.stamp).toBe(stamp);

  await removeBlob(registry, { repository, target: digest, by: null });
  await removeManifest(registry, { repository, target: app.digest, tagsMax: null, by: null });
  expect(await metadata.blobRecord(repository, digest)).toBeNull();
  expect(await metadata.manifestByTag(repository, "v1")).toBeNull();
  expect(await sweepOrphans(registry)).toBe(2);
  expect(await metadata.orphans(9)).toEqual([]);
  expect(await blobs.size(repository, digest)).toBeNull();
  expect(await blobs.size(repository, app.digest)).toBeNull();
  expect(await blobs.read("team/third", digest, large.length)).toEqual(large);
  expect(await blobs.size("team/other", app.digest)).toBe(app.bytes.length);
});

test("a damaged copy is mended by the next push of its bytes", async () => {
  const { registry } = openRegistry();
  const bytes = sample(5000);
  const digest = digestOf("sha256", bytes);
  for (const at of [repository, "team/other"]) await pushBlob({ registry }, bytes, at);
  await registry.blobs.put("team/other", digest, sample(5000, 2));
  await pushBlob({ registry }, bytes, "team/other");
  expect(await registry.blobs.read("team/other", digest, 5000)).toEqual(bytes);
});

test("an upload that nobody goes on with expires", async () => {
  const { registry, clock, stores } = openRegistry();
  const id = await registry.uploads.start(repository);
  await clock.advance(3_600_000);
  expect(await registry.uploads.expire(clock.now(), 3_600_000)).toBe(1);
  expect(await registry.uploads.size(repository, id)).toBeNull();
  expect(await stores.uploads.ids()).toEqual([]);
});
