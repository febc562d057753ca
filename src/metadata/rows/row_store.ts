/**
 * The rows of a metadata store as they are, table by table: for copies of a whole registry, from one database to another
 * or into a file. Rules are shared by all databases (`../sql/`), so rows mean the same in each.
 *
 * Reading sees one moment. Writing replaces all rows of the tables that are named, at once or not at all, and no trigger
 * runs: totals are rows, too.
 */
import { must } from "../../lib/assert.ts";
import type { Value } from "../sql/statements.ts";

export type ColumnType = "integer" | "text" | "bytes";

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
}

export interface RowTable {
  readonly name: string;
  /** In the order in which values of a row stand. */
  readonly columns: readonly Column[];
  /** Names of the columns of the primary key; empty for a table that has one row. */
  readonly key: readonly string[];
}

/** What a table is about. */
export type RowGroup =
  /** What the registry knows: goes wherever the registry goes. */
  | "facts"
  /** Where its bytes lie: means nothing where they lie elsewhere. */
  | "bytes"
  /** What was seen of its bytes, or made from them: can be seen and made again. */
  | "derived"
  /** Of this database alone, or of what is under way. */
  | "own";

/** THE table of tables that are not facts. */
const groups: readonly (readonly [fits: RegExp, group: RowGroup])[] = [
  [/^(objects|uploads)(_\w+)?$/, "bytes"],
  [/^(layouts|orphans|collection_strays|scrub_checks|comparisons_\w+)$/, "derived"],
  [/^(schema|record_stores|commits|leases|moves)$/, "own"],
];

export function groupOf(table: string): RowGroup {
  return groups.find(([fits]) => fits.test(table))?.[1] ?? "facts";
}

/** What rows are there, and what they mean. */
export interface RowShape {
  /** Of the metadata's tables, as SQLite counts them (`../sqlite/schema.ts`). */
  readonly factsVersion: number;
  /** Of each store of records, by its name. */
  readonly recordVersions: Readonly<Record<string, number>>;
  /** In an order in which they can be written. */
  readonly tables: readonly RowTable[];
}

export type Rows = readonly (readonly Value[])[];

/** Asks rows by a text of `../sql/`, with variables `?1` and so on. */
export type AskRows = (
  text: string,
  values: readonly Value[],
) => Promise<readonly Readonly<Record<string, unknown>>[]>;

export interface RowSnapshot {
  readonly shape: RowShape;
  /** Of its moment. */
  readonly ask: AskRows;
  /** The last number that was given out in a table whose numbers are never used again, by the table's name. */
  readonly numbers: Readonly<Record<string, number>>;
  /** In the order of the key, some at a time. */
  rows(table: RowTable): AsyncIterable<Rows>;
}

export interface RowReplacement {
  readonly shape: RowShape;
  /** Columns in the order of the table that is given. */
  write(table: RowTable, rows: Rows): Promise<void>;
  /** Numbers up to these are not given out again. */
  reserve(numbers: Readonly<Record<string, number>>): Promise<void>;
}

export interface RowStore {
  /** Of the moment of each call: nobody waits for a reader who takes long. */
  readonly ask: AskRows;
  snapshot<T>(work: (snapshot: RowSnapshot) => Promise<T>): Promise<T>;
  /**
   * Empties the tables of these groups, and hands them to `work`. With its end all of it is there; where it fails, nothing
   * has changed.
   */
  replace<T>(
    groups: readonly RowGroup[],
    work: (replacement: RowReplacement) => Promise<T>,
  ): Promise<T>;
  close(): Promise<void>;
}

/** Rows that are read and written at a time; fewer where they may be large. */
const pageRowsMax = 500;
const largePageRowsMax = 64;

export function pageRowsOf({ columns }: RowTable): number {
  return columns.some(({ type }) => type === "bytes") ? largePageRowsMax : pageRowsMax;
}

/** Repositories come first, which others name; then by name. */
export function inOrder(tables: readonly RowTable[]): RowTable[] {
  const rank = ({ name }: RowTable): string => (name === "repositories" ? "" : name);
  return tables.toSorted((one, other) => (rank(one) < rank(other) ? -1 : 1));
}

/** Those of some groups. */
export function tablesOfGroups({ tables }: RowShape, wanted: readonly RowGroup[]): RowTable[] {
  return tables.filter(({ name }) => wanted.includes(groupOf(name)));
}

/**
 * Why rows of one shape cannot be written where there is another one; null where they can.
 */
export function shapeProblem(
  from: RowShape,
  to: RowShape,
  wanted: readonly RowGroup[],
): string | null {
  if (from.factsVersion !== to.factsVersion) {
    return `expected version ${to.factsVersion} of the metadata, found ${from.factsVersion}`;
  }
  for (const [store, version] of Object.entries(from.recordVersions)) {
    const own = to.recordVersions[store];
    // Layouts are no matter of every database; a store whose tables are missing is found by them.
    if (own !== undefined && own !== version) {
      return `expected version ${own} of ${store}, found ${version}`;
    }
  }
  for (const table of tablesOfGroups(from, wanted)) {
    const own = to.tables.find(({ name }) => name === table.name);
    if (own === undefined) return `expected no table ${table.name}, found one`;
    if (described(own) !== described(table)) {
      return `expected the columns ${described(own)} in ${table.name}, found ${described(table)}`;
    }
  }
  return null;
}

function described({ columns }: RowTable): string {
  return columns
    .map(({ name, type }) => `${name} ${type}`)
    .toSorted()
    .join(", ");
}

/** Reads a table page by page by its key. */
export async function* pagesOf(table: RowTable, ask: AskRows): AsyncIterable<Rows> {
  const { name, columns, key } = table;
  const limit = pageRowsOf(table);
  const select = `SELECT ${columns.map((column) => quoted(column.name)).join(", ")} FROM ${quoted(name)}`;
  if (key.length === 0) {
    const rows = await ask(select, []);
    if (rows.length > 0)
      yield rows.map((row) => columns.map((column) => row[column.name] as Value));
    return;
  }
  const keys = key.map(quoted).join(", ");
  const places = key.map((column) => columns.findIndex((each) => each.name === column));
  for (let after: readonly Value[] | null = null; ;) {
    const from: string =
      after === null
        ? ""
        : ` WHERE (${keys}) > (${key.map((_, index) => `?${index + 1}`).join(", ")})`;
    const found = await ask(`${select}${from} ORDER BY ${keys} LIMIT ${limit}`, after ?? []);
    const rows = found.map((row) => columns.map((column) => row[column.name] as Value));
    if (rows.length > 0) yield rows;
    if (rows.length < limit) return;
    const last = must(rows.at(-1), "there are rows");
    after = places.map((place) => must(last[place] ?? null, "a key has no null"));
  }
}

/** As the name of a table or column in SQL. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
