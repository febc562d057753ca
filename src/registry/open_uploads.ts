/**
 * Counts open uploads, of each caller and in all: every open upload holds bytes for as long as `storage.uploadIdle`.
 *
 * The id of an upload tells its caller, so that the count covers all processes and survives a restart. Uploads are
 * listed once a second while some are being opened, and again before a caller is refused; those that this process opened
 * since are added.
 * So where several processes answer, a caller may exceed the limit by a few for a moment.
 */
import { createHash, randomUUID } from "node:crypto";
import type { Clock } from "../lib/clock.ts";
import { apiError } from "../oci/errors.ts";
import type { UploadStore } from "../storage/upload_store.ts";

/** Open uploads of one caller (a user, else a network): a push has a handful at once. */
export const callerUploadsMax = 1_000;
/** Of all callers together. */
export const openUploadsMax = 50_000;
/** How old a listing may be. */
const listedMs = 1_000;
/** And how old before a caller is refused by it: uploads that have ended since are counted in it still. */
const refusingMs = 50;

/** Where the caller's mark stands in the id of an upload. */
const markAt = 24;
const markLength = 12;

export class OpenUploads {
  readonly #store: UploadStore;
  readonly #clock: Clock;
  #counts = new Map<string, number>();
  /** What the last listing found. */
  #listed: ReadonlyMap<string, number> = new Map();
  #total = 0;
  #listedAtMs = -Infinity;
  #listing: Promise<void> | null = null;

  constructor(store: UploadStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** An id for one more upload of the caller, which cannot be guessed. @throws TOO_MANY_REQUESTS, UNAVAILABLE. */
  async newId(caller: string): Promise<string> {
    const mark = markOf(caller);
    await this.#listAfter(listedMs);
    if (this.#isStale(mark)) await this.#listAfter(refusingMs);
    const count = this.#counts.get(mark) ?? 0;
    if (count >= callerUploadsMax) throw tooMany();
    if (this.#total >= openUploadsMax) throw apiError("UNAVAILABLE", later);
    this.#counts.set(mark, count + 1);
    this.#total += 1;
    return `${randomUUID().slice(0, markAt)}${mark}`;
  }

  /**
   * Whether the caller may be at its limit by uploads that have ended since the last listing. A caller who was near the
   * limit there gets no listing for each request that is refused.
   */
  #isStale(mark: string): boolean {
    const count = this.#counts.get(mark) ?? 0;
    const startedSince = count - (this.#listed.get(mark) ?? 0);
    return count >= callerUploadsMax && startedSince >= callerUploadsMax / 2;
  }

  async #listAfter(ageMs: number): Promise<void> {
    if (this.#clock.monotonicMs() - this.#listedAtMs < ageMs) return;
    this.#listing ??= this.#list();
    await this.#listing;
  }

  async #list(): Promise<void> {
    try {
      const ids = await this.#store.ids();
      const counts = new Map<string, number>();
      for (const id of ids) {
        const mark = id.slice(markAt, markAt + markLength);
        counts.set(mark, (counts.get(mark) ?? 0) + 1);
      }
      this.#counts = counts;
      this.#listed = new Map(counts);
      this.#total = ids.length;
      this.#listedAtMs = this.#clock.monotonicMs();
    } finally {
      this.#listing = null;
    }
  }
}

const later = { headers: { "retry-after": "60" } };

function tooMany(): Error {
  return apiError("TOO_MANY_REQUESTS", {
    message: `Expected up to ${callerUploadsMax} open uploads of one caller, there are as many; end or cancel some`,
    ...later,
  });
}

function markOf(caller: string): string {
  return createHash("sha256").update(`upload of ${caller}`).digest("hex").slice(0, markLength);
}
