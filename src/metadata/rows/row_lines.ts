/**
 * Rows of a registry as lines of JSON, for a file that outlives its database.
 *
 * The first line is the head: versions, tables with their columns, numbers that were given out. Then each table in turn:
 * a line that names it, and a line for each row, with its values in the order of the columns and bytes as
 * `{"hex": "…"}`. The last line counts the rows of each table, so that what was cut off is known by its want.
 */
import { must } from "../../lib/assert.ts";
import type { Value } from "../sql/statements.ts";
import {
  pageRowsOf,
  tablesOfGroups,
  type RowGroup,
  type Rows,
  type RowShape,
  type RowSnapshot,
  type RowTable,
} from "./row_store.ts";

/** Of the form of these lines. */
const linesVersion = 1;

interface Head {
  readonly zot: "rows";
  readonly version: number;
  readonly shape: RowShape;
  readonly numbers: Readonly<Record<string, number>>;
}

/** Lines without their ends, some at a time. */
export async function* linesOf(
  { shape, numbers, rows }: Omit<RowSnapshot, "ask">,
  groups: readonly RowGroup[],
): AsyncIterable<readonly string[]> {
  const tables = tablesOfGroups(shape, groups);
  const head: Head = { zot: "rows", version: linesVersion, shape: { ...shape, tables }, numbers };
  yield [JSON.stringify(head)];
  const counts: Record<string, number> = {};
  for (const table of tables) {
    yield [JSON.stringify({ table: table.name })];
    let count = 0;
    for await (const page of rows(table)) {
      count += page.length;
      yield page.map((row) => JSON.stringify(row.map(written)));
    }
    counts[table.name] = count;
  }
  yield [JSON.stringify({ end: counts })];
}

function written(value: Value): unknown {
  return value instanceof Uint8Array ? { hex: Buffer.from(value).toString("hex") } : value;
}

/**
 * What lines show, as they come: tables must be asked for in their order, once each. `finish` makes sure that the end
 * was there. @throws Error with one line where a line is not what it has to be.
 */
export async function readRowLines(
  lines: AsyncIterable<string>,
): Promise<Omit<RowSnapshot, "ask"> & { finish(): Promise<void> }> {
  const source = new LineSource(lines[Symbol.asyncIterator]());
  const head = readHead(await source.next());
  const counts: Record<string, number> = {};
  return {
    shape: head.shape,
    numbers: head.numbers,
    rows: (table) => rowsOf(source, table, counts),
    finish: async () => {
      const { end } = (await source.next()) as { end?: Readonly<Record<string, number>> };
      if (end === undefined) throw source.wrong("the counts of all rows");
      for (const [table, count] of Object.entries(end)) {
        if (counts[table] === count) continue;
        throw new Error(`rows: expected ${count} rows of ${table}, found ${counts[table] ?? 0}`);
      }
    },
  };
}

class LineSource {
  readonly #lines: AsyncIterator<string>;
  #kept: unknown = null;
  #number = 0;

  constructor(lines: AsyncIterator<string>) {
    this.#lines = lines;
  }

  async next(): Promise<unknown> {
    if (this.#kept !== null) {
      const kept = this.#kept;
      this.#kept = null;
      return kept;
    }
    const step = await this.#lines.next();
    this.#number += 1;
    if (step.done === true) throw new Error(`rows: expected more after line ${this.#number - 1}`);
    try {
      return JSON.parse(step.value) as unknown;
    } catch (cause) {
      throw new Error(`rows: expected JSON in line ${this.#number}`, { cause });
    }
  }

  /** Gives back what was read last. */
  keep(value: unknown): void {
    this.#kept = value;
  }

  wrong(expected: string): Error {
    return new Error(`rows: expected ${expected} in line ${this.#number}`);
  }
}

function readHead(value: unknown): Head {
  const head = value as Partial<Head> | null;
  if (head?.zot !== "rows") throw new Error('rows: expected {"zot":"rows"} in the first line');
  if (head.version !== linesVersion) {
    throw new Error(
      `rows: expected version ${linesVersion} of these lines, found ${String(head.version)}; ` +
        "start the version of zot that wrote them",
    );
  }
  return head as Head;
}

async function* rowsOf(
  source: LineSource,
  table: RowTable,
  counts: Record<string, number>,
): AsyncIterable<Rows> {
  const named = (await source.next()) as { table?: unknown };
  if (named.table !== table.name) throw source.wrong(`the table ${table.name}`);
  const pageMax = pageRowsOf(table);
  let page: Value[][] = [];
  let count = 0;
  for (;;) {
    const value = await source.next();
    if (!Array.isArray(value)) {
      source.keep(value);
      break;
    }
    if (value.length !== table.columns.length) throw source.wrong(`a row of ${table.name}`);
    page.push(value.map((each) => read(source, each)));
    count += 1;
    if (page.length < pageMax) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
  counts[table.name] = count;
}

function read(source: LineSource, value: unknown): Value {
  if (value === null || typeof value === "string") return value;
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  const hex = (value as { hex?: unknown }).hex;
  if (typeof hex !== "string") throw source.wrong("a text, a number, null or bytes");
  return Buffer.from(must(/^(?:[0-9a-f]{2})*$/.exec(hex)?.[0], "bytes are hex"), "hex");
}
