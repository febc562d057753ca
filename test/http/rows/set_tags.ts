// The table of setting several tags at once: all of them or none.

import { expect } from "bun:test";
import { config, image, layer } from "../content.ts";
import { manifestHeaders } from "../expected.ts";
import type { Answer, Given, Row, Step } from "../row.ts";

const source = "ours";
const first = image({ annotations: { title: "first of a set" } });
const second = image({ annotations: { title: "second of a set" } });
const given: readonly Given[] = [
  { blob: config },
  { blob: layer },
  { manifest: first, tag: "old" },
  { manifest: second },
];

function set(tags: unknown, answer: Answer): Step {
  return {
    send: "POST /v2/{r}/_zot/tags",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ tags }),
    endpoint: "tag.set",
    answer,
    ...(answer === 200
      ? {
          has: { "content-type": "application/json", "cache-control": "no-store" },
          check: ({ body }: { body: Uint8Array }) => {
            const answered: unknown = JSON.parse(Buffer.from(body).toString());
            expect(answered).toMatchObject({ set: Array.isArray(tags) ? tags.length : 0 });
          },
        }
      : {}),
  };
}

function points(tag: string, at: typeof first | null): Step {
  return {
    send: `GET /v2/{r}/manifests/${tag}`,
    endpoint: "manifest.get",
    ...(at === null
      ? { answer: "MANIFEST_UNKNOWN" }
      : { answer: 200, has: manifestHeaders(at, "tag"), gives: at.bytes }),
  };
}

const absent = `sha256:${"0".repeat(64)}`;

export const setTagsRows: readonly Row[] = [
  {
    rule: "Several tags are set in one commit, new ones and those that move",
    source,
    given,
    steps: [
      set(
        [
          { tag: "old", digest: second.digest, expect: [first.digest, second.digest] },
          { tag: "new", digest: first.digest, expect: [null] },
          { tag: "any", digest: first.digest },
        ],
        200,
      ),
      points("old", second),
      points("new", first),
      points("any", first),
    ],
  },
  {
    rule: "A manifest that is not there sets no tag at all",
    source,
    given,
    steps: [
      set(
        [
          { tag: "old", digest: second.digest },
          { tag: "new", digest: absent },
        ],
        "MANIFEST_UNKNOWN",
      ),
      points("old", first),
      points("new", null),
    ],
  },
  {
    rule: "A tag that is not as expected sets no tag at all",
    source,
    given,
    steps: [
      set(
        [
          { tag: "new", digest: first.digest },
          { tag: "old", digest: second.digest, expect: [null] },
        ],
        "PRECONDITION_FAILED",
      ),
      set([{ tag: "none", digest: second.digest, expect: [first.digest] }], "PRECONDITION_FAILED"),
      points("old", first),
      points("new", null),
      // What is as it is to become is as good.
      set([{ tag: "old", digest: first.digest, expect: [null, first.digest] }], 200),
    ],
  },
  {
    rule: "What is no list of tags is refused",
    source,
    given,
    steps: [
      set([], "REQUEST_INVALID"),
      set("old", "REQUEST_INVALID"),
      {
        ...set([{ tag: "a", digest: first.digest }], "NAME_INVALID"),
        send: "POST /v2/UPPER/_zot/tags",
      },
      set([{ tag: "a b", digest: first.digest }], "REQUEST_INVALID"),
      set([{ tag: "a", digest: "sha256:1" }], "REQUEST_INVALID"),
      set([{ tag: "a", digest: first.digest, expect: first.digest }], "REQUEST_INVALID"),
      set([{ tag: "a", digest: first.digest, expect: [] }], "REQUEST_INVALID"),
      set([{ tag: "a", digest: first.digest, more: 1 }], "REQUEST_INVALID"),
      set(
        [
          { tag: "a", digest: first.digest },
          { tag: "a", digest: second.digest },
        ],
        "REQUEST_INVALID",
      ),
    ],
  },
];
