// The table of what belongs to no repository's content: version check, discovery, health, unknown paths, methods.

import { json } from "../expected.ts";
import type { Row } from "../row.ts";

const discovery = {
  extensions: [
    {
      name: "_oci",
      url: "https://github.com/opencontainers/distribution-spec/blob/main/extensions/_oci.md",
      description: "Extension discovery, and the history of tags",
      endpoints: ["_oci/ext/discover", "_oci/tag-history/<tag>"],
    },
  ],
};

const versionRows: readonly Row[] = [
  {
    rule: "The version check is 200 with an empty object",
    source: "[end-1]",
    steps: [{ send: "GET /v2/", endpoint: "base.get", answer: 200, ...json({}) }],
  },
  {
    rule: "The version check needs no slash at its end, and no redirect",
    source: "ours",
    steps: [{ send: "GET /v2", endpoint: "base.get", answer: 200, ...json({}) }],
  },
  {
    rule: "Unknown query parameters are ignored",
    source: '[end-1], distribution-spec, "Proxying"',
    steps: [
      { send: "GET /v2/?ns=example.com&x=%zz", endpoint: "base.get", answer: 200, ...json({}) },
    ],
  },
  {
    rule: "What a client accepts does not change the answer, and nothing is compressed",
    source: "ours",
    steps: [
      {
        send: "GET /v2/",
        headers: { accept: "text/html", "accept-encoding": "zstd;q=1.0, gzip;q=0.8" },
        endpoint: "base.get",
        answer: 200,
        ...json({}),
      },
    ],
  },
  {
    rule: "Extensions of the registry are listed",
    source: 'distribution-spec, extensions, "_oci"',
    steps: [
      {
        send: "GET /v2/_oci/ext/discover",
        endpoint: "extension.discover",
        answer: 200,
        ...json(discovery),
      },
    ],
  },
  {
    rule: "Extensions of a repository are listed",
    source: 'distribution-spec, extensions, "_oci"',
    steps: [
      {
        send: "GET /v2/{r}/_oci/ext/discover",
        endpoint: "extension.discover-repository",
        answer: 200,
        ...json(discovery),
      },
      {
        send: "GET /v2/UPPER/_oci/ext/discover",
        endpoint: "extension.discover-repository",
        answer: "NAME_INVALID_READ",
      },
    ],
  },
  {
    rule: "The health endpoints answer plain text",
    source: "ours",
    steps: (["live", "ready", "startup"] as const).map((name) => ({
      send: `GET /${name}z`,
      endpoint: `health.${name}`,
      answer: 200,
      has: { "content-type": "text/plain" },
      gives: "ok\n",
    })),
  },
];

const unknownPaths = [
  "/v1/_ping",
  "/v1/search?q=x",
  "/v2/{r}",
  "/v2/{r}/",
  "/v2/{r}/nothing",
  "/v2/{r}/tags",
  "/v2/{r}/tags/",
  "/v2/{r}/tags/list/",
  "/v2/{r}/blobs",
  "/v2/{r}/manifests",
  "/v2/{r}/referrers",
  "/v2/_catalog/",
  "/v2/_oci/ext",
  "/v2/_other/ext/discover",
  "/v2//",
  "/v3/",
  "/V2/",
  "/metrics",
  "/favicon.ico",
  "/livez/",
];

const unknownPathRows: readonly Row[] = unknownPaths.map((path) => ({
  rule: `Nothing is served at ${path}`,
  source: "ours",
  steps: [
    { send: `GET ${path}`, endpoint: "none", answer: "NOT_FOUND" },
    { send: `POST ${path}`, body: "anything", endpoint: "none", answer: "NOT_FOUND" },
    { send: `OPTIONS ${path}`, endpoint: "none", answer: "NOT_FOUND" },
  ],
}));

const get = "GET, HEAD, OPTIONS";
const someDigest = `sha256:${"0".repeat(64)}`;

/** Path and the methods that it serves. */
const served: readonly (readonly [path: string, allow: string])[] = [
  ["/v2/", get],
  ["/v2", get],
  ["/v2/_catalog", get],
  ["/v2/_oci/ext/discover", get],
  ["/v2/{r}/_oci/ext/discover", get],
  ["/v2/{r}/tags/list", get],
  [`/v2/{r}/referrers/${someDigest}`, get],
  ["/v2/{r}/blobs/uploads/", "POST, OPTIONS"],
  ["/v2/{r}/blobs/uploads", "POST, OPTIONS"],
  ["/v2/{r}/blobs/uploads/some-id", "PATCH, PUT, GET, HEAD, DELETE, OPTIONS"],
  [`/v2/{r}/blobs/${someDigest}`, "GET, HEAD, DELETE, OPTIONS"],
  ["/v2/{r}/manifests/latest", "GET, HEAD, PUT, DELETE, OPTIONS"],
  ["/livez", get],
  ["/readyz", get],
  ["/startupz", get],
];

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE"];

const methodRows: readonly Row[] = served.map(([path, allow]) => ({
  rule: `${path} refuses every method but ${allow}`,
  source: "RFC 9110 §15.5.6",
  steps: [
    ...methods
      .filter((method) => !allow.split(", ").includes(method))
      .map((method) => ({
        send: `${method} ${path}`,
        endpoint: "none",
        answer: "UNSUPPORTED" as const,
        has: { allow },
      })),
    { send: `OPTIONS ${path}`, endpoint: "none", answer: 204, has: { allow } },
  ],
}));

/** Raw targets that a server may read as a path that was not written. */
const strangeTargets: readonly Row[] = [
  {
    rule: "An encoded slash never separates",
    source: "RFC 3986 §2.2",
    steps: [
      { send: "GET /v2/{r}%2Fb/tags/list", endpoint: "none", answer: "NOT_FOUND" },
      { send: "GET /v2/{r}%2ftags%2flist", endpoint: "none", answer: "NOT_FOUND" },
      { send: "GET /v2/{r}/manifests/a%2Fb", endpoint: "none", answer: "NOT_FOUND" },
      { send: "POST /v2/a%2Fb/blobs/uploads/", endpoint: "none", answer: "NOT_FOUND" },
    ],
  },
  {
    rule: "Broken percent-encoding names nothing",
    source: "RFC 3986 §2.1",
    steps: [
      { send: "GET /v2/{r}/manifests/%zz", endpoint: "none", answer: "NOT_FOUND" },
      { send: "GET /v2/{r}/manifests/%ff", endpoint: "none", answer: "NOT_FOUND" },
      { send: "GET /v2/{r}%/tags/list", endpoint: "none", answer: "NOT_FOUND" },
    ],
  },
  {
    rule: "A URL beyond 8 KiB is refused before it is looked at",
    source: "RFC 9110 §15.5.15",
    steps: [
      { send: `GET /v2/${"a/".repeat(4200)}tags/list`, endpoint: "none", answer: "URL_TOO_LONG" },
      { send: `GET /v2/?${"a".repeat(8192)}`, endpoint: "none", answer: "URL_TOO_LONG" },
      { send: `GET /v2/?${"a".repeat(8187)}`, endpoint: "base.get", answer: 200, ...json({}) },
    ],
  },
];

export const baseRows: readonly Row[] = [
  ...versionRows,
  ...unknownPathRows,
  ...methodRows,
  ...strangeTargets,
];
