/** The bucket of another registry, as a tree of files that are read alone. */
import type { Clock } from "../lib/clock.ts";
import type { DriverValues } from "../storage/driver_options.ts";
import { openObjectStore } from "../storage/objects/open_object_store.ts";
import type { ObjectStore } from "../storage/objects/object_store.ts";
import type { FileTree, TreeFile } from "../transfer/file_tree.ts";
import { TransferError } from "../transfer/image_place.ts";

/** @throws with one line where files of the driver cannot be read. */
export function openBucketTree(driver: DriverValues, label: string, clock: Clock): FileTree {
  const store = openObjectStore(driver, { clock, env: process.env, report: () => undefined });
  return new BucketTree(store, label);
}

class BucketTree implements FileTree {
  readonly label: string;
  readonly #store: ObjectStore;

  constructor(store: ObjectStore, label: string) {
    this.#store = store;
    this.label = label;
  }

  async *list(prefix: string): AsyncGenerator<TreeFile, void, void> {
    for (let after: string | null = null; ;) {
      const page: Awaited<ReturnType<ObjectStore["list"]>> = await this.#store.list(prefix, after);
      for (const { key: name, ...object } of page.objects) yield { name, ...object };
      after = page.next;
      if (after === null) return;
    }
  }

  async stat(name: string): Promise<TreeFile | null> {
    const { objects } = await this.#store.list(name, null);
    const found = objects.find(({ key }) => key === name);
    return found === undefined
      ? null
      : { name, sizeBytes: found.sizeBytes, changedAt: found.changedAt };
  }

  size(name: string): Promise<number | null> {
    return this.#store.size(name);
  }

  async *read(name: string, fromByte: number): AsyncGenerator<Uint8Array, void, void> {
    const sizeBytes = await this.#store.size(name);
    if (sizeBytes === null) throw new TransferError(`${this.label}: ${name} is gone`);
    // What has no bytes has no range either.
    if (fromByte >= sizeBytes) return;
    const range = fromByte === 0 ? null : { first: fromByte, last: sizeBytes - 1 };
    const stream = await this.#store.get(name, range);
    if (stream === null) throw new TransferError(`${this.label}: ${name} is gone`);
    yield* stream;
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
