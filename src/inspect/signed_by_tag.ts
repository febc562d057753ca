/** What cosign keeps about an image under tags of its own, beside what names the image as its subject. */
import type { Digest } from "../oci/digest.ts";
import { referrerTagsOf } from "../oci/referrers.ts";
import type { ImageContent } from "./image_content.ts";
import { seeManifest, type SeenManifest } from "./seen_manifest.ts";

/** Signatures (`.sig`), attestations (`.att`) and SBOMs (`.sbom`) of a manifest; three questions. */
export async function keptUnderTags(
  content: ImageContent,
  digest: Digest,
): Promise<SeenManifest[]> {
  const found: SeenManifest[] = [];
  for (const tag of referrerTagsOf(digest)) {
    // Without an ending it is the list of referrers.
    if (!/\.(sig|att|sbom)$/.test(tag)) continue;
    const seen = await seeManifest(content, tag);
    if (seen !== null) found.push(seen);
  }
  return found;
}
