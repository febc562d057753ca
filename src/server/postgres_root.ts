/**
 * The metadata of a registry in a database of PostgreSQL, which several servers share.
 *
 * The root directory is this server's alone: its lock, and uploads on their way. A process has one set of connections,
 * which is closed with the last of those that use it. Nothing that was read is remembered.
 */
import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import { must } from "../lib/assert.ts";
import type { Clock } from "../lib/clock.ts";
import type { Leases } from "../lib/lease.ts";
import type { Log } from "../lib/log.ts";
import { whyUnreadable } from "../lib/why_unreadable.ts";
import type { Metadata } from "../metadata/metadata.ts";
import { objects } from "../metadata/objects.ts";
import { checkPostgres, startProblem } from "../metadata/postgres/check_postgres.ts";
import { migratePostgres } from "../metadata/postgres/migrate_postgres.ts";
import { PostgresConnections } from "../metadata/postgres/postgres_connections.ts";
import { PostgresMetadata } from "../metadata/postgres/postgres_metadata.ts";
import { showPostgresUrl } from "../metadata/postgres/postgres_url.ts";
import { hasRegistry, leasedMs, PostgresRows } from "../metadata/postgres/postgres_rows.ts";
import { PostgresWriter } from "../metadata/postgres/postgres_writer.ts";
import { recordCommit } from "../metadata/records.ts";
import type { RowStore } from "../metadata/rows/row_store.ts";
import type { BytesUnderLock } from "../metadata/sql/bytes_under_lock.ts";
import { storesOf } from "../metadata/sql/record_tables.ts";
import { ownTables } from "../metadata/sqlite/own_tables.ts";
import { metadataFile } from "../storage/layout.ts";
import { claimRoot, makeRoot, type Claim } from "../storage/root_lock.ts";
import { checkRootTrust } from "../storage/root_trust.ts";
import type { MetadataPlace } from "./metadata_place.ts";
import { RecordLeases } from "./record_leases.ts";
import type { MetadataView, Writer, WriterHooks } from "./root.ts";

const stores = storesOf(ownTables);

export class PostgresRoot implements MetadataPlace {
  readonly leases: Leases;
  readonly name: string;
  readonly #config: Config["storage"];
  readonly #options: ConstructorParameters<typeof PostgresConnections>[0];
  #connections: PostgresConnections | null = null;
  #users = 0;
  /** As the writer sees them. */
  #primary: Metadata | null = null;

  /** @throws with one line where a file of the configuration cannot be read. */
  constructor(config: Config["storage"], url: string, clock: Clock) {
    const { ca, passwordFile, schema, connections } = config.metadata;
    this.#config = config;
    this.name = `the database ${showPostgresUrl(url)}`;
    this.leases = new RecordLeases(
      () => must(this.#primary, "the primary opens its writer before its jobs"),
      clock,
    );
    this.#options = {
      url,
      ca: ca === null ? null : authoritiesIn(ca),
      password: passwordFile === null ? null : passwordIn(passwordFile),
      schema,
      connectionsMax: connections,
    };
  }

  make(): readonly string[] {
    const { rootDirectory } = this.#config;
    makeRoot(rootDirectory);
    return checkRootTrust(rootDirectory);
  }

  claim(log: Pick<Log, "warn">): Claim {
    const claim = claimRoot(this.#config.rootDirectory, "alone");
    if (!this.#config.commit) {
      log.warn("storage.commit is false: a push that was acknowledged can be lost");
    }
    return claim;
  }

  reserve(): void {}

  async openWriter({ onBatch }: WriterHooks, bytes: BytesUnderLock): Promise<Writer> {
    const { commit: durable, metadata } = this.#config;
    const connections = this.#use();
    const writer = new PostgresWriter({ connections, stores, bytes, durable, onBatch });
    const close = async (): Promise<void> => {
      await writer.close();
      await this.#leave();
    };
    try {
      await checkPostgres(connections, { durable, schema: metadata.schema });
      await migratePostgres(connections, stores);
      this.#primary = new PostgresMetadata(connections, writer, stores);
      await this.#requireMoved(this.#primary);
    } catch (error) {
      await close();
      throw startProblem(error);
    }
    return {
      committer: writer,
      // No file of this machine holds what was acknowledged.
      lost: new Promise(() => undefined),
      probe: async () => {
        await writer.commit(recordCommit(objects));
      },
      close,
    };
  }

  openMetadata({ committer }: MetadataView): Metadata {
    const metadata = new PostgresMetadata(this.#use(), committer, stores);
    let isOpen = true;
    metadata.close = async () => {
      if (!isOpen) return;
      isOpen = false;
      await this.#leave();
    };
    return metadata;
  }

  async openRows(): Promise<RowStore> {
    const connections = new PostgresConnections(this.#options);
    try {
      if (await hasRegistry(connections)) return new PostgresRows(connections);
      throw new Error(`expected a registry in ${this.name}, found none; serve it once`);
    } catch (error) {
      await connections.close();
      throw startProblem(error);
    }
  }

  /** Servers elsewhere hold leases while they run. */
  async claimToRead(): Promise<Claim> {
    const connections = new PostgresConnections(this.#options);
    try {
      const ms = await leasedMs(connections);
      if (ms === 0) return { release: () => undefined };
      throw new Error(
        `storage.metadata.url: expected ${this.name} to be free, found it served; stop its servers: ` +
          `it is free ${Math.ceil(ms / 1000)} seconds after the last one was killed, or at once when it was stopped`,
      );
    } finally {
      await connections.close();
    }
  }

  /** Metadata that were left behind in the root directory would be missed by everybody. */
  async #requireMoved(metadata: Metadata): Promise<void> {
    const { rootDirectory } = this.#config;
    if (!existsSync(join(rootDirectory, metadataFile))) return;
    if ((await metadata.records(objects).value("registry")) !== null) return;
    throw new Error(
      `storage.metadata.url: expected no metadata in ${rootDirectory} beside an empty database, found some; ` +
        "move them into it, or give another storage.rootDirectory",
    );
  }

  #use(): PostgresConnections {
    this.#users += 1;
    return (this.#connections ??= new PostgresConnections(this.#options));
  }

  async #leave(): Promise<void> {
    this.#users -= 1;
    if (this.#users > 0) return;
    const connections = this.#connections;
    this.#connections = null;
    await connections?.close();
  }
}

/** Read anew for each connection; what it held before counts while it cannot be read. */
function passwordIn(path: string): () => string {
  let last = readOption("passwordFile", path).trimEnd();
  return () => {
    try {
      last = readFileSync(path, "utf8").trimEnd();
    } catch {
      // It is being replaced.
    }
    return last;
  };
}

function authoritiesIn(path: string): string | null {
  const text = readOption("ca", path);
  try {
    // What begins with a certificate that can be read.
    return new X509Certificate(text).raw.length > 0 ? text : null;
  } catch (error) {
    throw new Error(
      `storage.metadata.ca: ${path}: expected certificates of authorities as PEM, got something else`,
      { cause: error },
    );
  }
}

function readOption(option: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Error(
      `storage.metadata.${option}: ${path}: expected a file, got ${whyUnreadable(error)}`,
      { cause: error },
    );
  }
}
