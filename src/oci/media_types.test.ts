// The table of manifest types, and the layers that need not be here.

import { describe, expect, test } from "bun:test";
import { isMediaType } from "../lib/http_fields.ts";
import {
  foreignLayerTypes,
  isForeignLayerType,
  isManifestType,
  manifestType,
  manifestTypes,
  mediaTypes,
} from "./media_types.ts";

describe("manifest types", () => {
  test.each([
    ["application/vnd.oci.image.manifest.v1+json", "oci", "image", false],
    ["application/vnd.oci.image.index.v1+json", "oci", "index", false],
    ["application/vnd.docker.distribution.manifest.v2+json", "docker", "image", true],
    ["application/vnd.docker.distribution.manifest.list.v2+json", "docker", "index", true],
  ] as const)("%s is of family %s and kind %s", (mediaType, family, kind, mediaTypeRequired) => {
    const row = { mediaType, family, kind, mediaTypeRequired };
    expect(manifestType(mediaType)).toEqual(row);
    expect(manifestType(mediaType.toUpperCase())).toEqual(row);
    expect(manifestType(`${mediaType}; charset=utf-8`)).toEqual(row);
    expect(isManifestType(mediaType)).toBe(true);
  });

  test("there are no other rows", () => {
    expect(manifestTypes).toHaveLength(4);
  });

  test.each([
    "",
    "application/json",
    "application/octet-stream",
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/vnd.oci.image.manifest.v2+json",
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.oci.artifact.manifest.v1+json",
    "constructor",
  ])("%p is no manifest type", (mediaType) => {
    expect(isManifestType(mediaType)).toBe(false);
    expect(manifestType(mediaType)).toBeNull();
  });
});

test("foreign layers are known in any case; ordinary layers are not foreign", () => {
  for (const mediaType of foreignLayerTypes) {
    expect(isForeignLayerType(mediaType)).toBe(true);
    expect(isForeignLayerType(mediaType.toUpperCase())).toBe(true);
    expect(isForeignLayerType(`${mediaType};a=b`)).toBe(true);
  }
  for (const mediaType of [
    mediaTypes.ociLayer,
    mediaTypes.ociLayerGzip,
    mediaTypes.octetStream,
    "",
  ]) {
    expect(isForeignLayerType(mediaType)).toBe(false);
  }
});

test("every name in the tables is a media type", () => {
  for (const mediaType of [...Object.values(mediaTypes), ...foreignLayerTypes]) {
    expect(isMediaType(mediaType)).toBe(true);
  }
});
