/**
 * Looks a manifest up by tag or digest [end-3]. Only manifests of this repository are found; their bytes are read by
 * `content.ts`.
 */
import type { Reference } from "../oci/reference.ts";
import type { ManifestRecord } from "../metadata/metadata.ts";
import type { Registry } from "./registry.ts";
import { findIn, unknownReference } from "./unknown.ts";

/** @throws MANIFEST_UNKNOWN or NAME_UNKNOWN. */
export async function findManifest(
  registry: Registry,
  repository: string,
  reference: Reference,
): Promise<ManifestRecord> {
  const { metadata } = registry;
  const found = await findIn(registry, repository, () =>
    reference.kind === "tag"
      ? metadata.manifestByTag(repository, reference.tag)
      : metadata.manifestByDigest(repository, reference.digest),
  );
  if (found !== null) return found;
  const text = reference.kind === "tag" ? reference.tag : reference.digest;
  throw await unknownReference(registry, repository, text);
}
