/** API keys and users of the htpasswd file as tables (`../api_keys.ts`): the worked example of a store of records. */
import {
  apiKeys,
  type ApiKeyChange,
  type ApiKeyReads,
  type ApiKeyRecord,
  type FileUserChange,
} from "../api_keys.ts";
import type { RecordTables, RecordWork } from "./record_tables.ts";
import { all, type Rule, tell } from "./statements.ts";

type KeyChange = ApiKeyChange | FileUserChange;

const columns =
  "id, owner, hash, label, scopes, groups, proven_by AS provenBy, incarnation, made_with AS madeWith, " +
  "created_at AS createdAt, expires_at AS expiresAt, last_used_at AS lastUsedAt";

const sql = {
  apiKeyByHash: `SELECT ${columns} FROM api_keys WHERE hash = ?1`,
  fileUser: "SELECT incarnation FROM file_users WHERE name = ?1",
  apiKeyById: `SELECT ${columns} FROM api_keys WHERE id = ?1`,
  apiKeysOfOwner: `SELECT ${columns} FROM api_keys WHERE owner = ?1 ORDER BY created_at, id LIMIT ?2`,
} as const;

/** Changes after which less is kept. */
const freeing: Readonly<Record<KeyChange["kind"], boolean>> = {
  "put-api-key": false,
  "remove-api-key": true,
  "touch-api-key": false,
  "end-api-keys": true,
  "put-file-user": false,
  "keep-file-users": true,
};

export const apiKeyTables: RecordTables<KeyChange, ApiKeyReads> = {
  store: apiKeys,
  steps: [
    {
      version: 1,
      summary: "the tables, where versions 2 and 5 of the metadata have not made them",
      sql: `
        CREATE TABLE IF NOT EXISTS api_keys (
          id           TEXT NOT NULL PRIMARY KEY,
          owner        TEXT NOT NULL,
          hash         TEXT NOT NULL UNIQUE,  -- of the key, which is stored nowhere
          label        TEXT NOT NULL,
          scopes       TEXT NOT NULL,         -- JSON list
          groups       TEXT NOT NULL,         -- JSON list
          proven_by    TEXT NOT NULL,
          made_with    TEXT NOT NULL,
          created_at   INTEGER NOT NULL,
          expires_at   INTEGER,
          last_used_at INTEGER,
          incarnation  TEXT
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS api_keys_owner ON api_keys (owner, created_at, id);
        CREATE TABLE IF NOT EXISTS file_users ( -- names of the htpasswd file that have logged in
          name        TEXT NOT NULL PRIMARY KEY,
          incarnation TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
      `,
    },
  ],
  sql,
  frees: ({ kind }) => freeing[kind],
  apply,
  reads: ({ get: one, all: many }) => ({
    fileUser: async (name) =>
      (await one<{ incarnation: string }>(sql.fileUser, name))?.incarnation ?? null,
    byHash: async (hash) => keyOf(await one<ApiKeyRow>(sql.apiKeyByHash, hash)),
    byId: async (id) => keyOf(await one<ApiKeyRow>(sql.apiKeyById, id)),
    ofOwner: async (owner, limit) =>
      (await many<ApiKeyRow>(sql.apiKeysOfOwner, owner, limit)).map(recordOf),
  }),
};

/** A row, in which lists are JSON. */
interface ApiKeyRow extends Omit<ApiKeyRecord, "scopes" | "groups"> {
  readonly scopes: string;
  readonly groups: string;
}

function recordOf(row: ApiKeyRow): ApiKeyRecord {
  const scopes: string[] = JSON.parse(row.scopes);
  const groups: string[] = JSON.parse(row.groups);
  return { ...row, scopes, groups };
}

function keyOf(row: ApiKeyRow | null): ApiKeyRecord | null {
  return row === null ? null : recordOf(row);
}

function* apply(work: RecordWork, change: KeyChange): Rule<void> {
  switch (change.kind) {
    case "put-api-key":
      yield* putKey(work, change.key, change.ofOwnerMax);
      return;
    case "remove-api-key":
      yield* tell(work, "DELETE FROM api_keys WHERE id = ? AND owner = ?", change.id, change.owner);
      return;
    case "touch-api-key":
      yield* tell(
        work,
        "UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1",
        change.id,
        change.at,
      );
      return;
    case "end-api-keys":
      yield* tell(
        work,
        "DELETE FROM api_keys WHERE owner = ?1 AND proven_by = ?2 AND incarnation IS NOT ?3 AND incarnation IS NOT NULL",
        change.owner,
        change.provenBy,
        change.incarnation,
      );
      return;
    case "put-file-user":
      yield* putFileUser(work, change.name, change.incarnation);
      return;
    case "keep-file-users":
      yield* keepFileUsers(work, new Set(change.names));
      return;
  }
}

function putKey(work: RecordWork, key: ApiKeyRecord, ofOwnerMax: number): Rule<unknown> {
  return tell(
    work,
    "INSERT INTO api_keys (id, owner, hash, label, scopes, groups, proven_by, made_with, created_at, expires_at, last_used_at, incarnation) " +
      "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?13 " +
      "WHERE (SELECT count(*) FROM api_keys WHERE owner = ?2) < ?12 ON CONFLICT DO NOTHING",
    key.id,
    key.owner,
    key.hash,
    key.label,
    JSON.stringify(key.scopes),
    JSON.stringify(key.groups),
    key.provenBy,
    key.madeWith,
    key.createdAt,
    key.expiresAt,
    key.lastUsedAt,
    ofOwnerMax,
    key.incarnation,
  );
}

function* putFileUser(work: RecordWork, name: string, incarnation: string): Rule<void> {
  yield* tell(
    work,
    "INSERT INTO file_users (name, incarnation) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    name,
    incarnation,
  );
  yield* tell(
    work,
    "UPDATE api_keys SET incarnation = (SELECT incarnation FROM file_users WHERE name = ?1) " +
      "WHERE owner = ?1 AND proven_by = 'htpasswd' AND incarnation IS NULL",
    name,
  );
}

function* keepFileUsers(work: RecordWork, names: ReadonlySet<string>): Rule<void> {
  const known = yield* all(work, "SELECT name FROM file_users");
  const owners = yield* all(
    work,
    "SELECT DISTINCT owner AS name FROM api_keys WHERE proven_by = 'htpasswd'",
  );
  for (const { name } of known) {
    if (!names.has(String(name)))
      yield* tell(work, "DELETE FROM file_users WHERE name = ?1", name ?? null);
  }
  for (const { name } of owners) {
    if (names.has(String(name))) continue;
    yield* tell(
      work,
      "DELETE FROM api_keys WHERE owner = ?1 AND proven_by = 'htpasswd'",
      name ?? null,
    );
  }
}
