/** Brings a database of PostgreSQL to the version of this code, while others may do the same. */
import type { RecordChange } from "../records.ts";
import type { RecordTables, Stores } from "../sql/record_tables.ts";
import type { Ask, PostgresConnections } from "./postgres_connections.ts";
import { postgresSchemaText } from "./postgres_schema_text.ts";
import { postgresSteps } from "./postgres_schema.ts";

const newest = postgresSteps.reduce((version, step) => Math.max(version, step.version), 0);

/**
 * @throws Error with one line for the operator: the database is of a newer version.
 */
export async function migratePostgres(
  connections: PostgresConnections,
  stores: Stores,
): Promise<void> {
  await connections.hold(async (ask) => {
    const run = (text: string) => ask({ text, values: [], isOwn: true });
    await run("BEGIN");
    await run("SELECT pg_advisory_xact_lock(7047, hashtext(current_schema()))");
    await run(
      "CREATE TABLE IF NOT EXISTS schema (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), " +
        "version bigint NOT NULL, code_min bigint NOT NULL)",
    );
    await migrateFacts(run);
    for (const tables of stores.values()) await migrateRecords(ask, tables);
    await run("COMMIT");
  });
}

type Run = (text: string) => ReturnType<Ask>;

async function migrateFacts(run: Run): Promise<void> {
  const { rows } = await run("SELECT version, code_min FROM schema");
  const current = Number(rows[0]?.["version"] ?? 0);
  if (Number(rows[0]?.["code_min"] ?? 0) > newest) {
    throw newerVersion("schema version", newest, current);
  }
  for (const { version, codeMin, sql } of postgresSteps) {
    if (version <= current) continue;
    await run(sql);
    await run(
      `INSERT INTO schema (version, code_min) VALUES (${version}, ${codeMin}) ` +
        "ON CONFLICT (only_row) DO UPDATE SET version = excluded.version, code_min = excluded.code_min",
    );
  }
}

async function migrateRecords(
  ask: Ask,
  { store: { name }, steps }: RecordTables<RecordChange, unknown>,
): Promise<void> {
  const asked = { text: "SELECT version FROM record_stores WHERE name = ?1", values: [name] };
  const { rows } = await ask(asked);
  const current = Number(rows[0]?.["version"] ?? 0);
  const last = steps.at(-1)?.version ?? 0;
  if (current > last) throw newerVersion(`${name} version`, last, current);
  for (const { version, sql } of steps) {
    if (version <= current) continue;
    await ask({ text: postgresSchemaText(sql), values: [], isOwn: true });
    await ask({
      text:
        "INSERT INTO record_stores (name, version) VALUES (?1, ?2) " +
        "ON CONFLICT (name) DO UPDATE SET version = excluded.version",
      values: [name, version],
    });
  }
}

function newerVersion(what: string, known: number, found: number): Error {
  return new Error(
    `metadata: expected ${what} ${known} or older, found ${found}; ` +
      "this database was served by a newer zot: start that version",
  );
}
