/**
 * Keys of objects and their names (`../objects.ts`), as tables beside those of the metadata.
 */
import {
  inlinePrefix,
  objects,
  type FoundContent,
  type FoundObject,
  type FreedObject,
  type KnownObject,
  type ObjectChange,
  type ObjectName,
  type ObjectReads,
  type ObjectSums,
} from "../objects.ts";
import type { RecordTables, RecordWork } from "./record_tables.ts";
import type { Source } from "./source.ts";
import { get, run, type Rule, tell } from "./statements.ts";

/** A name leads to an object, or to bytes that lie here. */
const named =
  "FROM objects_names n LEFT JOIN objects_keys k ON k.key = n.key LEFT JOIN objects_inline i ON i.key = n.key";
const sized = "coalesce(k.size, i.size) AS sizeBytes";
const stored = "coalesce(k.store, i.store) AS store";

const sql = {
  objectNamed: `SELECT n.key AS key, ${sized}, ${stored} ${named} WHERE n.repository = ?1 AND n.name = ?2`,
  objectContent: `SELECT n.key AS key, ${sized}, ${stored}, i.bytes AS bytes ${named} WHERE n.repository = ?1 AND n.name = ?2`,
  objectKeyOf: "SELECT key FROM objects_names WHERE repository = ?1 AND name = ?2",
  objectKeyReserved:
    "SELECT 1 FROM objects_keys WHERE key = ?1 AND state IN ('reserved', 'writing')",
  objectInlineSame: "SELECT 1 FROM objects_inline WHERE key = ?1 AND bytes = ?2",
  objectsInQuarantine: `SELECT n.name AS name, ${sized} ${named} WHERE n.repository = '' AND n.name > '' AND coalesce(k.store, i.store) = ?1 ORDER BY n.name`,
  objectGarbage:
    "SELECT key, upload, since FROM objects_keys INDEXED BY objects_garbage WHERE state = 'garbage' AND store = ?1 " +
    "AND since < ?2 AND (since, key) > (?3, ?4) ORDER BY since, key LIMIT ?5",
  objectsNamed:
    "SELECT repository, name, since FROM objects_names WHERE repository > '' AND (repository, name) > (?1, ?2) " +
    "ORDER BY repository, name LIMIT ?3",
  objectsWriting:
    "SELECT count(*) AS objects, coalesce(sum(size), 0) AS bytes FROM objects_keys INDEXED BY objects_writing " +
    "WHERE state = 'writing' AND since > 0",
  objectsFreed:
    "SELECT count(*) AS objects, coalesce(sum(size), 0) AS bytes FROM objects_keys INDEXED BY objects_garbage " +
    "WHERE state = 'garbage' AND store >= ''",
  objectKeys:
    "SELECT key, size AS sizeBytes, store, state, since, upload FROM objects_keys WHERE key > ?1 ORDER BY key LIMIT ?2",
  objectKeysOf:
    "SELECT key, size AS sizeBytes, store, state, since, upload FROM objects_keys " +
    "WHERE key > ?1 AND store = ?2 ORDER BY key LIMIT ?3",
  objectKey:
    "SELECT key, size AS sizeBytes, store, state, since, upload FROM objects_keys WHERE key = ?1",
  objectNames:
    "SELECT repository, name FROM objects_names WHERE key = ?1 ORDER BY repository, name LIMIT ?2",
  objectUnderWay:
    "SELECT key FROM objects_keys INDEXED BY objects_writing WHERE state = 'writing' AND since > 0 AND upload = ?1 LIMIT 1",
  objectKeyNamed: "SELECT 1 FROM objects_names WHERE key = ?1 LIMIT 1",
  objectValue: "SELECT text FROM objects_values WHERE value = ?1",
  objectStores:
    "SELECT substr(value, 7) AS store, text AS place FROM objects_values " +
    "WHERE value >= 'store:' AND value < 'store;' ORDER BY value",
} as const;

const inserts = {
  reserve:
    "INSERT INTO objects_keys (key, state, size, since, store) SELECT value, 'reserved', 0, ?2, ?3 FROM json_each(?1)",
  inline: "INSERT INTO objects_inline (key, size, bytes, store) VALUES (?1, ?2, ?3, ?4)",
  name:
    "INSERT INTO objects_names (repository, name, key, since) VALUES (?1, ?2, ?3, ?4) " +
    "ON CONFLICT (repository, name) DO UPDATE SET key = excluded.key, since = excluded.since",
  settle: "INSERT INTO objects_values (value, text) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
  adopt:
    "INSERT INTO objects_keys (key, state, size, since, store) VALUES (?1, 'content', ?2, ?3, ?4) ON CONFLICT (key) DO NOTHING",
  set: "INSERT INTO objects_values (value, text) VALUES (?1, ?2) ON CONFLICT (value) DO UPDATE SET text = excluded.text",
} as const;

const updates = {
  renew: "UPDATE objects_keys SET since = ?2 WHERE key = ?1 AND state = 'writing'",
  sendParts:
    "UPDATE objects_keys SET state = 'writing', upload = ?2, size = ?3, since = ?4 " +
    "WHERE key = ?1 AND state IN ('reserved', 'writing')",
  written:
    "UPDATE objects_keys SET state = 'content', upload = NULL, size = ?2, since = ?3 " +
    "WHERE key = ?1 AND state IN ('reserved', 'writing', 'content')",
  freeInline: "DELETE FROM objects_inline WHERE key = ?1",
  unname: "DELETE FROM objects_names WHERE repository = ?1 AND name = ?2",
  free: "UPDATE objects_keys SET state = 'garbage', since = ?2 WHERE key = ?1 AND state <> 'garbage'",
  giveUp:
    "UPDATE objects_keys SET state = 'garbage', since = ?2 WHERE key = ?1 AND state IN ('reserved', 'writing')",
  forgetWriting: "DELETE FROM objects_keys WHERE state = 'writing' AND since > 0",
  forgetReserved: "DELETE FROM objects_keys WHERE state = 'reserved' AND since > 0",
  // What an upload session names is written for as long as that lasts.
  endWriting:
    "UPDATE objects_keys SET state = 'garbage', since = ?2 WHERE state = 'writing' AND since < ?1 " +
    "AND NOT EXISTS (SELECT 1 FROM objects_names n WHERE n.key = objects_keys.key)",
  endReserved:
    "UPDATE objects_keys SET state = 'garbage', since = ?2 WHERE state = 'reserved' AND since < ?1",
  removed: "DELETE FROM objects_keys WHERE key = ?1 AND state = 'garbage'",
  unset: "DELETE FROM objects_values WHERE value = ?1",
} as const;

/** Changes after which less is kept, here or in the store. */
const freeing: Readonly<Record<ObjectChange["kind"], boolean>> = {
  reserve: false,
  renew: false,
  "send-parts": false,
  name: false,
  keep: false,
  share: false,
  unname: true,
  "give-up": true,
  "forget-writing": true,
  "end-writing": true,
  adopt: false,
  removed: true,
  settle: false,
  set: false,
  unset: true,
};

export const objectTables: RecordTables<ObjectChange, ObjectReads> = {
  store: objects,
  steps: [
    {
      version: 1,
      summary: "keys of a store of objects, and what names them",
      sql: `
        CREATE TABLE objects_keys (
          key    TEXT NOT NULL PRIMARY KEY,
          state  TEXT NOT NULL,            -- writing, content, garbage
          size   INTEGER NOT NULL,
          since  INTEGER NOT NULL,         -- of the state; of what is written, when that was said last
          upload TEXT                      -- of parts that are not complete
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX objects_garbage ON objects_keys (since) WHERE state = 'garbage';
        CREATE INDEX objects_writing ON objects_keys (since) WHERE state = 'writing';
        CREATE TABLE objects_names (
          repository TEXT NOT NULL,        -- empty for what lies in quarantine
          name       TEXT NOT NULL,        -- a digest, or a name in quarantine
          key        TEXT NOT NULL,
          PRIMARY KEY (repository, name)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX objects_names_key ON objects_names (key);
        CREATE TABLE objects_values (
          value TEXT NOT NULL PRIMARY KEY,
          text  TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
      `,
    },
    {
      version: 2,
      summary: "when an object got a name",
      sql: "ALTER TABLE objects_names ADD COLUMN since INTEGER NOT NULL DEFAULT 0;",
    },
    {
      version: 3,
      summary: "which store a key lies in: the main one until now",
      sql: `
        ALTER TABLE objects_keys ADD COLUMN store TEXT NOT NULL DEFAULT '';
        DROP INDEX objects_garbage;
        CREATE INDEX objects_garbage ON objects_keys (store, since) WHERE state = 'garbage';
        `,
    },
    {
      version: 4,
      summary: "small content beside its names, and keys that are reserved ahead",
      sql: `
        CREATE TABLE objects_inline (
          key   TEXT NOT NULL PRIMARY KEY,
          size  INTEGER NOT NULL,
          bytes BLOB NOT NULL,
          store TEXT NOT NULL
        ) STRICT;
        CREATE INDEX objects_reserved ON objects_keys (since) WHERE state = 'reserved';
      `,
    },
  ],
  sql: { ...sql, ...updates },
  frees: ({ kind }) => freeing[kind],
  apply,
  reads,
};

function* apply(work: RecordWork, change: ObjectChange): Rule<void> {
  switch (change.kind) {
    case "reserve":
      yield* tell(work, inserts.reserve, JSON.stringify(change.keys), work.now, change.store);
      return;
    case "renew":
      yield* tell(work, updates.renew, change.key, work.now);
      return;
    case "send-parts":
      yield* tell(work, updates.sendParts, change.key, change.upload, change.sizeBytes, work.now);
      return;
    case "name":
      // What was given up is on its way out of the store.
      if ((yield* run(work, updates.written, change.key, change.sizeBytes, work.now)) > 0)
        yield* give(work, change.to, change.key);
      return;
    case "keep":
      yield* keep(work, change);
      return;
    case "share": {
      const key = yield* keyOf(work, change.from);
      if (key !== null) yield* give(work, change.to, key);
      return;
    }
    case "unname":
      yield* take(work, change.from);
      return;
    case "give-up":
      yield* tell(work, updates.giveUp, change.key, work.now);
      return;
    case "forget-writing":
      yield* tell(work, updates.forgetWriting);
      yield* tell(work, updates.forgetReserved);
      return;
    case "end-writing":
      yield* tell(work, updates.endWriting, change.before, work.now);
      yield* tell(work, updates.endReserved, change.before, work.now);
      return;
    case "adopt":
      if (
        (yield* run(work, inserts.adopt, change.key, change.sizeBytes, work.now, change.store)) > 0
      )
        yield* give(work, change.to, change.key);
      return;
    case "removed":
      yield* tell(work, updates.removed, change.key);
      return;
    case "settle":
      yield* tell(work, inserts.settle, change.value, change.text);
      return;
    case "set":
      yield* tell(work, inserts.set, change.value, change.text);
      return;
    case "unset":
      yield* tell(work, updates.unset, change.value);
      return;
  }
}

export function* keyOf(
  work: Pick<RecordWork, "engine">,
  { repository, name }: ObjectName,
): Rule<string | null> {
  const row = yield* get(work, sql.objectKeyOf, repository, name);
  return row === null ? null : String(row["key"]);
}

/** Whether a key waits for a name: it was not given up. */
export function* isReserved(work: Pick<RecordWork, "engine">, key: string): Rule<boolean> {
  return (yield* get(work, sql.objectKeyReserved, key)) !== null;
}

/** The bytes of a key are there. @throws where it was given up meanwhile: its object may be gone. */
export function* written(
  work: RecordWork,
  { key, sizeBytes }: { readonly key: string; readonly sizeBytes: number },
): Rule<void> {
  if ((yield* run(work, updates.written, key, sizeBytes, work.now)) > 0) return;
  throw new Error(`storage: the object ${key} was given up while it was written`);
}

function* keep(
  work: RecordWork,
  { key, base64, store: at, to }: Extract<ObjectChange, { kind: "keep" }>,
): Rule<void> {
  const bytes = Buffer.from(base64, "base64");
  const before = yield* keyOf(work, to);
  if (before !== null && (yield* get(work, sql.objectInlineSame, before, bytes)) !== null) return;
  yield* tell(work, inserts.inline, key, bytes.length, bytes, at);
  yield* rename(work, to, { before, key });
}

/** Gives a key a name, which another one may lose. */
export function* give(work: RecordWork, to: ObjectName, key: string): Rule<void> {
  const before = yield* keyOf(work, to);
  if (before !== key) yield* rename(work, to, { before, key });
}

function* rename(
  work: RecordWork,
  to: ObjectName,
  { before, key }: { readonly before: string | null; readonly key: string },
): Rule<void> {
  yield* tell(work, inserts.name, to.repository, to.name, key, work.now);
  if (before !== null) yield* freeUnnamed(work, before);
}

export function* take(work: RecordWork, name: ObjectName): Rule<void> {
  const key = yield* keyOf(work, name);
  if (key === null) return;
  yield* tell(work, updates.unname, name.repository, name.name);
  yield* freeUnnamed(work, key);
}

function* freeUnnamed(work: RecordWork, key: string): Rule<void> {
  if ((yield* get(work, sql.objectKeyNamed, key)) !== null) return;
  if (key.startsWith(inlinePrefix)) yield* tell(work, updates.freeInline, key);
  else yield* tell(work, updates.free, key, work.now);
}

function reads({ get: one, all: many }: Source): ObjectReads {
  return {
    find: async ({ repository, name }) => one<FoundObject>(sql.objectNamed, repository, name),
    content: async ({ repository, name }) => one<FoundContent>(sql.objectContent, repository, name),
    inQuarantine: async (store) => many(sql.objectsInQuarantine, store),
    garbage: async (store, before, after, limit) =>
      many<FreedObject>(
        sql.objectGarbage,
        store,
        before,
        after?.since ?? 0,
        after?.key ?? "",
        limit,
      ),
    names: async ({ repository, name }, limit) => many(sql.objectsNamed, repository, name, limit),
    sums: async () => ({
      writing: (await one<ObjectSums>(sql.objectsWriting)) ?? noSums,
      garbage: (await one<ObjectSums>(sql.objectsFreed)) ?? noSums,
    }),
    keys: async (after, limit) => many(sql.objectKeys, after, limit),
    stores: async () => many(sql.objectStores),
    key: async (key) => one<KnownObject>(sql.objectKey, key),
    namesOf: async (key, limit) => many(sql.objectNames, key, limit),
    isUnderWay: async (upload) => (await one(sql.objectUnderWay, upload)) !== null,
    keysOf: async (store, after, limit) => many(sql.objectKeysOf, after, store, limit),
    value: async (value) => (await one<{ text: string }>(sql.objectValue, value))?.text ?? null,
  };
}

const noSums: ObjectSums = { objects: 0, bytes: 0 };
