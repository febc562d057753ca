// Mutants of pulling blobs.

import { type Fault, type Request, valueOf, withBody, withHeader } from "../fault_proxy.ts";
import {
  body,
  changing,
  flip,
  header,
  instead,
  isBlob,
  isBlobGet,
  isBlobHead,
  ok,
  plain,
  rewriting,
  status,
  withoutHeader,
  type Mutant,
} from "./tools.ts";

const ranged = (q: Request): boolean => isBlobGet(q) && valueOf(q.headers, "Range") !== null;

export const pullMutants: readonly Mutant[] = [
  {
    breaks: "ranges are ignored",
    names: "pull.range.sha256/middle",
    fault: rewriting(ranged, (q) => withoutHeader(q, "Range")),
  },
  {
    breaks: "a part has other bytes",
    names: "pull.range.sha256/middle",
    fault: body(ranged, flip),
  },
  {
    breaks: "a part is one byte short",
    names: "pull.range.sha256/to-end",
    fault: body(ranged, (b) => b.subarray(0, -1)),
  },
  {
    breaks: "Content-Range is wrong",
    names: "pull.range.sha256/middle",
    fault: header(ranged, "Content-Range", "bytes 0-999/2048"),
  },
  {
    breaks: "Content-Range is missing",
    names: "pull.range.sha256/first-byte",
    fault: header(ranged, "Content-Range", null),
  },
  {
    breaks: "the total in Content-Range is wrong",
    names: "pull.range.sha256/last-byte",
    fault: changing(ranged, (a) => ({
      ...a,
      headers: a.headers.map(([k, v]) =>
        k.toLowerCase() === "content-range" ? [k, v.replace(/\/\d+$/, "/4096")] : [k, v],
      ),
    })),
  },
  {
    breaks: "parts are sent with 200",
    names: "pull.range.sha256/middle",
    fault: status(ranged, 200, [206]),
  },
  {
    breaks: "a suffix is taken for a prefix",
    names: "pull.range.sha256/suffix",
    fault: rewriting(ranged, (q) => ({
      ...q,
      headers: withHeader(
        q.headers,
        "Range",
        (valueOf(q.headers, "Range") ?? "").replace(/=-(\d+)$/, (_, n) => `=0-${Number(n) - 1}`),
      ),
    })),
  },
  {
    breaks: "an end beyond the blob is refused",
    names: "pull.range.sha256/clamped",
    fault: instead(
      (q) => ranged(q) && valueOf(q.headers, "Range") === "bytes=2000-5000",
      () => plain(416),
    ),
  },
  {
    breaks: "a range beyond the blob is 200",
    names: "pull.range.sha256/beyond",
    fault: () => unsatisfiableIsWhole(),
  },
  {
    breaks: "a range beyond the blob is 404",
    names: "pull.range.sha256/beyond",
    fault: status(ranged, 404, [416]),
  },
  {
    breaks: "a backward range is 400",
    names: "pull.range.sha256/backwards",
    fault: status(ranged, 400, [416]),
  },
  {
    breaks: "416 does not name the length",
    names: "pull.range.edge/416-names-length",
    fault: changing(ranged, (a) => ({
      ...a,
      headers: withHeader(a.headers, "Content-Range", null),
    })),
  },
  {
    breaks: "an unknown unit is 416",
    names: "pull.range.edge/unknown-unit",
    fault: instead(
      (q) => (valueOf(q.headers, "Range") ?? "").startsWith("lines"),
      () => plain(416),
    ),
  },
  {
    breaks: "HEAD sends a part",
    names: "pull.range.edge/head",
    fault: changing(
      (q) => isBlobHead(q) && valueOf(q.headers, "Range") !== null,
      (a) => ({ ...a, status: 206, headers: withHeader(a.headers, "Content-Length", "10") }),
    ),
  },
  {
    breaks: "several ranges come in another order",
    names: "pull.range.edge/several",
    fault: rewriting(ranged, (q) => ({
      ...q,
      headers: withHeader(
        q.headers,
        "Range",
        (valueOf(q.headers, "Range") ?? "").replace("0-9,100-199", "100-199,0-9"),
      ),
    })),
  },
  {
    breaks: "several ranges are 416",
    names: "pull.range.edge/several",
    fault: instead(
      (q) => ranged(q) && (valueOf(q.headers, "Range") ?? "").includes(","),
      () => plain(416),
    ),
  },
  {
    breaks: "a resumed pull starts one byte late",
    names: "pull.range.edge/resume",
    fault: body(
      (q) => valueOf(q.headers, "Range") === "bytes=61440-",
      (b) => Buffer.concat([b.subarray(1), Buffer.from("x")]),
    ),
  },
  {
    breaks: "any If-None-Match is 304",
    names: "pull.condition/if-none-match-other",
    fault: instead(
      (q) => isBlobGet(q) && valueOf(q.headers, "If-None-Match") !== null,
      () => ({ status: 304, headers: [], body: new Uint8Array(0) }),
    ),
  },
  {
    breaks: "If-None-Match is ignored",
    names: "pull.condition/if-none-match",
    fault: rewriting(isBlobGet, (q) => withoutHeader(q, "If-None-Match")),
  },
  {
    breaks: "If-Range is ignored",
    names: "pull.condition/if-range-other",
    fault: rewriting(ranged, (q) => withoutHeader(q, "If-Range")),
  },
  {
    breaks: "If-Range turns every range off",
    names: "pull.condition/if-range",
    fault: rewriting(
      (q) => ranged(q) && valueOf(q.headers, "If-Range") !== null,
      (q) => withoutHeader(q, "Range"),
    ),
  },
  {
    breaks: "blobs have the type of text",
    names: "pull.headers/type",
    fault: header(isBlobGet, "Content-Type", "text/plain"),
  },
  {
    breaks: "blobs do not say Accept-Ranges",
    names: "pull.headers/accept-ranges",
    fault: header(isBlobGet, "Accept-Ranges", null),
  },
  {
    breaks: "blobs are compressed on the way",
    names: "pull.headers/no-coding",
    fault: changing(
      (q) => isBlobGet(q) && (valueOf(q.headers, "Accept-Encoding") ?? "").includes("gzip"),
      (a) => ({
        ...withBody(a, Bun.gzipSync(Buffer.from(a.body))),
        headers: [
          ...withBody(a, Bun.gzipSync(Buffer.from(a.body))).headers,
          ["Content-Encoding", "gzip"],
        ],
      }),
    ),
  },
  {
    breaks: "HEAD has another ETag than GET",
    names: "pull.headers/head-parity",
    fault: header(isBlobHead, "ETag", '"other"'),
  },
  {
    breaks: "HEAD sends a body",
    names: "pull.headers/head-no-body",
    fault: changing(isBlobHead, (a) =>
      ok(a)
        ? { ...a, headers: [...a.headers, ["Connection", "close"]], excess: Buffer.from("excess") }
        : a,
    ),
  },
  {
    breaks: "an encoded colon is not understood",
    names: "pull.headers/encoded-colon",
    fault: instead(
      (q) => isBlob(q) && q.path.includes("%3A"),
      () => plain(404),
    ),
  },
  {
    breaks: "the ns parameter is refused",
    names: "pull.headers/ns",
    fault: instead(
      (q) => isBlobGet(q) && q.query.includes("ns="),
      () => plain(400),
    ),
  },
  {
    breaks: "repositories see each other's blobs",
    names: "pull.headers/isolation",
    fault: rewriting(isBlob, (q) => ({ ...q, path: q.path.replace("/second/", "/first/") })),
  },
];

function unsatisfiableIsWhole(): Fault {
  return async (request, forward) => {
    const answer = await forward(request);
    return answer.status === 416 && ranged(request)
      ? forward(withoutHeader(request, "Range"))
      : answer;
  };
}
