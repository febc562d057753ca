/**
 * Compares a store of objects with what is known of it: content whose object is gone, objects that nothing knows, and
 * parts that nobody sends.
 *
 * Both are read in the order of keys, page by page, and neither stands still meanwhile. So what seems to be lost or
 * unknown is asked for once more, the record first: a key is written down before its first byte, and its record goes
 * after the object. Nothing here removes an object by itself: after metadata of another moment were put back, what nothing
 * knows may be all that is left of a push.
 */
import { assert } from "../../lib/assert.ts";
import { newHasher, type Digest } from "../../oci/digest.ts";
import { StoreRefused } from "../blob_store.ts";
import type { KnownObject } from "../object_records.ts";
import type { AuditHooks, LyingObject, StoreAudit } from "../stores.ts";
import type { UnfinishedParts } from "./object_store.ts";
import { readRegistry, registryKey } from "./registry_id.ts";
import { objectsPrefix } from "./reserved_keys.ts";
import type { ObjectPlace } from "./write_object.ts";

/** Rows that are read at once. */
const rowsMax = 1_000;
/** Names of a lost object that are told. */
const namesMax = 10_000;
/** What is younger may belong to a push, whatever the clocks say. */
const ageMsMin = 48 * 60 * 60_000;
/** Keys begin with two digits after `objects/`: a step each, where there are more than a page of them. */
const prefixes = 256;
/** One step for objects, and one for what is left of others. */
const stepsMin = 2;
/** What tries of a start left, and parts. */
const leftoversPrefix = "probe/";

export class ObjectAudit implements StoreAudit {
  readonly #place: ObjectPlace;

  constructor(place: ObjectPlace) {
    this.#place = place;
  }

  async steps(): Promise<number> {
    const page = await this.#place.records.keys("", rowsMax);
    return page.length < rowsMax ? stepsMin : prefixes + 1;
  }

  async step(
    { number, of }: { readonly number: number; readonly of: number },
    hooks: AuditHooks,
  ): Promise<void> {
    assert(number >= 0 && number < of, `${number} is no step of an audit`);
    await this.#requireOurs();
    if (number < of - 1) {
      const digits = of === stepsMin ? "" : `${number.toString(16).padStart(2, "0")}/`;
      const prefix = `${objectsPrefix}${digits}`;
      await new Comparison(this.#place, prefix, hooks).run();
      return;
    }
    await this.#lookForLeftovers(hooks);
    await this.#abortUnfinished(hooks);
  }

  async restoredAt(): Promise<number | null> {
    const { store } = this.#place;
    const restores = (await readRegistry(store))?.restores ?? 0;
    if (restores === 0) return null;
    const { objects } = await store.list(registryKey, null);
    return objects.find(({ key }) => key === registryKey)?.changedAt ?? null;
  }

  async hash({ key }: LyingObject, signal: AbortSignal): Promise<Digest | null> {
    const stream = await this.#place.store.get(key, null);
    if (stream === null) return null;
    const hasher = newHasher("sha256");
    for await (const part of stream) {
      signal.throwIfAborted();
      hasher.update(part);
    }
    return hasher.digest();
  }

  adopt({ key, sizeBytes }: LyingObject, repository: string, digest: Digest): Promise<boolean> {
    return this.#place.records.adopt({ key, sizeBytes }, { repository, name: digest });
  }

  async remove({ key }: LyingObject): Promise<void> {
    if ((await this.#place.records.key(key)) === null) await this.#place.store.remove(key);
  }

  /** A store that answers as if it were empty has lost nothing. */
  async #requireOurs(): Promise<void> {
    if ((await this.#place.store.size(registryKey)) !== null) return;
    throw new StoreRefused(`${registryKey} is gone from the store of objects`);
  }

  async #lookForLeftovers(hooks: AuditHooks): Promise<void> {
    const { store, clock } = this.#place;
    for (let after: string | null = null; ;) {
      const page = await store.list(leftoversPrefix, after);
      for (const object of page.objects) {
        if (object.changedAt < clock.now() - ageMsMin) await hooks.onStray(object);
      }
      if (page.next === null || hooks.signal.aborted) return;
      after = page.next;
    }
  }

  async #abortUnfinished(hooks: AuditHooks): Promise<void> {
    const { store } = this.#place;
    for (let after: string | null = null; ;) {
      const page: { parts: readonly UnfinishedParts[]; next: string | null } =
        await store.unfinished("", after);
      for (const parts of page.parts) await this.#abortIfLeft(parts, hooks);
      if (page.next === null || hooks.signal.aborted) return;
      after = page.next;
    }
  }

  async #abortIfLeft(
    { key, upload, startedAt }: UnfinishedParts,
    hooks: AuditHooks,
  ): Promise<void> {
    const { store, records, clock } = this.#place;
    if (startedAt >= clock.now() - ageMsMin || (await records.isUnderWay(upload))) return;
    await store.abortParts(key, { upload });
    hooks.onUnfinished(key);
  }
}

/** Of all keys with a prefix. */
class Comparison {
  readonly #place: ObjectPlace;
  readonly #prefix: string;
  readonly #hooks: AuditHooks;
  #rows: KnownObject[] = [];
  #rowsAfter: string;
  #hasMoreRows = true;
  #sound = { objects: 0, bytes: 0 };

  constructor(place: ObjectPlace, prefix: string, hooks: AuditHooks) {
    this.#place = place;
    this.#prefix = prefix;
    this.#rowsAfter = prefix;
    this.#hooks = hooks;
  }

  async run(): Promise<void> {
    const { signal } = this.#hooks;
    for (let after: string | null = null; ;) {
      const { objects, next } = await this.#place.store.list(this.#prefix, after);
      for (const object of objects) {
        signal.throwIfAborted();
        await this.#lookAt(object);
      }
      if (next === null) break;
      await this.#tellSound();
      after = next;
    }
    for (let row = await this.#row(); row !== null; row = await this.#row()) {
      this.#rows.shift();
      await this.#lookForObject(row);
    }
    await this.#tellSound();
  }

  async #tellSound(): Promise<void> {
    const { objects, bytes } = this.#sound;
    this.#sound = { objects: 0, bytes: 0 };
    await this.#hooks.onSound(objects, bytes);
  }

  /** The next one that was not looked at; null at the end. */
  async #row(): Promise<KnownObject | null> {
    if (this.#rows.length === 0 && this.#hasMoreRows) {
      const page = await this.#place.records.keys(this.#rowsAfter, rowsMax);
      this.#rows = page.filter(({ key }) => key.startsWith(this.#prefix));
      this.#hasMoreRows = page.length === rowsMax && this.#rows.length === rowsMax;
      this.#rowsAfter = page.at(-1)?.key ?? this.#rowsAfter;
    }
    return this.#rows[0] ?? null;
  }

  async #lookAt(object: LyingObject): Promise<void> {
    let row = await this.#row();
    for (; row !== null && row.key < object.key; row = await this.#row()) {
      this.#rows.shift();
      await this.#lookForObject(row);
    }
    if (row?.key !== object.key) return await this.#isUnknown(object);
    this.#rows.shift();
    if (!row.isContent) return;
    if (row.sizeBytes === object.sizeBytes) this.#isSound(row);
    else await this.#lookForObject(row);
  }

  #isSound({ sizeBytes }: KnownObject): void {
    this.#sound.objects += 1;
    this.#sound.bytes += sizeBytes;
  }

  /** One that the list does not have as it should be. */
  async #lookForObject({ key, isContent }: KnownObject): Promise<void> {
    if (!isContent) return;
    const { store, records } = this.#place;
    const foundBytes = await store.size(key);
    const known = await records.key(key);
    // Collected meanwhile.
    if (known === null || !known.isContent) return;
    if (foundBytes === known.sizeBytes) return this.#isSound(known);
    const names = await records.namesOf(key, namesMax);
    await this.#hooks.onLost({ key, sizeBytes: known.sizeBytes, foundBytes, names });
  }

  async #isUnknown(object: LyingObject): Promise<void> {
    const { store, records, clock } = this.#place;
    const isOfBefore = object.changedAt < (this.#hooks.restoredAt ?? 0);
    if (object.changedAt >= clock.now() - ageMsMin && !isOfBefore) return;
    if ((await records.key(object.key)) !== null) return;
    // Removed meanwhile, and its record after it.
    if ((await store.size(object.key)) === null) return;
    await this.#hooks.onStray(object);
  }
}
