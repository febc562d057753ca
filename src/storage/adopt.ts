/**
 * Adopts content that the registry did not write: hashes it, then flushes it with its name. Only then may the metadata
 * name it or another repository share it.
 *
 * An `Adoption` takes many files, which share the flush. A file in a layout may be unreadable, damaged, not a regular
 * file, or still being copied in: each gives one line for the operator, and the others go on. A symbolic link is
 * replaced by a copy, since its target belongs to another directory and may go. A file with several hard links stays as
 * it is: a root of zot, or one of ours whose metadata was lost, is full of them, and nothing tells such a link from one
 * to a directory elsewhere.
 */
import { setImmediate } from "node:timers/promises";
import { KiB } from "../lib/bytes.ts";
import { algorithmOf, digestOf, newHasher, type Digest } from "../oci/digest.ts";
import type { LayoutDirectory, LooseFile } from "./layout_directory.ts";

/** Files up to this size are read at once. */
const smallBytesMax = 64 * KiB;
/** Small files that are read before others have their turn. */
const filesPerTurn = 32;

/** Troubles of one file. Any other is the machine's, and the whole work has to be tried again. */
const fileTroubles: readonly string[] = [
  "EACCES",
  "EPERM",
  "EIO",
  "EISDIR",
  "ELOOP",
  "ENOTDIR",
  "ENXIO",
  "EUCLEAN",
  "EBADMSG",
  "ENAMETOOLONG",
];

/** One line when an error tells of one bad file. @throws any other error. */
export function fileTrouble(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== "string" || !fileTroubles.includes(code)) throw error;
  return `it cannot be read (${code})`;
}

/** What a file turned out to be; `bytes` where they were asked for. */
export type Checked =
  | { readonly kind: "right"; readonly sizeBytes: number; readonly bytes: Uint8Array | null }
  | { readonly kind: "absent" }
  | { readonly kind: "bad"; readonly problem: string };

const absent = { kind: "absent" } as const;

export class Adoption {
  readonly #layouts: LayoutDirectory;
  readonly #repository: string;
  readonly #signal: AbortSignal | undefined;
  /** Right ones that are not flushed yet, with the stamp that they had before they were read. */
  #right = new Map<Digest, string>();
  #looks = 0;

  constructor(layouts: LayoutDirectory, repository: string, signal: AbortSignal | undefined) {
    this.#layouts = layouts;
    this.#repository = repository;
    this.#signal = signal;
  }

  /** Hashes a file. Its bytes are given when there are at most `keepBytesMax`; more are then bad. */
  async check(digest: Digest, keepBytesMax: number | null = null): Promise<Checked> {
    this.#signal?.throwIfAborted();
    this.#looks += 1;
    if (this.#looks % filesPerTurn === 0) await setImmediate();
    try {
      return await this.#check(digest, keepBytesMax);
    } catch (error) {
      if ((error as { code?: unknown } | null)?.code === "ENOENT") return absent;
      return { kind: "bad", problem: fileTrouble(error) };
    }
  }

  /**
   * Flushes the right ones. @returns those whose bytes are safe now: what vanished or was written to meanwhile is
   * left out.
   */
  async settle(): Promise<Digest[]> {
    const right = [...this.#right];
    this.#right = new Map();
    await this.#layouts.flushBlobs(
      this.#repository,
      right.map(([digest]) => digest),
    );
    return right
      .filter(([digest, stamp]) => this.#look(digest)?.stamp === stamp)
      .map(([digest]) => digest);
  }

  async #check(digest: Digest, keepBytesMax: number | null): Promise<Checked> {
    const stat = await this.#plainFile(digest);
    if (stat === null) return absent;
    if (stat === "other") return { kind: "bad", problem: "it is no file" };
    const { sizeBytes, stamp } = stat;
    if (keepBytesMax !== null && sizeBytes > keepBytesMax) {
      return {
        kind: "bad",
        problem: `it has ${sizeBytes} bytes, expected ${keepBytesMax} at most`,
      };
    }
    const whole = keepBytesMax !== null || sizeBytes <= smallBytesMax;
    const bytes = whole ? await this.#layouts.readBlob(this.#repository, digest, sizeBytes) : null;
    if (whole && bytes === null) return absent;
    const actual =
      bytes === null ? await this.#streamed(digest) : digestOf(algorithmOf(digest), bytes);
    if (actual !== digest) return { kind: "bad", problem: "its bytes have another digest" };
    this.#right.set(digest, stamp);
    return { kind: "right", sizeBytes, bytes };
  }

  async #plainFile(digest: Digest): Promise<LooseFile | "other" | null> {
    let found = this.#look(digest);
    if (found?.lying === "link") {
      // A link that leads nowhere is absent, as for every other reader.
      if (!(await this.#layouts.replaceLink(this.#repository, digest))) return null;
      found = this.#look(digest);
    }
    if (found === null) return null;
    return found.lying === "file" ? found : "other";
  }

  async #streamed(digest: Digest): Promise<Digest> {
    const hasher = newHasher(algorithmOf(digest));
    for await (const chunk of this.#layouts.blobPieces(this.#repository, digest)) {
      this.#signal?.throwIfAborted();
      hasher.update(chunk);
    }
    return hasher.digest();
  }

  #look(digest: Digest): LooseFile | null {
    return this.#layouts.lookAtBlob(this.#repository, digest);
  }
}
