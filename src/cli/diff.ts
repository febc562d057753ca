// `zot diff`: what differs between two images of any registries, layouts or archives.

import { compareImages, type ImageComparison, type ToldSide } from "../inspect/compare_images.ts";
import type { ValueChange } from "../inspect/compare_values.ts";
import {
  compareImageFiles,
  comparedMsMax,
  type FileComparison,
} from "../inspect/files/compare_image_files.ts";
import { listLayer, readBytesMax } from "../inspect/files/layer_listing.ts";
import { LayerProblem } from "../inspect/files/layer_problem.ts";
import type { ImageContent } from "../inspect/image_content.ts";
import { layersOf, seeManifest, type SeenManifest } from "../inspect/seen_manifest.ts";
import { formatBytes } from "../lib/bytes.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { parseDigest } from "../oci/digest.ts";
import { TransferError } from "../transfer/image_place.ts";
import type { PlaceName } from "../transfer/place_name.ts";
import type { Retries } from "../transfer/retries.ts";
import { paint, shortDigest } from "./colours.ts";
import type { Given, Output } from "./command.ts";
import {
  asksForJson,
  clientsOf,
  contentOf,
  imageName,
  parseLookedAt,
  platformGiven,
  referenceOf,
  usualPlatforms,
  withPlace,
} from "./looked_at.ts";
import { inColumns, printable } from "./server_given.ts";
import { runLook } from "./transfer_failure.ts";

/** With `--exit-code`, for images that differ. */
const differStatus = 3;
/** Lines of a part; JSON has more. */
const linesMax = 100;
const valueLengthMax = 80;

/** Returns the exit status. */
export function diffCommand(given: Given, output: Output): Promise<number> {
  return runLook("diff", output, async (retries) => {
    const places = ["a", "b"].map((name) => parseLookedAt(given.arguments[name] ?? ""));
    const [placeA, placeB] = places;
    if (placeA === undefined || placeB === undefined) throw new Error("two arguments are required");
    const isJson = asksForJson(given);
    const platforms = { asked: platformGiven(given), usual: usualPlatforms() };
    const clientOf = await clientsOf(given, places);
    const open = async <T>(place: PlaceName, work: (side: Side) => Promise<T>): Promise<T> =>
      withPlace(place, { retries, client: await clientOf(place) }, async (source) => {
        const reference = await referenceOf(place, source);
        const content = contentOf(source, retries);
        const name = imageName(place, reference);
        const root = await seeManifest(content, reference);
        if (root === null) throw new TransferError(`${name}: it is not there`);
        return work({ name, content, root });
      });
    return open(placeA, (a) =>
      open(placeB, async (b) => {
        const { told, images } = await compareImages(a, b, platforms);
        const files =
          given.options["files"] === true
            ? await filesOf({ a, b }, images, { retries, output, isJson })
            : null;
        const names = { a: a.name, b: b.name };
        output.out(
          isJson
            ? `${JSON.stringify({ names, ...told, files }, null, 2)}\n`
            : page({ told, files, names }, output),
        );
        if (files !== null && "problem" in files) return 1;
        const isDifferent = told.a.digest !== told.b.digest;
        return isDifferent && given.options["exitCode"] === true ? differStatus : 0;
      }),
    );
  });
}

interface Side {
  readonly name: string;
  readonly content: ImageContent;
  readonly root: SeenManifest;
}

interface Sides<T> {
  readonly a: T;
  readonly b: T;
}

/** Reads the layers of both: each once, wherever it is. */
async function filesOf(
  sides: Sides<Side>,
  images: Sides<SeenManifest>,
  {
    retries,
    output,
    isJson,
  }: { readonly retries: Retries; readonly output: Output; readonly isJson: boolean },
): Promise<FileComparison> {
  const layers = { a: layersOf(images.a), b: layersOf(images.b) };
  const sizes = new Map([...layers.a, ...layers.b].map(({ digest, size }) => [digest, size]));
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  if (!isJson && output.columns !== undefined) {
    output.error(`reading ${formatBytes(bytes)} of ${sizes.size} layers\n`);
  }
  const budget = { bytesLeft: readBytesMax };
  const signal = AbortSignal.any([retries.signal, AbortSignal.timeout(comparedMsMax)]);
  const list = async ({ digest: text, size: sizeBytes }: Descriptor, side: "a" | "b") => {
    const digest = parseDigest(text);
    const blob = digest === null ? null : await sides[side].content.blob({ digest, sizeBytes });
    if (blob === null) throw new LayerProblem("it is not there");
    return listLayer(blob, { budget, signal });
  };
  return compareImageFiles(layers, list);
}

interface Shown {
  readonly told: ImageComparison;
  readonly files: FileComparison | null;
  readonly names: Sides<string>;
}

function page({ told, files, names }: Shown, output: Output): string {
  const lines = new Lines(output);
  lines.add("-", sideLine(names.a, told.a));
  lines.add("+", sideLine(names.b, told.b));
  if (told.isSame) {
    lines.plain("\nthey are the same manifest\n");
    return lines.text();
  }
  platformPart(told, lines);
  valuePart("Config", told.config, lines);
  valuePart("Annotations", told.annotations, lines);
  layerPart(told, lines);
  packagePart(told, lines);
  filePart(told, files, lines);
  return lines.text();
}

/** Lines with a sign, in columns for each part, coloured on a terminal. */
class Lines {
  readonly #colour: ReturnType<typeof paint>;
  readonly #parts: string[] = [];
  #rows: { sign: "+" | "-" | "~"; cells: readonly string[] }[] = [];
  #left = 0;

  constructor({ colour }: Output) {
    this.#colour = paint(colour);
  }

  title(text: string): void {
    this.#flush();
    this.#parts.push(`\n${this.#colour("bold", printable(text))}\n`);
  }

  add(sign: "+" | "-" | "~", cells: readonly string[]): void {
    if (this.#rows.length < linesMax) this.#rows.push({ sign, cells });
    else this.#left += 1;
  }

  plain(text: string): void {
    this.#flush();
    this.#parts.push(text);
  }

  text(): string {
    this.#flush();
    return this.#parts.join("");
  }

  #flush(): void {
    const lines = inColumns(
      [],
      this.#rows.map(({ sign, cells }) => [sign, ...cells]),
    ).split("\n");
    for (const [at, { sign }] of this.#rows.entries()) {
      const colour = { "+": "green", "-": "red", "~": "yellow" } as const;
      this.#parts.push(`${this.#colour(colour[sign], lines[at] ?? "")}\n`);
    }
    if (this.#left > 0) this.#parts.push(`${this.#left} more; --json has more of them\n`);
    this.#rows = [];
    this.#left = 0;
  }
}

function sideLine(name: string, side: ToldSide): string[] {
  const { digest, label, platform, sizeBytes } = side;
  return [name, shortDigest(digest), label, platform ?? "-", formatBytes(sizeBytes)];
}

function platformPart({ platforms, a, b }: ImageComparison, lines: Lines): void {
  if (platforms !== null) {
    const { added, removed, changed, same } = platforms;
    lines.title("Platforms");
    for (const name of removed) lines.add("-", [name]);
    for (const name of added) lines.add("+", [name]);
    for (const name of changed) lines.add("~", [name]);
    if (same.length > 0) lines.plain(`the same: ${same.join(", ")}\n`);
  }
  if (a.digest === a.imageDigest && b.digest === b.imageDigest) return;
  const [one, other] = [a, b].map(({ platform }) => platform ?? "an image without a platform");
  const of = one === other ? one : `${one} and ${other}`;
  lines.plain(`${platforms === null ? "\n" : ""}what follows is of ${of}\n`);
}

function valuePart(title: string, changes: readonly ValueChange[], lines: Lines): void {
  if (changes.length === 0) return;
  lines.title(title);
  for (const { path, before, after } of changes) {
    if (before === null) lines.add("+", [path, cut(after ?? "")]);
    else if (after === null) lines.add("-", [path, cut(before)]);
    else lines.add("~", [path, `${cut(before)} -> ${cut(after)}`]);
  }
}

function layerPart({ layers, layerBytes, a, b }: ImageComparison, lines: Lines): void {
  const common = layers.filter(({ in: where }) => where === "both").length;
  const grown = b.sizeBytes - a.sizeBytes;
  lines.title(`Layers (${grown < 0 ? "-" : "+"}${formatBytes(Math.abs(grown))})`);
  for (const { in: where, digest, sizeBytes, from } of layers) {
    if (where === "both") continue;
    lines.add(where === "a" ? "-" : "+", [
      shortDigest(digest),
      formatBytes(sizeBytes),
      cut(from ?? ""),
    ]);
  }
  lines.plain(`the same: ${common} layers, ${formatBytes(layerBytes.both)}\n`);
}

function packagePart({ packages }: ImageComparison, lines: Lines): void {
  if (packages === null) return;
  lines.title("Packages");
  for (const { name, version, type } of packages.removed)
    lines.add("-", [name, version, type ?? ""]);
  for (const { name, version, type } of packages.added) lines.add("+", [name, version, type ?? ""]);
  for (const { name, before, after, type } of packages.changed) {
    lines.add("~", [name, `${before} -> ${after}`, type ?? ""]);
  }
  lines.plain(`the same: ${packages.counts.same}\n`);
}

function filePart(told: ImageComparison, files: FileComparison | null, lines: Lines): void {
  const { layerBytes } = told;
  if (files === null) {
    if (layerBytes.a + layerBytes.b === 0) return;
    const bytes = layerBytes.both + layerBytes.a + layerBytes.b;
    lines.plain(
      `\nfiles were not compared; --files reads ${formatBytes(bytes)} of layers for that\n`,
    );
    return;
  }
  lines.title("Files");
  if ("problem" in files) {
    lines.plain(`they cannot be compared: ${printable(files.problem)}\n`);
    return;
  }
  for (const { path, sizeBytes } of files.removed) lines.add("-", [path, formatBytes(sizeBytes)]);
  for (const { path, sizeBytes } of files.added) lines.add("+", [path, formatBytes(sizeBytes)]);
  for (const { path, sizeBytes, sizeBytesBefore, what } of files.changed) {
    const size =
      sizeBytes === sizeBytesBefore
        ? formatBytes(sizeBytes)
        : `${formatBytes(sizeBytesBefore)} -> ${formatBytes(sizeBytes)}`;
    lines.add("~", [path, size, what.join(", ")]);
  }
  const { added, removed, changed, same } = files.counts;
  lines.plain(
    `${added} added (${formatBytes(files.addedBytes)}), ${removed} removed (${formatBytes(files.removedBytes)}), ` +
      `${changed} changed, ${same} the same\n`,
  );
}

function cut(value: string): string {
  const line = printable(value.replaceAll(/\s+/g, " "));
  return line.length > valueLengthMax ? `${line.slice(0, valueLengthMax)}…` : line;
}
