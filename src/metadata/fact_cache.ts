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
    const known = this.#known(name);
    if (known !== null) return known;
    const begun = this.#begin(name, repository);
    const value = read();
    this.#remember(name, begun, value);
    return value;
  }

  /** The same of a store that answers later. */
  async getLater(
    repository: string,
    key: string,
    read: () => Promise<T | null>,
  ): Promise<T | null> {
    const name = `${repository} ${key}`;
    const known = this.#known(name);
    if (known !== null) return known;
    const begun = this.#begin(name, repository);
    const value = await read();
    this.#remember(name, begun, value);
    return value;
  }

  #known(name: string): T | null {
    const known = this.#facts.get(name);
    const isCurrent = known !== null && this.#epochs.read(known.slot) === known.epoch;
    this.#onLookup?.(isCurrent);
    return isCurrent ? known.value : null;
  }

  /** The counter is taken before the store is read: a change in between shows as a moved counter. */
  #begin(name: string, repository: string): { readonly slot: number; readonly epoch: number } {
    const slot = this.#facts.get(name)?.slot ?? this.#epochs.slotOf(repository);
    return { slot, epoch: this.#epochs.read(slot) };
  }

  #remember(
    name: string,
    { slot, epoch }: { readonly slot: number; readonly epoch: number },
    value: T | null,
  ): void {
    if (value !== null && this.#mayLast(value)) this.#facts.set(name, { epoch, slot, value });
  }
}
