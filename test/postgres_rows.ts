// Metadata in PostgreSQL as tests of what stands beside them open it.

import type { Clock } from "../src/lib/clock.ts";
import type { Metadata } from "../src/metadata/metadata.ts";
import { migratePostgres } from "../src/metadata/postgres/migrate_postgres.ts";
import { PostgresConnections } from "../src/metadata/postgres/postgres_connections.ts";
import { PostgresMetadata } from "../src/metadata/postgres/postgres_metadata.ts";
import { PostgresWriter } from "../src/metadata/postgres/postgres_writer.ts";
import type { BytesUnderLock } from "../src/metadata/sql/bytes_under_lock.ts";
import { ownTables } from "../src/metadata/sqlite/own_tables.ts";
import { storesOf } from "../src/metadata/sql/record_tables.ts";
import { noBytes } from "./contracts/no_bytes.ts";
import type { PostgresPlace } from "./postgres.ts";

export interface PostgresFacts extends AsyncDisposable {
  readonly metadata: Metadata;
}

/** Opens a place as one server does: connections and a writer of its own. */
export async function openPostgresRows(
  place: PostgresPlace,
  clock?: Clock,
  bytes: BytesUnderLock = noBytes,
): Promise<PostgresFacts> {
  const connections = new PostgresConnections(place);
  const stores = storesOf(ownTables);
  await migratePostgres(connections, stores);
  const writer = new PostgresWriter({ connections, stores, bytes, durable: false, clock });
  return {
    metadata: new PostgresMetadata(connections, writer, stores),
    [Symbol.asyncDispose]: async () => {
      await writer.close();
      await connections.close();
    },
  };
}
