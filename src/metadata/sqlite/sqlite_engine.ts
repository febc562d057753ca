/** Runs the statements of rules (`../sql/statements.ts`) over a connection of SQLite, at once. */
import type { Database } from "bun:sqlite";
import { known, type Engine, type Row, type Rule, type Value } from "../sql/statements.ts";

export class SqliteEngine implements Engine {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get(text: string, values: Value[]): Rule<Row | null> {
    return known(this.#database.query<Row, Value[]>(text).get(...values));
  }

  all(text: string, values: Value[]): Rule<Row[]> {
    return known(this.#database.query<Row, Value[]>(text).all(...values));
  }

  tell(text: string, values: Value[]): Rule<unknown> {
    return this.run(text, values);
  }

  run(text: string, values: Value[]): Rule<number> {
    return known(this.#database.query<Row, Value[]>(text).run(...values).changes);
  }
}
