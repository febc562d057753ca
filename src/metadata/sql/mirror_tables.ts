/** What is known of mirrored content (`../mirrors.ts`), as tables beside those of the metadata. */
import type { Epochs } from "../epochs.ts";
import { FactCache } from "../fact_cache.ts";
import {
  mirrors,
  type CachedManifest,
  type CachedTag,
  type MirrorChange,
  type MirrorReads,
} from "../mirrors.ts";
import type { RecordTables, RecordWork } from "./record_tables.ts";
import { type Rule, tell } from "./statements.ts";
import type { Source } from "./source.ts";

const here = "(SELECT id FROM repositories WHERE name = ?1)";

const sql = {
  mirrorOrigin: "SELECT host FROM mirror_origins WHERE repository = ?1",
  mirrorRepositories:
    "SELECT repository, host FROM mirror_origins WHERE repository > ?1 ORDER BY repository LIMIT ?2",
  mirrorTag:
    "SELECT digest, nullif(checked_at, 0) AS checkedAt FROM mirror_tags WHERE repository = ?1 AND tag = ?2",
  mirrorFetched:
    "SELECT 1 AS found FROM mirror_manifests c WHERE c.repository = ?1 AND c.digest = ?2",
  mirrorUsedAt:
    "SELECT coalesce(p.pulled_at, c.fetched_at) AS at FROM mirror_manifests c LEFT JOIN retention_pulls p " +
    `ON p.repository = ${here} AND p.digest = c.digest WHERE c.repository = ?1 AND c.digest = ?2`,
  // A manifest that is not there any more has no row of its own to find.
  mirrorManifests:
    "SELECT c.digest AS digest, m.size AS sizeBytes, coalesce(p.pulled_at, c.fetched_at) AS usedAt " +
    `FROM mirror_manifests c CROSS JOIN manifests m ON m.repository = ${here} AND m.digest = c.digest ` +
    "LEFT JOIN retention_pulls p ON p.repository = m.repository AND p.digest = c.digest " +
    "WHERE c.repository = ?1 AND c.digest > ?2 ORDER BY c.digest LIMIT ?3",
  mirrorOwn:
    `SELECT 1 AS found FROM tags t INDEXED BY tags_digest WHERE t.repository = ${here} AND t.digest = ?2 ` +
    "AND NOT EXISTS (SELECT 1 FROM mirror_tags c WHERE c.repository = ?1 AND c.tag = t.name AND c.digest = ?2) " +
    `UNION ALL SELECT 1 FROM manifests m INDEXED BY manifests_subject WHERE m.repository = ${here} AND m.subject = ?2 ` +
    "AND NOT EXISTS (SELECT 1 FROM mirror_manifests c WHERE c.repository = ?1 AND c.digest = m.digest) LIMIT 1",
  mirrorUsage:
    `SELECT (SELECT coalesce(sum(size), 0) FROM blobs WHERE repository = ${here} AND digest > '') + ` +
    `(SELECT coalesce(sum(size), 0) FROM manifests WHERE repository = ${here} AND digest > '') AS bytes`,
} as const;

/** Whether a manifest of a repository came from an upstream, and whether a push has named it. */
export const mirrorOwnership = {
  cached: "SELECT 1 FROM mirror_manifests WHERE repository = ?1 AND digest = ?2",
  own: sql.mirrorOwn,
} as const;

const writes = {
  setOrigin:
    "INSERT INTO mirror_origins (repository, host, since) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
  forgetOrigin: "DELETE FROM mirror_origins WHERE repository = ?1",
  cacheTag:
    "INSERT INTO mirror_tags (repository, tag, digest, checked_at) VALUES (?1, ?2, ?3, ?4) " +
    "ON CONFLICT (repository, tag) DO UPDATE SET digest = excluded.digest, checked_at = excluded.checked_at",
  forgetTag: "DELETE FROM mirror_tags WHERE repository = ?1 AND tag = ?2",
  forgetTagsOf: "DELETE FROM mirror_tags WHERE repository = ?1 AND digest = ?2",
  cacheManifest:
    "INSERT INTO mirror_manifests (repository, digest, fetched_at) VALUES (?1, ?2, ?3) " +
    "ON CONFLICT (repository, digest) DO UPDATE SET fetched_at = excluded.fetched_at",
  forgetManifest: "DELETE FROM mirror_manifests WHERE repository = ?1 AND digest = ?2",
} as const;

/** Changes after which less is kept. */
const freeing: Readonly<Record<MirrorChange["kind"], boolean>> = {
  "set-origin": false,
  "forget-origin": true,
  "cache-tag": false,
  "forget-tag": true,
  "cache-manifest": false,
  "own-manifest": true,
  "forget-manifest": true,
};

export const mirrorTables: RecordTables<MirrorChange, MirrorReads> = {
  store: mirrors,
  steps: [
    {
      version: 1,
      summary: "upstreams of repositories, and which tags and manifests came from there",
      sql: `
        CREATE TABLE mirror_origins (
          repository TEXT NOT NULL PRIMARY KEY,
          host       TEXT NOT NULL,
          since      INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE mirror_tags (
          repository TEXT NOT NULL,
          tag        TEXT NOT NULL,
          digest     TEXT NOT NULL,
          checked_at INTEGER NOT NULL,
          PRIMARY KEY (repository, tag)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX mirror_tags_digest ON mirror_tags (repository, digest);
        CREATE TABLE mirror_manifests (
          repository TEXT NOT NULL,
          digest     TEXT NOT NULL,
          fetched_at INTEGER NOT NULL,
          PRIMARY KEY (repository, digest)
        ) STRICT, WITHOUT ROWID;
      `,
    },
  ],
  sql,
  frees: ({ kind }) => freeing[kind],
  apply,
  reads,
};

function* apply(work: RecordWork, change: MirrorChange): Rule<void> {
  const { repository } = change;
  switch (change.kind) {
    case "set-origin":
      yield* tell(work, writes.setOrigin, repository, change.host, change.at);
      return;
    case "forget-origin":
      yield* tell(work, writes.forgetOrigin, repository);
      return;
    case "cache-tag":
      yield* tell(
        work,
        writes.cacheTag,
        repository,
        change.tag,
        change.digest,
        change.checkedAt ?? 0,
      );
      return;
    case "forget-tag":
      yield* tell(work, writes.forgetTag, repository, change.tag);
      return;
    case "cache-manifest":
      yield* tell(work, writes.cacheManifest, repository, change.digest, change.at);
      return;
    case "own-manifest":
      yield* tell(work, writes.forgetManifest, repository, change.digest);
      return;
    case "forget-manifest":
      yield* tell(work, writes.forgetManifest, repository, change.digest);
      yield* tell(work, writes.forgetTagsOf, repository, change.digest);
      return;
  }
}

type Remembering<T> = (
  repository: string,
  key: string,
  read: () => Promise<T | null>,
) => Promise<T | null>;

/** Every pull asks for the first three: workers remember them, but never that something is absent. */
function reads(source: Source, epochs: Epochs | null): MirrorReads {
  const { get, all } = source;
  const remembered = <T>(): Remembering<T> => {
    if (epochs === null) return (_repository, _key, read) => read();
    const facts = new FactCache<T>(epochs);
    return (...asked) => facts.getLater(...asked);
  };
  const [origins, tags, fetched] = [
    remembered<string>(),
    remembered<CachedTag>(),
    remembered<true>(),
  ];
  return {
    origin: async (repository) =>
      origins(repository, "", async () => {
        const found = await get<{ host: string }>(sql.mirrorOrigin, repository);
        return found?.host ?? null;
      }),
    tag: async (repository, tag) =>
      tags(repository, tag, async () => await get<CachedTag>(sql.mirrorTag, repository, tag)),
    isFetched: async (repository, digest) =>
      (await fetched(repository, digest, async () => {
        const found = await get(sql.mirrorFetched, repository, digest);
        return found === null ? null : true;
      })) !== null,
    repositories: async (after, limit) => all(sql.mirrorRepositories, after, limit),
    usedAt: async (repository, digest) =>
      (await get<{ at: number }>(sql.mirrorUsedAt, repository, digest))?.at ?? null,
    hasOwn: async (repository, digest) => (await get(sql.mirrorOwn, repository, digest)) !== null,
    manifests: async (repository, after, limit) =>
      all<CachedManifest>(sql.mirrorManifests, repository, after, limit),
    usage: async (repository) =>
      (await get<{ bytes: number }>(sql.mirrorUsage, repository))?.bytes ?? 0,
  };
}
