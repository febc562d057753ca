/**
 * Advisory locks on open files (`flock(2)`), which the kernel frees when their holder dies.
 *
 * A lock belongs to one opened file: two openings of one path exclude each other, within a process and across
 * processes. Locking never waits: a held lock is reported at once. A file system that cannot lock is an error, and is
 * not mistaken for a held lock. Never unlink a file that another process may be locking.
 */
import { FFIType, read } from "bun:ffi";
import { openLibrary } from "./c_library.ts";

const exclusive = 2;
const shared = 1;
const nonBlocking = 4;
const unlocked = 8;

const isDarwin = process.platform === "darwin";

/** Errors that say that locks do not work here; every other one is that of a lock that is held. */
const broken: ReadonlyMap<number, string> = new Map(
  isDarwin
    ? [
        [77, "ENOLCK: no locks available"],
        [45, "ENOTSUP: operation not supported"],
        [22, "EINVAL: invalid argument"],
        [5, "EIO: i/o error"],
      ]
    : [
        [37, "ENOLCK: no locks available"],
        [38, "ENOSYS: function not implemented"],
        [95, "EOPNOTSUPP: operation not supported"],
        [22, "EINVAL: invalid argument"],
        [5, "EIO: i/o error"],
      ],
);

/** Locks do not work on this file system, for example because its lock service does not run. */
export class LocksBroken extends Error {
  override readonly name = "LocksBroken";
}

const errnoName = isDarwin ? "__error" : "__errno_location";

interface Library {
  flock(descriptor: number, operation: number): number;
  errno(): number;
}

let loaded: Library | null = null;

/**
 * Tries to lock an open file; false when another opening holds a conflicting lock.
 * @throws LocksBroken.
 */
export function tryLock(descriptor: number, mode: "exclusive" | "shared"): boolean {
  loaded ??= load();
  const operation = (mode === "exclusive" ? exclusive : shared) | nonBlocking;
  if (loaded.flock(descriptor, operation) === 0) return true;
  const problem = broken.get(loaded.errno());
  if (problem === undefined) return false;
  throw new LocksBroken(`${problem}, flock`);
}

/**
 * Frees a lock before its file is closed: the runtime may still hold a duplicate of the descriptor for a
 * moment after a native transfer, and a lock lives as long as any duplicate.
 */
export function unlock(descriptor: number): void {
  loaded?.flock(descriptor, unlocked);
}

function load(): Library {
  const { flock, ...others } = openLibrary({
    flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    [errnoName]: { args: [], returns: FFIType.ptr },
  });
  const location = others[errnoName] as unknown as () => Parameters<typeof read.i32>[0] | null;
  return {
    flock,
    // Read at once: the next call into the system may change it.
    errno: () => {
      const place = location();
      return place === null ? 0 : read.i32(place, 0);
    },
  };
}
