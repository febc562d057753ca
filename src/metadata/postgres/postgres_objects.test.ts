// Bytes in a store of objects, as commits of PostgreSQL look at them: by their rows, in the same transaction.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { change, commitOf, digest, repository } from "../../../test/contracts/metadata_facts.ts";
import { requirePostgres, startPostgres, type Postgres } from "../../../test/postgres.ts";
import { manualClock } from "../../lib/clock.ts";
import type { Change, Precondition } from "../metadata.ts";
import { objects, type ObjectChange } from "../objects.ts";
import { recordCommit } from "../records.ts";
import { objectsUnderLock } from "../sql/objects_under_lock.ts";
import { storesOf } from "../sql/record_tables.ts";
import { ownTables } from "../sqlite/own_tables.ts";
import { migratePostgres } from "./migrate_postgres.ts";
import { PostgresConnections } from "./postgres_connections.ts";
import { PostgresMetadata } from "./postgres_metadata.ts";
import { PostgresWriter } from "./postgres_writer.ts";

describe.skipIf(!requirePostgres())("objects under the lock of PostgreSQL", () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  async function open() {
    const connections = new PostgresConnections(await server.place());
    const stores = storesOf(ownTables);
    await migratePostgres(connections, stores);
    const clock = manualClock(Date.UTC(2026, 0, 1));
    const bytes = objectsUnderLock;
    const writer = new PostgresWriter({ connections, stores, bytes, durable: false, clock });
    const metadata = new PostgresMetadata(connections, writer, stores);
    return {
      metadata,
      reads: metadata.records(objects),
      wrote: (...changes: ObjectChange[]) => metadata.commit(recordCommit(objects, ...changes)),
      did: (changes: readonly Change[], preconditions: readonly Precondition[] = []) =>
        metadata.commit(commitOf(changes, { preconditions })),
      at: (name: string, of = repository) => ({ repository: of, name }),
      [Symbol.asyncDispose]: async () => {
        await writer.close();
        await connections.close();
      },
    };
  }

  const layer = digest("layer");
  const present: Precondition = { kind: "bytes-present", digest: layer };

  test("content is there with its name, and its key is garbage with the last one", async () => {
    await using opened = await open();
    const { metadata, reads, wrote, did, at } = opened;
    expect((await did([change.link("layer")], [present])).committed).toBe(false);
    await wrote({ kind: "reserve", keys: ["k1"], store: "" });
    await wrote({ kind: "name", key: "k1", sizeBytes: 5, to: at(layer) });
    expect((await did([change.link("layer")], [present])).committed).toBe(true);
    await did([{ kind: "unlink-blob", digest: layer }]);
    expect(await metadata.orphans(9)).toEqual([{ repository, digest: layer }]);
    await did([{ kind: "sweep-orphan", digest: layer }]);
    expect(await reads.find(at(layer))).toBeNull();
    expect(await reads.garbage("", Date.UTC(2027, 0, 1), null, 9)).toMatchObject([
      { key: "k1", upload: null },
    ]);
  });

  test("damaged objects of several repositories keep a place of their own each", async () => {
    await using opened = await open();
    const { metadata, reads, wrote, at } = opened;
    const of = ["a", "b", "c"];
    for (const name of of) {
      const key = `key-${name}`;
      await wrote(
        { kind: "reserve", keys: [key], store: "" },
        { kind: "name", key, sizeBytes: 5, to: at(layer, name) },
      );
      const mark = { kind: "mark-damaged", how: "wrong", digest: layer, sizeBytes: 5 } as const;
      await metadata.commit({
        ...commitOf([change.link("layer"), { ...mark, stamp: key }]),
        repository: name,
      });
    }
    // At once, so that they share a transaction.
    const moved = of.map((name) =>
      metadata.commit({ ...commitOf([{ kind: "quarantine", digest: layer }]), repository: name }),
    );
    expect((await Promise.all(moved)).every(({ committed }) => committed)).toBe(true);
    expect(await reads.inQuarantine("")).toHaveLength(3);
    expect(await reads.garbage("", Date.UTC(2027, 0, 1), null, 9)).toEqual([]);
    for (const name of of) expect(await reads.find(at(layer, name))).toBeNull();
  });
});
