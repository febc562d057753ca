/**
 * A root directory as a dry run opens it: a copy of its metadata, which may change, and its files and objects, which stay.
 * The root itself may be one that cannot be written.
 */
import type { Config } from "../config/schema.ts";
import type { Clock } from "../lib/clock.ts";
import type { Leases } from "../lib/lease.ts";
import type { Committer, Metadata } from "../metadata/metadata.ts";
import { atOnce } from "../metadata/sql/bytes_under_lock.ts";
import type { Digest } from "../oci/digest.ts";
import { FileLeases } from "../storage/file_leases.ts";
import { openFilesystem, type FilesystemStores } from "../storage/filesystem/open_filesystem.ts";
import { FilesystemLayouts } from "../storage/filesystem/filesystem_layouts.ts";
import type { KeyedFiles } from "../storage/filesystem/keyed_files.ts";
import { blobKey } from "../storage/layout.ts";
import type { LooseFile } from "../storage/layout_directory.ts";
import type { Claim } from "../storage/root_lock.ts";
import type { Stores } from "../storage/stores.ts";
import { claimToCopy, MetadataCopy } from "./metadata_copy_root.ts";
import { copiedObjects } from "./copied_object_root.ts";
import { onDemand } from "./on_demand.ts";
import { SubObjectRoot } from "./sub_object_root.ts";
import { openStores, requireSubStores, rootsOf } from "./sub_root.ts";
import type { OpenedPlace } from "./sub_stores.ts";
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
  readonly #place: OpenedPlace;
  readonly #copy = new MetadataCopy();

  constructor({ storage }: Pick<Config, "storage">, clock: Clock) {
    const { rootDirectory, storageDriver } = storage;
    this.#storage = storage;
    this.leases = new FileLeases(rootDirectory);
    const metadata = onDemand(() => this.#copy.openMetadata(noCommitter));
    const removed = new Set<string>();
    const files = (stores: FilesystemStores): OpenedPlace => copiedFiles(stores, removed);
    const main =
      storageDriver === null
        ? files(openFilesystem({ rootDirectory, durable: false, clock }))
        : copiedObjects(rootDirectory, storageDriver, { clock, metadata: metadata.get });
    const objects = new SubObjectRoot(storage, { clock, tell: () => undefined });
    const parts = { clock, files, objects, metadata: metadata.get };
    const place = openStores(main, storage, parts);
    this.#place = { ...place, stores: metadata.closedWith(place.stores) };
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
    return this.#place.stores;
  }

  openBytes(): Stores {
    return this.#place.stores;
  }

  async openWriter(hooks: WriterHooks): Promise<Writer> {
    return this.#copy.openWriter(hooks, this.#place.bytes);
  }

  openMetadata({ committer }: MetadataView): Metadata {
    return this.#copy.openMetadata(committer);
  }
}

/** Files that stay: what the copy removes is remembered, by its key. */
function copiedFiles(stores: FilesystemStores, removed: Set<string>): OpenedPlace {
  const { underLock } = stores;
  const bytes = atOnce({
    present: (...given) => underLock.present(...given),
    remove: (...given) => void removed.add(blobKey(...given)),
    stamp: (...given) => underLock.stamp(...given),
    quarantine: () => null,
  });
  const layouts = new CopiedLayouts(stores.files, removed);
  return { stores: { ...stores, layouts }, bytes, prepare: async () => undefined };
}

/** A dry run writes no bytes. */
const noCommitter: Committer = {
  commit: () => Promise.reject(new Error("a dry run writes no bytes")),
};
