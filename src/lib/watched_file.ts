/**
 * Content that follows its file: read once at the start, and again whenever the file is another.
 *
 * A look at the file costs one `stat` and is taken when the content is asked for, at most every `lookMs`; nothing runs
 * in between. What counts is what the path leads to, so that a volume which swaps a link in the middle of the path
 * (Kubernetes' `..data`) is noticed like a rename or a write in place.
 *
 * A file is read once it has not changed for `settleMs`, so that a half-written file is not read. When the file is gone
 * or does not parse, the old content stays in force and the problem is reported once.
 */
import { readFileSync, statSync } from "node:fs";
import type { Clock } from "./clock.ts";
import { whyUnreadable } from "./why_unreadable.ts";

export interface WatchedFileOptions<T> {
  readonly path: string;
  /** Turns the file's bytes into content. @throws with one line for what is wrong. */
  readonly parse: (bytes: Uint8Array) => T;
  readonly clock: Clock;
  /** A changed file was taken in, or could not be: then the line says why. */
  readonly onChange: (problem: string | null) => void;
  readonly bytesMax?: number;
}

/** How long the content is taken to be that of the file without looking. */
const lookMs = 250;
/** A file that changed a shorter time ago may still be written to. */
const settleMs = 150;
const bytesMaxDefault = 16 * 1024 * 1024;

export class WatchedFile<T> {
  readonly #options: WatchedFileOptions<T>;
  #content: T;
  /** Stamp of the content; and of the file that was seen last and is not taken in yet. */
  #stamp: string;
  #seen: string;
  #seenAtMs = 0;
  #lookedAtMs: number;
  #version = 1;
  /** The problem that was told last and is still there. */
  #told: string | null = null;

  /** @throws with one line for the operator when the file cannot be read or parsed. */
  constructor(options: WatchedFileOptions<T>) {
    this.#options = options;
    this.#stamp = stampOf(options.path)?.stamp ?? "";
    this.#seen = this.#stamp;
    this.#content = this.#parse(this.#read());
    this.#lookedAtMs = options.clock.monotonicMs();
  }

  /** The content of the file as it is now. */
  get content(): T {
    this.#look();
    return this.#content;
  }

  /** Grows with every change of the content. */
  get version(): number {
    this.#look();
    return this.#version;
  }

  /** Takes the file as it is now, whether it changed or not, and tells of it as of a change. */
  readNow(): void {
    this.#told = null;
    this.#take(stampOf(this.#options.path)?.stamp ?? "");
  }

  #look(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#lookedAtMs < lookMs) return;
    this.#lookedAtMs = nowMs;
    const found = stampOf(this.#options.path);
    const stamp = found?.stamp ?? "";
    if (stamp === this.#stamp) {
      this.#told = null;
      return;
    }
    if (!this.#isSettled(stamp, found?.changedAtMs ?? 0, nowMs)) return;
    this.#take(stamp);
  }

  /** The file rests: its last change is old enough, or it looked the same a while ago. */
  #isSettled(stamp: string, changedAtMs: number, nowMs: number): boolean {
    if (stamp !== this.#seen) {
      this.#seen = stamp;
      this.#seenAtMs = nowMs;
    }
    const ageMs = this.#options.clock.now() - changedAtMs;
    return ageMs >= settleMs || nowMs - this.#seenAtMs >= settleMs;
  }

  /**
   * What was read counts as taken in, also when it does not parse. A read that fails may have been for lack of
   * descriptors, and is tried again at the next look.
   */
  #take(stamp: string): void {
    try {
      const bytes = this.#read();
      this.#stamp = stamp;
      this.#content = this.#parse(bytes);
      this.#version += 1;
      this.#told = null;
      this.#options.onChange(null);
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      if (problem !== this.#told) this.#options.onChange(problem);
      this.#told = problem;
    }
  }

  #read(): Uint8Array {
    const { path } = this.#options;
    try {
      return readFileSync(path);
    } catch (error) {
      throw new Error(`${path}: expected a file that can be read, got ${whyUnreadable(error)}`, {
        cause: error,
      });
    }
  }

  #parse(bytes: Uint8Array): T {
    const { path, parse, bytesMax = bytesMaxDefault } = this.#options;
    if (bytes.length > bytesMax) {
      throw new Error(`${path}: expected a file of up to ${bytesMax} bytes, got ${bytes.length}`);
    }
    return parse(bytes);
  }
}

/** What tells one state of a file from another; null when there is none. */
function stampOf(path: string): { stamp: string; changedAtMs: number } | null {
  try {
    const stat = statSync(path, { bigint: true });
    return {
      stamp: [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(" "),
      changedAtMs: Number(stat.ctimeMs > stat.mtimeMs ? stat.ctimeMs : stat.mtimeMs),
    };
  } catch {
    return null;
  }
}
