/** The tables of what content takes. `usage_triggers.ts` keeps them, and `usage_count.ts` fills them where there is content. */
import { allCounted } from "../sql/usage_counted.ts";

export const usageSchema = `
      CREATE TABLE usage_totals (
        repository INTEGER PRIMARY KEY,        -- 0 is the registry
        linked     INTEGER NOT NULL DEFAULT 0, -- bytes, each digest once
        own        INTEGER NOT NULL DEFAULT 0, -- of those that no other repository has
        kept       INTEGER NOT NULL DEFAULT 0, -- of the registry, with what only undo holds
        digests    INTEGER NOT NULL DEFAULT 0,
        manifests  INTEGER NOT NULL DEFAULT 0,
        tags       INTEGER NOT NULL DEFAULT 0,
        counted_to TEXT                        -- digests up to this one are counted; null: nothing is
      ) STRICT;
      CREATE INDEX usage_uncounted ON usage_totals (repository) WHERE counted_to IS NOT '${allCounted}';
      INSERT INTO usage_totals (repository, counted_to) SELECT 0, CASE WHEN EXISTS
        (SELECT 1 FROM repositories) THEN '' ELSE '${allCounted}' END;
      INSERT INTO usage_totals (repository) SELECT id FROM repositories;
      CREATE INDEX usage_manifests ON manifests (digest);
      CREATE INDEX usage_held_manifests ON held_manifests (digest);
      CREATE INDEX usage_held_blobs ON held_blobs (digest);

      CREATE TABLE usage_scopes (
        id           INTEGER PRIMARY KEY AUTOINCREMENT,
        key          TEXT NOT NULL UNIQUE,       -- what it covers and counts; empty for all repositories
        scope        TEXT NOT NULL,              -- JSON
        counts_own   INTEGER NOT NULL,
        place        INTEGER,                    -- in the configuration
        quota        TEXT,                       -- JSON: as it is configured
        looked_to    INTEGER,                    -- repositories up to this one were looked at; null: all were
        linked       INTEGER NOT NULL DEFAULT 0,
        own          INTEGER NOT NULL DEFAULT 0,
        manifests    INTEGER NOT NULL DEFAULT 0,
        tags         INTEGER NOT NULL DEFAULT 0,
        repositories INTEGER NOT NULL DEFAULT 0  -- with a manifest
      ) STRICT;
      CREATE INDEX usage_scopes_place ON usage_scopes (place) WHERE place IS NOT NULL;
      CREATE INDEX usage_scopes_own ON usage_scopes (id) WHERE counts_own;
      CREATE INDEX usage_scopes_unlooked ON usage_scopes (id) WHERE looked_to IS NOT NULL;
      CREATE TABLE usage_members (
        repository INTEGER NOT NULL,
        scope      INTEGER NOT NULL,
        counted_to TEXT NOT NULL,
        PRIMARY KEY (repository, scope)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX usage_members_scope ON usage_members (scope);
      CREATE INDEX usage_members_uncounted ON usage_members (scope, repository)
        WHERE counted_to <> '${allCounted}';
      CREATE TABLE usage_digests (
        scope        INTEGER NOT NULL,
        digest       TEXT NOT NULL,
        repositories INTEGER NOT NULL,           -- of the scope that have it
        size         INTEGER NOT NULL,
        PRIMARY KEY (scope, digest)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE usage_dropped (scope INTEGER PRIMARY KEY) STRICT;
`;
