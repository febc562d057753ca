/**
 * Snapshots of what a repository's index.json must list, read page by page over a connection of its own.
 *
 * A repository may have 100,000 tags: reading them must not hold up other reads of this process, and no more than a
 * page is in memory. Later commits do not change the snapshot. The connection is kept for the next one: opening it reads
 * the whole schema, which costs more than most snapshots.
 */
import type { Database } from "bun:sqlite";
import { Connection } from "./connection.ts";
import type { LayoutRecord, LayoutSnapshot } from "../metadata.ts";

/** Rows of a page. */
const pageRowsMax = 1_000;
const busyMs = 5_000;
/** Connections that are kept while nothing is read: snapshots are taken one after the other. */
const idleConnectionsMax = 1;

const columns = "m.digest AS digest, m.media_type AS mediaType, m.size AS sizeBytes";

/** Every statement, for the test of their query plans. */
export const layoutSql = {
  layout: "SELECT id, generation, origin FROM repositories WHERE name = ?1 AND removed_at IS NULL",
  tagged:
    `SELECT t.name AS tag, ${columns} FROM tags t ` +
    "JOIN manifests m ON m.repository = t.repository AND m.digest = t.digest " +
    "WHERE t.repository = ?1 AND t.name > ?2 ORDER BY t.name LIMIT ?3",
  untagged:
    `SELECT NULL AS tag, ${columns} FROM manifests m WHERE m.repository = ?1 AND m.digest > ?2 ` +
    "AND NOT EXISTS (SELECT 1 FROM tags t WHERE t.repository = m.repository AND t.digest = m.digest) " +
    "ORDER BY m.digest LIMIT ?3",
} as const;

interface Row {
  readonly id: number;
  readonly generation: number;
  readonly origin: string;
}

export class LayoutSnapshots {
  readonly #path: string;
  readonly #idle: Connection[] = [];
  #isClosed = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Null when the repository is not there. */
  open(repository: string): LayoutSnapshot | null {
    const database = this.#idle.pop() ?? connect(this.#path);
    let found: Row | null = null;
    try {
      database.run("BEGIN");
      found = database.query<Row, [string]>(layoutSql.layout).get(repository);
    } catch (error) {
      database.close();
      throw error;
    }
    const done = once(() => this.#keep(database));
    if (found === null) {
      done();
      return null;
    }
    const { id, generation, origin } = found;
    return { generation, origin, pages: () => layoutPages(database, id), close: done };
  }

  /** Snapshots that are open are read to their end. */
  close(): void {
    this.#isClosed = true;
    for (const database of this.#idle.splice(0)) database.close();
  }

  #keep(database: Connection): void {
    const isKept = !this.#isClosed && this.#idle.length < idleConnectionsMax;
    // A failed read has ended the transaction.
    if (!isKept || !database.inTransaction) return database.close();
    database.run("ROLLBACK");
    this.#idle.push(database);
  }
}

function connect(path: string): Connection {
  const database = new Connection(path, { readonly: true, strict: true });
  database.run(`PRAGMA busy_timeout = ${busyMs}`);
  return database;
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}

/** The same of a database without a file: its one connection cannot stand still, so all of it is read at once. */
export function copyLayout(database: Database, repository: string): LayoutSnapshot | null {
  const found = database.query<Row, [string]>(layoutSql.layout).get(repository);
  if (found === null) return null;
  const { id, generation, origin } = found;
  const pages = [...layoutPages(database, id)];
  return { generation, origin, pages: () => pages, close: () => {} };
}

function* layoutPages(database: Database, id: number): Generator<LayoutRecord[]> {
  yield* pagesOf(database, layoutSql.tagged, id, ({ tag }) => tag ?? "");
  yield* pagesOf(database, layoutSql.untagged, id, ({ digest }) => digest);
}

function* pagesOf(
  database: Database,
  sql: string,
  id: number,
  keyOf: (record: LayoutRecord) => string,
): Generator<LayoutRecord[]> {
  const statement = database.query<LayoutRecord, [number, string, number]>(sql);
  for (let after: string | null = ""; after !== null;) {
    const page = statement.all(id, after, pageRowsMax);
    if (page.length > 0) yield page;
    const last = page.length < pageRowsMax ? undefined : page.at(-1);
    after = last === undefined ? null : keyOf(last);
  }
}
