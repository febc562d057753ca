/** Reserves space for a file before anything is written into it (`posix_fallocate(3)`). */
import { FFIType } from "bun:ffi";
import { writeSync } from "node:fs";
import { KiB } from "../../lib/bytes.ts";
import { openLibrary } from "./c_library.ts";

const pieceBytes = 64 * KiB;
/** What the function returns where the disk, or the user's quota, is full. */
const full: ReadonlyMap<number, string> = new Map([
  [28, "ENOSPC"],
  [122, "EDQUOT"],
]);

type Allocate = (descriptor: number, offset: number, length: number) => number;
let loaded: Allocate | null | undefined;

/** Makes an open file `sizeBytes` long and reserves its space. @throws an error with the code ENOSPC or EDQUOT. */
export function allocate(descriptor: number, sizeBytes: number): void {
  if (loaded === undefined) loaded = process.platform === "linux" ? load() : null;
  const result = loaded?.(descriptor, 0, sizeBytes) ?? null;
  if (result === 0) return;
  const code = result === null ? undefined : full.get(result);
  if (code !== undefined) throw Object.assign(new Error(`${code}: no space left`), { code });
  // A system, or a file system, that cannot: writing takes the space as well.
  const piece = new Uint8Array(pieceBytes);
  for (let at = 0; at < sizeBytes;) {
    at += writeSync(descriptor, piece, 0, Math.min(pieceBytes, sizeBytes - at), at);
  }
}

function load(): Allocate {
  const { posix_fallocate } = openLibrary({
    posix_fallocate: { args: [FFIType.i32, FFIType.i64, FFIType.i64], returns: FFIType.i32 },
  });
  return posix_fallocate;
}
