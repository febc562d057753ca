// Lists of referrers: what [end-12] answers.
//
// Each descriptor is that of a manifest with a subject; its annotations and artifact type are those
// of the manifest (see `Manifest.artifactType`). Choosing, ordering, filtering and paging are left to
// the caller.

import type { Descriptor } from "./descriptor.ts";
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
