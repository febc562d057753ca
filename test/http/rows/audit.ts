// The table of audits of stores of objects, in a world whose content lies in files.

import type { Row } from "../row.ts";

const source = "ours";
const json = { "content-type": "application/json" };

export const auditRows: readonly Row[] = [
  {
    rule: "a server without a store of objects has no audit, and begins none",
    source,
    steps: [
      {
        send: "GET /v2/_zot/audit",
        endpoint: "audit.status",
        answer: 200,
        has: { ...json, "cache-control": "no-store" },
        gives: { isWaiting: false, audit: null },
      },
      {
        send: "POST /v2/_zot/audit",
        endpoint: "audit.run",
        body: JSON.stringify({ strays: "tell" }),
        headers: json,
        answer: "NO_OBJECTS",
      },
    ],
  },
  {
    rule: "a wish that means nothing is refused",
    source,
    steps: [
      { strays: "burn" },
      { strays: "adopt" },
      { strays: "adopt", repository: "No/Name" },
      { strays: "remove", repository: "team/app" },
      { beforeRestore: "yes" },
      { other: 1 },
    ].map((wish) => ({
      send: "POST /v2/_zot/audit",
      endpoint: "audit.run",
      body: JSON.stringify(wish),
      headers: json,
      answer: "REQUEST_INVALID",
    })),
  },
  {
    rule: "a wish is small, and not compressed",
    source,
    steps: [
      {
        send: "POST /v2/_zot/audit",
        endpoint: "audit.run",
        body: " ".repeat(9 * 1024),
        headers: json,
        answer: "REQUEST_TOO_LARGE",
      },
      {
        send: "POST /v2/_zot/audit",
        endpoint: "audit.run",
        body: "{}",
        headers: { ...json, "content-encoding": "gzip" },
        answer: "CONTENT_ENCODING",
      },
    ],
  },
];
