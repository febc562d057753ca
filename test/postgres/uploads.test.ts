// Uploads of replicas over rows of PostgreSQL: the contracts of stores (test/contracts/stores.ts), by machines that share
// the database and the store alone.

import { afterAll, beforeAll, describe } from "bun:test";
import { manualClock } from "../../src/lib/clock.ts";
import { objectsUnderLock } from "../../src/metadata/sql/objects_under_lock.ts";
import { objectRecords } from "../../src/server/object_records.ts";
import { uploadSessions } from "../../src/server/upload_sessions.ts";
import { openScratch } from "../../src/storage/filesystem/open_scratch.ts";
import { MemoryObjects } from "../../src/storage/objects/memory_objects.ts";
import { openObjects } from "../../src/storage/objects/open_objects.ts";
import type { LocalStores } from "../../src/storage/stores.ts";
import { testFinishing } from "../contracts/upload_finishing.ts";
import { testUploads } from "../contracts/upload_store.ts";
import type { OpenEmptyStores } from "../contracts/store_samples.ts";
import { memoryDirectory } from "../memory_directory.ts";
import { requirePostgres, startPostgres, type Postgres } from "../postgres.ts";
import { openPostgresRows } from "../postgres_rows.ts";

describe.skipIf(!requirePostgres())("uploads by rows of PostgreSQL", () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const open: OpenEmptyStores = async () => {
    const directory = await memoryDirectory("zot-shared");
    const moved = manualClock();
    const clock = { ...moved, now: () => Date.now() + moved.now() };
    const store = new MemoryObjects({ clock });
    const { metadata, ...rows } = await openPostgresRows(
      await server.place(),
      clock,
      objectsUnderLock,
    );
    const scratches = [0, 1, 2].map((at) =>
      openScratch({ rootDirectory: `${directory.path}/${at}`, clock }),
    );
    for (const scratch of scratches) await scratch.prepare();
    const openings: { close(): Promise<void> }[] = [];
    const next = (): LocalStores => {
      const opened = openObjects({
        store,
        records: objectRecords(() => metadata),
        sessions: uploadSessions(() => metadata),
        clock,
        scratch: scratches[openings.length]!,
        redirectSeconds: null,
      });
      openings.push(opened);
      // No test of uploads asks for these.
      const none = (): never => {
        throw new Error("bytes are looked at by rows");
      };
      const underLock = { present: none, remove: none, stamp: none, quarantine: none };
      return { ...opened, underLock };
    };
    return {
      stores: next(),
      comparesBytes: false,
      clock,
      another: next,
      elsewhere: null,
      [Symbol.asyncDispose]: async () => {
        for (const each of openings) await each.close();
        await rows[Symbol.asyncDispose]();
        await directory[Symbol.asyncDispose]();
      },
    };
  };

  testUploads(open, false);
  testFinishing(open, true);
});
