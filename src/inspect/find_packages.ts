/**
 * The packages of an image, by an SBOM that is there for it: a referrer of the image or of its index, an attestation of
 * BuildKit in the index, or what cosign keeps under a tag. The first that can be read counts.
 */
import type { Descriptor } from "../oci/descriptor.ts";
import { artifactKindOfId } from "../oci/artifact_kinds.ts";
import { must } from "../lib/assert.ts";
import { referrerTagsOf } from "../oci/referrers.ts";
import type { ImageContent } from "./image_content.ts";
import { packagesIn, type ListedPackage } from "./sbom_packages.ts";
import { childrenOf, layersOf, readBlob, seeManifest, type SeenManifest } from "./seen_manifest.ts";

/** Manifests that are looked at for an SBOM. */
export const candidatesMax = 32;
const attestationOf = "vnd.docker.reference.digest";
/** Kinds that an SBOM may be in. */
const holders: readonly string[] = ["sbom", "attestation", "buildkit-attestation"];
const texts = new Set(holders.flatMap((id) => must(artifactKindOfId(id), "a kind").texts));

export interface FoundPackages {
  /** Digest of the manifest that holds the SBOM. */
  readonly sbom: string;
  readonly packages: readonly ListedPackage[];
}

/** Null where no SBOM of up to `bytesMax` can be found. */
export async function findPackages(
  content: ImageContent,
  { root, image }: { readonly root: SeenManifest; readonly image: SeenManifest },
  bytesMax: number,
): Promise<FoundPackages | null> {
  let looked = 0;
  for await (const reference of candidates(content, root, image)) {
    if ((looked += 1) > candidatesMax) return null;
    const holder = await seeManifest(content, reference);
    if (holder === null || !holders.includes(holder.artifactKind.id)) continue;
    const packages = await packagesOf(content, holder, bytesMax);
    if (packages !== null) return { sbom: holder.digest, packages };
  }
  return null;
}

async function* candidates(
  content: ImageContent,
  root: SeenManifest,
  image: SeenManifest,
): AsyncGenerator<string, void, void> {
  for (const subject of new Set([image.digest, root.digest])) {
    for (const { digest } of await content.referrers(subject)) yield digest;
  }
  if (root.parsed.kind === "index") {
    for (const { digest, annotations } of childrenOf(root)) {
      if (annotations?.[attestationOf] === image.digest) yield digest;
    }
  }
  for (const tag of referrerTagsOf(image.digest)) {
    if (/\.(sbom|att)$/.test(tag)) yield tag;
  }
}

async function packagesOf(
  content: ImageContent,
  holder: SeenManifest,
  bytesMax: number,
): Promise<readonly ListedPackage[] | null> {
  for (const layer of layersOf(holder).filter(mayHold)) {
    const bytes = await readBlob(content, layer, bytesMax);
    const packages = bytes === null ? null : packagesIn(bytes);
    if (packages !== null) return packages;
  }
  return null;
}

function mayHold({ mediaType }: Descriptor): boolean {
  return texts.has(mediaType) || /json/.test(mediaType);
}
