/** Copies the rows of a whole registry from one database into another, which may be of another kind. */
import type { Value } from "../sql/statements.ts";
import {
  shapeProblem,
  tablesOfGroups,
  type RowGroup,
  type RowSnapshot,
  type RowStore,
  type Rows,
  type RowTable,
} from "./row_store.ts";

export interface RowCopy {
  /** What is copied. */
  readonly groups: readonly RowGroup[];
  /** What is emptied beside it. */
  readonly emptied: readonly RowGroup[];
  readonly onTable?: (table: string, rows: number) => void;
}

/** What a table holds: equal sums are equal rows, whatever database they are in. */
export interface TableSum {
  readonly rows: number;
  /** SHA-256 over the rows in the order of their key, in hex. */
  readonly sha256: string;
}

/** By the name of the table. */
export type TableSums = Readonly<Record<string, TableSum>>;

/**
 * Copies what a snapshot shows; all of it is there afterwards, or nothing has changed. Returns what was copied.
 * @throws Error with one line where the two are of different versions.
 */
export async function copyRows(
  from: Omit<RowSnapshot, "ask">,
  to: RowStore,
  { groups, emptied, onTable }: RowCopy,
): Promise<TableSums> {
  return await to.replace([...groups, ...emptied], async (replacement) => {
    const problem = shapeProblem(from.shape, replacement.shape, groups);
    if (problem !== null) throw new Error(`${problem}; start both registries with one version`);
    const sums: Record<string, TableSum> = {};
    for (const table of tablesOfGroups(from.shape, groups)) {
      const sum = new RunningSum(table);
      for await (const rows of from.rows(table)) {
        await replacement.write(table, rows);
        sum.add(rows);
      }
      sums[table.name] = sum.value();
      onTable?.(table.name, sum.value().rows);
    }
    await replacement.reserve(from.numbers);
    return sums;
  });
}

/** What is there. */
export async function sumRows(
  { shape, rows }: Pick<RowSnapshot, "shape" | "rows">,
  groups: readonly RowGroup[],
): Promise<TableSums> {
  const sums: Record<string, TableSum> = {};
  for (const table of tablesOfGroups(shape, groups)) {
    const sum = new RunningSum(table);
    for await (const page of rows(table)) sum.add(page);
    sums[table.name] = sum.value();
  }
  return sums;
}

class RunningSum {
  readonly #hasher = new Bun.CryptoHasher("sha256");
  /** Places of the columns in the order of their names: databases have them in different orders. */
  readonly #places: readonly number[];
  #rows = 0;

  constructor({ columns }: RowTable) {
    this.#places = columns
      .map(({ name }, place) => ({ name, place }))
      .toSorted((one, other) => (one.name < other.name ? -1 : 1))
      .map(({ place }) => place);
  }

  add(rows: Rows): void {
    this.#rows += rows.length;
    for (const row of rows) {
      const line = this.#places.map((place) => plain(row[place] ?? null));
      this.#hasher.update(`${JSON.stringify(line)}\n`);
    }
  }

  value(): TableSum {
    return { rows: this.#rows, sha256: this.#hasher.copy().digest("hex") };
  }
}

function plain(value: Value): string | number | null | { readonly hex: string } {
  return value instanceof Uint8Array ? { hex: Buffer.from(value).toString("hex") } : value;
}
