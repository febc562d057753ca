/**
 * An open file, by its descriptor: what takes the disk's time runs in the pool, what only looks is done at once.
 *
 * A call in the pool costs this thread more than most calls themselves, so opening what is there, asking its size and
 * closing what is flushed are made at once (docs/decisions/0024-names-change-in-the-pool.md). Positions are given with
 * each call: nothing here moves the file's own.
 */
import { close, closeSync, constants, fstatSync, fsync, ftruncate, open, openSync } from "node:fs";
import { read, write, type BigIntStats, type Stats } from "node:fs";
import { must } from "../../lib/assert.ts";

type Done<T> = (error: Error | null, result: T) => void;

export class OpenFile {
  #descriptor: number | null;

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  get isOpen(): boolean {
    return this.#descriptor !== null;
  }

  /** The system gives the number of a closed file to the next one. */
  get descriptor(): number {
    return must(this.#descriptor, "a closed file is not used");
  }

  /** Opens a file that is there. A pipe does not keep the process waiting. */
  static open(path: string, flags: number = constants.O_RDONLY): OpenFile {
    return new OpenFile(openSync(path, flags | constants.O_NONBLOCK));
  }

  /** Makes a file under a name that nothing has. */
  static async create(path: string, mode: number): Promise<OpenFile> {
    return new OpenFile(await pooled<number>((done) => open(path, "wx+", mode, done)));
  }

  stat(): Stats {
    return fstatSync(this.descriptor);
  }

  exactStat(): BigIntStats {
    return fstatSync(this.descriptor, { bigint: true });
  }

  /** Reads into a buffer; fewer bytes than asked for come at the end, or at any time. */
  read(buffer: Uint8Array, length: number, position: number): Promise<number> {
    return pooled((done) => read(this.descriptor, buffer, 0, length, position, done));
  }

  /** Writes `length` bytes of a buffer from `offset`, or fewer. */
  write(bytes: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return pooled((done) => write(this.descriptor, bytes, offset, length, position, done));
  }

  truncate(sizeBytes: number): Promise<void> {
    return pooled((done) => ftruncate(this.descriptor, sizeBytes, done));
  }

  sync(): Promise<void> {
    return pooled((done) => fsync(this.descriptor, done));
  }

  /** For a file that was only read, or is flushed and has a name: closing it takes no time. */
  closeNow(): void {
    closeSync(this.#end());
  }

  /** For one that has bytes to write still, or whose blocks are freed now. */
  close(): Promise<void> {
    return pooled((done) => close(this.#end(), done));
  }

  #end(): number {
    const { descriptor } = this;
    this.#descriptor = null;
    return descriptor;
  }
}

function pooled<T>(call: (done: Done<T>) => void): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  call((error, result) => {
    if (error) reject(error);
    else resolve(result);
  });
  return promise;
}
