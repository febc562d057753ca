/** What the metadata tell of the past (`../past.ts`), from the rows of history. */
import type { Database } from "bun:sqlite";
import type { Digest } from "../../oci/digest.ts";
import type { HeldRecord, PastReads, Pin, TagEvent, TagEventsPage } from "../past.ts";

const removed = "digest IS NULL";

function heldSince(table: "held_manifests" | "held_blobs"): string {
  return (
    "SELECT r.name AS repository, h.digest AS digest, h.since AS since, h.size AS sizeBytes " +
    `FROM ${table} h INDEXED BY ${table}_since CROSS JOIN repositories r ON r.id = h.repository ` +
    "WHERE h.since <= ?1 ORDER BY h.since LIMIT ?2"
  );
}

/** Every statement, for the test of their query plans. */
export const pastSql = {
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
  recordFrom: "SELECT sequence, at FROM history WHERE sequence >= ?1 ORDER BY sequence LIMIT 1",
  removedAt:
    "SELECT at FROM history INDEXED BY history_removed WHERE repository = ?1 AND tag IS NULL AND digest IS NULL " +
    "AND previous = ?2 ORDER BY sequence DESC LIMIT 1",
  pinnedUntil:
    "SELECT p.digest AS digest, p.until AS until FROM json_each(?2) " +
    "CROSS JOIN pins p ON p.repository = ?1 AND p.digest = json_each.value",
  heldManifestsSince: heldSince("held_manifests"),
  heldBlobsSince: heldSince("held_blobs"),
  heldTotals: "SELECT bytes, items FROM held_totals WHERE rowid = 1",
  endedPins:
    "SELECT r.name AS repository, p.digest AS digest, p.until AS until FROM pins p " +
    "CROSS JOIN repositories r ON r.id = p.repository WHERE p.until <= ?1 ORDER BY p.until LIMIT ?2",
} as const;

type Value = string | number | null;

export class SqlitePast implements PastReads {
  readonly #database: Database;
  readonly #idOf: (repository: string) => number | null;

  constructor(database: Database, idOf: (repository: string) => number | null) {
    this.#database = database;
    this.#idOf = idOf;
  }

  async tagEvents(
    repository: string,
    tag: string,
    { before, after, limit }: TagEventsPage,
  ): Promise<TagEvent[]> {
    const id = this.#idOf(repository);
    return this.#all<TagEvent>(
      pastSql.tagEvents,
      id,
      tag,
      before ?? Number.MAX_SAFE_INTEGER,
      after,
      limit,
    );
  }

  async sequenceAt(repository: string, moment: number): Promise<number> {
    const id = this.#idOf(repository);
    if (id === null) return 0;
    return this.#lastOf((from) => {
      const event = this.#get<{ sequence: number; moment: number }>(pastSql.eventFrom, id, from);
      return event === null ? null : { sequence: event.sequence, isLater: event.moment > moment };
    });
  }

  async lastBefore(at: number): Promise<number> {
    return this.#lastOf((from) => {
      const record = this.#get<{ sequence: number; at: number }>(pastSql.recordFrom, from);
      return record === null ? null : { sequence: record.sequence, isLater: record.at > at };
    });
  }

  /** By halves: times grow with the sequence, so that no index of times is needed. */
  #lastOf(
    first: (from: number) => { readonly sequence: number; readonly isLater: boolean } | null,
  ): number {
    let found = 0;
    let low = 1;
    let high = this.#get<{ sequence: number | null }>(pastSql.lastSequence)?.sequence ?? 0;
    while (low <= high) {
      const middle = Math.floor((low + high) / 2);
      const record = first(middle);
      if (record === null || record.isLater) {
        high = middle - 1;
      } else {
        found = record.sequence;
        low = record.sequence + 1;
      }
    }
    return found;
  }

  async removedAt(repository: string, digest: Digest): Promise<number | null> {
    return this.#get<{ at: number }>(pastSql.removedAt, this.#idOf(repository), digest)?.at ?? null;
  }

  async pinnedUntil(
    repository: string,
    digests: readonly string[],
  ): Promise<Omit<Pin, "repository">[]> {
    return this.#all(pastSql.pinnedUntil, this.#idOf(repository), JSON.stringify(digests));
  }

  async heldSince(until: number, limit: number): Promise<HeldRecord[]> {
    const { heldManifestsSince, heldBlobsSince } = pastSql;
    // Manifests first: one whose blobs have gone is of no use to an undo.
    const found = [heldManifestsSince, heldBlobsSince].flatMap((text) =>
      this.#all<HeldRecord>(text, until, limit),
    );
    return found.toSorted((one, other) => one.since - other.since).slice(0, limit);
  }

  async heldTotals(): Promise<{ bytes: number; items: number }> {
    const none = { bytes: 0, items: 0 };
    return this.#get<typeof none>(pastSql.heldTotals) ?? none;
  }

  async endedPins(until: number, limit: number): Promise<Pin[]> {
    return this.#all<Pin>(pastSql.endedPins, until, limit);
  }

  #get<T>(text: string, ...values: Value[]): T | null {
    return this.#database.query<T, Value[]>(text).get(...values);
  }

  #all<T>(text: string, ...values: Value[]): T[] {
    return this.#database.query<T, Value[]>(text).all(...values);
  }
}
