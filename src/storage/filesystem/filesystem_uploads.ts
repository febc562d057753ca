/** Uploads as files of `_zot/uploads`, each locked by its holder; `filesystem_upload.ts` is one that is held. */
import { assert } from "../../lib/assert.ts";
import { MemoryBudget } from "../../lib/memory_budget.ts";
import { constants, statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { blobKey, finishedDirectory, uploadsDirectory } from "../layout.ts";
import type { FollowedUpload, UploadInfo, UploadStore } from "../upload_store.ts";
import { absentOr } from "./durable_files.ts";
import { tryLock } from "./file_lock.ts";
import type { FilesystemLayouts } from "./filesystem_layouts.ts";
import { FilesystemUpload, type UploadTools, smallBodiesBytesMax } from "./filesystem_upload.ts";
import type { HashThread } from "./hash_thread.ts";
import { openIfThere, type KeyedFiles } from "./keyed_files.ts";
import type { OpenFile } from "./open_file.ts";

/** An upload that ended must not come back to life. */
const openWithoutCreating = constants.O_RDWR;

export class FilesystemUploads implements UploadStore {
  readonly #files: KeyedFiles;
  readonly #tools: UploadTools;

  /** `layouts` are where uploads become content; null where that lies elsewhere. */
  constructor(files: KeyedFiles, layouts: FilesystemLayouts | null, hashes: HashThread) {
    this.#files = files;
    this.#tools = {
      seals: layouts === null,
      files: files.durable,
      hashes,
      smallBodies: new MemoryBudget(smallBodiesBytesMax),
      requireRoom: () => files.requireRoom(),
      place: async (repository, digest) => {
        assert(layouts !== null, "storage: content lies elsewhere");
        await layouts.ensureRepository(repository);
        return files.path(blobKey(repository, digest));
      },
    };
  }

  async create(id: string): Promise<void> {
    this.#files.requireRoom();
    const file = await this.#files.createFile(this.#path(id));
    file.closeNow();
  }

  async hold(id: string): Promise<FilesystemUpload | "busy" | null> {
    const file = openIfThere(this.#path(id), openWithoutCreating);
    if (file === null) return null;
    let upload: FilesystemUpload | "busy" | null = null;
    try {
      upload = this.#lock(id, file);
      return upload;
    } finally {
      // The last one to close a cancelled upload frees its blocks.
      if (upload === null || upload === "busy") await file.close();
    }
  }

  async follow(id: string): Promise<FollowedUpload | null> {
    const file = openIfThere(this.#path(id));
    if (file === null) return null;
    return {
      sizeBytes: () => file.stat().size,
      read: async (position, bytesMax) => {
        const buffer = new Uint8Array(bytesMax);
        return buffer.subarray(0, await file.read(buffer, bytesMax, position));
      },
      isThere: () => inodeOf(this.#path(id)) === file.stat().ino,
      // The last one to close an upload that is gone frees its blocks.
      close: () => file.close(),
    };
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

  #sealedPath(id: string): string {
    return this.#files.path(`${finishedDirectory}/${id}`);
  }

  /** Null when it was finished or cancelled before the lock was ours. */
  #lock(id: string, file: OpenFile): FilesystemUpload | "busy" | null {
    if (!tryLock(file.descriptor, "exclusive")) return "busy";
    const { size: sizeBytes, nlink } = file.stat();
    if (nlink === 0) return null;
    const found = { sizeBytes, finished: nlink > 1 };
    const paths = { path: this.#path(id), sealedPath: this.#sealedPath(id) };
    return new FilesystemUpload(id, paths, file, found, this.#tools);
  }
}

/** Of the file that has this name; null when there is none. */
function inodeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? null;
}
