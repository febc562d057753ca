/**
 * All content that a registry knows, once for each repository that has it: blobs and manifests, live or held for an undo.
 * Ordered by digest, so that content which repositories share comes together.
 */
import type { Digest } from "../../oci/digest.ts";
import type { AskRows, RowSnapshot } from "./row_store.ts";

export interface ContentRow {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly repository: string;
  /** The number by which rows name the repository. */
  readonly id: number;
}

/** Read at a time. */
const pageRowsMax = 500;

const tables = ["blobs", "manifests", "held_blobs", "held_manifests"] as const;

const sql = {
  contents:
    "SELECT c.digest AS digest, c.size AS sizeBytes, r.name AS repository, c.repository AS id FROM (" +
    tables
      .map(
        (table) =>
          `SELECT digest, repository, size FROM (SELECT digest, repository, size FROM ${table} ` +
          `WHERE digest >= ?1 AND (digest > ?1 OR repository > ?2) ORDER BY digest, repository LIMIT ${pageRowsMax})`,
      )
      .join(" UNION ") +
    `) c JOIN repositories r ON r.id = c.repository ORDER BY c.digest, c.repository LIMIT ${pageRowsMax}`,
  estimate:
    "SELECT kept AS bytes, digests AS digests FROM usage_totals WHERE repository = 0 AND counted_to IS NOT NULL",
  parents: "SELECT parent AS parent FROM manifest_references WHERE repository = ?1 AND child = ?2",
  live:
    "SELECT 1 AS one FROM blobs WHERE repository = ?1 AND digest = ?2 " +
    "UNION SELECT 1 AS one FROM manifests WHERE repository = ?1 AND digest = ?2",
  movedFrom: "SELECT value AS value FROM moves WHERE name = 'from'",
  registry: "SELECT text AS text FROM objects_values WHERE value = 'registry'",
  tags: "SELECT name AS name FROM tags WHERE repository = ?1 AND digest = ?2 ORDER BY name",
} as const;

/** Page by page. What is committed meanwhile may be in it or not. */
export async function* contentPages(ask: AskRows): AsyncIterable<readonly ContentRow[]> {
  for (let [digest, id] = ["", 0]; ;) {
    const rows = (await ask(sql.contents, [digest, id])) as unknown as readonly ContentRow[];
    if (rows.length > 0) yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageRowsMax) return;
    ({ digest, id } = last);
  }
}

/** About how much it is; null where that is not known yet. */
export async function estimateContent(
  ask: AskRows,
): Promise<{ readonly bytes: number; readonly digests: number } | null> {
  const [row] = await ask(sql.estimate, []);
  return row === undefined
    ? null
    : { bytes: Number(row["bytes"]), digests: Number(row["digests"]) };
}

/** Manifests above content that are looked at; an index of indexes is rare. */
const manifestsMax = 1_000;

/** Tags of a repository that lead to content, in the order of their names. */
export async function tagsLeadingTo(ask: AskRows, { id, digest }: ContentRow): Promise<string[]> {
  const tags = new Set<string>();
  const seen = new Set<string>([digest]);
  // What is added on the way is looked at, too.
  for (const each of seen) {
    for (const { name } of await ask(sql.tags, [id, each])) tags.add(String(name));
    for (const { parent } of await ask(sql.parents, [id, each])) {
      if (seen.size < manifestsMax) seen.add(String(parent));
    }
  }
  return [...tags].toSorted();
}

/** Whether a repository has content otherwise than for an undo. */
export async function isLive(
  ask: AskRows,
  { id, digest }: Pick<ContentRow, "id" | "digest">,
): Promise<boolean> {
  return (await ask(sql.live, [id, digest])).length > 0;
}

/** The id of the registry, where its content lies in a store of objects; else null. */
export async function registryIdIn(ask: AskRows): Promise<string | null> {
  const [row] = await ask(sql.registry, []);
  return row === undefined ? null : String(row["text"]);
}

/** The registry that is being moved there (`../moves.ts`); null where all of it is there. */
export async function movedFromIn({
  shape,
  ask,
}: Pick<RowSnapshot, "shape" | "ask">): Promise<string | null> {
  // Older ones do not know of it.
  if (!shape.tables.some(({ name }) => name === "moves")) return null;
  const [row] = await ask(sql.movedFrom, []);
  return row === undefined ? null : String(row["value"]);
}
