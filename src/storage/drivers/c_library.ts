/**
 * The two calls of the C library that the runtime does not offer: `flock(2)` and `lseek(2)`.
 *
 * Promises: loaded on first use; a system without it stops the first call with one line.
 * Leaves to others: what the calls are for (`file_lock.ts`, `file_position.ts`).
 */
import { dlopen, FFIType } from "bun:ffi";

/** The C library by platform; musl systems know it under another name. */
const libraries: readonly string[] =
  process.platform === "darwin"
    ? ["libSystem.B.dylib"]
    : ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`, "libc.so"];

export interface CLibrary {
  flock(descriptor: number, operation: number): number;
  /** The new position, or -1. Offsets have 64 bits on every platform that we build for. */
  lseek(descriptor: number, offset: number, whence: number): number | bigint;
}

let loaded: CLibrary | null = null;

export function cLibrary(): CLibrary {
  loaded ??= load();
  return loaded;
}

function load(): CLibrary {
  const causes: unknown[] = [];
  for (const library of libraries) {
    try {
      const { symbols } = dlopen(library, {
        flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
        lseek: { args: [FFIType.i32, FFIType.i64_fast, FFIType.i32], returns: FFIType.i64_fast },
      });
      return symbols;
    } catch (cause) {
      causes.push(cause);
    }
  }
  throw new Error(`storage: no C library with flock and lseek among ${libraries.join(", ")}`, {
    cause: new AggregateError(causes),
  });
}
