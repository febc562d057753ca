// `zot export`: repositories of a registry into one archive, for a side that no network reaches.
//
// Exit status: 0 exported, or nothing is new; 1 not exported; 2 a mistake on the command line.

import { writeFile } from "node:fs/promises";
import { formatBytes } from "../lib/bytes.ts";
import { matchesGlob, parseGlob, type Glob } from "../lib/glob.ts";
import { standardPath } from "../transfer/archive_output.ts";
import { openArchive } from "../transfer/archive_files.ts";
import {
  checkpointFile,
  documentBytesMax,
  formatCheckpoint,
  parseCheckpoint,
  type Checkpoint,
} from "../transfer/export_format.ts";
import { exportImages, type ExportReport } from "../transfer/export_images.ts";
import { DirectoryFiles, readWhole } from "../transfer/layout_files.ts";
import { TransferError } from "../transfer/image_place.ts";
import type { Retries } from "../transfer/retries.ts";
import type { Given, Output } from "./command.ts";
import { noProgress, parallelOf, progressOf } from "./copy_progress.ts";
import { Mistake, text } from "./registry_flags.ts";
import { inColumns, wantsJson } from "./server_given.ts";
import { beside, clientFor, runTransfer } from "./transfer_failure.ts";

/** Runs the command. Returns the exit status. */
export function exportCommand(given: Given, output: Output): Promise<number> {
  return runTransfer("export", output, (retries) =>
    run(given, beside(text(given, "output"), output), retries),
  );
}

async function run(given: Given, output: Output, retries: Retries): Promise<number> {
  const server = given.arguments["registry"] ?? "";
  const globs = globsOf(given.arguments["repositories"] ?? "**");
  const path = text(given, "output");
  const checkpointPath = text(given, "checkpoint");
  const isJson = wantsJson(given);
  const isDryRun = given.options["dryRun"] === true;
  if (path === null && checkpointPath === null && !isDryRun) {
    throw new Mistake("expected the file of the archive (-o FILE), or --checkpoint or --dry-run");
  }
  if (isJson && path === standardPath) {
    throw new Mistake("expected no -f json where the archive goes to standard output");
  }
  const parallel = parallelOf(given);
  const since = await checkpointIn(text(given, "since"));
  const client = await clientFor(given, server);
  const progress = isJson || path === null ? noProgress : progressOf(output, 1);
  try {
    const report = await exportImages({
      client,
      server: server.replace(/^https?:\/\//, "").replace(/\/$/, ""),
      isChosen: (name) => globs.some((glob) => matchesGlob(glob, name)),
      since,
      path: isDryRun ? null : path,
      parallel,
      retries,
      onEvent: (event) => progress.take(event),
    });
    progress.clear();
    if (checkpointPath !== null && !isDryRun) await writeCheckpoint(checkpointPath, report);
    const isWritten = path !== null && !isDryRun && report.digest !== null;
    print(report, { output, isJson, path: isWritten ? path : null });
    return 0;
  } finally {
    progress.clear();
    client.close();
  }
}

/** @throws Mistake. */
export function globsOf(given: string): Glob[] {
  return given.split(",").map((each) => {
    const parsed = parseGlob(each.trim());
    if ("glob" in parsed && each.trim() !== "") return parsed.glob;
    throw new Mistake(`expected repositories as names or globs such as team/**, got '${given}'`);
  });
}

/** A checkpoint of its own, or the one in an archive. */
async function checkpointIn(path: string | null): Promise<Checkpoint> {
  if (path === null) return new Map();
  const label = `'${path}'`;
  if (path.endsWith(".json")) {
    const bytes = await readWhole(new DirectoryFiles("", label), path, documentBytesMax);
    if (bytes === null) throw new TransferError(`${label}: there is no such file`);
    return parseCheckpoint(bytes, label);
  }
  const files = await openArchive(path, label);
  try {
    const bytes = await readWhole(files, checkpointFile, documentBytesMax);
    if (bytes !== null) return parseCheckpoint(bytes, label);
    throw new TransferError(
      `${label}: there is no checkpoint in it; expected an archive of zot export`,
    );
  } finally {
    await files.close();
  }
}

async function writeCheckpoint(path: string, { checkpoint }: ExportReport): Promise<void> {
  if (!path.endsWith(".json")) {
    throw new Mistake(`expected --checkpoint with a name that ends in .json, got '${path}'`);
  }
  try {
    await writeFile(path, formatCheckpoint(checkpoint));
  } catch (cause) {
    throw new Mistake(`expected to write to '${path}'; that cannot be done`, { cause });
  }
}

function print(
  report: ExportReport,
  { output, isJson, path }: { output: Output; isJson: boolean; path: string | null },
): void {
  const { checkpoint, ...told } = report;
  if (isJson) {
    output.out(`${JSON.stringify({ ...told, archive: path }, null, 2)}\n`);
    return;
  }
  if (report.digest === null) {
    output.out(`nothing is new in ${checkpoint.size} repositories; no archive was written\n`);
    return;
  }
  output.out(
    inColumns(
      [],
      [
        ["repositories", String(report.repositories)],
        ["tags", String(report.tags)],
        ["manifests", String(report.manifests.count), formatBytes(report.manifests.sizeBytes)],
        ["blobs", String(report.blobs.count), formatBytes(report.blobs.sizeBytes)],
        ...(report.gone === 0 ? [] : [["tags gone", String(report.gone)]]),
      ],
    ),
  );
  if (path !== null) output.out(`${path}  ${report.digest}\n`);
}
