/** Uploads as files of `_zot/uploads`, each locked by its holder; `filesystem_upload.ts` is one that is held. */
import { MemoryBudget } from "../../lib/memory_budget.ts";
import { constants } from "node:fs";
import { open, stat, type FileHandle } from "node:fs/promises";
import { blobKey, uploadsDirectory } from "../layout.ts";
import type { HeldUpload, UploadInfo, UploadStore } from "../upload_store.ts";
import { absentOr } from "./durable_files.ts";
import { tryLock } from "./file_lock.ts";
import type { FilesystemLayouts } from "./filesystem_layouts.ts";
import { FilesystemUpload, type UploadTools, smallBodiesBytesMax } from "./filesystem_upload.ts";
import type { HashThread } from "./hash_thread.ts";
import type { KeyedFiles } from "./keyed_files.ts";

/** An upload that ended must not come back to life. */
const openWithoutCreating = constants.O_RDWR;

export class FilesystemUploads implements UploadStore {
  readonly #files: KeyedFiles;
  readonly #tools: UploadTools;

  constructor(files: KeyedFiles, layouts: FilesystemLayouts, hashes: HashThread) {
    this.#files = files;
    this.#tools = {
      files: files.durable,
      hashes,
      smallBodies: new MemoryBudget(smallBodiesBytesMax),
      requireRoom: () => files.requireRoom(),
      place: async (repository, digest) => {
        await layouts.ensureRepository(repository);
        return files.path(blobKey(repository, digest));
      },
    };
  }

  async create(id: string): Promise<void> {
    this.#files.requireRoom();
    const handle = await this.#files.createFile(this.#path(id));
    await handle.close();
  }

  async hold(id: string): Promise<HeldUpload | "busy" | null> {
    const handle = await open(this.#path(id), openWithoutCreating).catch(absentOr);
    if (handle === null) return null;
    let upload: HeldUpload | "busy" | null = null;
    try {
      upload = await this.#lock(id, handle);
      return upload;
    } finally {
      if (upload === null || upload === "busy") await handle.close();
    }
  }

  async stat(id: string): Promise<UploadInfo | null> {
    const info = await stat(this.#path(id)).catch(absentOr);
    return info === null ? null : { sizeBytes: info.size, changedAt: info.mtimeMs };
  }

  async ids(): Promise<string[]> {
    const entries = await this.#files.list(uploadsDirectory);
    return entries.flatMap(({ name, directory }) => (directory ? [] : [name]));
  }

  #path(id: string): string {
    return this.#files.path(`${uploadsDirectory}/${id}`);
  }

  /** Null when it was finished or cancelled before the lock was ours. */
  async #lock(id: string, handle: FileHandle): Promise<HeldUpload | "busy" | null> {
    if (!tryLock(handle.fd, "exclusive")) return "busy";
    const { size: sizeBytes, nlink } = await handle.stat();
    if (nlink === 0) return null;
    const found = { sizeBytes, finished: nlink > 1 };
    return new FilesystemUpload(id, this.#path(id), handle, found, this.#tools);
  }
}
