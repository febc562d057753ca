// The table of what stays, what goes and why, on a server without rules; `../retention.test.ts` has rules.

import { expect } from "bun:test";
import type { Exchange } from "../../../src/client/exchange.ts";
import { config, image, index, layer, referrer } from "../content.ts";
import type { Answer, Given, Row, Step } from "../row.ts";

const source = "ours";
const noStore = { "content-type": "application/json", "cache-control": "no-store" };
const child = image({ annotations: { title: "child" } });
const parent = index([child]);
const signature = referrer(child, 1);
const loose = image({ annotations: { title: "loose" } });
const absent = `sha256:${"0".repeat(64)}`;
const given: readonly Given[] = [
  { blob: config },
  { blob: layer },
  { manifest: child, tag: "v1" },
  { manifest: parent, tag: "all" },
  { manifest: signature },
  { manifest: loose },
];

const bodyOf = (answer: Exchange): Record<string, unknown> =>
  JSON.parse(Buffer.from(answer.body).toString()) as Record<string, unknown>;

function explain(query: string, tags: readonly string[]): Step {
  return {
    send: `GET /v2/{r}/_zot/retention${query}`,
    endpoint: "retention.explain",
    answer: 200,
    has: noStore,
    check: (answer) => {
      const { policy, dryRun, tags: told } = bodyOf(answer);
      expect({ policy, dryRun }).toEqual({ policy: null, dryRun: false });
      const kept = { decision: "keep", reason: "no rules for tags", step: "none", until: null };
      expect(told).toEqual(tags.map((tag) => expect.objectContaining({ ...kept, tag })));
    },
  };
}

function why(reference: string, expected: object): Step {
  return {
    send: `GET /v2/{r}/_zot/why/${reference}`,
    endpoint: "retention.why",
    answer: 200,
    has: noStore,
    check: (answer) => expect(bodyOf(answer)).toMatchObject(expected),
  };
}

function refused(send: string, endpoint: string, answer: Answer): Step {
  return { send, endpoint, answer };
}

function apply(lines: unknown, answer: Answer, more: Partial<Step> = {}): Step {
  return {
    send: "POST /v2/_zot/gc/apply",
    headers: { "content-type": "application/json" },
    body: typeof lines === "string" ? lines : JSON.stringify({ lines }),
    endpoint: "retention.apply",
    answer,
    ...more,
  };
}

const explainRows: readonly Row[] = [
  {
    rule: "Retention tells what it decides about each tag, or about one",
    source,
    given,
    steps: [explain("", ["all", "v1"]), explain("?tag=v1", ["v1"])],
  },
  {
    rule: "Only tags that are there are explained",
    source,
    steps: [
      refused("GET /v2/{r}/_zot/retention", "retention.explain", "NAME_UNKNOWN"),
      refused("GET /v2/{r}/_zot/retention?tag=%20", "retention.explain", "MANIFEST_INVALID"),
      refused("GET /v2/A/_zot/retention", "retention.explain", "NAME_INVALID_READ"),
    ],
  },
  {
    rule: "A tag that is not there is unknown",
    source,
    given,
    steps: [refused("GET /v2/{r}/_zot/retention?tag=v9", "retention.explain", "MANIFEST_UNKNOWN")],
  },
];

const untaggedRows: readonly Row[] = [
  {
    rule: "Manifests without a name are listed with since when, and when they go",
    source,
    given,
    steps: [
      {
        send: "GET /v2/{r}/_zot/untagged",
        endpoint: "retention.untagged",
        answer: 200,
        has: noStore,
        check: (answer) => {
          const { manifests, ...rest } = bodyOf(answer);
          expect(rest).toMatchObject({ dryRun: false, isCutOff: false });
          // A child of an index, and what is about something, have a name.
          expect(manifests).toEqual([
            expect.objectContaining({
              digest: loose.digest,
              mediaType: loose.mediaType,
              bytes: loose.bytes.length + config.bytes.length + layer.bytes.length,
              pulledAt: null,
              decision: "keep",
              reason: "lost its last name less than the delay ago",
              until: expect.stringMatching(/^\d{4}-.*Z$/) as string,
            }),
          ]);
        },
      },
    ],
  },
  {
    rule: "Only of a repository that is there",
    source,
    steps: [
      refused("GET /v2/{r}/_zot/untagged", "retention.untagged", "NAME_UNKNOWN"),
      refused("GET /v2/A/_zot/untagged", "retention.untagged", "NAME_INVALID_READ"),
    ],
  },
];

const whyRows: readonly Row[] = [
  {
    rule: "What undo holds is told with since when, and until when",
    source,
    given,
    steps: [
      {
        send: `DELETE /v2/{r}/manifests/${loose.digest}`,
        endpoint: "manifest.delete",
        answer: 202,
      },
      why(loose.digest, {
        kind: "manifest",
        ways: [],
        unnamedSince: expect.stringMatching(/^\d{4}-.*Z$/) as string,
        verdict: {
          decision: "keep",
          reason: "removed, and held for an undo",
          until: expect.stringMatching(/^\d{4}-.*Z$/) as string,
        },
      }),
    ],
  },
  {
    rule: "Every way from a tag to a manifest or a blob is told",
    source,
    given,
    steps: [
      why("v1", {
        digest: child.digest,
        kind: "manifest",
        ways: [
          [
            { kind: "tag", name: "v1" },
            { kind: "manifest", name: child.digest },
          ],
          [
            { kind: "tag", name: "all" },
            { kind: "index", name: parent.digest },
            { kind: "manifest", name: child.digest },
          ],
        ],
        unnamedSince: null,
        verdict: null,
      }),
      why(layer.digest, { kind: "blob", isCutOff: false, unnamedSince: null }),
      why(signature.digest, {
        ways: [
          [
            { kind: "subject", name: child.digest },
            { kind: "manifest", name: signature.digest },
          ],
        ],
      }),
    ],
  },
  {
    rule: "What nothing names is told with since when, and when it goes",
    source,
    given,
    steps: [
      why(loose.digest, {
        ways: [],
        unnamedSince: expect.stringMatching(/^\d{4}-.*Z$/) as string,
        verdict: {
          decision: "keep",
          reason: "lost its last name less than the delay ago",
          until: expect.stringMatching(/^\d{4}-.*Z$/) as string,
        },
      }),
    ],
  },
  {
    rule: "What is not there is unknown",
    source,
    given,
    steps: [
      refused("GET /v2/{r}/_zot/why/v9", "retention.why", "MANIFEST_UNKNOWN"),
      refused(`GET /v2/{r}/_zot/why/${absent}`, "retention.why", "MANIFEST_UNKNOWN"),
    ],
  },
  {
    rule: "A reference is a tag or a digest of a repository",
    source,
    steps: [
      refused("GET /v2/{r}/_zot/why/v1", "retention.why", "NAME_UNKNOWN"),
      refused("GET /v2/{r}/_zot/why/%20", "retention.why", "MANIFEST_UNKNOWN"),
      refused("GET /v2/{r}/_zot/why/sha256:1", "retention.why", "DIGEST_INVALID"),
      refused("GET /v2/A/_zot/why/v1", "retention.why", "NAME_INVALID_READ"),
    ],
  },
];

const planRows: readonly Row[] = [
  {
    rule: "Collection that removed nothing says when the first content may go",
    source,
    given,
    steps: [
      {
        send: "GET /v2/_zot/gc",
        endpoint: "retention.collection",
        answer: 200,
        has: noStore,
        check: (answer) => {
          const { nextAt, ...rest } = bodyOf(answer);
          expect(rest).toMatchObject({ dryRun: false });
          expect(Date.parse(String(nextAt))).toBeGreaterThan(Date.now());
        },
      },
    ],
  },
  {
    rule: "A plan ends with its totals",
    source,
    steps: [
      {
        send: "GET /v2/_zot/gc/plan",
        endpoint: "retention.plan",
        answer: 200,
        has: { "content-type": "application/jsonl", "cache-control": "no-store" },
        check: (answer) => {
          const last = Buffer.from(answer.body).toString().trimEnd().split("\n").at(-1) ?? "";
          expect(JSON.parse(last)).toMatchObject({ kind: "totals", tags: 0 });
        },
      },
    ],
  },
  {
    rule: "Lines that do not hold are passed over, each with its reason",
    source,
    given,
    steps: [
      apply(
        [
          { kind: "tag", repository: "a/b", tag: "v9", digest: absent },
          { kind: "blob", repository: "a/b", digest: absent, since: 5 },
        ],
        200,
        {
          has: noStore,
          gives: {
            removed: 0,
            skipped: [
              {
                kind: "tag",
                repository: "a/b",
                tag: "v9",
                digest: absent,
                reason: "the tag is gone",
              },
              {
                kind: "blob",
                repository: "a/b",
                digest: absent,
                since: 5,
                reason: "something names it, or it is gone",
              },
            ],
          },
        },
      ),
    ],
  },
  {
    rule: "What is no plan is refused",
    source,
    steps: [
      apply("no JSON", "REQUEST_INVALID"),
      apply([], "REQUEST_INVALID", { says: /list of up to 5000 lines/ }),
      apply([{ kind: "tag", repository: "A", digest: absent, tag: "v1" }], "REQUEST_INVALID"),
      apply([{ kind: "tag", repository: "a", digest: absent }], "REQUEST_INVALID"),
      apply([{ kind: "index", repository: "a", digest: absent }], "REQUEST_INVALID"),
      apply([{ kind: "tag", repository: "a", digest: "sha256:1", tag: "v1" }], "REQUEST_INVALID"),
      apply([{ kind: "blob", repository: "a", digest: absent, sinse: 1 }], "REQUEST_INVALID", {
        says: /sinse/,
      }),
      apply("x", "CONTENT_ENCODING", {
        headers: { "content-type": "application/json", "content-encoding": "gzip" },
      }),
      apply(" ".repeat(8 * 1024 * 1024 + 1), "REQUEST_TOO_LARGE"),
    ],
  },
];

export const retentionRows: readonly Row[] = [
  ...explainRows,
  ...untaggedRows,
  ...whyRows,
  ...planRows,
];
