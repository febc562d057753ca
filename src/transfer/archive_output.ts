/**
 * Where an archive is written to, from the front to the end: a file, which takes its name when all of it is there and
 * flushed, or standard output, which cannot go back.
 */
import { write } from "node:fs";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { systemClock } from "../lib/clock.ts";
import { TransferError } from "./image_place.ts";
import { codeOf, fileError } from "./layout_files.ts";
import { writeAll } from "./partial_files.ts";

/** Stands for standard input and standard output, in the place of a file. */
export const standardPath = "-";

export interface ArchiveOutput {
  write(bytes: Uint8Array): Promise<void>;
  /** Forgets what was written from here on. */
  goBack(toByte: number): Promise<void>;
  finish(): Promise<void>;
  close(): Promise<void>;
  /** What a message calls it. */
  readonly path: string;
}

export function openArchiveOutput(path: string): Promise<ArchiveOutput> {
  return path === standardPath ? standardOutput() : FileOutput.open(path);
}

class FileOutput implements ArchiveOutput {
  readonly path: string;
  readonly #temporary: string;
  readonly #file: FileHandle;
  #isDone = false;

  private constructor(path: string, temporary: string, file: FileHandle) {
    this.path = path;
    this.#temporary = temporary;
    this.#file = file;
  }

  /** Begins beside the file that it will be. */
  static async open(path: string): Promise<FileOutput> {
    const temporary = `${path}.${process.pid}.${crypto.randomUUID().slice(0, 8)}.part`;
    try {
      return new FileOutput(path, temporary, await open(temporary, "ax", 0o644));
    } catch (error) {
      throw fileError(path, error);
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return writeAll(this.#file, bytes);
  }

  async goBack(toByte: number): Promise<void> {
    await this.#file.truncate(toByte).catch(() => {});
  }

  async finish(): Promise<void> {
    await this.#file.sync();
    await rename(this.#temporary, this.path);
    this.#isDone = true;
    const directory = await open(dirname(this.path), "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
    if (!this.#isDone) await rm(this.#temporary, { force: true });
  }
}

/** A pipe that its reader made non-blocking is looked at again after so long. */
const fullPipeMs = 5;

async function standardOutput(): Promise<ArchiveOutput> {
  if (process.stdout.isTTY) {
    throw new TransferError("an archive is not written to a terminal: send it to a file or a pipe");
  }
  let isBroken = false;
  return {
    path: "standard output",
    write: async (bytes) => {
      if (isBroken) throw new TransferError("the archive on standard output is broken off");
      for (let at = 0; at < bytes.length;) {
        at += await writeOut(bytes.subarray(at)).catch(waitOrThrow);
      }
    },
    // Whoever reads it finds no end, and the exit status says so.
    goBack: async () => {
      isBroken = true;
    },
    finish: async () => {},
    close: async () => {},
  };
}

function writeOut(bytes: Uint8Array): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  write(process.stdout.fd, bytes, (error, written) => {
    if (error === null) resolve(written);
    else reject(error);
  });
  return promise;
}

async function waitOrThrow(error: unknown): Promise<number> {
  if (codeOf(error) !== "EAGAIN") throw error;
  await systemClock.sleep(fullPipeMs);
  return 0;
}
