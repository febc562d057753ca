/**
 * The driver for a local file system: keys are paths under the root directory.
 *
 * Promises what `../driver.ts` promises, by write-to-temporary, flush, rename or link, flush of the
 * directory; the root and everything under it lie on one file system. Files carry mode 0600 and
 * directories 0700. `Bun.file` serves content, so that the kernel sends it without copies.
 * Leaves to others: what keys mean (`../layout.ts`).
 */
import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { open, readdir, stat, unlink, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import {
  type Bytes,
  type ContentRange,
  type ContentStat,
  type Driver,
  type Lying,
  type Stage,
  type StageInfo,
} from "../driver.ts";
import { quarantineDirectory, temporaryDirectory, uploadsDirectory } from "../layout.ts";
import {
  absentOr,
  DurableFiles,
  fileMode,
  isLinkRefused,
  plainFile,
  makeDirectories,
  storageError,
} from "./durable_files.ts";
import { writeAll } from "./file_bytes.ts";
import { tryLock } from "./file_lock.ts";
import { FilesystemStage, type StageTools } from "./filesystem_stage.ts";
import { HashThread } from "./hash_thread.ts";
import { requireRoom } from "./reserve.ts";

/** How a stage is opened: an upload that ended must not come back to life. */
const openWithoutCreating = constants.O_RDWR;

/** More files than these are flushed with all of the file system. */
const flushedEachMax = 16;

export interface FilesystemOptions {
  /** Absolute path of the root directory. */
  readonly rootDirectory: string;
  /** Flush before a name is given (`storage.commit`). */
  readonly durable: boolean;
  readonly clock: Clock;
}

export class FilesystemDriver implements Driver {
  readonly #root: string;
  readonly #durable: boolean;
  readonly #clock: Clock;
  readonly #files: DurableFiles;
  readonly #hashes = new HashThread();

  constructor(options: FilesystemOptions) {
    this.#root = options.rootDirectory;
    this.#durable = options.durable;
    this.#clock = options.clock;
    this.#files = new DurableFiles({
      durable: options.durable,
      rootDirectory: options.rootDirectory,
      temporaryDirectory: this.#path(temporaryDirectory),
    });
  }

  /** Makes the directories that the driver itself needs. */
  async prepare(): Promise<void> {
    makeDirectories(this.#root);
    for (const key of [uploadsDirectory, temporaryDirectory, quarantineDirectory]) {
      await this.#files.ensureDirectory(this.#path(key));
    }
  }

  async stat(key: string): Promise<ContentStat | null> {
    const info = await stat(this.#path(key), { bigint: true }).catch(absentOr);
    if (info === null) return null;
    const { size, mtimeMs } = info;
    return { sizeBytes: Number(size), stamp: stampOf(info), changedAt: Number(mtimeMs) };
  }

  sizeNow(key: string): number | null {
    return statSync(this.#path(key), { throwIfNoEntry: false })?.size ?? null;
  }

  content(key: string, range: ContentRange | null): Blob {
    const path = this.#path(key);
    // The runtime opens the file when the answer is made of it; what would fail then fails here, where it can be told.
    closeSync(openSync(path, "r"));
    const file = Bun.file(path);
    return range === null ? file : file.slice(range.first, range.last + 1);
  }

  async read(key: string, bytesMax: number): Promise<Uint8Array | null> {
    const handle = await open(this.#path(key), "r").catch(absentOr);
    if (handle === null) return null;
    try {
      const { size } = await handle.stat();
      if (size > bytesMax)
        throw new Error(`storage: ${key} has ${size} bytes, expected ${bytesMax} at most`);
      return new Uint8Array(await handle.readFile());
    } catch (error) {
      throw storageError(error, this.#path(key));
    } finally {
      await handle.close();
    }
  }

  readNow(key: string): Uint8Array | null {
    try {
      return readFileSync(this.#path(key));
    } catch (error) {
      return absentOr(error, this.#path(key));
    }
  }

  async replace(
    key: string,
    bytes: Bytes,
    planned?: (stamp: string) => Promise<void>,
  ): Promise<string> {
    const path = this.#path(key);
    const temporary = this.#files.temporaryPath();
    try {
      await this.#files.ensureDirectory(dirname(path));
      const stamp = await this.#writeTemporary(temporary, bytes);
      await planned?.(stamp);
      await this.#files.renameOver(temporary, path);
      return stamp;
    } catch (error) {
      await unlink(temporary).catch(() => null);
      throw storageError(error);
    }
  }

  async link(from: string, to: string): Promise<boolean> {
    const source = this.#path(from);
    try {
      if (!(await this.#flushBytes(source, plainFile))) return false;
      return await this.#files.linkOver(source, this.#path(to));
    } catch (error) {
      if (isLinkRefused(error)) return false;
      throw storageError(error);
    }
  }

  async copy(from: string, to: string): Promise<boolean> {
    const handle = await open(this.#path(from), "r").catch(absentOr);
    if (handle === null) return false;
    try {
      await this.#files.copyOver(handle, this.#path(to));
      return true;
    } catch (error) {
      throw storageError(error);
    } finally {
      await handle.close();
    }
  }

  async flush(key: string): Promise<boolean> {
    const path = this.#path(key);
    if (!(await this.#flushBytes(path))) return false;
    await this.#files.ensureDirectory(dirname(path));
    await this.#files.flushDirectory(dirname(path));
    return true;
  }

  /** False when there is no such file. */
  async #flushBytes(path: string, flags: number = constants.O_RDONLY): Promise<boolean> {
    const handle = await open(path, flags).catch(absentOr);
    if (handle === null) return false;
    try {
      await this.#files.flushFile(handle);
      return true;
    } catch (error) {
      throw storageError(error, path);
    } finally {
      await handle.close();
    }
  }

  async flushAll(keys: readonly string[]): Promise<void> {
    if (!this.#durable) return;
    if (keys.length > flushedEachMax && (await this.#hashes.flushFileSystem(this.#root))) return;
    for (const key of keys) await this.flush(key);
  }

  lookNow(key: string): (ContentStat & { readonly lying: Lying }) | null {
    const path = this.#path(key);
    const info = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (info === undefined) return null;
    const lying = info.isFile() ? "file" : info.isSymbolicLink() ? "link" : "other";
    const changedAt = Number(info.mtimeMs);
    return { sizeBytes: Number(info.size), stamp: stampOf(info), changedAt, lying };
  }

  async create(key: string, bytes: Uint8Array): Promise<boolean> {
    const path = this.#path(key);
    const temporary = this.#files.temporaryPath();
    try {
      await this.#files.ensureDirectory(dirname(path));
      await this.#writeTemporary(temporary, bytes);
      return await this.#files.moveNew(temporary, path);
    } catch (error) {
      throw storageError(error);
    } finally {
      await unlink(temporary).catch(() => null);
    }
  }

  async move(from: string, to: string): Promise<boolean> {
    const [source, target] = [this.#path(from), this.#path(to)];
    if (lstatSync(source, { throwIfNoEntry: false }) === undefined) return false;
    await this.#files.renameOver(source, target);
    await this.#files.flushDirectory(dirname(source));
    return true;
  }

  async remove(key: string): Promise<boolean> {
    const path = this.#path(key);
    try {
      await unlink(path);
    } catch (error) {
      return absentOr(error) !== null;
    }
    await this.#files.flushDirectory(dirname(path));
    return true;
  }

  removeNow(key: string): void {
    try {
      unlinkSync(this.#path(key));
    } catch (error) {
      absentOr(error);
    }
  }

  async names(key: string): Promise<string[]> {
    return (await readdir(this.#path(key)).catch(absentOr)) ?? [];
  }

  async list(key: string): Promise<{ name: string; directory: boolean }[]> {
    const entries = await readdir(this.#path(key), { withFileTypes: true }).catch(absentOr);
    if (entries === null) return [];
    return entries.map((entry) => ({ name: entry.name, directory: entry.isDirectory() }));
  }

  requireRoom(): void {
    requireRoom(this.#root);
  }

  async createStage(id: string): Promise<void> {
    this.requireRoom();
    const handle = await this.#createFile(this.#stagePath(id));
    await handle.close();
  }

  async openStage(id: string): Promise<Stage | "busy" | null> {
    const path = this.#stagePath(id);
    const handle = await open(path, openWithoutCreating).catch(absentOr);
    if (handle === null) return null;
    let stage: Stage | "busy" | null = null;
    try {
      stage = await this.#holdStage(id, path, handle);
      return stage;
    } finally {
      if (stage === null || stage === "busy") await handle.close();
    }
  }

  async statStage(id: string): Promise<StageInfo | null> {
    const info = await stat(this.#stagePath(id)).catch(absentOr);
    return info === null ? null : { id, sizeBytes: info.size, changedAt: info.mtimeMs };
  }

  async *stages(): AsyncIterable<StageInfo> {
    for (const { name, directory } of await this.list(uploadsDirectory)) {
      if (directory) continue;
      const info = await this.statStage(name);
      if (info !== null) yield info;
    }
  }

  async sweepTemporary(ageMs: number): Promise<number> {
    let removed = 0;
    for (const { name } of await this.list(temporaryDirectory)) {
      const path = this.#path(`${temporaryDirectory}/${name}`);
      const info = await stat(path).catch(absentOr);
      if (info === null || this.#clock.now() - info.mtimeMs < ageMs) continue;
      await unlink(path).catch(absentOr);
      removed += 1;
    }
    return removed;
  }

  async probe(): Promise<void> {
    const path = this.#files.temporaryPath();
    await this.#writeTemporary(path, new Uint8Array([1]));
    await unlink(path);
  }

  async close(): Promise<void> {
    this.#hashes.close();
  }

  #path(key: string): string {
    return join(this.#root, key);
  }

  #stagePath(id: string): string {
    return this.#path(`${uploadsDirectory}/${id}`);
  }

  async #createFile(path: string): Promise<FileHandle> {
    try {
      return await open(path, "wx", fileMode);
    } catch (error) {
      throw storageError(error);
    }
  }

  /** Locks an opened stage; null when it was finished or cancelled before the lock was ours. */
  async #holdStage(id: string, path: string, handle: FileHandle): Promise<Stage | "busy" | null> {
    if (!tryLock(handle.fd, "exclusive")) return "busy";
    const info = await handle.stat();
    if (info.nlink === 0) return null;
    const tools: StageTools = {
      files: this.#files,
      hashes: this.#hashes,
      clock: this.#clock,
      requireRoom: () => this.requireRoom(),
      pathOf: (key) => this.#path(key),
    };
    const { size: sizeBytes, nlink } = info;
    return new FilesystemStage(id, path, handle, { sizeBytes, published: nlink > 1 }, tools);
  }

  async #writeTemporary(path: string, bytes: Bytes): Promise<string> {
    const handle = await this.#createFile(path);
    try {
      let written = 0;
      for await (const part of bytes instanceof Uint8Array ? [bytes] : bytes) {
        await writeAll(handle, part, written);
        written += part.length;
      }
      await this.#files.flushFile(handle);
      return stampOf(await handle.stat({ bigint: true }));
    } catch (error) {
      throw storageError(error, path);
    } finally {
      await handle.close();
    }
  }
}

/**
 * Identifies a version of a file: it keeps its stamp when renamed, and gets another when rewritten. The inode is
 * part of it, because file systems keep time in ticks of up to some milliseconds.
 */
function stampOf(info: {
  readonly mtimeNs: bigint;
  readonly size: bigint;
  readonly ino: bigint;
}): string {
  return `${info.mtimeNs}-${info.size}-${info.ino}`;
}
