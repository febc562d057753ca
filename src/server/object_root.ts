/**
 * A root whose content lies in a store of objects: its directory has the metadata, if no database has them, and uploads
 * on their way.
 *
 * The bucket and the metadata belong together, and both hold one id: metadata that were lost, or belong elsewhere, would
 * take the objects of a bucket for nothing. So any other pair is refused at the start.
 */
import type { Config } from "../config/schema.ts";
import { must } from "../lib/assert.ts";
import type { Clock } from "../lib/clock.ts";
import type { Leases } from "../lib/lease.ts";
import type { Log } from "../lib/log.ts";
import type { Committer, Metadata } from "../metadata/metadata.ts";
import { objects } from "../metadata/objects.ts";
import { recordCommit } from "../metadata/records.ts";
import { objectsUnderLock } from "../metadata/sql/objects_under_lock.ts";
import type { DriverValues } from "../storage/driver_options.ts";
import { openScratch } from "../storage/filesystem/open_scratch.ts";
import { openObjectStore } from "../storage/objects/open_object_store.ts";
import { openObjects } from "../storage/objects/open_objects.ts";
import type { ObjectStore } from "../storage/objects/object_store.ts";
import { listExports } from "../storage/objects/metadata_exports.ts";
import { claimBucket, hasObjects, readRegistry } from "../storage/objects/registry_id.ts";
import type { Claim } from "../storage/root_lock.ts";
import type { Stores } from "../storage/stores.ts";
import type { MetadataExporter } from "../registry/export_job.ts";
import { metadataExporter } from "./recovery/metadata_exporter.ts";
import type { MetadataPlace } from "./metadata_place.ts";
import { MetadataRoot } from "./metadata_root.ts";
import { objectRecords } from "./object_records.ts";
import { onDemand } from "./on_demand.ts";
import { PostgresRoot } from "./postgres_root.ts";
import { redirectSeconds } from "./redirect_seconds.ts";
import { SubObjectRoot } from "./sub_object_root.ts";
import { claimApart, makeSubStores, openStores, SubReserves } from "./sub_root.ts";
import type { OpenedPlace } from "./sub_stores.ts";
import type { MetadataView, Root, Writer, WriterHooks } from "./root.ts";
import { uploadSessions } from "./upload_sessions.ts";

export class ObjectRoot implements Root {
  readonly leases: Leases;
  readonly #config: Config["storage"];
  readonly #clock: Clock;
  readonly #metadata: MetadataPlace;
  readonly #store: ObjectStore;
  /** Those of entries of `storage.subPaths`. */
  readonly #objects: SubObjectRoot;
  #log: Pick<Log, "warn"> | null = null;
  /** What the primary has: its bytes, and space for deletes on the disks of other stores. */
  #primary: { readonly place: OpenedPlace; readonly reserves: SubReserves } | null = null;
  /** The primary's own, once there is a writer. */
  #committer: Committer | null = null;
  /** Stores that are open: the last one closes what they share. */
  #opened = 0;

  /** @throws with one line where files of the driver cannot be read. */
  constructor({ storage }: Pick<Config, "storage">, driver: DriverValues, clock: Clock) {
    this.#config = storage;
    this.#clock = clock;
    this.#metadata = metadataOf(storage, clock);
    this.leases = this.#metadata.leases;
    this.#store = openObjectStore(driver, {
      clock,
      env: process.env,
      report: (line) => this.#log?.warn(line),
    });
    this.#objects = new SubObjectRoot(storage, { clock, tell: (line) => this.#log?.warn(line) });
  }

  get exporter(): MetadataExporter {
    const openRows = () => this.#metadata.openRows({ readonly: true });
    const { rootDirectory } = this.#config;
    return metadataExporter({ store: this.#store, openRows, rootDirectory, clock: this.#clock });
  }

  make(): readonly string[] {
    return [...this.#metadata.make(), ...makeSubStores(this.#config)];
  }

  claim(log: Pick<Log, "warn">): Claim {
    this.#log = log;
    const claim = this.#metadata.claim(log);
    const apart = claimApart(this.#config, claim);
    return {
      release: () => {
        apart.release();
        claim.release();
      },
    };
  }

  /** Tries the stores. @throws with a line for the operator for each that cannot be used. */
  async prepareBytes(): Promise<Stores> {
    this.#metadata.reserve();
    const reserves = new SubReserves(this.#config);
    const committer = () =>
      must(this.#committer, "the primary opens its writer before it writes bytes");
    const place = this.#open(committer, reserves);
    await place.prepare();
    reserves.begin();
    this.#primary = { place, reserves };
    await this.#store.probe().catch((error: unknown) => {
      throw refused(error);
    });
    await this.#objects.probe();
    return place.stores;
  }

  openBytes(committer: Committer): Stores {
    return this.#open(() => committer).stores;
  }

  async openWriter(hooks: WriterHooks): Promise<Writer> {
    const { place, reserves } = must(this.#primary, "the primary opens its bytes first");
    const writer = await this.#metadata.openWriter(hooks, place.bytes);
    this.#committer = writer.committer;
    try {
      await this.#pair(writer.committer).catch((error: unknown) => {
        throw refused(error);
      });
      await this.#pairApart(writer.committer);
    } catch (error) {
      await writer.close();
      throw error;
    }
    return {
      ...writer,
      probe: async () => {
        await writer.probe();
        reserves.fill();
      },
    };
  }

  openMetadata(view: MetadataView): Metadata {
    return this.#metadata.openMetadata(view);
  }

  #open(committer: () => Committer, reserves?: SubReserves): OpenedPlace {
    const metadata = onDemand(() => this.#metadataFor(committer()));
    const place = openStores(this.#openMain(metadata.get), this.#config, {
      clock: this.#clock,
      objects: this.#objects,
      metadata: metadata.get,
      ...(reserves === undefined ? {} : { reserves }),
    });
    return { ...place, stores: metadata.closedWith(place.stores) };
  }

  #openMain(metadata: () => Metadata): OpenedPlace {
    const { rootDirectory, redirectBlobURL, metadata: database } = this.#config;
    const scratch = openScratch({ rootDirectory, clock: this.#clock });
    const stores = openObjects({
      store: this.#store,
      records: objectRecords(metadata),
      clock: this.#clock,
      scratch,
      // One machine finds its uploads where it left them, and writes no rows of them.
      sessions: database.url === null ? null : uploadSessions(metadata),
      redirectSeconds: redirectBlobURL ? redirectSeconds : null,
    });
    this.#opened += 1;
    return {
      bytes: objectsUnderLock,
      prepare: () => scratch.prepare(),
      stores: {
        ...stores,
        close: async () => {
          await stores.close();
          this.#opened -= 1;
          if (this.#opened === 0) await this.#store.close();
        },
      },
    };
  }

  #metadataFor(committer: Committer): Metadata {
    return this.openMetadata({ committer, remembers: false, onLookup: undefined });
  }

  async #pairApart(committer: Committer): Promise<void> {
    const metadata = this.#metadataFor(committer);
    try {
      await this.#objects.pair(metadata, committer);
    } finally {
      await metadata.close();
    }
  }

  /** The bucket has a registry, and these metadata know of none. */
  async #lost(id: string): Promise<Error> {
    const [newest, ...others] = await listExports(this.#store);
    const what = `expected the metadata of the registry in the bucket (${id}), found none in ${this.#metadata.name}`;
    const elsewhere = "give them, or another bucket or rootdirectory";
    if (newest === undefined)
      return new Error(`${what}; ${elsewhere}: the bucket has no export of them`);
    return new Error(
      `${what}; ${elsewhere}, or put back one of ${others.length + 1} exports, ` +
        `the newest of ${new Date(newest.at).toISOString()}, with zot restore CONFIG`,
    );
  }

  /** Makes sure that the bucket is that of the metadata. @throws with one line for the operator. */
  async #pair(committer: Committer): Promise<void> {
    const metadata = this.#metadataFor(committer);
    try {
      const reads = metadata.records(objects);
      const [bucket, own] = [await readRegistry(this.#store), await reads.value("registry")];
      const restores = Number((await reads.value("restores")) ?? "0");
      if (bucket !== null && bucket.id === own && bucket.restores === restores) return;
      if (bucket !== null && bucket.id === own) {
        throw new Error(
          `expected the metadata that were restored last (${bucket.restores}), found those of restore ${restores}: ` +
            "give the restored ones as storage.rootDirectory, or take these with zot restore CONFIG --as-they-are",
        );
      }
      if (bucket !== null && own === null) throw await this.#lost(bucket.id);
      if (bucket !== null) throw ofAnother(bucket.id);
      const [first] = await reads.keys("", 1);
      const hasContent = first !== undefined || (await hasObjects(this.#store));
      // Another server of this registry may have begun meanwhile.
      if (hasContent && own !== null && (await readRegistry(this.#store))?.id === own) return;
      if (hasContent) {
        throw new Error(
          "expected registry.json in the bucket, which says whose it is, found none though there is content; " +
            "give the bucket, or the metadata, that it belongs to",
        );
      }
      if (own === null && (await metadata.repositories({ after: null, limit: 1 })).length > 0) {
        throw new Error(
          `expected no repositories in ${this.#metadata.name} yet, found some whose content lies elsewhere; ` +
            "give other metadata",
        );
      }
      // First here: a bucket that has an id which nobody knows could be given to nobody. Of servers that share a
      // database one says which it is.
      const settle = { kind: "settle", value: "registry", text: crypto.randomUUID() } as const;
      await committer.commit(recordCommit(objects, settle));
      const id = must(await reads.value("registry"), "it is settled");
      const taken = await claimBucket(this.#store, { id, restores });
      if (taken.id !== id) throw ofAnother(taken.id);
    } finally {
      await metadata.close();
    }
  }
}

function ofAnother(id: string): Error {
  return new Error(
    `expected the bucket of this registry, found that of another one (${id}); ` +
      "give another bucket or rootdirectory, or the metadata that belong to it",
  );
}

/** Where a configuration says that the metadata are. @throws with one line where a file of it cannot be read. */
export function metadataOf(storage: Config["storage"], clock: Clock): MetadataPlace {
  const { url } = storage.metadata;
  return url === null ? new MetadataRoot(storage) : new PostgresRoot(storage, url, clock);
}

/** To be closed. @throws with one line where a file of the configuration cannot be read. */
export function openBucket(driver: DriverValues, clock: Clock): ObjectStore {
  return openObjectStore(driver, { clock, env: process.env, report: () => undefined });
}

/** The id of the registry that a bucket belongs to; null where it has none. @throws with one line for the operator. */
export async function registryOfBucket(driver: DriverValues, clock: Clock): Promise<string | null> {
  const store = openBucket(driver, clock);
  try {
    return (await readRegistry(store))?.id ?? null;
  } catch (error) {
    throw refused(error);
  } finally {
    await store.close();
  }
}

/** What keeps a server from its store, with the option that names it. */
function refused(error: unknown): Error {
  const text = error instanceof Error ? error.message : String(error);
  return new Error(`storage.storageDriver: ${text}`, { cause: error });
}
