/** Which image of an index is looked at: the one of a platform, or of the platform that is usual. */
import type { Descriptor, Platform } from "../oci/descriptor.ts";
import { formatPlatform, isOfPlatform } from "../oci/platform.ts";
import { InspectError, type ImageContent } from "./image_content.ts";
import { childrenOf, seeManifest, type SeenManifest } from "./seen_manifest.ts";

/** An index in an index in an index is not followed further. */
const depthMax = 4;
/** BuildKit's provenance and SBOMs stand beside the images that they are about. */
const referenceType = "vnd.docker.reference.type";

/** A platform of an index that something can run on; null for attestations and the like. */
export function platformOf({ platform, annotations }: Descriptor): string | null {
  if (platform === undefined || annotations?.[referenceType] !== undefined) return null;
  const name = formatPlatform(platform);
  return name.startsWith("unknown/") ? null : name;
}

export interface Picked {
  readonly image: SeenManifest;
  /** As the index says; null where no index led to it. */
  readonly platform: string | null;
}

/**
 * The image itself, or that of an index: of the platform that is asked for, else of the first of `usual` that is there,
 * else the first with a platform, else the first. Null for an index without images.
 * @throws InspectError when the platform is not there.
 */
export async function pickImage(
  content: ImageContent,
  root: SeenManifest,
  { asked, usual }: { readonly asked: Platform | null; readonly usual: readonly Platform[] },
): Promise<Picked | null> {
  let picked: Picked = { image: root, platform: null };
  for (let depth = 0; picked.image.parsed.kind === "index"; depth += 1) {
    if (depth === depthMax) {
      throw new InspectError(`${content.label}: more than ${depthMax} indexes lead to each other`);
    }
    const child = choose(childrenOf(picked.image), { asked, usual, label: content.label });
    if (child === null) return null;
    const image = await seeManifest(content, child.digest, child.annotations);
    if (image === null) {
      throw new InspectError(`${content.label}: ${child.digest} is named by an index and absent`);
    }
    picked = { image, platform: platformOf(child) ?? picked.platform };
  }
  return picked;
}

function choose(
  children: readonly Descriptor[],
  {
    asked,
    usual,
    label,
  }: {
    readonly asked: Platform | null;
    readonly usual: readonly Platform[];
    readonly label: string;
  },
): Descriptor | null {
  const images = children.filter((child) => platformOf(child) !== null);
  const ofPlatform = (platform: Platform): Descriptor | undefined =>
    images.find((child) => isOfPlatform(child.platform ?? null, platform));
  if (asked !== null) {
    const found = ofPlatform(asked);
    if (found !== undefined) return found;
    const known = [...new Set(images.flatMap((child) => platformOf(child) ?? []))].join(", ");
    throw new InspectError(
      `${label}: expected an image for ${formatPlatform(asked)}; there are ${known === "" ? "none with a platform" : known}`,
    );
  }
  for (const platform of usual) {
    const found = ofPlatform(platform);
    if (found !== undefined) return found;
  }
  return images[0] ?? children[0] ?? null;
}
