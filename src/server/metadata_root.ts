/**
 * What every root in a directory has there, wherever its bytes lie: the lock of its server, the metadata, leases of jobs,
 * and space that is kept for deletes.
 */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import { must } from "../lib/assert.ts";
import type { Leases } from "../lib/lease.ts";
import type { Log } from "../lib/log.ts";
import { EpochCommitter, Epochs } from "../metadata/epochs.ts";
import type { Metadata } from "../metadata/metadata.ts";
import type { RowStore } from "../metadata/rows/row_store.ts";
import { SqliteMetadata } from "../metadata/sqlite/sqlite_metadata.ts";
import { SqliteRows } from "../metadata/sqlite/sqlite_rows.ts";
import { SqliteWriter, type SqliteWriterOptions } from "../metadata/sqlite/sqlite_writer.ts";
import { StorageFull } from "../storage/blob_store.ts";
import { FileLeases } from "../storage/file_leases.ts";
import { FileReserve } from "../storage/filesystem/reserve.ts";
import { epochsFile, lockFile, metadataFile, ratesFile, reservedFile } from "../storage/layout.ts";
import { claimRoot, makeRoot, type Claim } from "../storage/root_lock.ts";
import { checkRootTrust } from "../storage/root_trust.ts";
import { claimToCopy } from "./metadata_copy_root.ts";
import type { MetadataPlace } from "./metadata_place.ts";
import type { MetadataView, Writer, WriterHooks } from "./root.ts";

export class MetadataRoot implements MetadataPlace {
  readonly leases: Leases;
  readonly name: string;
  readonly #config: Config["storage"];
  #reserve: FileReserve | null = null;

  constructor(config: Config["storage"]) {
    this.#config = config;
    this.name = config.rootDirectory;
    this.leases = new FileLeases(config.rootDirectory);
  }

  make(): readonly string[] {
    const { rootDirectory } = this.#config;
    makeRoot(rootDirectory);
    return checkRootTrust(rootDirectory);
  }

  claim(log: Pick<Log, "warn">): Claim {
    const { rootDirectory, shared, commit } = this.#config;
    const claim = claimRoot(rootDirectory, shared ? "shared" : "alone");
    if (!commit) log.warn("storage.commit is false: a push that was acknowledged can be lost");
    return claim;
  }

  /** The primary's, which keeps it. */
  reserve(): FileReserve {
    return (this.#reserve ??= new FileReserve(this.#config.rootDirectory));
  }

  async openWriter(hooks: WriterHooks, bytes: SqliteWriterOptions["bytes"]): Promise<Writer> {
    const { commit, shared } = this.#config;
    const reserve = must(this.#reserve, "the primary opens its bytes first");
    const lost = Promise.withResolvers<string>();
    // What was reserved before a crash is on its way no more.
    if (!shared) this.#remove(reservedFile);
    // Before the writer, which follows its file.
    const epochs = new Epochs(this.#at(epochsFile));
    const writer = new SqliteWriter({
      path: this.#at(metadataFile),
      kept: [epochsFile, lockFile].map((file) => this.#at(file)),
      onLost: lost.resolve,
      spare: reserve,
      durable: commit,
      bytes,
      ...hooks,
    });
    return {
      committer: new EpochCommitter(writer, epochs),
      lost: lost.promise,
      probe: async () => {
        if (!writer.makeSpare()) throw new StorageFull("No space left for the reserve");
        writer.probe();
      },
      close: async () => {
        await writer.close();
        // Counters that mean nothing without this server's processes would only stand in backups.
        if (!shared) for (const page of [epochsFile, ratesFile, reservedFile]) this.#remove(page);
      },
    };
  }

  openMetadata({ committer, remembers, onLookup }: MetadataView): Metadata {
    // Servers that share a root do not share the moment of acknowledgement: they remember nothing.
    const epochs = remembers && !this.#config.shared ? new Epochs(this.#at(epochsFile)) : null;
    return new SqliteMetadata(this.#at(metadataFile), committer, epochs, onLookup);
  }

  async openRows(how: { readonly readonly: boolean }): Promise<RowStore> {
    const path = this.#at(metadataFile);
    if (existsSync(path)) return new SqliteRows(path, how);
    throw new Error(
      `expected a registry in ${this.#config.rootDirectory}, found no metadata there; ` +
        "serve it once with 'zot serve', which reads in what other programs wrote",
    );
  }

  async claimToRead(): Promise<Claim> {
    return claimToCopy(this.#config.rootDirectory);
  }

  #remove(file: string): void {
    rmSync(this.#at(file), { force: true });
  }

  #at(file: string): string {
    return join(this.#config.rootDirectory, file);
  }
}
