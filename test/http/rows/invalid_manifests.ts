// The table of manifests that are refused: size, type, JSON, envelope, structure, missing content [end-7].
//
// Every API error must leave nothing: no manifest, no tag, no repository, no file.

import { chunkedBody } from "../../../src/client/transport.ts";
import { mediaTypes } from "../../../src/oci/media_types.ts";
import {
  config,
  content,
  descriptor,
  empty,
  image,
  imageMembers,
  index,
  layer,
  letters,
  manifestOf,
  type ManifestContent,
} from "../content.ts";
import { manifestCreated } from "../expected.ts";
import type { Answer, Given, Row, Step } from "../row.ts";

const source = "[end-7a], image-spec";
const blobs: readonly Given[] = [{ blob: config }, { blob: layer }];

function refused(
  manifest: Pick<ManifestContent, "bytes"> & { readonly mediaType: string | null },
  answer: Answer = "MANIFEST_INVALID",
  says?: RegExp,
): Step {
  return {
    send: "PUT /v2/{r}/manifests/latest",
    body: manifest.bytes,
    headers: manifest.mediaType === null ? {} : { "content-type": manifest.mediaType },
    endpoint: "manifest.put",
    answer,
    ...(says === undefined ? {} : { says }),
  };
}

/** The tag that the refused pushes named is not there. */
const nothing: Step = {
  send: "GET /v2/{r}/manifests/latest",
  endpoint: "manifest.get",
  answer: "MANIFEST_UNKNOWN",
};

/** In a repository that has the content that the manifests name. */
function invalid(rule: string, ...steps: Step[]): Row {
  return { rule, source, given: blobs, steps: [...steps, nothing] };
}

/** In a repository that nobody has pushed to: it must not be there afterwards. */
function invalidAnywhere(rule: string, ...steps: Step[]): Row {
  return { rule, source, steps };
}

const text = (body: string | Uint8Array, mediaType: string | null = mediaTypes.ociImage) => ({
  ...content(body),
  mediaType,
});

const MiB4 = 4 * 1024 * 1024;

/** A valid image manifest of exactly so many bytes. */
function sized(bytes: number): ManifestContent {
  const bare = image({ annotations: { pad: "" } });
  return image({ annotations: { pad: "x".repeat(bytes - bare.bytes.length) } });
}

const sizes: readonly Row[] = [
  {
    rule: "A manifest of 4 MiB is taken, with and without a length",
    source: 'distribution-spec, "Pushing manifests"',
    given: blobs,
    steps: [
      {
        ...refused(sized(MiB4)),
        answer: 201,
        has: manifestCreated(sized(MiB4).digest),
      },
      {
        ...refused(sized(MiB4)),
        body: chunkedBody(sized(MiB4).bytes),
        answer: 201,
        has: manifestCreated(sized(MiB4).digest),
      },
    ],
  },
  invalidAnywhere(
    "A manifest of more than 4 MiB is refused, with and without a length",
    refused(sized(MiB4 + 1), "MANIFEST_TOO_LARGE", /4 MiB/),
    { ...refused(sized(MiB4 + 1), "MANIFEST_TOO_LARGE"), body: chunkedBody(sized(MiB4 + 1).bytes) },
    { ...refused(sized(2 * MiB4), "MANIFEST_TOO_LARGE"), body: chunkedBody(sized(2 * MiB4).bytes) },
  ),
  invalidAnywhere("No bytes are no manifest", refused(text(""), "MANIFEST_INVALID", /empty/), {
    ...refused(text("")),
    body: chunkedBody(new Uint8Array(0)),
  }),
];

const types: readonly Row[] = [
  invalidAnywhere(
    "A media type that is no manifest's is refused",
    ...[
      "text/plain",
      "application/octet-stream",
      "application/vnd.docker.distribution.manifest.v1+json",
      "application/vnd.docker.distribution.manifest.v1+prettyjws",
      "application/vnd.oci.image.manifest.v2+json",
      "nonsense",
      `${mediaTypes.ociImage}, ${mediaTypes.ociIndex}`,
    ].map((type) => refused({ ...image(), mediaType: type }, "MANIFEST_TYPE")),
  ),
  invalidAnywhere(
    "Without a media type anywhere a manifest is refused",
    refused(
      { ...image({ mediaType: undefined }), mediaType: null },
      "MANIFEST_TYPE",
      /set Content-Type/,
    ),
    refused({ ...image({ mediaType: 7 }), mediaType: "application/json" }, "MANIFEST_TYPE"),
    refused({ ...image({ mediaType: "text/plain" }), mediaType: null }, "MANIFEST_TYPE"),
  ),
  invalidAnywhere(
    "The media type of the body must be that of the header",
    refused({ ...image(), mediaType: mediaTypes.ociIndex }),
    refused({ ...index([]), mediaType: mediaTypes.ociImage }),
    refused({ ...image({ mediaType: mediaTypes.dockerImage }), mediaType: mediaTypes.ociImage }),
    refused({ ...image({ mediaType: undefined }), mediaType: mediaTypes.dockerImage }),
  ),
  invalidAnywhere("An encoded body is refused", {
    ...refused(image(), "CONTENT_ENCODING"),
    headers: { "content-type": mediaTypes.ociImage, "content-encoding": "gzip" },
  }),
];

const valid = JSON.stringify(imageMembers);

const texts: readonly Row[] = [
  invalidAnywhere(
    "What is no JSON object is refused",
    refused(text("not JSON")),
    refused(text("[]")),
    refused(text('"text"')),
    refused(text("null")),
    refused(text("2")),
    refused(text(valid.slice(0, -1))),
    refused(text(`${valid}${valid}`)),
    refused(text(`${valid}x`)),
    refused(text("{'schemaVersion': 2}")),
    refused(text(new Uint8Array([0x1f, 0x8b, 8, 0]))),
  ),
  invalidAnywhere(
    "Text of which there is more than one reading is refused",
    refused(text(`\uFEFF${valid}`), "MANIFEST_INVALID", /byte order mark/),
    refused(
      text(Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from('"}')])),
      "MANIFEST_INVALID",
      /UTF-8/,
    ),
    refused(text(valid.replace("{", '{"schemaVersion":2,')), "MANIFEST_INVALID", /more than once/),
    refused(
      text(valid.replace('"layers"', '"layers":[],"layers"')),
      "MANIFEST_INVALID",
      /more than once/,
    ),
    refused(manifestOf({ ...imageMembers, Layers: [] }), "MANIFEST_INVALID", /layers/),
    refused(manifestOf({ ...imageMembers, "\u017FchemaVersion": 2 })),
  ),
  invalidAnywhere(
    "Nesting beyond 64 levels is refused, however deep",
    refused(text(nested(65)), "MANIFEST_INVALID", /64 levels/),
    refused(text(nested(100_000)), "MANIFEST_INVALID", /64 levels/),
    refused(text("[".repeat(4_000_000)), "MANIFEST_INVALID", /64 levels/),
    refused(text('{"a":'.repeat(500_000)), "MANIFEST_INVALID", /64 levels/),
  ),
  {
    rule: "Nesting of 64 levels is taken",
    source,
    given: blobs,
    steps: [
      {
        ...refused(text(nested(64))),
        answer: 201,
        has: manifestCreated(content(nested(64)).digest),
      },
    ],
  },
];

/** An image manifest with an unknown member that makes it so many levels deep. */
function nested(levels: number): string {
  const deep = "[".repeat(levels - 1) + "]".repeat(levels - 1);
  return valid.replace("{", `{"deep":${deep},`);
}

const envelopes: readonly Row[] = [
  invalidAnywhere(
    "schemaVersion must be the number 2",
    ...[1, 3, "2", null, undefined, true, 2.5, [2]].map((schemaVersion) =>
      refused(image({ schemaVersion }), "MANIFEST_INVALID", /schemaVersion/),
    ),
  ),
  invalidAnywhere(
    "Members of one kind in the other are refused",
    refused(image({ manifests: [] }), "MANIFEST_INVALID", /manifests/),
    ...["config", "layers", "fsLayers", "history"].map((name) =>
      refused(index([], { [name]: [] }), "MANIFEST_INVALID", new RegExp(name)),
    ),
  ),
];

const badDescriptors: readonly (readonly [says: RegExp, descriptor: unknown])[] = [
  [/descriptor object/, "text"],
  [/descriptor object/, []],
  [/mediaType/, { ...descriptor(layer, "x/y"), mediaType: undefined }],
  [/mediaType/, descriptor(layer, "no-slash")],
  [/mediaType/, descriptor(layer, "x/y; charset")],
  [/digest/, { ...descriptor(layer, "x/y"), digest: undefined }],
  [/digest/, { ...descriptor(layer, "x/y"), digest: layer.digest.toUpperCase() }],
  [/digest/, { ...descriptor(layer, "x/y"), digest: "sha256:abc" }],
  [/digest/, { ...descriptor(layer, "x/y"), digest: "../../etc/passwd" }],
  [/size/, { ...descriptor(layer, "x/y"), size: undefined }],
  [/size/, descriptor(layer, "x/y", { size: -1 })],
  [/size/, descriptor(layer, "x/y", { size: 1.5 })],
  [/size/, descriptor(layer, "x/y", { size: "7" })],
  [/size/, descriptor(layer, "x/y", { size: 2 ** 53 })],
  [/urls/, descriptor(layer, "x/y", { urls: "https://example.com" })],
  [/urls/, descriptor(layer, "x/y", { urls: [1] })],
  [/annotations/, descriptor(layer, "x/y", { annotations: { a: 1 } })],
  [/annotations/, descriptor(layer, "x/y", { annotations: [] })],
  [/artifactType/, descriptor(layer, "x/y", { artifactType: "no type" })],
  [/platform/, descriptor(layer, "x/y", { platform: "linux" })],
  [/platform/, descriptor(layer, "x/y", { platform: { os: 1, architecture: "x" } })],
  [/data/, descriptor(layer, "x/y", { data: 5 })],
  [/data/, descriptor(layer, "x/y", { data: "not base64!" })],
  [/data/, descriptor(layer, "x/y", { data: "YQ==" })],
  [/data/, descriptor(layer, "x/y", { data: Buffer.from("A LAYER").toString("base64") })],
];

const structures: readonly Row[] = [
  ...badDescriptors.map(([says, bad]) =>
    invalid(
      `A descriptor that cannot be is refused wherever it stands: ${JSON.stringify(bad)}`,
      refused(image({ config: bad }), "MANIFEST_INVALID", says),
      refused(image({ layers: [imageMembers.layers[0], bad] }), "MANIFEST_INVALID", says),
      refused(image({ subject: bad }), "MANIFEST_INVALID", says),
      refused(index([], { manifests: [bad] }), "MANIFEST_INVALID", says),
      refused(index([], { subject: bad }), "MANIFEST_INVALID", says),
    ),
  ),
  invalid(
    "Lists that are none are refused",
    refused(image({ layers: {} }), "MANIFEST_INVALID", /layers must be an array/),
    refused(image({ layers: "x" }), "MANIFEST_INVALID", /layers must be an array/),
    refused(index([], { manifests: {} }), "MANIFEST_INVALID", /manifests must be an array/),
    refused(image({ layers: [null] }), "MANIFEST_INVALID", /layers\[0\]/),
  ),
  invalid(
    "An image without a config is refused",
    refused(image({ config: undefined }), "MANIFEST_INVALID", /config/),
    refused(image({ config: null }), "MANIFEST_INVALID", /config/),
  ),
  invalid(
    "Annotations and artifact types that Go clients cannot read are refused",
    refused(image({ annotations: { a: 1 } }), "MANIFEST_INVALID", /annotations/),
    refused(image({ annotations: { a: null } }), "MANIFEST_INVALID", /annotations/),
    refused(image({ annotations: ["a"] }), "MANIFEST_INVALID", /annotations/),
    refused(image({ artifactType: "no type" }), "MANIFEST_INVALID", /artifactType/),
    refused(image({ artifactType: 5 }), "MANIFEST_INVALID", /artifactType/),
    refused(index([], { annotations: { a: {} } }), "MANIFEST_INVALID", /annotations/),
  ),
  invalid("All problems of the structure are listed at once", {
    ...refused(image({ annotations: 5, config: 5, layers: [1, 2] })),
    check: (answer) => {
      const { errors } = JSON.parse(Buffer.from(answer.body).toString()) as { errors: unknown[] };
      if (errors.length !== 4) throw new Error(`${errors.length} problems are listed, not 4`);
    },
  }),
];

function missing(manifest: ManifestContent, ...digests: string[]): Step {
  return {
    ...refused(manifest, "MANIFEST_BLOB_UNKNOWN"),
    check: (answer) => {
      const body = JSON.parse(Buffer.from(answer.body).toString()) as {
        errors: { detail: { digest: string } }[];
      };
      const named = body.errors.map(({ detail }) => detail.digest);
      if (named.join() !== digests.join()) throw new Error(`the answer names ${named.join()}`);
    },
  };
}

const references: readonly Row[] = [
  invalidAnywhere(
    "Every blob that is missing is named once",
    missing(image(), config.digest, layer.digest),
    missing(
      image({ layers: [imageMembers.layers[0], imageMembers.layers[0]] }),
      config.digest,
      layer.digest,
    ),
  ),
  {
    rule: "Content of another repository counts as missing",
    source,
    given: [{ blob: config }, { blob: layer, in: "{r2}" }],
    steps: [missing(image(), layer.digest)],
  },
  {
    rule: "Children of an index must be manifests here, and other children blobs",
    source: "ours",
    given: [...blobs, { blob: image() }],
    steps: [
      missing(index([image()]), image().digest),
      missing(index([image(), index([])]), image().digest, index([]).digest),
      missing(index([descriptor(letters, "application/vnd.example.cache")]), letters.digest),
    ],
  },
  {
    rule: "A manifest does not stand for a blob",
    source: "ours",
    given: [...blobs, { manifest: image() }],
    steps: [
      missing(image({ layers: [descriptor(image(), mediaTypes.ociLayer)] }), image().digest),
      missing(index([descriptor(image(), "application/vnd.example.cache")]), image().digest),
    ],
  },
  invalid(
    "A layer that may be elsewhere must say where, or be here",
    missing(
      image({
        layers: [
          descriptor(empty, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
          descriptor(letters, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", {
            urls: [],
          }),
        ],
      }),
      empty.digest,
      letters.digest,
    ),
  ),
  invalid(
    "Content under a digest that the registry does not compute is missing",
    missing(
      image({ layers: [{ mediaType: "x/y", size: 1, digest: `md5:${"a".repeat(32)}` }] }),
      `md5:${"a".repeat(32)}`,
    ),
  ),
  invalid(
    "A descriptor must say the size that the blob has",
    refused(
      image({ config: descriptor(config, mediaTypes.ociConfig, { size: 3 }) }),
      "MANIFEST_INVALID",
      /says 3 bytes, the blob has 2/,
    ),
  ),
];

const byDigest = (digest: string, answer: Answer): Step => ({
  ...refused(image(), answer),
  send: `PUT /v2/{r}/manifests/${digest}`,
});

const names: readonly Row[] = [
  invalid(
    "Bytes that do not have the digest of the path are refused",
    { ...byDigest(empty.digest, "DIGEST_INVALID"), says: new RegExp(image().digest) },
    byDigest(empty.sha512, "DIGEST_INVALID"),
    byDigest(`${empty.digest}?tag=latest`, "DIGEST_INVALID"),
  ),
  invalid(
    "A digest that cannot be is refused",
    byDigest("sha256:baddigeststring", "DIGEST_INVALID"),
    byDigest(image().digest.toUpperCase(), "DIGEST_INVALID"),
    byDigest(`md5:${"a".repeat(32)}`, "DIGEST_INVALID"),
    byDigest("latest:1", "DIGEST_INVALID"),
  ),
  invalid(
    "A tag that cannot be is refused",
    ...["-a", ".a", "a+b", "a%20b", "%C3%A4", "a".repeat(129), "", "%00", "a%0Ab", "~", "@"].map(
      (tag) => byDigest(tag, "MANIFEST_INVALID"),
    ),
  ),
  invalidAnywhere("A repository name that cannot be is refused", {
    ...refused(image(), "NAME_INVALID"),
    send: "PUT /v2/UPPER/manifests/latest",
  }),
];

export const invalidManifestRows: readonly Row[] = [
  ...sizes,
  ...types,
  ...texts,
  ...envelopes,
  ...structures,
  ...references,
  ...names,
];
