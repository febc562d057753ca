// What `zot copy` and its like show while they run: a bar on a terminal, lines elsewhere.

import { formatBytes } from "../lib/bytes.ts";
import type { CopyEvent } from "../transfer/copy_events.ts";
import { parallelDefault, parallelMax } from "../transfer/copy_images.ts";
import type { Given, Output } from "./command.ts";
import { Mistake, text } from "./registry_flags.ts";

const barWidth = 24;
const shownEveryMs = 100;
/** Smaller blobs get no line of their own. */
const lineBytesMin = 1024 * 1024;

export interface Progress {
  take(event: CopyEvent): void;
  /** Clears the bar before something else is printed. */
  clear(): void;
}

/** Shows on standard error: a bar where standard output is a terminal, else a line for each large blob. */
export function progressOf(output: Output, images: number): Progress {
  return output.columns === undefined
    ? new ProgressLines(output)
    : new ProgressBar(output, images, output.columns);
}

/** For `--format json`: nothing is shown. */
export const noProgress: Progress = { take: () => {}, clear: () => {} };

class ProgressLines implements Progress {
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
  }

  take(event: CopyEvent): void {
    if (event.kind !== "blob-begun" || event.sizeBytes < lineBytesMin) return;
    this.#output.error(`blob ${event.digest} ${formatBytes(event.sizeBytes)}\n`);
  }

  clear(): void {}
}

class ProgressBar implements Progress {
  readonly #output: Output;
  readonly #images: number;
  readonly #columns: number;
  #done = 0;
  #wantedBytes = 0;
  #movedBytes = 0;
  #current = "";
  #startMs: number | null = null;
  #shownMs = 0;

  constructor(output: Output, images: number, columns: number) {
    this.#output = output;
    this.#images = images;
    this.#columns = columns;
  }

  take(event: CopyEvent): void {
    if (event.kind === "image-begun") this.#current = event.image.tag ?? event.image.reference;
    if (event.kind === "image-done" || event.kind === "image-failed") this.#done += 1;
    if (event.kind === "blob-begun") this.#wantedBytes += event.sizeBytes;
    if (event.kind === "bytes") this.#movedBytes += event.bytes;
    const nowMs = performance.now();
    this.#startMs ??= nowMs;
    if (nowMs - this.#shownMs < shownEveryMs) return;
    this.#shownMs = nowMs;
    this.#show((nowMs - this.#startMs) / 1000);
  }

  clear(): void {
    this.#output.error("\r\u001B[K");
    this.#shownMs = 0;
  }

  #show(seconds: number): void {
    // Bytes that were read twice, after something broke off, are no progress.
    const moved = Math.min(this.#movedBytes, this.#wantedBytes);
    const share = this.#wantedBytes === 0 ? 0 : moved / this.#wantedBytes;
    const filled = Math.round(share * barWidth);
    const bar = "█".repeat(filled) + "░".repeat(barWidth - filled);
    const speed = seconds < 1 ? "" : `  ${formatBytes(Math.round(moved / seconds))}/s`;
    const count = this.#images > 1 ? `  ${this.#done}/${this.#images} images` : "";
    const line = `${bar} ${formatBytes(moved)} of ${formatBytes(this.#wantedBytes)}${speed}${count}  ${this.#current}`;
    this.#output.error(`\r\u001B[K${line.slice(0, this.#columns - 1)}`);
  }
}

/** How many blobs move at once. @throws Mistake. */
export function parallelOf(given: Given): number {
  const asked = text(given, "parallel");
  const value = asked === null ? parallelDefault : Number(asked);
  if (Number.isInteger(value) && value >= 1 && value <= parallelMax) return value;
  throw new Mistake(`expected --parallel from 1 to ${parallelMax}, got '${asked}'`);
}
