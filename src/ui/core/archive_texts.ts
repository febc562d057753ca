/**
 * Texts in a chart or another gzipped archive, read as far as is needed: the archive is unpacked while it comes, and
 * let go as soon as all that is wanted was found or enough was looked at.
 */
import { request } from "./http.ts";

/** Bytes of an archive that are unpacked, and of one text. */
const unpackedBytesMax = 8 * 1024 * 1024;
const textBytesMax = 256 * 1024;
const blockBytes = 512;

export interface ArchiveText {
  readonly name: string;
  readonly text: string;
}

/**
 * The texts whose paths have one of these names in their first directory, in the order of the names. What is no archive
 * has none.
 * @throws Problem where the blob cannot be had.
 */
export async function readArchiveTexts(
  path: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<ArchiveText[]> {
  const response = await request(path, { signal });
  const { body } = response;
  if (body === null) return [];
  const reader = body.pipeThrough(new DecompressionStream("gzip")).getReader();
  const archive = new Archive(names);
  try {
    let unpacked = 0;
    while (!archive.isDone && unpacked < unpackedBytesMax) {
      const { done, value } = await reader.read();
      if (done) break;
      unpacked += value.length;
      archive.take(value);
    }
  } catch (error) {
    if (signal.aborted) throw error;
    // No gzip, or cut off: what was found before counts.
  } finally {
    await reader.cancel().catch(() => undefined);
  }
  return names.flatMap((name) => archive.found.get(name) ?? []);
}

/** Reads a tar piece by piece. */
class Archive {
  readonly found = new Map<string, ArchiveText>();
  isDone = false;
  readonly #names: readonly string[];
  #held = new Uint8Array(0);
  /** Bytes to pass over before the next header. */
  #skip = 0;

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  take(bytes: Uint8Array): void {
    this.#held = joined(this.#held, bytes);
    while (!this.isDone && this.#step());
  }

  /** False where more bytes are needed. */
  #step(): boolean {
    if (this.#skip > 0) {
      const passed = Math.min(this.#skip, this.#held.length);
      this.#drop(passed);
      this.#skip -= passed;
      if (this.#skip > 0) return false;
    }
    if (this.#held.length < blockBytes) return false;
    const header = this.#held.subarray(0, blockBytes);
    const sizeBytes = Number.parseInt(asciiOf(header.subarray(124, 136)), 8);
    if (header[0] === 0 || Number.isNaN(sizeBytes) || sizeBytes < 0) {
      this.isDone = true;
      return false;
    }
    const path = asciiOf(header.subarray(0, 100));
    const name = /^(?:\.\/)?[^/]+\/([^/]+)$/.exec(path)?.[1] ?? "";
    const paddedBytes = Math.ceil(sizeBytes / blockBytes) * blockBytes;
    if (!this.#names.includes(name) || this.found.has(name)) {
      this.#drop(blockBytes);
      this.#skip = paddedBytes;
      return true;
    }
    const keptBytes = Math.min(sizeBytes, textBytesMax);
    if (this.#held.length < blockBytes + keptBytes) return false;
    const bytes = this.#held.subarray(blockBytes, blockBytes + keptBytes);
    const text = new TextDecoder().decode(bytes) + (keptBytes < sizeBytes ? "\n…" : "");
    this.found.set(name, { name, text });
    this.isDone = this.found.size === this.#names.length;
    this.#drop(blockBytes);
    this.#skip = paddedBytes;
    return true;
  }

  #drop(count: number): void {
    this.#held = this.#held.slice(count);
  }
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(one.length + other.length);
  all.set(one);
  all.set(other, one.length);
  return all;
}

function asciiOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return String.fromCharCode(...bytes.subarray(0, end === -1 ? bytes.length : end)).trim();
}
