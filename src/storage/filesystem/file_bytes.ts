/** Bytes of open files: written whole, read in parts of a fixed size, compared and copied. */
import type { FileHandle } from "node:fs/promises";
import { assert } from "../../lib/assert.ts";
import { KiB } from "../../lib/bytes.ts";
import { newHasher, type Algorithm, type Digest } from "../../oci/digest.ts";
import { StorageFull } from "../blob_store.ts";

/** Read at once while files are copied or compared. */
const partBytes = 256 * KiB;

/** The bytes of a file; each part is good until the next one is asked for. */
export async function* bytesOf(handle: FileHandle): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(partBytes);
  for (let position = 0; ;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}

/** Whether a file has exactly these bytes at a position. */
export async function hasBytesAt(
  handle: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<boolean> {
  let compared = 0;
  const buffer = new Uint8Array(Math.min(bytes.length, partBytes));
  while (compared < bytes.length) {
    const length = Math.min(bytes.length - compared, buffer.length);
    const { bytesRead } = await handle.read(buffer, 0, length, position + compared);
    if (bytesRead === 0) return false;
    const expected = bytes.subarray(compared, compared + bytesRead);
    if (Buffer.compare(buffer.subarray(0, bytesRead), expected) !== 0) return false;
    compared += bytesRead;
  }
  return true;
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

/** Copies a whole file into an empty one. Returns the digest of what was copied. */
export async function copyBytes(
  from: FileHandle,
  to: FileHandle,
  algorithm: Algorithm,
): Promise<Digest> {
  const { size } = await from.stat();
  const hasher = newHasher(algorithm);
  let copied = 0;
  for await (const part of bytesOf(from)) {
    hasher.update(part);
    await writeAll(to, part, copied);
    copied += part.length;
  }
  const { size: written } = await to.stat();
  assert(
    copied === size && written === size,
    `storage: a file of ${size} bytes became a copy of ${written}; it changed meanwhile`,
  );
  return hasher.digest();
}
