/**
 * The names in a directory, page by page, so that a directory of any size takes the memory of a page.
 *
 * The runtime reads a directory whole, even behind `opendir` (Bun 1.4.5): 100,000 names of blobs are 16 MB. Linux gives
 * them in parts (`getdents64(2)`); elsewhere, and where a file system cannot, the directory is read whole.
 */
import { FFIType } from "bun:ffi";
import { closeSync, openSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { KiB } from "../../lib/bytes.ts";
import { openLibrary } from "./c_library.ts";

/** Some hundred names of blobs. */
const pageBytes = 32 * KiB;

/** Fills a buffer with entries; returns how many bytes they take, 0 at the end, below 0 when it fails. */
type ReadEntries = (descriptor: number, buffer: Uint8Array, length: number) => number;
/** Null where there is none. */
let loaded: ReadEntries | null | undefined;

/** The names, in no order. @throws as `readdir` does. */
export async function* directoryNames(path: string): AsyncGenerator<string[]> {
  loaded ??= load();
  if (loaded === null) {
    yield* wholeIn(path);
    return;
  }
  const buffer = Buffer.alloc(pageBytes);
  const descriptor = openSync(path, "r");
  try {
    for (let given = 0; ;) {
      const length = loaded(descriptor, buffer, buffer.length);
      if (length === 0) return;
      if (length < 0 && given > 0) throw await whyNot(path);
      if (length < 0) {
        // Not a directory, or a disk that fails: reading it whole tells which, and has an error to throw.
        yield* wholeIn(path);
        return;
      }
      const names = namesIn(buffer.subarray(0, length));
      given += names.length;
      if (names.length > 0) yield names;
    }
  } finally {
    closeSync(descriptor);
  }
}

async function* wholeIn(path: string): AsyncGenerator<string[]> {
  const names = await readdir(path);
  if (names.length > 0) yield names;
}

/** A directory whose reading broke off: some names were given, and the rest must not pass for none. */
async function whyNot(path: string): Promise<unknown> {
  return readdir(path).then(
    () =>
      Object.assign(new Error(`EIO: reading the directory broke off, '${path}'`), { code: "EIO" }),
    (error: unknown) => error,
  );
}

/** `struct linux_dirent64`: inode (8 bytes), offset (8), length (2), type (1), and the name, which ends with a zero. */
function namesIn(entries: Buffer): string[] {
  const names: string[] = [];
  for (let at = 0; at < entries.length;) {
    const length = entries.readUInt16LE(at + 16);
    const name = entries.toString("utf8", at + 19, entries.indexOf(0, at + 19));
    if (name !== "." && name !== "..") names.push(name);
    at += length;
  }
  return names;
}

function load(): ReadEntries | null {
  if (process.platform !== "linux") return null;
  const types = {
    args: [FFIType.i32, FFIType.ptr, FFIType.u64],
    returns: FFIType.i64_fast,
  } as const;
  // glibc has the first name, musl both or the second; the structure is the kernel's.
  for (const name of ["getdents64", "getdents"]) {
    try {
      const { [name]: call } = openLibrary({ [name]: types });
      if (call !== undefined) return (...given) => Number(call(...given));
    } catch {
      // The next name may be the one of this system.
    }
  }
  return null;
}
