/**
 * A root directory as a dry run opens it: a copy of its metadata, which may change, and its files, which stay. The root
 * itself may be one that cannot be written.
 */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import type { Clock } from "../lib/clock.ts";
import type { Leases } from "../lib/lease.ts";
import type { Metadata } from "../metadata/metadata.ts";
import { SqliteMetadata } from "../metadata/sqlite/sqlite_metadata.ts";
import { SqliteWriter } from "../metadata/sqlite/sqlite_writer.ts";
import type { Digest } from "../oci/digest.ts";
import { FileLeases } from "../storage/file_leases.ts";
import { openFilesystem, type FilesystemStores } from "../storage/filesystem/open_filesystem.ts";
import { FilesystemLayouts } from "../storage/filesystem/filesystem_layouts.ts";
import type { KeyedFiles } from "../storage/filesystem/keyed_files.ts";
import { blobKey, metadataFile } from "../storage/layout.ts";
import type { LooseFile } from "../storage/layout_directory.ts";
import { claimRoot, type Claim } from "../storage/root_lock.ts";
import type { MetadataView, Root, Writer, WriterHooks } from "./root.ts";

/** Layouts without the files that the real run would have removed by now. */
class CopiedLayouts extends FilesystemLayouts {
  readonly #removed: ReadonlySet<string>;

  constructor(files: KeyedFiles, removed: ReadonlySet<string>) {
    super(files, null);
    this.#removed = removed;
  }

  override lookAtBlob(repository: string, digest: Digest): LooseFile | null {
    if (this.#removed.has(blobKey(repository, digest))) return null;
    return super.lookAtBlob(repository, digest);
  }
}

export class CopiedRoot implements Root {
  readonly leases: Leases;
  readonly #rootDirectory: string;
  readonly #stores: FilesystemStores;
  /** Keys of what the copy says is removed. */
  readonly #removed = new Set<string>();
  readonly #copy: string;

  constructor({ storage: { rootDirectory } }: Pick<Config, "storage">, clock: Clock) {
    this.#rootDirectory = rootDirectory;
    this.leases = new FileLeases(rootDirectory);
    const stores = openFilesystem({ rootDirectory, durable: false, clock });
    this.#stores = { ...stores, layouts: new CopiedLayouts(stores.files, this.#removed) };
    this.#copy = mkdtempSync(join(tmpdir(), "zot-copy-"));
  }

  make(): readonly string[] {
    return [];
  }

  /** A server may not change what is copied; one cannot run on a root that cannot be written. */
  claim(): Claim {
    try {
      return claimRoot(this.#rootDirectory, "alone");
    } catch (error) {
      const cause: unknown = error instanceof Error ? (error.cause ?? error) : error;
      const code = (cause as { code?: unknown }).code;
      if (code === "EROFS" || code === "EACCES") return { release: () => undefined };
      throw error;
    }
  }

  async prepareBytes(): Promise<FilesystemStores> {
    for (const end of ["", "-wal"]) {
      const from = `${join(this.#rootDirectory, metadataFile)}${end}`;
      if (existsSync(from)) copyFileSync(from, `${this.#path()}${end}`);
    }
    return this.#stores;
  }

  openBytes(): FilesystemStores {
    return this.#stores;
  }

  openWriter(hooks: WriterHooks): Writer {
    const { underLock } = this.#stores;
    const bytes = {
      present: (...given: Parameters<typeof underLock.present>) => underLock.present(...given),
      remove: (...given: Parameters<typeof blobKey>) => void this.#removed.add(blobKey(...given)),
      stamp: (...given: Parameters<typeof underLock.stamp>) => underLock.stamp(...given),
      quarantine: () => null,
    };
    const writer = new SqliteWriter({ path: this.#path(), durable: false, bytes, ...hooks });
    return {
      committer: writer,
      lost: new Promise(() => undefined),
      probe: () => undefined,
      close: async () => {
        await writer.close();
        rmSync(this.#copy, { recursive: true, force: true });
      },
    };
  }

  openMetadata({ committer }: MetadataView): Metadata {
    return new SqliteMetadata(this.#path(), committer);
  }

  #path(): string {
    return join(this.#copy, "metadata.db");
  }
}
