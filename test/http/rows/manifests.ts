// The table of manifests: push, read, delete, tags, conditions, subjects [end-3, end-7, end-9].
//
// What a manifest must look like stands in `invalid_manifests.ts`.

import { mediaTypes } from "../../../src/oci/media_types.ts";
import { chunkedBody } from "../../../src/client/transport.ts";
import {
  config,
  content,
  descriptor,
  empty,
  image,
  imageMembers,
  index,
  layer,
  manifestOf,
  type ManifestContent,
  referrer,
} from "../content.ts";
import { deleted, manifestCreated, manifestHeaders, unchanged } from "../expected.ts";
import type { Given, Headers, Row, Step } from "../row.ts";

const blobs: readonly Given[] = [{ blob: config }, { blob: layer }];
const pushing = 'distribution-spec, "Pushing manifests" [end-7a]';
const manyTags = "distribution-spec [end-7b]";
const pulling = 'distribution-spec, "Pulling manifests" [end-3]';
const deleting = "distribution-spec [end-9]";

const first = image();
const second = image({ annotations: { version: "2" } });

function push(manifest: ManifestContent, reference: string, more: Headers = {}): Step {
  return {
    send: `PUT /v2/{r}/manifests/${reference}`,
    body: manifest.bytes,
    headers: { "content-type": manifest.mediaType },
    endpoint: "manifest.put",
    answer: 201,
    has: manifestCreated(manifest.digest, more),
  };
}

function pull(
  manifest: ManifestContent,
  reference = manifest.digest,
  headers: Record<string, string> = {},
): Step {
  return {
    send: `GET /v2/{r}/manifests/${reference}`,
    headers,
    endpoint: "manifest.get",
    answer: 200,
    has: manifestHeaders(manifest, reference.includes(":") ? "digest" : "tag"),
    gives: manifest.bytes,
  };
}

function unknown(reference: string, repository = "{r}"): Step {
  return {
    send: `GET /v2/${repository}/manifests/${reference}`,
    endpoint: "manifest.get",
    answer: "MANIFEST_UNKNOWN",
  };
}

function remove(reference: string): Step {
  return {
    send: `DELETE /v2/{r}/manifests/${reference}`,
    endpoint: "manifest.delete",
    answer: 202,
    has: deleted,
  };
}

/** Parameters in every media type that a manifest holds. */
const parametersImage = image({
  config: descriptor(config, "text/html;charset=utf-8"),
  layers: [descriptor(layer, "application/vnd.dev.sigstore.bundle+json;version=0.2")],
  artifactType: 'application/vnd.example; a="b c"',
  subject: descriptor(second, `${mediaTypes.ociImage};a=b`),
});
const parametersIndex = index([
  descriptor(parametersImage, `${mediaTypes.ociImage}; charset=utf-8`, { artifactType: "a/b;c=d" }),
]);
const parameters: Step = {
  ...push(parametersImage, parametersImage.digest, { "oci-subject": second.digest }),
  headers: { "content-type": `${mediaTypes.ociImage};charset=utf-8` },
};

function tags(...names: string[]): Step {
  return {
    send: "GET /v2/{r}/tags/list",
    endpoint: "tag.list",
    answer: 200,
    check: (answer) => {
      const { tags } = JSON.parse(Buffer.from(answer.body).toString()) as { tags: string[] };
      if (tags.join() !== names.join()) throw new Error(`tags are ${tags.join()}`);
    },
    has: { "content-type": "application/json" },
  };
}

const odd = manifestOf(
  `\n {"layers" : [],  "config":${JSON.stringify(imageMembers.config)},\t"zzz":1e0,` +
    `"mediaType":"${mediaTypes.ociImage}", "schemaVersion":2, "aaa":"\\u0061/\\/"}\r\n\n `,
);

const docker = manifestOf(
  {
    schemaVersion: 2,
    mediaType: mediaTypes.dockerImage,
    config: descriptor(config, "application/vnd.docker.container.image.v1+json"),
    layers: [descriptor(layer, "application/vnd.docker.image.rootfs.diff.tar.gzip")],
  },
  mediaTypes.dockerImage,
);
const dockerList = manifestOf(
  {
    schemaVersion: 2,
    mediaType: mediaTypes.dockerList,
    manifests: [
      descriptor(docker, docker.mediaType, { platform: { architecture: "amd64", os: "linux" } }),
    ],
  },
  mediaTypes.dockerList,
);

const pushes: readonly Row[] = [
  {
    rule: "A manifest is pushed by tag, and read by tag and digest",
    source: pushing,
    given: blobs,
    steps: [push(first, "latest"), pull(first, "latest"), pull(first), tags("latest")],
  },
  {
    rule: "A manifest is pushed by digest, and has no tag",
    source: pushing,
    given: blobs,
    steps: [push(first, first.digest), pull(first), unknown("latest"), tags()],
  },
  {
    rule: "A manifest may be pushed by a digest with its colon encoded",
    source: pushing,
    given: blobs,
    steps: [
      push(first, encodeURIComponent(first.digest)),
      { ...pull(first), send: `GET /v2/{r}/manifests/${encodeURIComponent(first.digest)}` },
    ],
  },
  {
    rule: "A body without a length is taken",
    source: pushing,
    given: blobs,
    steps: [
      { ...push(first, "latest"), body: chunkedBody(first.bytes, 10) },
      pull(first, "latest"),
    ],
  },
  {
    rule: "The bytes and their order are kept",
    source: pushing,
    given: blobs,
    steps: [push(odd, "odd"), pull(odd, "odd"), pull(odd)],
  },
  {
    rule: "The same push again is the same answer, by digest and by tag",
    source: pushing,
    given: blobs,
    steps: [
      push(first, "a"),
      push(first, "a"),
      push(first, first.digest),
      push(first, "b"),
      tags("a", "b"),
    ],
  },
  {
    rule: "A tag moves, and its old manifest stays",
    source: pushing,
    given: blobs,
    steps: [
      push(first, "latest"),
      push(second, "latest"),
      pull(second, "latest"),
      pull(first),
      push(first, "latest"),
      pull(first, "latest"),
    ],
  },
  {
    rule: "By sha512 the answers name the sha512 digest",
    source: "[end-7b]",
    given: blobs,
    steps: [
      {
        ...push(first, `${first.sha512}?tag=wide`, { "oci-tag": "wide" }),
        has: manifestCreated(first.sha512, { "oci-tag": "wide" }),
      },
      {
        ...pull(first, first.sha512),
        has: manifestHeaders(first, "digest", first.sha512),
      },
      { ...pull(first, "wide"), has: manifestHeaders(first, "tag", first.sha512) },
      unknown(first.digest),
    ],
  },
  {
    rule: "Parameters of the media type are dropped, and its case is kept",
    source: pushing,
    given: blobs,
    steps: [
      {
        ...push(first, "a"),
        headers: { "content-type": `${mediaTypes.ociImage}; charset=utf-8` },
      },
      pull(first, "a"),
      {
        ...push(second, "b"),
        headers: { "content-type": " Application/Vnd.OCI.image.manifest.v1+JSON ;x=y" },
      },
      {
        ...pull(second, "b"),
        has: {
          ...manifestHeaders(second, "tag"),
          "content-type": "Application/Vnd.OCI.image.manifest.v1+JSON",
        },
      },
    ],
  },
  {
    rule: "Without a media type in the header that of the body counts",
    source: pushing,
    given: blobs,
    steps: [
      { ...push(first, "a"), headers: {} },
      { ...push(second, "b"), headers: { "content-type": "application/json" } },
      pull(first, "a"),
      pull(second, "b"),
    ],
  },
  {
    rule: "Docker's image and list are stored and served as they came",
    source: "ours",
    given: blobs,
    steps: [
      push(docker, "amd64"),
      push(dockerList, "list"),
      pull(docker, "amd64"),
      pull(dockerList, "list"),
      pull(dockerList),
    ],
  },
  {
    rule: "An index of manifests, of indexes, and of nothing is taken",
    source: pushing,
    given: [...blobs, { manifest: first }],
    steps: [
      push(index([first]), "one"),
      push(index([index([first])]), "nested"),
      push(index([]), "none"),
      push(index([first, first]), "twice"),
      pull(index([index([first])]), "nested"),
    ],
  },
  {
    rule: "Media types may have parameters wherever one stands, and are served as they were pushed",
    source: "RFC 9110 §8.3.1, RFC 6838",
    given: blobs,
    steps: [
      parameters,
      push(parametersIndex, "index"),
      pull(parametersImage),
      pull(parametersIndex),
    ],
  },
  {
    rule: "Unknown members, and unknown types of configs, layers, children and artifacts, are taken",
    source: pushing,
    given: [...blobs, { blob: empty }],
    steps: [
      push(
        image({
          artifactType: "application/vnd.example.thing",
          config: descriptor(empty, "application/vnd.example.config+json", { surprise: [1] }),
          layers: [descriptor(layer, "text/plain")],
          surprise: { deep: [{}] },
        }),
        "artifact",
      ),
      push(index([descriptor(layer, "application/vnd.example.cache")]), "cache"),
    ],
  },
  {
    rule: "A layer that says where to get it need not be there",
    source: pushing,
    given: blobs,
    steps: [
      push(
        image({
          layers: [
            {
              ...descriptor(empty, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
              urls: ["https://example.com/layer"],
            },
          ],
        }),
        "foreign",
      ),
    ],
  },
  {
    rule: "Names that mean something to JavaScript are tags like any other",
    source: "ours",
    given: blobs,
    steps: [
      push(first, "__proto__"),
      push(second, "constructor"),
      pull(first, "__proto__"),
      pull(second, "constructor"),
      tags("__proto__", "constructor"),
    ],
  },
];

const tagParameters: readonly Row[] = [
  {
    rule: "A push by digest may set several tags, each once",
    source: manyTags,
    given: blobs,
    steps: [
      push(first, `${first.digest}?tag=a&tag=b&x=1&tag=a&tag=c.d`, { "oci-tag": "a, b, c.d" }),
      tags("a", "b", "c.d"),
      pull(first, "b"),
    ],
  },
  {
    rule: "46 tags are set at once, 47 are not",
    source: manyTags,
    given: blobs,
    steps: [
      push(first, `${first.digest}?${numbered(46)}`, { "oci-tag": /^t0, t1, .* t45$/ }),
      {
        ...push(second, `${second.digest}?${numbered(47)}`),
        has: {},
        answer: "TOO_MANY_TAGS",
        says: /46 tags.* 47/,
      },
      unknown(second.digest),
    ],
  },
  {
    rule: "One bad tag, and none is set and nothing pushed",
    source: manyTags,
    given: blobs,
    steps: [
      ...["a:b", "-a", ".a", "", "a".repeat(129), "a/b", "ä", "a%20b", "a%0d%0ab"].map((tag) => ({
        ...push(first, `${first.digest}?tag=good&tag=${tag}`),
        answer: "MANIFEST_INVALID" as const,
        has: {},
        says: /^Expected a tag/,
      })),
      unknown(first.digest),
      tags(),
    ],
  },
  {
    rule: "A tag in the path takes no tags beside it",
    source: manyTags,
    given: blobs,
    steps: [
      { ...push(first, "latest?tag=other"), answer: "PARAMETER_INVALID", has: {} },
      unknown("latest"),
    ],
  },
];

function numbered(count: number): string {
  return Array.from({ length: count }, (_, at) => `tag=t${at}`).join("&");
}

function withHeaders(step: Step, headers: Record<string, string>): Step {
  return { ...step, headers: { ...step.headers, ...headers } };
}

function failed(step: Step, headers: Record<string, string>, says: RegExp): Step {
  return { ...withHeaders(step, headers), answer: "PRECONDITION_FAILED", has: {}, says };
}

const conditions: readonly Row[] = [
  {
    rule: "If-Match lets a tag move only from where the client saw it",
    source: "RFC 9110 §13.1.1",
    given: [...blobs, { manifest: first, tag: "latest" }],
    steps: [
      failed(
        push(second, "latest"),
        { "if-match": `"${second.digest}"` },
        new RegExp(first.digest),
      ),
      failed(push(second, "latest"), { "if-match": `W/"${first.digest}"` }, /latest/),
      failed(push(second, "new"), { "if-match": `"${first.digest}"` }, /does not exist/),
      unknown(second.digest),
      withHeaders(push(second, "latest"), { "if-match": `"x", "${first.digest}"` }),
      pull(second, "latest"),
    ],
  },
  {
    rule: "If-Match with a star asks that the tag is there",
    source: "RFC 9110 §13.1.1",
    given: [...blobs, { manifest: first, tag: "latest" }],
    steps: [
      failed(push(second, "new"), { "if-match": "*" }, /does not exist/),
      withHeaders(push(second, "latest"), { "if-match": "*" }),
      pull(second, "latest"),
    ],
  },
  {
    rule: "If-None-Match with a star lets a tag only be new",
    source: "RFC 9110 §13.1.2",
    given: [...blobs, { manifest: first, tag: "latest" }],
    steps: [
      failed(push(second, "latest"), { "if-none-match": "*" }, new RegExp(first.digest)),
      unknown(second.digest),
      withHeaders(push(second, "new"), { "if-none-match": "*" }),
      pull(second, "new"),
    ],
  },
  {
    rule: "Conditions hold for every tag of the request",
    source: "RFC 9110 §13.1",
    given: [...blobs, { manifest: first, tag: "old" }],
    steps: [
      failed(
        push(second, `${second.digest}?tag=new&tag=old`),
        { "if-none-match": "*" },
        new RegExp(`old.*${first.digest}`),
      ),
      unknown("new"),
      unknown(second.digest),
    ],
  },
  {
    rule: "A tag is deleted only from where the client saw it",
    source: "RFC 9110 §13.1.1",
    given: [...blobs, { manifest: first, tag: "latest" }],
    steps: [
      failed(remove("latest"), { "if-match": `"${second.digest}"` }, /./),
      pull(first, "latest"),
      withHeaders(remove("latest"), { "if-match": `"${first.digest}"` }),
      unknown("latest"),
    ],
  },
  {
    rule: "If-None-Match of a manifest is 304, by tag and by digest, quoted or bare",
    source: "RFC 9110 §13.1.2",
    given: [...blobs, { manifest: first, tag: "latest" }],
    steps: [
      ...[`"${first.digest}"`, first.digest, `W/"${first.digest}"`, "*"].flatMap((value) => [
        notModified("latest", value, "no-cache"),
        notModified(first.digest, value),
      ]),
      pull(first, "latest", { "if-none-match": `"${second.digest}"` }),
    ],
  },
];

function notModified(reference: string, value: string, cache?: string): Step {
  return {
    send: `GET /v2/{r}/manifests/${reference}`,
    headers: { "if-none-match": value },
    endpoint: "manifest.get",
    answer: 304,
    has: { ...unchanged(first.digest), ...(cache === undefined ? {} : { "cache-control": cache }) },
  };
}

const pulls: readonly Row[] = [
  {
    rule: "The stored manifest is served whatever is accepted",
    source: pulling,
    given: [...blobs, { manifest: first, tag: "latest" }],
    steps: [
      "*/*",
      "text/html",
      mediaTypes.dockerImage,
      `${mediaTypes.ociIndex};q=0.5, ${mediaTypes.dockerList};q=0.1, ;;,`,
      "",
    ].map((accept) => pull(first, "latest", { accept, "accept-encoding": "gzip, zstd" })),
  },
  {
    rule: "What is not there is 404, in a known and an unknown repository",
    source: pulling,
    given: [...blobs, { manifest: first, tag: "latest" }],
    steps: [
      unknown("other"),
      unknown(second.digest),
      unknown(`md5:${"a".repeat(32)}`),
      unknown("a".repeat(129)),
      unknown(".x"),
      unknown("%20"),
      unknown(""),
      { ...unknown("latest", "{r2}"), answer: "NAME_UNKNOWN" },
      { ...unknown(first.digest, "{r}/below"), answer: "NAME_UNKNOWN" },
      { ...unknown("latest", "UPPER"), answer: "NAME_INVALID_READ" },
    ],
  },
  {
    rule: "A digest that cannot be is 400",
    source: pulling,
    steps: ["sha256:baddigeststring", `sha256:${"A".repeat(64)}`, ":", "a:", "A:b"].map(
      (reference) => ({
        send: `GET /v2/{r}/manifests/${reference}`,
        endpoint: "manifest.get",
        answer: "DIGEST_INVALID" as const,
      }),
    ),
  },
  {
    rule: "A blob that could be a manifest is none",
    source: pulling,
    given: [...blobs, { blob: first }],
    steps: [unknown(first.digest)],
  },
];

const deletions: readonly Row[] = [
  {
    rule: "A tag goes alone: its manifest and other tags stay",
    source: deleting,
    given: [...blobs, { manifest: first, tag: "a" }, { manifest: first, tag: "b" }],
    steps: [
      remove("a"),
      unknown("a"),
      pull(first, "b"),
      pull(first),
      tags("b"),
      { ...remove("a"), answer: "MANIFEST_UNKNOWN", has: {} },
      remove("b"),
      pull(first),
      tags(),
    ],
  },
  {
    rule: "A manifest goes with all its tags",
    source: deleting,
    given: [
      ...blobs,
      { manifest: first, tag: "a" },
      { manifest: first, tag: "b" },
      { manifest: second, tag: "c" },
    ],
    steps: [
      remove(first.digest),
      unknown("a"),
      unknown("b"),
      unknown(first.digest),
      tags("c"),
      { ...remove(first.digest), answer: "MANIFEST_UNKNOWN", has: {} },
      push(first, "a"),
      pull(first, "a"),
    ],
  },
  {
    rule: "An index that describes a manifest wrongly is refused",
    source: "image-spec, ours",
    given: [...blobs, { manifest: first }],
    steps: [
      ...[
        [descriptor(first, first.mediaType, { size: 1 }), /says 1 bytes, the manifest has/],
        [descriptor(first, mediaTypes.ociIndex), /image\.index.*was pushed as .*image\.manifest/],
        [descriptor(first, mediaTypes.dockerImage), /docker.*was pushed as/],
      ].map(([child, says]): Step => ({
        ...push(index([child as ReturnType<typeof descriptor>]), "wrong"),
        answer: "MANIFEST_INVALID",
        has: {},
        says: says as RegExp,
      })),
      push(index([descriptor(first, first.mediaType.toUpperCase())]), "shouted"),
    ],
  },
  {
    rule: "A child of an index that nothing names goes, and the index is still served",
    source: "ours, as in zot",
    given: [...blobs, { manifest: first }, { manifest: index([first]), tag: "index" }],
    steps: [
      remove("index"),
      remove(first.digest),
      unknown(first.digest),
      pull(index([first])),
      push(first, first.digest),
      push(index([first]), "again"),
      {
        ...remove(first.digest),
        answer: "BLOB_REFERENCED",
        has: { allow: "GET, HEAD, PUT, OPTIONS" },
      },
    ],
  },
  {
    rule: "A manifest that an index names stays, and the answer says which index",
    source: "ours, RFC 9110 §15.5.6",
    given: [...blobs, { manifest: first }, { manifest: index([first]), tag: "index" }],
    steps: [
      {
        ...remove(first.digest),
        answer: "BLOB_REFERENCED",
        has: { allow: "GET, HEAD, PUT, OPTIONS" },
        says: new RegExp(index([first]).digest),
      },
      pull(first),
      remove(index([first]).digest),
      remove(first.digest),
    ],
  },
  {
    rule: "What is not there cannot be deleted",
    source: deleting,
    given: [{ blob: config }],
    steps: [
      { ...remove("latest"), answer: "MANIFEST_UNKNOWN", has: {} },
      { ...remove(first.digest), answer: "MANIFEST_UNKNOWN", has: {} },
      {
        ...remove("latest"),
        send: "DELETE /v2/{r}/none/manifests/latest",
        answer: "NAME_UNKNOWN",
        has: {},
      },
      {
        ...remove("latest"),
        send: `DELETE /v2/{r}/none/manifests/${first.digest}`,
        answer: "NAME_UNKNOWN",
        has: {},
      },
    ],
  },
  {
    rule: "A reference that cannot be is not deleted",
    source: deleting,
    steps: [
      { ...remove("sha256:abc"), answer: "DIGEST_INVALID", has: {} },
      { ...remove(`md5:${"a".repeat(32)}`), answer: "DIGEST_INVALID", has: {} },
      { ...remove(".x"), answer: "MANIFEST_INVALID", has: {} },
      {
        ...remove("x"),
        send: "DELETE /v2/UPPER/manifests/x",
        answer: "NAME_INVALID",
        has: {},
      },
    ],
  },
];

const missing = content("never pushed");

const subjects: readonly Row[] = [
  {
    rule: "A push with a subject is answered with OCI-Subject, whether the subject is there or not",
    source: 'distribution-spec, "Pushing Manifests with Subject"',
    given: [...blobs, { manifest: first }],
    steps: [
      push(referrer(first, 1), referrer(first, 1).digest, { "oci-subject": first.digest }),
      push(referrer(first, 1), "again", { "oci-subject": first.digest }),
      push(referrer(second, 2), "early", { "oci-subject": second.digest }),
      push(index([first], { subject: descriptor(missing, mediaTypes.ociImage) }), "index", {
        "oci-subject": missing.digest,
      }),
    ],
  },
  {
    rule: "Docker's types have no subject",
    source: "ours",
    given: blobs,
    steps: [
      push(
        manifestOf(
          {
            ...imageMembers,
            mediaType: mediaTypes.dockerImage,
            subject: descriptor(first, first.mediaType),
          },
          mediaTypes.dockerImage,
        ),
        "docker",
      ),
    ],
  },
];

export const manifestRows: readonly Row[] = [
  ...pushes,
  ...tagParameters,
  ...conditions,
  ...pulls,
  ...deletions,
  ...subjects,
];
