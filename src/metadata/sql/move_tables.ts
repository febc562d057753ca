/** What is being moved here (`../moves.ts`) as a table. */
import { moves, type MoveChange, type MoveReads } from "../moves.ts";
import type { RecordTables } from "./record_tables.ts";
import { tell } from "./statements.ts";

const sql = { moveFrom: "SELECT value FROM moves WHERE name = 'from'" } as const;

export const moveTables: RecordTables<MoveChange, MoveReads> = {
  store: moves,
  steps: [
    {
      version: 1,
      summary: "which registry is being moved here",
      sql: `
        CREATE TABLE moves (
          name  TEXT NOT NULL PRIMARY KEY,
          value TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
      `,
    },
  ],
  sql,
  frees: ({ kind }) => kind === "end",
  *apply(work, change) {
    if (change.kind === "end") {
      yield* tell(work, "DELETE FROM moves WHERE name = 'from'");
      return;
    }
    yield* tell(
      work,
      "INSERT INTO moves (name, value) VALUES ('from', ?1) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      change.from,
    );
  },
  reads: ({ get: one }) => ({
    from: async () => (await one<{ value: string }>(sql.moveFrom))?.value ?? null,
  }),
};
