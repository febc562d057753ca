/** What is asked of summaries (`../summaries.ts`). */
import type { Digest } from "../../oci/digest.ts";
import {
  summaryVersion,
  type FoundImage,
  type ImageOrder,
  type ImageRow,
  type ManifestFacts,
  type RepositorySummary,
  type StoredSummary,
  type SummarisableManifest,
  type SummarisedChild,
  type SummarisedLayer,
  type SummaryReads,
  type SummaryTexts,
  type Within,
} from "../summaries.ts";
import type { Source } from "../sql/source.ts";
import { signatureSql, signaturesOf } from "./summary_repository.ts";

const here = "(SELECT id FROM repositories WHERE name = ?1)";
const image =
  "i.repository AS repository, i.name AS name, i.tag AS tag, i.digest AS digest, i.manifest AS summary, " +
  "i.updated_at AS updatedAt, i.set_at AS setAt";
const facts =
  "m.media_type AS mediaType, m.size AS manifestBytes, m.pushed_at AS pushedAt, m.pushed_by AS pushedBy, " +
  "coalesce(p.pulls, 0) AS pulls, p.pulled_at AS pulledAt";
const summary =
  "s.id AS id, s.repository AS repository, s.digest AS digest, s.kind AS kind, s.artifact_type AS artifactType, " +
  "s.config_digest AS configDigest, s.config_type AS configType, s.os AS os, s.arch AS arch, " +
  "s.updated_at AS updatedAt, s.annotated_at AS annotatedAt, s.size AS sizeBytes, s.texts AS texts, " +
  "s.vendor AS annotatedVendor";
const ofSummary = `SELECT ${summary} FROM summary_manifests s`;
const isWithin =
  "(CAST(?2 AS TEXT) IS NULL OR i.repository IN (SELECT CAST(value AS BIGINT) FROM json_each(?2)))";

/** Images whose manifests were found, or that are indexes which show one of them; of all an index alone is read. */
function imagesOfFound(found: string): string {
  const place = "i.repository AS repository, i.tag AS tag, i.manifest AS summary";
  return (
    `WITH found (id) AS (${found}) ` +
    `SELECT ${place}, NULL AS child FROM found CROSS JOIN summary_images i INDEXED BY summary_images_manifest ` +
    `ON i.manifest = found.id WHERE ${isWithin} UNION ` +
    `SELECT ${place}, c.child AS child FROM found CROSS JOIN summary_manifests m ON m.id = found.id ` +
    "CROSS JOIN summary_children c INDEXED BY summary_children_child " +
    "ON c.repository = m.repository AND c.child = m.digest AND c.shown = 1 " +
    "CROSS JOIN summary_images i INDEXED BY summary_images_manifest ON i.manifest = c.manifest " +
    `WHERE ${isWithin} LIMIT ?3`
  );
}

const inRepository: Readonly<Record<ImageOrder, string>> = {
  updated:
    "INDEXED BY summary_images_newest WHERE i.repository = ?1 ORDER BY i.updated_at DESC, i.tag",
  set: "INDEXED BY summary_images_pushed WHERE i.repository = ?1 ORDER BY i.set_at DESC, i.tag",
  tag: "WHERE i.repository = ?1 ORDER BY i.tag",
  "tag-descending": "WHERE i.repository = ?1 ORDER BY i.tag DESC",
};

function ofRepository(order: ImageOrder): string {
  return `SELECT ${image} FROM summary_images i ${inRepository[order]} LIMIT ?2 OFFSET ?3`;
}

/** The page is found in the index alone; only its own rows are read. */
function ofAll(column: "updated_at" | "set_at", index: string, within: string): string {
  return (
    `SELECT ${image} FROM (SELECT repository, tag FROM summary_images INDEXED BY ${index} ${within}` +
    `ORDER BY ${column} DESC, name, tag LIMIT ?1 OFFSET ?2) page ` +
    "CROSS JOIN summary_images i ON i.repository = page.repository AND i.tag = page.tag"
  );
}

const onlyWithin = "WHERE repository IN (SELECT CAST(value AS BIGINT) FROM json_each(?3)) ";

export const summarySql = {
  summaryChanged:
    "SELECT repository AS id, name, images, newest_tag AS newestTag, newest, updated_at AS updatedAt, platforms, " +
    "vendors, pulls, stars, signed, version FROM summary_repositories WHERE version > ?1 ORDER BY version LIMIT ?2",
  summaryImagesByTag: ofRepository("tag"),
  summaryImagesByTagDown: ofRepository("tag-descending"),
  summaryImagesUpdated: ofRepository("updated"),
  summaryImagesSet: ofRepository("set"),
  summaryNewest: ofAll("updated_at", "summary_images_updated", ""),
  summaryNewestWithin: ofAll("updated_at", "summary_images_updated", onlyWithin),
  summaryLastSet: ofAll("set_at", "summary_images_set", ""),
  summaryLastSetWithin: ofAll("set_at", "summary_images_set", onlyWithin),
  summaryImage: `SELECT ${image} FROM summary_images i WHERE i.repository = ?1 AND i.tag = ?2`,
  summaryImages:
    `SELECT ${image} FROM json_each(?1) CROSS JOIN summary_images i ` +
    "ON i.repository = json_each.value ->> 0 AND i.tag = json_each.value ->> 1",
  summaryTagText:
    "SELECT group_concat(i.tag, char(10)) AS text FROM summary_images i WHERE i.repository = ?1",
  summariesOf:
    "SELECT id FROM summary_manifests INDEXED BY summary_manifests_digest WHERE digest = ?1",
  summaryWithDigest: imagesOfFound(
    "SELECT id FROM summary_manifests INDEXED BY summary_manifests_digest " +
      "WHERE digest >= ?1 AND digest < ?1 || 'g' UNION " +
      "SELECT id FROM summary_manifests INDEXED BY summary_manifests_config " +
      "WHERE config_digest >= ?1 AND config_digest < ?1 || 'g' UNION " +
      "SELECT manifest FROM summary_layers INDEXED BY summary_layers_digest " +
      "WHERE digest >= ?1 AND digest < ?1 || 'g'",
  ),
  summaryBelow: imagesOfFound(
    "SELECT m.id FROM summary_layers l CROSS JOIN summary_manifests m INDEXED BY summary_manifests_chain " +
      "ON m.chain = l.chain WHERE l.manifest = ?1",
  ),
  summaryAbove: imagesOfFound(
    // Those that have its last layer, in its place and over the same ones.
    "SELECT l.manifest FROM summary_manifests m CROSS JOIN summary_layers own " +
      "ON own.manifest = m.id AND own.chain = m.chain " +
      "CROSS JOIN summary_layers l INDEXED BY summary_layers_digest ON l.digest = own.digest " +
      "WHERE m.id = ?1 AND l.chain = m.chain",
  ),
  summaryById: `${ofSummary} WHERE s.id = ?1`,
  summaryByDigest: `${ofSummary} WHERE s.repository = ?1 AND s.digest = ?2`,
  summaryChildren:
    "SELECT child AS digest, os, arch FROM summary_children WHERE manifest = ?1 AND shown = 1 ORDER BY position",
  summaryLayers:
    "SELECT digest, size AS sizeBytes FROM summary_layers WHERE manifest = ?1 ORDER BY position",
  summaryDetails:
    `SELECT ${summary}, ${facts} FROM json_each(?1) CROSS JOIN summary_manifests s ON s.id = CAST(json_each.value AS BIGINT) ` +
    "LEFT JOIN manifests m ON m.repository = s.repository AND m.digest = s.digest " +
    "LEFT JOIN retention_pulls p ON p.repository = s.repository AND p.digest = s.digest",
  summaryFacts:
    `SELECT ${facts} FROM manifests m LEFT JOIN retention_pulls p ON p.repository = m.repository ` +
    "AND p.digest = m.digest WHERE m.repository = ?1 AND m.digest = ?2",
  summarySize: "SELECT linked AS bytes FROM usage_totals WHERE repository = ?1",
  ...signatureSql,
  summaryLayerCount:
    "SELECT count(*) AS n FROM manifest_references INDEXED BY manifest_references_parent " +
    "WHERE repository = ?1 AND parent = ?2 AND target = 'blob'",
  summaryPreferred:
    'SELECT repository FROM summary_preferences WHERE "user" = ?1 AND preference = ?2',
  summaryManifests:
    "SELECT m.digest AS digest, m.media_type AS mediaType, m.size AS sizeBytes, m.subject AS subject, " +
    "EXISTS (SELECT 1 FROM summary_manifests s WHERE s.repository = m.repository AND s.digest = m.digest " +
    "AND s.version >= ?3) AS isSummarised FROM json_each(?2) " +
    `CROSS JOIN manifests m ON m.repository = ${here} AND m.digest = json_each.value`,
  summaryIndexes:
    "SELECT DISTINCT m.digest AS digest FROM summary_children c INDEXED BY summary_children_child " +
    `CROSS JOIN summary_manifests m ON m.id = c.manifest WHERE c.repository = ${here} AND c.child = ?2`,
  summaryRound:
    "SELECT (SELECT value FROM summary_counters WHERE name = 'round') AS round, " +
    "(SELECT value FROM summary_counters WHERE name = 'made') AS version",
  summaryUnlooked:
    "SELECT r.name AS name FROM repositories r LEFT JOIN summary_looks l ON l.repository = r.id " +
    "WHERE coalesce(l.round, 0) < ?1 ORDER BY r.changed_at DESC LIMIT ?2",
  summaryPoor:
    "SELECT s.id AS id, r.name AS repository, s.digest AS digest FROM summary_manifests s " +
    "INDEXED BY summary_manifests_poor CROSS JOIN repositories r ON r.id = s.repository " +
    "WHERE s.version = 0 AND s.id > ?1 ORDER BY s.id LIMIT ?2",
  summaryProgress:
    'SELECT (SELECT count(*) FROM summary_looks WHERE round >= ?1) AS looked, (SELECT count(*) FROM repositories) AS "all"',
  summaryTags:
    `SELECT t.name AS tag, t.digest AS digest, t.set_at AS setAt FROM tags t WHERE t.repository = ${here} ` +
    "ORDER BY t.set_at DESC, t.name",
  summaryGone:
    `SELECT i.tag AS tag FROM summary_images i WHERE i.repository = ${here} AND NOT EXISTS ` +
    "(SELECT 1 FROM tags t WHERE t.repository = i.repository AND t.name = i.tag) LIMIT ?2",
} as const;

const byOrder: Readonly<Record<ImageOrder, string>> = {
  updated: summarySql.summaryImagesUpdated,
  set: summarySql.summaryImagesSet,
  tag: summarySql.summaryImagesByTag,
  "tag-descending": summarySql.summaryImagesByTagDown,
};

const newestOf = {
  updated: [summarySql.summaryNewest, summarySql.summaryNewestWithin],
  set: [summarySql.summaryLastSet, summarySql.summaryLastSetWithin],
} as const;

export function summaryReads(source: Source): SummaryReads {
  const { get, all } = source;
  return {
    changed: async (version, limit) =>
      (await all<RepositoryRow>(summarySql.summaryChanged, version, limit)).map(repositoryOf),
    ...imageReads({ get, all }),
    summary: async (id) => summaryOf(await get<SummaryRow>(summarySql.summaryById, id)),
    find: async (repository, digest) =>
      summaryOf(await get<SummaryRow>(summarySql.summaryByDigest, repository, digest)),
    children: async (id) =>
      (await all<{ digest: Digest; os: string; arch: string }>(summarySql.summaryChildren, id)).map(
        ({ digest, os, arch }): SummarisedChild => ({ digest, platform: { os, arch } }),
      ),
    layers: async (id) => await all<SummarisedLayer>(summarySql.summaryLayers, id),
    details: async (ids) => {
      const rows = await all<SummaryRow & FactsRow>(summarySql.summaryDetails, JSON.stringify(ids));
      return new Map(
        rows.map((row) => [row.id, { summary: summaryFrom(row), facts: factsOf(row) }]),
      );
    },
    facts: async (repository, digest) =>
      factsOf(await get<FactsRow>(summarySql.summaryFacts, repository, digest)),
    sizeOf: async (repository) =>
      (await get<{ bytes: number }>(summarySql.summarySize, repository))?.bytes ?? 0,
    signatures: async (repository, digest) =>
      source.follow(signaturesOf(source, repository, digest)),
    layerCount: async (repository, digest) =>
      Math.max(
        1,
        ((await get<{ n: number }>(summarySql.summaryLayerCount, repository, digest))?.n ?? 0) - 1,
      ),
    preferred: async (user, preference) =>
      (await all<{ repository: number }>(summarySql.summaryPreferred, user, preference)).map(
        ({ repository }) => repository,
      ),
    manifests: async (repository, digests) =>
      (
        await all<Omit<SummarisableManifest, "isSummarised"> & { isSummarised: number }>(
          summarySql.summaryManifests,
          repository,
          JSON.stringify(digests),
          summaryVersion,
        )
      ).map((row) => ({ ...row, isSummarised: row.isSummarised === 1 })),
    indexesOf: async (repository, digest) =>
      (await all<{ digest: Digest }>(summarySql.summaryIndexes, repository, digest)).map(
        (row) => row.digest,
      ),
    round: async () => (await get(summarySql.summaryRound)) ?? { round: 0, version: 0 },
    unlooked: async (round, limit) =>
      (await all<{ name: string }>(summarySql.summaryUnlooked, round, limit)).map(
        ({ name }) => name,
      ),
    poor: async (after, limit) => await all(summarySql.summaryPoor, after, limit),
    progress: async (round) =>
      (await get<{ looked: number; all: number }>(summarySql.summaryProgress, round)) ?? {
        looked: 0,
        all: 0,
      },
    tagsOf: async (repository) => await all(summarySql.summaryTags, repository),
    goneTags: async (repository, limit) =>
      (await all<{ tag: string }>(summarySql.summaryGone, repository, limit)).map(({ tag }) => tag),
  };
}

function imageReads({
  get,
  all,
}: Pick<Source, "get" | "all">): Pick<
  SummaryReads,
  | "imagesOf"
  | "newest"
  | "image"
  | "images"
  | "tagText"
  | "imagesWithDigest"
  | "imagesBelow"
  | "imagesAbove"
  | "summariesOf"
> {
  return {
    imagesOf: async (repository, order, { offset, limit }) =>
      await all<ImageRow>(byOrder[order], repository, limit, offset),
    newest: async (within, order, { offset, limit }) => {
      const [ofAllRows, ofSome] = newestOf[order];
      if (within === null) return await all<ImageRow>(ofAllRows, limit, offset);
      return await all<ImageRow>(ofSome, limit, offset, JSON.stringify(within));
    },
    image: async (repository, tag) => await get<ImageRow>(summarySql.summaryImage, repository, tag),
    images: async (places) =>
      await all<ImageRow>(
        summarySql.summaryImages,
        JSON.stringify(places.map(({ repository, tag }) => [repository, tag])),
      ),
    tagText: async (repository) =>
      (await get<{ text: string | null }>(summarySql.summaryTagText, repository))?.text ?? "",
    imagesWithDigest: async (prefix, within, limit) =>
      await all<FoundImage>(summarySql.summaryWithDigest, prefix, listOf(within), limit),
    imagesBelow: async (id, within, limit) =>
      await all<FoundImage>(summarySql.summaryBelow, id, listOf(within), limit),
    imagesAbove: async (id, within, limit) =>
      await all<FoundImage>(summarySql.summaryAbove, id, listOf(within), limit),
    summariesOf: async (digest) =>
      (await all<{ id: number }>(summarySql.summariesOf, digest)).map(({ id }) => id),
  };
}

function listOf(within: Within): string | null {
  return within === null ? null : JSON.stringify(within);
}

interface RepositoryRow {
  readonly id: number;
  readonly name: string;
  readonly images: number;
  readonly newestTag: string | null;
  readonly newest: Digest | null;
  readonly updatedAt: number | null;
  readonly platforms: string;
  readonly vendors: string;
  readonly pulls: number;
  readonly stars: number;
  readonly signed: number;
  readonly version: number;
}

function repositoryOf(row: RepositoryRow): RepositorySummary {
  const { newestTag, newest, platforms, vendors, signed, ...rest } = row;
  return {
    ...rest,
    newest: newestTag === null || newest === null ? null : { tag: newestTag, digest: newest },
    // Written by `refreshRepository`.
    platforms: JSON.parse(platforms) as RepositorySummary["platforms"],
    vendors: JSON.parse(vendors) as RepositorySummary["vendors"],
    isSigned: signed === 1,
  };
}

interface SummaryRow {
  readonly id: number;
  readonly repository: number;
  readonly digest: Digest;
  readonly kind: "image" | "index";
  readonly artifactType: string | null;
  readonly configDigest: string | null;
  readonly configType: string | null;
  readonly os: string;
  readonly arch: string;
  readonly updatedAt: number | null;
  readonly annotatedAt: number | null;
  readonly sizeBytes: number;
  readonly texts: string;
  readonly annotatedVendor: string | null;
}

function summaryOf(row: SummaryRow | null): StoredSummary | null {
  return row === null ? null : summaryFrom(row);
}

function summaryFrom(row: SummaryRow): StoredSummary {
  const { id, repository, digest, kind, artifactType, updatedAt, annotatedAt, sizeBytes } = row;
  const { configDigest, configType, os, arch, texts, annotatedVendor } = row;
  return {
    id,
    repository,
    digest,
    kind,
    artifactType,
    updatedAt,
    annotatedAt,
    sizeBytes,
    annotatedVendor,
    config: configDigest === null ? null : { digest: configDigest, mediaType: configType ?? "" },
    platform: { os, arch },
    // Written by `writeSummary`.
    texts: JSON.parse(texts) as SummaryTexts,
  };
}

/** Null members where the manifest is gone. */
interface FactsRow {
  readonly mediaType: string | null;
  readonly manifestBytes: number;
  readonly pushedAt: number;
  readonly pushedBy: string | null;
  readonly pulls: number;
  readonly pulledAt: number | null;
}

function factsOf(row: FactsRow | null): ManifestFacts | null {
  if (row === null || row.mediaType === null) return null;
  const { mediaType, manifestBytes: sizeBytes, pushedAt, pushedBy, pulls, pulledAt } = row;
  return { mediaType, sizeBytes, pushedAt, pushedBy, pulls, pulledAt };
}
