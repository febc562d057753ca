// A cache that holds at most so many entries and, if asked, at most so much weight.
//
// The entry that was used longest ago is dropped first, but that among the newest eighth the order is not kept: what is
// used again and again would be moved each time. All operations take constant time. A value heavier than the whole cache
// is not kept. Entries do not expire: a caller that needs expiry puts the time into the value.

import { assert } from "./assert.ts";

export interface LruOptions<V> {
  entriesMax: number;
  /** Bound on the sum of `weigh` over all values; absent means no bound. */
  weightMax?: number;
  /** Weight of a value, asked once when it is set; absent means 1 each. Never negative. */
  weigh?: (value: V) => number;
}

interface Entry<V> {
  readonly value: V;
  readonly weight: number;
  /** The count of moves when it became the newest. */
  movedAt: number;
}

/** Of so many entries one is new enough to stay where it is when it is used. */
const newestPart = 8;

export class Lru<K, V> {
  readonly #entries = new Map<K, Entry<V>>(); // Oldest use first.
  readonly #entriesMax: number;
  readonly #weightMax: number;
  readonly #weigh: (value: V) => number;
  #weight = 0;
  #moves = 0;

  constructor(options: LruOptions<V>) {
    assert(options.entriesMax > 0, "A cache holds at least one entry");
    this.#entriesMax = options.entriesMax;
    this.#weightMax = options.weightMax ?? Infinity;
    this.#weigh = options.weigh ?? (() => 1);
  }

  /** The number of entries held. */
  get size(): number {
    return this.#entries.size;
  }

  /** The sum of the weights of the values held. */
  get weight(): number {
    return this.#weight;
  }

  /** Returns the value and marks it as just used; null when it is not held. */
  get(key: K): V | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    if (this.#moves - entry.movedAt > this.#entries.size / newestPart) {
      this.#entries.delete(key);
      this.#entries.set(key, entry);
      entry.movedAt = ++this.#moves;
    }
    return entry.value;
  }

  /** Holds the value in place of an older one of this key, and lets go of what no longer fits. */
  set(key: K, value: V): void {
    this.delete(key);
    const weight = this.#weigh(value);
    if (weight > this.#weightMax) return;
    this.#entries.set(key, { value, weight, movedAt: ++this.#moves });
    this.#weight += weight;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#entriesMax && this.#weight <= this.#weightMax) break;
      this.delete(oldest);
    }
  }

  /** Forgets the key. Returns whether it was held. */
  delete(key: K): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#entries.delete(key);
    this.#weight -= entry.weight;
    return true;
  }

  clear(): void {
    this.#entries.clear();
    this.#weight = 0;
  }
}
