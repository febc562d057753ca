/**
 * A snapshot of what one repository's index.json must list, read page by page over a connection of its own.
 *
 * A repository may have 100,000 tags: reading them must not hold up other reads of this process, and no more than a
 * page is in memory. Later commits do not change the snapshot.
 */
import type { Database } from "bun:sqlite";
import { Connection } from "./connection.ts";
import type { LayoutRecord, LayoutSnapshot } from "../metadata.ts";

/** Rows of a page. */
const pageRowsMax = 1_000;
const busyMs = 5_000;

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

/** Null when the repository is not there. */
export function openLayout(path: string, repository: string): LayoutSnapshot | null {
  const database = new Connection(path, { readonly: true, strict: true });
  let found: Row | null = null;
  try {
    database.run(`PRAGMA busy_timeout = ${busyMs}`);
    database.run("BEGIN");
    found = database.query<Row, [string]>(layoutSql.layout).get(repository);
  } finally {
    if (found === null) database.close();
  }
  if (found === null) return null;
  const { id, generation, origin } = found;
  return {
    generation,
    origin,
    pages: () => layoutPages(database, id),
    close: () => database.close(),
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
