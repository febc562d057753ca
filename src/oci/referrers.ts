// Lists of referrers: what [end-12] answers.
//
// Each descriptor is that of a manifest with a subject; its annotations and artifact type are those
// of the manifest (see `Manifest.artifactType`). Choosing, ordering, filtering and paging are left to
// the caller.

import { MiB } from "../lib/bytes.ts";
import type { Descriptor } from "./descriptor.ts";
import type { Manifest } from "./manifest.ts";
import { mediaTypes } from "./media_types.ts";

/** Annotations of a manifest with a subject, as JSON: a list of referrers shows them whole. Clients take 4 MiB of it. */
export const annotationsBytesMax = MiB;

/** The annotations that a list of referrers shows, as JSON or null, and whether it can show them. */
export function listedAnnotations({ subject, annotations }: Manifest): {
  readonly text: string | null;
  readonly fit: boolean;
} {
  if (subject === null || annotations === null) return { text: null, fit: true };
  const text = JSON.stringify(annotations);
  return { text, fit: Buffer.byteLength(text) <= annotationsBytesMax };
}

const subjectTag =
  /^(?:sha256-(?<sha256>[0-9a-f]{64})|sha512-(?<sha512>[0-9a-f]{128}))(?:\.(?:sig|att|sbom))?$/;

/**
 * The digest that a tag is about: those of signatures (`sha256-<hex>.sig`, `.att`, `.sbom`, as cosign pushes them) and
 * of the list of referrers (`sha256-<hex>`, [referrers tag schema]). Null for any other tag.
 */
export function subjectOfTag(tag: string): string | null {
  const { sha256, sha512 } = subjectTag.exec(tag)?.groups ?? {};
  if (sha256 !== undefined) return `sha256:${sha256}`;
  return sha512 === undefined ? null : `sha512:${sha512}`;
}

/** The tags that are about a manifest, whether they are there or not; those of sha512 would be too long for a tag. */
export function referrerTagsOf(digest: string): readonly string[] {
  if (!digest.startsWith("sha256:")) return [];
  return ["", ".sig", ".att", ".sbom"].map((ending) => `${digest.replace(":", "-")}${ending}`);
}

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
