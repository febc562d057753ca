// Manifests: one row per rule of the stages of a push that look at the bytes, in their order; and
// random input, which must end in a manifest or in a ApiError.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { ApiError, type ApiErrorName } from "./errors.ts";
import { manifestBytesMax, parseManifest, type Manifest } from "./manifest.ts";
import { mediaTypes } from "./media_types.ts";

const { ociImage, ociIndex, dockerImage, dockerList } = mediaTypes;
const encoder = new TextEncoder();

/** A descriptor of made-up content. */
function descriptor(mediaType: string, more: object = {}): Record<string, unknown> {
  return { mediaType, digest: `sha256:${"ab".repeat(32)}`, size: 10, ...more };
}

const config = descriptor(mediaTypes.ociConfig);
const layer = descriptor(mediaTypes.ociLayerGzip);
const image = { schemaVersion: 2, mediaType: ociImage, config, layers: [layer] };
const index = { schemaVersion: 2, mediaType: ociIndex, manifests: [descriptor(ociImage)] };

function parse(body: unknown, contentType: string | null = null): Manifest {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return parseManifest(encoder.encode(text), contentType);
}

/** The API error of a body, or null when it is accepted. */
function errorOf(body: unknown, contentType: string | null = null): ApiError | null {
  return caught(() => parse(body, contentType));
}

function caught(work: () => unknown): ApiError | null {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
}

function expectApiError(error: ApiError | null, name: ApiErrorName, message: string): void {
  expect(error?.reason).toBe(name);
  expect(error?.errors.map((entry) => entry.message).join("\n")).toContain(message);
}

describe("stage 4, media type", () => {
  test.each([
    [ociImage, image, ociImage],
    [`${ociImage}; charset=utf-8`, image, ociImage],
    [`  ${ociImage} ;x=y`, image, ociImage],
    [ociImage.toUpperCase(), image, ociImage.toUpperCase()],
    [ociImage, { ...image, mediaType: undefined }, ociImage],
    [ociImage, { ...image, mediaType: null }, ociImage],
    [ociIndex, { ...index, mediaType: undefined }, ociIndex],
    [null, image, ociImage],
    ["", image, ociImage],
    ["application/json", image, ociImage],
    ["Application/JSON; charset=utf-8", index, ociIndex],
    [dockerImage, { ...image, mediaType: dockerImage }, dockerImage],
    [dockerList, { ...index, mediaType: dockerList }, dockerList],
    [null, { ...index, mediaType: dockerList }, dockerList],
  ])("Content-Type %p is accepted", (contentType, body, mediaType) => {
    expect(parse(body, contentType).mediaType).toBe(mediaType);
  });

  test.each<[string | null, unknown, string]>([
    ["application/octet-stream", image, "application/octet-stream"],
    ["text/html", image, "text/html"],
    ["garbage", image, "garbage"],
    [`${ociImage}, ${ociImage}`, image, ociImage],
    ["application/vnd.docker.distribution.manifest.v1+prettyjws", image, "v1+prettyjws"],
    ["application/vnd.oci.image.manifest.v9+json", image, "v9"],
    [mediaTypes.ociConfig, image, "config"],
    [null, { ...image, mediaType: undefined }, "no media type"],
    [null, { ...image, mediaType: 7 }, "no media type"],
    ["application/json", { ...image, mediaType: "application/json" }, "application/json"],
    [null, { ...image, mediaType: "a/b\r\nX: y" }, "a/b\\r\\n"],
    // The type is looked at before the bytes are.
    ["text/html", "{", "text/html"],
  ])("Content-Type %p with this body is refused", (contentType, body, message) => {
    const error = errorOf(body, contentType);
    expectApiError(error, "MANIFEST_TYPE", message);
    expect([error?.status, error?.code]).toEqual([415, "MANIFEST_INVALID"]);
  });
});

describe("stage 6, JSON", () => {
  test.each<[string, string | Uint8Array, string]>([
    ["nothing", "", "empty"],
    ["blanks", "  ", "not valid JSON"],
    ["a cut text", '{"schemaVersion":2', "not valid JSON"],
    ["two values", "{}{}", "not valid JSON"],
    ["an array", "[]", "must be a JSON object, but is an array"],
    ["a string", '"x"', "must be a JSON object"],
    ["null", "null", "must be a JSON object, but is null"],
    ["a byte order mark", `\uFEFF${JSON.stringify(image)}`, "byte order mark"],
    ["broken UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), "UTF-8"],
    ["depth 65", `{"a":${"[".repeat(64)}${"]".repeat(64)}}`, "deeper than 64"],
    ["unclosed depth", "[".repeat(1_000_000), "deeper than 64"],
    ["balanced depth", "[".repeat(500_000) + "]".repeat(500_000), "deeper than 64"],
  ])("%s is refused", (_, body, message) => {
    const bytes = typeof body === "string" ? encoder.encode(body) : body;
    expectApiError(
      caught(() => parseManifest(bytes, ociImage)),
      "MANIFEST_INVALID",
      message,
    );
  });

  test.each(["schemaVersion", "mediaType", "config", "layers", "subject", "manifests"])(
    "a second %s is refused, also when it is spelled with an escape",
    (name) => {
      const text = JSON.stringify({ ...image, subject: null, manifests: null }).slice(0, -1);
      const escaped = `\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}`;
      expect(errorOf(`${text}}`)).toBeNull();
      for (const again of [name, escaped]) {
        expectApiError(errorOf(`${text},"${again}":null}`), "MANIFEST_INVALID", "more than once");
      }
    },
  );

  test("a repeated name inside of a descriptor is refused", () => {
    const text = JSON.stringify(image).replace('"size":10', '"size":10,"size":11');
    expectApiError(errorOf(text), "MANIFEST_INVALID", "more than once");
  });

  test("depth 64, white space around, and any order of members are fine", () => {
    const deep = `${"[".repeat(63)}${"]".repeat(63)}`;
    const text = ` \n{"x":${deep},${JSON.stringify(image).slice(1)}\r\n\t `;
    expect(errorOf(text)).toBeNull();
  });
});

describe("stage 7, envelope", () => {
  test.each<[string, object, string | null, string]>([
    ["schemaVersion 1", { ...image, schemaVersion: 1 }, null, "but is 1"],
    ["schemaVersion as text", { ...image, schemaVersion: "2" }, null, 'but is "2"'],
    ["no schemaVersion", { ...image, schemaVersion: undefined }, null, "but is missing"],
    ["another mediaType", image, ociIndex, "mediaType is"],
    ["a mediaType that is a number", { ...image, mediaType: 1 }, ociImage, "mediaType is 1"],
    ["an empty mediaType", { ...image, mediaType: "" }, ociImage, 'mediaType is ""'],
    ["OCI bytes as Docker", image, dockerImage, "mediaType is"],
    ["Docker image without mediaType", { ...image, mediaType: undefined }, dockerImage, "missing"],
    ["Docker list without mediaType", { ...index, mediaType: undefined }, dockerList, "missing"],
  ])("%s is refused", (_, body, contentType, message) => {
    expectApiError(errorOf(body, contentType), "MANIFEST_INVALID", message);
  });
});

describe("stage 8, confusion of types (CVE-2021-41190)", () => {
  test.each<[string, object]>([
    ["an image with manifests", { ...image, manifests: index.manifests }],
    ["an image with no manifests in a list", { ...image, manifests: [] }],
    ["an index with config", { ...index, config }],
    ["an index with layers", { ...index, layers: [] }],
    ["an index with fsLayers", { ...index, fsLayers: [] }],
    ["an index with history", { ...index, history: [] }],
    ["a Docker list with layers", { ...index, mediaType: dockerList, layers: [layer] }],
    ["a Docker image with manifests", { ...image, mediaType: dockerImage, manifests: [] }],
  ])("%s is refused", (_, body) => {
    expectApiError(errorOf(body), "MANIFEST_INVALID", "must not contain");
  });

  test.each([
    "Manifests",
    "LAYERS",
    "Config",
    "mediatype",
    "layer\u017f",
    "Subject",
    "artifacttype",
    "Annotations",
  ])("%p, which Go reads without regard to case, is refused", (name) => {
    expectApiError(errorOf({ ...image, [name]: [] }), "MANIFEST_INVALID", "must be written");
    expectApiError(errorOf({ ...index, [name]: [] }), "MANIFEST_INVALID", "must be written");
  });
});

describe("stage 9, structure", () => {
  test.each<[string, object]>([
    ["an image without layers", { ...image, layers: [] }],
    ["layers null", { ...image, layers: null }],
    ["layers absent", { ...image, layers: undefined }],
    ["an empty index", { ...index, manifests: [] }],
    ["manifests null", { ...index, manifests: null }],
    ["nested indexes", { ...index, manifests: [descriptor(ociIndex), descriptor(dockerList)] }],
    ["the same child twice", { ...index, manifests: [...index.manifests, ...index.manifests] }],
    ["config and layer alike", { ...image, layers: [config] }],
    ["unknown members", { ...image, custom: { a: [1, null] }, "org.example": 1, __custom: "x" }],
    [
      "unknown config and layer types",
      { ...image, config: descriptor("a/b"), layers: [descriptor("c/d")] },
    ],
    ["annotations", { ...image, annotations: { a: "b", constructor: "c" } }],
    ["annotations null", { ...image, annotations: null }],
    ["an artifact type", { ...image, artifactType: "application/vnd.example+x" }],
    ["an empty artifact type", { ...image, artifactType: "" }],
    ["an empty config without artifactType", { ...image, config: descriptor(mediaTypes.ociEmpty) }],
    [
      "digests of algorithms that we do not compute",
      { ...image, layers: [{ ...layer, digest: "blake3:00" }] },
    ],
    ["a subject of null", { ...image, subject: null }],
  ])("%s is accepted", (_, body) => {
    expect(errorOf(body)).toBeNull();
  });

  test.each<[string, object, string]>([
    ["no config", { ...image, config: undefined }, "config must be a descriptor object"],
    ["config null", { ...image, config: null }, "config must be a descriptor object"],
    ["layers as an object", { ...image, layers: {} }, "layers must be an array"],
    ["layers as text", { ...image, layers: "x" }, "layers must be an array"],
    ["layers as false", { ...image, layers: false }, "layers must be an array"],
    ["a layer of null", { ...image, layers: [layer, null] }, "layers[1] must be"],
    ["manifests as an object", { ...index, manifests: {} }, "manifests must be an array"],
    [
      "a child with a bad digest",
      { ...index, manifests: [descriptor(ociImage, { digest: "x" })] },
      "manifests[0].digest",
    ],
    [
      "a child with a bad platform",
      { ...index, manifests: [descriptor(ociImage, { platform: [] })] },
      "manifests[0].platform",
    ],
    ["a size beyond 2^53 - 1", { ...image, config: { ...config, size: 2 ** 53 } }, "config.size"],
    ["annotations with a number", { ...image, annotations: { a: 1 } }, "annotations must be"],
    ["annotations as a list", { ...index, annotations: [] }, "annotations must be"],
    ["an illegal artifact type", { ...image, artifactType: "x y" }, "artifactType must be"],
    ["an artifact type of another type", { ...index, artifactType: 1 }, "artifactType must be"],
    [
      "data that is not the content",
      { ...image, layers: [{ ...layer, size: 2, data: "e30=" }] },
      "layers[0].data",
    ],
    ["a subject that is no descriptor", { ...image, subject: "sha256:x" }, "subject must be"],
    [
      "a subject with a bad digest",
      { ...index, subject: descriptor("a/b", { digest: "sha256:x" }) },
      "subject.digest",
    ],
  ])("%s is refused", (_, body, message) => {
    expectApiError(errorOf(body), "MANIFEST_INVALID", message);
  });

  test("all problems of this stage are listed, one entry each", () => {
    const broken = {
      ...image,
      config: 1,
      layers: [2, layer, 3],
      annotations: 4,
      artifactType: 5,
      subject: 6,
    };
    const messages = errorOf(broken)?.errors.map(({ message }) => message.split(" ")[0]!);
    expect(messages).toEqual([
      "config",
      "layers[0]",
      "layers[2]",
      "annotations",
      "artifactType",
      "subject",
    ]);
  });

  test("the list of problems is bounded", () => {
    const layers = Array.from({ length: 10_000 }, () => null);
    expect(errorOf({ ...image, layers })?.errors).toHaveLength(32);
  });

  test.each([
    ["layers", image, layer],
    ["manifests", index, descriptor(ociImage)],
  ])("the number of %s is bounded, whether they are equal or not", (name, base, each) => {
    const of = (length: number): unknown[] => Array.from({ length }, () => each);
    expect(errorOf({ ...base, [name]: of(10_000) })).toBeNull();
    expect(errorOf({ ...base, [name]: of(10_001) })?.message).toBe(
      `${name} must hold up to 10000 descriptors, but holds 10001`,
    );
  });
});

describe("what a manifest says", () => {
  test("an image refers to its config and layers, which are blobs", () => {
    expect(parse(image)).toMatchObject({
      kind: "image",
      subject: null,
      annotations: null,
      artifactType: mediaTypes.ociConfig,
      references: [
        { descriptor: config, role: "config", target: "blob", required: true },
        { descriptor: layer, role: "layer", target: "blob", required: true },
      ],
    });
  });

  test("an index refers to manifests, and to blobs where a child is none (BuildKit caches)", () => {
    const manifests = [ociImage, ociIndex, dockerImage, dockerList, mediaTypes.ociLayerGzip].map(
      (type) => descriptor(type),
    );
    const parsed = parse({ ...index, manifests });
    expect(parsed).toMatchObject({ kind: "index", artifactType: null });
    expect(parsed.references.map(({ target }) => target)).toEqual([
      "manifest",
      "manifest",
      "manifest",
      "manifest",
      "blob",
    ]);
    expect(parsed.references.every(({ role, required }) => role === "child" && required)).toBe(
      true,
    );
  });

  test("only a foreign layer that says where to get it may be missing", () => {
    const foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    const urls = ["https://example.com/layer"];
    const layers = [
      descriptor(foreign, { urls }),
      descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", { urls }),
      descriptor(foreign, { urls: [] }),
      descriptor(foreign),
      descriptor(mediaTypes.ociLayerGzip, { urls }),
    ];
    const parsed = parse({ ...image, config: descriptor(foreign, { urls }), layers });
    expect(parsed.references.map(({ required }) => required)).toEqual([
      true,
      false,
      false,
      true,
      true,
      true,
    ]);
  });

  test.each<[string, object, string | null]>([
    ["artifactType", { ...image, artifactType: "a/b" }, "a/b"],
    ["the config's type when it is empty", { ...image, artifactType: "" }, mediaTypes.ociConfig],
    ["that of an index", { ...index, artifactType: "a/b" }, "a/b"],
    ["none for an index with an empty one", { ...index, artifactType: "" }, null],
  ])("the type for lists of referrers is %s", (_, body, artifactType) => {
    expect(parse(body).artifactType).toBe(artifactType);
  });

  test("subject and annotations are taken over from OCI types, subject not from Docker's", () => {
    const subject = descriptor(ociImage, { digest: `sha512:${"cd".repeat(64)}` });
    const annotations = { "org.example": "x" };
    for (const body of [image, index]) {
      expect(parse({ ...body, subject, annotations })).toMatchObject({ subject, annotations });
    }
    for (const wrong of [subject, "nonsense"]) {
      expect(parse({ ...image, mediaType: dockerImage, subject: wrong }).subject).toBeNull();
      expect(parse({ ...index, mediaType: dockerList, subject: wrong }).subject).toBeNull();
    }
  });

  test("annotations named like members of Object.prototype stay data", () => {
    const text = JSON.stringify(image).replace(
      /^\{/,
      '{"annotations":{"__proto__":"x","constructor":"y"},',
    );
    const { annotations } = parse(text);
    expect(Object.entries(annotations ?? {})).toEqual([
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
  });

  test("a manifest of the size that the specification asks for is read", () => {
    const annotations = Object.fromEntries(
      Array.from({ length: 390 }, (_, number) => [`a${number}`, "x".repeat(10_000)]),
    );
    const text = JSON.stringify({ ...image, annotations });
    expect(text.length).toBeLessThan(manifestBytesMax);
    expect(Object.keys(parse(text).annotations ?? {})).toHaveLength(390);
  });
});

describe("random input", () => {
  const contentTypes = fc.constantFrom(
    null,
    "application/json",
    ociImage,
    ociIndex,
    dockerImage,
    dockerList,
    "x",
  );

  test("bytes give a manifest or a ApiError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), contentTypes, (bytes, contentType) => {
        const error = caught(() => parseManifest(bytes, contentType));
        expect(error?.code).toBe("MANIFEST_INVALID");
      }),
    );
  });

  test("JSON that resembles a manifest gives a manifest or a ApiError", () => {
    const anything = fc.jsonValue({ maxDepth: 4 });
    const described = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(config, layer, descriptor(ociImage)) },
      { weight: 1, arbitrary: anything },
    );
    const fields = {
      schemaVersion: fc.oneof(
        { weight: 5, arbitrary: fc.constant(2) },
        { weight: 1, arbitrary: anything },
      ),
      mediaType: fc.oneof(contentTypes, anything),
      config: described,
      layers: fc.oneof(fc.array(described), anything),
      manifests: fc.oneof(fc.array(described), anything),
      subject: described,
      annotations: fc.oneof(fc.dictionary(fc.string(), fc.string()), anything),
      artifactType: fc.oneof(fc.constant("a/b"), anything),
    };
    // Few that are made up freely are accepted, and by some seeds none; of those that change a good one, many.
    const changed = fc
      .record({
        good: fc.constantFrom(image, index),
        by: fc.record(fields),
        keys: fc.subarray(Object.keys(fields) as (keyof typeof fields)[], { maxLength: 2 }),
      })
      .map(({ good, by, keys }) => ({
        ...good,
        ...Object.fromEntries(keys.map((key) => [key, by[key]])),
      }));
    const body = fc.oneof(fc.record(fields, { requiredKeys: ["schemaVersion"] }), changed);
    let accepted = 0;
    fc.assert(
      fc.property(body, contentTypes, (value, contentType) => {
        const error = errorOf(value, contentType);
        if (error === null) accepted += 1;
        else expect(error.errors.length).toBeGreaterThan(0);
      }),
      { numRuns: 3000 },
    );
    expect(accepted).toBeGreaterThan(0);
  });

  test("one changed byte of a good manifest gives a manifest or a ApiError", () => {
    const bytes = encoder.encode(
      JSON.stringify({ ...image, annotations: { a: "b" }, subject: layer }),
    );
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
        const error = caught(() => parseManifest(bytes.with(at, byte), ociImage));
        expect(error?.code ?? "MANIFEST_INVALID").toBe("MANIFEST_INVALID");
      }),
      { numRuns: 2000 },
    );
  });
});
