/** What a list of tags tells of each: what it is, for which platforms, and how large. */
import { isManifestType } from "../oci/media_types.ts";
import { InspectError, type ImageContent } from "./image_content.ts";
import { platformOf } from "./pick_image.ts";
import { platformIn } from "./inspect_image.ts";
import {
  childrenOf,
  contentBytesOf,
  readConfig,
  seeManifest,
  type SeenManifest,
} from "./seen_manifest.ts";

/** Images of an index whose sizes are added up; of larger ones the size is not told. */
export const summedMax = 16;

export interface TagSummary {
  readonly tag: string;
  /** Null where the tag is gone by now, or its manifest cannot be read: `problem` says why. */
  readonly digest: string | null;
  readonly kind: string | null;
  readonly label: string;
  readonly platforms: readonly string[];
  /** Config and layers, of an index those of its images together. */
  readonly sizeBytes: number | null;
  readonly problem: string | null;
}

const none = { digest: null, kind: null, platforms: [], sizeBytes: null };

/** One odd image does not spoil a list. */
export async function tagSummary(content: ImageContent, tag: string): Promise<TagSummary> {
  try {
    const seen = await seeManifest(content, tag);
    if (seen === null) return { tag, ...none, label: "gone", problem: "the tag is gone" };
    return { tag, ...(await summary(content, seen)), problem: null };
  } catch (error) {
    if (!(error instanceof InspectError)) throw error;
    return { tag, ...none, label: "cannot be read", problem: error.message };
  }
}

async function summary(
  content: ImageContent,
  seen: SeenManifest,
): Promise<Omit<TagSummary, "tag" | "problem">> {
  const { digest, artifactKind } = seen;
  const told = { digest, kind: artifactKind.id, label: artifactKind.label };
  if (seen.parsed.kind === "index") {
    const children = childrenOf(seen);
    const platforms = [...new Set(children.flatMap((child) => platformOf(child) ?? []))];
    return { ...told, platforms, sizeBytes: await sumOf(content, seen) };
  }
  const config = artifactKind.id === "image" ? await readConfig(content, seen) : null;
  const platform = platformIn(config);
  const platforms = platform === null ? [] : [platform];
  return { ...told, platforms, sizeBytes: contentBytesOf(seen) };
}

async function sumOf(content: ImageContent, index: SeenManifest): Promise<number | null> {
  const children = childrenOf(index).filter(({ mediaType }) => isManifestType(mediaType));
  if (children.length > summedMax) return null;
  let sum = 0;
  for (const { digest } of children) {
    const child = await seeManifest(content, digest);
    if (child !== null) sum += contentBytesOf(child);
  }
  return sum;
}
