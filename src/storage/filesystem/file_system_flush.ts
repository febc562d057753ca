/**
 * Flushes a whole file system in one call (`syncfs(2)`), where the C library has it: for hundreds of files that another
 * tool wrote, each of which would otherwise cost a flush of its own.
 */
import { dlopen, FFIType } from "bun:ffi";
import { closeSync, openSync } from "node:fs";

const libraries: readonly string[] = [
  "libc.so.6",
  `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`,
];

type SyncFs = (descriptor: number) => number;
/** Null where there is none. */
let loaded: SyncFs | null | undefined;

/** Waits until all is on disk. False when the system cannot; then each file has to be flushed by itself. */
export function flushFileSystem(directory: string): boolean {
  loaded ??= load();
  if (loaded === null) return false;
  const descriptor = openSync(directory, "r");
  try {
    return loaded(descriptor) === 0;
  } finally {
    closeSync(descriptor);
  }
}

function load(): SyncFs | null {
  if (process.platform !== "linux") return null;
  for (const library of libraries) {
    try {
      const { symbols } = dlopen(library, {
        syncfs: { args: [FFIType.i32], returns: FFIType.i32 },
      });
      return symbols.syncfs;
    } catch {
      // The next name may be the one of this system.
    }
  }
  return null;
}
