/**
 * Hashes a file slice by slice, and leaves the system's cache as it was: what a check alone has brought in is dropped
 * again, what was in it before for others stays.
 *
 * It is synchronous, for a thread or a process that does nothing else. Linux is asked by `preadv2(2)` whether a slice is
 * in the cache and told by `posix_fadvise(2)` to drop it; elsewhere the cache is left to the system.
 */
import { FFIType, ptr } from "bun:ffi";
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { newHasher, type Algorithm, type Digest, type Hasher } from "../../oci/digest.ts";
import { openLibrary } from "./c_library.ts";

/** `POSIX_FADV_DONTNEED`. */
const dontNeed = 4;
/** `RWF_NOWAIT`: fails where the disk would have to be waited for. */
const noWait = 8;

export class FileCheck {
  readonly #descriptor: number;
  readonly #hasher: Hasher;
  readonly #cache: CacheOf | null;
  #position = 0;
  /** Kept from slice to slice: a new one costs as much as hashing what it is filled with. */
  #buffer = new Uint8Array(0);

  /** @throws as opening a file does; EISDIR for what is no regular file. */
  constructor(path: string, algorithm: Algorithm) {
    // A pipe does not keep the caller waiting.
    this.#descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!this.stat().isFile()) {
        throw Object.assign(new Error(`EISDIR: no regular file, '${path}'`), { code: "EISDIR" });
      }
      this.#hasher = newHasher(algorithm);
      this.#cache = openCache();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  stat(): Stats {
    return fstatSync(this.#descriptor);
  }

  /** Hashes the bytes that follow, so many at most; how many, 0 at the end. */
  next(bytesMax: number): number {
    const position = this.#position;
    const buffer = this.#sliceOf(bytesMax);
    const wasCached = this.#cache?.has(this.#descriptor, position) ?? true;
    let length = 0;
    while (length < buffer.length) {
      const left = buffer.length - length;
      const bytes = readSync(this.#descriptor, buffer, length, left, position + length);
      if (bytes === 0) break;
      length += bytes;
    }
    this.#hasher.update(buffer.subarray(0, length));
    this.#position += length;
    if (!wasCached && length > 0) this.#cache?.drop(this.#descriptor, position, length);
    return length;
  }

  #sliceOf(bytesMax: number): Uint8Array {
    // A small file needs no large one.
    const wanted = Math.min(bytesMax, Math.max(1, this.stat().size));
    if (this.#buffer.length < wanted) this.#buffer = new Uint8Array(wanted);
    return this.#buffer.subarray(0, wanted);
  }

  /** Of all that was read. Ends it. */
  digest(): Digest {
    return this.#hasher.digest();
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

interface CacheOf {
  has(descriptor: number, position: number): boolean;
  drop(descriptor: number, position: number, length: number): void;
}

/** Null where the system cannot. */
let loaded: CacheOf | null | undefined;

function openCache(): CacheOf | null {
  if (loaded === undefined) loaded = process.platform === "linux" ? load() : null;
  return loaded;
}

function load(): CacheOf | null {
  try {
    const { preadv2, posix_fadvise } = openLibrary({
      preadv2: {
        args: [FFIType.i32, FFIType.ptr, FFIType.i32, FFIType.i64, FFIType.i32],
        returns: FFIType.i64_fast,
      },
      posix_fadvise: {
        args: [FFIType.i32, FFIType.i64, FFIType.i64, FFIType.i32],
        returns: FFIType.i32,
      },
    });
    const byte = new Uint8Array(1);
    return {
      has: (descriptor, position) => {
        // `struct iovec`: address and length.
        const vector = new BigUint64Array([BigInt(ptr(byte)), 1n]);
        return Number(preadv2(descriptor, vector, 1, position, noWait)) === 1;
      },
      drop: (descriptor, position, length) => {
        posix_fadvise(descriptor, position, length, dontNeed);
      },
    };
  } catch {
    return null;
  }
}
