/**
 * Files under the root directory, by key: a key is a path below it, made by `../layout.ts`.
 *
 * A file is complete and durable before it has its name: write to a temporary file, flush, rename or link, then flush
 * the directory; the root and everything under it lie on one file system. Files have mode 0600 and directories 0700.
 * `Bun.file` serves content, so that the kernel sends it without copies.
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
import { readdir, rmdir, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { KiB } from "../../lib/bytes.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ComparedBytes, ContentRange } from "../blob_store.ts";
import {
  damagedDirectory,
  quarantineDirectory,
  temporaryDirectory,
  uploadsDirectory,
} from "../layout.ts";
import type { LooseFile } from "../layout_directory.ts";
import {
  absentOr,
  codeOf,
  DurableFiles,
  fileMode,
  isLinkRefused,
  plainFile,
  makeDirectories,
  storageError,
} from "./durable_files.ts";
import { directoryNames } from "./directory_names.ts";
import { hasBytesAt, readWhole, writeAll } from "./file_bytes.ts";
import type { HashThread } from "./hash_thread.ts";
import { OpenFile } from "./open_file.ts";
import { requireRoom } from "./reserve.ts";

/** More files than these are flushed with all of the file system. */
const flushedEachMax = 16;

/** Files up to this size are read at once: a promise costs more. */
const readAtOnceBytesMax = 4 * 1024 * KiB;

/** Bytes at hand, or as they come. */
export type Bytes = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** A version of a file. */
export interface FileStat {
  readonly sizeBytes: number;
  /** Changes whenever the file under the key is replaced. */
  readonly stamp: string;
  /** Milliseconds since the epoch of the last change. */
  readonly changedAt: number;
}

export interface FilesystemOptions {
  /** Absolute path of the root directory. */
  readonly rootDirectory: string;
  /** Flush before a name is given (`storage.commit`). */
  readonly durable: boolean;
  readonly clock: Clock;
}

export class KeyedFiles {
  /** What names are given by. */
  readonly durable: DurableFiles;
  readonly #root: string;
  readonly #durable: boolean;
  readonly #clock: Clock;
  readonly #hashes: HashThread;

  constructor(options: FilesystemOptions, hashes: HashThread) {
    this.#root = options.rootDirectory;
    this.#durable = options.durable;
    this.#clock = options.clock;
    this.#hashes = hashes;
    this.durable = new DurableFiles({
      durable: options.durable,
      rootDirectory: options.rootDirectory,
      temporaryDirectory: this.path(temporaryDirectory),
    });
  }

  /** Makes the directories of our own. */
  async prepare(): Promise<void> {
    makeDirectories(this.#root);
    for (const key of [
      uploadsDirectory,
      temporaryDirectory,
      quarantineDirectory,
      damagedDirectory,
    ]) {
      await this.durable.ensureDirectory(this.path(key));
    }
  }

  async stat(key: string): Promise<FileStat | null> {
    const info = await stat(this.path(key), { bigint: true }).catch(absentOr);
    if (info === null) return null;
    const { size, mtimeMs } = info;
    return { sizeBytes: Number(size), stamp: stampOf(info), changedAt: Number(mtimeMs) };
  }

  /** The size alone, at once. */
  sizeNow(key: string): number | null {
    return statSync(this.path(key), { throwIfNoEntry: false })?.size ?? null;
  }

  /** Content for an answer body, opened again when it is sent. @throws what opening it throws now. */
  content(key: string, range: ContentRange | null): Blob {
    const path = this.path(key);
    // The runtime opens the file when the answer is made of it; what would fail then fails here, where it can be told.
    closeSync(openSync(path, "r"));
    const file = Bun.file(path);
    return range === null ? file : file.slice(range.first, range.last + 1);
  }

  /** All bytes under the key, at most `bytesMax` (more is an error). */
  async read(key: string, bytesMax: number): Promise<Uint8Array | null> {
    const sizeBytes = this.sizeNow(key);
    if (sizeBytes === null) return null;
    if (sizeBytes > bytesMax) throw tooMany(key, sizeBytes, bytesMax);
    return sizeBytes <= readAtOnceBytesMax ? this.readNow(key) : this.#readSlowly(key, bytesMax);
  }

  async #readSlowly(key: string, bytesMax: number): Promise<Uint8Array | null> {
    const file = openIfThere(this.path(key));
    if (file === null) return null;
    try {
      const { size } = file.stat();
      if (size > bytesMax) throw tooMany(key, size, bytesMax);
      return await readWhole(file, size);
    } catch (error) {
      throw storageError(error, this.path(key));
    } finally {
      file.closeNow();
    }
  }

  /** Whether the file under the key has exactly these bytes. A symbolic link is no file of ours. */
  async compare(key: string, bytes: ComparedBytes): Promise<"equal" | "different" | "absent"> {
    const file = openIfThere(this.path(key), plainFile);
    if (file === null) return "absent";
    try {
      const info = file.stat();
      if (!info.isFile() || info.size !== bytes.sizeBytes) return "different";
      let position = 0;
      for await (const part of bytes.parts()) {
        if (!(await hasBytesAt(file, part, position))) return "different";
        position += part.length;
      }
      return position === bytes.sizeBytes ? "equal" : "different";
    } finally {
      file.closeNow();
    }
  }

  /** As `read`, but synchronous, and the whole file. */
  readNow(key: string): Uint8Array | null {
    try {
      return readFileSync(this.path(key));
    } catch (error) {
      return absentOr(error, this.path(key));
    }
  }

  /**
   * Puts bytes under a key in one step, whatever was there before. `planned` is awaited with the stamp that the new
   * content will have, before it can be seen.
   */
  async replace(
    key: string,
    bytes: Bytes,
    planned?: (stamp: string) => Promise<void>,
  ): Promise<string> {
    const path = this.path(key);
    const temporary = this.durable.temporaryPath();
    try {
      await this.durable.ensureDirectory(dirname(path));
      const stamp = await this.#writeTemporary(temporary, bytes);
      await planned?.(stamp);
      await this.durable.renameOver(temporary, path);
      return stamp;
    } catch (error) {
      await unlink(temporary).catch(() => null);
      throw storageError(error);
    }
  }

  /**
   * Makes `to` the same file as `from`, in place of a file that stood there; false when `from` is absent or the file
   * system refuses to share it. The content is flushed first, even if another process wrote it.
   */
  async link(from: string, to: string): Promise<boolean> {
    const source = this.path(from);
    try {
      if (!(await this.#flushBytes(source, plainFile))) return false;
      return await this.durable.linkOver(source, this.path(to));
    } catch (error) {
      if (isLinkRefused(error)) return false;
      throw storageError(error);
    }
  }

  /** As `link`, with bytes of its own; false when `from` is absent. */
  async copy(from: string, to: string, digest: Digest): Promise<boolean> {
    const file = openIfThere(this.path(from));
    if (file === null) return false;
    try {
      return await this.durable.copyOver(file, this.path(to), digest);
    } catch (error) {
      throw storageError(error);
    } finally {
      file.closeNow();
    }
  }

  /** Makes content that another tool put under a key as durable as our own; false when it is absent. */
  async flush(key: string): Promise<boolean> {
    const path = this.path(key);
    if (!(await this.#flushBytes(path))) return false;
    await this.durable.ensureDirectory(dirname(path));
    await this.durable.flushDirectory(dirname(path));
    return true;
  }

  /** False when there is no such file. */
  async #flushBytes(path: string, flags: number = constants.O_RDONLY): Promise<boolean> {
    const file = openIfThere(path, flags);
    if (file === null) return false;
    try {
      await this.durable.flushFile(file);
      return true;
    } catch (error) {
      throw storageError(error, path);
    } finally {
      file.closeNow();
    }
  }

  /** As `flush`, for many keys at once. What is absent is passed over. */
  async flushAll(keys: readonly string[]): Promise<void> {
    if (!this.#durable) return;
    if (keys.length > flushedEachMax && (await this.#hashes.flushFileSystem(this.#root))) return;
    for (const key of keys) await this.flush(key);
  }

  /** As `stat`, at once and links not followed, with the kind of file: for content that another tool put there. */
  lookNow(key: string): LooseFile | null {
    const path = this.path(key);
    const info = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (info === undefined) return null;
    const lying = info.isFile() ? "file" : info.isSymbolicLink() ? "link" : "other";
    const changedAt = Number(info.mtimeMs);
    return { sizeBytes: Number(info.size), stamp: stampOf(info), changedAt, lying };
  }

  /** As `replace`, where nothing is; false when something is there. */
  async create(key: string, bytes: Uint8Array): Promise<boolean> {
    const path = this.path(key);
    const temporary = this.durable.temporaryPath();
    try {
      await this.durable.ensureDirectory(dirname(path));
      await this.#writeTemporary(temporary, bytes);
      return await this.durable.moveNew(temporary, path);
    } catch (error) {
      throw storageError(error);
    } finally {
      await unlink(temporary).catch(() => null);
    }
  }

  /** Moves the file under a key, readable or not; false when it is absent. */
  async move(from: string, to: string): Promise<boolean> {
    const [source, target] = [this.path(from), this.path(to)];
    if (lstatSync(source, { throwIfNoEntry: false }) === undefined) return false;
    await this.durable.renameOver(source, target);
    await this.durable.flushDirectory(dirname(source));
    return true;
  }

  async remove(key: string): Promise<boolean> {
    const path = this.path(key);
    try {
      await unlink(path);
    } catch (error) {
      return absentOr(error) !== null;
    }
    await this.durable.flushDirectory(dirname(path));
    return true;
  }

  /** Removes a directory that is empty or absent, unflushed; false when something is in it. */
  async removeDirectory(key: string): Promise<boolean> {
    try {
      await rmdir(this.path(key));
      return true;
    } catch (error) {
      const code = codeOf(error);
      if (code === "ENOTEMPTY" || code === "EEXIST") return false;
      return absentOr(error) === null;
    }
  }

  /** As `remove`, at once and unflushed. */
  removeNow(key: string): void {
    try {
      unlinkSync(this.path(key));
    } catch (error) {
      absentOr(error);
    }
  }

  /** Names of all that lies directly under a key, page by page. @throws when it is absent. */
  names(key: string): AsyncGenerator<string[]> {
    return directoryNames(this.path(key));
  }

  /** The entries of a directory, none where it is absent. */
  async list(key: string): Promise<{ name: string; directory: boolean }[]> {
    const entries = await readdir(this.path(key), { withFileTypes: true }).catch(absentOr);
    if (entries === null) return [];
    return entries.map((entry) => ({ name: entry.name, directory: entry.isDirectory() }));
  }

  /** Call it before new content is written. @throws StorageFull while what is left is kept for deletes. */
  requireRoom(): void {
    requireRoom(this.#root);
  }

  /** Removes leftovers of interrupted writes that are older than `ageMs`. */
  async sweepTemporary(ageMs: number): Promise<number> {
    let removed = 0;
    for (const { name } of await this.list(temporaryDirectory)) {
      const path = this.path(`${temporaryDirectory}/${name}`);
      const info = await stat(path).catch(absentOr);
      if (info === null || this.#clock.now() - info.mtimeMs < ageMs) continue;
      await unlink(path).catch(absentOr);
      removed += 1;
    }
    return removed;
  }

  /** Writes a small file as any other is written, and removes it. @throws what fails. */
  async probe(): Promise<void> {
    const path = this.durable.temporaryPath();
    await this.#writeTemporary(path, new Uint8Array([1]));
    await unlink(path);
  }

  path(key: string): string {
    return join(this.#root, key);
  }

  async createFile(path: string): Promise<OpenFile> {
    try {
      return await OpenFile.create(path, fileMode);
    } catch (error) {
      throw storageError(error);
    }
  }

  async #writeTemporary(path: string, bytes: Bytes): Promise<string> {
    const file = await this.createFile(path);
    try {
      let written = 0;
      for await (const part of bytes instanceof Uint8Array ? [bytes] : bytes) {
        await writeAll(file, part, written);
        written += part.length;
      }
      await this.durable.flushFile(file);
      return stampOf(file.exactStat());
    } catch (error) {
      throw storageError(error, path);
    } finally {
      await this.durable.closeWritten(file);
    }
  }
}

/** Null for an absent file. @throws as `absentOr`. */
export function openIfThere(path: string, flags: number = constants.O_RDONLY): OpenFile | null {
  try {
    return OpenFile.open(path, flags);
  } catch (error) {
    return absentOr(error, path);
  }
}

function tooMany(key: string, sizeBytes: number, bytesMax: number): Error {
  return new Error(`storage: ${key} has ${sizeBytes} bytes, expected ${bytesMax} at most`);
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
