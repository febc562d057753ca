/**
 * The file operations that durability rests on: whole writes, flushes of files and directories, making
 * directories that survive power loss.
 *
 * Promises: with `durable`, a name made through here is on disk when the promise resolves; one flush
 * of a directory serves everybody whose entry was made before it began. A full disk is `StorageFull`,
 * and only ENOENT means absent (`absentOr`).
 * Leaves to others: which names mean what (`filesystem.ts`, `filesystem_stage.ts`).
 */
import { mkdir, open, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { Lru } from "../../lib/lru.ts";
import { StorageFull } from "../driver.ts";

export const directoryMode = 0o700;
export const fileMode = 0o600;

/** Directories known to exist, so that a push does not ask again. */
const knownDirectoriesMax = 20_000;

const fullCodes: readonly string[] = ["ENOSPC", "EDQUOT"];

export function codeOf(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : null;
}

/** Null for an absent file; throws everything else, a full disk as `StorageFull`. */
export function absentOr(error: unknown): null {
  if (codeOf(error) === "ENOENT") return null;
  throw storageError(error);
}

export function storageError(error: unknown): unknown {
  const code = codeOf(error);
  if (code === null || !fullCodes.includes(code)) return error;
  return new StorageFull("No space left in the root directory", { cause: error });
}

/** Writes all bytes at a position; a short write is continued, never believed. */
export async function writeAll(
  handle: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const left = bytes.length - written;
    const { bytesWritten } = await handle.write(bytes, written, left, position + written);
    if (bytesWritten <= 0) throw new StorageFull("The file system took no more bytes");
    written += bytesWritten;
  }
}

interface DirectoryFlush {
  running: Promise<void>;
  next: Promise<void> | null;
}

export class DurableFiles {
  readonly #durable: boolean;
  readonly #known = new Lru<string, true>({ entriesMax: knownDirectoriesMax });
  readonly #flushes = new Map<string, DirectoryFlush>();

  constructor(durable: boolean) {
    this.#durable = durable;
  }

  async flushFile(handle: FileHandle): Promise<void> {
    if (this.#durable) await handle.sync();
  }

  /**
   * Flushes a directory's entries. A caller that comes while a flush runs shares the next one, since the
   * running one may have begun before its entry was made.
   */
  flushDirectory(path: string): Promise<void> {
    if (!this.#durable) return Promise.resolve();
    const current = this.#flushes.get(path);
    if (current === undefined) return this.#startFlush(path);
    current.next ??= current.running.then(
      () => this.#startFlush(path),
      () => this.#startFlush(path),
    );
    return current.next;
  }

  /** Makes a directory and its parents, flushing each that gained an entry. */
  async ensureDirectory(path: string): Promise<void> {
    if (this.#known.get(path) === true) return;
    const first = await mkdir(path, { recursive: true, mode: directoryMode });
    if (first !== undefined) await this.#flushNewEntries(first, path);
    this.#known.set(path, true);
  }

  /** Somebody removed directories behind our back: look again next time. */
  forgetDirectories(): void {
    this.#known.clear();
  }

  async #flushNewEntries(first: string, last: string): Promise<void> {
    for (let path = last; path.length >= first.length; path = dirname(path)) {
      await this.flushDirectory(dirname(path));
    }
  }

  #startFlush(path: string): Promise<void> {
    const running = flush(path);
    const state: DirectoryFlush = { running, next: null };
    this.#flushes.set(path, state);
    const forget = (): void => {
      if (this.#flushes.get(path) === state && state.next === null) this.#flushes.delete(path);
    };
    running.then(forget, forget);
    return running;
  }
}

async function flush(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
