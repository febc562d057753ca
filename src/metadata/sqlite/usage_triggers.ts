/**
 * The triggers that keep totals: every row of content that comes or goes is counted in the statement that writes it, so
 * that no change of the metadata can be forgotten.
 *
 * What a digest adds depends on who else has it, which is looked up by its digest: first of the repository itself, then
 * of at most two others. A row with `counted_to` counts digests up to that one; what lies behind it was there before
 * there were totals, and is counted by `usage_count.ts`.
 */

import { allCounted, wholeScope } from "../sql/usage_counted.ts";

type Live = "blobs" | "manifests";
type Row = "NEW" | "OLD";

const otherTable = { blobs: "manifests", manifests: "blobs" } as const;
const byDigest = { blobs: "blobs_digest", manifests: "usage_manifests" } as const;
const live: readonly Live[] = ["blobs", "manifests"];

/** Whether another repository has the digest of a row. */
function isElsewhereIn(table: Live, row: Row): string {
  return (
    `EXISTS (SELECT 1 FROM ${table} INDEXED BY ${byDigest[table]} ` +
    `WHERE digest = ${row}.digest AND repository <> ${row}.repository)`
  );
}

function isElsewhere(row: Row): string {
  return live.map((table) => isElsewhereIn(table, row)).join(" OR ");
}

function isHeld(row: Row): string {
  return ["held_blobs", "held_manifests"]
    .map(
      (table) =>
        `EXISTS (SELECT 1 FROM ${table} INDEXED BY usage_${table} WHERE digest = ${row}.digest)`,
    )
    .join(" OR ");
}

/** Quotas that count own bytes, of which everything that has the digest is inside. */
function changeOwn(sign: "+" | "-"): string {
  return `
      UPDATE usage_scopes SET own = own ${sign} NEW.size WHERE id IN (
        SELECT s.id FROM usage_scopes s CROSS JOIN usage_digests d ON d.scope = s.id AND d.digest = NEW.digest
        WHERE s.counts_own AND d.repositories =
          (SELECT a.repositories FROM usage_digests a WHERE a.scope = ${wholeScope} AND a.digest = NEW.digest));`;
}

const memberScopes =
  "usage_members m WHERE m.repository = NEW.repository AND NEW.digest <= m.counted_to";

const addToScopes = `${changeOwn("-")}
      INSERT INTO usage_digests (scope, digest, repositories, size)
        SELECT m.scope, NEW.digest, 1, NEW.size FROM ${memberScopes}
        ON CONFLICT DO UPDATE SET repositories = repositories + 1;${changeOwn("+")}`;

const takeFromScopes = `${changeOwn("-")}
      UPDATE usage_digests SET repositories = repositories - 1
        WHERE digest = NEW.digest AND scope IN (SELECT m.scope FROM ${memberScopes});
      DELETE FROM usage_digests WHERE digest = NEW.digest AND repositories <= 0
        AND scope IN (SELECT m.scope FROM ${memberScopes});${changeOwn("+")}`;

const shadowOf = (repository: string): string => `-1 - ${repository}`;

/** A total, and its shadow while it is counted anew. */
function totals(repository: string, change: (where: string) => string): string {
  return [repository, shadowOf(repository)]
    .map((id) => change(`repository = ${id}`))
    .join("\n      ");
}

/** The total of the registry, and its shadow. */
const registryTotals = "repository BETWEEN -1 AND 0";

/** Who else has a digest that comes or goes. */
const alone = 0;
const shared = 1;
/** The repository has it in the other table: it neither comes nor goes. */
const twice = 2;

/** Few digests name a manifest and a blob: one look tells of nearly all that they do not. */
function holdersOf(table: Live, row: Row): string {
  const other = otherTable[table];
  const isAnywhere = `EXISTS (SELECT 1 FROM ${other} INDEXED BY ${byDigest[other]} WHERE digest = ${row}.digest)`;
  const isTwice = `EXISTS (SELECT 1 FROM ${other} WHERE repository = ${row}.repository AND digest = ${row}.digest)`;
  return (
    `CASE WHEN NOT ${isAnywhere} THEN ${isElsewhereIn(table, row)} ` +
    `WHEN ${isTwice} THEN ${twice} ELSE ${isElsewhere(row)} END`
  );
}

/** A program costs by its size, even if it does nothing: the one of each row is small, and others are called. */
function passOn(table: Live, row: Row): string {
  const [event, name, view] =
    row === "NEW" ? ["INSERT", "in", "usage_arrivals"] : ["DELETE", "out", "usage_departures"];
  return `
    CREATE TRIGGER usage_${table}_${name} AFTER ${event} ON ${table} BEGIN
      INSERT INTO ${view} VALUES (${row}.repository, ${row}.digest, ${row}.size, ${holdersOf(table, row)});
    END;`;
}

/** One repository that has the digest, though another one may, too. */
const otherHolder = `coalesce(${live
  .map(
    (table) =>
      `(SELECT repository FROM ${table} INDEXED BY ${byDigest[table]} ` +
      "WHERE digest = NEW.digest AND repository <> NEW.repository)",
  )
  .join(", ")})`;

function noThirdHolder(other: string): string {
  return live
    .map(
      (table) =>
        `NOT EXISTS (SELECT 1 FROM ${table} INDEXED BY ${byDigest[table]} WHERE digest = NEW.digest ` +
        `AND repository <> NEW.repository AND repository <> ${other})`,
    )
    .join(" AND ");
}

/** What the totals of repositories gain or lose: of the one that has the digest now, and of one that had it alone. */
function changeTotals(sign: "+" | "-", id: (repository: string) => string): string {
  const against = sign === "+" ? "-" : "+";
  return `UPDATE usage_totals SET linked = linked ${sign} NEW.size, digests = digests ${sign} 1,
        own = own ${sign} CASE NEW.holders WHEN ${alone} THEN NEW.size ELSE 0 END
        WHERE repository = ${id("NEW.repository")} AND counted_to >= NEW.digest;
      UPDATE usage_totals SET own = own ${against} NEW.size WHERE NEW.holders = ${shared}
        AND repository = ${id(otherHolder)} AND counted_to >= NEW.digest
        AND ${noThirdHolder(id("usage_totals.repository"))};`;
}

/** Content that comes or goes, with who else has it: views that hold nothing, for what is done about it. */
function changes(view: "usage_arrivals" | "usage_departures", sign: "+" | "-"): string {
  const columns = "0 AS repository, '' AS digest, 0 AS size, 0 AS holders";
  const passed = "NEW.repository, NEW.digest, NEW.size, NEW.holders";
  return `
    CREATE VIEW ${view} AS SELECT ${columns};
    CREATE VIEW ${view}_beside AS SELECT ${columns};
    CREATE TRIGGER ${view}_counted INSTEAD OF INSERT ON ${view} WHEN NEW.holders <> ${twice} BEGIN
      ${changeTotals(sign, (repository) => repository)}
      UPDATE usage_totals SET linked = linked ${sign} NEW.size, digests = digests ${sign} 1,
        kept = kept ${sign} CASE WHEN ${isHeld("NEW")} THEN 0 ELSE NEW.size END
        WHERE NEW.holders = ${alone} AND ${registryTotals} AND counted_to >= NEW.digest;
    END;
    CREATE TRIGGER ${view}_passed INSTEAD OF INSERT ON ${view} WHEN NEW.holders <> ${twice} AND (
      EXISTS (SELECT 1 FROM usage_scopes) OR EXISTS (SELECT 1 FROM usage_totals WHERE repository < -1)) BEGIN
      INSERT INTO ${view}_beside VALUES (${passed});
    END;
    CREATE TRIGGER ${view}_beside INSTEAD OF INSERT ON ${view}_beside BEGIN
      ${changeTotals(sign, shadowOf)}
      ${sign === "+" ? addToScopes : takeFromScopes}
    END;`;
}

/** Manifests and tags, each by itself. */
function countTrigger(table: "manifests" | "tags", row: Row): string {
  const [event, name, sign] = row === "NEW" ? ["INSERT", "in", "+"] : ["DELETE", "out", "-"];
  return `
    CREATE TRIGGER usage_${table}_count_${name} AFTER ${event} ON ${table} BEGIN
      ${totals(`${row}.repository`, (is) => `UPDATE usage_totals SET ${table} = ${table} ${sign} 1 WHERE ${is} AND counted_to IS NOT NULL;`)}
    END;`;
}

/** What is held takes bytes as long as nothing live has the digest, and nothing else is held. */
function heldTrigger(table: "held_blobs" | "held_manifests", row: Row): string {
  const [event, name, sign] = row === "NEW" ? ["INSERT", "in", "+"] : ["DELETE", "out", "-"];
  const other = table === "held_blobs" ? "held_manifests" : "held_blobs";
  const elsewhere = [
    ...live.map(
      (each) => `SELECT 1 FROM ${each} INDEXED BY ${byDigest[each]} WHERE digest = ${row}.digest`,
    ),
    `SELECT 1 FROM ${other} INDEXED BY usage_${other} WHERE digest = ${row}.digest`,
    `SELECT 1 FROM ${table} INDEXED BY usage_${table} WHERE digest = ${row}.digest AND repository <> ${row}.repository`,
  ];
  return `
    CREATE TRIGGER usage_${table}_${name} AFTER ${event} ON ${table}
      WHEN NOT (${elsewhere.map((each) => `EXISTS (${each})`).join(" OR ")}) BEGIN
      UPDATE usage_totals SET kept = kept ${sign} ${row}.size
        WHERE ${registryTotals} AND counted_to >= ${row}.digest;
    END;`;
}

/** A blob that is pushed again with another length: one of the two is damaged, and the newest counts. */
const grown = "NEW.size - OLD.size";
const resized = `
    CREATE TRIGGER usage_blobs_size AFTER UPDATE OF size ON blobs
      WHEN NEW.size <> OLD.size AND NOT EXISTS (SELECT 1 FROM manifests o
        WHERE o.repository = NEW.repository AND o.digest = NEW.digest) BEGIN
      ${totals("NEW.repository", (is) => `UPDATE usage_totals SET linked = linked + ${grown}, own = own + CASE WHEN ${isElsewhere("NEW")} THEN 0 ELSE ${grown} END WHERE ${is} AND counted_to >= NEW.digest;`)}
      UPDATE usage_totals SET linked = linked + ${grown}, kept = kept + ${grown}
        WHERE ${registryTotals} AND counted_to >= NEW.digest AND NOT (${isElsewhere("NEW")});
    END;`;

/** Figures of a quota that are the sums of those of its repositories. */
const sums = `
    CREATE TRIGGER usage_totals_scopes AFTER UPDATE OF manifests, tags ON usage_totals
      WHEN NEW.repository > 0 AND EXISTS (SELECT 1 FROM usage_members m WHERE m.repository = NEW.repository) BEGIN
      UPDATE usage_scopes SET manifests = manifests + NEW.manifests - OLD.manifests,
        tags = tags + NEW.tags - OLD.tags,
        repositories = repositories + (NEW.manifests > 0) - (OLD.manifests > 0)
        WHERE id IN (SELECT m.scope FROM usage_members m WHERE m.repository = NEW.repository);
    END;
    CREATE TRIGGER usage_members_in AFTER INSERT ON usage_members BEGIN
      UPDATE usage_scopes SET manifests = usage_scopes.manifests + t.manifests, tags = usage_scopes.tags + t.tags,
        repositories = repositories + (t.manifests > 0)
        FROM usage_totals t WHERE usage_scopes.id = NEW.scope AND t.repository = NEW.repository;
    END;
    CREATE TRIGGER usage_digests_in AFTER INSERT ON usage_digests BEGIN
      UPDATE usage_scopes SET linked = linked + NEW.size WHERE id = NEW.scope;
    END;
    CREATE TRIGGER usage_digests_out AFTER DELETE ON usage_digests BEGIN
      UPDATE usage_scopes SET linked = linked - OLD.size WHERE id = OLD.scope;
    END;`;

const rows: readonly Row[] = ["NEW", "OLD"];

/** As they were until they got smaller programs. */
export const dropFirstUsageTriggers = [
  "repositories_in",
  "blobs_in",
  "blobs_shared_in",
  "blobs_scopes_in",
  "blobs_out",
  "blobs_shared_out",
  "blobs_scopes_out",
  "blobs_size",
  "manifests_in",
  "manifests_shared_in",
  "manifests_scopes_in",
  "manifests_count_in",
  "manifests_out",
  "manifests_shared_out",
  "manifests_scopes_out",
  "manifests_count_out",
  "tags_count_in",
  "tags_count_out",
  "held_blobs_in",
  "held_blobs_out",
  "held_manifests_in",
  "held_manifests_out",
  "totals_scopes",
  "members_in",
  "digests_in",
  "digests_out",
]
  .map((name) => `DROP TRIGGER IF EXISTS usage_${name};`)
  .join("\n");

export const usageTriggers = [
  `
    CREATE TRIGGER usage_repositories_in AFTER INSERT ON repositories BEGIN
      INSERT INTO usage_totals (repository, counted_to) VALUES (NEW.id, '${allCounted}');
    END;`,
  changes("usage_arrivals", "+"),
  changes("usage_departures", "-"),
  ...live.flatMap((table) => rows.map((row) => passOn(table, row))),
  ...(["manifests", "tags"] as const).flatMap((table) =>
    rows.map((row) => countTrigger(table, row)),
  ),
  ...(["held_blobs", "held_manifests"] as const).flatMap((table) =>
    rows.map((row) => heldTrigger(table, row)),
  ),
  resized,
  sums,
].join("\n");
