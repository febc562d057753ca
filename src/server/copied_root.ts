/**
 * A root directory as a dry run opens it: a copy of its metadata, which may change, and its files, which stay. The root
 * itself may be one that cannot be written.
 */
import type { Config } from "../config/schema.ts";
import type { Clock } from "../lib/clock.ts";
import type { Leases } from "../lib/lease.ts";
import type { Metadata } from "../metadata/metadata.ts";
import type { Digest } from "../oci/digest.ts";
import { FileLeases } from "../storage/file_leases.ts";
import { openFilesystem, type FilesystemStores } from "../storage/filesystem/open_filesystem.ts";
import { FilesystemLayouts } from "../storage/filesystem/filesystem_layouts.ts";
import type { KeyedFiles } from "../storage/filesystem/keyed_files.ts";
import { blobKey } from "../storage/layout.ts";
import type { LooseFile } from "../storage/layout_directory.ts";
import type { Claim } from "../storage/root_lock.ts";
import { claimToCopy, MetadataCopy } from "./metadata_copy_root.ts";
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
  readonly #copy = new MetadataCopy();

  constructor({ storage: { rootDirectory } }: Pick<Config, "storage">, clock: Clock) {
    this.#rootDirectory = rootDirectory;
    this.leases = new FileLeases(rootDirectory);
    const stores = openFilesystem({ rootDirectory, durable: false, clock });
    this.#stores = { ...stores, layouts: new CopiedLayouts(stores.files, this.#removed) };
  }

  make(): readonly string[] {
    return [];
  }

  claim(): Claim {
    return claimToCopy(this.#rootDirectory);
  }

  async prepareBytes(): Promise<FilesystemStores> {
    this.#copy.fill(this.#rootDirectory);
    return this.#stores;
  }

  openBytes(): FilesystemStores {
    return this.#stores;
  }

  async openWriter(hooks: WriterHooks): Promise<Writer> {
    const { underLock } = this.#stores;
    const bytes = {
      present: (...given: Parameters<typeof underLock.present>) => underLock.present(...given),
      remove: (...given: Parameters<typeof blobKey>) => void this.#removed.add(blobKey(...given)),
      stamp: (...given: Parameters<typeof underLock.stamp>) => underLock.stamp(...given),
      quarantine: () => null,
    };
    return this.#copy.openWriter(hooks, bytes);
  }

  openMetadata({ committer }: MetadataView): Metadata {
    return this.#copy.openMetadata(committer);
  }
}
