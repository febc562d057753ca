/**
 * The metadata store in the memory of one process: for tests and for embedding.
 *
 * It is the SQLite store on a database without a file, so that only one implementation says what commits mean. What
 * concerns files only (flushes and their batches, other processes, full disks) does not apply to it.
 */
import { Database } from "bun:sqlite";
import type { Clock } from "../../lib/clock.ts";
import type { AnyCommit, BytesUnderLock, CommitOutcome, Metadata } from "../metadata.ts";
import { applyCommit } from "../sqlite/apply_commit.ts";
import type { RecordChange } from "../records.ts";
import { ownTables } from "../sqlite/own_tables.ts";
import { storesOf, type RecordTables } from "../sqlite/record_tables.ts";
import { migrate } from "../sqlite/schema.ts";
import { SqliteMetadata } from "../sqlite/sqlite_metadata.ts";

export interface MemoryMetadataOptions {
  readonly clock: Clock;
  readonly bytes: BytesUnderLock;
  /** Small stores beside the metadata. */
  readonly records?: readonly RecordTables<RecordChange, unknown>[] | undefined;
}

/** An empty store; `close` forgets it. */
export function openMemoryMetadata(options: MemoryMetadataOptions): Metadata {
  const database = new Database(":memory:", { strict: true });
  const { records = ownTables } = options;
  const stores = storesOf(records);
  migrate(database, stores);
  const commit = async (unit: AnyCommit): Promise<CommitOutcome> => {
    const context = { database, bytes: options.bytes, stores, now: options.clock.now() };
    return database.transaction(() => applyCommit(context, unit)).immediate();
  };
  return new SqliteMetadata(database, { commit }, null, null, records);
}
