/**
 * Advisory locks on open files (`flock(2)`), which the kernel frees when their holder dies.
 *
 * Promises: a lock belongs to one opened file: two openings of one path exclude each other, in one process
 * and across processes. Never waits: a held lock is answered at once.
 * Leaves to others: what a lock protects, and never unlinking a file that others may be locking.
 */
import { cLibrary } from "./c_library.ts";

const exclusive = 2;
const shared = 1;
const nonBlocking = 4;
const unlocked = 8;

/** Tries to lock an open file; false when another opening holds a conflicting lock. */
export function tryLock(descriptor: number, mode: "exclusive" | "shared"): boolean {
  const operation = (mode === "exclusive" ? exclusive : shared) | nonBlocking;
  return cLibrary().flock(descriptor, operation) === 0;
}

/**
 * Frees a lock before its file is closed: the runtime may still hold a duplicate of the descriptor for a
 * moment after a native transfer, and a lock lives as long as any duplicate.
 */
export function unlock(descriptor: number): void {
  cLibrary().flock(descriptor, unlocked);
}
