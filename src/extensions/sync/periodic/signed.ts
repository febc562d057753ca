/** Whether an image of an upstream is signed, as far as `onlySigned` goes: nobody looks whose signature it is. */
import { parseDigest } from "../../../oci/digest.ts";
import type { ImageSource } from "../../../transfer/image_place.ts";

const signatureTypes: ReadonlySet<string> = new Set([
  "application/vnd.cncf.notary.signature",
  "application/vnd.dev.cosign.artifact.sig.v1+json",
  "application/vnd.dev.sigstore.bundle.v0.3+json",
]);

export async function isSigned(
  source: ImageSource,
  reference: string,
  { withCosignTags }: { readonly withCosignTags: boolean },
): Promise<boolean> {
  const head = await source.head(reference);
  const digest = head === null ? null : parseDigest(head);
  if (digest === null) return false;
  const listed = await source.referrers(digest);
  if (listed.some(({ artifactType }) => signatureTypes.has(artifactType ?? ""))) return true;
  return withCosignTags && (await source.head(`${digest.replace(":", "-")}.sig`)) !== null;
}
