/**
 * What collection asks about candidates (`candidates.ts` writes them), and the few values that it keeps, in SQLite.
 */
import {
  collection,
  type BlobFacts,
  type Candidate,
  type CollectionChange,
  type CollectionReads,
  type ManifestFacts,
} from "../collection.ts";
import type { RecordTables, RecordWork } from "./record_tables.ts";
import { namingTables } from "./preconditions.ts";
import { type Rule, tell } from "./statements.ts";
import type { Source } from "./source.ts";

const found =
  "SELECT r.name AS repository, c.digest AS digest, c.kind AS kind, c.since AS since, c.look_at AS lookAt, " +
  "c.reason AS reason FROM candidates c INDEXED BY candidates_due CROSS JOIN repositories r ON r.id = c.repository";
const here = "(SELECT id FROM repositories WHERE name = ?1)";

const sql = {
  due: `${found} WHERE c.kind = ?1 AND c.look_at <= ?2 ORDER BY c.look_at, c.repository, c.digest LIMIT ?3`,
  dueAfter:
    `${found} WHERE c.kind = ?1 AND c.look_at <= ?2 AND (c.look_at, c.repository, c.digest) > ` +
    "(?4, (SELECT id FROM repositories WHERE name = ?5), ?6) " +
    "ORDER BY c.look_at, c.repository, c.digest LIMIT ?3",
  nextLook:
    "SELECT look_at AS at FROM candidates INDEXED BY candidates_due WHERE kind = ?1 " +
    "ORDER BY kind, look_at LIMIT 1",
  hasLater:
    "SELECT 1 AS found WHERE EXISTS (SELECT 1 FROM candidates INDEXED BY candidates_kept WHERE kind = ?1 " +
    "AND look_at > since) OR EXISTS (SELECT 1 FROM candidates INDEXED BY candidates_due WHERE kind = ?1 AND look_at > ?2)",
  candidate: `SELECT since, look_at AS lookAt FROM candidates WHERE repository = ${here} AND digest = ?2 AND kind = ?3`,
  // Of several that name it one is looked at: then something may wait longer than it must.
  isWaiting:
    `WITH named (level, digest) AS (VALUES (0, ?2) UNION ALL SELECT level + 1, (SELECT parent FROM manifest_references ` +
    `WHERE repository = ${here} AND child = named.digest LIMIT 1) FROM named WHERE level < 16 AND named.digest IS NOT NULL) ` +
    `SELECT 1 AS found FROM named CROSS JOIN candidates c ON c.repository = ${here} AND c.digest = named.digest ` +
    "WHERE c.since <= CASE c.kind WHEN 'blob' THEN ?3 ELSE ?4 END AND NOT EXISTS (SELECT 1 FROM candidates p " +
    `WHERE p.repository = ${here} AND p.digest = ?2 AND p.kind = ?5 ` +
    "AND p.since > CASE p.kind WHEN 'blob' THEN ?3 ELSE ?4 END) LIMIT 1",
  isBlobHere: `SELECT 1 AS found FROM blobs WHERE repository = ${here} AND digest = ?2`,
  isManifestHere: `SELECT 1 AS found FROM manifests WHERE repository = ${here} AND digest = ?2`,
  parent: `SELECT parent FROM manifest_references WHERE repository = ${here} AND child = ?2 LIMIT 1`,
  blob:
    "SELECT b.size AS sizeBytes, b.linked_at AS linkedAt, (SELECT until FROM pins p WHERE p.repository = b.repository " +
    `AND p.digest = b.digest) AS pinnedUntil FROM blobs b WHERE b.repository = ${here} AND b.digest = ?2`,
  manifest:
    "SELECT m.size AS sizeBytes, m.media_type AS mediaType, m.artifact_type AS artifactType, m.pushed_at AS pushedAt, " +
    "m.pushed_by AS pushedBy, m.subject AS subject, EXISTS (SELECT 1 FROM manifests s WHERE s.repository = m.repository " +
    "AND s.digest = m.subject) AS subjectHere, (SELECT until FROM pins p WHERE p.repository = m.repository " +
    "AND p.digest = m.digest) AS pinnedUntil, (SELECT count(*) FROM manifest_references r " +
    "INDEXED BY manifest_references_parent WHERE r.repository = m.repository AND r.parent = m.digest) AS refs " +
    `FROM manifests m WHERE m.repository = ${here} AND m.digest = ?2`,
  tags: `SELECT name FROM tags WHERE repository = ${here} AND digest = ?2 ORDER BY name LIMIT ?3`,
  untaggedIn:
    "SELECT c.digest AS digest, c.since AS since, m.pushed_at AS pushedAt FROM candidates c " +
    "CROSS JOIN manifests m ON m.repository = c.repository AND m.digest = c.digest " +
    `WHERE c.repository = ${here} AND c.digest > '' AND c.kind = 'manifest' AND m.subject IS NULL ` +
    "AND NOT EXISTS (SELECT 1 FROM tags t WHERE t.repository = c.repository AND t.digest = c.digest) " +
    "AND NOT EXISTS (SELECT 1 FROM manifest_references r WHERE r.repository = c.repository AND r.child = c.digest) " +
    "ORDER BY c.digest LIMIT ?2",
  holds:
    `SELECT ${namingTables
      .map(
        (table) => `EXISTS (SELECT 1 FROM ${table} t WHERE t.repository = r.id AND t.digest > '')`,
      )
      .join(" OR ")} AS content, ` +
    "EXISTS (SELECT 1 FROM orphans o WHERE o.repository = r.id AND o.digest > '') AS orphans " +
    "FROM repositories r WHERE r.name = ?1",
  value: "SELECT value FROM collection_values WHERE name = ?1",
  strays:
    "SELECT s.digest AS digest FROM json_each(?2) CROSS JOIN collection_strays s " +
    `ON s.repository = ${here} AND s.digest = json_each.value AND s.walk < ?3`,
  lookAgain:
    "UPDATE candidates SET since = min(since, ?2), look_at = min(since, ?2) WHERE (repository, digest, kind) IN " +
    "(SELECT repository, digest, kind FROM candidates INDEXED BY candidates_due " +
    "WHERE kind = ?1 AND look_at > ?2 ORDER BY look_at LIMIT ?3)",
  lookAgainAtKept:
    "UPDATE candidates SET since = min(since, ?2), look_at = min(since, ?2) WHERE (repository, digest, kind) IN " +
    "(SELECT repository, digest, kind FROM candidates INDEXED BY candidates_kept " +
    "WHERE kind = ?1 AND look_at > since LIMIT ?3)",
  lookAgainIn:
    "UPDATE candidates SET since = min(since, ?2), look_at = min(since, ?2) WHERE kind = 'manifest' " +
    "AND repository = (SELECT id FROM repositories WHERE name = ?1) AND digest > '' " +
    "AND (look_at > since OR look_at > ?2)",
  forget: "DELETE FROM collection_strays WHERE walk < ?1",
} as const;

const writes = {
  set: "INSERT INTO collection_values (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
  note:
    "INSERT INTO collection_strays (repository, digest, walk) SELECT id, ?2, ?3 FROM repositories " +
    "WHERE name = ?1 ON CONFLICT DO NOTHING",
} as const;

export const collectionTables: RecordTables<CollectionChange, CollectionReads> = {
  store: collection,
  steps: [
    {
      version: 1,
      summary: "values that collection keeps, and files that a walk found and nothing names",
      sql: `
        CREATE TABLE collection_values (
          name  TEXT NOT NULL PRIMARY KEY,
          value TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE collection_strays (
          repository INTEGER NOT NULL,
          digest     TEXT NOT NULL,
          walk       INTEGER NOT NULL,       -- when the walk began that found it first
          PRIMARY KEY (repository, digest)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX collection_strays_walk ON collection_strays (walk);
      `,
    },
    {
      version: 2,
      summary: "candidates that something keeps are found when rules change",
      sql: "CREATE INDEX candidates_kept ON candidates (kind) WHERE look_at > since;",
    },
  ],
  sql,
  // Each makes a collection possible, or is a few bytes.
  frees: () => true,
  apply,
  reads,
};

function* apply(work: RecordWork, change: CollectionChange): Rule<void> {
  switch (change.kind) {
    case "set":
      yield* tell(work, writes.set, change.name, change.value);
      return;
    case "look-again":
      yield* tell(work, sql.lookAgain, change.of, change.now, change.limit);
      yield* tell(work, sql.lookAgainAtKept, change.of, change.now, change.limit);
      return;
    case "look-again-in":
      yield* tell(work, sql.lookAgainIn, change.repository, change.now);
      return;
    case "note-strays":
      for (const digest of change.digests)
        yield* tell(work, writes.note, change.repository, digest, change.walk);
      return;
    case "forget-strays":
      yield* tell(work, sql.forget, change.walk);
      return;
  }
}

type ManifestRow = Omit<ManifestFacts, "tags" | "parent" | "isSubjectHere" | "references"> & {
  readonly subjectHere: number;
  readonly refs: number;
};

const noBlob = { sizeBytes: null, linkedAt: null, pinnedUntil: null };

const noManifest: ManifestRow = {
  sizeBytes: null,
  mediaType: null,
  artifactType: null,
  pushedAt: null,
  pushedBy: null,
  subject: null,
  pinnedUntil: null,
  subjectHere: 0,
  refs: 0,
};

function reads(source: Source): CollectionReads {
  const { get, all } = source;
  const parentOf = async (repository: string, digest: string): Promise<string | null> =>
    (await get<{ parent: string }>(sql.parent, repository, digest))?.parent ?? null;
  return {
    due: async (kind, until, after, limit) =>
      after === null
        ? await all<Candidate>(sql.due, kind, until, limit)
        : await all<Candidate>(
            sql.dueAfter,
            kind,
            until,
            limit,
            after.lookAt,
            after.repository,
            after.digest,
          ),
    nextLook: async (kind) => (await get<{ at: number }>(sql.nextLook, kind))?.at ?? null,
    hasLater: async (kind, moment) => (await get(sql.hasLater, kind, moment)) !== null,
    candidate: async (repository, digest, kind) =>
      await get(sql.candidate, repository, digest, kind),
    // That it is here is asked last: what goes in between has waited.
    isWaiting: async (repository, digest, as, since) =>
      (await get(sql.isWaiting, repository, digest, since.blob, since.manifest, as)) !== null ||
      (await get(as === "blob" ? sql.isBlobHere : sql.isManifestHere, repository, digest)) === null,
    blob: async (repository, digest) => {
      const row = await get<Omit<BlobFacts, "parent">>(sql.blob, repository, digest);
      const parent = await parentOf(repository, digest);
      return { ...(row ?? noBlob), parent };
    },
    manifest: async (repository, digest, tagsMax) => {
      const row = await get<ManifestRow>(sql.manifest, repository, digest);
      const { subjectHere, refs, ...facts } = row ?? noManifest;
      const tags = await all<{ name: string }>(sql.tags, repository, digest, tagsMax);
      return {
        ...facts,
        isSubjectHere: subjectHere === 1,
        references: refs,
        tags: tags.map(({ name }) => name),
        parent: await parentOf(repository, digest),
      };
    },
    holds: async (repository) => {
      const found = await get<{ content: number; orphans: number }>(sql.holds, repository);
      if (found?.content === 1) return "content";
      return found?.orphans === 1 ? "orphans" : "nothing";
    },
    untaggedIn: async (repository, limit) => await all(sql.untaggedIn, repository, limit),
    value: async (name) => (await get<{ value: string }>(sql.value, name))?.value ?? null,
    strays: async (repository, digests, before) =>
      (await all<{ digest: string }>(sql.strays, repository, JSON.stringify(digests), before)).map(
        ({ digest }) => digest,
      ),
  };
}
