/** Copies the rows of a whole registry from one database into another, which may be of another kind. */
import {
  shapeProblem,
  tablesOfGroups,
  type RowGroup,
  type RowSnapshot,
  type RowStore,
} from "./row_store.ts";

export interface RowCopy {
  /** What is copied. */
  readonly groups: readonly RowGroup[];
  /** What is emptied beside it. */
  readonly emptied: readonly RowGroup[];
  readonly onTable?: (table: string, rows: number) => void;
}

/** Rows that were copied, by table. */
export type RowCounts = Readonly<Record<string, number>>;

/**
 * Copies what a snapshot shows; all of it is there afterwards, or nothing has changed.
 * @throws Error with one line where the two are of different versions.
 */
export async function copyRows(
  from: RowSnapshot,
  to: RowStore,
  { groups, emptied, onTable }: RowCopy,
): Promise<RowCounts> {
  return await to.replace([...groups, ...emptied], async (replacement) => {
    const problem = shapeProblem(from.shape, replacement.shape, groups);
    if (problem !== null) throw new Error(`${problem}; start both registries with one version`);
    const counts: Record<string, number> = {};
    for (const table of tablesOfGroups(from.shape, groups)) {
      let count = 0;
      for await (const rows of from.rows(table)) {
        await replacement.write(table, rows);
        count += rows.length;
      }
      counts[table.name] = count;
      onTable?.(table.name, count);
    }
    await replacement.reserve(from.numbers);
    return counts;
  });
}
