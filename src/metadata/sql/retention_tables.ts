/** What retention keeps and asks (`../retention.ts`), as tables beside those of the metadata. */
import {
  retention,
  type Pulls,
  type RetentionChange,
  type RetentionReads,
  type TagRecord,
} from "../retention.ts";
import type { RecordTables, RecordWork } from "./record_tables.ts";
import { type Rule, tell } from "./statements.ts";
import type { Source } from "./source.ts";

const here = "(SELECT id FROM repositories WHERE name = ?1)";
const tagFacts =
  "SELECT t.name AS tag, t.digest AS digest, t.set_at AS pushedAt, p.pulled_at AS pulledAt, " +
  "l.expires_after AS expiresAfterMs, n.until AS pinnedUntil FROM tags t " +
  "LEFT JOIN retention_pulls p ON p.repository = t.repository AND p.digest = t.digest " +
  "LEFT JOIN retention_labels l ON l.repository = t.repository AND l.digest = t.digest " +
  "LEFT JOIN pins n ON n.repository = t.repository AND n.digest = t.digest";

const sql = {
  retentionTags: `${tagFacts} WHERE t.repository = ${here} AND t.name > ?2 ORDER BY t.name LIMIT ?3`,
  retentionTag: `${tagFacts} WHERE t.repository = ${here} AND t.name = ?2`,
  subjects:
    "SELECT json_each.value AS digest, EXISTS (SELECT 1 FROM manifests m " +
    `WHERE m.repository = ${here} AND m.digest = json_each.value) AS here, ` +
    `(SELECT h.at FROM history h WHERE h.repository = ${here} AND h.tag IS NULL AND h.digest IS NULL ` +
    "AND h.previous = json_each.value ORDER BY h.sequence DESC LIMIT 1) AS goneAt FROM json_each(?2)",
  pulls:
    "SELECT p.digest AS digest, p.pulled_at AS at, p.pulls AS count FROM json_each(?2) " +
    `CROSS JOIN retention_pulls p ON p.repository = ${here} AND p.digest = json_each.value`,
  retentionParents: `SELECT parent FROM manifest_references WHERE repository = ${here} AND child = ?2 LIMIT ?3`,
  retentionReferrers:
    "SELECT digest FROM manifests INDEXED BY manifests_subject " +
    `WHERE repository = ${here} AND subject = ?2 LIMIT ?3`,
  retentionChildren:
    "SELECT r.child AS digest, r.target AS target, b.size AS sizeBytes FROM manifest_references r " +
    "INDEXED BY manifest_references_parent LEFT JOIN blobs b ON b.repository = r.repository AND b.digest = r.child " +
    `WHERE r.repository = ${here} AND r.parent = ?2`,
  looksDue:
    "SELECT r.name AS name FROM retention_looks k INDEXED BY retention_looks_due " +
    "CROSS JOIN repositories r ON r.id = k.repository WHERE k.look_at <= ?1 ORDER BY k.look_at LIMIT ?2",
  retentionValue: "SELECT value FROM retention_values WHERE name = ?1",
} as const;

const writes = {
  pull:
    "INSERT INTO retention_pulls (repository, digest, pulled_at, pulls) SELECT m.repository, m.digest, ?3, ?4 " +
    `FROM manifests m WHERE m.repository = ${here} AND m.digest = ?2 ON CONFLICT (repository, digest) DO UPDATE SET ` +
    "pulled_at = max(retention_pulls.pulled_at, excluded.pulled_at), pulls = retention_pulls.pulls + excluded.pulls",
  label:
    "INSERT INTO retention_labels (repository, digest, expires_after) SELECT id, ?2, ?3 FROM repositories " +
    "WHERE name = ?1 ON CONFLICT (repository, digest) DO UPDATE SET expires_after = excluded.expires_after",
  look:
    "INSERT INTO retention_looks (repository, look_at) SELECT id, ?2 FROM repositories WHERE name = ?1 " +
    "ON CONFLICT (repository) DO UPDATE SET look_at = min(retention_looks.look_at, excluded.look_at)",
  looked:
    "INSERT INTO retention_looks (repository, look_at) SELECT id, ?2 FROM repositories WHERE name = ?1 " +
    "ON CONFLICT (repository) DO UPDATE SET look_at = excluded.look_at WHERE retention_looks.look_at <= ?3",
  dropLook: `DELETE FROM retention_looks WHERE repository = ${here} AND look_at <= ?2`,
  dropLabel: `DELETE FROM retention_labels WHERE repository = ${here} AND digest = ?2`,
  setValue:
    "INSERT INTO retention_values (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
} as const;

/** What is kept of a manifest that is not there. */
const forgotten = ["retention_pulls", "retention_labels"].map(
  (table) =>
    `DELETE FROM ${table} WHERE repository = ${here} AND digest = ?2 AND NOT EXISTS ` +
    `(SELECT 1 FROM manifests m WHERE m.repository = ${here} AND m.digest = ?2)`,
);

export const retentionTables: RecordTables<RetentionChange, RetentionReads> = {
  store: retention,
  steps: [
    {
      version: 1,
      summary: "pulls and labels; repositories that are to be looked at",
      sql: `
        CREATE TABLE retention_pulls (
          repository INTEGER NOT NULL,
          digest     TEXT NOT NULL,
          pulled_at  INTEGER NOT NULL,
          pulls      INTEGER NOT NULL,
          PRIMARY KEY (repository, digest)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE retention_labels (
          repository    INTEGER NOT NULL,
          digest        TEXT NOT NULL,
          expires_after INTEGER NOT NULL,    -- milliseconds from the push of a tag on
          PRIMARY KEY (repository, digest)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE retention_looks (
          repository INTEGER PRIMARY KEY,
          look_at    INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX retention_looks_due ON retention_looks (look_at);
        CREATE TABLE retention_values (
          name  TEXT NOT NULL PRIMARY KEY,
          value TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
      `,
    },
  ],
  sql,
  frees: ({ kind }) => kind === "forget",
  apply,
  reads,
};

function reads({ all }: Source): RetentionReads {
  return {
    tags: async (repository, after, limit) =>
      await all<TagRecord>(sql.retentionTags, repository, after, limit),
    tag: async (repository, tag) =>
      (await all<TagRecord>(sql.retentionTag, repository, tag))[0] ?? null,
    subjects: async (repository, digests) =>
      (
        await all<{ digest: string; here: number; goneAt: number | null }>(
          sql.subjects,
          repository,
          JSON.stringify(digests),
        )
      ).map(({ digest, here: isHere, goneAt }) => ({ digest, isHere: isHere === 1, goneAt })),
    pulls: async (repository, digests) =>
      await all<Omit<Pulls, "repository">>(sql.pulls, repository, JSON.stringify(digests)),
    parents: async (repository, digest, limit) =>
      (await all<{ parent: string }>(sql.retentionParents, repository, digest, limit)).map(
        ({ parent }) => parent,
      ),
    referrers: async (repository, subject, limit) =>
      (await all<{ digest: string }>(sql.retentionReferrers, repository, subject, limit)).map(
        ({ digest }) => digest,
      ),
    children: async (repository, digest) => await all(sql.retentionChildren, repository, digest),
    due: async (until, limit) =>
      (await all<{ name: string }>(sql.looksDue, until, limit)).map(({ name }) => name),
    value: async (name) =>
      (await all<{ value: string }>(sql.retentionValue, name))[0]?.value ?? null,
  };
}

function* apply(work: RecordWork, change: RetentionChange): Rule<void> {
  switch (change.kind) {
    case "add-pulls":
      for (const { repository, digest, at, count, looks } of change.pulls) {
        yield* tell(work, writes.pull, repository, digest, at, count);
        if (looks) yield* tell(work, writes.look, repository, work.now);
      }
      return;
    case "set-expiry": {
      const { repository, digest, expiresAfterMs } = change;
      if (expiresAfterMs === null) yield* tell(work, writes.dropLabel, repository, digest);
      else yield* tell(work, writes.label, repository, digest, expiresAfterMs);
      return;
    }
    case "look-soon":
      for (const repository of change.repositories)
        yield* tell(work, writes.look, repository, work.now);
      return;
    case "looked": {
      const { repository, asOf, lookAt } = change;
      if (lookAt === null) yield* tell(work, writes.dropLook, repository, asOf);
      else yield* tell(work, writes.looked, repository, lookAt, asOf);
      return;
    }
    case "forget":
      for (const { repository, digest } of change.manifests) {
        for (const text of forgotten) yield* tell(work, text, repository, digest);
      }
      return;
    case "set-value":
      yield* tell(work, writes.setValue, change.name, change.value);
      return;
  }
}
