// Replicas of one registry as its stores of bytes are: one set of rows, one store of objects that is watched, and a
// directory for each replica.

import { manualClock } from "../../src/lib/clock.ts";
import { MemoryMetadata } from "../../src/metadata/memory/memory_metadata.ts";
import type { Metadata } from "../../src/metadata/metadata.ts";
import { objects } from "../../src/metadata/objects.ts";
import { uploads } from "../../src/metadata/uploads.ts";
import { objectsUnderLock } from "../../src/metadata/sql/objects_under_lock.ts";
import { objectRecords } from "../../src/server/object_records.ts";
import { uploadSessions } from "../../src/server/upload_sessions.ts";
import { openScratch } from "../../src/storage/filesystem/open_scratch.ts";
import { MemoryObjects } from "../../src/storage/objects/memory_objects.ts";
import { openObjects } from "../../src/storage/objects/open_objects.ts";
import type { Stores } from "../../src/storage/stores.ts";
import type { UploadSessions } from "../../src/storage/upload_sessions.ts";
import { memoryDirectory } from "../memory_directory.ts";
import { watchedStore, type WatchedStore } from "./watched_store.ts";

export interface ReplicaStores extends AsyncDisposable {
  readonly replicas: readonly Stores[];
  readonly store: WatchedStore;
  readonly metadata: Metadata;
  /** Of the database. */
  readonly clock: ReturnType<typeof manualClock>;
  /** What is wrong between rows and objects. */
  readonly problems: () => Promise<string[]>;
}

/** `planted` may break what sessions promise. */
export async function openReplicaStores(
  count = 2,
  planted: (sessions: UploadSessions) => UploadSessions = (sessions) => sessions,
): Promise<ReplicaStores> {
  const clock = manualClock(Date.now());
  const directories = await Promise.all(
    Array.from({ length: count }, () => memoryDirectory("zot-replica")),
  );
  const memory = new MemoryMetadata({ clock, bytes: objectsUnderLock });
  const metadata = memory.open({ committer: memory });
  const store = watchedStore(new MemoryObjects({ clock }));
  const replicas: Stores[] = [];
  for (const { path } of directories) {
    const scratch = openScratch({ rootDirectory: path, clock });
    await scratch.prepare();
    const records = objectRecords(() => metadata);
    const sessions = planted(uploadSessions(() => metadata));
    replicas.push(openObjects({ store, records, sessions, clock, scratch, redirectSeconds: null }));
  }
  return {
    replicas,
    store,
    metadata,
    clock,
    problems: () => problemsOf(metadata, store),
    [Symbol.asyncDispose]: async () => {
      for (const each of replicas) await each.close();
      await metadata.close();
      for (const each of directories) await each[Symbol.asyncDispose]();
    },
  };
}

/** Every object has a row; content has its object with its size; and what is neither content nor garbage has a session. */
async function problemsOf(metadata: Metadata, store: WatchedStore): Promise<string[]> {
  const rows = await metadata.records(objects).keys("", 10_000);
  const states = new Map(rows.map(({ key, state }) => [key, state]));
  const listed = new Map(
    (await store.list("objects/", null)).objects.map(({ key, sizeBytes }) => [key, sizeBytes]),
  );
  const found: string[] = [];
  for (const key of listed.keys()) {
    if (!states.has(key)) found.push(`${key} has no row`);
  }
  for (const { key, state, sizeBytes } of rows) {
    if (state !== "content") continue;
    if (listed.get(key) !== sizeBytes) found.push(`${key}: ${listed.get(key)}, not ${sizeBytes}`);
  }
  const sessions = new Set((await metadata.records(uploads).ids()).map(({ id }) => id));
  const named = await metadata.records(objects).names({ repository: "", name: "" }, 10_000);
  for (const { repository, name } of named) {
    if (repository !== ":uploads") continue;
    const id = name.split("/")[0] ?? "";
    if (!sessions.has(id)) found.push(`${name} names an object, and is no session`);
  }
  store.counted();
  return found;
}
