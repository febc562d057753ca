// Stores on objects for tests: objects in memory, metadata in memory, and a scratch directory.

import type { Clock } from "../../src/lib/clock.ts";
import { MemoryMetadata } from "../../src/metadata/memory/memory_metadata.ts";
import type { Metadata } from "../../src/metadata/metadata.ts";
import { objectsUnderLock } from "../../src/metadata/sql/objects_under_lock.ts";
import { objectRecords } from "../../src/server/object_records.ts";
import { openScratch } from "../../src/storage/filesystem/open_scratch.ts";
import { openObjects } from "../../src/storage/objects/open_objects.ts";
import type { ObjectStore } from "../../src/storage/objects/object_store.ts";
import type { LocalStores, SynchronousBytes } from "../../src/storage/stores.ts";

export interface OpenedObjects {
  readonly metadata: Metadata;
  /** As a process opens them; another opening each time. */
  readonly open: (redirectSeconds?: number) => LocalStores & { prepare(): Promise<void> };
}

export function objectsIn(rootDirectory: string, store: ObjectStore, clock: Clock): OpenedObjects {
  const memory = new MemoryMetadata({ clock, bytes: objectsUnderLock });
  const { present, remove, stamp, quarantine } = objectsUnderLock;
  const underLock: SynchronousBytes = {
    present: (...given) => memory.decide((work) => present(work, ...given)),
    remove: (...given) => void memory.decide((work) => remove(work, ...given)),
    stamp: (...given) => memory.decide((work) => stamp(work, ...given)),
    quarantine: (...given) => memory.decide((work) => quarantine(work, ...given)),
  };
  const metadata = memory.open({ committer: memory });
  const records = objectRecords(() => metadata);
  return {
    metadata,
    open: (redirectSeconds) => {
      const scratch = openScratch({ rootDirectory, clock });
      return {
        ...openObjects({
          store,
          records,
          clock,
          scratch,
          redirectSeconds: redirectSeconds ?? null,
        }),
        underLock,
        prepare: () => scratch.prepare(),
      };
    },
  };
}
