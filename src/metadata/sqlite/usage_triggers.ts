/**
 * The triggers that keep totals: every row of content that comes or goes is counted in the statement that writes it, so
 * that no change of the metadata can be forgotten.
 *
 * What a digest adds depends on who else has it, which is looked up by its digest: first of the repository itself, then
 * of at most two others. A row with `counted_to` counts digests up to that one; what lies behind it was there before
 * there were totals, and is counted by `usage_count.ts`.
 */

/** Behind every digest: all is counted. */
export const allCounted = "~";

type Live = "blobs" | "manifests";
type Row = "NEW" | "OLD";

const otherTable = { blobs: "manifests", manifests: "blobs" } as const;
const byDigest = { blobs: "blobs_digest", manifests: "usage_manifests" } as const;
const live: readonly Live[] = ["blobs", "manifests"];

/** Other repositories that have the digest of a row. */
function others(table: Live, row: Row, limit: number): string {
  return (
    `SELECT repository FROM ${table} INDEXED BY ${byDigest[table]} ` +
    `WHERE digest = ${row}.digest AND repository <> ${row}.repository LIMIT ${limit}`
  );
}

function isElsewhere(row: Row): string {
  return live.map((table) => `EXISTS (${others(table, row, 1)})`).join(" OR ");
}

/** The first and the last of the other repositories that have the digest: where they are the same, there is one. */
function otherHolder(row: Row, end: "min" | "max"): string {
  const [blob, manifest] = live.map(
    (table) =>
      `(SELECT ${end}(repository) FROM ${table} INDEXED BY ${byDigest[table]} ` +
      `WHERE digest = ${row}.digest AND repository <> ${row}.repository)`,
  );
  return `${end}(coalesce(${blob}, ${manifest}), coalesce(${manifest}, ${blob}))`;
}

function isHeld(row: Row): string {
  return ["held_blobs", "held_manifests"]
    .map(
      (table) =>
        `EXISTS (SELECT 1 FROM ${table} INDEXED BY usage_${table} WHERE digest = ${row}.digest)`,
    )
    .join(" OR ");
}

/** The scope of all repositories, which is there while a quota counts own bytes. */
export const wholeScope = "(SELECT w.id FROM usage_scopes w WHERE w.key = '')";

/** Quotas that count own bytes, of which everything that has the digest is inside. */
function changeOwn(row: Row, sign: "+" | "-"): string {
  return `
      UPDATE usage_scopes SET own = own ${sign} ${row}.size WHERE id IN (
        SELECT s.id FROM usage_scopes s CROSS JOIN usage_digests d ON d.scope = s.id AND d.digest = ${row}.digest
        WHERE s.counts_own AND d.repositories =
          (SELECT a.repositories FROM usage_digests a WHERE a.scope = ${wholeScope} AND a.digest = ${row}.digest));`;
}

const memberScopes = (row: Row): string =>
  `usage_members m WHERE m.repository = ${row}.repository AND ${row}.digest <= m.counted_to`;

const addToScopes = `${changeOwn("NEW", "-")}
      INSERT INTO usage_digests (scope, digest, repositories, size)
        SELECT m.scope, NEW.digest, 1, NEW.size FROM ${memberScopes("NEW")}
        ON CONFLICT DO UPDATE SET repositories = repositories + 1;${changeOwn("NEW", "+")}`;

const takeFromScopes = `${changeOwn("OLD", "-")}
      UPDATE usage_digests SET repositories = repositories - 1
        WHERE digest = OLD.digest AND scope IN (SELECT m.scope FROM ${memberScopes("OLD")});
      DELETE FROM usage_digests WHERE digest = OLD.digest AND repositories <= 0
        AND scope IN (SELECT m.scope FROM ${memberScopes("OLD")});${changeOwn("OLD", "+")}`;

/** A total, and its shadow while it is counted anew. */
function totals(repository: string, change: (where: string) => string): string {
  return [repository, `-1 - ${repository}`]
    .map((id) => change(`repository = ${id}`))
    .join("\n      ");
}

function trigger(table: Live, row: Row): string {
  const [event, name, sign] = row === "NEW" ? ["INSERT", "in", "+"] : ["DELETE", "out", "-"];
  const against = sign === "+" ? "-" : "+";
  const own = `${row}.repository`;
  const set = `UPDATE usage_totals SET linked = linked ${sign} ${row}.size, digests = digests ${sign} 1`;
  const isCounted = `AND counted_to >= ${row}.digest`;
  const isNamedTwice =
    `EXISTS (SELECT 1 FROM ${otherTable[table]} o ` +
    `WHERE o.repository = ${row}.repository AND o.digest = ${row}.digest)`;
  return `
    CREATE TRIGGER usage_${table}_${name} AFTER ${event} ON ${table}
      WHEN NOT (${isNamedTwice} OR ${isElsewhere(row)}) BEGIN
      ${totals(own, (is) => `${set}, own = own ${sign} ${row}.size WHERE ${is} ${isCounted};`)}
      ${totals("0", (is) => `${set}, kept = kept ${sign} CASE WHEN ${isHeld(row)} THEN 0 ELSE ${row}.size END WHERE ${is} ${isCounted};`)}
    END;
    CREATE TRIGGER usage_${table}_shared_${name} AFTER ${event} ON ${table}
      WHEN (${isElsewhere(row)}) AND NOT ${isNamedTwice} BEGIN
      ${totals(own, (is) => `${set} WHERE ${is} ${isCounted};`)}
      ${totals(
        otherHolder(row, "min"),
        (
          is,
        ) => `UPDATE usage_totals SET own = own ${against} ${row}.size WHERE ${is} ${isCounted} AND
        ${otherHolder(row, "min")} = ${otherHolder(row, "max")};`,
      )}
    END;
    CREATE TRIGGER usage_${table}_scopes_${name} AFTER ${event} ON ${table}
      WHEN NOT ${isNamedTwice} AND EXISTS (SELECT 1 FROM usage_scopes) BEGIN
      ${row === "NEW" ? addToScopes : takeFromScopes}
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
      ${totals("0", (is) => `UPDATE usage_totals SET kept = kept ${sign} ${row}.size WHERE ${is} AND counted_to >= ${row}.digest;`)}
    END;`;
}

/** A blob that is pushed again with another length: one of the two is damaged, and the newest counts. */
const grown = "NEW.size - OLD.size";
const resized = `
    CREATE TRIGGER usage_blobs_size AFTER UPDATE OF size ON blobs
      WHEN NEW.size <> OLD.size AND NOT EXISTS (SELECT 1 FROM manifests o
        WHERE o.repository = NEW.repository AND o.digest = NEW.digest) BEGIN
      ${totals("NEW.repository", (is) => `UPDATE usage_totals SET linked = linked + ${grown}, own = own + CASE WHEN ${isElsewhere("NEW")} THEN 0 ELSE ${grown} END WHERE ${is} AND counted_to >= NEW.digest;`)}
      ${totals("0", (is) => `UPDATE usage_totals SET linked = linked + ${grown}, kept = kept + ${grown} WHERE ${is} AND counted_to >= NEW.digest AND NOT (${isElsewhere("NEW")});`)}
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

export const usageTriggers = [
  `
    CREATE TRIGGER usage_repositories_in AFTER INSERT ON repositories BEGIN
      INSERT INTO usage_totals (repository, counted_to) VALUES (NEW.id, '${allCounted}');
    END;`,
  ...live.flatMap((table) => rows.map((row) => trigger(table, row))),
  ...(["manifests", "tags"] as const).flatMap((table) =>
    rows.map((row) => countTrigger(table, row)),
  ),
  ...(["held_blobs", "held_manifests"] as const).flatMap((table) =>
    rows.map((row) => heldTrigger(table, row)),
  ),
  resized,
  sums,
].join("\n");
