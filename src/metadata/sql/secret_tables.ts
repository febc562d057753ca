/** Secrets (`../secrets.ts`) as a table. */
import { secrets, type SecretChange, type SecretReads } from "../secrets.ts";
import type { RecordTables } from "./record_tables.ts";
import { run } from "./statements.ts";

const sql = { secret: "SELECT value FROM secrets WHERE name = ?1" } as const;

export const secretTables: RecordTables<SecretChange, SecretReads> = {
  store: secrets,
  steps: [
    {
      version: 1,
      summary: "secrets that processes share",
      sql: `
        CREATE TABLE secrets (
          name  TEXT NOT NULL PRIMARY KEY,
          value TEXT NOT NULL              -- in hex
        ) STRICT, WITHOUT ROWID;
      `,
    },
  ],
  sql,
  frees: () => false,
  *apply(work, { name, value }) {
    yield* run(
      work,
      "INSERT INTO secrets (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
      name,
      value,
    );
  },
  reads: ({ get: one }) => ({
    secret: async (name) => (await one<{ value: string }>(sql.secret, name))?.value ?? null,
  }),
};
