/** What a server looks at before it uses a database of PostgreSQL, and how it tells the operator what is wrong. */
import type { PostgresConnections } from "./postgres_connections.ts";
import { PostgresError } from "./postgres_connections.ts";
import type { Row } from "../sql/statements.ts";

/** The oldest version that is still maintained, as `server_version_num` has it. */
const versionMin = 140_000;

/** Settings of the server without which an acknowledged commit may be lost. */
const durableSettings = {
  fsync: ["on"],
  full_page_writes: ["on"],
  synchronous_commit: ["on", "remote_write", "remote_apply"],
} as const;

export interface PostgresNeeds {
  /** An acknowledged commit stays, whatever happens to the machine. */
  readonly durable: boolean;
  /** Made where it is missing; null for the one that the user has. */
  readonly schema: string | null;
}

/** @throws Error with one line for the operator. */
export async function checkPostgres(
  connections: PostgresConnections,
  { durable, schema }: PostgresNeeds,
): Promise<void> {
  const ask = async (text: string): Promise<Row> => {
    const { rows } = await connections.ask({ text, values: [], isOwn: true });
    return rows[0] ?? {};
  };
  const found = await ask(
    "SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version, " +
      "current_setting('server_encoding') AS encoding, current_setting('default_transaction_read_only') AS readonly, " +
      `current_schema() AS schema, ${Object.keys(durableSettings)
        .map((name) => `current_setting('${name}') AS ${name}`)
        .join(", ")}`,
  );
  const problem = problemOf(found, durable);
  if (problem !== null) throw new Error(`storage.metadata.url: ${problem}`);
  if (found["schema"] !== null) return;
  if (schema === null) {
    throw new Error(
      "storage.metadata.schema: expected a schema, since the database gives none to this user, got none; name one",
    );
  }
  await ask(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
}

function problemOf(found: Row, durable: boolean): string | null {
  if (Number(found["number"]) < versionMin) {
    return `expected PostgreSQL ${Math.floor(versionMin / 10_000)} or newer, got ${found["version"]}; upgrade it`;
  }
  if (found["encoding"] !== "UTF8") {
    return `expected a database in UTF8, got ${found["encoding"]}; create one with ENCODING 'UTF8'`;
  }
  if (found["readonly"] === "on") {
    return "expected a database that can be written, got one with default_transaction_read_only = on; change it there";
  }
  if (!durable) return null;
  for (const [name, fitting] of Object.entries(durableSettings)) {
    const value = String(found[name]);
    if (fitting.some((each) => each === value)) continue;
    return (
      `expected ${name} = on at the database, got ${value}; ` +
      "a crash would lose what was acknowledged: change it there, or set storage.commit to false"
    );
  }
  return null;
}

/** What a person can do, by SQLSTATE or its class. */
const advice: readonly (readonly [fits: RegExp, expected: string, advice: string])[] = [
  [/^28/, "to be let in", "look at the user, the password and pg_hba.conf of the database"],
  [/^3D000/, "the database that the URL names", "create it, or name another one"],
  [/^25001/, "the primary, which takes writes", "name it, or the proxy before it"],
  [
    /^53300/,
    "room for connections",
    "lower storage.metadata.connections, or raise max_connections of the database",
  ],
  [/^57P0/, "a database that is up", "wait for it"],
  [/^25006/, "a database that can be written", "name the primary, or let it be written"],
  [
    /^42501/,
    "the right to create tables",
    "give the user CREATE on the schema, or CREATE on the database and a storage.metadata.schema",
  ],
];
const standard = [
  "expected a database that answers",
  "look whether it is up, and at host, port, certificate and storage.metadata.ca",
] as const;

/** One line for the operator about what keeps a server from its database at its start. */
export function startProblem(error: unknown): Error {
  if (!(error instanceof PostgresError)) {
    return error instanceof Error ? error : new Error(String(error));
  }
  const { state, cause } = error;
  const said =
    state === "25001"
      ? "a standby, or one with default_transaction_read_only = on"
      : cause instanceof Error
        ? cause.message
        : error.message;
  const row = advice.find(([fits]) => state !== null && fits.test(state));
  const [expected, advised] = row === undefined ? standard : [`expected ${row[1]}`, row[2]];
  const line = said.replaceAll(/\s+/g, " ").trim();
  return new Error(`storage.metadata.url: ${expected}, got: ${line}; ${advised}`, { cause: error });
}
