// The table of mounts: a blob of one repository in another, without its bytes travelling [end-11].

import { type Content, empty, large, letters } from "../content.ts";
import { absent, accepted, blobCreated, deleted, finish, holds, readable } from "../expected.ts";
import type { Row, Step } from "../row.ts";

const source = '[end-11], distribution-spec, "Mounting a blob from another repository"';

function mounted(query: string, blob: Content = letters): Step {
  return {
    send: `POST /v2/{r}/blobs/uploads/?${query}`,
    endpoint: "blob.mount",
    answer: 201,
    has: blobCreated(blob.digest),
  };
}

/** Any reason not to mount is answered with an upload. */
function opened(query: string): Step {
  return { ...mounted(query), answer: 202, has: accepted(0) };
}

const elsewhere = [{ blob: letters, in: "{r2}" }] as const;

export const mountRows: readonly Row[] = [
  {
    rule: "A blob of another repository is readable at once",
    source,
    given: elsewhere,
    steps: [
      absent(letters),
      mounted(`mount=${letters.digest}&from={r2}`),
      readable(letters),
      mounted(`mount=${letters.digest}&from={r2}`),
    ],
  },
  {
    rule: "Parameters may be encoded, in any order, with others between",
    source,
    given: elsewhere,
    steps: [
      {
        ...mounted(`from={r2}&origin=example.com&mount=${encodeURIComponent(letters.digest)}`),
        check: (_, scene) => {
          scene.names.set("at", scene.fill("{r2}").replaceAll("/", "%2F"));
        },
      },
      mounted(`mount=${encodeURIComponent(letters.digest)}&from={at}`),
      readable(letters),
    ],
  },
  {
    rule: "Without a source any repository with the blob will do",
    source,
    given: [{ blob: large, in: "{r2}" }],
    steps: [mounted(`mount=${large.digest}`, large), readable(large)],
  },
  {
    rule: "A repository may mount what it has",
    source,
    given: [{ blob: letters }],
    steps: [
      mounted(`mount=${letters.digest}&from={r}`),
      mounted(`mount=${letters.digest}&from={r2}`),
      readable(letters),
    ],
  },
  {
    rule: "The blob stays when its source goes",
    source,
    given: [{ blob: large, in: "{r2}" }],
    steps: [
      mounted(`mount=${large.digest}&from={r2}`, large),
      {
        send: `DELETE /v2/{r2}/blobs/${large.digest}`,
        endpoint: "blob.delete",
        answer: 202,
        has: deleted,
      },
      absent(large, "{r2}"),
      readable(large),
    ],
  },
  {
    rule: "What cannot be mounted opens an upload: unknown blob, unknown or impossible source",
    source,
    given: elsewhere,
    steps: [
      opened(`mount=sha256:${"0".repeat(64)}&from={r2}`),
      opened(`mount=${letters.digest}&from={r2}/none`),
      opened(`mount=${letters.digest}&from=UPPER`),
      opened(`mount=${letters.digest}&from=../../etc`),
      opened(`mount=${letters.digest}&from=`),
      opened(`mount=sha256:${"0".repeat(64)}`),
      holds(0),
      absent(letters),
      {
        send: `PATCH {at}`,
        body: letters.bytes,
        endpoint: "upload.append",
        answer: 202,
        has: accepted(26),
      },
      finish(letters),
    ],
  },
  {
    rule: "A mount that opens an upload takes no bytes of its own request",
    source: "ours",
    steps: [
      {
        ...opened(`mount=sha256:${"0".repeat(64)}&from={r2}&digest=${letters.digest}`),
        body: letters.bytes,
      },
      holds(0),
    ],
  },
  {
    rule: "A digest that cannot be is refused",
    source,
    given: elsewhere,
    steps: ["sha256:abc", "", "latest", `md5:${"a".repeat(32)}`, empty.digest.toUpperCase()].map(
      (digest) => ({
        send: `POST /v2/{r}/blobs/uploads/?mount=${digest}&from={r2}`,
        endpoint: "blob.mount",
        answer: "DIGEST_INVALID" as const,
      }),
    ),
  },
  {
    rule: "A target name that cannot be is refused",
    source,
    steps: [
      {
        send: `POST /v2/UPPER/blobs/uploads/?mount=${letters.digest}&from={r2}`,
        endpoint: "blob.mount",
        answer: "NAME_INVALID",
      },
    ],
  },
];
