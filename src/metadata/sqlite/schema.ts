/**
 * The tables of the SQLite store, and the numbered steps that lead to them.
 *
 * `migrate` brings an older database up to this version inside one transaction, and rejects a database that a newer
 * version wrote rather than damage it. Digests are text as on the wire; times are milliseconds since the epoch; a
 * repository is a small number everywhere but in its own row. `../metadata.ts` says what the rows mean.
 */
import type { Database } from "bun:sqlite";
import type { RecordChange } from "../records.ts";
import type { RecordTables, Stores } from "../sql/record_tables.ts";
import { usageSchema } from "./usage_schema.ts";
import { dropFirstUsageTriggers, usageTriggers } from "./usage_triggers.ts";

interface Migration {
  readonly version: number;
  readonly summary: string;
  readonly sql: string;
}

export const migrations: readonly Migration[] = [
  {
    version: 1,
    summary: "repositories, blobs, manifests, tags, references, history, orphans",
    sql: `
      CREATE TABLE repositories (
        id            INTEGER PRIMARY KEY,
        name          TEXT NOT NULL UNIQUE,
        created_at    INTEGER NOT NULL,
        generation    INTEGER NOT NULL DEFAULT 1,
        projected     INTEGER NOT NULL DEFAULT 0,
        stale_since   INTEGER,            -- null when index.json is up to date
        stamp_current TEXT,
        stamp_next    TEXT
      ) STRICT;
      CREATE INDEX repositories_stale ON repositories (stale_since) WHERE stale_since IS NOT NULL;

      CREATE TABLE blobs (
        repository INTEGER NOT NULL REFERENCES repositories (id),
        digest     TEXT NOT NULL,
        size       INTEGER NOT NULL,
        linked_at  INTEGER NOT NULL,      -- last push or mount: the grace period counts from here
        PRIMARY KEY (repository, digest)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX blobs_digest ON blobs (digest);

      CREATE TABLE manifests (
        repository    INTEGER NOT NULL REFERENCES repositories (id),
        digest        TEXT NOT NULL,
        media_type    TEXT NOT NULL,
        size          INTEGER NOT NULL,
        subject       TEXT,
        artifact_type TEXT,
        annotations   TEXT,               -- JSON, only beside a subject; since version 3 see long_annotations
        pushed_at     INTEGER NOT NULL,
        pushed_by     TEXT,
        PRIMARY KEY (repository, digest)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX manifests_subject ON manifests (repository, subject, digest) WHERE subject IS NOT NULL;

      CREATE TABLE manifest_references (
        repository INTEGER NOT NULL,
        parent     TEXT NOT NULL,
        child      TEXT NOT NULL,
        target     TEXT NOT NULL,         -- 'blob' or 'manifest'
        PRIMARY KEY (repository, child, parent)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX manifest_references_parent ON manifest_references (repository, parent);

      CREATE TABLE tags (
        repository INTEGER NOT NULL REFERENCES repositories (id),
        name       TEXT NOT NULL,
        digest     TEXT NOT NULL,
        set_at     INTEGER NOT NULL,
        PRIMARY KEY (repository, name)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX tags_digest ON tags (repository, digest);

      CREATE TABLE history (
        sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
        repository INTEGER NOT NULL,
        tag        TEXT,                  -- null for a manifest removed by digest
        digest     TEXT,                  -- null when the tag was removed
        previous   TEXT,
        at         INTEGER NOT NULL,
        by         TEXT,
        generation INTEGER NOT NULL       -- of the repository, with this change in it
      ) STRICT;
      CREATE INDEX history_repository ON history (repository, sequence);
      CREATE INDEX history_tag ON history (repository, tag, sequence);

      CREATE TABLE orphans (
        repository INTEGER NOT NULL,
        digest     TEXT NOT NULL,
        since      INTEGER NOT NULL,
        generation INTEGER NOT NULL,      -- the first one whose index.json has no use for the bytes
        PRIMARY KEY (repository, digest)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX orphans_since ON orphans (since);
    `,
  },
  {
    version: 2,
    summary: "API keys",
    sql: `
      CREATE TABLE api_keys (
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
        last_used_at INTEGER
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX api_keys_owner ON api_keys (owner, created_at, id);
    `,
  },
  {
    version: 3,
    summary: "long annotations lie apart from the rows that every look-up compares",
    sql: `
      CREATE TABLE long_annotations (
        id         INTEGER PRIMARY KEY,
        repository INTEGER NOT NULL,
        manifest   TEXT NOT NULL,
        text       TEXT NOT NULL
      ) STRICT;
      CREATE UNIQUE INDEX long_annotations_manifest ON long_annotations (repository, manifest);
    `,
  },
  {
    version: 4,
    summary: "removed manifests are found by their digest; a repository's generations are its own",
    sql: `
      ALTER TABLE repositories ADD COLUMN origin TEXT NOT NULL DEFAULT '';
      UPDATE repositories SET origin = lower(hex(randomblob(8)));
      CREATE INDEX history_removed ON history (repository, previous, sequence)
        WHERE tag IS NULL AND digest IS NULL;
    `,
  },
  {
    version: 5,
    summary: "who has a name is told from who had it",
    sql: `
      CREATE TABLE file_users (            -- names of the htpasswd file that have logged in
        name        TEXT NOT NULL PRIMARY KEY,
        incarnation TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      ALTER TABLE api_keys ADD COLUMN incarnation TEXT;
    `,
  },
  {
    version: 6,
    summary:
      "stores of records beside the facts have versions of their own; history tells what was pointed at",
    sql: `
      CREATE TABLE record_stores (
        name    TEXT NOT NULL PRIMARY KEY,
        version INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      ALTER TABLE history ADD COLUMN media_type TEXT;          -- of digest
      ALTER TABLE history ADD COLUMN size INTEGER;
      ALTER TABLE history ADD COLUMN previous_media_type TEXT; -- of previous
      ALTER TABLE history ADD COLUMN previous_size INTEGER;
      ALTER TABLE history ADD COLUMN previous_at INTEGER;      -- when the tag was set there, or the manifest pushed
      UPDATE history SET (media_type, size) = (SELECT m.media_type, m.size FROM manifests m
        WHERE m.repository = history.repository AND m.digest = history.digest) WHERE digest IS NOT NULL;
      UPDATE history SET (previous_media_type, previous_size) = (SELECT m.media_type, m.size FROM manifests m
        WHERE m.repository = history.repository AND m.digest = history.previous) WHERE previous IS NOT NULL;
      UPDATE history SET previous_at = (SELECT earlier.at FROM history earlier
        WHERE earlier.repository = history.repository AND earlier.tag = history.tag
          AND earlier.sequence < history.sequence ORDER BY earlier.sequence DESC LIMIT 1)
        WHERE tag IS NOT NULL AND previous IS NOT NULL;
    `,
  },
  {
    version: 7,
    summary: "history is a feed: pushes that set no tag are in it, and in no index but their own",
    sql: `
      DROP INDEX history_repository;
      CREATE INDEX history_repository ON history (repository, sequence)
        WHERE tag IS NOT NULL OR digest IS NULL;
      DROP INDEX history_tag;
      CREATE INDEX history_tag ON history (repository, tag, sequence) WHERE tag IS NOT NULL;
      CREATE INDEX history_pushed ON history (sequence) WHERE tag IS NULL AND digest IS NOT NULL;
    `,
  },
  {
    version: 8,
    summary: "states of layouts are a store of their own; a repository tells when it changed",
    sql: `
      CREATE TABLE layouts (
        repository    INTEGER PRIMARY KEY,
        projected     INTEGER NOT NULL DEFAULT 0,
        stale_since   INTEGER,
        stamp_current TEXT,
        stamp_next    TEXT
      ) STRICT;
      INSERT INTO layouts SELECT id, projected, stale_since, stamp_current, stamp_next FROM repositories;
      CREATE INDEX layouts_stale ON layouts (stale_since) WHERE stale_since IS NOT NULL;
      DROP INDEX repositories_stale;
      ALTER TABLE repositories DROP COLUMN projected;
      ALTER TABLE repositories DROP COLUMN stale_since;
      ALTER TABLE repositories DROP COLUMN stamp_current;
      ALTER TABLE repositories DROP COLUMN stamp_next;
      ALTER TABLE repositories ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0; -- when its generation was raised
      UPDATE repositories SET changed_at = created_at;
      UPDATE repositories SET changed_at = last.at
        FROM (SELECT repository, max(at) AS at FROM history GROUP BY repository) AS last
        WHERE last.repository = repositories.id;
    `,
  },
  {
    version: 9,
    summary: "every event of a repository has a moment of its own, and may have a reason",
    // A moment is the time in microseconds, and later than that of the event before.
    sql: `
      ALTER TABLE history ADD COLUMN moment INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE history ADD COLUMN reason TEXT;
      WITH counted AS (
        SELECT sequence, repository, at,
          row_number() OVER (PARTITION BY repository ORDER BY sequence) AS place FROM history
      ), moments AS (
        SELECT sequence, place + max(at * 1000 - place)
          OVER (PARTITION BY repository ORDER BY sequence) AS moment FROM counted
      )
      UPDATE history SET moment = moments.moment FROM moments
        WHERE moments.sequence = history.sequence;
    `,
  },
  {
    version: 10,
    summary: "what nothing names is known from the commit that left it so; repositories may go",
    sql: `
      CREATE TABLE candidates (
        repository INTEGER NOT NULL,
        digest     TEXT NOT NULL,         -- empty for the repository itself
        kind       TEXT NOT NULL,         -- 'blob', 'manifest' or 'repository'
        since      INTEGER NOT NULL,      -- when its last name went
        look_at    INTEGER NOT NULL,      -- the same, or later where a rule keeps it until then
        reason     TEXT NOT NULL,
        PRIMARY KEY (repository, digest, kind)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX candidates_due ON candidates (kind, look_at);
      -- Since when nothing named what is there is not known: it waits from now on.
      INSERT INTO candidates SELECT b.repository, b.digest, 'blob', now, now, 'unnamed'
        FROM blobs b, (SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now)
        WHERE NOT EXISTS (SELECT 1 FROM manifest_references r
          WHERE r.repository = b.repository AND r.child = b.digest);
      INSERT INTO candidates SELECT m.repository, m.digest, 'manifest', now, now,
          CASE WHEN m.subject IS NULL THEN 'untagged' ELSE 'no-subject' END
        FROM manifests m, (SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now)
        WHERE NOT EXISTS (SELECT 1 FROM tags t WHERE t.repository = m.repository AND t.digest = m.digest
            AND (t.name < 'sha256-' OR t.name >= 'sha256.'))
          AND NOT EXISTS (SELECT 1 FROM manifest_references r
            WHERE r.repository = m.repository AND r.child = m.digest)
          AND (m.subject IS NULL OR NOT EXISTS (SELECT 1 FROM manifests s
            WHERE s.repository = m.repository AND s.digest = m.subject));
      INSERT INTO candidates SELECT r.id, '', 'repository', now, now, 'empty'
        FROM repositories r, (SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now)
        WHERE NOT EXISTS (SELECT 1 FROM blobs b WHERE b.repository = r.id)
          AND NOT EXISTS (SELECT 1 FROM manifests m WHERE m.repository = r.id);

      -- A repository that was removed keeps its number, by which its history is known.
      ALTER TABLE repositories ADD COLUMN removed_at INTEGER;
      CREATE UNIQUE INDEX repositories_present ON repositories (name) WHERE removed_at IS NULL;
    `,
  },
  {
    version: 11,
    summary: "content that only undo holds; what retention leaves alone for a time",
    sql: `
      CREATE TABLE held_manifests (
        repository    INTEGER NOT NULL REFERENCES repositories (id),
        digest        TEXT NOT NULL,
        media_type    TEXT NOT NULL,
        size          INTEGER NOT NULL,
        subject       TEXT,
        artifact_type TEXT,
        annotations   TEXT,
        pushed_at     INTEGER NOT NULL,
        pushed_by     TEXT,
        since         INTEGER NOT NULL,     -- when the time for an undo began
        why           TEXT NOT NULL,        -- 'deleted' or 'collected'
        removed_by    TEXT,
        PRIMARY KEY (repository, digest)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX held_manifests_since ON held_manifests (since);
      CREATE INDEX held_manifests_subject ON held_manifests (repository, subject, digest)
        WHERE subject IS NOT NULL;
      CREATE TABLE held_references (
        repository INTEGER NOT NULL,
        parent     TEXT NOT NULL,
        child      TEXT NOT NULL,
        target     TEXT NOT NULL,
        present    INTEGER NOT NULL,        -- whether the child was here, live or held
        PRIMARY KEY (repository, child, parent)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX held_references_parent ON held_references (repository, parent);
      CREATE TABLE held_blobs (
        repository INTEGER NOT NULL REFERENCES repositories (id),
        digest     TEXT NOT NULL,
        size       INTEGER NOT NULL,
        since      INTEGER NOT NULL,
        why        TEXT NOT NULL,
        removed_by TEXT,
        PRIMARY KEY (repository, digest)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX held_blobs_since ON held_blobs (since);
      CREATE TABLE held_totals (bytes INTEGER NOT NULL, items INTEGER NOT NULL) STRICT;
      INSERT INTO held_totals VALUES (0, 0);
      ${heldTotalTriggers("held_manifests")}
      ${heldTotalTriggers("held_blobs")}
      CREATE TABLE pins (
        repository INTEGER NOT NULL,
        digest     TEXT NOT NULL,
        until      INTEGER NOT NULL,
        PRIMARY KEY (repository, digest)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX pins_until ON pins (until);
    `,
  },
  {
    version: 12,
    summary:
      "totals of what repositories, the registry and quotas hold; counted later where there is content",
    sql: usageSchema,
  },
  {
    version: 13,
    summary: "content that is known to be damaged",
    sql: `
      CREATE TABLE damaged (
        repository INTEGER NOT NULL REFERENCES repositories (id),
        digest     TEXT NOT NULL,
        size       INTEGER NOT NULL,        -- as it was recorded at the push
        how        TEXT NOT NULL,
        since      INTEGER NOT NULL,
        stamp      TEXT,                    -- of what is to go into quarantine
        kept       TEXT,                    -- its name there
        PRIMARY KEY (repository, digest)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX damaged_digest ON damaged (digest, repository);
    `,
  },
  {
    version: 14,
    summary: "totals cost a push less: small triggers, which call others where they are needed",
    // What comes before these triggers is counted as what was there before there were totals.
    sql: `
      ${dropFirstUsageTriggers}
      ${usageTriggers}
    `,
  },
];

/** Keeps the sum of what is held, which a limit is compared with. */
function heldTotalTriggers(table: "held_manifests" | "held_blobs"): string {
  return `
      CREATE TRIGGER ${table}_in AFTER INSERT ON ${table}
        BEGIN UPDATE held_totals SET bytes = bytes + NEW.size, items = items + 1; END;
      CREATE TRIGGER ${table}_out AFTER DELETE ON ${table}
        BEGIN UPDATE held_totals SET bytes = bytes - OLD.size, items = items - 1; END;`;
}

const newest = migrations.reduce((version, step) => Math.max(version, step.version), 0);

/**
 * Brings the database, and the small stores beside the metadata, to the newest version.
 * @throws Error with one line for the operator when the database is from a newer version.
 */
export function migrate(database: Database, stores: Stores): void {
  const current = schemaVersion(database);
  if (current > newest) throw newerVersion("schema version", newest, current);
  database
    .transaction(() => {
      for (const step of migrations) {
        if (step.version > schemaVersion(database)) applyStep(database, step);
      }
      for (const tables of stores.values()) migrateRecords(database, tables);
    })
    .immediate();
}

function applyStep(database: Database, step: Migration): void {
  database.run(step.sql);
  database.run(`PRAGMA user_version = ${step.version}`);
}

function migrateRecords(
  database: Database,
  { store: { name }, steps }: RecordTables<RecordChange, unknown>,
): void {
  const current =
    database
      .query<{ version: number }, [string]>("SELECT version FROM record_stores WHERE name = ?")
      .get(name)?.version ?? 0;
  const last = steps.at(-1)?.version ?? 0;
  if (current > last) throw newerVersion(`${name} version`, last, current);
  for (const { version, sql } of steps) {
    if (version <= current) continue;
    database.run(sql);
    database
      .query<unknown, [string, number]>(
        "INSERT INTO record_stores (name, version) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET version = ?2",
      )
      .run(name, version);
  }
}

function newerVersion(what: string, known: number, found: number): Error {
  return new Error(
    `metadata: expected ${what} ${known} or older, found ${found}; ` +
      "this root was served by a newer zot: start that version",
  );
}

export function schemaVersion(database: Database): number {
  const row = database.query<{ user_version: number }, []>("PRAGMA user_version").get();
  return row?.user_version ?? 0;
}
