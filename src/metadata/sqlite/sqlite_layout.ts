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
import { layoutSql } from "../sql/layout_sql.ts";

/** Rows of a page. */
const pageRowsMax = 1_000;
const busyMs = 5_000;
/** Connections that are kept while nothing is read: snapshots are taken one after the other. */
const idleConnectionsMax = 1;

interface Row {
  readonly id: number;
  readonly name: string;
  readonly upstream: string | null;
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
    const row = found;
    const { generation, origin, upstream } = row;
    return { generation, origin, upstream, pages: () => layoutPages(database, row), close: done };
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
  const { generation, origin, upstream } = found;
  const pages = [...layoutPages(database, found)];
  return { generation, origin, upstream, pages: () => pages, close: () => {} };
}

/** Of a repository that is no mirror nothing is asked beside its rows. */
function* layoutPages(database: Database, layout: Row): Generator<LayoutRecord[]> {
  const isCached = layout.upstream === null ? () => false : cachedIn(database, layout.name);
  const listed = function* (pages: Generator<Listed[]>): Generator<LayoutRecord[]> {
    for (const page of pages) {
      yield page.map((record) => ({ ...record, isCached: isCached(record) }));
    }
  };
  yield* listed(pagesOf(database, layoutSql.tagged, layout.id, ({ tag }) => tag ?? ""));
  yield* listed(pagesOf(database, layoutSql.untagged, layout.id, ({ digest }) => digest));
}

type Listed = Omit<LayoutRecord, "isCached">;

function cachedIn(database: Database, name: string): (record: Listed) => boolean {
  const ofTag = database.query<unknown, [string, string, string]>(layoutSql.isCachedTag);
  const ofManifest = database.query<unknown, [string, string]>(layoutSql.isCachedManifest);
  return ({ tag, digest }) =>
    (tag === null ? ofManifest.get(name, digest) : ofTag.get(name, tag, digest)) !== null;
}

function* pagesOf(
  database: Database,
  sql: string,
  id: number,
  keyOf: (record: Listed) => string,
): Generator<Listed[]> {
  const statement = database.query<Listed, [number, string, number]>(sql);
  for (let after: string | null = ""; after !== null;) {
    const page = statement.all(id, after, pageRowsMax);
    if (page.length > 0) yield page;
    const last = page.length < pageRowsMax ? undefined : page.at(-1);
    after = last === undefined ? null : keyOf(last);
  }
}
