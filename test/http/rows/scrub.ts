// The table of checks of content, in a world in which everybody may do everything and none are on.

import { expect } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Row } from "../row.ts";

const source = "ours";
const keptDigest = `sha256:${"b".repeat(64)}`;

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
            kept: { files: 0, bytes: 0, list: [] },
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
  {
    rule: "what is kept of content that is damaged nowhere can be let go",
    source,
    steps: [
      {
        send: "GET /v2/_zot/scrub",
        endpoint: "scrub.status",
        answer: 200,
        has: { "content-type": "application/json", "cache-control": "no-store" },
        check: async (_answer, { world }) =>
          writeFile(join(world.rootDirectory, `_zot/damaged/${keptDigest}.2026-12-01`), "kept"),
      },
      {
        send: `DELETE /v2/_zot/scrub/kept/${keptDigest}`,
        endpoint: "scrub.forget",
        answer: 200,
        has: { "content-type": "application/json", "cache-control": "no-store" },
        gives: { digest: keptDigest, files: 1, bytes: 4 },
      },
    ],
  },
  {
    rule: "what is not kept cannot be let go",
    source,
    steps: [
      {
        send: `DELETE /v2/_zot/scrub/kept/sha256:${"a".repeat(64)}`,
        endpoint: "scrub.forget",
        answer: "BLOB_UNKNOWN",
        says: /^Nothing is kept of damaged content/,
      },
      {
        send: "DELETE /v2/_zot/scrub/kept/sha256:short",
        endpoint: "scrub.forget",
        answer: "DIGEST_INVALID",
      },
    ],
  },
];
