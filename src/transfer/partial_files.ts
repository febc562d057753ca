/**
 * Files of blobs that are not complete yet, in a directory of their own inside a layout. A later run goes on with what
 * a broken one left; each file belongs to the process in its name as long as that lives.
 */
import { mkdir, open, readdir, rename, rm, rmdir, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { algorithmOf, hexOf, type Digest } from "../oci/digest.ts";
import { WrongBytes, type ProvenContent } from "./image_place.ts";
import { codeOf, fileError, piecesOf } from "./layout_files.ts";

const partialDirectory = ".zot-copy";

export class PartialFiles {
  readonly #directory: string;
  readonly #owner = `${process.pid}.${crypto.randomUUID().slice(0, 8)}`;
  #serial = 0;
  #isMade = false;

  constructor(layoutDirectory: string) {
    this.#directory = join(layoutDirectory, partialDirectory);
  }

  /** Writes the whole of a blob, flushed, and gives it its name. Nothing has that name before. */
  async fill(content: ProvenContent, path: string): Promise<void> {
    const temporary = await this.#claim(content.digest);
    try {
      const file = await open(temporary, "a+", 0o644);
      try {
        await complete(file, content);
        await file.datasync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await this.#leave(temporary, content.digest, error);
      throw fileError(temporary, error);
    }
  }

  /** A file of this process alone: what an earlier run left of the blob, or a new one. */
  async #claim(digest: Digest): Promise<string> {
    await this.#make();
    this.#serial += 1;
    const own = join(this.#directory, `${baseOf(digest)}.${this.#owner}${this.#serial}`);
    for (const name of await readdir(this.#directory)) {
      if (!name.startsWith(baseOf(digest)) || isInUse(name)) continue;
      try {
        await rename(join(this.#directory, name), own);
        break;
      } catch (error) {
        if (codeOf(error) !== "ENOENT") throw fileError(own, error);
      }
    }
    return own;
  }

  /** What was written stays for the next run, unless it is wrong. */
  async #leave(path: string, digest: Digest, error: unknown): Promise<void> {
    if (error instanceof WrongBytes) await rm(path, { force: true });
    else await rename(path, join(this.#directory, baseOf(digest))).catch(() => {});
  }

  /** Removes the directory where nothing is left in it. */
  async close(): Promise<void> {
    await rmdir(this.#directory).catch(() => {});
  }

  async #make(): Promise<void> {
    if (this.#isMade) return;
    await mkdir(this.#directory, { recursive: true });
    this.#isMade = true;
  }
}

async function complete(file: FileHandle, content: ProvenContent): Promise<void> {
  const { size } = await file.stat();
  if (size > 0 && size < content.sizeBytes) {
    try {
      for await (const piece of content.after(piecesOf(file, 0, size))) await writeAll(file, piece);
      return;
    } catch (error) {
      // What was left may be wrong itself: a machine that lost its power leaves zeros.
      if (!(error instanceof WrongBytes)) throw error;
    }
  }
  await file.truncate(0);
  for await (const piece of content.from(0)) await writeAll(file, piece);
}

/** A short write is no error of the system's own. */
export async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at);
    if (bytesWritten === 0)
      throw Object.assign(new Error("nothing was written"), { code: "ENOSPC" });
    at += bytesWritten;
  }
}

function baseOf(digest: Digest): string {
  return `${algorithmOf(digest)}-${hexOf(digest)}`;
}

/** Whether somebody may still write to it: the process that is in its name. */
function isInUse(name: string): boolean {
  const pid = Number(/\.(\d{1,10})\.[0-9a-f-]+$/.exec(name)?.[1] ?? 0);
  if (pid === 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== "ESRCH";
  }
}
