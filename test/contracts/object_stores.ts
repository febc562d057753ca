// Stores on objects for tests: objects in memory, metadata in memory, and a scratch directory.

import type { Clock } from "../../src/lib/clock.ts";
import { MemoryMetadata } from "../../src/metadata/memory/memory_metadata.ts";
import type { Metadata } from "../../src/metadata/metadata.ts";
import { objectsUnderLock } from "../../src/metadata/sql/objects_under_lock.ts";
import { objectRecords } from "../../src/server/object_records.ts";
import { uploadSessions } from "../../src/server/upload_sessions.ts";
import { openScratch } from "../../src/storage/filesystem/open_scratch.ts";
import { openObjects } from "../../src/storage/objects/open_objects.ts";
import type { ObjectStore } from "../../src/storage/objects/object_store.ts";
import type { LocalStores, SynchronousBytes } from "../../src/storage/stores.ts";

export type OpenedStores = LocalStores & { prepare(): Promise<void> };

export interface OpenedObjects {
  readonly metadata: Metadata;
  /** As a process opens them; another opening each time. */
  readonly open: (redirectSeconds?: number) => OpenedStores;
  /** As a process of another machine, which has a directory of its own. */
  readonly openAt: (directory: string) => OpenedStores;
}

/** With `isShared` uploads are those of replicas. */
export function objectsIn(
  rootDirectory: string,
  store: ObjectStore,
  clock: Clock,
  { isShared = false } = {},
): OpenedObjects {
  const memory = new MemoryMetadata({ clock, bytes: objectsUnderLock });
  const underLock: SynchronousBytes = {
    present: (...given) => memory.decide((work) => objectsUnderLock.present(work, ...given)),
    remove: (...given) => void memory.decide((work) => objectsUnderLock.remove(work, ...given)),
    stamp: (...given) => memory.decide((work) => objectsUnderLock.stamp(work, ...given)),
    quarantine: (...given) => memory.decide((work) => objectsUnderLock.quarantine(work, ...given)),
  };
  const metadata = memory.open({ committer: memory });
  const records = objectRecords(() => metadata);
  const openAt = (directory: string, redirectSeconds: number | null): OpenedStores => {
    const scratch = openScratch({ rootDirectory: directory, clock });
    return {
      ...openObjects({
        store,
        records,
        clock,
        scratch,
        sessions: isShared ? uploadSessions(() => metadata) : null,
        redirectSeconds,
      }),
      underLock,
      prepare: () => scratch.prepare(),
    };
  };
  return {
    metadata,
    open: (redirectSeconds) => openAt(rootDirectory, redirectSeconds ?? null),
    openAt: (directory) => openAt(directory, null),
  };
}
