/**
 * Space kept for deletes: a file that is removed when the disk is full, so that a delete never fails for lack of space.
 *
 * A delete writes before it frees anything: rows of the metadata, then an `index.json`. The primary removes the file
 * for those two and for nothing else, and makes it again as soon as there is room. While it is missing nothing new is
 * accepted (`requireRoom`), because repeated pushes would use up what deletes have freed.
 */
import { closeSync, constants, existsSync, fstatSync, openSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { MiB } from "../../lib/bytes.ts";
import { StorageFull } from "../blob_store.ts";
import { allocate } from "./allocate.ts";
import { codeOf, fileMode, fullCodes } from "./durable_files.ts";
import { reserveFile } from "../layout.ts";

/** A hundredth of the file system, between these two. */
const part = 100;
const reserveBytesMin = MiB;
const reserveBytesMax = 16 * MiB;
/** Of the size of an index.json: the new one is written beside the old one, and the metadata needs some as well. */
const indexFactor = 2;
/** Less than this is no room. */
const roomBytesMin = MiB / 4;

export class FileReserve {
  readonly #path: string;
  #bytes: number;

  constructor(rootDirectory: string) {
    this.#path = join(rootDirectory, reserveFile);
    this.#bytes = reserveBytes(rootDirectory);
  }

  /** Whether all of it is kept; takes what is missing where it can. */
  fill(): boolean {
    return this.#make(this.#path, this.#bytes);
  }

  /** Frees its space for a write that needs it now; false when there is none to free. */
  release(): boolean {
    if (!existsSync(this.#path)) return false;
    rmSync(this.#path, { force: true });
    return true;
  }

  /** Whether there is room beside it, on the disk and within the quota. */
  hasRoom(): boolean {
    const scratch = `${this.#path}.scratch`;
    try {
      return this.#make(scratch, roomBytesMin);
    } finally {
      rmSync(scratch, { force: true });
    }
  }

  /** An `index.json` of this size is written: one like it must fit as well when the disk is full. */
  coverIndex(sizeBytes: number): void {
    this.#bytes = Math.max(this.#bytes, sizeBytes * indexFactor);
  }

  /** False when the disk is full; then no new file is left behind. */
  #make(path: string, sizeBytes: number): boolean {
    const isNew = !existsSync(path);
    try {
      const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, fileMode);
      try {
        if (fstatSync(descriptor).size < sizeBytes) allocate(descriptor, sizeBytes);
      } finally {
        closeSync(descriptor);
      }
      return true;
    } catch (error) {
      if (isNew) rmSync(path, { force: true });
      if (fullCodes.includes(codeOf(error) ?? "")) return false;
      throw error;
    }
  }
}

/**
 * Call it before new content is accepted.
 * @throws StorageFull while the reserve was given up, and there is no room for it yet.
 */
export function requireRoom(rootDirectory: string): void {
  if (existsSync(join(rootDirectory, reserveFile))) return;
  const { bavail, bsize } = statfsSync(rootDirectory);
  if (bavail * bsize >= reserveBytes(rootDirectory)) return;
  throw new StorageFull("No space left in the root directory but what deletes need");
}

function reserveBytes(rootDirectory: string): number {
  const { blocks, bsize } = statfsSync(rootDirectory);
  return Math.min(Math.max(Math.floor((blocks * bsize) / part), reserveBytesMin), reserveBytesMax);
}
