// `zot import`: what `zot export` wrote, into a registry on the other side.
//
// Exit status: 0 imported, or there already; 1 not imported, and no tag was changed; 2 a mistake on the command line.

import { formatBytes } from "../lib/bytes.ts";
import type { Digest } from "../oci/digest.ts";
import { openArchive } from "../transfer/archive_files.ts";
import { proveExport, readExportDigest } from "../transfer/import_archive.ts";
import { importImages, type ImportReport } from "../transfer/import_images.ts";
import type { Retries } from "../transfer/retries.ts";
import type { Given, Output } from "./command.ts";
import { noProgress, parallelOf, progressOf } from "./copy_progress.ts";
import { Mistake, text } from "./registry_flags.ts";
import { inColumns, wantsJson } from "./server_given.ts";
import { clientFor, runTransfer } from "./transfer_failure.ts";

/** Runs the command. Returns the exit status. */
export function importCommand(given: Given, output: Output): Promise<number> {
  return runTransfer("import", output, (retries) => run(given, output, retries));
}

async function run(given: Given, output: Output, retries: Retries): Promise<number> {
  const path = given.arguments["archive"] ?? "";
  const server = given.arguments["registry"] ?? "";
  const isJson = wantsJson(given);
  const isDryRun = given.options["dryRun"] === true;
  const expected = expectedDigest(given);
  const parallel = parallelOf(given);
  const files = await openArchive(path, `'${path}'`);
  const progress = isJson || isDryRun ? noProgress : progressOf(output, 1);
  try {
    const proven = await proveExport(files, { expected, signal: retries.signal });
    const client = await clientFor(given, server);
    try {
      const report = await importImages({
        files,
        proven,
        client,
        server: server.replace(/^https?:\/\//, "").replace(/\/$/, ""),
        retries,
        parallel,
        isDryRun,
        isForced: given.options["force"] === true,
        onEvent: (event) => progress.take(event),
      });
      progress.clear();
      print(report, { output, isJson, isDryRun, digest: proven.digest });
      return 0;
    } finally {
      client.close();
    }
  } finally {
    progress.clear();
    await files.close();
  }
}

function expectedDigest(given: Given): Digest | null {
  const asked = text(given, "digest");
  if (asked === null) return null;
  const digest = readExportDigest(asked);
  if (digest !== null) return digest;
  throw new Mistake(`expected --digest as 'zot export' printed it, got '${asked}'`);
}

function print(
  report: ImportReport,
  {
    output,
    isJson,
    isDryRun,
    digest,
  }: { output: Output; isJson: boolean; isDryRun: boolean; digest: Digest },
): void {
  if (isJson) {
    output.out(`${JSON.stringify({ digest, dryRun: isDryRun, ...report }, null, 2)}\n`);
    return;
  }
  const { tags, manifests, blobs, oneByOne } = report;
  if (isDryRun) {
    output.out(`${digest} fits: ${tags.set} tags would be set, ${tags.there} are there\n`);
    return;
  }
  output.out(
    inColumns(
      [],
      [
        ["tags set", String(tags.set)],
        ["tags there", String(tags.there)],
        ["manifests sent", String(manifests.sent.count), formatBytes(manifests.sent.sizeBytes)],
        ["blobs sent", String(blobs.sent.count), formatBytes(blobs.sent.sizeBytes)],
        ["blobs mounted", String(blobs.mounted.count), formatBytes(blobs.mounted.sizeBytes)],
        ["blobs there", String(blobs.there.count), formatBytes(blobs.there.sizeBytes)],
      ],
    ),
  );
  if (oneByOne.length > 0) {
    output.out(`this registry cannot set tags at once: they were set one after the other\n`);
  }
}
