/**
 * A root directory as the parts of a server open it: the bytes, and the metadata for writing (the primary) or for
 * reading (everybody).
 */
import type { Config } from "../config/schema.ts";
import { must } from "../lib/assert.ts";
import type { Clock } from "../lib/clock.ts";
import type { Leases } from "../lib/lease.ts";
import type { Log } from "../lib/log.ts";
import type { Committer, Metadata } from "../metadata/metadata.ts";
import { objects } from "../metadata/objects.ts";
import { openFilesystem, type FilesystemStores } from "../storage/filesystem/open_filesystem.ts";
import type { FileReserve } from "../storage/filesystem/reserve.ts";
import type { Claim } from "../storage/root_lock.ts";
import type { Stores } from "../storage/stores.ts";
import { MetadataRoot } from "./metadata_root.ts";
import { onDemand } from "./on_demand.ts";
import { SubObjectRoot } from "./sub_object_root.ts";
import {
  claimApart,
  filesPlace,
  makeSubStores,
  openStores,
  registryAdvice,
  SubReserves,
} from "./sub_root.ts";
import type { OpenedPlace } from "./sub_stores.ts";
import type { MetadataView, Root, Writer, WriterHooks } from "./root.ts";

export class DirectoryRoot implements Root {
  readonly leases: Leases;
  readonly #config: Config["storage"];
  readonly #clock: Clock;
  readonly #metadata: MetadataRoot;
  /** What the primary has: its bytes, and space for deletes on the disks of other stores. */
  #primary: { readonly place: OpenedPlace; readonly reserves: SubReserves } | null = null;
  /** Stores of objects of entries of `storage.subPaths`. */
  readonly #objects: SubObjectRoot;
  #log: Pick<Log, "warn"> | null = null;
  /** The primary's own, once there is a writer. */
  #committer: Committer | null = null;

  constructor({ storage }: Pick<Config, "storage">, clock: Clock) {
    this.#config = storage;
    this.#clock = clock;
    this.#metadata = new MetadataRoot(storage);
    this.leases = this.#metadata.leases;
    this.#objects = new SubObjectRoot(storage, { clock, tell: (line) => this.#log?.warn(line) });
  }

  make(): readonly string[] {
    return [...this.#metadata.make(), ...makeSubStores(this.#config)];
  }

  claim(log: Pick<Log, "warn">): Claim {
    this.#log = log;
    const claim = this.#metadata.claim(log);
    const apart = claimApart(this.#config, claim);
    for (const advice of registryAdvice(this.#config)) log.warn(advice);
    return {
      release: () => {
        apart.release();
        claim.release();
      },
    };
  }

  /** It makes the directories, keeps the reserve, and tries stores of objects. @throws with lines for the operator. */
  async prepareBytes(): Promise<Stores> {
    const reserves = new SubReserves(this.#config);
    const committer = () =>
      must(this.#committer, "the primary opens its writer before it writes bytes");
    const place = this.#openAll(committer, { reserve: this.#metadata.reserve(), reserves });
    await place.prepare();
    reserves.begin();
    this.#primary = { place, reserves };
    await this.#objects.probe();
    return place.stores;
  }

  openBytes(committer: Committer): Stores {
    return this.#openAll(() => committer).stores;
  }

  #openAll(
    committer: () => Committer,
    { reserve, reserves }: { reserve?: FileReserve; reserves?: SubReserves } = {},
  ): OpenedPlace {
    const metadata = onDemand(() => this.#metadataFor(committer()));
    const place = openStores(filesPlace(this.#open(reserve)), this.#config, {
      clock: this.#clock,
      objects: this.#objects,
      metadata: metadata.get,
      ...(reserves === undefined ? {} : { reserves }),
    });
    return { ...place, stores: metadata.closedWith(place.stores) };
  }

  #metadataFor(committer: Committer): Metadata {
    return this.openMetadata({ committer, remembers: false, onLookup: undefined });
  }

  async openWriter(hooks: WriterHooks): Promise<Writer> {
    const { place, reserves } = must(this.#primary, "the primary opens its bytes first");
    const writer = await this.#metadata.openWriter(hooks, place.bytes);
    this.#committer = writer.committer;
    try {
      await this.#requireContent(writer.committer);
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

  /** @throws with one line where the content is elsewhere. */
  async #requireContent(committer: Committer): Promise<void> {
    const metadata = this.#metadataFor(committer);
    try {
      if ((await metadata.records(objects).value("registry")) === null) {
        await this.#objects.pair(metadata, committer);
        return;
      }
      throw new Error(
        `storage.storageDriver: expected the store that holds the content of ${this.#config.rootDirectory}, got none; ` +
          "name it, or give another storage.rootDirectory",
      );
    } finally {
      await metadata.close();
    }
  }

  #open(reserve?: FileReserve): FilesystemStores {
    const { rootDirectory, commit } = this.#config;
    return openFilesystem({ rootDirectory, durable: commit, clock: this.#clock }, reserve);
  }
}
