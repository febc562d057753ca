/**
 * Locks a root directory: for one server, or for several that all set `storage.shared`.
 *
 * The lock is the kernel's, so it ends with the process that holds it, even after a crash. A second server is rejected
 * with one line that says what to do. A lock of the same kind elects the one server that runs the background jobs of a
 * shared root.
 */
import {
  closeSync,
  constants,
  existsSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { LocksBroken, tryLock } from "./filesystem/file_lock.ts";
import { codeOf, fileMode, fullCodes, makeDirectories } from "./filesystem/durable_files.ts";
import { lockFile, ownDirectory } from "./layout.ts";

export interface Claim {
  release(): void;
}

/** Another process has the root. */
export class RootTaken extends Error {
  override readonly name = "RootTaken";
}

/**
 * Claims the root for this process; `option` is what says where it is.
 * @throws Error with one line for the operator; RootTaken where another process has it.
 */
export function claimRoot(
  rootDirectory: string,
  mode: "alone" | "shared",
  option = "storage.rootDirectory",
): Claim {
  makeRoot(rootDirectory, option);
  const path = join(rootDirectory, lockFile);
  const lock = mode === "alone" ? "exclusive" : "shared";
  const claim = claimOrExplain({ rootDirectory, path, option }, lock);
  if (claim === null) {
    throw new RootTaken(
      `${option}: expected ${rootDirectory} to be free, found it served by ${holder(path)}; ` +
        "stop that server, give this one another directory, or set storage.shared: true in both",
    );
  }
  checkLocks(path, option);
  return claim;
}

/** @throws Error with one line for the operator when locks do not work there at all. */
function claimOrExplain(
  { rootDirectory, path, option }: Record<"rootDirectory" | "path" | "option", string>,
  mode: "exclusive" | "shared",
): Claim | null {
  try {
    return tryClaim(path, mode);
  } catch (cause) {
    if (!(cause instanceof LocksBroken)) throw cause;
    throw new Error(
      `${option}: expected a file system with working file locks, and that of ${rootDirectory} ` +
        `has none (${cause.message}); start its lock service, as NFS needs one, or use a local file system`,
      { cause },
    );
  }
}

/** A claim with the count of those before it. */
export interface FencedClaim extends Claim {
  readonly fence: number;
}

/** Claims a named lease of the root, such as its background jobs; null when another process has it. */
export function claimLease(rootDirectory: string, lease: string): FencedClaim | null {
  const path = join(rootDirectory, ownDirectory, `${lease}.lock`);
  const descriptor = openLocked(path, "exclusive");
  if (descriptor === null) return null;
  const [, before] = readFileSync(path, "utf8").split("\n");
  const fence = (Number(before) || 0) + 1;
  writeHolder(descriptor, fence);
  return { fence, release: () => closeSync(descriptor) };
}

/**
 * Holds a named lock of the root together with other servers. What is `changed` first is changed only while no other one
 * holds it. Null where another one does, or is changing it at this moment.
 */
export function claimTogether(
  rootDirectory: string,
  name: string,
  changed: (() => void) | null,
): Claim | null {
  const path = join(rootDirectory, ownDirectory, `${name}.lock`);
  const descriptor = openLocked(path, changed === null ? "shared" : "exclusive");
  if (descriptor === null) return null;
  try {
    changed?.();
    if (changed === null || tryLock(descriptor, "shared")) {
      return { release: () => closeSync(descriptor) };
    }
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  closeSync(descriptor);
  return null;
}

/**
 * Makes the root and the server's own directory in it, so that their names survive a power cut.
 * @throws Error with one line for the operator.
 */
export function makeRoot(rootDirectory: string, option = "storage.rootDirectory"): void {
  const path = join(rootDirectory, ownDirectory);
  try {
    makeDirectories(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `${option}: expected a directory that this user can write, got ${rootDirectory} (${reason})`,
      { cause },
    );
  }
}

/**
 * Makes an empty file under `_zot` that is this server's alone and goes with it, such as a page of memory that its
 * processes share. Files of the same purpose whose servers died are removed.
 */
export function claimFile(
  rootDirectory: string,
  purpose: string,
): Claim & { readonly path: string } {
  const directory = join(rootDirectory, ownDirectory);
  for (const name of readdirSync(directory)) {
    if (name.startsWith(`${purpose}.`)) removeAbandoned(join(directory, name));
  }
  for (;;) {
    const path = join(directory, `${purpose}.${crypto.randomUUID()}`);
    const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, fileMode);
    // Another server may have taken the file for abandoned before it was locked.
    if (tryLock(descriptor, "exclusive") && existsSync(path)) {
      const release = (): void => {
        rmSync(path, { force: true });
        closeSync(descriptor);
      };
      return { path, release };
    }
    closeSync(descriptor);
  }
}

function removeAbandoned(path: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDWR);
  } catch {
    return; // Somebody else removed it.
  }
  if (tryLock(descriptor, "exclusive")) rmSync(path, { force: true });
  closeSync(descriptor);
}

function openLocked(path: string, mode: "exclusive" | "shared"): number | null {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, fileMode);
  return lockOrClose(descriptor, mode) ? descriptor : null;
}

function tryClaim(path: string, mode: "exclusive" | "shared"): Claim | null {
  const descriptor = openLocked(path, mode);
  if (descriptor === null) return null;
  if (mode === "exclusive") writeHolder(descriptor);
  return { release: () => closeSync(descriptor) };
}

function lockOrClose(descriptor: number, mode: "exclusive" | "shared"): boolean {
  let locked = false;
  try {
    locked = tryLock(descriptor, mode);
    return locked;
  } finally {
    if (!locked) closeSync(descriptor);
  }
}

/**
 * For the message that a second server prints, and for the next holder of a lease; the lock itself is the kernel's, so
 * a full disk does not matter.
 */
function writeHolder(descriptor: number, fence: number | null = null): void {
  try {
    const text = fence === null ? `${process.pid}\n` : `${process.pid}\n${fence}\n`;
    // Over what stands there, which needs no room.
    writeSync(descriptor, text, 0);
    ftruncateSync(descriptor, text.length);
  } catch (error) {
    if (!fullCodes.includes(codeOf(error) ?? "")) throw error;
  }
}

/** A file system whose locks do not exclude would let two requests write one upload. */
function checkLocks(path: string, option: string): void {
  const probe = `${path}.probe`;
  const first = openSync(probe, constants.O_RDWR | constants.O_CREAT, fileMode);
  const second = openSync(probe, constants.O_RDWR | constants.O_CREAT, fileMode);
  try {
    // Another server may be probing at the same time: only two successes prove that locks do not work.
    if (tryLock(first, "exclusive") && tryLock(second, "exclusive")) {
      throw new Error(
        `${option}: expected a file system with working file locks, and this one's do not exclude; ` +
          "use a local file system",
      );
    }
  } finally {
    closeSync(first);
    closeSync(second);
  }
}

function holder(path: string): string {
  const pid = readFileSync(path, "utf8").trim();
  return pid === "" ? "another zot" : `another zot (process ${pid})`;
}
