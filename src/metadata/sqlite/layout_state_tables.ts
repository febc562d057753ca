/**
 * The states of layouts (`../layout_states.ts`) as a table. Triggers mark a repository as behind in the transaction
 * that raises its generation, so that commits know nothing of layouts, and a database without this store has no marks.
 */
import type { Digest } from "../../oci/digest.ts";
import {
  layoutStates,
  type LayoutChange,
  type LayoutLag,
  type LayoutReads,
  type LayoutState,
} from "../layout_states.ts";
import type { RecordTables, RecordWork } from "../sql/record_tables.ts";
import { type Rule, tell } from "../sql/statements.ts";

const sql = {
  state:
    "SELECT r.generation AS generation, l.projected AS projected, l.stamp_current AS stampCurrent, " +
    "l.stamp_next AS stampNext, r.origin AS origin " +
    "FROM repositories r JOIN layouts l ON l.repository = r.id WHERE r.name = ?1 AND r.removed_at IS NULL",
  stale:
    "SELECT r.name AS name FROM layouts l INDEXED BY layouts_stale CROSS JOIN repositories r ON r.id = l.repository " +
    "WHERE l.stale_since IS NOT NULL ORDER BY l.stale_since LIMIT ?1",
  lag:
    "SELECT count(*) AS repositories, min(stale_since) AS since FROM layouts " +
    "INDEXED BY layouts_stale WHERE stale_since IS NOT NULL",
  unlistedOrphans:
    "SELECT r.name AS repository, o.digest AS digest FROM orphans o " +
    "JOIN repositories r ON r.id = o.repository JOIN layouts l ON l.repository = o.repository " +
    "WHERE l.projected >= o.generation ORDER BY o.since LIMIT ?1",
} as const;

export const layoutStateTables: RecordTables<LayoutChange, LayoutReads> = {
  store: layoutStates,
  steps: [
    {
      version: 1,
      summary:
        "the table, where version 8 of the metadata has not made it; marks follow generations",
      sql: `
        CREATE TABLE IF NOT EXISTS layouts (
          repository    INTEGER PRIMARY KEY,  -- its id
          projected     INTEGER NOT NULL DEFAULT 0,
          stale_since   INTEGER,              -- null when index.json is up to date
          stamp_current TEXT,
          stamp_next    TEXT
        ) STRICT;
        CREATE INDEX IF NOT EXISTS layouts_stale ON layouts (stale_since) WHERE stale_since IS NOT NULL;
        INSERT OR IGNORE INTO layouts (repository, stale_since) SELECT id, changed_at FROM repositories;
        CREATE TRIGGER layouts_created AFTER INSERT ON repositories BEGIN
          INSERT INTO layouts (repository, stale_since) VALUES (NEW.id, NEW.changed_at);
        END;
        CREATE TRIGGER layouts_behind AFTER UPDATE OF generation ON repositories BEGIN
          UPDATE layouts SET stale_since = NEW.changed_at WHERE repository = NEW.id AND stale_since IS NULL;
        END;
      `,
    },
    {
      version: 2,
      summary: "a removed repository has no layout",
      sql: `
        CREATE TRIGGER layouts_removed AFTER UPDATE OF removed_at ON repositories
        WHEN NEW.removed_at IS NOT NULL BEGIN
          UPDATE layouts SET projected = 0, stale_since = NULL, stamp_current = NULL, stamp_next = NULL
            WHERE repository = NEW.id;
        END;
      `,
    },
  ],
  sql,
  // Bytes can be removed only after these.
  frees: () => true,
  apply: (work, change) => {
    const apply = appliers[change.kind] as (w: RecordWork, c: LayoutChange) => Rule<unknown>;
    return apply(work, change);
  },
  reads: ({ get, all }) => ({
    state: async (repository) => await get<LayoutState>(sql.state, repository),
    stale: async (limit) => (await all<{ name: string }>(sql.stale, limit)).map(({ name }) => name),
    lag: async () => (await get<LayoutLag>(sql.lag)) ?? { repositories: 0, since: null },
    unlistedOrphans: async (limit) =>
      await all<{ repository: string; digest: Digest }>(sql.unlistedOrphans, limit),
  }),
};

type Appliers = {
  [K in LayoutChange["kind"]]: (
    work: RecordWork,
    change: Extract<LayoutChange, { kind: K }>,
  ) => Rule<unknown>;
};

/** What the projector had begun to write of a repository that was removed meanwhile is nothing to the next of its name. */
const repositoryId = "(SELECT id FROM repositories WHERE name = ?1 AND removed_at IS NULL)";

const appliers: Appliers = {
  "plan-layout"(work, { repository, seen, stamp }) {
    const plan = `UPDATE layouts SET stamp_current = ?2, stamp_next = ?3 WHERE repository = ${repositoryId}`;
    return tell(work, plan, repository, seen, stamp);
  },
  "record-layout"(work, { repository, stamp, generation }) {
    return tell(
      work,
      "UPDATE layouts SET stamp_current = ?2, stamp_next = NULL, projected = ?3, stale_since = " +
        "CASE WHEN (SELECT generation FROM repositories WHERE name = ?1) > ?3 THEN ?4 ELSE NULL END " +
        `WHERE repository = ${repositoryId}`,
      repository,
      stamp,
      generation,
      work.now,
    );
  },
  "raise-generation"(work, { repository, generation }) {
    return tell(
      work,
      "UPDATE repositories SET generation = MAX(generation, ?2) + 1, changed_at = ?3 " +
        "WHERE name = ?1 AND removed_at IS NULL",
      repository,
      generation,
      work.now,
    );
  },
};
