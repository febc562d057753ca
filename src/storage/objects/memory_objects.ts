/** A store of objects in the memory of this process, for tests and for programs that embed the registry. */
import { assert } from "../../lib/assert.ts";
import { GiB, MiB } from "../../lib/bytes.ts";
import { type Clock, systemClock } from "../../lib/clock.ts";
import type { ContentRange } from "../blob_store.ts";
import { assertKey } from "./object_key.ts";
import {
  type ListedObject,
  type ObjectBody,
  type ObjectLimits,
  type ObjectParts,
  type ObjectStore,
  ObjectStoreRefused,
  type StoredPart,
} from "./object_store.ts";

interface Stored {
  readonly bytes: Uint8Array;
  readonly changedAt: number;
}

interface Part {
  readonly tag: string;
  readonly bytes: Uint8Array;
}

const pageEntriesMax = 1_000;

export class MemoryObjects implements ObjectStore {
  readonly limits: ObjectLimits;
  readonly #clock: Clock;
  readonly #objects = new Map<string, Stored>();
  readonly #unfinished = new Map<
    string,
    { key: string; startedAt: number; parts: Map<number, Part> }
  >();

  constructor({ clock = systemClock, partBytesMin = 5 * MiB } = {}) {
    this.#clock = clock;
    this.limits = { putBytesMax: 5 * GiB, partBytesMin, partBytesMax: 5 * GiB, partsMax: 10_000 };
  }

  async put(key: string, body: ObjectBody): Promise<void> {
    assertKey(key);
    this.#store(key, await bytesOf(body));
  }

  async get(key: string, range: ContentRange | null): Promise<ReadableStream<Uint8Array> | null> {
    const bytes = this.#objects.get(key)?.bytes;
    if (bytes === undefined) return null;
    if (range !== null && range.first >= bytes.length) {
      throw new ObjectStoreRefused(`${key} has ${bytes.length} bytes, none at ${range.first}`);
    }
    const wanted = range === null ? bytes : bytes.subarray(range.first, range.last + 1);
    return new Blob([wanted]).stream();
  }

  async size(key: string): Promise<number | null> {
    return this.#objects.get(key)?.bytes.length ?? null;
  }

  async remove(key: string): Promise<void> {
    this.#objects.delete(key);
  }

  async startParts(key: string): Promise<ObjectParts> {
    assertKey(key);
    const upload = crypto.randomUUID();
    this.#unfinished.set(upload, { key, startedAt: this.#clock.now(), parts: new Map() });
    return { upload };
  }

  async putPart(
    key: string,
    parts: ObjectParts,
    number: number,
    body: ObjectBody,
  ): Promise<StoredPart> {
    assert(number >= 1 && number <= this.limits.partsMax, `${number} is no number of a part`);
    const unfinished = this.#found(key, parts);
    const part = { tag: crypto.randomUUID(), bytes: await bytesOf(body) };
    unfinished.set(number, part);
    return { number, tag: part.tag };
  }

  async completeParts(key: string, parts: ObjectParts, stored: readonly StoredPart[]) {
    assert(stored.length > 0, "An object has at least one part");
    if (!this.#unfinished.has(parts.upload) && this.#objects.has(key)) return;
    const unfinished = this.#found(key, parts);
    const inOrder = stored.toSorted((one, other) => one.number - other.number);
    const bytes = inOrder.map(({ number, tag }, index) => {
      const part = unfinished.get(number);
      if (part?.tag !== tag) throw new ObjectStoreRefused(`${key}: no part ${number} of this tag`);
      const isLast = index === inOrder.length - 1;
      if (isLast || part.bytes.length >= this.limits.partBytesMin) return part.bytes;
      throw new ObjectStoreRefused(`${key}: part ${number} is too small`);
    });
    this.#store(key, new Uint8Array(Buffer.concat(bytes)));
    this.#unfinished.delete(parts.upload);
  }

  async abortParts(_key: string, parts: ObjectParts): Promise<void> {
    this.#unfinished.delete(parts.upload);
  }

  async list(prefix: string, after: string | null) {
    const fits = (key: string): boolean =>
      key.startsWith(prefix) && (after === null || key > after);
    const keys = [...this.#objects.keys()].filter(fits).sort();
    const page = keys.slice(0, pageEntriesMax);
    const objects = page.flatMap((key): ListedObject[] => {
      const stored = this.#objects.get(key);
      if (stored === undefined) return [];
      return [{ key, sizeBytes: stored.bytes.length, changedAt: stored.changedAt }];
    });
    return { objects, next: keys.length > page.length ? (page.at(-1) ?? null) : null };
  }

  async unfinished(prefix: string) {
    const parts = [...this.#unfinished].flatMap(([upload, { key, startedAt }]) =>
      key.startsWith(prefix) ? [{ key, upload, startedAt }] : [],
    );
    return { parts, next: null };
  }

  async sign(): Promise<null> {
    return null;
  }

  async probe(): Promise<void> {}

  async close(): Promise<void> {
    this.#objects.clear();
    this.#unfinished.clear();
  }

  #store(key: string, bytes: Uint8Array): void {
    this.#objects.set(key, { bytes, changedAt: this.#clock.now() });
  }

  #found(key: string, { upload }: ObjectParts): Map<number, Part> {
    const found = this.#unfinished.get(upload);
    if (found?.key === key) return found.parts;
    throw new ObjectStoreRefused(`${key}: its parts are gone`);
  }
}

/** A copy: the caller may use its own for something else. */
async function bytesOf(body: ObjectBody): Promise<Uint8Array> {
  return body instanceof Blob ? new Uint8Array(await body.arrayBuffer()) : new Uint8Array(body);
}
