/**
 * File operations that survive power loss: flushes of files and directories, and names that are durable.
 *
 * With `durable`, a name made here is on disk when the promise resolves, and so are the names of the directories above
 * it, even those that another process made. One flush of a directory serves every entry that was made before it began.
 * A name that is replaced is never absent in between. A full disk is `StorageFull`, and only ENOENT means absent
 * (`absentOr`).
 */
import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { link, mkdir, rename, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { Lru } from "../../lib/lru.ts";
import { algorithmOf, type Digest } from "../../oci/digest.ts";
import { StorageFull } from "../blob_store.ts";
import { copyBytes } from "./file_bytes.ts";
import { OpenFile } from "./open_file.ts";

export const directoryMode = 0o700;
export const fileMode = 0o600;

/** Times that directories are made which somebody removes at the same moment. */
const makeTriesMax = 3;

/** Directories known to exist, so that a push does not ask again. */
const knownDirectoriesMax = 20_000;

export const fullCodes: readonly string[] = ["ENOSPC", "EDQUOT"];

export function codeOf(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : null;
}

/** Opens a file to be shared: a symbolic link would be linked itself, and what it leads to may change or go. */
export const plainFile = constants.O_RDONLY | constants.O_NOFOLLOW;

/**
 * Why a hard link fails where a copy is possible: the file system has none (EPERM, ENOTSUP, ENOSYS), the file is another
 * user's (EPERM with `fs.protected_hardlinks`, EACCES), the link would cross mounts, volumes or quotas (EXDEV), the
 * file has too many names (EMLINK), or it is a symbolic link (ELOOP, by `plainFile`).
 */
const linkRefusals: readonly string[] = [
  "ELOOP",
  "EPERM",
  "EACCES",
  "EXDEV",
  "EMLINK",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
];

export function isLinkRefused(error: unknown): boolean {
  return linkRefusals.includes(codeOf(error) ?? "");
}

/** Null for an absent file; throws everything else, a full disk as `StorageFull`. */
export function absentOr(error: unknown, path?: string): null {
  if (codeOf(error) === "ENOENT") return null;
  throw storageError(error, path);
}

/** A full disk as `StorageFull`; any other error of a file names it. */
export function storageError(error: unknown, path?: string): unknown {
  const code = codeOf(error);
  if (code === null) return error;
  if (fullCodes.includes(code)) {
    return new StorageFull("No space left in the root directory", { cause: error });
  }
  return path === undefined ? error : namedError(error, path);
}

/** The system names a file only where it was given its path: not for an open one, as in "EIO: i/o error, write". */
function namedError(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || ("path" in error && error.path !== undefined)) return error;
  error.message += `, '${path}'`;
  return Object.assign(error, { path });
}

/** Makes a directory and those above it, and flushes the names of those it made; for the start alone. */
export function makeDirectories(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: directoryMode });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) {
    flushNow(dirname(made));
  }
}

/** One that may be written and not read cannot be flushed: its names reach the disk when the system writes them. */
function flushNow(directory: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(directory, "r");
  } catch (error) {
    if (codeOf(error) === "EACCES") return;
    throw error;
  }
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Puts a small text under a path at once and in one step, flushed with its name. */
export function replaceNow(path: string, text: string): void {
  const temporary = `${path}.${crypto.randomUUID()}`;
  try {
    writeFileSync(temporary, text, { mode: fileMode, flag: "wx", flush: true });
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
  flushNow(dirname(path));
}

interface DirectoryFlush {
  running: Promise<void>;
  next: Promise<void> | null;
}

export interface DurableFilesOptions {
  readonly durable: boolean;
  /** Directories are made below this one, which is there. */
  readonly rootDirectory: string;
  /** A directory on the same file system for names that last a moment. */
  readonly temporaryDirectory: string;
}

export class DurableFiles {
  readonly #options: DurableFilesOptions;
  /** Directories whose names are on disk, up to the root. */
  readonly #known = new Lru<string, true>({ entriesMax: knownDirectoriesMax });
  readonly #flushes = new Map<string, DirectoryFlush>();

  constructor(options: DurableFilesOptions) {
    this.#options = options;
  }

  async flushFile(file: OpenFile): Promise<void> {
    if (this.#options.durable) await file.sync();
  }

  /** Closes a file that was written, and flushed where files are. */
  async closeWritten(file: OpenFile): Promise<void> {
    if (this.#options.durable) file.closeNow();
    else await file.close();
  }

  /**
   * Flushes a directory's entries. A caller that comes while a flush runs shares the next one, since the
   * running one may have begun before its entry was made.
   */
  flushDirectory(path: string): Promise<void> {
    if (!this.#options.durable) return Promise.resolve();
    const current = this.#flushes.get(path);
    if (current === undefined) return this.#startFlush(path);
    current.next ??= current.running.then(
      () => this.#startFlush(path),
      () => this.#startFlush(path),
    );
    return current.next;
  }

  /** Makes a directory and its parents below the root, and flushes their names. */
  async ensureDirectory(path: string): Promise<void> {
    if (this.#known.get(path) === true) return;
    await makeAll(path);
    // One that was there already may have been made a moment ago by a process that has not flushed it yet.
    for (let at = path; at.length > this.#options.rootDirectory.length; at = dirname(at)) {
      await this.flushDirectory(dirname(at));
    }
    this.#known.set(path, true);
  }

  /** A new name in the temporary directory, unique to its caller. */
  temporaryPath(): string {
    return `${this.#options.temporaryDirectory}/${crypto.randomUUID()}`;
  }

  /**
   * Gives the file at `from` a second name, in place of the file that had it. False when there is no such file.
   * @throws an error that `isLinkRefused` knows when a copy has to do.
   */
  async linkOver(from: string, to: string): Promise<boolean> {
    await this.ensureDirectory(dirname(to));
    const linked = await this.#whereverRemoved(to, async () => {
      if (await linkNew(from, to)) return;
      if (!(await isSameFile(from, to))) await this.#replaceByLink(from, to);
    });
    if (linked) await this.flushDirectory(dirname(to));
    return linked;
  }

  /**
   * Gives the bytes of an open file, copied and flushed, to a name, in place of the file that had it. False, and
   * nothing is changed, when they are not those of the digest: all of them are read here, so a look costs little.
   */
  async copyOver(from: OpenFile, to: string, digest: Digest): Promise<boolean> {
    await this.ensureDirectory(dirname(to));
    const temporary = this.temporaryPath();
    const copy = await OpenFile.create(temporary, fileMode);
    try {
      let isRight = false;
      try {
        isRight = (await copyBytes(from, copy, algorithmOf(digest))) === digest;
        if (isRight) await this.flushFile(copy);
      } finally {
        await this.closeWritten(copy);
      }
      await (isRight ? this.renameOver(temporary, to) : unlink(temporary));
      return isRight;
    } catch (error) {
      await unlink(temporary).catch(() => null);
      throw error;
    }
  }

  /** Gives a file that was just written a name that nothing has; false when something has it. */
  async moveNew(from: string, to: string): Promise<boolean> {
    let isNew = true;
    await this.#whereverRemoved(to, async () => {
      isNew = await this.#linkOrMove(from, to);
    });
    if (isNew) await this.flushDirectory(dirname(to));
    return isNew;
  }

  /** Moves a file to a name, in place of the file that had it. */
  async renameOver(from: string, to: string): Promise<void> {
    const moved = await this.#whereverRemoved(to, () => rename(from, to));
    if (!moved) throw new Error(`storage: ${from} vanished before it could be named ${to}`);
    await this.flushDirectory(dirname(to));
  }

  /** Tries again when another tool removed the directory of `to`; false when it is the source that is absent. */
  async #whereverRemoved(to: string, work: () => Promise<void>): Promise<boolean> {
    for (const again of [true, false]) {
      try {
        await work();
        return true;
      } catch (error) {
        absentOr(error);
        if (!again) return false;
        this.#known.clear();
        await this.ensureDirectory(dirname(to));
      }
    }
    return false;
  }

  async #linkOrMove(from: string, to: string): Promise<boolean> {
    try {
      return await linkNew(from, to);
    } catch (error) {
      if (!isLinkRefused(error)) throw error;
    }
    // Without links the look and the move are two steps: a file that another process puts there in between is lost.
    if ((await stat(to).catch(absentOr)) !== null) return false;
    await rename(from, to);
    return true;
  }

  async #replaceByLink(from: string, to: string): Promise<void> {
    const temporary = this.temporaryPath();
    await link(from, temporary);
    try {
      await rename(temporary, to);
    } finally {
      // It is still there when the move failed, or when both were names of one file by then.
      await unlink(temporary).catch(absentOr);
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

/** Makes a directory and those above it, though one of them may be removed at this moment because it is empty. */
async function makeAll(path: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await mkdir(path, { recursive: true, mode: directoryMode });
      return;
    } catch (error) {
      if (codeOf(error) !== "ENOENT" || tries >= makeTriesMax) throw error;
    }
  }
}

/** False when the name is taken. */
async function linkNew(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  const [first, second] = await Promise.all([
    stat(one, { bigint: true }),
    stat(other, { bigint: true }).catch(absentOr),
  ]);
  return second !== null && first.ino === second.ino && first.dev === second.dev;
}

async function flush(path: string): Promise<void> {
  const directory = OpenFile.open(path);
  try {
    await directory.sync();
  } catch (error) {
    throw storageError(error, path);
  } finally {
    directory.closeNow();
  }
}
