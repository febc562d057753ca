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
import { atOnce } from "../metadata/sql/bytes_under_lock.ts";
import { openFilesystem, type FilesystemStores } from "../storage/filesystem/open_filesystem.ts";
import type { FileReserve } from "../storage/filesystem/reserve.ts";
import type { Claim } from "../storage/root_lock.ts";
import type { LocalStores, Stores } from "../storage/stores.ts";
import { MetadataRoot } from "./metadata_root.ts";
import { claimApart, makeSubStores, openStores, registryAdvice, SubReserves } from "./sub_root.ts";
import type { MetadataView, Root, Writer, WriterHooks } from "./root.ts";

export class DirectoryRoot implements Root {
  readonly leases: Leases;
  readonly #config: Config["storage"];
  readonly #clock: Clock;
  readonly #metadata: MetadataRoot;
  /** What the primary has: its bytes, and space for deletes on the disks of other stores. */
  #primary: { readonly stores: LocalStores; readonly reserves: SubReserves } | null = null;

  constructor({ storage }: Pick<Config, "storage">, clock: Clock) {
    this.#config = storage;
    this.#clock = clock;
    this.#metadata = new MetadataRoot(storage);
    this.leases = this.#metadata.leases;
  }

  make(): readonly string[] {
    return [...this.#metadata.make(), ...makeSubStores(this.#config)];
  }

  claim(log: Pick<Log, "warn">): Claim {
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

  /** It makes the directories, and keeps the reserve. */
  async prepareBytes(): Promise<Stores> {
    const reserves = new SubReserves(this.#config);
    const main = this.#open(this.#metadata.reserve());
    const { stores, apart } = openStores(main, this.#config, { clock: this.#clock, reserves });
    for (const each of [main, ...apart]) await each.prepare();
    reserves.begin();
    this.#primary = { stores, reserves };
    return stores;
  }

  openBytes(): Stores {
    return openStores(this.#open(), this.#config, { clock: this.#clock }).stores;
  }

  async openWriter(hooks: WriterHooks): Promise<Writer> {
    const { stores, reserves } = must(this.#primary, "the primary opens its bytes first");
    const writer = await this.#metadata.openWriter(hooks, atOnce(stores.underLock));
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
    const metadata = this.openMetadata({ committer, remembers: false, onLookup: undefined });
    try {
      if ((await metadata.records(objects).value("registry")) === null) return;
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
