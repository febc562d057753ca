// Lists of referrers: what [end-12] answers, and the tag that clients use where it is missing.
//
// Each descriptor is that of a manifest with a subject; its annotations and artifact type are those
// of the manifest (see `Manifest.artifactType`). Choosing, ordering, filtering and paging are left to
// the caller.

import type { Descriptor } from "./descriptor.ts";
import { algorithmOf, hexOf, type Digest } from "./digest.ts";
import { mediaTypes } from "./media_types.ts";

/** The body of a referrers answer: an image index whose `manifests` is never null. */
export function referrersIndex(descriptors: Descriptor[]): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: descriptors.map(({ mediaType, digest, size, artifactType, annotations }) => ({
      mediaType,
      digest,
      size,
      artifactType,
      annotations, // Undefined members are left out by JSON.stringify.
    })),
  });
}

/**
 * The tag under which clients keep the list themselves (distribution-spec, "Referrers Tag Schema").
 * Of sha512 only half of the digits fit: it is a place to look, not an identity.
 */
export function fallbackTag(digest: Digest): string {
  return `${algorithmOf(digest).slice(0, 32)}-${hexOf(digest).slice(0, 64)}`;
}
