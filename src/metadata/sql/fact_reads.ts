/**
 * What is read of repositories, as rules (`statements.ts`).
 *
 * Every method is one prepared statement with a bounded answer, or a few, and sees all commits that were acknowledged
 * before it began, from any process.
 */
import { Lru } from "../../lib/lru.ts";
import type { Digest } from "../../oci/digest.ts";
import { atOnce } from "./bytes_under_lock.ts";
import { failedPreconditions } from "./preconditions.ts";
import { annotationsBytes, isLong } from "./long_annotations.ts";
import { all, get, type Engine, type Rule, type Value } from "./statements.ts";
import type {
  CatalogPage,
  FailedPrecondition,
  FeedRecord,
  Held,
  HistoryRecord,
  Holding,
  ManifestRecord,
  Page,
  Precondition,
  Recorded,
  ReferrerRecord,
  ReferrersPage,
  ScanPage,
  TagPast,
} from "../metadata.ts";

/** Names whose ids are remembered; a repository keeps its id for ever, also while it is removed. */
const knownIdsMax = 20_000;
const manifestColumns = "m.digest AS digest, m.media_type AS mediaType, m.size AS sizeBytes";
const damagedSince =
  "(SELECT since FROM damaged d WHERE d.repository = ?1 AND d.digest = m.digest) AS damagedSince";
const historyColumns =
  "h.sequence AS sequence, r.name AS repository, h.tag AS tag, h.digest AS digest, " +
  "h.previous AS previous, h.media_type AS mediaType, h.size AS sizeBytes, " +
  "h.previous_media_type AS previousMediaType, h.previous_size AS previousSizeBytes, " +
  "h.previous_at AS previousAt, h.at AS at, h.by AS by, h.generation AS generation " +
  "FROM history h CROSS JOIN repositories r ON r.id = h.repository";

/** Every statement, for the test of their query plans. */
export const sql = {
  repository: "SELECT id FROM repositories WHERE name = ?1",
  present: "SELECT 1 AS found FROM repositories WHERE id = ?1 AND removed_at IS NULL",
  blob:
    "SELECT size AS sizeBytes, (SELECT since FROM damaged d WHERE d.repository = ?1 AND d.digest = ?2) " +
    "AS damagedSince FROM blobs WHERE repository = ?1 AND digest = ?2",
  holders:
    "SELECT r.name AS name FROM blobs b JOIN repositories r ON r.id = b.repository " +
    "WHERE b.digest = ?1 AND r.name <> ?2 LIMIT ?3",
  byDigest: `SELECT ${manifestColumns}, ${damagedSince} FROM manifests m WHERE m.repository = ?1 AND m.digest = ?2`,
  byTag:
    `SELECT ${manifestColumns}, ${damagedSince} FROM tags t ` +
    "JOIN manifests m ON m.repository = t.repository AND m.digest = t.digest " +
    "WHERE t.repository = ?1 AND t.name = ?2",
  tagsOf: "SELECT name FROM tags WHERE repository = ?1 AND digest = ?2 ORDER BY name LIMIT ?3",
  tags: "SELECT name FROM tags WHERE repository = ?1 AND name > ?2 ORDER BY name LIMIT ?3",
  catalog:
    "SELECT name, EXISTS (SELECT 1 FROM manifests m WHERE m.repository = r.id) AS held " +
    "FROM repositories r INDEXED BY repositories_present WHERE removed_at IS NULL AND name > ?1 " +
    "ORDER BY name LIMIT ?2",
  referrers:
    `SELECT ${manifestColumns}, m.artifact_type AS artifactType, m.annotations AS annotations ` +
    "FROM manifests m INDEXED BY manifests_subject WHERE m.repository = ?1 AND m.subject = ?2 AND m.digest > ?3 " +
    "ORDER BY m.digest LIMIT ?4",
  longAnnotations: "SELECT text FROM long_annotations WHERE repository = ?1 AND manifest = ?2",
  feed: `SELECT ${historyColumns} WHERE h.sequence > ?1 ORDER BY h.sequence LIMIT ?2`,
  // Pushes that set no tag are in the feed, not in history.
  history: `SELECT ${historyColumns} WHERE h.repository = ?1 AND (h.tag IS NOT NULL OR h.digest IS NULL) ORDER BY h.sequence DESC LIMIT ?2`,
  historyOfTag:
    `SELECT ${historyColumns} WHERE h.repository = ?1 AND h.tag = ?2 ` +
    "ORDER BY h.sequence DESC LIMIT ?3",
  repositories:
    "SELECT name FROM repositories INDEXED BY repositories_present " +
    "WHERE removed_at IS NULL AND name > ?1 ORDER BY name LIMIT ?2",
  held: (
    [
      ["blobs", "blob"],
      ["manifests", "manifest"],
      ["orphans", "orphan"],
      ["held_blobs", "held"],
      ["held_manifests", "held"],
    ] as const
  )
    .map(
      ([table, as]) =>
        `SELECT x.digest AS digest, '${as}' AS "as" FROM json_each(?2) ` +
        `CROSS JOIN ${table} x ON x.repository = ?1 AND x.digest = json_each.value`,
    )
    .join(" UNION ALL "),
  tagDigests:
    "SELECT t.name AS tag, t.digest AS digest FROM json_each(?2) " +
    "CROSS JOIN tags t ON t.repository = ?1 AND t.name = json_each.value",
  parents:
    "SELECT json_each.value AS child, (SELECT parent FROM manifest_references r WHERE r.repository = ?1 " +
    "AND r.child = json_each.value AND r.target = 'manifest' LIMIT 1) AS parent FROM json_each(?2)",
  tagWas:
    "SELECT 1 AS found FROM history WHERE repository = ?1 AND tag = ?2 " +
    "AND (digest = ?3 OR previous = ?3) LIMIT 1",
  tagLast:
    "SELECT by, generation, at FROM history WHERE repository = ?1 AND tag = ?2 ORDER BY sequence DESC LIMIT 1",
  removed:
    "SELECT 1 AS found FROM history WHERE repository = ?1 AND tag IS NULL AND digest IS NULL " +
    "AND previous = ?2 AND generation > ?3 LIMIT 1",
  orphans:
    "SELECT r.name AS repository, o.digest AS digest FROM orphans o " +
    "CROSS JOIN repositories r ON r.id = o.repository ORDER BY o.since LIMIT ?1",
  heldBlobs:
    "SELECT r.name AS repository, b.digest AS digest, b.size AS sizeBytes, b.repository AS id " +
    "FROM blobs b INDEXED BY blobs_digest CROSS JOIN repositories r ON r.id = b.repository " +
    "WHERE (b.digest, b.repository) > (?1, ?2) ORDER BY b.digest, b.repository LIMIT ?3",
  heldManifests:
    "SELECT r.name AS repository, m.digest AS digest, m.size AS sizeBytes, m.repository AS id " +
    "FROM manifests m CROSS JOIN repositories r ON r.id = m.repository " +
    "WHERE (m.repository, m.digest) > (?2, ?1) ORDER BY m.repository, m.digest LIMIT ?3",
  orphan: "SELECT 1 AS found FROM orphans WHERE repository = ?1 AND digest = ?2",
} as const;

type Row<T extends Recorded> = Omit<T, "damagedSince"> & { readonly damagedSince: number | null };

/** A reader holds no lock, so the bytes are not asked: their precondition is the writer's. */
const bytesUnasked = atOnce({
  present: () => true,
  remove: () => {},
  stamp: () => null,
  quarantine: () => null,
});

/** A record with the moment of its damage, if it has one. */
function sound<T extends Recorded>(row: Row<T> | null): T | null {
  if (row === null) return null;
  const { damagedSince, ...record } = row;
  // The rest of the row is the record.
  return (damagedSince === null ? record : row) as unknown as T;
}

export class FactReads {
  readonly engine: Engine;
  readonly #ids = new Lru<string, number>({ entriesMax: knownIdsMax });

  constructor(engine: Engine) {
    this.engine = engine;
  }

  *repositoryExists(repository: string): Rule<boolean> {
    return (yield* this.#get(sql.present, yield* this.idOf(repository))) !== null;
  }

  *check(repository: string, preconditions: readonly Precondition[]): Rule<FailedPrecondition[]> {
    const context = { engine: this.engine, bytes: bytesUnasked, now: 0 };
    const id = yield* this.idOf(repository);
    return yield* failedPreconditions(context, { repository, preconditions }, id);
  }

  *blobRecord(repository: string, digest: Digest): Rule<Recorded | null> {
    return sound(yield* this.#get<Row<Recorded>>(sql.blob, yield* this.idOf(repository), digest));
  }

  *repositoriesWithBlob(digest: Digest, except: string, limit: number): Rule<string[]> {
    return (yield* this.#all<{ name: string }>(sql.holders, digest, except, limit)).map(
      (row) => row.name,
    );
  }

  *manifestByDigest(repository: string, digest: Digest): Rule<ManifestRecord | null> {
    return sound(
      yield* this.#get<Row<ManifestRecord>>(sql.byDigest, yield* this.idOf(repository), digest),
    );
  }

  *manifestByTag(repository: string, tag: string): Rule<ManifestRecord | null> {
    return sound(
      yield* this.#get<Row<ManifestRecord>>(sql.byTag, yield* this.idOf(repository), tag),
    );
  }

  *tagsOf(repository: string, digest: Digest, limit: number): Rule<string[]> {
    const id = yield* this.idOf(repository);
    return (yield* this.#all<{ name: string }>(sql.tagsOf, id, digest, limit)).map(
      ({ name }) => name,
    );
  }

  *tags(repository: string, page: Page): Rule<string[]> {
    const rows = yield* this.#all<{ name: string }>(
      sql.tags,
      yield* this.idOf(repository),
      page.after ?? "",
      page.limit,
    );
    return rows.map((row) => row.name);
  }

  *catalog({ after, limit }: Page): Rule<CatalogPage> {
    const rows = yield* this.#all<{ name: string; held: number }>(sql.catalog, after ?? "", limit);
    const names = rows.filter(({ held }) => held === 1).map(({ name }) => name);
    return { names, next: rows.length < limit ? null : (rows.at(-1)?.name ?? null) };
  }

  *referrers(
    repository: string,
    subject: string,
    artifactTypes: readonly string[],
    page: ScanPage,
  ): Rule<ReferrersPage> {
    const id = yield* this.idOf(repository);
    const { limit, bytesMax } = page;
    const rows = yield* this.#all<ReferrerRecord>(
      sql.referrers,
      id,
      subject,
      page.after ?? "",
      limit,
    );
    const types = new Set(artifactTypes);
    const records: ReferrerRecord[] = [];
    let next = page.after;
    let bytes = 0;
    for (const row of rows) {
      if (types.size === 0 || (row.artifactType !== null && types.has(row.artifactType))) {
        bytes += annotationsBytes(row.annotations);
        if (bytes > bytesMax && records.length > 0) return { records, next };
        records.push(yield* this.#withAnnotations(id, row));
      }
      next = row.digest;
    }
    return { records, next: rows.length < limit ? null : next };
  }

  *#withAnnotations(id: number | null, row: ReferrerRecord): Rule<ReferrerRecord> {
    if (row.annotations === null || !isLong(row.annotations)) return row;
    const long = yield* this.#get<{ text: string }>(sql.longAnnotations, id, row.digest);
    return { ...row, annotations: long?.text ?? null };
  }

  *history(repository: string, tag: string | null, limit: number): Rule<HistoryRecord[]> {
    const id = yield* this.idOf(repository);
    if (tag === null) return yield* this.#all<HistoryRecord>(sql.history, id, limit);
    return yield* this.#all<HistoryRecord>(sql.historyOfTag, id, tag, limit);
  }

  *feed(after: number, limit: number): Rule<FeedRecord[]> {
    return yield* this.#all<FeedRecord>(sql.feed, after, limit);
  }

  *repositories(page: Page): Rule<string[]> {
    const rows = yield* this.#all<{ name: string }>(sql.repositories, page.after ?? "", page.limit);
    return rows.map((row) => row.name);
  }

  *held(repository: string, digests: readonly string[]): Rule<Held[]> {
    return yield* this.#all<Held>(sql.held, yield* this.idOf(repository), JSON.stringify(digests));
  }

  *tagDigests(
    repository: string,
    tags: readonly string[],
  ): Rule<{ tag: string; digest: string }[]> {
    return yield* this.#all(sql.tagDigests, yield* this.idOf(repository), JSON.stringify(tags));
  }

  *parentsOf(
    repository: string,
    digests: readonly string[],
  ): Rule<{ child: string; parent: Digest }[]> {
    const id = yield* this.idOf(repository);
    const text = JSON.stringify(digests);
    const rows = yield* this.#all<{ child: string; parent: Digest | null }>(sql.parents, id, text);
    return rows.flatMap(({ child, parent }) => (parent === null ? [] : [{ child, parent }]));
  }

  *tagPast(repository: string, tag: string, digest: string): Rule<TagPast> {
    const id = yield* this.idOf(repository);
    const wasThere = (yield* this.#get(sql.tagWas, id, tag, digest)) !== null;
    return { wasThere, last: yield* this.#get<NonNullable<TagPast["last"]>>(sql.tagLast, id, tag) };
  }

  *wasRemoved(repository: string, digest: string, generation: number): Rule<boolean> {
    return (
      (yield* this.#get(sql.removed, yield* this.idOf(repository), digest, generation)) !== null
    );
  }

  *orphans(limit: number): Rule<{ repository: string; digest: Digest }[]> {
    return yield* this.#all<{ repository: string; digest: Digest }>(sql.orphans, limit);
  }

  *isOrphan(repository: string, digest: Digest): Rule<boolean> {
    return (yield* this.#get(sql.orphan, yield* this.idOf(repository), digest)) !== null;
  }

  *holdings(kind: "blob" | "manifest", after: string | null, limit: number) {
    const [digest = "", id = "0"] = after?.split(" ") ?? [];
    const text = kind === "blob" ? sql.heldBlobs : sql.heldManifests;
    const rows = yield* this.#all<Holding & { id: number }>(text, digest, Number(id), limit);
    const last = rows.at(-1);
    const next = last === undefined || rows.length < limit ? null : `${last.digest} ${last.id}`;
    const items = rows.map(({ id: _id, ...holding }): Holding => holding);
    return { items, next };
  }

  /** Null for an unknown name; a comparison with null then finds nothing. */
  *idOf(repository: string): Rule<number | null> {
    const known = this.#ids.get(repository);
    if (known !== null) return known;
    const id = (yield* this.#get<{ id: number }>(sql.repository, repository))?.id ?? null;
    if (id !== null) this.#ids.set(repository, id);
    return id;
  }

  #get<T>(text: string, ...values: Value[]): Rule<T | null> {
    // The caller knows what its own text selects.
    return get(this, text, ...values) as Rule<T | null>;
  }

  #all<T>(text: string, ...values: Value[]): Rule<T[]> {
    return all(this, text, ...values) as Rule<T[]>;
  }
}
