// The rules over a store of objects, as one of several processes opens them: metadata in a root directory, content in a
// store that all of them reach.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../src/lib/clock.ts";
import { objectsUnderLock } from "../../src/metadata/sql/objects_under_lock.ts";
import { SqliteMetadata } from "../../src/metadata/sqlite/sqlite_metadata.ts";
import { SqliteWriter } from "../../src/metadata/sqlite/sqlite_writer.ts";
import { Assured } from "../../src/registry/collection/assured.ts";
import { ContentCache } from "../../src/registry/content_cache.ts";
import { RoomSeen } from "../../src/registry/history/room_seen.ts";
import type { Registry } from "../../src/registry/registry.ts";
import { Uploads } from "../../src/registry/uploads.ts";
import { objectRecords } from "../../src/server/object_records.ts";
import { openScratch } from "../../src/storage/filesystem/open_scratch.ts";
import { metadataFile, ownDirectory } from "../../src/storage/layout.ts";
import type { ObjectStore } from "../../src/storage/objects/object_store.ts";
import { openObjects } from "../../src/storage/objects/open_objects.ts";
import { noUndo } from "../registry/world.ts";

export async function openObjectRoot(
  root: string,
  store: ObjectStore,
  { clock, undo = () => noUndo }: { readonly clock: Clock; readonly undo?: Registry["undo"] },
) {
  await mkdir(join(root, ownDirectory), { recursive: true });
  const path = join(root, metadataFile);
  const writer = new SqliteWriter({
    path,
    durable: false,
    clock,
    bytes: objectsUnderLock,
  });
  const metadata = new SqliteMetadata(path, writer);
  const scratch = openScratch({ rootDirectory: root, clock });
  await scratch.prepare();
  const records = objectRecords(() => metadata);
  const stores = openObjects({
    store,
    records,
    clock,
    scratch,
    sessions: null,
    redirectSeconds: null,
  });
  const registry: Registry = {
    blobs: stores.blobs,
    layouts: null,
    metadata,
    uploads: new Uploads(stores.uploads, clock),
    clock,
    contentCache: new ContentCache(),
    assured: new Assured(),
    roomSeen: new RoomSeen(),
    origin: null,
    quotas: null,
    pushChecks: [],
    sources: [],
    dedupes: () => true,
    mirroredFrom: () => [],
    mayBeSparse: () => false,
    undo,
    retention: {
      dryRun: false,
      delayMs: 0,
      gcDelayMs: 0,
      policies: [],
      ignoresPulls: false,
      apart: new Map(),
    },
    report: () => {},
  };
  const close = async (): Promise<void> => {
    await metadata.close();
    await writer.close();
    await stores.close();
    await store.close();
  };
  return { registry, stores, close };
}
