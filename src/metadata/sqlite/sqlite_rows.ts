/** Rows of a SQLite store as they are (`../rows/row_store.ts`), over a connection of its own. */
import type { Database } from "bun:sqlite";
import { must } from "../../lib/assert.ts";
import {
  inOrder,
  pagesOf,
  quoted,
  tablesOfGroups,
  type AskRows,
  type Column,
  type ColumnType,
  type RowGroup,
  type RowReplacement,
  type Rows,
  type RowShape,
  type RowSnapshot,
  type RowStore,
  type RowTable,
} from "../rows/row_store.ts";
import type { Value } from "../sql/statements.ts";
import { Connection } from "./connection.ts";
import { schemaVersion } from "./schema.ts";

const busyMs = 10_000;

const types: Readonly<Record<string, ColumnType>> = {
  INTEGER: "integer",
  TEXT: "text",
  BLOB: "bytes",
};

export class SqliteRows implements RowStore {
  readonly #database: Database;
  readonly ask: AskRows = async (text, values) =>
    this.#database.query<Record<string, Value>, Value[]>(text).all(...values);

  /** A database that is there. It is written only where that was asked for. */
  constructor(path: string, { readonly }: { readonly readonly: boolean }) {
    this.#database = new Connection(
      path,
      readonly ? { readonly, strict: true } : { readwrite: true, create: false, strict: true },
    );
    this.#database.run(`PRAGMA busy_timeout = ${busyMs}`);
  }

  async snapshot<T>(work: (snapshot: RowSnapshot) => Promise<T>): Promise<T> {
    const database = this.#database;
    database.run("BEGIN");
    try {
      return await work({
        shape: shapeOf(database),
        numbers: numbersOf(database),
        ask: this.ask,
        rows: (table) => pagesOf(table, this.ask),
      });
    } finally {
      database.run("COMMIT");
    }
  }

  async replace<T>(
    groups: readonly RowGroup[],
    work: (replacement: RowReplacement) => Promise<T>,
  ): Promise<T> {
    const database = this.#database;
    database.run("BEGIN IMMEDIATE");
    try {
      const shape = shapeOf(database);
      // Dropped and made again in this transaction: SQLite has no other way to keep them from running.
      const triggers = database
        .query<{ name: string; sql: string }, []>(
          "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'",
        )
        .all();
      for (const { name } of triggers) database.run(`DROP TRIGGER ${quoted(name)}`);
      for (const { name } of tablesOfGroups(shape, groups))
        database.run(`DELETE FROM ${quoted(name)}`);
      const result = await work({
        shape,
        write: async (table, rows) => write(database, table, rows),
        reserve: async (numbers) => reserve(database, numbers),
      });
      renewLayouts(database);
      for (const { sql } of triggers) database.run(sql);
      database.run("COMMIT");
      return result;
    } catch (error) {
      database.run("ROLLBACK");
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#database.close();
  }
}

function shapeOf(database: Database): RowShape {
  const tables = database
    .query<{ name: string }, []>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND (name < 'sqlite_' OR name >= 'sqlite`')",
    )
    .all();
  const versions = database
    .query<{ name: string; version: number }, []>("SELECT name, version FROM record_stores")
    .all();
  return {
    factsVersion: schemaVersion(database),
    recordVersions: Object.fromEntries(versions.map(({ name, version }) => [name, version])),
    tables: inOrder(tables.map(({ name }) => tableOf(database, name))),
  };
}

function tableOf(database: Database, name: string): RowTable {
  const found = database
    .query<{ name: string; type: string; pk: number }, [string]>(
      "SELECT name, type, pk FROM pragma_table_info(?)",
    )
    .all(name);
  const columns = found.map((each): Column => ({
    name: each.name,
    type: must(types[each.type], `a type: ${each.type}`),
  }));
  const key = found
    .filter(({ pk }) => pk > 0)
    .toSorted((one, other) => one.pk - other.pk)
    .map((each) => each.name);
  return { name, columns, key };
}

function numbersOf(database: Database): Record<string, number> {
  const found = database
    .query<{ name: string; seq: number }, []>("SELECT name, seq FROM sqlite_sequence")
    .all();
  return Object.fromEntries(found.map(({ name, seq }) => [name, seq]));
}

function write(database: Database, { name, columns }: RowTable, rows: Rows): void {
  const names = columns.map((column) => quoted(column.name)).join(", ");
  const variables = columns.map(() => "?").join(", ");
  const insert = database.query<unknown, Value[]>(
    `INSERT INTO ${quoted(name)} (${names}) VALUES (${variables})`,
  );
  for (const row of rows) insert.run(...row);
}

/** Tables whose numbers may be used again have no row there. */
function reserve(database: Database, numbers: Readonly<Record<string, number>>): void {
  const isNumbered = database.query<unknown, [string]>(
    "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ? AND instr(sql, ' AUTOINCREMENT') > 0",
  );
  for (const [table, number] of Object.entries(numbers)) {
    if (isNumbered.get(table) === null) continue;
    const known = numbersOf(database)[table];
    if (known === undefined) {
      database.run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [table, number]);
    } else if (known < number) {
      database.run("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", [number, table]);
    }
  }
}

/** As its triggers would have it: a layout of which nothing is known is to be written. */
function renewLayouts(database: Database): void {
  const has = database
    .query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'layouts'")
    .get();
  if (has === null) return;
  database.run(
    "INSERT OR IGNORE INTO layouts (repository, stale_since) " +
      "SELECT id, CASE WHEN removed_at IS NULL THEN changed_at END FROM repositories",
  );
}
