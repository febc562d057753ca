/**
 * Keys of objects and their names (`../objects.ts`), as tables beside those of the metadata; and the look at them that a
 * commit takes (`BytesUnderLock`), in its own transaction.
 */
import type { Database } from "bun:sqlite";
import type { BytesUnderLock } from "../metadata.ts";
import {
  objects,
  type FoundObject,
  type FreedObject,
  type ObjectChange,
  type ObjectName,
  type ObjectReads,
  type ObjectSums,
} from "../objects.ts";
import type { RecordTables, RecordWork } from "./record_tables.ts";
import { get, run } from "./statements.ts";

/** The repository of what lies in quarantine. */
const quarantine = "";

const sql = {
  objectNamed:
    "SELECT k.key AS key, k.size AS sizeBytes FROM objects_names n CROSS JOIN objects_keys k ON k.key = n.key " +
    "WHERE n.repository = ?1 AND n.name = ?2",
  objectsInQuarantine:
    "SELECT n.name AS name, k.size AS sizeBytes FROM objects_names n CROSS JOIN objects_keys k ON k.key = n.key " +
    "WHERE n.repository = '' AND n.name > '' ORDER BY n.name",
  objectGarbage:
    "SELECT key, upload FROM objects_keys INDEXED BY objects_garbage WHERE state = 'garbage' AND since < ?1 " +
    "ORDER BY since LIMIT ?2",
  objectsWriting:
    "SELECT count(*) AS objects, coalesce(sum(size), 0) AS bytes FROM objects_keys INDEXED BY objects_writing " +
    "WHERE state = 'writing' AND since > 0",
  objectsFreed:
    "SELECT count(*) AS objects, coalesce(sum(size), 0) AS bytes FROM objects_keys INDEXED BY objects_garbage " +
    "WHERE state = 'garbage' AND since > 0",
  objectKeys:
    "SELECT key, size AS sizeBytes, state, since FROM objects_keys WHERE key > ?1 ORDER BY key LIMIT ?2",
  objectKeyNamed: "SELECT 1 FROM objects_names WHERE key = ?1 LIMIT 1",
  objectValue: "SELECT text FROM objects_values WHERE value = ?1",
} as const;

const inserts = {
  begin: "INSERT INTO objects_keys (key, state, size, since) VALUES (?1, 'writing', ?2, ?3)",
  name:
    "INSERT INTO objects_names (repository, name, key) VALUES (?1, ?2, ?3) " +
    "ON CONFLICT (repository, name) DO UPDATE SET key = excluded.key",
  set: "INSERT INTO objects_values (value, text) VALUES (?1, ?2) ON CONFLICT (value) DO UPDATE SET text = excluded.text",
} as const;

const updates = {
  renew: "UPDATE objects_keys SET since = ?2 WHERE key = ?1 AND state = 'writing'",
  sendParts: "UPDATE objects_keys SET upload = ?2 WHERE key = ?1 AND state = 'writing'",
  written:
    "UPDATE objects_keys SET state = 'content', upload = NULL, since = ?2 WHERE key = ?1 AND state IN ('writing', 'content')",
  unname: "DELETE FROM objects_names WHERE repository = ?1 AND name = ?2",
  free: "UPDATE objects_keys SET state = 'garbage', since = ?2 WHERE key = ?1 AND state <> 'garbage'",
  giveUp:
    "UPDATE objects_keys SET state = 'garbage', since = ?2 WHERE key = ?1 AND state = 'writing'",
  endWriting:
    "UPDATE objects_keys SET state = 'garbage', since = ?2 WHERE state = 'writing' AND since < ?1",
  removed: "DELETE FROM objects_keys WHERE key = ?1 AND state = 'garbage'",
} as const;

/** Changes after which less is kept, here or in the store. */
const freeing: Readonly<Record<ObjectChange["kind"], boolean>> = {
  begin: false,
  renew: false,
  "send-parts": false,
  name: false,
  share: false,
  unname: true,
  "give-up": true,
  "end-writing": true,
  removed: true,
  set: false,
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
  ],
  sql: { ...sql, ...updates },
  frees: ({ kind }) => freeing[kind],
  apply,
  reads,
};

function apply(work: RecordWork, change: ObjectChange): void {
  switch (change.kind) {
    case "begin":
      run(work, inserts.begin, change.key, change.sizeBytes, work.now);
      return;
    case "renew":
      run(work, updates.renew, change.key, work.now);
      return;
    case "send-parts":
      run(work, updates.sendParts, change.key, change.upload);
      return;
    case "name":
      // What was given up is on its way out of the store.
      if (run(work, updates.written, change.key, work.now) > 0) give(work, change.to, change.key);
      return;
    case "share": {
      const key = keyOf(work, change.from);
      if (key !== null) give(work, change.to, key);
      return;
    }
    case "unname":
      take(work, change.from);
      return;
    case "give-up":
      run(work, updates.giveUp, change.key, work.now);
      return;
    case "end-writing":
      run(work, updates.endWriting, change.before, work.now);
      return;
    case "removed":
      run(work, updates.removed, change.key);
      return;
    case "set":
      run(work, inserts.set, change.value, change.text);
      return;
  }
}

function keyOf(
  work: Pick<RecordWork, "database">,
  { repository, name }: ObjectName,
): string | null {
  const row = get(work, sql.objectNamed, repository, name);
  return row === null ? null : String(row["key"]);
}

/** Gives a key a name, which another one may lose. */
function give(work: RecordWork, to: ObjectName, key: string): void {
  const before = keyOf(work, to);
  if (before === key) return;
  run(work, inserts.name, to.repository, to.name, key);
  if (before !== null) freeUnnamed(work, before);
}

function take(work: RecordWork, name: ObjectName): void {
  const key = keyOf(work, name);
  if (key === null) return;
  run(work, updates.unname, name.repository, name.name);
  freeUnnamed(work, key);
}

function freeUnnamed(work: RecordWork, key: string): void {
  if (get(work, sql.objectKeyNamed, key) === null) run(work, updates.free, key, work.now);
}

function reads(database: Database): ObjectReads {
  const get = <T>(text: string, ...values: (string | number)[]): T | null =>
    database.query<T, (string | number)[]>(text).get(...values);
  const all = <T>(text: string, ...values: (string | number)[]): T[] =>
    database.query<T, (string | number)[]>(text).all(...values);
  return {
    find: async ({ repository, name }) => get<FoundObject>(sql.objectNamed, repository, name),
    inQuarantine: async () => all(sql.objectsInQuarantine),
    garbage: async (before, limit) => all<FreedObject>(sql.objectGarbage, before, limit),
    sums: async () => ({
      writing: get<ObjectSums>(sql.objectsWriting) ?? noSums,
      garbage: get<ObjectSums>(sql.objectsFreed) ?? noSums,
    }),
    keys: async (after, limit) => all(sql.objectKeys, after, limit),
    value: async (value) => get<{ text: string }>(sql.objectValue, value)?.text ?? null,
  };
}

const noSums: ObjectSums = { objects: 0, bytes: 0 };

/** Bytes in a store of objects, as a commit looks at them: by their rows, in its transaction. */
export function objectsUnderLock(database: Database, now: () => number): BytesUnderLock {
  const key = (repository: string, name: string): string | null =>
    keyOf({ database }, { repository, name });
  const keptAs = (stamp: string, name: string): { name: string; isThere: boolean } => {
    for (let count = 1; ; count += 1) {
      const tried = count === 1 ? name : `${name}.${count}`;
      const other = key(quarantine, tried);
      if (other === null || other === stamp) return { name: tried, isThere: other !== null };
    }
  };
  return {
    present: (repository, digest) => key(repository, digest) !== null,
    remove: (repository, digest) => take({ database, now: now() }, { repository, name: digest }),
    stamp: (repository, digest) => key(repository, digest),
    quarantine: (repository, digest, { stamp, name }) => {
      const found = key(repository, digest);
      const kept = keptAs(stamp, name);
      if (found === null) return kept.isThere ? kept.name : null;
      if (found !== stamp) return null;
      const work = { database, now: now() };
      give(work, { repository: quarantine, name: kept.name }, stamp);
      take(work, { repository, name: digest });
      return kept.name;
    },
  };
}
