// Manifests that were not pushed through us: what is recorded of them, and what is none.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { bytesOf, image } from "../../test/registry/world.ts";
import { digestOf } from "../oci/digest.ts";
import { mediaTypes } from "../oci/media_types.ts";
import { readForeignManifest } from "./foreign_manifest.ts";

const layer = digestOf("sha256", bytesOf({ layer: 1 }));
const other = digestOf("sha256", bytesOf({ layer: 2 }));
const read = (document: unknown, mediaType: string) => {
  const bytes = typeof document === "string" ? Buffer.from(document) : bytesOf(document as object);
  return readForeignManifest(digestOf("sha256", bytes), mediaType, bytes);
};

describe("a manifest that a push would take", () => {
  test("is recorded as a push would", () => {
    const app = image(1, {
      subject: image(2).descriptor,
      annotations: { a: "b" },
      artifactType: "application/vnd.example.sbom",
    });
    const found = readForeignManifest(app.digest, mediaTypes.ociImage, app.bytes);
    expect(found?.manifest).toEqual({
      digest: app.digest,
      mediaType: mediaTypes.ociImage,
      sizeBytes: app.bytes.length,
      subject: image(2).digest,
      artifactType: "application/vnd.example.sbom",
      annotations: '{"a":"b"}',
      references: app.blobs.map((blob) => ({ digest: digestOf("sha256", blob), target: "blob" })),
    });
    expect(found?.children).toEqual([]);
    expect(found?.needed).toEqual(app.blobs.map((blob) => digestOf("sha256", blob)));
  });

  test("an index names its children, and a blob among them is none", () => {
    const cache = { mediaType: "application/vnd.buildkit.cacheconfig.v0", digest: layer, size: 1 };
    const found = read(
      {
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: [image(1).descriptor, cache],
      },
      mediaTypes.ociIndex,
    );
    expect(found?.children).toEqual([{ digest: image(1).digest, mediaType: mediaTypes.ociImage }]);
    expect(found?.manifest.references).toEqual([
      { digest: image(1).digest, target: "manifest" },
      { digest: layer, target: "blob" },
    ]);
  });
});

describe("a manifest that a push would refuse", () => {
  const schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
  const rows: readonly [says: string, document: object, mediaType: string, references: object[]][] =
    [
      [
        "Docker schema 1",
        { schemaVersion: 1, fsLayers: [{ blobSum: layer }, { blobSum: other }] },
        schema1,
        [
          { digest: layer, target: "blob" },
          { digest: other, target: "blob" },
        ],
      ],
      [
        "an old artifact manifest",
        { artifactType: "a/b", blobs: [{ mediaType: "text/plain", digest: layer, size: 1 }] },
        "application/vnd.oci.artifact.manifest.v1+json",
        [{ digest: layer, target: "blob" }],
      ],
      [
        "an image with members of an index",
        {
          schemaVersion: 2,
          config: { mediaType: "c/d", digest: other, size: 1 },
          layers: [],
          manifests: [{ mediaType: mediaTypes.ociImage, digest: layer, size: 1 }],
        },
        mediaTypes.ociImage,
        [
          { digest: other, target: "blob" },
          { digest: layer, target: "manifest" },
        ],
      ],
      [
        "an image whose descriptors have no sizes",
        { schemaVersion: 2, config: { digest: layer }, layers: [{ digest: other }] },
        mediaTypes.ociImage,
        [
          { digest: layer, target: "blob" },
          { digest: other, target: "blob" },
        ],
      ],
      ["an empty object", {}, mediaTypes.ociImage, []],
    ];
  for (const [says, document, mediaType, references] of rows) {
    test(`${says} is recorded with all that it names`, () => {
      const found = read(document, mediaType);
      expect(found?.manifest.references).toEqual(references as never);
      expect(found?.manifest.mediaType).toBe(mediaType);
    });
  }
});

describe("what is no manifest", () => {
  for (const text of ["", "null", "[]", '"text"', "1", "{", "\u0000", "true", "not json"]) {
    test(`${JSON.stringify(text)} is null`, () => {
      expect(read(text, mediaTypes.ociImage)).toBeNull();
    });
  }

  test("no content of whatever shape makes it throw", () => {
    const property = fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.json().map((text) => new TextEncoder().encode(text)),
        fc
          .dictionary(
            fc.constantFrom(
              "config",
              "layers",
              "manifests",
              "blobs",
              "fsLayers",
              "subject",
              "artifactType",
            ),
            fc.jsonValue(),
          )
          .map(bytesOf),
      ),
      fc.constantFrom(mediaTypes.ociImage, mediaTypes.ociIndex, mediaTypes.dockerImage, "", "x"),
      (bytes, mediaType) => {
        const digest = digestOf("sha256", bytes);
        const found = readForeignManifest(digest, mediaType, bytes);
        if (found !== null) expect(found.manifest.digest).toBe(digest);
      },
    );
    fc.assert(property, { numRuns: 500 });
  });
});
