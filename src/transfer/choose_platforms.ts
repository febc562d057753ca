/** Images of an index that are of certain platforms, and what becomes of the index then. */
import { isJsonObject, parseStrictJson } from "../lib/strict_json.ts";
import type { Platform } from "../oci/descriptor.ts";
import { algorithmOf, digestOf } from "../oci/digest.ts";
import { TransferError, type PlacedManifest } from "./image_place.ts";
import type { ChildManifest, ManifestParts } from "./manifest_parts.ts";
import { formatPlatform, isOfPlatform } from "../oci/platform.ts";

/** BuildKit's provenance and SBOMs of an image are images beside it, which name it here. */
const attestationOf = "vnd.docker.reference.digest";

export type Chosen =
  /** The index as it is. */
  | { readonly kind: "all" }
  /** One image in place of the index. */
  | { readonly kind: "one"; readonly child: ChildManifest; readonly note: string }
  /** An index of some images, with a digest of its own. */
  | { readonly kind: "some"; readonly index: PlacedManifest; readonly note: string };

/** @throws TransferError when a platform is not there. */
export function choosePlatforms(
  index: PlacedManifest,
  { kind, children }: ManifestParts,
  asked: readonly Platform[],
  label: string,
): Chosen {
  if (kind !== "index" || asked.length === 0) return { kind: "all" };
  const found = asked.map((platform) => {
    const child = children.find((each) => isOfPlatform(each.platform, platform));
    if (child !== undefined) return child;
    const there = children.flatMap((each) =>
      each.platform === null ? [] : formatPlatform(each.platform),
    );
    const known = [...new Set(there)].filter((name) => name !== "unknown/unknown").join(", ");
    throw new TransferError(
      `${label}: there is no image for ${formatPlatform(platform)}; there are ${known === "" ? "none with a platform" : known}`,
    );
  });
  const names = asked.map(formatPlatform).join(", ");
  const [first] = found;
  if (first !== undefined && new Set(found).size === 1) {
    return {
      kind: "one",
      child: first,
      note: `only the image for ${names} (${first.digest}): the tag names it and not the index ${index.digest}, whose signatures do not cover it`,
    };
  }
  const chosen = reduced(index, new Set(found.map(({ digest }) => digest)));
  return {
    kind: "some",
    index: chosen,
    note: `only the images for ${names}: the tag names a new index ${chosen.digest} and not ${index.digest}, whose signatures do not cover it`,
  };
}

/** The same document with some of its images, and what attests them. */
function reduced(
  { bytes, digest, mediaType }: PlacedManifest,
  kept: ReadonlySet<string>,
): PlacedManifest {
  const parsed = parseStrictJson(bytes, { depthMax: 64 });
  const body = "value" in parsed && isJsonObject(parsed.value) ? parsed.value : {};
  const listed: unknown = body["manifests"];
  const manifests = (Array.isArray(listed) ? listed : []).filter((entry: unknown) => {
    if (!isJsonObject(entry)) return false;
    const annotations = isJsonObject(entry["annotations"]) ? entry["annotations"] : {};
    return kept.has(String(entry["digest"])) || kept.has(String(annotations[attestationOf]));
  });
  const text = new TextEncoder().encode(JSON.stringify({ ...body, manifests }));
  return { digest: digestOf(algorithmOf(digest), text), mediaType, bytes: text };
}
