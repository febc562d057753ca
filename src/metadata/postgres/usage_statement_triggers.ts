/**
 * The triggers that keep totals in PostgreSQL: as those of SQLite (`../sqlite/usage_triggers.ts`), but once for each
 * statement, since a statement writes what many commits say. A row of `usage_totals` is then changed once for all of
 * them, that of the registry above all.
 *
 * A statement names each digest at most once (`joined_statements.ts`): who else has it is looked up when all of its rows
 * are there. Quotas, and totals that are counted anew, are changed row by row, as before.
 */

type Live = "blobs" | "manifests";

const live: readonly Live[] = ["blobs", "manifests"];

function elsewhere(table: Live): string {
  return `EXISTS (SELECT 1 FROM ${table} e WHERE e.digest = c.digest AND e.repository <> c.repository)`;
}

/** Who else has a digest: 0 nobody, 1 another repository, 2 the repository itself in the other table. */
function holders(table: Live): string {
  const other = table === "blobs" ? "manifests" : "blobs";
  const others = `CASE WHEN ${live.map(elsewhere).join(" OR ")} THEN 1 ELSE 0 END`;
  return (
    `CASE WHEN NOT EXISTS (SELECT 1 FROM ${other} e WHERE e.digest = c.digest) ` +
    `THEN CASE WHEN ${elsewhere(table)} THEN 1 ELSE 0 END ` +
    `WHEN EXISTS (SELECT 1 FROM ${other} e WHERE e.repository = c.repository AND e.digest = c.digest) THEN 2 ` +
    `ELSE ${others} END`
  );
}

const isHeld = ["held_blobs", "held_manifests"]
  .map((table) => `EXISTS (SELECT 1 FROM ${table} h WHERE h.digest = m.digest)`)
  .join(" OR ");

const otherHolder = `coalesce(${live
  .map(
    (table) =>
      `(SELECT e.repository FROM ${table} e WHERE e.digest = m.digest AND e.repository <> m.repository LIMIT 1)`,
  )
  .join(", ")})`;

const noThird = live
  .map(
    (table) =>
      `NOT EXISTS (SELECT 1 FROM ${table} e WHERE e.digest = m.digest AND e.repository <> m.repository ` +
      "AND e.repository <> o.repository)",
  )
  .join(" AND ");

/** Rows are found by an index, however few there were when the function was first run. */
const plans =
  "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off";

function statementTrigger(table: string, name: string, body: string): string {
  const [event, rows] = name.endsWith("in") ? ["INSERT", "NEW"] : ["DELETE", "OLD"];
  const called = `usage_${table}_${name}`;
  return `
DROP TRIGGER ${called} ON ${table};
CREATE OR REPLACE FUNCTION ${called}() RETURNS trigger LANGUAGE plpgsql ${plans} AS $trigger$ BEGIN
${body}
  RETURN NULL; END $trigger$;
CREATE TRIGGER ${called} AFTER ${event} ON ${table} REFERENCING ${rows} TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION ${called}();`;
}

/** Content that comes or goes. Totals count digests up to `counted_to`; an empty one stands for all that are counted. */
function contentTrigger(table: Live, name: "in" | "out"): string {
  const sign = name === "in" ? "+" : "-";
  const view = name === "in" ? "usage_arrivals_beside" : "usage_departures_beside";
  const moved = `SELECT c.repository, c.digest, c.size, ${holders(table)} AS holders FROM changed c`;
  const counts =
    table === "blobs"
      ? ""
      : `
    UNION ALL SELECT c.repository, '' COLLATE "C", 0, 0, 0, 0, 1 FROM changed c
    UNION ALL SELECT -1 - c.repository, '' COLLATE "C", 0, 0, 0, 0, 1 FROM changed c`;
  const figures = ["linked", "own", "kept", "digests", ...(table === "blobs" ? [] : ["manifests"])];
  const sums = figures.map((figure) => `CAST(sum(d.${figure}) AS bigint) AS ${figure}`).join(", ");
  const sets = figures.map((figure) => `${figure} = t.${figure} ${sign} s.${figure}`).join(", ");
  return statementTrigger(
    table,
    name,
    `  WITH moved AS MATERIALIZED (${moved}),
  deltas (repository, digest, linked, own, kept, digests, manifests) AS (
    SELECT m.repository, m.digest, m.size, CASE m.holders WHEN 0 THEN m.size ELSE 0 END, 0::bigint, 1, 0
      FROM moved m WHERE m.holders <> 2
    UNION ALL SELECT -r.shadow, m.digest, m.size, 0, CASE WHEN ${isHeld} THEN 0 ELSE m.size END, 1, 0
      FROM moved m CROSS JOIN (VALUES (0::bigint), (1::bigint)) AS r(shadow) WHERE m.holders = 0
    UNION ALL SELECT o.repository, m.digest, 0, -m.size, 0, 0, 0
      FROM moved m CROSS JOIN LATERAL (SELECT ${otherHolder} AS repository) AS o
      WHERE m.holders = 1 AND ${noThird}${counts}),
  sums AS (SELECT d.repository, ${sums} FROM deltas d
    JOIN usage_totals u ON u.repository = d.repository AND u.counted_to >= d.digest GROUP BY d.repository)
  UPDATE usage_totals t SET ${sets} FROM sums s WHERE t.repository = s.repository;
  IF EXISTS (SELECT 1 FROM usage_scopes) OR EXISTS (SELECT 1 FROM usage_totals WHERE repository < -1) THEN
    INSERT INTO ${view} SELECT m.repository, m.digest, m.size, m.holders FROM (${moved}) AS m WHERE m.holders <> 2;
  END IF;`,
  );
}

function tagsTrigger(name: "in" | "out"): string {
  const sign = name === "in" ? "+" : "-";
  return statementTrigger(
    "tags",
    `count_${name}`,
    `  UPDATE usage_totals t SET tags = t.tags ${sign} s.tags FROM (
    SELECT each.repository, count(*) AS tags FROM (
      SELECT c.repository FROM changed c UNION ALL SELECT -1 - c.repository FROM changed c) AS each
    GROUP BY each.repository) AS s WHERE t.repository = s.repository AND t.counted_to IS NOT NULL;`,
  );
}

export const usageStatementTriggers = [
  ...live.flatMap((table) => (["in", "out"] as const).map((name) => contentTrigger(table, name))),
  ...(["in", "out"] as const).map(tagsTrigger),
  // Counted with what they are.
  ...["in", "out"].flatMap((name) => [
    `DROP TRIGGER usage_manifests_count_${name} ON manifests;`,
    `DROP FUNCTION usage_manifests_count_${name}();`,
  ]),
  ...["arrivals", "departures"].flatMap((name) => [
    `DROP VIEW usage_${name};`,
    `DROP FUNCTION usage_${name}_counted();`,
    `DROP FUNCTION usage_${name}_passed();`,
  ]),
  // Each statement leaves a new version of some rows: there is room for them beside the old ones.
  "ALTER TABLE usage_totals SET (fillfactor = 50);",
  "ALTER TABLE repositories SET (fillfactor = 70);",
].join("\n");
