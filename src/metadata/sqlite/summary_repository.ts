/**
 * Makes the row of a repository anew: from indexes, so that it costs nearly the same for one image and for thousands.
 * Images and pulls have to be counted, so what changed is added to them unless they are to be counted anew.
 */
import { signatureTag, signatureTool, signatureTypes } from "../../oci/signatures.ts";
import type { Signature } from "../summaries.ts";
import type { RecordWork } from "../sql/record_tables.ts";
import { all, get, type Row, type Rule, tell } from "../sql/statements.ts";

/** Platforms, and vendors, of a repository that are told. */
const facetsMax = 200;
/** Referrers of a manifest that are looked at for signatures. */
const signaturesMax = 100;

/** `counts`: how many images there are more, or that images and pulls are counted. */
export function* refreshRepository(
  work: RecordWork,
  id: number,
  { name, counts }: { readonly name: string; readonly counts: { images: number } | "anew" },
): Rule<void> {
  const known = counts === "anew" ? null : yield* knownCounts(work, id, counts.images);
  const newest = yield* get(
    work,
    "SELECT tag, digest, updated_at AS updatedAt FROM summary_images INDEXED BY summary_images_newest " +
      "WHERE repository = ?1 ORDER BY updated_at DESC, tag LIMIT 1",
    id,
  );
  const digest = newest === null ? null : String(newest["digest"]);
  const pushed = yield* get(
    work,
    "SELECT set_at AS setAt FROM summary_images INDEXED BY summary_images_pushed " +
      "WHERE repository = ?1 ORDER BY set_at DESC LIMIT 1",
    id,
  );
  yield* tell(work, "UPDATE summary_counters SET value = value + 1 WHERE name = 'version'");
  yield* tell(
    work,
    "INSERT INTO summary_repositories (repository, name, images, newest_tag, newest, updated_at, platforms, vendors, " +
      "pulls, stars, signed, version) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, value " +
      "FROM summary_counters WHERE name = 'version' " +
      "ON CONFLICT (repository) DO UPDATE SET images = excluded.images, newest_tag = excluded.newest_tag, " +
      "newest = excluded.newest, updated_at = excluded.updated_at, platforms = excluded.platforms, " +
      "vendors = excluded.vendors, pulls = excluded.pulls, stars = excluded.stars, signed = excluded.signed, " +
      "version = excluded.version",
    id,
    name,
    known?.images ??
      (yield* count(work, "SELECT count(*) AS n FROM summary_images WHERE repository = ?1", id)),
    newest === null ? null : String(newest["tag"]),
    digest,
    later(newest?.["updatedAt"], pushed?.["setAt"]),
    JSON.stringify(
      (yield* facets(work, id, "platform")).map(([os = "", arch = ""]) => ({ os, arch })),
    ),
    JSON.stringify((yield* facets(work, id, "vendor")).map(([vendor]) => vendor)),
    known?.pulls ?? (yield* pullsOf(work, id)),
    yield* count(
      work,
      "SELECT count(*) AS n FROM summary_preferences INDEXED BY summary_preferences_repository " +
        "WHERE repository = ?1 AND preference = 'star'",
      id,
    ),
    digest !== null && (yield* signaturesOf(work, id, digest)).length > 0 ? 1 : 0,
  );
}

function later(...times: readonly unknown[]): number | null {
  const known = times.filter((time) => typeof time === "number");
  return known.length === 0 ? null : Math.max(...known);
}

function* count(work: RecordWork, text: string, id: number): Rule<number> {
  return Number((yield* get(work, text, id))?.["n"] ?? 0);
}

function* knownCounts(
  work: RecordWork,
  id: number,
  more: number,
): Rule<{ readonly images: number; readonly pulls: number } | null> {
  const row = yield* get(
    work,
    "SELECT images, pulls FROM summary_repositories WHERE repository = ?1",
    id,
  );
  return row === null
    ? null
    : { images: Number(row["images"]) + more, pulls: Number(row["pulls"]) };
}

/** Of manifests that have a tag. */
function pullsOf(work: RecordWork, id: number): Rule<number> {
  return count(
    work,
    "SELECT coalesce(sum(p.pulls), 0) AS n FROM retention_pulls p WHERE p.repository = ?1 AND EXISTS " +
      "(SELECT 1 FROM tags t INDEXED BY tags_digest WHERE t.repository = ?1 AND t.digest = p.digest)",
    id,
  );
}

/** Different values of one kind: the walk leaps from value to value. */
function* facets(work: RecordWork, id: number, kind: "platform" | "vendor"): Rule<string[][]> {
  const next =
    "SELECT first, second FROM summary_facets WHERE repository = ?1 AND kind = ?2 " +
    "AND (first, second) > (?3, ?4) ORDER BY first, second LIMIT 1";
  const found: string[][] = [];
  for (let last = ["", ""]; found.length < facetsMax;) {
    const row = yield* get(work, next, id, kind, last[0] ?? "", last[1] ?? "");
    if (row === null) break;
    found.push((last = [String(row["first"]), String(row["second"])]));
  }
  return found;
}

export const signatureSql = {
  signatureTag: "SELECT digest FROM tags WHERE repository = ?1 AND name = ?2",
  signatures:
    "SELECT m.digest AS digest, m.artifact_type AS artifactType, coalesce(l.text, m.annotations) AS annotations " +
    "FROM manifests m INDEXED BY manifests_subject LEFT JOIN long_annotations l " +
    "ON l.repository = m.repository AND l.manifest = m.digest " +
    "WHERE m.repository = ?1 AND m.subject = ?2 AND m.artifact_type IN (SELECT value FROM json_each(?3)) LIMIT ?4",
} as const;

/** Signatures of a manifest, by either way. */
export function* signaturesOf(
  work: Pick<RecordWork, "engine">,
  repository: number,
  digest: string,
): Rule<Signature[]> {
  const tagged = yield* get(work, signatureSql.signatureTag, repository, signatureTag(digest));
  const types = JSON.stringify(signatureTypes);
  const referring = yield* all(
    work,
    signatureSql.signatures,
    repository,
    digest,
    types,
    signaturesMax,
  );
  const found: Signature[] =
    tagged === null ? [] : [{ tool: "cosign", digest: String(tagged["digest"]) }];
  for (const { digest: signature, artifactType, annotations } of referring) {
    const tool = signatureTool(textOf(artifactType), textOf(annotations));
    if (tool !== null) found.push({ tool, digest: String(signature) });
  }
  return found;
}

function textOf(value: Row[string] | undefined): string | null {
  return typeof value === "string" ? value : null;
}
