/** What the metadata tell of the past (`../past.ts`), from the rows of history. */
import type { Later, Source } from "./source.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ManifestRecord, Page, ReferrerRecord, ReferrersPage, ScanPage } from "../metadata.ts";
import type {
  HeldRecord,
  Moment,
  PastPage,
  PastReads,
  Pin,
  TagEvent,
  TagEventsPage,
} from "../past.ts";
import { annotationsBytes, isLong } from "../sql/long_annotations.ts";

const removed = "digest IS NULL";

function referrersOf(table: "manifests" | "held_manifests"): string {
  return (
    "SELECT m.digest AS digest, m.media_type AS mediaType, m.size AS sizeBytes, m.artifact_type AS artifactType, " +
    `m.annotations AS annotations, m.pushed_at AS pushedAt FROM ${table} m INDEXED BY ${table}_subject ` +
    "WHERE m.repository = ?1 AND m.subject = ?2 AND m.digest > ?3 ORDER BY m.digest LIMIT ?4"
  );
}

function heldSince(table: "held_manifests" | "held_blobs"): string {
  return (
    "SELECT r.name AS repository, h.digest AS digest, h.since AS since, h.size AS sizeBytes " +
    `FROM ${table} h INDEXED BY ${table}_since CROSS JOIN repositories r ON r.id = h.repository ` +
    "WHERE h.since <= ?1 ORDER BY h.since LIMIT ?2"
  );
}

/** Every statement, for the test of their query plans. */
export const pastSql = {
  heldFrom:
    "SELECT max(since) AS since FROM (SELECT since FROM held_manifests WHERE repository = ?1 AND digest = ?2 " +
    "UNION ALL SELECT since FROM held_blobs WHERE repository = ?1 AND digest = ?2)",
  tagEvents:
    `SELECT sequence, moment, CASE WHEN ${removed} THEN 'deleted' ELSE 'created' END AS kind, ` +
    `CASE WHEN ${removed} THEN previous ELSE digest END AS digest, ` +
    `CASE WHEN ${removed} THEN previous_media_type ELSE media_type END AS mediaType, ` +
    `CASE WHEN ${removed} THEN previous_size ELSE size END AS sizeBytes, by, reason FROM history ` +
    "WHERE repository = ?1 AND tag = ?2 AND sequence < ?3 AND sequence > ?4 " +
    "ORDER BY sequence DESC LIMIT ?5",
  lastSequence: "SELECT max(sequence) AS sequence FROM history",
  eventFrom:
    "SELECT sequence, moment FROM history WHERE repository = ?1 AND (tag IS NOT NULL OR digest IS NULL) " +
    "AND sequence >= ?2 ORDER BY sequence LIMIT 1",
  tagAt:
    "SELECT digest FROM history WHERE repository = ?1 AND tag = ?2 AND sequence <= ?3 " +
    "ORDER BY sequence DESC LIMIT 1",
  // Each tag once, whatever its history: by steps from one to the next.
  tagsFrom:
    "SELECT tag FROM history INDEXED BY history_tag WHERE repository = ?1 AND tag > ?2 AND tag IS NOT NULL " +
    "ORDER BY tag LIMIT 1",
  manifest: ["manifests", "held_manifests"]
    .map(
      (table) =>
        `SELECT digest, media_type AS mediaType, size AS sizeBytes FROM ${table} ` +
        "WHERE repository = ?1 AND digest = ?2",
    )
    .join(" UNION ALL "),
  blob: ["blobs", "held_blobs"]
    .map((table) => `SELECT size AS sizeBytes FROM ${table} WHERE repository = ?1 AND digest = ?2`)
    .join(" UNION ALL "),
  referrers: referrersOf("manifests"),
  heldReferrers: referrersOf("held_manifests"),
  longAnnotations: "SELECT text FROM long_annotations WHERE repository = ?1 AND manifest = ?2",
  eventUpTo:
    "SELECT sequence, moment FROM history WHERE repository = ?1 AND (tag IS NOT NULL OR digest IS NULL) " +
    "AND sequence <= ?2 ORDER BY sequence DESC LIMIT 1",
  recordFrom: "SELECT sequence, at FROM history WHERE sequence >= ?1 ORDER BY sequence LIMIT 1",
  removedAt:
    "SELECT at FROM history INDEXED BY history_removed WHERE repository = ?1 AND tag IS NULL AND digest IS NULL " +
    "AND previous = ?2 ORDER BY sequence DESC LIMIT 1",
  pinnedUntil:
    "SELECT p.digest AS digest, p.until AS until FROM json_each(?2) " +
    "CROSS JOIN pins p ON p.repository = ?1 AND p.digest = json_each.value",
  heldManifestsSince: heldSince("held_manifests"),
  heldBlobsSince: heldSince("held_blobs"),
  heldNamedBy:
    "SELECT b.digest AS digest, b.size AS sizeBytes, (SELECT count(*) FROM (SELECT 1 FROM held_references o " +
    "WHERE o.repository = r.repository AND o.child = r.child LIMIT 1000)) AS parents " +
    "FROM held_references r INDEXED BY held_references_parent " +
    "CROSS JOIN held_blobs b ON b.repository = r.repository AND b.digest = r.child " +
    "WHERE r.repository = ?1 AND r.parent = ?2",
  heldTotals: "SELECT bytes, items FROM held_totals WHERE rowid = 1",
  endedPins:
    "SELECT r.name AS repository, p.digest AS digest, p.until AS until FROM pins p " +
    "CROSS JOIN repositories r ON r.id = p.repository WHERE p.until <= ?1 ORDER BY p.until LIMIT ?2",
} as const;

type PastReferrer = ReferrerRecord & { readonly pushedAt: number };

export class RecordedPast implements PastReads {
  readonly #get: Source["get"];
  readonly #all: Source["all"];
  readonly #idOf: (repository: string) => Later<number | null>;

  constructor({ get, all }: Source, idOf: (repository: string) => Later<number | null>) {
    this.#get = get;
    this.#all = all;
    this.#idOf = idOf;
  }

  async tagEvents(
    repository: string,
    tag: string,
    { before, after, limit }: TagEventsPage,
  ): Promise<TagEvent[]> {
    const id = await this.#idOf(repository);
    return await this.#all<TagEvent>(
      pastSql.tagEvents,
      id,
      tag,
      before ?? Number.MAX_SAFE_INTEGER,
      after,
      limit,
    );
  }

  async tagAt(repository: string, tag: string, sequence: number): Promise<Digest | null> {
    const id = await this.#idOf(repository);
    return (
      (await this.#get<{ digest: Digest | null }>(pastSql.tagAt, id, tag, sequence))?.digest ?? null
    );
  }

  async tagsAt(
    repository: string,
    sequence: number,
    { after, limit }: Page,
  ): Promise<PastPage<string>> {
    const id = await this.#idOf(repository);
    const items: string[] = [];
    let last = after ?? "";
    for (let looked = 0; looked < limit; looked += 1) {
      const tag = (await this.#get<{ tag: string }>(pastSql.tagsFrom, id, last))?.tag;
      if (tag === undefined) return { items, next: null };
      last = tag;
      if ((await this.tagAt(repository, tag, sequence)) !== null) items.push(tag);
    }
    return { items, next: last };
  }

  async manifest(repository: string, digest: Digest): Promise<ManifestRecord | null> {
    return await this.#get<ManifestRecord>(pastSql.manifest, await this.#idOf(repository), digest);
  }

  async blobSize(repository: string, digest: Digest): Promise<number | null> {
    const found = await this.#get<{ sizeBytes: number }>(
      pastSql.blob,
      await this.#idOf(repository),
      digest,
    );
    return found?.sizeBytes ?? null;
  }

  async referrersAt(
    repository: string,
    subject: string,
    pushedBy: number,
    page: ScanPage & { readonly artifactTypes: readonly string[] },
  ): Promise<ReferrersPage> {
    const id = await this.#idOf(repository);
    const { after, limit, bytesMax, artifactTypes } = page;
    const read = (text: string) => this.#all<PastReferrer>(text, id, subject, after ?? "", limit);
    const live = await read(pastSql.referrers);
    const rows = [...live, ...(await read(pastSql.heldReferrers))]
      .toSorted((one, other) => (one.digest < other.digest ? -1 : 1))
      .slice(0, limit);
    const types = new Set(artifactTypes);
    const fits = ({ artifactType, pushedAt }: PastReferrer): boolean =>
      pushedAt <= pushedBy &&
      (types.size === 0 || (artifactType !== null && types.has(artifactType)));
    const records: ReferrerRecord[] = [];
    let next = after;
    let bytes = 0;
    for (const row of rows) {
      if (fits(row)) {
        bytes += annotationsBytes(row.annotations);
        if (bytes > bytesMax && records.length > 0) return { records, next };
        const { pushedAt: _, ...record } = row;
        records.push({ ...record, annotations: await this.#annotationsOf(id, record) });
      }
      next = row.digest;
    }
    return { records, next: rows.length < limit ? null : next };
  }

  async #annotationsOf(
    id: number | null,
    { digest, annotations }: ReferrerRecord,
  ): Promise<string | null> {
    if (annotations === null || !isLong(annotations)) return annotations;
    return (await this.#get<{ text: string }>(pastSql.longAnnotations, id, digest))?.text ?? null;
  }

  async eventsAround(repository: string, sequence: number) {
    const id = await this.#idOf(repository);
    const last = await this.#get<Moment>(pastSql.eventUpTo, id, sequence);
    const next = await this.#get<Moment>(pastSql.eventFrom, id, sequence + 1);
    return { last, next };
  }

  async sequenceAt(repository: string, moment: number): Promise<number> {
    const id = await this.#idOf(repository);
    if (id === null) return 0;
    return this.#lastOf(async (from) => {
      const event = await this.#get<{ sequence: number; moment: number }>(
        pastSql.eventFrom,
        id,
        from,
      );
      return event === null ? null : { sequence: event.sequence, isLater: event.moment > moment };
    });
  }

  async lastBefore(at: number): Promise<number> {
    return this.#lastOf(async (from) => {
      const record = await this.#get<{ sequence: number; at: number }>(pastSql.recordFrom, from);
      return record === null ? null : { sequence: record.sequence, isLater: record.at > at };
    });
  }

  /** By halves: times grow with the sequence, so that no index of times is needed. */
  async #lastOf(
    first: (
      from: number,
    ) => Promise<{ readonly sequence: number; readonly isLater: boolean } | null>,
  ): Promise<number> {
    let found = 0;
    let low = 1;
    let high = (await this.#get<{ sequence: number | null }>(pastSql.lastSequence))?.sequence ?? 0;
    while (low <= high) {
      const middle = Math.floor((low + high) / 2);
      const record = await first(middle);
      if (record === null || record.isLater) {
        high = middle - 1;
      } else {
        found = record.sequence;
        low = record.sequence + 1;
      }
    }
    return found;
  }

  async heldFrom(repository: string, digest: Digest): Promise<number | null> {
    const found = await this.#get<{ since: number | null }>(
      pastSql.heldFrom,
      await this.#idOf(repository),
      digest,
    );
    return found?.since ?? null;
  }

  async removedAt(repository: string, digest: Digest): Promise<number | null> {
    return (
      (await this.#get<{ at: number }>(pastSql.removedAt, await this.#idOf(repository), digest))
        ?.at ?? null
    );
  }

  async pinnedUntil(
    repository: string,
    digests: readonly string[],
  ): Promise<Omit<Pin, "repository">[]> {
    return await this.#all(
      pastSql.pinnedUntil,
      await this.#idOf(repository),
      JSON.stringify(digests),
    );
  }

  async heldSince(until: number, limit: number): Promise<HeldRecord[]> {
    const { heldManifestsSince, heldBlobsSince } = pastSql;
    // Manifests first: one whose blobs have gone is of no use to an undo.
    const manifests = await this.#all<HeldRecord>(heldManifestsSince, until, limit);
    const found = [...manifests, ...(await this.#all<HeldRecord>(heldBlobsSince, until, limit))];
    return found.toSorted((one, other) => one.since - other.since).slice(0, limit);
  }

  async heldNamedBy(repository: string, digest: Digest) {
    const id = await this.#idOf(repository);
    return await this.#all<Pick<HeldRecord, "digest" | "sizeBytes"> & { readonly parents: number }>(
      pastSql.heldNamedBy,
      id,
      digest,
    );
  }

  async heldTotals(): Promise<{ bytes: number; items: number }> {
    const none = { bytes: 0, items: 0 };
    return (await this.#get<typeof none>(pastSql.heldTotals)) ?? none;
  }

  async endedPins(until: number, limit: number): Promise<Pin[]> {
    return await this.#all<Pin>(pastSql.endedPins, until, limit);
  }
}
