// THE table of manifest media types, and the layer types that a registry need not hold.
//
// What is in the table can be pushed as a manifest; a type of the future would have references that
// we could neither see nor protect. Types of configs, layers and artifacts are not listed: any will
// do. Media types are compared without regard to case and parameters, and stored as they were given.

import { essenceOf } from "../lib/http_fields.ts";

export const mediaTypes = {
  ociImage: "application/vnd.oci.image.manifest.v1+json",
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociEmpty: "application/vnd.oci.empty.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  ociLayerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  ociLayerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  dockerImage: "application/vnd.docker.distribution.manifest.v2+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  json: "application/json",
  octetStream: "application/octet-stream",
} as const;

export interface ManifestType {
  readonly mediaType: string;
  readonly family: "oci" | "docker";
  readonly kind: "image" | "index";
  /** Whether the body must repeat the media type. OCI leaves it open; older tools omit it. */
  readonly mediaTypeRequired: boolean;
}

export const manifestTypes: readonly ManifestType[] = [
  { mediaType: mediaTypes.ociImage, family: "oci", kind: "image", mediaTypeRequired: false },
  { mediaType: mediaTypes.ociIndex, family: "oci", kind: "index", mediaTypeRequired: false },
  { mediaType: mediaTypes.dockerImage, family: "docker", kind: "image", mediaTypeRequired: true },
  { mediaType: mediaTypes.dockerList, family: "docker", kind: "index", mediaTypeRequired: true },
];

/** Layers that may be left where their `urls` say (image-spec layer.md, "Non-Distributable Layers"). */
export const foreignLayerTypes: readonly string[] = [
  "application/vnd.oci.image.layer.nondistributable.v1.tar",
  "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
  "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
  "application/vnd.docker.image.rootfs.foreign.diff.tar",
  "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
];

const rowsByMediaType = new Map(manifestTypes.map((row) => [row.mediaType, row]));
const foreignLayers = new Set(foreignLayerTypes);

/** The row of a manifest media type (in any case, parameters aside); null for any other type. */
export function manifestType(mediaType: string): ManifestType | null {
  return rowsByMediaType.get(mediaType) ?? rowsByMediaType.get(essenceOf(mediaType)) ?? null;
}

export function isManifestType(mediaType: string): boolean {
  return manifestType(mediaType) !== null;
}

export function isForeignLayerType(mediaType: string): boolean {
  return foreignLayers.has(mediaType) || foreignLayers.has(essenceOf(mediaType));
}
