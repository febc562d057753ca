/**
 * The metadata that a worker remembers: sizes of blobs, and manifests by tag and digest.
 *
 * An answer from memory is one that the store could have given at some moment after the request began, or before any
 * later change was acknowledged (`epochs.ts`). Absence is never remembered, nor damage, which a push may end at any
 * moment. The cache is bounded.
 */
import { Lru } from "../lib/lru.ts";
import type { Epochs } from "./epochs.ts";

const entriesMax = 50_000;

interface Remembered<T> {
  readonly epoch: number;
  readonly slot: number;
  readonly value: T;
}

/** Called with every look-up. */
export type OnLookup = (hit: boolean) => void;

export class FactCache<T> {
  readonly #epochs: Epochs;
  readonly #onLookup: OnLookup | null;
  readonly #mayLast: (value: T) => boolean;
  readonly #facts = new Lru<string, Remembered<T>>({ entriesMax });

  constructor(
    epochs: Epochs,
    onLookup: OnLookup | null = null,
    mayLast: (value: T) => boolean = () => true,
  ) {
    this.#mayLast = mayLast;
    this.#epochs = epochs;
    this.#onLookup = onLookup;
  }

  /** The remembered value, or what `read` finds. */
  get(repository: string, key: string, read: () => T | null): T | null {
    const name = `${repository} ${key}`;
    const known = this.#facts.get(name);
    const isCurrent = known !== null && this.#epochs.read(known.slot) === known.epoch;
    this.#onLookup?.(isCurrent);
    if (isCurrent) return known.value;
    // The counter is taken before the store is read: a change in between shows as a moved counter.
    const slot = known?.slot ?? this.#epochs.slotOf(repository);
    const epoch = this.#epochs.read(slot);
    const value = read();
    if (value !== null && this.#mayLast(value)) this.#facts.set(name, { epoch, slot, value });
    return value;
  }
}
