// What `zot migrate` shows while it runs: a bar on a terminal, lines for machines, and what is damaged in any case.

import { formatBytes } from "../lib/bytes.ts";
import type { LostContent, MoveEvent } from "../server.ts";
import type { Output } from "./command.ts";
import { printable } from "./server_given.ts";

const barWidth = 24;
const shownEveryMs = 100;
/** Between two lines for machines that tell how far it is. */
const toldEveryMs = 1_000;

export interface MoveProgress {
  take(event: MoveEvent): void;
  /** Clears the bar before something else is printed. */
  clear(): void;
}

export function moveProgress(output: Output, isJson: boolean): MoveProgress {
  if (isJson) return new Lines(output);
  return output.columns === undefined ? new Plain(output) : new Bar(output, output.columns);
}

/** How far it is. */
class Count {
  contents = 0;
  /** Of all digests, each once: read so far, or there already. */
  bytes = 0;
  estimateBytes: number | null = null;

  take(event: MoveEvent): void {
    if (event.kind === "begun") this.estimateBytes = event.estimate?.bytes ?? null;
    if (event.kind === "bytes") this.bytes += event.bytes;
    if (event.kind !== "arrived") return;
    this.contents += 1;
    if (event.how === "there" && !event.isRepeated) this.bytes += event.sizeBytes;
  }
}

class Plain implements MoveProgress {
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
  }

  take(event: MoveEvent): void {
    if (event.kind === "lost") this.#output.error(`zot migrate: ${lostLine(event.content)}\n`);
  }

  clear(): void {}
}

class Lines implements MoveProgress {
  readonly #output: Output;
  readonly #count = new Count();
  #toldMs = performance.now();

  constructor(output: Output) {
    this.#output = output;
  }

  take(event: MoveEvent): void {
    this.#count.take(event);
    if (event.kind === "begun" || event.kind === "lost" || event.kind === "table") {
      this.#output.out(`${JSON.stringify(event)}\n`);
      return;
    }
    const nowMs = performance.now();
    if (nowMs - this.#toldMs < toldEveryMs) return;
    this.#toldMs = nowMs;
    const { contents, bytes, estimateBytes } = this.#count;
    this.#output.out(`${JSON.stringify({ kind: "progress", contents, bytes, estimateBytes })}\n`);
  }

  clear(): void {}
}

class Bar implements MoveProgress {
  readonly #output: Output;
  readonly #columns: number;
  readonly #count = new Count();
  #what = "";
  #startMs: number | null = null;
  #shownMs = 0;

  constructor(output: Output, columns: number) {
    this.#output = output;
    this.#columns = columns;
  }

  take(event: MoveEvent): void {
    this.#count.take(event);
    if (event.kind === "table") this.#what = `rows of ${event.table}`;
    if (event.kind === "lost") {
      this.clear();
      this.#output.error(`zot migrate: ${lostLine(event.content)}\n`);
    }
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
    const { bytes, contents, estimateBytes } = this.#count;
    // It was counted before, and may have grown.
    const wanted = Math.max(bytes, estimateBytes ?? bytes);
    const filled = wanted === 0 ? 0 : Math.round((bytes / wanted) * barWidth);
    const bar = "█".repeat(filled) + "░".repeat(barWidth - filled);
    const speed = seconds < 1 ? "" : `  ${formatBytes(Math.round(bytes / seconds))}/s`;
    const line = `${bar} ${formatBytes(bytes)} of ${formatBytes(wanted)}${speed}  ${contents} contents  ${this.#what}`;
    this.#output.error(`\r\u001B[K${line.slice(0, this.#columns - 1)}`);
  }
}

/** One line for content that could not be moved. */
function lostLine({ repository, digest, tags }: LostContent): string {
  const named = tags.length === 0 ? "no tag leads to it" : `tags ${tags.join(", ")}`;
  return printable(`${repository}@${digest} is damaged or missing: ${named}`);
}
