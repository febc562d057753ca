/**
 * Opens what lies in a root directory: the bytes, and the metadata for writing (the primary) or for reading (everybody).
 */
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import type { Clock } from "../lib/clock.ts";
import { EpochCommitter, Epochs } from "../metadata/epochs.ts";
import type { Committer } from "../metadata/metadata.ts";
import { SqliteMetadata } from "../metadata/sqlite/sqlite_metadata.ts";
import { SqliteWriter } from "../metadata/sqlite/sqlite_writer.ts";
import { ContentCache } from "../registry/content_cache.ts";
import { layoutSource } from "../registry/layout_source.ts";
import type { Registry, Report } from "../registry/registry.ts";
import { Uploads } from "../registry/uploads.ts";
import { StorageFull } from "../storage/blob_store.ts";
import { openFilesystem, type FilesystemStores } from "../storage/filesystem/open_filesystem.ts";
import { FileReserve } from "../storage/filesystem/reserve.ts";
import { epochsFile, lockFile, metadataFile, ratesFile } from "../storage/layout.ts";
import type { Stores } from "../storage/stores.ts";

/** The bytes as a process reads and writes them that is not the primary. */
export function openBytes({ storage }: Config, clock: Clock): FilesystemStores {
  const { rootDirectory, commit } = storage;
  return openFilesystem({ rootDirectory, durable: commit, clock });
}

export interface PrimaryBytes {
  readonly stores: FilesystemStores;
  /** Space for deletes on a full disk. */
  readonly reserve: FileReserve;
}

/** The bytes as the primary has them: it makes the directories, and keeps the reserve. */
export async function preparePrimaryBytes(
  { storage: { rootDirectory, commit } }: Config,
  clock: Clock,
): Promise<PrimaryBytes> {
  const reserve = new FileReserve(rootDirectory);
  const stores = openFilesystem({ rootDirectory, durable: commit, clock }, reserve);
  await stores.prepare();
  return { stores, reserve };
}

export interface Writer {
  /** Where commits go. */
  readonly committer: Committer;
  /** Resolves with one line for the operator when files that it holds open were removed or replaced. */
  readonly lost: Promise<string>;
  /** A small write. @throws where the disk takes none, or has no room for the space that is kept for deletes. */
  probe(): void;
  close(): Promise<void>;
}

/** The metadata for writing; one process of a server opens them. */
export function openWriter(
  { storage: { rootDirectory, commit, shared } }: Config,
  { stores, reserve }: PrimaryBytes,
  hooks: {
    readonly clock: Clock;
    readonly onBatch: ((commits: number, ms: number) => void) | undefined;
  },
): Writer {
  const lost = Promise.withResolvers<string>();
  const epochs = new Epochs(join(rootDirectory, epochsFile));
  const writer = new SqliteWriter({
    path: join(rootDirectory, metadataFile),
    kept: [epochsFile, lockFile].map((file) => join(rootDirectory, file)),
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
      if (!shared) for (const page of [epochsFile, ratesFile]) stores.files.removeNow(page);
    },
  };
}

/** How a process uses the registry. */
export interface RegistryParties {
  readonly stores: Stores;
  readonly committer: Committer;
  readonly clock: Clock;
  readonly report: Report;
  /** Remembers what was read of the metadata; without it each read is made anew. */
  readonly remembers?: boolean;
  /** Hears of lookups in what is remembered. */
  readonly lookup?: ((cache: "content" | "facts") => ((hit: boolean) => void) | undefined) | null;
}

/** The rules' view of a root: bytes, and metadata for reading with commits that go to the committer. */
export function openRegistry({ storage }: Config, parties: RegistryParties): Registry {
  const { rootDirectory, shared, dedupe } = storage;
  const { committer, clock, report, remembers = false, lookup } = parties;
  // Servers that share a root do not share the moment of acknowledgement: they remember nothing.
  const epochs = remembers && !shared ? new Epochs(join(rootDirectory, epochsFile)) : null;
  const path = join(rootDirectory, metadataFile);
  return {
    blobs: parties.stores.blobs,
    layouts: parties.stores.layouts,
    metadata: new SqliteMetadata(path, committer, epochs, lookup?.("facts")),
    uploads: new Uploads(parties.stores.uploads, clock),
    clock,
    contentCache: new ContentCache(lookup?.("content")),
    sources: [layoutSource],
    dedupe,
    // Settings of a worker say which may; nobody else is pushed to.
    mayBeSparse: () => false,
    report,
  };
}
