// The table of what differs between two images, in a world in which everybody may do everything.

import { expect } from "bun:test";
import { config, image, layer } from "../content.ts";
import type { Row } from "../row.ts";

const source = "ours";
const one = image({ annotations: { version: "1" } });
const two = image({ annotations: { version: "2" } });
const endpoint = "image.diff";
const has = { "content-type": "application/json", "cache-control": "no-store" };

export const diffRows: readonly Row[] = [
  {
    rule: "two tags of a repository differ in what their manifests say",
    source,
    given: [
      { blob: config },
      { blob: layer },
      { manifest: one, tag: "v1" },
      { manifest: two, tag: "v2" },
    ],
    steps: [
      {
        send: "GET /v2/{r}/_zot/diff?a=v1&b=v2",
        endpoint,
        answer: 200,
        has,
        check: (answer) =>
          expect(JSON.parse(Buffer.from(answer.body).toString())).toMatchObject({
            isSame: false,
            annotations: [{ path: "version", before: "1", after: "2" }],
            layers: [{ in: "both" }],
            files: null,
          }),
      },
      { send: "HEAD /v2/{r}/_zot/diff?a=v1&b=v2", endpoint, answer: 200, has },
      { send: "GET /v2/{r}/_zot/diff?a=v1", endpoint, answer: "PARAMETER_INVALID" },
      { send: "GET /v2/{r}/_zot/diff?a=v1&b=none", endpoint, answer: "MANIFEST_UNKNOWN" },
      { send: "GET /v2/Upper/_zot/diff?a=v1&b=v2", endpoint, answer: "NAME_INVALID_READ" },
    ],
  },
];
