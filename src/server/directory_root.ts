/**
 * A root directory as the parts of a server open it: the bytes, and the metadata for writing (the primary) or for
 * reading (everybody).
 */
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import { must } from "../lib/assert.ts";
import type { Clock } from "../lib/clock.ts";
import type { Leases } from "../lib/lease.ts";
import type { Log } from "../lib/log.ts";
import { EpochCommitter, Epochs } from "../metadata/epochs.ts";
import type { Metadata } from "../metadata/metadata.ts";
import { SqliteMetadata } from "../metadata/sqlite/sqlite_metadata.ts";
import { SqliteWriter } from "../metadata/sqlite/sqlite_writer.ts";
import { StorageFull } from "../storage/blob_store.ts";
import { FileLeases } from "../storage/file_leases.ts";
import { openFilesystem, type FilesystemStores } from "../storage/filesystem/open_filesystem.ts";
import { FileReserve } from "../storage/filesystem/reserve.ts";
import { epochsFile, lockFile, metadataFile, ratesFile, reservedFile } from "../storage/layout.ts";
import { otherRegistryAdvice } from "../storage/other_registry.ts";
import { claimRoot, makeRoot, type Claim } from "../storage/root_lock.ts";
import { checkRootTrust } from "../storage/root_trust.ts";
import type { Stores } from "../storage/stores.ts";
import type { MetadataView, Root, Writer, WriterHooks } from "./root.ts";

export class DirectoryRoot implements Root {
  readonly leases: Leases;
  readonly #config: Config["storage"];
  readonly #clock: Clock;
  /** What the primary has: its bytes, and space for deletes on a full disk. */
  #primary: { readonly stores: FilesystemStores; readonly reserve: FileReserve } | null = null;

  constructor({ storage }: Pick<Config, "storage">, clock: Clock) {
    this.#config = storage;
    this.#clock = clock;
    this.leases = new FileLeases(storage.rootDirectory);
  }

  make(): readonly string[] {
    const { rootDirectory } = this.#config;
    makeRoot(rootDirectory);
    return checkRootTrust(rootDirectory);
  }

  claim(log: Pick<Log, "warn">): Claim {
    const { rootDirectory, shared, commit } = this.#config;
    const claim = claimRoot(rootDirectory, shared ? "shared" : "alone");
    const advice = otherRegistryAdvice(rootDirectory);
    if (advice !== null) log.warn(advice);
    if (!commit) log.warn("storage.commit is false: a push that was acknowledged can be lost");
    return claim;
  }

  /** It makes the directories, and keeps the reserve. */
  async prepareBytes(): Promise<Stores> {
    const reserve = new FileReserve(this.#config.rootDirectory);
    const stores = this.#open(reserve);
    await stores.prepare();
    this.#primary = { stores, reserve };
    return stores;
  }

  openBytes(): Stores {
    return this.#open();
  }

  openWriter(hooks: WriterHooks): Writer {
    const { commit, shared } = this.#config;
    const { stores, reserve } = must(this.#primary, "the primary opens its bytes first");
    const lost = Promise.withResolvers<string>();
    // What was reserved before a crash is on its way no more.
    if (!shared) stores.files.removeNow(reservedFile);
    // Before the writer, which follows its file.
    const epochs = new Epochs(this.#at(epochsFile));
    const writer = new SqliteWriter({
      path: this.#at(metadataFile),
      kept: [epochsFile, lockFile].map((file) => this.#at(file)),
      onLost: lost.resolve,
      spare: reserve,
      durable: commit,
      bytes: stores.underLock,
      ...hooks,
    });
    return {
      committer: new EpochCommitter(writer, epochs),
      lost: lost.promise,
      probe: () => {
        if (!writer.makeSpare()) throw new StorageFull("No space left for the reserve");
        writer.probe();
      },
      close: async () => {
        await writer.close();
        // Counters that mean nothing without this server's processes would only stand in backups.
        if (!shared)
          for (const page of [epochsFile, ratesFile, reservedFile]) stores.files.removeNow(page);
      },
    };
  }

  openMetadata({ committer, remembers, onLookup }: MetadataView): Metadata {
    // Servers that share a root do not share the moment of acknowledgement: they remember nothing.
    const epochs = remembers && !this.#config.shared ? new Epochs(this.#at(epochsFile)) : null;
    return new SqliteMetadata(this.#at(metadataFile), committer, epochs, onLookup);
  }

  #open(reserve?: FileReserve): FilesystemStores {
    const { rootDirectory, commit } = this.#config;
    return openFilesystem({ rootDirectory, durable: commit, clock: this.#clock }, reserve);
  }

  #at(file: string): string {
    return join(this.#config.rootDirectory, file);
  }
}
