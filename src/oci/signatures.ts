/** What tells signatures of an image from other manifests that are about it: media types, annotations, tags. */

/** cosign's name for the statement that is a signature and nothing else; other bundles are attestations. */
const cosignSignType = "https://sigstore.dev/cosign/sign/v1";
const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";
const bundlePredicate = "dev.sigstore.bundle.predicateType";

const toolsByType: Readonly<Record<string, SignatureTool>> = {
  "application/vnd.dev.cosign.artifact.sig.v1+json": "cosign",
  [bundleType]: "cosign",
  "application/vnd.cncf.notary.signature": "notation",
};

export type SignatureTool = "cosign" | "notation";

/** Artifact types of referrers that may be signatures. */
export const signatureTypes: readonly string[] = Object.keys(toolsByType);

/** What made a signature, by the artifact type and annotations (as JSON) of a referrer; null for anything else. */
export function signatureTool(
  artifactType: string | null,
  annotations: string | null,
): SignatureTool | null {
  const tool = toolsByType[artifactType ?? ""] ?? null;
  if (artifactType !== bundleType) return tool;
  const predicate = predicateOf(annotations);
  return predicate === null || predicate === cosignSignType ? tool : null;
}

function predicateOf(annotations: string | null): string | null {
  if (annotations === null) return null;
  const value: unknown = JSON.parse(annotations);
  const predicate: unknown =
    typeof value === "object" && value !== null ? Reflect.get(value, bundlePredicate) : null;
  return typeof predicate === "string" ? predicate : null;
}

/** The tag under which cosign pushed signatures of a manifest before there were referrers. */
export function signatureTag(digest: string): string {
  return `${digest.replace(":", "-")}.sig`;
}
