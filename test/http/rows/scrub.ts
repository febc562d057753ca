// The table of checks of content, in a world in which everybody may do everything and none are on.

import { expect } from "bun:test";
import type { Row } from "../row.ts";

const source = "ours";

export const scrubRows: readonly Row[] = [
  {
    rule: "a server whose checks are off tells so, and of no damage",
    source,
    steps: [
      {
        send: "GET /v2/_zot/scrub",
        endpoint: "scrub.status",
        answer: 200,
        has: { "content-type": "application/json", "cache-control": "no-store" },
        check: (answer) =>
          expect(JSON.parse(Buffer.from(answer.body).toString())).toMatchObject({
            state: "off",
            nextAt: null,
            round: null,
            rounds: [],
            checked: { digests: 0, bytes: 0 },
            damaged: { copies: 0, bytes: 0, list: [] },
          }),
      },
    ],
  },
  {
    rule: "a place in the list that no Link has given is refused",
    source,
    steps: [
      {
        send: "GET /v2/_zot/scrub?last=nothing",
        endpoint: "scrub.status",
        answer: "PARAMETER_INVALID",
        says: /^Expected last=<repository>@<digest>, .* got "nothing"$/,
      },
      {
        send: "GET /v2/_zot/scrub?n=few",
        endpoint: "scrub.status",
        answer: "PARAMETER_INVALID",
      },
    ],
  },
];
