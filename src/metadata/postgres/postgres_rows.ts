/** Rows of a PostgreSQL store as they are (`../rows/row_store.ts`), over a connection that is held meanwhile. */
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
import type { Ask, PostgresConnections } from "./postgres_connections.ts";
import { postgresSteps } from "./postgres_schema.ts";

/** How long a transaction that has locked all tables may wait for its caller, who reads rows elsewhere. */
const idleMs = 10 * 60_000;

const types: Readonly<Record<string, ColumnType>> = {
  bigint: "integer",
  text: "text",
  bytea: "bytes",
};

const own = {
  columns:
    "SELECT c.relname AS table_name, a.attname AS column_name, format_type(a.atttypid, NULL) AS type, " +
    "a.attidentity <> '' AS is_numbered, " +
    "coalesce(array_position(string_to_array(i.indkey::text, ' ')::int[], a.attnum::int), 0) AS place " +
    "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped " +
    "LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary " +
    "WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace ORDER BY c.relname, a.attnum",
  version: "SELECT version FROM schema",
  records: "SELECT name, version FROM record_stores",
  /** Its caller may be sending layers meanwhile. */
  idleForLong: "SET LOCAL idle_in_transaction_session_timeout = 0",
  idle: `SET LOCAL idle_in_transaction_session_timeout = ${idleMs}`,
} as const;

/** Tables of one row have no place for a last number. */
interface NumberedTable extends RowTable {
  readonly numbered: string | null;
}

export class PostgresRows implements RowStore {
  readonly #connections: PostgresConnections;
  readonly ask: AskRows = async (text, values) =>
    (await this.#connections.ask({ text, values })).rows;

  /** What it is given is closed with it. */
  constructor(connections: PostgresConnections) {
    this.#connections = connections;
  }

  snapshot<T>(work: (snapshot: RowSnapshot) => Promise<T>): Promise<T> {
    return this.#connections.hold(async (ask) => {
      await ask({ text: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", values: [] });
      await ask({ text: own.idleForLong, values: [], isOwn: true });
      const { shape, tables } = await shapeOf(ask);
      const numbers: Record<string, number> = {};
      for (const { name, numbered } of tables) {
        if (numbered !== null) numbers[name] = await lastNumber(ask, name, numbered);
      }
      const asked: AskRows = async (text, values) => (await ask({ text, values })).rows;
      const result = await work({
        shape,
        numbers,
        ask: asked,
        rows: (table) => pagesOf(table, asked),
      });
      await ask({ text: "COMMIT", values: [] });
      return result;
    });
  }

  replace<T>(
    groups: readonly RowGroup[],
    work: (replacement: RowReplacement) => Promise<T>,
  ): Promise<T> {
    return this.#connections.hold(async (ask) => {
      const run = (text: string) => ask({ text, values: [], isOwn: true });
      await run("BEGIN");
      await run(own.idle);
      const { shape, tables } = await shapeOf(ask);
      const emptied = tablesOfGroups(shape, groups).map(({ name }) => quoted(name));
      // Locks them, too: nobody reads a half.
      await run(`TRUNCATE ${emptied.join(", ")}`);
      for (const table of emptied) await run(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
      const result = await work({
        shape,
        write: (table, rows) => write(ask, table, rows),
        reserve: async (numbers) => {
          for (const { name, numbered } of tables) {
            if (numbered === null || !emptied.includes(quoted(name))) continue;
            await reserve(ask, { table: name, column: numbered, number: numbers[name] ?? 0 });
          }
        },
      });
      for (const table of emptied) await run(`ALTER TABLE ${table} ENABLE TRIGGER USER`);
      await ask({ text: "COMMIT", values: [] });
      return result;
    });
  }

  close(): Promise<void> {
    return this.#connections.close();
  }
}

const found = {
  tables: "SELECT to_regclass('record_stores')::text AS name",
  leases:
    "SELECT name, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS now, until " +
    "FROM leases WHERE holder IS NOT NULL ORDER BY until DESC LIMIT 1",
} as const;

/** Whether a registry has ever been served from here. */
export async function hasRegistry(connections: PostgresConnections): Promise<boolean> {
  const { rows } = await connections.ask({ text: found.tables, values: [], isOwn: true });
  return (rows[0]?.["name"] ?? null) !== null;
}

/** How long the longest lease of a server lasts still; 0 where none has one. */
export async function leasedMs(connections: PostgresConnections): Promise<number> {
  const { rows } = await connections.ask({ text: found.leases, values: [], isOwn: true });
  const [row] = rows;
  return row === undefined ? 0 : Math.max(0, Number(row["until"]) - Number(row["now"]));
}

async function shapeOf(ask: Ask): Promise<{ shape: RowShape; tables: readonly NumberedTable[] }> {
  const run = async (text: string) => (await ask({ text, values: [], isOwn: true })).rows;
  const byTable = Map.groupBy(await run(own.columns), (row) => String(row["table_name"]));
  const tables: NumberedTable[] = [];
  for (const [name, rows] of byTable) {
    // It tells of the database itself, with types of its own.
    if (name === "schema") continue;
    const columns = rows.map((row): Column => {
      const type = must(types[String(row["type"])], `a type: ${String(row["type"])}`);
      return { name: String(row["column_name"]), type };
    });
    const key = rows
      .filter((row) => Number(row["place"]) > 0)
      .toSorted((one, other) => Number(one["place"]) - Number(other["place"]))
      .map((row) => String(row["column_name"]));
    const numbered = rows.find((row) => Number(row["is_numbered"]) === 1)?.["column_name"] ?? null;
    tables.push({ name, columns, key, numbered: numbered === null ? null : String(numbered) });
  }
  const version = Number((await run(own.version))[0]?.["version"]);
  const step = must(
    postgresSteps.find((each) => each.version === version),
    "a known version",
  );
  const records = await run(own.records);
  const shape = {
    factsVersion: step.factsVersion,
    recordVersions: Object.fromEntries(
      records.map((row) => [String(row["name"]), Number(row["version"])]),
    ),
    tables: inOrder(tables),
  };
  return { shape, tables };
}

async function lastNumber(ask: Ask, table: string, column: string): Promise<number> {
  const { rows } = await ask({
    text: "SELECT pg_sequence_last_value(pg_get_serial_sequence(?1, ?2)::regclass) AS last",
    values: [quoted(table), column],
  });
  return Number(rows[0]?.["last"] ?? 0);
}

/** Neither a number below `number` nor one that a row has is given out. */
async function reserve(
  ask: Ask,
  { table, column, number }: { table: string; column: string; number: number },
): Promise<void> {
  const { rows } = await ask({
    text: `SELECT coalesce(max(${quoted(column)}), 0) AS last FROM ${quoted(table)}`,
    values: [],
    isOwn: true,
  });
  const last = Math.max(number, Number(rows[0]?.["last"] ?? 0));
  if (last < 1) return;
  await ask({
    text: "SELECT setval(pg_get_serial_sequence(?1, ?2)::regclass, ?3)",
    values: [quoted(table), column, last],
  });
}

const castOf: Readonly<Record<ColumnType, (value: string) => string>> = {
  integer: (value) => `CAST(${value} AS bigint)`,
  text: (value) => value,
  bytes: (value) => `decode(${value}, 'hex')`,
};

/** A page is one statement: a list of lists, in which bytes are hex. */
async function write(ask: Ask, { name, columns }: RowTable, rows: Rows): Promise<void> {
  const names = columns.map((column) => quoted(column.name)).join(", ");
  const values = columns.map(({ type }, index) => castOf[type](`given ->> ${index}`)).join(", ");
  await ask({
    text: `INSERT INTO ${quoted(name)} (${names}) SELECT ${values} FROM jsonb_array_elements($1::text::jsonb) AS list(given)`,
    values: [JSON.stringify(rows.map((row) => row.map(hexOf)))],
    isOwn: true,
  });
}

function hexOf(value: Value): string | number | null {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}
