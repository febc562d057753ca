// `zot copy`: copies images between registries, OCI layouts and tar archives.
//
// Reads what the command line says, opens both places, and prints what came of it. Exit status: 0 copied (or there
// already), 1 not all of it, 2 a mistake on the command line.

import { formatBytes } from "../lib/bytes.ts";
import type { Platform } from "../oci/descriptor.ts";
import { parseDigest } from "../oci/digest.ts";
import { isTag } from "../oci/reference.ts";
import { subjectOfTag } from "../oci/referrers.ts";
import type { CopiedImage, CopyReport, FailedImage, ImageToCopy } from "../transfer/copy_events.ts";
import { standardPath } from "../transfer/archive_output.ts";
import { copyImages } from "../transfer/copy_images.ts";
import { TransferError, type ImageSource } from "../transfer/image_place.ts";
import { tagOfName } from "../transfer/layout_source.ts";
import { openSource, openTarget } from "../transfer/open_place.ts";
import { labelOf, parsePlaceName, type PlaceName } from "../transfer/place_name.ts";
import { parsePlatform } from "../oci/platform.ts";
import type { Retries } from "../transfer/retries.ts";
import type { Given, Output } from "./command.ts";
import { noProgress, parallelOf, progressOf, type Progress } from "./copy_progress.ts";
import { clientOf } from "./place_client.ts";
import { Mistake, text } from "./registry_flags.ts";
import { inColumns, printable, wantsJson } from "./server_given.ts";
import { beside, runTransfer, userAgent } from "./transfer_failure.ts";

interface CopyRequest {
  readonly from: PlaceName;
  readonly to: PlaceName;
  readonly choice: "one" | "all" | RegExp;
  readonly platforms: readonly Platform[];
  readonly withReferrers: boolean;
  readonly parallel: number;
  readonly isDryRun: boolean;
  readonly isJson: boolean;
}

/** Runs the command. Returns the exit status. */
export function copyCommand(given: Given, terminal: Output): Promise<number> {
  return runTransfer("copy", terminal, async (retries) => {
    const request = requestOf(given);
    const output = beside(request.to.kind === "archive" ? request.to.path : null, terminal);
    const report = await copy(request, given, { output, retries });
    print(request, report, output);
    return report.failed.length === 0 && report.untried === 0 ? 0 : 1;
  });
}

async function copy(
  request: CopyRequest,
  given: Given,
  { output, retries }: { output: Output; retries: Retries },
): Promise<CopyReport> {
  const { from, to, platforms, withReferrers, parallel, isDryRun, isJson } = request;
  const source = await openSource(from, {
    retries,
    client: { ...(await clientOf(given, "from", from)), userAgent },
  });
  try {
    const images = await imagesOf(request, source);
    const client = { ...(await clientOf(given, "to", to)), userAgent };
    const names = images.map(({ tag }) => tag);
    const target = await openTarget(to, { retries, client, source: from, isDryRun, names });
    const progress = isJson || isDryRun ? noProgress : progressOf(output, images.length);
    try {
      return await copyImages({
        source,
        target,
        images,
        platforms,
        withReferrers,
        parallel,
        retries,
        onEvent: (event) => {
          progress.take(event);
          if (event.kind === "image-done") tellDone(request, event.image, { output, progress });
          if (event.kind === "image-failed") tellFailed(request, event.image, { output, progress });
        },
      });
    } finally {
      progress.clear();
      await target.close();
    }
  } finally {
    await source.close();
  }
}

function tellDone(
  { from, isJson, isDryRun }: CopyRequest,
  image: CopiedImage,
  { output, progress }: { output: Output; progress: Progress },
): void {
  if (isJson) return;
  progress.clear();
  const what = image.outcome === "there" ? "is there already" : isDryRun ? "would go" : "copied";
  output.out(`${printable(nameOf(from, image))}  ${image.digest}  ${what}\n`);
  for (const note of image.notes) output.out(`  ${printable(note)}\n`);
}

function tellFailed(
  { from }: CopyRequest,
  image: FailedImage,
  { output, progress }: { output: Output; progress: Progress },
): void {
  progress.clear();
  output.error(`zot copy: ${printable(reasonOf(from, image))}\n`);
}

/** The line says which image it was, where the reason does not. */
function reasonOf(from: PlaceName, image: FailedImage): string {
  const { reason } = image;
  const line = reason instanceof Error ? reason.message : String(reason);
  return line.includes(image.reference) ? line : `${nameOf(from, image)}: ${line}`;
}

function nameOf(from: PlaceName, { reference }: ImageToCopy): string {
  return `${labelOf(from)}${parseDigest(reference) === null ? ":" : "@"}${reference}`;
}

function print(request: CopyRequest, report: CopyReport, output: Output): void {
  const { blobs, images, failed, manifests, referrers, untried } = report;
  if (request.isJson) {
    const reasons = failed.map(({ reason, ...image }) => ({
      ...image,
      reason: reason instanceof Error ? reason.message : String(reason),
    }));
    const document = {
      from: labelOf(request.from),
      to: labelOf(request.to),
      dryRun: request.isDryRun,
      images,
      failed: reasons,
      untried,
      manifests,
      blobs,
      referrers,
    };
    output.out(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  const sum = (
    name: string,
    { count, sizeBytes }: { count: number; sizeBytes: number },
  ): string[] => [name, String(count), formatBytes(sizeBytes)];
  const sent = request.isDryRun ? "to send" : "sent";
  output.out(
    inColumns(
      [],
      [
        sum(`blobs ${sent}`, blobs.sent),
        ...(blobs.mounted.count === 0 ? [] : [sum("blobs mounted", blobs.mounted)]),
        sum("blobs there", blobs.there),
        sum(`manifests ${sent}`, manifests.sent),
        ...(referrers === 0 ? [] : [["signatures and the like", String(referrers)]]),
      ],
    ),
  );
  if (untried > 0) {
    output.error(`zot copy: ${untried} images were not tried after many that failed\n`);
  }
}

/** The images that the command line chose. @throws Mistake, TransferError. */
async function imagesOf(request: CopyRequest, source: ImageSource): Promise<ImageToCopy[]> {
  const { from, to, choice } = request;
  if (choice !== "one") {
    const chosen = (await source.tags()).filter((tag) => choice === "all" || isChosen(choice, tag));
    if (chosen.length > 0)
      return chosen.map((name) => ({ reference: name, tag: tagFor(to, name) }));
    const what = choice === "all" ? "no tags" : `no tag that ${choice.source} fits`;
    throw new TransferError(`${source.label}: there is ${what}`);
  }
  const reference = from.reference ?? (await onlyImage(from, source));
  const named = to.reference ?? (parseDigest(reference) === null ? reference : null);
  if (named !== null) return [{ reference, tag: tagFor(to, named) }];
  const wantsTag = from.reference === null && to.kind === "registry";
  return [{ reference, tag: wantsTag ? "latest" : null }];
}

/** Tags that are about an image go with it. */
function isChosen(choice: RegExp, tag: string): boolean {
  return subjectOfTag(tag) === null && choice.test(tag);
}

/** What a source has when nothing was named. */
async function onlyImage(from: PlaceName, source: ImageSource): Promise<string> {
  if (from.kind === "registry") return "latest";
  const names = await source.tags();
  const [name, ...more] = names.filter((each) => subjectOfTag(each) === null);
  if (name !== undefined && more.length === 0) return name;
  const digest = names.length === 0 ? await source.only() : null;
  if (digest !== null) return digest;
  const known = names.slice(0, 10).join(", ");
  throw new Mistake(
    names.length === 0
      ? `expected the digest of an image behind ${labelOf(from)}@, got none, and it has several`
      : `expected the name of an image behind ${labelOf(from)}:, or --all-tags; there are ${known}`,
  );
}

/** The tag, or the name in a layout, that an image gets. */
function tagFor(to: PlaceName, name: string): string {
  const tag = to.kind === "registry" ? tagOfName(name) : name;
  if (tag !== null) return tag;
  throw new Mistake(`expected a tag behind ${labelOf(to)}:, since '${name}' is none`);
}

/** @throws Mistake. */
function requestOf(given: Given): CopyRequest {
  const [from, to] = [place(given, "from"), place(given, "to")];
  const choice = choiceOf(given);
  if (choice !== "one" && (from.reference !== null || to.reference !== null)) {
    const named = from.reference === null ? to : from;
    throw new Mistake(
      `expected no tag with --all-tags and --tags, got '${named.reference}' behind ${labelOf(named)}`,
    );
  }
  if (to.reference !== null && parseDigest(to.reference) !== null) {
    throw new Mistake(
      `expected a tag behind ${labelOf(to)}, got a digest: that follows from the content`,
    );
  }
  if (to.kind === "registry" && to.reference !== null && !isTag(to.reference)) {
    throw new Mistake(`expected a tag behind ${labelOf(to)}, got '${to.reference}'`);
  }
  if (wantsJson(given) && to.kind === "archive" && to.path === standardPath) {
    throw new Mistake("expected no -f json where the archive goes to standard output");
  }
  return {
    from,
    to,
    choice,
    platforms: platformsOf(given),
    withReferrers: given.options["referrers"] !== false,
    parallel: parallelOf(given),
    isDryRun: given.options["dryRun"] === true,
    isJson: wantsJson(given),
  };
}

function place(given: Given, name: "from" | "to"): PlaceName {
  try {
    return parsePlaceName(given.arguments[name] ?? "");
  } catch (error) {
    if (!(error instanceof TransferError)) throw error;
    throw new Mistake(error.message, { cause: error });
  }
}

function choiceOf(given: Given): CopyRequest["choice"] {
  const pattern = text(given, "tags");
  if (pattern === null) return given.options["allTags"] === true ? "all" : "one";
  if (given.options["allTags"] === true) {
    throw new Mistake("expected --all-tags or --tags, got both");
  }
  try {
    return new RegExp(pattern);
  } catch (cause) {
    throw new Mistake(`expected --tags as a regular expression, got '${pattern}'`, { cause });
  }
}

function platformsOf(given: Given): Platform[] {
  const asked = text(given, "platform");
  return (asked ?? "")
    .split(",")
    .filter((each) => each !== "")
    .map((each) => {
      const platform = parsePlatform(each.trim());
      if (platform !== null) return platform;
      throw new Mistake(`expected --platform as OS/ARCHITECTURE[/VARIANT], got '${each}'`);
    });
}
