// `zot inspect`: what an image or artifact is, of any registry, layout or archive.

import { inspectImage, type ToldImage, type ToldImageParts } from "../inspect/inspect_image.ts";
import { artifactCommands } from "../oci/artifact_commands.ts";
import { artifactKindOfId } from "../oci/artifact_kinds.ts";
import { parseDigest } from "../oci/digest.ts";
import { formatBytes } from "../lib/bytes.ts";
import { parseRegistryUrl } from "../client/registry_url.ts";
import { TransferError } from "../transfer/image_place.ts";
import type { PlaceName } from "../transfer/place_name.ts";
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

/** Characters of a command or a value on one line. */
const valueLengthMax = 100;
/** Lines of a part; JSON has all of them. */
const linesMax = 40;

/** Returns the exit status. */
export function inspectCommand(given: Given, output: Output): Promise<number> {
  return runLook("inspect", output, async (retries) => {
    const place = parseLookedAt(given.arguments["image"] ?? "");
    const platforms = { asked: platformGiven(given), usual: usualPlatforms() };
    const isJson = asksForJson(given);
    const client = await (await clientsOf(given, [place]))(place);
    return withPlace(place, { retries, client }, async (source) => {
      const reference = await referenceOf(place, source);
      const told = await inspectImage(contentOf(source, retries), reference, platforms);
      const name = imageName(place, reference);
      if (told === null) throw new TransferError(`${name}: it is not there`);
      output.out(
        isJson
          ? `${JSON.stringify({ name, ...told }, null, 2)}\n`
          : page(told, { name, place, output }),
      );
      return 0;
    });
  });
}

interface Shown {
  readonly name: string;
  readonly place: PlaceName;
  readonly output: Output;
}

function page(told: ToldImage, { name, place, output }: Shown): string {
  const title = (text: string): string => `${paint(output.colour)("bold", text)}\n`;
  const { image, platforms, referrers } = told;
  const about: [string, string][] = [
    ["Name", name],
    ["Kind", kindShown(told)],
    ["Digest", told.digest],
    ["Media type", told.mediaType],
    ["Size", formatBytes(told.sizeBytes)],
    ...(told.subject === null ? [] : [["About", told.subject] satisfies [string, string]]),
  ];
  return [
    pairs(about),
    ...(platforms.length === 0 ? [] : [`\n${title("Images")}`, platformTable(told)]),
    ...(image === null ? [] : imageSections(image, { title, isIndex: platforms.length > 0 })),
    ...section("Annotations", told.annotations, title),
    ...(referrers.length === 0 ? [] : [`\n${title("Refers to it")}`, referrerTable(told)]),
    ...commandSection(told, { place, title }),
  ].join("");
}

/** The type of an image says nothing more. */
function kindShown({ kind, label, artifactType }: ToldImage): string {
  return artifactType === null || kind === "image" ? label : `${label} (${artifactType})`;
}

type Title = (text: string) => string;

function imageSections(
  image: ToldImageParts,
  { title, isIndex }: { readonly title: Title; readonly isIndex: boolean },
): string[] {
  const { summary, environment, labels, layers, platform } = image;
  const of = isIndex ? ` (${platform ?? shortDigest(image.digest)})` : "";
  const own: [string, string][] = platform === null || isIndex ? [] : [["Platform", platform]];
  const told = [...own, ...summary];
  return [
    ...(told.length === 0 ? [] : [`\n${title(`Config${of}`)}`, pairs(told)]),
    ...(environment.length === 0 ? [] : [`\n${title(`Environment${of}`)}`, list(environment)]),
    ...section(`Labels${of}`, labels, title),
    ...(layers.length === 0
      ? []
      : [
          `\n${title(`Layers${of}`)}`,
          limited(
            layers.map(({ digest, sizeBytes, from }) => [
              shortDigest(digest),
              formatBytes(sizeBytes),
              cut(from ?? ""),
            ]),
          ),
        ]),
  ];
}

function platformTable({ platforms }: ToldImage): string {
  return limited(
    platforms.map(({ platform, digest, kind, sizeBytes }) => [
      platform ?? artifactKindOfId(kind)?.label ?? kind,
      shortDigest(digest),
      sizeBytes === null ? "-" : formatBytes(sizeBytes),
    ]),
  );
}

function referrerTable({ referrers, digest: root }: ToldImage): string {
  return limited(
    referrers.map(({ label, artifactType, digest, subject, annotations }) => [
      label,
      shortDigest(digest),
      artifactType ?? "-",
      annotations["org.opencontainers.image.created"] ?? "-",
      subject === root ? "" : `of ${shortDigest(subject)}`,
    ]),
  );
}

/** How clients fetch it, where it is in a registry. */
function commandSection(
  told: ToldImage,
  { place, title }: { readonly place: PlaceName; readonly title: Title },
): string[] {
  const kind = artifactKindOfId(told.kind);
  if (place.kind !== "registry" || kind === null) return [];
  const { origin } = parseRegistryUrl(place.server);
  const isHub = place.server === "registry-1.docker.io";
  const isDigest = parseDigest(told.reference) !== null;
  const lines = artifactCommands(kind, {
    host: isHub ? "docker.io" : hostOf(place.server),
    isTls: origin.tls,
    repository: place.repository,
    tag: isDigest ? null : told.reference,
    digest: isDigest ? told.digest : null,
    subject: told.subject,
  });
  return [
    `\n${title("Commands")}`,
    inColumns(
      [],
      lines.map(([client, line]) => [client, line]),
    ),
  ];
}

function hostOf(server: string): string {
  return server.replace(/^https?:\/\//i, "").replace(/\/.*$/, "");
}

function section(name: string, values: Readonly<Record<string, string>>, title: Title): string[] {
  const entries = Object.entries(values).sort(([one], [other]) => (one < other ? -1 : 1));
  return entries.length === 0 ? [] : [`\n${title(name)}`, pairs(entries)];
}

function pairs(entries: readonly (readonly [string, string])[]): string {
  return limited(entries.map(([name, value]) => [name, cut(value)]));
}

function list(values: readonly string[]): string {
  return limited(values.map((value) => [cut(value)]));
}

function limited(rows: readonly (readonly string[])[]): string {
  const rest = rows.length - linesMax;
  const more = rest > 0 ? `${rest} more; --json has all of them\n` : "";
  return inColumns([], rows.slice(0, linesMax)) + more;
}

function cut(value: string): string {
  const line = printable(value.replaceAll(/\s+/g, " "));
  return line.length > valueLengthMax ? `${line.slice(0, valueLengthMax)}…` : line;
}
