// An independent look at the rows of a registry over a store of objects, in SQLite or PostgreSQL, and at the objects.
//
// Every object has a row and every key that is content has its object, with its size; every named blob and manifest leads
// to such a key, whose bytes have the digest, or to bytes beside the rows; parts that are not complete are named by a row;
// the history of a tag is one line, and ends where the tag is. Knows nothing of the code that it judges but the tables.
// A server may work meanwhile, as long as no object is removed.

import { Database } from "bun:sqlite";
import { SQL } from "bun";
import { createHash } from "node:crypto";

/** Asks a database; columns are in small letters, numbers are numbers. */
export interface Rows extends AsyncDisposable {
  all<T>(sql: string): Promise<T[]>;
}

/** What a store holds, as it says itself. */
export interface HeldObjects {
  /** Sizes by key. */
  list(): Promise<ReadonlyMap<string, number>>;
  bytes(key: string): Promise<Uint8Array | null>;
  /** Ids of parts that are not complete. */
  unfinished(): Promise<readonly string[]>;
}

export function sqliteRows(path: string): Rows {
  const database = new Database(path, { readonly: true, strict: true });
  return {
    // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
    all: async <T>(sql: string) => database.query<T, []>(sql).all(),
    [Symbol.asyncDispose]: async () => database.close(),
  };
}

/** Of a schema of a server on the loopback that trusts everybody. */
export function postgresRows(port: number, schema: string): Rows {
  const sql = new SQL({
    url: `postgres://zot@127.0.0.1:${port}/postgres`,
    max: 1,
    connection: { search_path: schema },
  });
  return {
    // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
    all: async <T>(text: string) => {
      const rows = (await sql.unsafe(text)) as Record<string, unknown>[];
      return rows.map((row) => ({ ...row })) as T[];
    },
    [Symbol.asyncDispose]: () => sql.close({ timeout: 0 }),
  };
}

interface KeyRow {
  readonly key: string;
  readonly state: string;
  readonly size: number | string;
  readonly upload: string | null;
}

interface NamedRow {
  readonly repository: string;
  readonly digest: string;
  readonly size: number | string;
  readonly key: string | null;
  readonly state: string | null;
  readonly inlined: Uint8Array | null;
}

const named = (inlined: string, join: string): string =>
  ["blobs", "manifests", "held_blobs", "held_manifests"]
    .map(
      (table) =>
        "SELECT r.name AS repository, t.digest AS digest, t.size AS size, n.key AS key, k.state AS state, " +
        `${inlined} AS inlined FROM ${table} t JOIN repositories r ON r.id = t.repository ` +
        "LEFT JOIN objects_names n ON n.repository = r.name AND n.name = t.digest " +
        `LEFT JOIN objects_keys k ON k.key = n.key ${join}`,
    )
    .join(" UNION ALL ");

const manifestsInRows = "LEFT JOIN objects_inline i ON i.key = n.key";
const unnamedInRows =
  "SELECT key FROM objects_inline WHERE key NOT IN (SELECT key FROM objects_names)";

/** Events of one tag, of which one does not begin where the last one ended. */
const brokenHistory =
  "SELECT repository, tag, sequence, previous, last FROM (SELECT repository, tag, sequence, previous, " +
  "lag(digest) OVER (PARTITION BY repository, tag ORDER BY sequence) AS last, " +
  "lag(sequence) OVER (PARTITION BY repository, tag ORDER BY sequence) AS earlier " +
  "FROM history WHERE tag IS NOT NULL AND sequence > 0) AS events " +
  "WHERE earlier IS NOT NULL AND previous IS DISTINCT FROM last";
/** Tags that are not where their last event left them. */
const brokenTags =
  "SELECT t.repository, t.name, t.digest, h.digest AS last FROM tags t LEFT JOIN history h ON h.repository = t.repository " +
  "AND h.tag = t.name AND h.sequence = (SELECT max(sequence) FROM history o WHERE o.repository = t.repository " +
  "AND o.tag = t.name) WHERE h.digest IS DISTINCT FROM t.digest";

/** What is wrong; unfinished parts of a crash between two requests may be left without a row, `partsMax` of them. */
export async function checkRows(
  rows: Rows,
  store: HeldObjects,
  { partsMax = 0, ownKeys = /^(registry\.json$|probe\/)/ } = {},
): Promise<string[]> {
  const before = await store.list();
  const unfinishedBefore = await store.unfinished();
  const keys = await rows.all<KeyRow>("SELECT key, state, size, upload FROM objects_keys");
  const hasInline = await rows
    .all("SELECT key FROM objects_inline LIMIT 1")
    .then(() => true)
    .catch(() => false);
  const byKey = new Map(keys.map((row) => [row.key, row]));
  const namedRows = await rows.all<NamedRow>(
    hasInline ? named("i.bytes", manifestsInRows) : named("NULL", ""),
  );
  const after = await store.list();
  const problems: string[] = [];
  for (const key of before.keys()) {
    if (ownKeys.test(key) || byKey.has(key) || !after.has(key)) continue;
    problems.push(`object without a row: ${key}`);
  }
  for (const { key, state, size } of keys) {
    const found = after.get(key);
    if (state === "content" && found !== Number(size)) {
      problems.push(`content of ${size} bytes has ${found ?? "no object"}: ${key}`);
    }
  }
  if (hasInline) {
    for (const { key } of await rows.all<KeyRow>(unnamedInRows))
      problems.push(`bytes that nothing names: ${key}`);
  }
  for (const row of namedRows) problems.push(...(await checkNamed(row, store)));
  const uploads = new Set(keys.map(({ upload }) => upload));
  const loose = unfinishedBefore.filter((upload) => !uploads.has(upload));
  const stillLoose = new Set(await store.unfinished());
  const left = loose.filter((upload) => stillLoose.has(upload));
  if (left.length > partsMax) problems.push(`parts without a row: ${left.join(" ")}`);
  for (const broken of await rows.all<object>(brokenHistory))
    problems.push(`history of a tag is not one line: ${JSON.stringify(broken)}`);
  for (const broken of await rows.all<object>(brokenTags))
    problems.push(`tag is not where its history ends: ${JSON.stringify(broken)}`);
  return problems;
}

async function checkNamed(
  { repository, digest, size, key, state, inlined }: NamedRow,
  store: HeldObjects,
): Promise<string[]> {
  const isThere = inlined !== null || state === "content";
  const bytes = inlined ?? (key === null ? null : await store.bytes(key));
  const own = bytes === null ? null : createHash("sha256").update(bytes).digest("hex");
  if (isThere && bytes?.length === Number(size) && digest === `sha256:${own}`) return [];
  return [`${repository} ${digest} is ${state ?? "named by nothing"}, ${own ?? "gone"}`];
}
