/** Runs statements in the open transaction of a commit; their texts are prepared once. */
import type { Database } from "bun:sqlite";

type Row = Record<string, string | number | null>;
type Value = string | number | null | Uint8Array;
type Work = { readonly database: Database };

export function get(work: Work, sql: string, ...values: Value[]): Row | null {
  return work.database.query<Row, Value[]>(sql).get(...values);
}

export function all(work: Work, sql: string, ...values: Value[]): Row[] {
  return work.database.query<Row, Value[]>(sql).all(...values);
}

/** Runs a statement and returns how many rows it changed. */
export function run(work: Work, sql: string, ...values: Value[]): number {
  return work.database.query<Row, Value[]>(sql).run(...values).changes;
}
