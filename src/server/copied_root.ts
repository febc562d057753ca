/**
 * A root directory as a dry run opens it: a copy of its metadata, which may change, and its files, which stay. The root
 * itself may be one that cannot be written.
 */
import type { Config } from "../config/schema.ts";
import type { Clock } from "../lib/clock.ts";
import type { Leases } from "../lib/lease.ts";
import type { Metadata } from "../metadata/metadata.ts";
import { atOnce } from "../metadata/sql/bytes_under_lock.ts";
import type { Digest } from "../oci/digest.ts";
import { FileLeases } from "../storage/file_leases.ts";
import { openFilesystem, type FilesystemStores } from "../storage/filesystem/open_filesystem.ts";
import { FilesystemLayouts } from "../storage/filesystem/filesystem_layouts.ts";
import type { KeyedFiles } from "../storage/filesystem/keyed_files.ts";
import { blobKey } from "../storage/layout.ts";
import type { LooseFile } from "../storage/layout_directory.ts";
import type { Claim } from "../storage/root_lock.ts";
import type { LocalStores, Stores } from "../storage/stores.ts";
import { claimToCopy, MetadataCopy } from "./metadata_copy_root.ts";
import { openStores, requireSubStores, rootsOf } from "./sub_root.ts";
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
  readonly #storage: Config["storage"];
  readonly #stores: LocalStores;
  /** Keys of what the copy says is removed. */
  readonly #removed = new Set<string>();
  readonly #copy = new MetadataCopy();

  constructor({ storage }: Pick<Config, "storage">, clock: Clock) {
    const { rootDirectory } = storage;
    this.#storage = storage;
    this.leases = new FileLeases(rootDirectory);
    const opened = (stores: FilesystemStores): FilesystemStores => ({
      ...stores,
      layouts: new CopiedLayouts(stores.files, this.#removed),
    });
    const main = opened(openFilesystem({ rootDirectory, durable: false, clock }));
    this.#stores = openStores(main, storage, { clock, opened }).stores;
  }

  make(): readonly string[] {
    return [];
  }

  claim(): Claim {
    const claims: Claim[] = [];
    const release = (): void => {
      for (const claim of claims) claim.release();
    };
    requireSubStores(this.#storage);
    try {
      for (const root of rootsOf(this.#storage)) claims.push(claimToCopy(root));
      return { release };
    } catch (error) {
      release();
      throw error;
    }
  }

  async prepareBytes(): Promise<Stores> {
    this.#copy.fill(this.#storage.rootDirectory);
    return this.#stores;
  }

  openBytes(): Stores {
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
    return this.#copy.openWriter(hooks, atOnce(bytes));
  }

  openMetadata({ committer }: MetadataView): Metadata {
    return this.#copy.openMetadata(committer);
  }
}
