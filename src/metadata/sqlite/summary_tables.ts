/** Summaries of images (`../summaries.ts`) as tables beside those of the metadata. */
import { summaries, type SummaryChange, type SummaryReads } from "../summaries.ts";
import type { RecordTables } from "../sql/record_tables.ts";
import { summaryReads, summarySql } from "./summary_reads.ts";
import { applySummaryChange } from "./summary_writes.ts";

export const summaryTables: RecordTables<SummaryChange, SummaryReads> = {
  store: summaries,
  steps: [
    {
      version: 1,
      summary: "summaries of manifests, images and repositories; what users prefer",
      sql: `
        CREATE TABLE summary_manifests (
          id            INTEGER PRIMARY KEY,
          repository    INTEGER NOT NULL,
          digest        TEXT NOT NULL,
          version       INTEGER NOT NULL,   -- of the way in which it was made; 0: from damaged bytes
          kind          TEXT NOT NULL,      -- 'image' or 'index'
          artifact_type TEXT,
          config_digest TEXT,
          config_type   TEXT,
          os            TEXT NOT NULL,
          arch          TEXT NOT NULL,
          updated_at    INTEGER,
          annotated_at  INTEGER,
          size          INTEGER NOT NULL,
          texts         TEXT NOT NULL,      -- JSON
          vendor        TEXT,               -- of the annotations
          chain         BLOB                -- of all layers: the hash of their digests, in order
        ) STRICT;
        CREATE UNIQUE INDEX summary_manifests_place ON summary_manifests (repository, digest);
        CREATE INDEX summary_manifests_digest ON summary_manifests (digest);
        CREATE INDEX summary_manifests_config ON summary_manifests (config_digest)
          WHERE config_digest IS NOT NULL;
        CREATE INDEX summary_manifests_chain ON summary_manifests (chain) WHERE chain IS NOT NULL;

        CREATE TABLE summary_layers (
          manifest INTEGER NOT NULL,
          position INTEGER NOT NULL,
          digest   TEXT NOT NULL,
          size     INTEGER NOT NULL,
          chain    BLOB NOT NULL,           -- of the layers up to this one
          PRIMARY KEY (manifest, position)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX summary_layers_digest ON summary_layers (digest);
        CREATE INDEX summary_layers_chain ON summary_layers (chain);

        CREATE TABLE summary_children (
          manifest   INTEGER NOT NULL,
          position   INTEGER NOT NULL,
          repository INTEGER NOT NULL,
          child      TEXT NOT NULL,
          os         TEXT NOT NULL,
          arch       TEXT NOT NULL,
          shown      INTEGER NOT NULL,      -- 0: named alone, absent or no image
          PRIMARY KEY (manifest, position)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX summary_children_child ON summary_children (repository, child);

        CREATE TABLE summary_images (
          repository INTEGER NOT NULL,
          tag        TEXT NOT NULL,
          name       TEXT NOT NULL,         -- of the repository
          digest     TEXT NOT NULL,
          manifest   INTEGER NOT NULL,
          updated_at INTEGER,
          set_at     INTEGER NOT NULL,
          PRIMARY KEY (repository, tag)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX summary_images_updated ON summary_images (updated_at DESC, name, tag);
        CREATE INDEX summary_images_set ON summary_images (set_at DESC, name, tag);
        CREATE INDEX summary_images_newest ON summary_images (repository, updated_at DESC, tag);
        CREATE INDEX summary_images_pushed ON summary_images (repository, set_at DESC, tag);
        CREATE INDEX summary_images_manifest ON summary_images (manifest);

        CREATE TABLE summary_facets (       -- of the manifests that tags point at
          repository INTEGER NOT NULL,
          kind       TEXT NOT NULL,         -- 'platform' or 'vendor'
          first      TEXT NOT NULL,         -- the system, or the vendor
          second     TEXT NOT NULL,         -- the architecture
          digest     TEXT NOT NULL,
          PRIMARY KEY (repository, kind, first, second, digest)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX summary_facets_digest ON summary_facets (repository, digest);

        CREATE TABLE summary_repositories (
          repository INTEGER PRIMARY KEY,
          name       TEXT NOT NULL,
          images     INTEGER NOT NULL,
          newest_tag TEXT,
          newest     TEXT,
          updated_at INTEGER,
          platforms  TEXT NOT NULL,         -- JSON
          vendors    TEXT NOT NULL,         -- JSON
          pulls      INTEGER NOT NULL,
          stars      INTEGER NOT NULL,
          signed     INTEGER NOT NULL,
          version    INTEGER NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX summary_repositories_version ON summary_repositories (version);

        CREATE TABLE summary_looks (        -- when a repository was looked at as a whole
          repository INTEGER PRIMARY KEY,
          round      INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE summary_preferences (
          "user"     TEXT NOT NULL,
          preference TEXT NOT NULL,         -- 'star' or 'bookmark'
          repository INTEGER NOT NULL,
          PRIMARY KEY ("user", preference, repository)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX summary_preferences_repository ON summary_preferences (repository, preference);
        CREATE TABLE summary_counters (
          name  TEXT NOT NULL PRIMARY KEY,  -- 'version', 'round' or 'made'
          value INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        INSERT INTO summary_counters VALUES ('version', 0), ('round', 0), ('made', 0);
      `,
    },
    {
      version: 2,
      summary: "what is on top of an image is found by its last layer; poor summaries are found",
      sql: `
        DROP INDEX summary_layers_chain;
        CREATE INDEX summary_manifests_poor ON summary_manifests (id) WHERE version = 0;
      `,
    },
  ],
  sql: summarySql,
  frees: ({ kind }) => kind === "forget",
  apply: applySummaryChange,
  reads: summaryReads,
};
