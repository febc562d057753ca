// `zot migrate` from a registry of another kind: what it shows, and what it prints at its end.

import type { Config } from "../config/schema.ts";
import { formatBytes } from "../lib/bytes.ts";
import { matchesGlob } from "../lib/glob.ts";
import { takeIn, type TakeInEvent, type TakeInReport } from "../server.ts";
import type { ForeignRegistry } from "../transfer/foreign_registry.ts";
import type { Retries } from "../transfer/retries.ts";
import type { Given, Output } from "./command.ts";
import { parallelOf } from "./copy_progress.ts";
import { globsOf } from "./export.ts";
import { text } from "./registry_flags.ts";
import { inColumns, printable, wantsJson } from "./server_given.ts";

/** Exit status where something could not be moved. */
const lostStatus = 3;
const shownEveryMs = 100;
/** Between two lines for machines that tell how far it is. */
const toldEveryMs = 1_000;

/** Runs the work of the command. Returns the exit status. */
export async function takeInCommand(
  from: ForeignRegistry,
  to: Config,
  { given, output, retries }: { given: Given; output: Output; retries: Retries },
): Promise<number> {
  const isJson = wantsJson(given);
  const isPrepared = given.options["prepare"] === true;
  const globs = globsOf(text(given, "repositories") ?? "**");
  const shown = new Shown(output, isJson);
  try {
    const report = await takeIn(from, to, {
      isPrepared,
      parallel: parallelOf(given),
      retries,
      isChosen: (name) => globs.some((glob) => matchesGlob(glob, name)),
      onEvent: (event) => shown.take(event),
    });
    shown.clear();
    if (isJson) output.out(`${JSON.stringify({ kind: "report", ...report })}\n`);
    else print(report, given, output);
    return report.failures === 0 ? 0 : lostStatus;
  } finally {
    shown.clear();
  }
}

function print(report: TakeInReport, given: Given, output: Output): void {
  const { repositories, images, blobs, manifests, failures } = report;
  const sum = (
    says: string,
    { count, sizeBytes }: { count: number; sizeBytes: number },
  ): string[] => [says, String(count), formatBytes(sizeBytes)];
  output.out(
    inColumns(
      [],
      [
        ["repositories", String(repositories)],
        ["tags and untagged manifests", String(images.copied + images.there)],
        sum("blobs sent", blobs.sent),
        sum("blobs shared there", blobs.mounted),
        sum("blobs there already", blobs.there),
        sum("manifests sent", manifests.sent),
      ],
    ),
  );
  if (failures > 0) {
    output.error(`zot migrate: ${failures} could not be read, and are not there\n`);
  }
  const [from, to] = [given.arguments["from"] ?? "", given.arguments["to"] ?? ""];
  output.out(
    report.isMoved
      ? `Moved. Start it: zot serve ${to}\n`
      : `Not finished yet. Stop the server of the old registry, then: zot migrate ${from} ${to}\n`,
  );
}

class Shown {
  readonly #output: Output;
  readonly #isJson: boolean;
  readonly #count = { repositories: 0, images: 0, bytes: 0 };
  #current = "";
  #shownMs = 0;

  constructor(output: Output, isJson: boolean) {
    this.#output = output;
    this.#isJson = isJson;
  }

  take(event: TakeInEvent): void {
    if (event.kind === "repository") {
      this.#count.repositories += 1;
      this.#current = event.repository;
    }
    if (event.kind === "image") this.#count.images += 1;
    if (event.kind === "bytes") this.#count.bytes += event.bytes;
    if (this.#isJson) this.#tell(event);
    else this.#show(event);
  }

  clear(): void {
    if (this.#shownMs > 0 && this.#output.columns !== undefined && !this.#isJson) {
      this.#output.error("\r\u001B[K");
    }
    this.#shownMs = 0;
  }

  #tell(event: TakeInEvent): void {
    if (event.kind === "begun" || event.kind === "failed") {
      this.#output.out(`${JSON.stringify(event)}\n`);
      return;
    }
    if (this.#isDue(toldEveryMs)) {
      this.#output.out(`${JSON.stringify({ kind: "progress", ...this.#count })}\n`);
    }
  }

  #show(event: TakeInEvent): void {
    if (event.kind === "failed") {
      this.clear();
      const { repository, reference, reason } = event;
      const what = reference === null ? repository : `${repository} ${reference}`;
      this.#output.error(`zot migrate: ${printable(`${what}: ${reason}`)}\n`);
    }
    const { columns } = this.#output;
    if (columns === undefined || !this.#isDue(shownEveryMs)) return;
    const { repositories, images, bytes } = this.#count;
    const line = `${repositories} repositories  ${images} images  ${formatBytes(bytes)}  ${this.#current}`;
    this.#output.error(`\r\u001B[K${printable(line).slice(0, columns - 1)}`);
  }

  #isDue(everyMs: number): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#shownMs < everyMs) return false;
    this.#shownMs = nowMs;
    return true;
  }
}
