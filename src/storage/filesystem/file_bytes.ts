/** Bytes of open files: written whole, read in parts of a fixed size, compared and copied. */
import { assert } from "../../lib/assert.ts";
import { KiB } from "../../lib/bytes.ts";
import { newHasher, type Algorithm, type Digest } from "../../oci/digest.ts";
import { StorageFull } from "../blob_store.ts";
import type { OpenFile } from "./open_file.ts";

/** Read at once while files are copied or compared. */
const partBytes = 256 * KiB;

/** The bytes of a file; each part is good until the next one is asked for. */
export async function* bytesOf(file: OpenFile): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(partBytes);
  for (let position = 0; ;) {
    const readBytes = await file.read(buffer, buffer.length, position);
    if (readBytes === 0) return;
    yield buffer.subarray(0, readBytes);
    position += readBytes;
  }
}

/** All bytes of a file that had `sizeBytes` when it was looked at. */
export async function readWhole(file: OpenFile, sizeBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(sizeBytes);
  let length = 0;
  while (length < sizeBytes) {
    const readBytes = await file.read(bytes.subarray(length), sizeBytes - length, length);
    if (readBytes === 0) break;
    length += readBytes;
  }
  return bytes.subarray(0, length);
}

/** Whether a file has exactly these bytes at a position. */
export async function hasBytesAt(
  file: OpenFile,
  bytes: Uint8Array,
  position: number,
): Promise<boolean> {
  let compared = 0;
  const buffer = new Uint8Array(Math.min(bytes.length, partBytes));
  while (compared < bytes.length) {
    const length = Math.min(bytes.length - compared, buffer.length);
    const readBytes = await file.read(buffer, length, position + compared);
    if (readBytes === 0) return false;
    const expected = bytes.subarray(compared, compared + readBytes);
    if (Buffer.compare(buffer.subarray(0, readBytes), expected) !== 0) return false;
    compared += readBytes;
  }
  return true;
}

/** Writes all bytes at a position; a short write is continued, never believed. */
export async function writeAll(file: OpenFile, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const left = bytes.length - written;
    const moreBytes = await file.write(bytes, written, left, position + written);
    if (moreBytes <= 0) throw new StorageFull("The file system took no more bytes");
    written += moreBytes;
  }
}

/** Copies a whole file into an empty one. Returns the digest of what was copied. */
export async function copyBytes(
  from: OpenFile,
  to: OpenFile,
  algorithm: Algorithm,
): Promise<Digest> {
  const { size } = from.stat();
  const hasher = newHasher(algorithm);
  let copied = 0;
  for await (const part of bytesOf(from)) {
    hasher.update(part);
    await writeAll(to, part, copied);
    copied += part.length;
  }
  const { size: written } = to.stat();
  assert(
    copied === size && written === size,
    `storage: a file of ${size} bytes became a copy of ${written}; it changed meanwhile`,
  );
  return hasher.digest();
}
