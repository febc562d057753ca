/**
 * Bytes on their way in, for which a quota has room: so that pushes at the same time do not count on the same room.
 *
 * All workers share one page. A reservation belongs to an upload, and the process that works on it renews it; without
 * that it ends by itself, so that none is left of a process that died, nor of a client that went away. Any content of
 * the page is valid. What counts is decided in the commit; a place that is not to be had only makes it later.
 */
import type { Clock } from "../../lib/clock.ts";
import { openSharedPage, type PageAt } from "../../lib/shared_page.ts";

/** Uploads that reserve at the same time; more reserve nothing. */
export const reservationsMax = 2048;
/** How long one stands without being renewed: between two requests of an upload, or after its process died. */
export const reservedMs = 60_000;
const renewEveryMs = 15_000;

/** Layout of the page: the lock, then places: whose, until when (s), bytes in two halves, which quotas. */
const lockAt = 0;
const placesAt = 8;
const placeLength = 8;
const pageLength = placesAt + reservationsMax * placeLength;
const masks = 4;
const halfBits = 2 ** 30;
/** A process that died with the lock holds it no longer than that. */
const lockMs = 5;

/** A quota as one is reserved in: its place in the configuration, and how much room it has but for reservations. */
export interface Room {
  readonly place: number;
  readonly roomBytes: number;
}

/** What others have reserved of a quota, and what is left. */
export interface Reserved extends Room {
  readonly reservedBytes: number;
}

export class Reservations {
  readonly #page: Int32Array;
  readonly #clock: Clock;
  /** Places that this process renews. */
  readonly #active = new Map<number, number>();
  #renewing: AbortController | null = null;

  constructor(at: PageAt | null, clock: Clock) {
    const fresh = new Int32Array(pageLength);
    this.#page = openSharedPage(at ?? fresh, fresh);
    this.#clock = clock;
  }

  /**
   * Reserves bytes for an upload, in place of what it had, if all quotas have room for them. Gives what others have
   * reserved of each.
   */
  reserve(key: number, bytes: number, rooms: readonly Room[]): Reserved[] {
    return this.#locked(() => {
      const reserved = this.#reserved(key, rooms);
      if (reserved.every(({ roomBytes }) => roomBytes >= bytes)) {
        const at = this.#placeOf(key);
        if (at !== null) this.#write(at, key, { bytes, places: rooms.map(({ place }) => place) });
      }
      return reserved;
    });
  }

  /** The same, and nothing is reserved. */
  look(rooms: readonly Room[]): Reserved[] {
    return this.#locked(() => this.#reserved(0, rooms));
  }

  #reserved(key: number, rooms: readonly Room[]): Reserved[] {
    const sumOf = this.#sums(key);
    return rooms.map(({ place, roomBytes }) => {
      const reservedBytes = sumOf(place);
      return { place, reservedBytes, roomBytes: roomBytes - reservedBytes };
    });
  }

  /** The request is over, and others may follow: what has arrived stays reserved for a while. */
  rest(key: number, bytes: number): void {
    this.#forget(key);
    this.#locked(() => {
      const at = this.#find(key);
      if (at !== null) this.#setBytes(at, bytes);
    });
  }

  release(key: number): void {
    this.#forget(key);
    this.#locked(() => {
      const at = this.#find(key);
      if (at !== null) Atomics.store(this.#page, at, 0);
    });
  }

  #write(
    at: number,
    key: number,
    of: { readonly bytes: number; readonly places: readonly number[] },
  ): void {
    const page = this.#page;
    this.#setBytes(at, of.bytes);
    for (let mask = 0; mask < masks; mask += 1) page[at + 4 + mask] = 0;
    for (const place of of.places) {
      const mask = at + 4 + (Math.floor(place / 32) % masks);
      page[mask] = (page[mask] ?? 0) | (1 << (place % 32));
    }
    Atomics.store(page, at, key);
    this.#active.set(key, at);
    if (this.#renewing !== null) return;
    this.#renewing = new AbortController();
    void this.#renew(this.#renewing.signal);
  }

  #setBytes(at: number, bytes: number): void {
    const page = this.#page;
    page[at + 1] = this.#nowS() + reservedMs / 1_000;
    page[at + 2] = bytes % halfBits;
    page[at + 3] = Math.min(Math.floor(bytes / halfBits), halfBits - 1);
  }

  /** As long as there is something to renew. */
  async #renew(until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      await this.#clock.sleep(renewEveryMs, until);
      const untilS = this.#nowS() + reservedMs / 1_000;
      this.#locked(() => {
        for (const [key, at] of this.#active) {
          if (this.#page[at] === key) this.#page[at + 1] = untilS;
        }
      });
    }
  }

  #forget(key: number): void {
    this.#active.delete(key);
    if (this.#active.size > 0) return;
    this.#renewing?.abort();
    this.#renewing = null;
  }

  /** Sums of what is reserved but for one upload, by quota. */
  #sums(except: number): (place: number) => number {
    const page = this.#page;
    const taken: { readonly at: number; readonly bytes: number }[] = [];
    for (let at = placesAt; at < pageLength; at += placeLength) {
      const key = page[at] ?? 0;
      if (key === 0 || key === except || this.#isOver(at)) continue;
      taken.push({ at, bytes: (page[at + 3] ?? 0) * halfBits + (page[at + 2] ?? 0) });
    }
    return (place) => {
      let sum = 0;
      for (const { at, bytes } of taken) {
        const mask = page[at + 4 + (Math.floor(place / 32) % masks)] ?? 0;
        if ((mask & (1 << (place % 32))) !== 0) sum += bytes;
      }
      return sum;
    };
  }

  #placeOf(key: number): number | null {
    const own = this.#find(key);
    if (own !== null) return own;
    for (let at = placesAt; at < pageLength; at += placeLength) {
      if (this.#page[at] === 0 || this.#isOver(at)) return at;
    }
    return null;
  }

  #find(key: number): number | null {
    for (let at = placesAt; at < pageLength; at += placeLength) {
      if (this.#page[at] === key) return at;
    }
    return null;
  }

  /** What no time can be (an old page, a clock that was set back) is over, too. */
  #isOver(at: number): boolean {
    const leftS = (this.#page[at + 1] ?? 0) - this.#nowS();
    return leftS < 0 || leftS > (2 * reservedMs) / 1_000;
  }

  #nowS(): number {
    return Math.floor(this.#clock.now() / 1_000) | 0;
  }

  /** What runs inside takes microseconds. */
  #locked<T>(work: () => T): T {
    const page = this.#page;
    const endMs = performance.now() + lockMs;
    while (Atomics.compareExchange(page, lockAt, 0, 1) !== 0 && performance.now() < endMs);
    try {
      return work();
    } finally {
      Atomics.store(page, lockAt, 0);
    }
  }
}

/** By what an upload is known on the page: never 0. */
export function reservationKey(upload: string): number {
  return Bun.hash.xxHash32(upload) | 1;
}
