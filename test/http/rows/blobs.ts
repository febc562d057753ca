// The table of reading and deleting blobs: ranges, conditions, isolation, digests [end-2, end-10].

import { empty, image, config, large, layer, letters, pattern } from "../content.ts";
import { absent, blobHeaders, deleted, readable, unchanged } from "../expected.ts";
import { MiB } from "../../../src/lib/bytes.ts";
import type { Content } from "../content.ts";
import type { Given, Headers, Row, Step } from "../row.ts";

const rangeRules = "[end-2], RFC 9110 §14";
const conditionRules = "[end-2], RFC 9110 §13.1";

const huge = pattern(2_600_000);

const pathOf = (blob: Content): string => `/v2/{r}/blobs/${blob.digest}`;

function get(
  blob: Content,
  headers: Record<string, string>,
): Pick<Step, "send" | "headers" | "endpoint"> {
  return { send: `GET ${pathOf(blob)}`, headers, endpoint: "blob.get" };
}

/** A range that is answered with one part. */
function part(blob: Content, range: string, first: number, last: number): Step {
  return {
    ...get(blob, { range }),
    answer: 206,
    has: blobHeaders(blob, { first, last }),
    gives: blob.bytes.subarray(first, last + 1),
  };
}

/** A range that is not answered. Content-Range, without meaning on a 200, is there for large blobs (http/listen.ts). */
function whole(blob: Content, headers: Record<string, string>): Step {
  const last = blob.bytes.length - 1;
  const marked =
    blob === large && "range" in headers ? blobHeaders(blob, { first: 0, last }) : null;
  return {
    ...get(blob, headers),
    answer: 200,
    has: marked ?? blobHeaders(blob),
    gives: blob.bytes,
  };
}

function outside(blob: Content, range: string): Step {
  return {
    ...get(blob, { range }),
    answer: "RANGE_UNSATISFIABLE",
    has: { "content-range": `bytes */${blob.bytes.length}`, "accept-ranges": "bytes" },
  };
}

/** Several ranges: one part each, in the order of the request, with the exact bytes. */
function parts(blob: Content, range: string, wanted: readonly (readonly [number, number])[]): Step {
  const type = /^multipart\/byteranges; boundary=[0-9a-f]{32}$/;
  return {
    ...get(blob, { range }),
    answer: 206,
    has: partsHeaders(blob, type, wanted),
    check(answer) {
      const boundary = answer.headers.get("content-type")?.split("boundary=")[1] ?? "";
      const total = blob.bytes.length;
      const pieces = wanted.map(([first, last]) => [
        Buffer.from(
          `\r\n--${boundary}\r\nContent-Type: application/octet-stream\r\n` +
            `Content-Range: bytes ${first}-${last}/${total}\r\n\r\n`,
        ),
        Buffer.from(blob.bytes.subarray(first, last + 1)),
      ]);
      const expected = Buffer.concat([...pieces.flat(), Buffer.from(`\r\n--${boundary}--\r\n`)]);
      if (!expected.equals(Buffer.from(answer.body))) throw new Error("the parts are not as asked");
    },
  };
}

function partsHeaders(
  blob: Content,
  type: RegExp,
  wanted: readonly (readonly [number, number])[],
): Headers {
  const { "content-length": _, ...headers } = blobHeaders(blob);
  const total = wanted.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  // What is too much to put together in memory goes out in chunks.
  const framing: Headers =
    total > MiB ? { "transfer-encoding": "chunked" } : { "content-length": /^\d+$/ };
  return { ...headers, "content-type": type, ...framing };
}

function ranged(rule: string, given: Content, ...steps: Step[]): Row {
  return { rule, source: rangeRules, given: [{ blob: given }], steps };
}

/** As the rules for one range are the same for bytes from memory and from a file, both are tried. */
const singleRanges: readonly Row[] = [letters, large].flatMap((blob) => {
  const size = blob.bytes.length;
  const says = `of ${size} bytes`;
  return [
    ranged(`A range inside of a blob ${says} is 206`, blob, part(blob, "bytes=2-4", 2, 4)),
    ranged(`One byte ${says} is a range`, blob, part(blob, "bytes=0-0", 0, 0)),
    ranged(
      `An open range ${says} goes to the end`,
      blob,
      part(blob, "bytes=20-", 20, size - 1),
      part(blob, "bytes=0-", 0, size - 1),
      part(blob, `bytes=${size - 1}-`, size - 1, size - 1),
    ),
    ranged(
      `An end beyond a blob ${says} is clamped`,
      blob,
      part(blob, `bytes=3-${size}`, 3, size - 1),
      part(blob, "bytes=3-99999999999999999999", 3, size - 1),
    ),
    ranged(
      `A suffix range ${says} is the last bytes`,
      blob,
      part(blob, "bytes=-5", size - 5, size - 1),
      part(blob, `bytes=-${size}`, 0, size - 1),
      part(blob, `bytes=-${size + 1}`, 0, size - 1),
    ),
    ranged(
      `A range without a byte ${says} is 416 with the size`,
      blob,
      outside(blob, `bytes=${size}-`),
      outside(blob, `bytes=${size}-${size + 5}`),
      outside(blob, "bytes=-0"),
      outside(blob, "bytes=20-3"),
      outside(blob, `bytes=${size}-,${size + 7}-`),
    ),
    ranged(
      `What is no byte range ${says} is ignored`,
      blob,
      whole(blob, { range: "items=0-3" }),
      whole(blob, { range: "bytes" }),
      whole(blob, { range: "bytes=" }),
      whole(blob, { range: "bytes=-" }),
      whole(blob, { range: "bytes=a-b" }),
      whole(blob, { range: "bytes=1 - 3" }),
      whole(blob, { range: "bytes=1-3-5" }),
      whole(blob, { range: "bytes=+1-3" }),
      whole(blob, { range: "bytes=1-3,x" }),
    ),
    ranged(
      `Unit names ${says} are read in any case, and blanks around a range are not seen`,
      blob,
      part(blob, "BYTES=1-3", 1, 3),
      part(blob, "bytes= 1-3 ,", 1, 3),
    ),
  ];
});

const severalRanges: readonly Row[] = [
  ...[letters, large].map((blob) =>
    ranged(
      `Several ranges of a blob of ${blob.bytes.length} bytes are parts in the order asked`,
      blob,
      parts(blob, "bytes=0-1,5-7", [
        [0, 1],
        [5, 7],
      ]),
      parts(blob, "bytes=20-25, 0-0,-1", [
        [20, 25],
        [0, 0],
        [blob.bytes.length - 1, blob.bytes.length - 1],
      ]),
      // Neither sorted nor joined: a client finds its parts by place.
      parts(blob, "bytes=4-6,4-6,3-9", [
        [4, 6],
        [4, 6],
        [3, 9],
      ]),
    ),
  ),
  ranged(
    "Several ranges of many bytes are sent in chunks",
    huge,
    parts(huge, "bytes=1000000-2599999,0-999999", [
      [1_000_000, 2_599_999],
      [0, 999_999],
    ]),
  ),
  ranged(
    "Of several ranges those outside are left out, and one that remains is a plain 206",
    letters,
    part(letters, "bytes=30-,3-5,26-", 3, 5),
  ),
  ranged("64 ranges are answered, 65 are not", large, parts(large, manyRanges(64), places(64)), {
    ...get(large, { range: manyRanges(65) }),
    answer: "TOO_MANY_RANGES",
  }),
  ranged("Ranges that overlap to more than twice the blob are refused", letters, {
    ...get(letters, { range: "bytes=0-,0-,0-" }),
    answer: "TOO_MANY_RANGES",
  }),
];

function places(count: number): [number, number][] {
  return Array.from({ length: count }, (_, at) => [at * 3000, at * 3000 + 4]);
}

function manyRanges(count: number): string {
  return `bytes=${places(count)
    .map(([first, last]) => `${first}-${last}`)
    .join(",")}`;
}

const emptyBlob: readonly Row[] = [
  {
    rule: "The empty blob is read with a length of 0",
    source: "[end-2]",
    given: [{ blob: empty }],
    steps: [readable(empty)],
  },
  ranged(
    "No range of the empty blob can be satisfied",
    empty,
    outside(empty, "bytes=0-"),
    outside(empty, "bytes=0-0"),
    outside(empty, "bytes=-5"),
  ),
];

const notModified = (blob: Content, value: string, more: Headers = {}): Step => ({
  ...get(blob, { "if-none-match": value, ...(more as Record<string, string>) }),
  answer: 304,
  has: unchanged(blob.digest),
});

const conditions: readonly Row[] = [
  ...[letters, large].flatMap((blob): Row[] => [
    {
      rule: `A range of ${blob.bytes.length} bytes is answered when If-Range names the content`,
      source: "RFC 9110 §13.1.5",
      given: [{ blob }],
      steps: [
        {
          ...get(blob, { range: "bytes=2-4", "if-range": `"${blob.digest}"` }),
          answer: 206,
          has: blobHeaders(blob, { first: 2, last: 4 }),
          gives: blob.bytes.subarray(2, 5),
        },
      ],
    },
    {
      rule: `All ${blob.bytes.length} bytes are answered when If-Range names others, or is weak, bare or a date`,
      source: "RFC 9110 §13.1.5",
      given: [{ blob }],
      steps: [
        `"${empty.digest}"`,
        `W/"${blob.digest}"`,
        blob.digest,
        "Sun, 22 Nov 2026 08:49:37 GMT",
        "*",
        '""',
      ].map((value) => whole(blob, { range: "bytes=2-4", "if-range": value })),
    },
  ]),
  {
    rule: "If-None-Match of the content is 304: quoted, bare, weak, in a list, or any",
    source: conditionRules,
    given: [{ blob: letters }],
    steps: [
      notModified(letters, `"${letters.digest}"`),
      notModified(letters, letters.digest),
      notModified(letters, `W/"${letters.digest}"`),
      notModified(letters, `"x", W/"y" ,"${letters.digest}"`),
      notModified(letters, "*"),
      notModified(letters, `"${letters.digest}"`, { range: "bytes=0-3" }),
    ],
  },
  {
    rule: "If-None-Match of other content is 200",
    source: conditionRules,
    given: [{ blob: letters }],
    steps: [
      whole(letters, { "if-none-match": `"${empty.digest}"` }),
      whole(letters, { "if-none-match": `"${letters.digest.slice(0, -1)}"` }),
      whole(letters, { "if-none-match": "" }),
    ],
  },
  {
    rule: "What a client accepts changes nothing, and nothing is compressed",
    source: "[end-2]",
    given: [{ blob: letters }],
    steps: [
      whole(letters, { accept: "text/html", "accept-encoding": "zstd;q=1.0, gzip;q=0.8, deflate" }),
    ],
  },
];

const digests: readonly Row[] = [
  {
    rule: "A digest in a path may be percent-encoded",
    source: "RFC 3986 §2.1",
    given: [{ blob: letters }],
    steps: [
      {
        send: `GET ${pathOf(letters).replace("sha256:", "sha256%3A")}`,
        endpoint: "blob.get",
        answer: 200,
        has: blobHeaders(letters),
        gives: letters.bytes,
      },
    ],
  },
  {
    rule: "A malformed digest is 400",
    source: "[end-2]",
    steps: [
      "sha256:abc",
      `sha256:${"a".repeat(63)}`,
      `sha256:${"a".repeat(65)}`,
      `sha256:${"A".repeat(64)}`,
      `SHA256:${"a".repeat(64)}`,
      `sha512:${"a".repeat(64)}`,
      `sha256:${"g".repeat(64)}`,
      `sha256-${"a".repeat(64)}`,
      "latest",
      "sha256:",
      `:${"a".repeat(64)}`,
      `sha256:${"a".repeat(2000)}`,
      `sha256:%00${"a".repeat(63)}`,
      `sha256:${"a".repeat(64)}%0a`,
    ].map((digest) => ({
      send: `GET /v2/{r}/blobs/${digest}`,
      endpoint: "blob.get",
      answer: "DIGEST_INVALID" as const,
      says: /^Expected a digest such as sha256:/,
    })),
  },
  {
    rule: "A digest of an algorithm that the registry does not compute is not there",
    source: "[end-2]",
    steps: [`md5:${"a".repeat(32)}`, `sha384:${"a".repeat(96)}`, "a+b.c_d-e:x=_-"].map(
      (digest) => ({
        send: `GET /v2/{r}/blobs/${digest}`,
        endpoint: "blob.get",
        answer: "BLOB_UNKNOWN" as const,
      }),
    ),
  },
  {
    rule: "A blob is known by the digest that it was pushed under only",
    source: "ours",
    given: [{ blob: letters }],
    steps: [
      {
        send: `GET /v2/{r}/blobs/${letters.sha512}`,
        endpoint: "blob.get",
        answer: "BLOB_UNKNOWN",
      },
    ],
  },
];

const imageGiven: readonly Given[] = [{ blob: config }, { blob: layer }, { manifest: image() }];

const isolation: readonly Row[] = [
  {
    rule: "A blob of another repository is not there",
    source: "[end-2]",
    given: [{ blob: letters, in: "{r2}" }],
    steps: [absent(letters), readable(letters, "{r2}"), absent(letters, "{r2}/below")],
  },
  {
    rule: "A manifest is no blob",
    source: "[end-2]",
    given: imageGiven,
    steps: [absent(image())],
  },
  {
    rule: "A repository name that cannot be is not there",
    source: "[end-2]",
    steps: [
      {
        send: `GET /v2/UPPER/blobs/${letters.digest}`,
        endpoint: "blob.get",
        answer: "NAME_INVALID_READ",
      },
    ],
  },
];

const remove = (digest: string): Pick<Step, "send" | "endpoint"> => ({
  send: `DELETE /v2/{r}/blobs/${digest}`,
  endpoint: "blob.delete",
});

const deletions: readonly Row[] = [
  {
    rule: "A deleted blob is gone at once, and can be pushed again",
    source: "[end-10]",
    given: [{ blob: letters }],
    steps: [
      { ...remove(letters.digest), answer: 202, has: deleted },
      absent(letters),
      { ...remove(letters.digest), answer: "BLOB_UNKNOWN" },
      {
        send: `POST /v2/{r}/blobs/uploads/?digest=${letters.digest}`,
        body: letters.bytes,
        endpoint: "blob.post",
        answer: 201,
        has: {
          location: `/v2/{r}/blobs/${letters.digest}`,
          "docker-content-digest": letters.digest,
        },
      },
      readable(letters),
    ],
  },
  {
    rule: "A deleted blob stays in other repositories",
    source: "[end-10]",
    given: [{ blob: large }, { blob: large, in: "{r2}" }],
    steps: [
      { ...remove(large.digest), answer: 202, has: deleted },
      absent(large),
      readable(large, "{r2}"),
    ],
  },
  {
    rule: "A blob that a manifest names is not deleted, and the answer says which",
    source: "[end-10], RFC 9110 §15.5.6",
    given: imageGiven,
    steps: [
      {
        ...remove(layer.digest),
        answer: "BLOB_REFERENCED",
        has: { allow: "GET, HEAD, OPTIONS" },
        says: new RegExp(image().digest),
      },
      readable(layer),
    ],
  },
  {
    rule: "A blob that is not there, or of another repository, is not deleted",
    source: "[end-10]",
    given: [{ blob: letters, in: "{r2}" }],
    steps: [
      { ...remove(letters.digest), answer: "BLOB_UNKNOWN" },
      { ...remove(pattern(9).digest), answer: "BLOB_UNKNOWN" },
      readable(letters, "{r2}"),
    ],
  },
  {
    rule: "A digest that cannot be is not deleted",
    source: "[end-10]",
    steps: [
      { ...remove("sha256:abc"), answer: "DIGEST_INVALID" },
      { ...remove(`md5:${"a".repeat(32)}`), answer: "DIGEST_INVALID", says: /sha256 or sha512/ },
      {
        send: `DELETE /v2/UPPER/blobs/${letters.digest}`,
        endpoint: "blob.delete",
        answer: "NAME_INVALID",
      },
    ],
  },
];

export const blobRows: readonly Row[] = [
  ...singleRanges,
  ...severalRanges,
  ...emptyBlob,
  ...conditions,
  ...digests,
  ...isolation,
  ...deletions,
];
