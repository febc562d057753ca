/**
 * Numbers that several processes count in memory that they share: each in a region of its own, so that counting
 * needs no lock and no message, and any process can add the regions up.
 *
 * What a process counted stays after it dies, as long as the memory does. The supervisor gives each region to one
 * process at a time, and the next process goes on counting where the last one stopped. The page has room for a few
 * names (of repositories): the first ones get a place of their own and keep it, the others are counted together.
 * Numbers are doubles, exact up to 2^53. The memory is a shared file, or a buffer for one process.
 */
import { assert } from "../assert.ts";

export interface PageShape {
  readonly regions: number;
  /** Numbers of one region. */
  readonly slots: number;
  /** Names at most, and numbers for each in every region. */
  readonly namesMax: number;
  readonly slotsPerName: number;
}

/** The first numbers of a region. */
const header = { used: 0, process: 1, startedAt: 2, role: 3 } as const;
const headerSlots = 4;
const bytesPerSlot = 8;
/** A name's state, its length, its bytes. */
const nameBytesMax = 256;
const nameEntryBytes = 8 + nameBytesMax;
const nameState = { free: 0, taken: 1, ready: 2 } as const;

export function pageBytes(shape: PageShape): number {
  return namesBytes(shape) + shape.regions * regionSlots(shape) * bytesPerSlot;
}

function namesBytes({ namesMax }: PageShape): number {
  return namesMax * nameEntryBytes;
}

function regionSlots({ slots, namesMax, slotsPerName }: PageShape): number {
  // One name more than there are: what has none is counted there.
  return headerSlots + slots + (namesMax + 1) * slotsPerName;
}

/** A process that counts. */
export interface RegionHolder {
  readonly region: number;
  readonly process: number;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** What it is, as the primary of the page numbers it. */
  readonly role: number;
}

export class MetricPage {
  readonly shape: PageShape;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #states: Int32Array;
  readonly #decoder = new TextDecoder();

  /** `bytes` holds `pageBytes(shape)` zeroes when it is new, and begins at a multiple of 8. */
  constructor(bytes: Uint8Array<ArrayBuffer>, shape: PageShape) {
    assert(bytes.length >= pageBytes(shape), "a page has room for its shape");
    this.shape = shape;
    this.#bytes = bytes;
    this.#states = new Int32Array(bytes.buffer, bytes.byteOffset, namesBytes(shape) / 4);
  }

  region(index: number): MetricRegion {
    return new MetricRegion(this.#numbers(index), this);
  }

  /** The sum of every number over all regions. */
  sums(): Float64Array {
    return this.#sumUp(headerSlots, this.shape.slots);
  }

  /** By name, and under null for what has none: the sums of its numbers. */
  namedSums(): Map<string | null, Float64Array> {
    const { slots, namesMax, slotsPerName } = this.shape;
    const found = new Map<string | null, Float64Array>();
    for (let index = 0; index <= namesMax; index += 1) {
      const name = index === namesMax ? null : this.nameAt(index);
      if (name === null && index < namesMax) continue;
      const numbers = this.#sumUp(headerSlots + slots + index * slotsPerName, slotsPerName);
      const known = found.get(name);
      // Two processes may have entered one name at the same moment.
      if (known === undefined) found.set(name, numbers);
      else for (const [at, number] of numbers.entries()) known[at] = (known[at] ?? 0) + number;
    }
    return found;
  }

  /** The processes that count now. */
  holders(): RegionHolder[] {
    const held: RegionHolder[] = [];
    for (let region = 0; region < this.shape.regions; region += 1) {
      const numbers = this.#numbers(region);
      const process = numbers[header.process] ?? 0;
      if (process === 0) continue;
      const [startedAt = 0, role = 0] = [numbers[header.startedAt], numbers[header.role]];
      held.push({ region, process, startedAt, role });
    }
    return held;
  }

  /** A process begins to count in the region. */
  hold({ region, process, startedAt, role }: RegionHolder): MetricRegion {
    const numbers = this.#numbers(region);
    numbers[header.used] = 1;
    numbers[header.startedAt] = startedAt;
    numbers[header.role] = role;
    numbers[header.process] = process;
    return this.region(region);
  }

  /** Its process is gone; what it counted stays. */
  release(region: number): void {
    this.#numbers(region)[header.process] = 0;
  }

  nameAt(index: number): string | null {
    if (Atomics.load(this.#states, (index * nameEntryBytes) / 4) !== nameState.ready) return null;
    const start = index * nameEntryBytes + 8;
    const length = this.#states[(index * nameEntryBytes) / 4 + 1] ?? 0;
    return this.#decoder.decode(this.#bytes.subarray(start, start + length));
  }

  isTaken(index: number): boolean {
    return Atomics.load(this.#states, (index * nameEntryBytes) / 4) !== nameState.free;
  }

  /** Enters a name; null when there is no room for it. */
  enterName(name: string): number | null {
    const encoded = Buffer.from(name);
    if (encoded.length > nameBytesMax) return null;
    for (let index = 0; index < this.shape.namesMax; index += 1) {
      const state = (index * nameEntryBytes) / 4;
      const found = Atomics.compareExchange(this.#states, state, nameState.free, nameState.taken);
      if (found === nameState.ready && this.nameAt(index) === name) return index;
      if (found !== nameState.free) continue;
      this.#bytes.set(encoded, index * nameEntryBytes + 8);
      this.#states[state + 1] = encoded.length;
      Atomics.store(this.#states, state, nameState.ready);
      return index;
    }
    return null;
  }

  #numbers(region: number): Float64Array {
    assert(region >= 0 && region < this.shape.regions, "a region lies in its page");
    const slots = regionSlots(this.shape);
    const start = namesBytes(this.shape) + region * slots * bytesPerSlot;
    return new Float64Array(this.#bytes.buffer, this.#bytes.byteOffset + start, slots);
  }

  #sumUp(start: number, length: number): Float64Array {
    const sums = new Float64Array(length);
    for (let region = 0; region < this.shape.regions; region += 1) {
      const numbers = this.#numbers(region);
      if (numbers[header.used] !== 1) continue;
      for (let at = 0; at < length; at += 1)
        sums[at] = (sums[at] ?? 0) + (numbers[start + at] ?? 0);
    }
    return sums;
  }
}

/** What one process counts. */
export class MetricRegion {
  readonly #numbers: Float64Array;
  readonly #page: MetricPage;
  readonly #names = new Map<string, number>();
  /** Places from the first on whose names are known. */
  #learned = 0;

  constructor(numbers: Float64Array, page: MetricPage) {
    this.#numbers = numbers;
    this.#page = page;
  }

  /** Adds to a counter; `slot` is a place that a `PlacedMetric` named. */
  add(slot: number, amount = 1): void {
    const at = headerSlots + slot;
    this.#numbers[at] = (this.#numbers[at] ?? 0) + amount;
  }

  get(slot: number): number {
    return this.#numbers[headerSlots + slot] ?? 0;
  }

  /** Sets a gauge. Only one process may set it. */
  set(slot: number, value: number): void {
    this.#numbers[headerSlots + slot] = value;
  }

  /** Counts a value of a histogram. */
  observe(slot: number, buckets: readonly number[], value: number): void {
    let bucket = 0;
    while (bucket < buckets.length && value > (buckets[bucket] ?? 0)) bucket += 1;
    this.add(slot + bucket);
    this.add(slot + buckets.length + 1, value);
  }

  /** The name's place; null while it has none. With `enter` it gets one if there is room. */
  nameOf(name: string, enter: boolean): number | null {
    const known = this.#names.get(name) ?? this.#learn(name);
    if (known !== null || !enter || this.#learned === this.#page.shape.namesMax) return known;
    const entered = this.#page.enterName(name);
    if (entered !== null) this.#names.set(name, entered);
    return entered;
  }

  /** Adds to a number of a name, or of what has none. */
  addNamed(name: number | null, slot: number, amount = 1): void {
    const at = this.#namedSlot(name, slot);
    this.#numbers[at] = (this.#numbers[at] ?? 0) + amount;
  }

  getNamed(name: number | null, slot: number): number {
    return this.#numbers[this.#namedSlot(name, slot)] ?? 0;
  }

  setNamed(name: number | null, slot: number, value: number): void {
    this.#numbers[this.#namedSlot(name, slot)] = value;
  }

  #namedSlot(name: number | null, slot: number): number {
    const { slots, namesMax, slotsPerName } = this.#page.shape;
    return headerSlots + slots + (name ?? namesMax) * slotsPerName + slot;
  }

  /** Takes in the names that other processes entered since. */
  #learn(name: string): number | null {
    const { namesMax } = this.#page.shape;
    // Names are entered in order: what is known ends at the first place that is not ready.
    for (let index = this.#learned; index < namesMax && this.#page.isTaken(index); index += 1) {
      const ready = this.#page.nameAt(index);
      if (ready === null) continue;
      this.#names.set(ready, index);
      if (index === this.#learned) this.#learned += 1;
    }
    return this.#names.get(name) ?? null;
  }
}
