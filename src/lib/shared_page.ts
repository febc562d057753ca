// A small file of 32-bit numbers that all processes of one server share as memory.
//
// Every process that opened the file sees what any other stores with `Atomics`, without a system call. The numbers
// outlive the processes, and a reboot may bring old ones back, so a user of a page must be right with any content.

import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";

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

/** Writes the page out: a hole in the file would end the process that first stores into it on a full disk. */
function makePage(path: string, fresh: Int32Array): void {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    const bytes = new Uint8Array(fresh.buffer, fresh.byteOffset, fresh.length * bytesPerNumber);
    if (fstatSync(descriptor).size >= bytes.length) return;
    let writtenBytes = 0;
    while (writtenBytes < bytes.length) {
      writtenBytes += writeSync(descriptor, bytes, writtenBytes, undefined, writtenBytes);
    }
  } finally {
    closeSync(descriptor);
  }
}
