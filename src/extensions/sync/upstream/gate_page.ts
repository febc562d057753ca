/**
 * The page on which all processes of a server agree about its upstreams: who has a place at which one, who waits, how
 * each one is.
 *
 * An upstream has a slot, found by its host. In the slot each process has a row of its own, so that what a killed worker
 * held is given back by clearing its row. The rest may hold anything, also what an older server left.
 */
import { openSharedPage, type PageAt } from "../../../lib/shared_page.ts";

/** Upstreams with a slot of their own; further ones share. */
const slotsMax = 64;
/** Processes with a row of their own: the primary, then its workers. */
export const rowsMax = 65;

/** What stands once in a slot. Times are seconds since 1970, those called `Ms` milliseconds that wrap around. */
export const field = {
  key: 0,
  /** Grows with every place that is taken. */
  version: 1,
  /** When the next request may leave, and when the next byte may be taken, in ticks. */
  requestTick: 2,
  byteTick: 3,
  limitedUntilS: 4,
  limitedSinceS: 5,
  /** Requests left, plus one; 0 for unknown. */
  budget: 6,
  budgetAtS: 7,
  failures: 8,
  firstFailureMs: 9,
  /** 0: closed. */
  openSinceS: 10,
  probeMs: 11,
  upSinceS: 12,
  errorAtS: 13,
  errorLength: 14,
  errorText: 16,
} as const;

/** Bytes of the last error in words. */
export const errorBytesMax = 160;
const rowsAt = field.errorText + errorBytesMax / 4;

/** What each process has in a slot, per class of requests. */
const rowField = { running: 0, waitingSinceMs: 1, waiting: 2 } as const;
export const classes = ["request", "blob"] as const;
export type PlaceClass = (typeof classes)[number];
const rowLength = Object.keys(rowField).length * classes.length;
const slotLength = rowsAt + rowsMax * rowLength;
const pageLength = slotsMax * slotLength;

export function openGatePage(at: PageAt | null): Int32Array {
  const fresh = new Int32Array(pageLength);
  return openSharedPage(at ?? fresh, fresh);
}

/** Gives back what a process held that is gone. */
export function clearRow(page: Int32Array, worker: number): void {
  for (let slot = 0; slot < slotsMax; slot += 1) {
    const at = slot * slotLength + rowsAt + rowOf(worker) * rowLength;
    for (let index = at; index < at + rowLength; index += 1) Atomics.store(page, index, 0);
  }
}

/** Forgets what upstreams said of limits. */
export function clearLimits(page: Int32Array): void {
  for (let slot = 0; slot < slotsMax; slot += 1) {
    for (const name of ["limitedUntilS", "budget"] as const) {
      Atomics.store(page, slot * slotLength + field[name], 0);
    }
  }
}

function rowOf(worker: number): number {
  return worker % rowsMax;
}

/** The slot of one upstream, as one process uses it. */
export class GateSlot {
  readonly #page: Int32Array;
  readonly #at: number;
  readonly #row: number;

  constructor(page: Int32Array, host: string, worker: number) {
    this.#page = page;
    this.#at = slotOf(page, host) * slotLength;
    this.#row = rowOf(worker);
  }

  get(name: keyof typeof field): number {
    return Atomics.load(this.#page, this.#at + field[name]);
  }

  set(name: keyof typeof field, value: number): void {
    Atomics.store(this.#page, this.#at + field[name], value);
  }

  /** Sets it when it still has the value that was seen. */
  exchange(name: keyof typeof field, seen: number, value: number): boolean {
    return (
      Atomics.compareExchange(this.#page, this.#at + field[name], seen, value | 0) === (seen | 0)
    );
  }

  add(name: keyof typeof field, value: number): number {
    return Atomics.add(this.#page, this.#at + field[name], value) + value;
  }

  /** Takes a place when fewer than `max` are taken. A reader sees at worst one too many for a moment. */
  take(kind: PlaceClass, max: number): boolean {
    const own = this.#own(kind, "running");
    for (;;) {
      const version = this.get("version");
      if (this.#sum(kind, "running") >= max) return false;
      Atomics.add(this.#page, own, 1);
      if (this.exchange("version", version, version + 1)) return true;
      Atomics.sub(this.#page, own, 1);
    }
  }

  leave(kind: PlaceClass): void {
    const own = this.#own(kind, "running");
    // Not below zero, whatever an old page had.
    if (Atomics.sub(this.#page, own, 1) <= 0) Atomics.store(this.#page, own, 0);
  }

  /** Tells the other processes how many wait here, and since when the first of them. */
  tellWaiting(kind: PlaceClass, count: number, sinceMs: number): void {
    Atomics.store(
      this.#page,
      this.#own(kind, "waitingSinceMs"),
      count === 0 ? 0 : sinceMs | 0 || 1,
    );
    Atomics.store(this.#page, this.#own(kind, "waiting"), count);
  }

  waiting(kind: PlaceClass): number {
    return this.#sum(kind, "waiting");
  }

  /** Whether somebody in another process has waited for longer than since `sinceMs`. */
  isSomebodyBefore(kind: PlaceClass, sinceMs: number): boolean {
    for (let row = 0; row < rowsMax; row += 1) {
      if (row === this.#row) continue;
      const other = Atomics.load(this.#page, this.#cell(row, kind, "waitingSinceMs"));
      if (other !== 0 && ((sinceMs - other) | 0) > 0) return true;
    }
    return false;
  }

  /** The last error in words: ASCII, cut where it is long. */
  get errorWords(): string {
    const length = Math.min(errorBytesMax, Math.max(0, this.get("errorLength")));
    const bytes = new Uint8Array(length);
    const words = (this.#at + field.errorText) * 4;
    bytes.set(new Uint8Array(this.#page.buffer, this.#page.byteOffset + words, length));
    return Buffer.from(bytes)
      .toString("latin1")
      .replaceAll(/[^\x20-\x7e]/g, "?");
  }

  set errorWords(text: string) {
    const bytes = Buffer.from(text, "latin1").subarray(0, errorBytesMax);
    const words = (this.#at + field.errorText) * 4;
    new Uint8Array(this.#page.buffer, this.#page.byteOffset + words, errorBytesMax).set(bytes);
    this.set("errorLength", bytes.length);
  }

  #sum(kind: PlaceClass, name: keyof typeof rowField): number {
    let sum = 0;
    for (let row = 0; row < rowsMax; row += 1) {
      sum += Atomics.load(this.#page, this.#cell(row, kind, name));
    }
    return sum;
  }

  #own(kind: PlaceClass, name: keyof typeof rowField): number {
    return this.#cell(this.#row, kind, name);
  }

  #cell(row: number, kind: PlaceClass, name: keyof typeof rowField): number {
    const ofClass = classes.indexOf(kind) * Object.keys(rowField).length;
    return this.#at + rowsAt + row * rowLength + ofClass + rowField[name];
  }
}

/** The first that is free or has the host's key, from where its key points. */
function slotOf(page: Int32Array, host: string): number {
  const key = Bun.hash.xxHash32(host) | 0 || 1;
  const first = (key >>> 0) % slotsMax;
  for (let step = 0; step < slotsMax; step += 1) {
    const slot = (first + step) % slotsMax;
    const at = slot * slotLength + field.key;
    const found = Atomics.compareExchange(page, at, 0, key);
    if (found === 0 || found === key) return slot;
  }
  return first;
}
