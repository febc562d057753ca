/** What reads ask of SQLite (`../sql/source.ts`), at once. */
import type { Database } from "bun:sqlite";
import type { Source } from "../sql/source.ts";
import { finish, type Value } from "../sql/statements.ts";
import { SqliteEngine } from "./sqlite_engine.ts";

export function sqliteSource(database: Database): Source {
  return {
    get: <Row>(text: string, ...values: Value[]) =>
      database.query<Row, Value[]>(text).get(...values),
    all: <Row>(text: string, ...values: Value[]) =>
      database.query<Row, Value[]>(text).all(...values),
    engine: new SqliteEngine(database),
    follow: finish,
  };
}
