/** What is known of checks and of damage (`../scrub.ts`), as tables beside those of the metadata. */
import {
  scrub,
  type Checked,
  type Damaged,
  type ScrubChange,
  type ScrubReads,
  type Sums,
} from "../scrub.ts";
import { namingTables } from "./preconditions.ts";
import type { RecordTables, RecordWork } from "./record_tables.ts";
import { type Rule, tell } from "./statements.ts";
import { MiB } from "../../lib/bytes.ts";
import type { Source } from "./source.ts";

/** Manifests and configs have less: they are checked before layers. */
const smallBytesMax = MiB;

const damagedColumns =
  "SELECT r.name AS repository, d.digest AS digest, d.size AS sizeBytes, d.how AS how, d.since AS since, " +
  "d.stamp AS stamp, d.kept AS kept FROM damaged d";
const ofRepository = "CROSS JOIN repositories r ON r.id = d.repository";
const checkedColumns =
  "SELECT digest, repository, size AS sizeBytes, checked_at AS checkedAt FROM scrub_checks";

const sql = {
  damagedAs: `${damagedColumns} INDEXED BY damaged_digest ${ofRepository} WHERE d.digest = ?1 ORDER BY d.repository`,
  damaged:
    `${damagedColumns} INDEXED BY damaged_digest ${ofRepository} ` +
    "WHERE (d.digest, d.repository) > (?1, coalesce((SELECT id FROM repositories WHERE name = ?2), 0)) " +
    "ORDER BY d.digest, d.repository LIMIT ?3",
  damageMark:
    `${damagedColumns} ${ofRepository} ` +
    "WHERE d.repository = (SELECT id FROM repositories WHERE name = ?1) AND d.digest = ?2",
  damagedSums:
    "SELECT count(*) AS items, coalesce(sum(size), 0) AS bytes FROM damaged WHERE repository > 0",
  // A page of repositories is looked at, whether the digest has a name there or not.
  namedIn: `SELECT r.id AS id, r.name AS name, ${namingTables
    .map((table) => `EXISTS (SELECT 1 FROM ${table} t WHERE t.repository = r.id AND t.digest = ?1)`)
    .join(" OR ")} AS named FROM repositories r WHERE r.id > ?2 ORDER BY r.id LIMIT ?3`,
  holdersOf:
    "SELECT r.name AS repository, b.repository AS id, b.size AS sizeBytes FROM blobs b INDEXED BY blobs_digest " +
    "CROSS JOIN repositories r ON r.id = b.repository WHERE b.digest = ?1 AND b.repository > ?2 " +
    "ORDER BY b.repository LIMIT ?3",
  manifestIn:
    "SELECT size AS sizeBytes FROM manifests WHERE repository = (SELECT id FROM repositories WHERE name = ?1) " +
    "AND digest = ?2",
  parentsOf:
    "SELECT parent AS digest FROM manifest_references WHERE repository = (SELECT id FROM repositories WHERE name = ?1) " +
    "AND child = ?2 ORDER BY parent LIMIT ?3",
  referrersOf:
    "SELECT digest FROM manifests INDEXED BY manifests_subject " +
    "WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND subject = ?2 ORDER BY digest LIMIT ?3",
  scrubBlobs:
    "SELECT b.digest AS digest, b.repository AS id, b.size AS sizeBytes, b.linked_at AS checkedAt, '' AS repository " +
    "FROM blobs b INDEXED BY blobs_digest WHERE (b.digest, b.repository) > (?1, ?2) " +
    "ORDER BY b.digest, b.repository LIMIT ?3",
  scrubManifests:
    "SELECT m.digest AS digest, m.repository AS id, m.size AS sizeBytes, m.pushed_at AS checkedAt, r.name AS repository " +
    "FROM manifests m CROSS JOIN repositories r ON r.id = m.repository WHERE (m.repository, m.digest) > (?2, ?1) " +
    "ORDER BY m.repository, m.digest LIMIT ?3",
  scrubListed: "SELECT 1 AS found FROM scrub_checks WHERE digest = ?1 AND repository = ?2",
  scrubTags:
    "SELECT t.name AS tag, t.digest AS digest, m.media_type AS mediaType FROM tags t " +
    "CROSS JOIN manifests m ON m.repository = t.repository AND m.digest = t.digest " +
    "WHERE t.repository = (SELECT id FROM repositories WHERE name = ?1) AND t.name > ?2 ORDER BY t.name LIMIT ?3",
  scrubDue:
    `${checkedColumns} INDEXED BY scrub_checks_due WHERE large = ?1 AND checked_at < ?2 ` +
    "ORDER BY checked_at LIMIT ?3",
  scrubSince:
    "SELECT count(*) AS items, coalesce(sum(size), 0) AS bytes FROM scrub_checks INDEXED BY scrub_checks_due " +
    "WHERE large = ?1 AND checked_at >= ?2",
  scrubRounds: "SELECT record FROM scrub_rounds WHERE begun_at > 0 ORDER BY begun_at DESC LIMIT ?1",
  scrubValue: "SELECT value FROM scrub_values WHERE name = ?1",
} as const;

const writes = {
  list:
    "INSERT INTO scrub_checks (digest, repository, size, large, checked_at) VALUES (?1, ?2, ?3, ?4, ?5) " +
    "ON CONFLICT DO NOTHING",
  checked: "UPDATE scrub_checks SET checked_at = ?3 WHERE digest = ?1 AND repository = ?2",
  unlist: "DELETE FROM scrub_checks WHERE digest = ?1 AND repository = ?2",
  round:
    "INSERT INTO scrub_rounds (begun_at, record) VALUES (?1, ?2) " +
    "ON CONFLICT (begun_at) DO UPDATE SET record = excluded.record",
  keepRounds:
    "DELETE FROM scrub_rounds WHERE begun_at <= " +
    "(SELECT begun_at FROM scrub_rounds ORDER BY begun_at DESC LIMIT 1 OFFSET ?1)",
  set: "INSERT INTO scrub_values (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
} as const;

export const scrubTables: RecordTables<ScrubChange, ScrubReads> = {
  store: scrub,
  steps: [
    {
      version: 1,
      summary: "when content was checked last, and rounds of checks",
      sql: `
        CREATE TABLE scrub_checks (
          digest     TEXT NOT NULL,
          repository TEXT NOT NULL,        -- of a manifest; empty for a blob, whose file repositories share
          size       INTEGER NOT NULL,
          large      INTEGER NOT NULL,     -- what is small is checked first
          checked_at INTEGER NOT NULL,
          PRIMARY KEY (digest, repository)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX scrub_checks_due ON scrub_checks (large, checked_at, size);
        CREATE TABLE scrub_rounds (
          begun_at INTEGER PRIMARY KEY,
          record   TEXT NOT NULL
        ) STRICT;
        CREATE TABLE scrub_values (
          name  TEXT NOT NULL PRIMARY KEY,
          value TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
      `,
    },
  ],
  sql,
  // A full disk is no reason to lose a proof; lists grow, and wait for room.
  frees: ({ kind }) => kind !== "list",
  apply,
  reads,
};

function* apply(work: RecordWork, change: ScrubChange): Rule<void> {
  switch (change.kind) {
    case "list":
      for (const { digest, repository, sizeBytes, checkedAt } of change.checked) {
        const large = sizeBytes > smallBytesMax ? 1 : 0;
        yield* tell(work, writes.list, digest, repository, sizeBytes, large, checkedAt);
      }
      return;
    case "checked":
      yield* tell(work, writes.checked, change.digest, change.repository, change.at);
      return;
    case "unlist":
      yield* tell(work, writes.unlist, change.digest, change.repository);
      return;
    case "round":
      yield* tell(work, writes.round, change.from, change.record);
      yield* tell(work, writes.keepRounds, change.kept);
      return;
    case "set":
      yield* tell(work, writes.set, change.name, change.value);
      return;
  }
}

function reads(source: Source): ScrubReads {
  const { get, all } = source;
  return {
    damagedAs: async (digest) => await all<Damaged>(sql.damagedAs, digest),
    damaged: async (after, limit) =>
      await all<Damaged>(sql.damaged, after?.digest ?? "", after?.repository ?? "", limit),
    mark: async (repository, digest) => await get<Damaged>(sql.damageMark, repository, digest),
    damagedSums: async () => (await get<Sums>(sql.damagedSums)) ?? noSums,
    namedIn: async (digest, after, limit) => {
      const rows = await all<{ id: number; name: string; named: number }>(
        sql.namedIn,
        digest,
        after,
        limit,
      );
      const names = rows.filter(({ named }) => named === 1).map(({ name }) => name);
      return { names, next: rows.length < limit ? null : (rows.at(-1)?.id ?? null) };
    },
    holdersOf: async (digest, after, limit) => await all(sql.holdersOf, digest, after, limit),
    manifestsIn: async (repository, digest) => await all(sql.manifestIn, repository, digest),
    above: async (repository, digest, limit) => {
      const parents = await all<{ digest: string }>(sql.parentsOf, repository, digest, limit);
      const referrers = await all<{ digest: string }>(sql.referrersOf, repository, digest, limit);
      return [...parents, ...referrers].map((row) => row.digest);
    },
    contents: async (kind, after, limit) => {
      const [digest = "", id = "0"] = after?.split(" ") ?? [];
      const text = kind === "blob" ? sql.scrubBlobs : sql.scrubManifests;
      const rows = await all<Checked & { id: number }>(text, digest, Number(id), limit);
      const last = rows.at(-1);
      const next = last === undefined || rows.length < limit ? null : `${last.digest} ${last.id}`;
      return { items: rows.map(({ id: _id, ...checked }): Checked => checked), next };
    },
    unlisted: async (checked) => {
      const unlisted: Checked[] = [];
      for (const each of checked) {
        const listed = await get(sql.scrubListed, each.digest, each.repository);
        if (listed === null) unlisted.push(each);
      }
      return unlisted;
    },
    tagsIn: async (repository, { after, limit }) =>
      await all(sql.scrubTags, repository, after ?? "", limit),
    due: async (before, limit) => {
      const small = await all<Checked>(sql.scrubDue, 0, before, limit);
      if (small.length >= limit) return small;
      return [...small, ...(await all<Checked>(sql.scrubDue, 1, before, limit - small.length))];
    },
    checkedSince: async (moment) => {
      const small = (await get<Sums>(sql.scrubSince, 0, moment)) ?? noSums;
      const large = (await get<Sums>(sql.scrubSince, 1, moment)) ?? noSums;
      return { items: small.items + large.items, bytes: small.bytes + large.bytes };
    },
    rounds: async (limit) =>
      (await all<{ record: string }>(sql.scrubRounds, limit)).map(({ record }) => record),
    value: async (name) => (await get<{ value: string }>(sql.scrubValue, name))?.value ?? null,
  };
}

const noSums: Sums = { items: 0, bytes: 0 };
