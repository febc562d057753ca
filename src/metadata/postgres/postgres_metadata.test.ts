// The PostgreSQL store passes the contract of metadata stores (test/contracts/metadata.ts), on a real server.

import { afterAll, beforeAll, describe } from "bun:test";
import { metadataContract, type OpenEmptyStore } from "../../../test/contracts/metadata.ts";
import {
  requirePostgres,
  startPostgres,
  type Postgres,
  type PostgresPlace,
} from "../../../test/postgres.ts";
import { must } from "../../lib/assert.ts";
import { tablesWithLayouts } from "../sqlite/own_tables.ts";
import { storesOf } from "../sql/record_tables.ts";
import { migratePostgres } from "./migrate_postgres.ts";
import { PostgresConnections } from "./postgres_connections.ts";
import { PostgresMetadata } from "./postgres_metadata.ts";
import { PostgresWriter } from "./postgres_writer.ts";

/** All rows but those that the steps of the schema write. */
const wipe = `
  SET session_replication_role = replica;
  DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema()
      AND tablename NOT IN ('schema', 'record_stores', 'held_totals', 'usage_totals', 'summary_counters')
    LOOP EXECUTE 'DELETE FROM ' || name; END LOOP;
  END $$;
  UPDATE held_totals SET bytes = 0, items = 0;
  DELETE FROM usage_totals WHERE repository <> 0;
  UPDATE usage_totals SET linked = 0, own = 0, kept = 0, digests = 0, manifests = 0, tags = 0, counted_to = '~';
  UPDATE summary_counters SET value = 0;
  SET session_replication_role = DEFAULT;
`;

describe.skipIf(!requirePostgres())("PostgreSQL", () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => {
    for (const each of used) await each.close();
    await server[Symbol.asyncDispose]();
  });

  /** Places whose tables are made: wiped and used again, since making them takes longer than most tests. */
  const used: PostgresConnections[] = [];
  const places = new Map<PostgresConnections, PostgresPlace>();

  async function connect(): Promise<PostgresConnections> {
    const place = await server.place();
    const connections = new PostgresConnections(place);
    places.set(connections, place);
    return connections;
  }

  const open: OpenEmptyStore = async ({ clock, bytes, records }) => {
    const before = records === undefined ? used.pop() : undefined;
    const stores = storesOf(records ?? tablesWithLayouts);
    const connections = before ?? (await connect());
    if (before === undefined) await migratePostgres(connections, stores);
    else await connections.ask({ text: wipe, values: [], isOwn: true });
    const batches: number[] = [];
    const writer = new PostgresWriter({
      connections,
      stores,
      bytes,
      durable: false,
      clock,
      onBatch: (commits) => void batches.push(commits),
    });
    const opened: PostgresConnections[] = [];
    return {
      metadata: new PostgresMetadata(connections, writer, stores),
      another: () => {
        const others = new PostgresConnections(must(places.get(connections), "it has a place"));
        opened.push(others);
        return new PostgresMetadata(others, writer, stores);
      },
      batches,
      [Symbol.asyncDispose]: async () => {
        await writer.close();
        for (const each of opened) await each.close();
        if (records === undefined) used.push(connections);
        else await connections.close();
      },
    };
  };

  metadataContract("PostgresMetadata", open);
});
