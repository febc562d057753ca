// The table of names: what may be a repository, a tag, and what merely looks like one.
//
// The corpus holds what breaks registries that build paths from names. A name is judged before anything is
// opened, so a bad one must answer alike on every endpoint, and leave nothing.

import { config, image, layer, letters } from "../content.ts";
import { blobCreated, json, manifestCreated, manifestHeaders, readable } from "../expected.ts";
import type { Row, Step } from "../row.ts";

const grammar = 'distribution-spec, "Pulling manifests" (name)';

/** As written into the path. */
const badNames: readonly string[] = [
  "A",
  "Library/image",
  "image/Library",
  "a_",
  "_a",
  "a___b",
  "a..b",
  "a-.b",
  "a._b",
  "-a",
  "a-",
  ".a",
  "a.",
  "a//b",
  "a///b",
  "a/",
  "...",
  "a/...",
  ".git",
  "_uploads",
  "_zot",
  "_zot/uploads",
  "-rf",
  "~",
  "~root",
  "$(id)",
  "%24%28id%29",
  "%60id%60",
  "%7B%7B7*7%7D%7D",
  "'--",
  "__proto__",
  "a:b",
  "c%3A",
  "a@b",
  "a+b",
  "a%20b",
  "%20",
  "%09",
  "%0a",
  "a%0A",
  "a%0d%0ab",
  "%00",
  "a%00",
  "%7F",
  "%C3%A4",
  "%D0%B0dmin",
  "%EF%BC%8E%EF%BC%8E",
  "%E2%80%AE",
  "\u{e4}",
  "%25%32%65",
  "a%5cb",
  "*",
  "%3F",
  "a%23b",
  "a".repeat(256),
  `${"a/".repeat(127)}aa`,
  "a".repeat(4096),
  Array.from({ length: 129 }, () => "a").join("/"),
];

const digest = letters.digest;
const uuid = "0f3d8a52-6c1b-4e0a-9d53-3f0b1a2c4d5e";

/** Every endpoint with a repository in its path: on a pull a bad name is not there, else it is a mistake. */
function everywhere(name: string): Step[] {
  const read = "NAME_INVALID_READ" as const;
  const write = "NAME_INVALID" as const;
  const put = { "content-type": image().mediaType };
  const at = `/v2/${name}`;
  return [
    { send: `GET ${at}/tags/list`, endpoint: "tag.list", answer: read },
    { send: `GET ${at}/manifests/latest`, endpoint: "manifest.get", answer: read },
    { send: `GET ${at}/blobs/${digest}`, endpoint: "blob.get", answer: read },
    { send: `GET ${at}/referrers/${digest}`, endpoint: "referrer.list", answer: read },
    { send: `POST ${at}/blobs/uploads/`, endpoint: "upload.start", answer: write },
    {
      send: `POST ${at}/blobs/uploads/?digest=${digest}`,
      body: letters.bytes,
      endpoint: "blob.post",
      answer: write,
    },
    {
      send: `POST ${at}/blobs/uploads/?mount=${digest}&from={r}`,
      endpoint: "blob.mount",
      answer: write,
    },
    {
      send: `PATCH ${at}/blobs/uploads/${uuid}`,
      body: "x",
      endpoint: "upload.append",
      answer: write,
    },
    {
      send: `PUT ${at}/manifests/latest`,
      body: image().bytes,
      headers: put,
      endpoint: "manifest.put",
      answer: write,
    },
    { send: `DELETE ${at}/manifests/latest`, endpoint: "manifest.delete", answer: write },
    { send: `DELETE ${at}/blobs/${digest}`, endpoint: "blob.delete", answer: write },
  ];
}

const badNameRows: readonly Row[] = badNames.map((name) => ({
  rule: `${JSON.stringify(name.length > 60 ? `${name.slice(0, 20)}… (${name.length})` : name)} is no repository`,
  source: grammar,
  steps: everywhere(name),
}));

/** Paths that the runtime takes for shorter ones: harmless, as routing and grammar see the same path. */
const climbing: readonly (readonly [written: string, path: string])[] = [
  ["/v2/a/../b/tags/list", "/v2/b/tags/list"],
  ["/v2/a/%2e%2e/b/tags/list", "/v2/b/tags/list"],
  ["/v2/a/%2E./b/tags/list", "/v2/b/tags/list"],
  ["/v2/./a/./tags/list", "/v2/a/tags/list"],
  ["/v2/a\\b/tags/list", "/v2/a/b/tags/list"],
];

const climbingRows: readonly Row[] = [
  ...climbing.map(([written, path]): Row => ({
    rule: `${written} is ${path}`,
    source: "ours",
    steps: [
      {
        send: `GET ${written}`,
        endpoint: "tag.list",
        answer: "NAME_UNKNOWN",
        check: (_, scene) => {
          const seen = scene.world.records.at(-1)?.path;
          if (seen !== path) throw new Error(`the registry saw ${seen}`);
        },
      },
    ],
  })),
  ...[
    "/v2/../../etc/passwd",
    "/v2/a/../../../etc/passwd",
    "/v2/%2e%2e/%2e%2e/etc/passwd",
    "/v2/..%2f..%2fetc%2fpasswd",
    "/v2/a/manifests/../../../../etc/passwd",
    "/v2/..%5c..%5cetc%5cpasswd/x",
  ].map((path): Row => ({
    rule: `Nothing is served at ${path}`,
    source: "ours",
    steps: [{ send: `GET ${path}`, endpoint: "none", answer: "NOT_FOUND" }],
  })),
];

/** Legal names that a server might take for something of its own. `{r}` keeps them apart from other rows'. */
const goodNames: readonly string[] = [
  "a__b",
  "a--b",
  "a---b",
  "a.b-c_d",
  "0",
  "con",
  "nul",
  "v2",
  "constructor",
  "blobs",
  "blobs/sha256",
  "blobs/uploads",
  "uploads",
  "manifests",
  "manifests/latest",
  "tags",
  "tags/list",
  "referrers",
  "index.json",
  "oci-layout",
  "index.json/blobs",
  "blobs/sha256/oci-layout/index.json",
  `manifests/${"a".repeat(200)}`,
];

function roundTrip(name: string): Step[] {
  const at = `/v2/{r}/${name}`;
  const manifest = image({ annotations: { of: name } });
  const post = (blob: typeof config): Step => ({
    send: `POST ${at}/blobs/uploads/?digest=${blob.digest}`,
    body: blob.bytes,
    endpoint: "blob.post",
    answer: 201,
    has: blobCreated(blob.digest, `{r}/${name}`),
  });
  return [
    post(config),
    post(layer),
    {
      send: `PUT ${at}/manifests/latest`,
      body: manifest.bytes,
      headers: { "content-type": manifest.mediaType },
      endpoint: "manifest.put",
      answer: 201,
      has: { ...manifestCreated(manifest.digest), location: `${at}/manifests/${manifest.digest}` },
    },
    readable(layer, `{r}/${name}`),
    {
      send: `GET ${at}/manifests/latest`,
      endpoint: "manifest.get",
      answer: 200,
      has: manifestHeaders(manifest, "tag"),
      gives: manifest.bytes,
    },
    {
      send: `GET ${at}/tags/list`,
      endpoint: "tag.list",
      answer: 200,
      ...json({ name: `{r}/${name}`, tags: ["latest"] }),
    },
  ];
}

const goodNameRows: readonly Row[] = [
  ...goodNames.map((name): Row => ({
    rule: `${name.length > 60 ? `${name.slice(0, 30)}…` : name} is a repository`,
    source: grammar,
    steps: roundTrip(name),
  })),
  {
    rule: "Repositories below, above and beside one another are their own, whatever their names",
    source: "ours",
    given: [{ blob: config }, { blob: layer }, { manifest: image(), tag: "latest" }],
    steps: goodNames.flatMap((name) => roundTrip(name)),
  },
  {
    rule: "A name of 255 characters is a repository, one of 256 is not",
    source: "ours",
    steps: [
      {
        send: `GET /v2/${"a".repeat(255)}/tags/list`,
        endpoint: "tag.list",
        answer: "NAME_UNKNOWN",
      },
      {
        send: `GET /v2/${"a".repeat(256)}/tags/list`,
        endpoint: "tag.list",
        answer: "NAME_INVALID_READ",
      },
    ],
  },
];

const goodTags = [
  "a",
  "_",
  "0",
  "A.b-c_D",
  "a..",
  "latest-",
  "sha256-" + "a".repeat(64),
  "__proto__",
  "toString",
  "index.json",
  "a".repeat(128),
];

const tagRows: readonly Row[] = [
  {
    rule: "Legal tags are set, read, listed and removed",
    source: 'distribution-spec, "Pulling manifests" (tag)',
    given: [{ blob: config }, { blob: layer }],
    steps: goodTags.flatMap((tag): Step[] => [
      {
        send: `PUT /v2/{r}/manifests/${tag}`,
        body: image().bytes,
        headers: { "content-type": image().mediaType },
        endpoint: "manifest.put",
        answer: 201,
        has: manifestCreated(image().digest),
      },
      {
        send: `GET /v2/{r}/manifests/${tag}`,
        endpoint: "manifest.get",
        answer: 200,
        has: manifestHeaders(image(), "tag"),
        gives: image().bytes,
      },
      {
        send: "GET /v2/{r}/tags/list",
        endpoint: "tag.list",
        answer: 200,
        ...json({ name: "{r}", tags: [tag] }),
      },
      {
        send: `DELETE /v2/{r}/manifests/${tag}`,
        endpoint: "manifest.delete",
        answer: 202,
        has: {},
      },
    ]),
  },
];

export const nameRows: readonly Row[] = [
  ...badNameRows,
  ...climbingRows,
  ...goodNameRows,
  ...tagRows,
];
