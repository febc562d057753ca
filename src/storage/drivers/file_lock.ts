/**
 * Advisory locks on open files (`flock(2)`), which the kernel frees when their holder dies.
 *
 * Promises: a lock belongs to one opened file: two openings of one path exclude each other, in one process
 * and across processes. Never waits: a held lock is answered at once.
 * Leaves to others: what a lock protects, and never unlinking a file that others may be locking.
 */
import { dlopen, FFIType } from "bun:ffi";

const exclusive = 2;
const shared = 1;
const nonBlocking = 4;
const unlocked = 8;

/** The C library by platform; musl systems know it under another name. */
const libraries: readonly string[] =
  process.platform === "darwin"
    ? ["libSystem.B.dylib"]
    : ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`, "libc.so"];

type Flock = (descriptor: number, operation: number) => number;
let loaded: Flock | null = null;

/** Tries to lock an open file; false when another opening holds a conflicting lock. */
export function tryLock(descriptor: number, mode: "exclusive" | "shared"): boolean {
  loaded ??= load();
  return loaded(descriptor, (mode === "exclusive" ? exclusive : shared) | nonBlocking) === 0;
}

/**
 * Frees a lock before its file is closed: the runtime may still hold a duplicate of the descriptor for a
 * moment after a native transfer, and a lock lives as long as any duplicate.
 */
export function unlock(descriptor: number): void {
  loaded?.(descriptor, unlocked);
}

function load(): Flock {
  const causes: unknown[] = [];
  for (const library of libraries) {
    try {
      const { symbols } = dlopen(library, {
        flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
      });
      return symbols.flock;
    } catch (cause) {
      causes.push(cause);
    }
  }
  throw new Error(`storage: no C library with flock among ${libraries.join(", ")}`, {
    cause: new AggregateError(causes),
  });
}
