/**
 * A root whose content lies in a store of objects, as a dry run opens it: a copy of its metadata, which may change, and
 * its objects, which stay.
 */
import type { Config } from "../config/schema.ts";
import type { Clock } from "../lib/clock.ts";
import type { Leases } from "../lib/lease.ts";
import type { Committer, Metadata } from "../metadata/metadata.ts";
import { objectsUnderLock } from "../metadata/sql/objects_under_lock.ts";
import type { DriverValues } from "../storage/driver_options.ts";
import { FileLeases } from "../storage/file_leases.ts";
import { openScratch } from "../storage/filesystem/open_scratch.ts";
import { openObjectStore } from "../storage/objects/open_object_store.ts";
import { openObjects } from "../storage/objects/open_objects.ts";
import type { Claim } from "../storage/root_lock.ts";
import type { Stores } from "../storage/stores.ts";
import { claimToCopy, MetadataCopy } from "./metadata_copy_root.ts";
import { objectRecords } from "./object_records.ts";
import type { MetadataView, Root, Writer, WriterHooks } from "./root.ts";

export class CopiedObjectRoot implements Root {
  readonly leases: Leases;
  readonly #rootDirectory: string;
  readonly #driver: DriverValues;
  readonly #clock: Clock;
  readonly #copy = new MetadataCopy();

  constructor(
    { storage: { rootDirectory } }: Pick<Config, "storage">,
    driver: DriverValues,
    clock: Clock,
  ) {
    this.#rootDirectory = rootDirectory;
    this.#driver = driver;
    this.#clock = clock;
    this.leases = new FileLeases(rootDirectory);
  }

  make(): readonly string[] {
    return [];
  }

  claim(): Claim {
    return claimToCopy(this.#rootDirectory);
  }

  async prepareBytes(): Promise<Stores> {
    this.#copy.fill(this.#rootDirectory);
    return this.openBytes(noCommitter);
  }

  openBytes(committer: Committer): Stores {
    const [rootDirectory, clock] = [this.#rootDirectory, this.#clock];
    const parts = { clock, env: process.env, report: () => undefined };
    const store = openObjectStore(this.#driver, parts);
    let metadata: Metadata | null = null;
    const records = objectRecords(() => (metadata ??= this.#copy.openMetadata(committer)));
    const scratch = openScratch({ rootDirectory, clock });
    const stores = openObjects({
      store,
      records,
      clock,
      scratch,
      sessions: null,
      redirectSeconds: null,
    });
    return {
      ...stores,
      close: async () => {
        await stores.close();
        await metadata?.close();
        await store.close();
      },
    };
  }

  async openWriter(hooks: WriterHooks): Promise<Writer> {
    return this.#copy.openWriter(hooks, objectsUnderLock);
  }

  openMetadata({ committer }: MetadataView): Metadata {
    return this.#copy.openMetadata(committer);
  }
}

/** A dry run writes no bytes. */
const noCommitter: Committer = {
  commit: () => Promise.reject(new Error("a dry run writes no bytes")),
};
