// A small file of 32-bit numbers that all processes of one server share as memory.
//
// Every process that opened the file sees what any other stores with `Atomics`, without a system call. The numbers
// outlive the processes, and a reboot may bring old ones back, so a user of a page must be right with any content.

import { closeSync, constants, linkSync, openSync, rmSync, statSync, writeSync } from "node:fs";

const bytesPerNumber = 4;

/** Where a page lies: a file, or memory that only this process has. */
export type PageAt = string | Int32Array;

/** Opens the page, making its file with the content of `fresh` when it is not there or too short. */
export function openSharedPage(at: PageAt, fresh: Int32Array): Int32Array {
  if (typeof at !== "string") return at;
  makePage(at, fresh);
  const page = Bun.mmap(at, { shared: true });
  return new Int32Array(page.buffer, page.byteOffset, fresh.length);
}

/**
 * A page that is not there appears whole: what a process stored that was a moment faster would be written over
 * otherwise. One that is too short is of another version, and is written anew.
 */
function makePage(path: string, fresh: Int32Array): void {
  const bytes = new Uint8Array(fresh.buffer, fresh.byteOffset, fresh.length * bytesPerNumber);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined && linkPage(path, bytes)) return;
  if (found === undefined || found.size < bytes.length) writePage(path, bytes);
}

/** Makes the file under a name of its own first; false where files have no second name. */
function linkPage(path: string, bytes: Uint8Array): boolean {
  const own = `${path}.${crypto.randomUUID()}`;
  try {
    writePage(own, bytes);
    linkSync(own, path);
    return true;
  } catch (error) {
    const { code } = error as { code?: string };
    // Somebody else was faster.
    if (code === "EEXIST") return true;
    if (code === "EPERM" || code === "ENOTSUP" || code === "EOPNOTSUPP") return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Writes the page out: a hole in the file would end the process that first stores into it on a full disk. */
function writePage(path: string, bytes: Uint8Array): void {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    let writtenBytes = 0;
    while (writtenBytes < bytes.length) {
      writtenBytes += writeSync(descriptor, bytes, writtenBytes, undefined, writtenBytes);
    }
  } finally {
    closeSync(descriptor);
  }
}
