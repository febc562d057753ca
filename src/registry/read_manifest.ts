/**
 * Looking up a manifest by tag or digest, and its bytes [end-3].
 *
 * Promises: only manifests pushed to this repository are found; the bytes are those of the push, whole.
 * Bytes that the facts know and the disk has not are a failure, never "absent".
 */
import { assert } from "../lib/assert.ts";
import type { Reference } from "../oci/reference.ts";
import type { ManifestRecord } from "../metadata/metadata.ts";
import type { Registry } from "./registry.ts";
import { unknownReference } from "./unknown.ts";

/** @throws MANIFEST_UNKNOWN or NAME_UNKNOWN. */
export async function findManifest(
  registry: Registry,
  repository: string,
  reference: Reference,
): Promise<ManifestRecord> {
  const { metadata } = registry;
  const found =
    reference.kind === "tag"
      ? await metadata.manifestByTag(repository, reference.tag)
      : await metadata.manifestByDigest(repository, reference.digest);
  if (found !== null) return found;
  const text = reference.kind === "tag" ? reference.tag : reference.digest;
  throw await unknownReference(registry, repository, text);
}

/** The bytes of a manifest that was found. */
export function readManifest(
  registry: Registry,
  repository: string,
  record: ManifestRecord,
): Uint8Array {
  const cached = registry.contentCache.get(record.digest);
  if (cached !== null) return cached;
  const bytes = registry.storage.readBlobNow(repository, record.digest);
  assert(
    bytes !== null && bytes.length === record.sizeBytes,
    `manifest ${record.digest} of ${repository} should have ${record.sizeBytes} bytes on disk, has ${bytes?.length ?? "none"}`,
  );
  registry.contentCache.set(record.digest, bytes);
  return bytes;
}
