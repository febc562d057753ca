/** Whether an image of an upstream is signed, as far as `onlySigned` goes: nobody looks whose signature it is. */
import type { Upstream } from "./upstream/upstream.ts";

const signatureTypes: ReadonlySet<string> = new Set([
  "application/vnd.cncf.notary.signature",
  "application/vnd.dev.cosign.artifact.sig.v1+json",
  "application/vnd.dev.sigstore.bundle.v0.3+json",
]);

/** `withCosignTags`: a tag of cosign beside it counts as well. @throws UpstreamTrouble. */
export async function isSigned(
  upstream: Upstream,
  { name, digest }: { readonly name: string; readonly digest: string },
  { withCosignTags }: { readonly withCosignTags: boolean },
): Promise<boolean> {
  const listed = (await upstream.referrers(name, digest))?.manifests ?? [];
  if (listed.some(({ artifactType }) => signatureTypes.has(artifactType ?? ""))) return true;
  if (!withCosignTags || !digest.startsWith("sha256:")) return false;
  return (await upstream.headManifest(name, `${digest.replace(":", "-")}.sig`)) !== null;
}
