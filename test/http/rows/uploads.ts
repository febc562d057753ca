// The table of uploads: open, append, finish, status, cancel, single request [end-4, 5, 6, 13, 14].
//
// Requests that overlap, break off or stall stand in `live_uploads.ts`.

import { chunkedBody } from "../../../src/client/transport.ts";
import { type Content, content, empty, large, letters } from "../content.ts";
import {
  absent,
  accepted,
  blobCreated,
  finish,
  holds,
  readable,
  session,
  start,
} from "../expected.ts";
import type { Row, Step } from "../row.ts";

const streamed = 'distribution-spec, "Pushing a blob monolithically" [end-5]';
const chunked = 'distribution-spec, "Pushing a blob in chunks" [end-5]';
const closing = "distribution-spec [end-6]";
const single = '[end-4b], distribution-spec, "Single POST"';

const someId = "0f3d8a52-6c1b-4e0a-9d53-3f0b1a2c4d5e";

/** A stream at the end of the upload `{at}`; it holds `sizeBytes` afterwards. */
function append(body: Step["body"], sizeBytes: number): Step {
  return {
    send: "PATCH {at}",
    body,
    headers: { "content-type": "application/octet-stream" },
    endpoint: "upload.append",
    answer: 202,
    has: accepted(sizeBytes),
  };
}

/** A chunk that claims its place. */
function chunk(range: string, body: Step["body"], sizeBytes: number): Step {
  const step = append(body, sizeBytes);
  return { ...step, headers: { ...step.headers, "content-range": range } };
}

/** A chunk that is refused, with the upload's state where the position is the reason. */
function refused(
  answer: "UPLOAD_RANGE" | "SIZE_INVALID" | "UPLOAD_INVALID",
  range: string,
  body: Step["body"],
  sizeBytes = 0,
): Step {
  const { has: _, ...step } = chunk(range, body, 0);
  return { ...step, answer, ...(answer === "UPLOAD_RANGE" ? { has: session(sizeBytes) } : {}) };
}

function put(query: string, more: Partial<Step>): Step {
  return { send: `PUT {at}${query}`, endpoint: "upload.finish", answer: 201, ...more };
}

function post(query: string, more: Partial<Step>): Step {
  const send = `POST /v2/{r}/blobs/uploads/${query}`;
  return { send, endpoint: "blob.post", answer: 201, ...more };
}

const piece = (first: number, last: number): Uint8Array => letters.bytes.subarray(first, last + 1);

const opening: readonly Row[] = [
  {
    rule: "An upload is opened with its place, its state and its id",
    source: "[end-4a]",
    steps: [start, holds(0), absent(letters)],
  },
  {
    rule: "An upload is opened at a path without the slash as well",
    source: "ours",
    steps: [{ ...start, send: "POST /v2/{r}/blobs/uploads" }, holds(0)],
  },
  {
    rule: "What a client says of a body that it does not send is ignored",
    source: "[end-4a]",
    steps: [
      { ...start, headers: { "content-type": "application/json" } },
      { ...start, headers: { "content-type": "application/octet-stream" }, body: "" },
      { ...start, body: chunkedBody(new Uint8Array(0)) },
      { ...start, body: "a body without a digest" },
      holds(0),
      { ...start, send: "POST /v2/{r}/blobs/uploads/?from={r2}&origin=example.com" },
    ],
  },
  {
    rule: "An open upload makes no repository",
    source: "ours",
    steps: [
      start,
      append("some bytes", 10),
      { send: "GET /v2/{r}/tags/list", endpoint: "tag.list", answer: "NAME_UNKNOWN" },
    ],
  },
  {
    rule: "The digest algorithm may be announced, and is hashed whatever was announced",
    source: "[end-4c]",
    steps: [
      { ...start, send: "POST /v2/{r}/blobs/uploads/?digest-algorithm=sha512" },
      append(letters.bytes, 26),
      finish(letters, letters.sha512),
      { ...start, send: "POST /v2/{r}/blobs/uploads/?digest-algorithm=sha512" },
      append(letters.bytes, 26),
      finish(letters),
      { ...start, send: "POST /v2/{r}/blobs/uploads/?digest-algorithm=sha256" },
      append(letters.bytes, 26),
      finish(letters, letters.sha512),
      start,
      append(large.bytes, large.bytes.length),
      finish(large, large.sha512),
    ],
  },
  {
    rule: "An algorithm that the registry does not compute is refused before anything is sent",
    source: "[end-4c]",
    steps: ["md5", "sha384", "blake3", "", "SHA256", "__proto__", "constructor"].map(
      (algorithm) => ({
        send: `POST /v2/{r}/blobs/uploads/?digest-algorithm=${algorithm}`,
        endpoint: "upload.start",
        answer: "DIGEST_INVALID" as const,
        says: /sha256 or sha512/,
      }),
    ),
  },
];

const streaming: readonly Row[] = [
  {
    rule: "Streams are appended in their order, with and without a length",
    source: streamed,
    steps: [
      start,
      append(piece(0, 4), 5),
      append(chunkedBody(piece(5, 20), 3), 21),
      append(piece(21, 25), 26),
      holds(26),
      finish(letters),
      readable(letters),
    ],
  },
  {
    rule: "A stream of no bytes changes nothing",
    source: streamed,
    steps: [
      start,
      append("", 0),
      append(chunkedBody(new Uint8Array(0)), 0),
      append("abc", 3),
      append("", 3),
      holds(3),
    ],
  },
  {
    rule: "A blob beyond what is kept in memory is taken, with and without a length",
    source: streamed,
    steps: [
      start,
      append(large.bytes, large.bytes.length),
      finish(large),
      readable(large),
      start,
      append(chunkedBody(large.bytes), large.bytes.length),
      finish(large),
    ],
  },
  {
    rule: "The type of a stream is not looked at",
    source: "ours",
    steps: [
      start,
      { ...append("ab", 2), headers: {} },
      { ...append("cd", 4), headers: { "content-type": "text/plain; charset=utf-8" } },
    ],
  },
  {
    rule: "An older location of the upload serves as well as the newest",
    source: "[end-13]",
    steps: [
      start,
      append("ab", 2),
      append("cd", 4),
      { ...holds(4), send: "GET {before}" },
      { ...holds(4), send: "GET {at}?digest=sha256:0&_state=x" },
      { ...append("ef", 6), send: "PATCH {before}?_state=abc&x" },
    ],
  },
  {
    rule: "An encoded body is refused: the digest is that of the bytes as sent",
    source: "RFC 9110 §8.4",
    steps: [
      start,
      ...["gzip", "zstd", "gzip, identity", "x"].map((encoding) => ({
        ...append("ab", 0),
        headers: { "content-encoding": encoding },
        answer: "CONTENT_ENCODING" as const,
        has: {},
      })),
      { ...append("ab", 2), headers: { "content-encoding": "Identity" } },
      put(`?digest=${letters.digest}`, {
        headers: { "content-encoding": "gzip" },
        answer: "CONTENT_ENCODING",
      }),
      post(`?digest=${letters.digest}`, {
        body: letters.bytes,
        headers: { "content-encoding": "gzip" },
        answer: "CONTENT_ENCODING",
      }),
    ],
  },
];

const chunks: readonly Row[] = [
  {
    rule: "Chunks in their order make the blob",
    source: chunked,
    steps: [
      start,
      chunk("0-9", piece(0, 9), 10),
      chunk("10-10", piece(10, 10), 11),
      chunk("11-25", chunkedBody(piece(11, 25)), 26),
      holds(26),
      finish(letters),
      readable(letters),
    ],
  },
  {
    rule: "The position may be written as HTTP libraries write it",
    source: "ours",
    steps: [
      start,
      chunk("bytes 0-3/*", piece(0, 3), 4),
      chunk("bytes=4-5", piece(4, 5), 6),
      chunk("bytes 6-7/26", piece(6, 7), 8),
    ],
  },
  {
    rule: "A chunk ahead of the upload is refused with its state, and nothing is kept",
    source: chunked,
    steps: [
      start,
      refused("UPLOAD_RANGE", "5-9", piece(5, 9)),
      holds(0),
      chunk("0-4", piece(0, 4), 5),
      refused("UPLOAD_RANGE", "10-14", piece(10, 14), 5),
      holds(5),
      chunk("5-9", piece(5, 9), 10),
    ],
  },
  {
    rule: "A chunk that came before is refused with the upload's state, and the client goes on",
    source: chunked,
    steps: [
      start,
      chunk("0-9", piece(0, 9), 10),
      refused("UPLOAD_RANGE", "0-9", piece(0, 9), 10),
      refused("UPLOAD_RANGE", "5-14", piece(5, 14), 10),
      holds(10),
      chunk("10-25", piece(10, 25), 26),
      finish(letters),
      readable(letters),
    ],
  },
  {
    rule: "A chunk of another length than it says is refused, and nothing is kept",
    source: chunked,
    steps: [
      start,
      chunk("0-4", piece(0, 4), 5),
      refused("SIZE_INVALID", "5-9", piece(5, 8)),
      refused("SIZE_INVALID", "5-9", piece(5, 10)),
      refused("SIZE_INVALID", "5-9", chunkedBody(piece(5, 8))),
      refused("SIZE_INVALID", "5-9", chunkedBody(piece(5, 10))),
      refused("SIZE_INVALID", "5-9", ""),
      refused("SIZE_INVALID", "5-9007199254740991", piece(5, 9)),
      refused("SIZE_INVALID", "5-99999999999999999999999", piece(5, 9)),
      holds(5),
      chunk("5-25", piece(5, 25), 26),
      finish(letters),
    ],
  },
  {
    rule: "A position that cannot be read is refused, and nothing is kept",
    source: chunked,
    steps: [
      start,
      ...[
        "bytes",
        "0",
        "-4",
        "0-",
        "4-0",
        "a-b",
        "0-4-5",
        " 0 - 4",
        "0x0-0x4",
        "bytes 0-4/3",
        "1e1-2e1",
      ].map((range) => refused("UPLOAD_INVALID", range, piece(0, 4))),
      holds(0),
    ],
  },
];

const finishing: readonly Row[] = [
  {
    rule: "The whole blob may come with the last request",
    source: closing,
    steps: [
      start,
      put(`?digest=${letters.digest}`, { body: letters.bytes, has: blobCreated(letters.digest) }),
      readable(letters),
      start,
      put(`?digest=${large.digest}`, {
        body: chunkedBody(large.bytes),
        has: blobCreated(large.digest),
      }),
      readable(large),
    ],
  },
  {
    rule: "The last chunk may come with the last request, with and without its position",
    source: closing,
    steps: [
      start,
      append(piece(0, 9), 10),
      put(`?digest=${letters.digest}`, {
        body: piece(10, 25),
        has: blobCreated(letters.digest),
      }),
      start,
      append(piece(0, 9), 10),
      put(`?digest=${letters.digest}`, {
        body: piece(10, 25),
        headers: { "content-range": "10-25" },
        has: blobCreated(letters.digest),
      }),
      readable(letters),
    ],
  },
  {
    rule: "The empty blob needs no bytes",
    source: closing,
    steps: [
      start,
      finish(empty),
      readable(empty),
      start,
      put(`?digest=${empty.digest}`, {
        body: chunkedBody(new Uint8Array(0)),
        has: blobCreated(empty.digest),
      }),
    ],
  },
  {
    rule: "The digest may be encoded, and stand among parameters in any order",
    source: "ours",
    steps: [
      start,
      put(`?x=1&digest=${encodeURIComponent(letters.digest)}&y`, {
        body: letters.bytes,
        has: blobCreated(letters.digest),
      }),
      start,
      put(`?digest=${letters.digest}&digest=${empty.digest}`, {
        body: letters.bytes,
        has: blobCreated(letters.digest),
      }),
    ],
  },
  {
    rule: "Without a digest nothing is finished, and the upload goes on",
    source: closing,
    steps: [
      start,
      append(letters.bytes, 26),
      put("", { answer: "DIGEST_INVALID", says: /\?digest=/ }),
      put("", { answer: "DIGEST_INVALID", body: "more" }),
      put("?digest=", { answer: "DIGEST_INVALID" }),
      put("?Digest=" + letters.digest, { answer: "DIGEST_INVALID" }),
      holds(26),
      finish(letters),
    ],
  },
  {
    rule: "A digest that cannot be is refused, and the upload goes on",
    source: closing,
    steps: [
      start,
      append(letters.bytes, 26),
      put("?digest=sha256:abc", { answer: "DIGEST_INVALID" }),
      put(`?digest=sha256:${"A".repeat(64)}`, { answer: "DIGEST_INVALID" }),
      put(`?digest=md5:${"a".repeat(32)}`, { answer: "DIGEST_INVALID", says: /sha256 or sha512/ }),
      put("?digest=../../etc/passwd", { answer: "DIGEST_INVALID" }),
      holds(26),
      finish(letters),
    ],
  },
  ...[letters, large].map((blob): Row => ({
    rule: `A wrong digest of ${blob.bytes.length} bytes is refused, and the upload stands where it stood`,
    source: closing,
    steps: [
      start,
      append(blob.bytes, blob.bytes.length),
      put(`?digest=${empty.digest}`, { answer: "DIGEST_INVALID", says: new RegExp(blob.digest) }),
      put(`?digest=${blob.digest}`, { answer: "DIGEST_INVALID", body: "more bytes" }),
      put(`?digest=${blob.digest}`, { answer: "DIGEST_INVALID", body: blob.bytes }),
      put(`?digest=${blob.digest}`, { answer: "DIGEST_INVALID", body: chunkedBody(blob.bytes) }),
      absent(empty),
      holds(blob.bytes.length),
      finish(blob),
      readable(blob),
    ],
  })),
  {
    rule: "A last chunk at another place is refused with the state, and the upload goes on",
    source: closing,
    steps: [
      start,
      append(piece(0, 9), 10),
      ...["0-9", "11-25", "20-25"].map((range) =>
        put(`?digest=${letters.digest}`, {
          body: piece(10, 25),
          headers: { "content-range": range },
          answer: "UPLOAD_RANGE",
          has: session(10),
        }),
      ),
      put(`?digest=${letters.digest}`, {
        body: piece(10, 24),
        headers: { "content-range": "10-25" },
        answer: "SIZE_INVALID",
      }),
      put(`?digest=${letters.digest}`, {
        body: piece(10, 25),
        headers: { "content-range": "x" },
        answer: "UPLOAD_INVALID",
      }),
      holds(10),
      put(`?digest=${letters.digest}`, { body: piece(10, 25), has: blobCreated(letters.digest) }),
    ],
  },
  {
    rule: "The digest is looked at before the position",
    source: closing,
    steps: [
      start,
      put("?digest=sha256:abc", {
        body: "x",
        headers: { "content-range": "7-7" },
        answer: "DIGEST_INVALID",
      }),
    ],
  },
  {
    rule: "A finished upload is gone, and the blob stays",
    source: closing,
    steps: [
      start,
      append(letters.bytes, 26),
      finish(letters),
      put(`?digest=${letters.digest}`, { answer: "UPLOAD_UNKNOWN" }),
      { send: "GET {at}", endpoint: "upload.status", answer: "UPLOAD_UNKNOWN" },
      { send: "DELETE {at}", endpoint: "upload.cancel", answer: "UPLOAD_UNKNOWN" },
      readable(letters),
    ],
  },
  {
    rule: "A blob that is there already is taken again",
    source: closing,
    given: [{ blob: letters }, { blob: large, in: "{r2}" }],
    steps: [
      start,
      append(letters.bytes, 26),
      finish(letters),
      readable(letters),
      start,
      append(large.bytes, large.bytes.length),
      finish(large),
      readable(large),
    ],
  },
];

/** Every request on an upload that is not there. */
function unknown(target: string): Step[] {
  const answer = "UPLOAD_UNKNOWN" as const;
  return [
    { send: `GET ${target}`, endpoint: "upload.status", answer },
    { send: `PATCH ${target}`, body: "abc", endpoint: "upload.append", answer },
    {
      send: `PUT ${target}?digest=${letters.digest}`,
      body: letters.bytes,
      endpoint: "upload.finish",
      answer,
    },
    // The upload is looked for before its digest.
    { send: `PUT ${target}`, endpoint: "upload.finish", answer },
    { send: `DELETE ${target}`, endpoint: "upload.cancel", answer },
  ];
}

const sessions: readonly Row[] = [
  {
    rule: "An upload that was never opened is not there",
    source: "[end-5], [end-6], [end-13], [end-14]",
    steps: [someId, "x", someId.toUpperCase(), "..%2e", "a.b", `${someId}x`].flatMap((id) =>
      unknown(`/v2/{r}/blobs/uploads/${id}`),
    ),
  },
  {
    rule: "An upload of another repository is not there, and goes on in its own",
    source: "[end-5], [end-6], [end-13], [end-14]",
    steps: [
      start,
      append("abc", 3),
      ...unknown("/v2/{r2}/blobs/uploads/{id}"),
      ...unknown("/v2/{r}/below/blobs/uploads/{id}"),
      holds(3),
    ],
  },
  {
    rule: "A repository name that cannot be has no uploads",
    source: "[end-4a]",
    steps: [
      { send: "POST /v2/UPPER/blobs/uploads/", endpoint: "upload.start", answer: "NAME_INVALID" },
      {
        send: `POST /v2/UPPER/blobs/uploads/?digest=${letters.digest}`,
        body: letters.bytes,
        endpoint: "blob.post",
        answer: "NAME_INVALID",
      },
      {
        send: `GET /v2/UPPER/blobs/uploads/${someId}`,
        endpoint: "upload.status",
        answer: "NAME_INVALID",
      },
      {
        send: `PATCH /v2/UPPER/blobs/uploads/${someId}`,
        body: "abc",
        endpoint: "upload.append",
        answer: "NAME_INVALID",
      },
      {
        send: `PUT /v2/UPPER/blobs/uploads/${someId}?digest=${letters.digest}`,
        endpoint: "upload.finish",
        answer: "NAME_INVALID",
      },
      {
        send: `DELETE /v2/UPPER/blobs/uploads/${someId}`,
        endpoint: "upload.cancel",
        answer: "NAME_INVALID",
      },
    ],
  },
  {
    rule: "A cancelled upload is gone with its bytes",
    source: "[end-14]",
    steps: [
      start,
      append(large.bytes, large.bytes.length),
      { send: "DELETE {at}", endpoint: "upload.cancel", answer: 204 },
      ...unknown("{at}"),
    ],
  },
];

const singleRequests: readonly Row[] = [
  ...[letters, large, empty].map((blob: Content): Row => ({
    rule: `A blob of ${blob.bytes.length} bytes is pushed in one request, with and without a length`,
    source: single,
    steps: [
      post(`?digest=${blob.digest}`, { body: blob.bytes, has: blobCreated(blob.digest) }),
      readable(blob),
      post(`?digest=${blob.sha512}`, {
        body: chunkedBody(blob.bytes),
        has: blobCreated(blob.sha512),
      }),
      post(`?digest=${encodeURIComponent(blob.digest)}&x=1`, {
        body: blob.bytes,
        headers: { "content-type": "text/plain" },
        has: blobCreated(blob.digest),
      }),
    ],
  })),
  {
    rule: "A wrong, malformed, unsupported or missing digest is refused, and nothing is left",
    source: single,
    steps: [
      post(`?digest=${empty.digest}`, { body: letters.bytes, answer: "DIGEST_INVALID" }),
      post(`?digest=${letters.digest}`, { body: large.bytes, answer: "DIGEST_INVALID" }),
      post(`?digest=${letters.digest}`, {
        body: chunkedBody(empty.bytes),
        answer: "DIGEST_INVALID",
      }),
      post(`?digest=${letters.digest}`, {
        body: chunkedBody(large.bytes),
        answer: "DIGEST_INVALID",
      }),
      post("?digest=sha256:abc", { body: letters.bytes, answer: "DIGEST_INVALID" }),
      post(`?digest=md5:${"a".repeat(32)}`, { body: letters.bytes, answer: "DIGEST_INVALID" }),
      post("?digest=", { body: letters.bytes, answer: "DIGEST_INVALID" }),
      post("?digest", { body: letters.bytes, answer: "DIGEST_INVALID" }),
    ],
  },
  {
    rule: "A digest without a body opens an upload, but for the empty blob",
    source: "[end-4b], ours, as in distribution",
    steps: [
      { ...start, send: `${start.send}?digest=${letters.digest}`, endpoint: "blob.post" },
      put(`?digest=${letters.digest}`, { body: letters.bytes, has: blobCreated(letters.digest) }),
      readable(letters),
      post(`?digest=${empty.digest}`, { has: blobCreated(empty.digest) }),
      post("?digest=sha256:abc", { answer: "DIGEST_INVALID" }),
    ],
  },
  {
    rule: "A position in a single request must fit as in any other",
    source: single,
    steps: [
      post(`?digest=${letters.digest}`, {
        body: letters.bytes,
        headers: { "content-range": "0-25" },
        has: blobCreated(letters.digest),
      }),
      post(`?digest=${letters.digest}`, {
        body: letters.bytes,
        headers: { "content-range": "0-24" },
        answer: "SIZE_INVALID",
      }),
      post(`?digest=${letters.digest}`, {
        body: letters.bytes,
        headers: { "content-range": "1-26" },
        answer: "UPLOAD_RANGE",
      }),
      post(`?digest=${letters.digest}`, {
        body: letters.bytes,
        headers: { "content-range": "x" },
        answer: "UPLOAD_INVALID",
      }),
    ],
  },
];

export const uploadRows: readonly Row[] = [
  ...opening,
  ...streaming,
  ...chunks,
  ...finishing,
  ...sessions,
  ...singleRequests,
];

const tooLarge = content("x".repeat(1001));
const fits = content("x".repeat(1000));

/** For a server that takes blobs of up to 1000 bytes. */
export const limitedUploadRows: readonly Row[] = [
  {
    rule: "A blob of the limit is taken, one byte more is not, and the upload stands where it stood",
    source: "[end-5], RFC 9110 §15.5.14",
    steps: [
      start,
      { ...append(tooLarge.bytes, 0), answer: "UPLOAD_TOO_LARGE", has: {} },
      { ...append(chunkedBody(tooLarge.bytes, 100), 0), answer: "UPLOAD_TOO_LARGE", has: {} },
      holds(0),
      append(fits.bytes.subarray(0, 600), 600),
      { ...append(fits.bytes.subarray(0, 401), 0), answer: "UPLOAD_TOO_LARGE", has: {} },
      { ...append(chunkedBody(large.bytes), 0), answer: "UPLOAD_TOO_LARGE", has: {} },
      put(`?digest=${tooLarge.digest}`, {
        body: tooLarge.bytes.subarray(600),
        answer: "UPLOAD_TOO_LARGE",
      }),
      holds(600),
      put(`?digest=${fits.digest}`, {
        body: chunkedBody(fits.bytes.subarray(600)),
        has: blobCreated(fits.digest),
      }),
      readable(fits),
    ],
  },
  {
    rule: "A single request beyond the limit is refused, and nothing is left",
    source: "[end-4b], RFC 9110 §15.5.14",
    steps: [
      post(`?digest=${tooLarge.digest}`, { body: tooLarge.bytes, answer: "UPLOAD_TOO_LARGE" }),
      post(`?digest=${large.digest}`, {
        body: chunkedBody(large.bytes),
        answer: "UPLOAD_TOO_LARGE",
      }),
    ],
  },
];
