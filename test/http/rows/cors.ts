// The table of cross-origin requests from pages in browsers (`http.allowOrigin`).

import { config, letters } from "../content.ts";
import { accepted, json } from "../expected.ts";
import type { Headers, Row, Step } from "../row.ts";

const source = "Fetch standard, CORS protocol";
const exposed =
  "Content-Range, Docker-Content-Digest, Docker-Upload-UUID, ETag, Link, Location, " +
  "OCI-Filters-Applied, OCI-Subject, OCI-Tag, Range, WWW-Authenticate, X-Request-Id";
const page = "https://ui.example.com";

/** On an answer that the page may read. */
const readableBy = (origin: string): Headers => ({
  "access-control-allow-origin": origin,
  "access-control-expose-headers": exposed,
});

const preflight = (origin: string, allow: string, offered = allow): Headers => ({
  ...readableBy(origin),
  allow,
  "access-control-allow-methods": offered,
  "access-control-allow-headers":
    "Accept, Authorization, Content-Range, Content-Type, If-Match, If-None-Match, If-Range, Range, " +
    "X-Zot-Api-Client",
  "access-control-max-age": "600",
});

const uploads = "/v2/{r}/blobs/uploads/";

function ask(origin: string, has: Headers, path = uploads): Step {
  return {
    send: `OPTIONS ${path}`,
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization, content-type",
    },
    endpoint: "none",
    answer: 204,
    has,
  };
}

/** What browsers say of a form on somebody's page. */
const foreign: readonly Readonly<Record<string, string>>[] = [
  { origin: page, "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" },
  { origin: "null", "sec-fetch-site": "cross-site" },
  { origin: page, "sec-fetch-site": "same-site" },
  { "sec-fetch-site": "cross-site" },
  { origin: page },
  { origin: "null" },
];

/** For a server with the defaults: any page may call it, and none with credentials of the browser. */
export const openCorsRows: readonly Row[] = [
  {
    rule: "Any page may read every answer, API errors as well",
    source,
    steps: [
      {
        send: "GET /v2/",
        headers: { origin: page },
        endpoint: "base.get",
        answer: 200,
        ...json({}, readableBy("*")),
      },
      {
        send: `GET /v2/{r}/blobs/${letters.digest}`,
        headers: { origin: page },
        endpoint: "blob.get",
        answer: "BLOB_UNKNOWN",
        has: readableBy("*"),
      },
      {
        send: "GET /nothing",
        headers: { origin: page },
        endpoint: "none",
        answer: "NOT_FOUND",
        has: readableBy("*"),
      },
    ],
  },
  {
    rule: "A preflight names the methods of the path and the headers of the protocol",
    source,
    steps: [
      ask(page, preflight("*", "POST, OPTIONS", "OPTIONS")),
      ask(
        page,
        preflight("*", "GET, HEAD, DELETE, OPTIONS", "GET, HEAD, OPTIONS"),
        `/v2/{r}/blobs/${config.digest}`,
      ),
      ask(
        page,
        preflight("*", "GET, HEAD, PUT, DELETE, OPTIONS", "GET, HEAD, OPTIONS"),
        "/v2/{r}/manifests/latest",
      ),
    ],
  },
  {
    rule: "Any page may read, and none may write",
    source: "ours; Fetch Metadata Request Headers",
    steps: foreign.map((headers): Step => ({
      send: "POST /v2/{r}/blobs/uploads/",
      headers,
      endpoint: "upload.start",
      answer: "DENIED",
      ...("origin" in headers ? { has: readableBy("*") } : {}),
    })),
  },
  {
    rule: "A request without an origin learns nothing of pages",
    source,
    steps: [{ send: "GET /v2/", endpoint: "base.get", answer: 200, ...json({}) }],
  },
];

/** For a server with two origins. */
export const closedCorsRows: readonly Row[] = [
  {
    rule: "A listed page may read answers, which are kept apart from those to others",
    source: `${source}, RFC 9110 §12.5.5`,
    steps: [page, "http://localhost:3000"].flatMap((origin): Step[] => [
      {
        send: "GET /v2/",
        headers: { origin },
        endpoint: "base.get",
        answer: 200,
        ...json({}, { ...readableBy(origin), vary: "Origin" }),
      },
      ask(origin, { ...preflight(origin, "POST, OPTIONS"), vary: "Origin" }),
      {
        send: "POST /v2/{r}/blobs/uploads/",
        headers: { origin, "sec-fetch-site": "cross-site" },
        endpoint: "upload.start",
        answer: 202,
        has: { ...accepted(0), ...readableBy(origin), vary: "Origin" },
      },
    ]),
  },
  {
    rule: "A page that is not listed may not, however like one it looks",
    source,
    steps: [
      "https://evil.example.com",
      "http://ui.example.com",
      "https://ui.example.com:444",
      "https://ui.example.com.evil.example",
      "https://UI.example.com",
      "null",
      "*",
      "",
    ].flatMap((origin): Step[] => [
      {
        send: "GET /v2/",
        headers: { origin },
        endpoint: "base.get",
        answer: 200,
        ...json({}, { vary: "Origin" }),
      },
      ask(origin, { allow: "POST, OPTIONS", vary: "Origin" }),
    ]),
  },
  {
    rule: "An answer to no page at all is kept apart as well",
    source: "RFC 9110 §12.5.5",
    steps: [
      { send: "GET /v2/", endpoint: "base.get", answer: 200, ...json({}, { vary: "Origin" }) },
    ],
  },
];

/** For a server that admits no page. */
export const noCorsRows: readonly Row[] = [
  {
    rule: "Without an origin in the list no page may read anything",
    source,
    steps: [
      {
        send: "GET /v2/",
        headers: { origin: page },
        endpoint: "base.get",
        answer: 200,
        ...json({}),
      },
      ask(page, { allow: "POST, OPTIONS" }),
    ],
  },
];
