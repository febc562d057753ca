/** Hands out the statements of rules (`../sql/statements.ts`) to whoever pursues them. */
import type { Engine, Row, Rule, Value } from "../sql/statements.ts";

export const postgresEngine: Engine = {
  *get(text: string, values: Value[]): Rule<Row | null> {
    const { rows } = yield { text, values };
    return rows[0] ?? null;
  },
  *all(text: string, values: Value[]): Rule<Row[]> {
    const { rows } = yield { text, values };
    return [...rows];
  },
  *tell(text: string, values: Value[]): Rule<number> {
    const { changes } = yield { text, values, isTold: true };
    return changes;
  },
  *run(text: string, values: Value[]): Rule<number> {
    const { changes } = yield { text, values };
    return changes;
  },
};
