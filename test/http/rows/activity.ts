// The table of what happened lately, in a world in which everybody may do everything.

import { expect } from "bun:test";
import type { Exchange } from "../../../src/client/exchange.ts";
import { config, image, layer } from "../content.ts";
import type { Row } from "../row.ts";

const one = image({ annotations: { activity: "one" } });
const unchanged = { "cache-control": "private, no-cache", etag: /^"[0-9a-f]{64}"$/ };
const has = { "content-type": "application/json", ...unchanged };

function first(answer: Exchange): unknown {
  const { activity } = JSON.parse(Buffer.from(answer.body).toString()) as { activity: unknown[] };
  return activity[0];
}

export const activityRows: readonly Row[] = [
  {
    rule: "What happened last is told first",
    source: "ours",
    given: [{ blob: config }, { blob: layer }, { manifest: one, tag: "v1" }],
    steps: [
      {
        send: "GET /v2/_zot/activity?n=1",
        endpoint: "activity.list",
        answer: 200,
        has,
        check: (answer, scene) =>
          expect(first(answer)).toMatchObject({
            name: scene.fill("{r}"),
            tag: "v1",
            event: "tagged",
            digest: one.digest,
            previous: null,
          }),
      },
      {
        send: "GET /v2/_zot/activity?n=1",
        headers: { "if-none-match": "*" },
        endpoint: "activity.list",
        answer: 304,
        has: unchanged,
      },
      { send: "HEAD /v2/_zot/activity", endpoint: "activity.list", answer: 200, has },
      {
        send: "HEAD /v2/_zot/activity",
        headers: { "if-none-match": "*" },
        endpoint: "activity.list",
        answer: 304,
        has: unchanged,
      },
      {
        send: "GET /v2/_zot/activity?last=x",
        endpoint: "activity.list",
        answer: "PARAMETER_INVALID",
      },
    ],
  },
];
