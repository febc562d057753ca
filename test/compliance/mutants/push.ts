// Mutants of pushing blobs.

import { type Fault, valueOf, withBody, withHeader } from "../fault_proxy.ts";
import {
  body,
  changing,
  flip,
  header,
  instead,
  isBlobGet,
  isBlobHead,
  isDelete,
  isPatch,
  isPut,
  isUploadStart,
  ok,
  otherDigest,
  parameter,
  plain,
  rewriting,
  sha256,
  staleAnswers,
  status,
  withQuery,
  type Mutant,
} from "./tools.ts";

export const pushMutants: readonly Mutant[] = [
  {
    breaks: "opening a session is answered with 201",
    names: "push.sha256.post-put/push",
    fault: status(isUploadStart, 201, [202]),
  },
  {
    breaks: "opening a session gives no Location",
    names: "push.sha256.post-put/push",
    fault: header(isUploadStart, "Location", null),
  },
  {
    breaks: "a closing PUT is answered with 200",
    names: "push.sha256.post-put/push",
    fault: status(isPut, 200, [201]),
  },
  {
    breaks: "a closing PUT is answered with 204",
    names: "push.sha256.stream/push",
    fault: status(isPut, 204, [201]),
  },
  {
    breaks: "a closing PUT gives no Location",
    names: "push.sha256.chunks/push",
    fault: header(isPut, "Location", null),
  },
  {
    breaks: "a closing PUT gives two Locations",
    names: "push.sha256.post-put/push",
    fault: changing(isPut, (a) => ({ ...a, headers: [...a.headers, ["Location", "/v2/other"]] })),
  },
  {
    breaks: "the Location of a pushed blob leads elsewhere",
    names: "push.sha256.post-put/push",
    fault: header(isPut, "Location", `/v2/zot-compliance/first/blobs/${otherDigest}`),
  },
  {
    breaks: "a push names another digest",
    names: "push.sha256.post-put/push",
    fault: header(isPut, "Docker-Content-Digest", otherDigest),
  },
  {
    breaks: "a single POST is answered with 200",
    names: "push.sha256.post/push",
    fault: status((q) => isUploadStart(q) && q.query.includes("digest="), 200, [201]),
  },
  {
    breaks: "a single POST is not supported",
    names: "push.sha256.post/push",
    fault: rewriting(
      (q) => isUploadStart(q) && q.query.includes("digest="),
      (q) => ({
        ...q,
        query: "",
        body: new Uint8Array(0),
        headers: withHeader(q.headers, "Content-Length", "0"),
      }),
    ),
  },
  {
    breaks: "a PATCH is answered with 204",
    names: "push.sha256.chunk/push",
    fault: status(isPatch, 204),
  },
  {
    breaks: "a PATCH is answered with 200",
    names: "push.sha256.chunk/push",
    fault: status(isPatch, 200),
  },
  {
    breaks: "a PATCH gives no Location",
    names: "push.sha256.chunk/push",
    fault: header(isPatch, "Location", null),
  },
  {
    breaks: "a PATCH gives no Range",
    names: "push.sha256.chunk/push",
    fault: header(isPatch, "Range", null),
  },
  {
    breaks: "Range of a PATCH is one too far",
    names: "push.sha256.chunks/push",
    fault: changing(isPatch, (a) => ({
      ...a,
      headers: a.headers.map(([k, v]) =>
        k.toLowerCase() === "range" ? [k, v.replace(/\d+$/, (n) => String(Number(n) + 1))] : [k, v],
      ),
    })),
  },
  {
    breaks: "Range of a PATCH has a unit",
    names: "push.sha256.chunk/push",
    fault: changing(isPatch, (a) => ({
      ...a,
      headers: a.headers.map(([k, v]) =>
        k.toLowerCase() === "range" ? [k, `bytes=${v}`] : [k, v],
      ),
    })),
  },
  {
    breaks: "streams are refused",
    names: "push.sha256.stream/push",
    fault: instead(
      (q) => isPatch(q) && valueOf(q.headers, "Transfer-Encoding") !== null,
      () => plain(411),
    ),
  },
  {
    breaks: "the last chunk may not come with the PUT",
    names: "push.sha256.chunks-put/push",
    fault: instead(
      (q) => isPut(q) && valueOf(q.headers, "Content-Range") !== null,
      () => plain(400),
    ),
  },
  {
    breaks: "the empty blob is refused",
    names: "push.sha256.empty/push",
    fault: instead(
      (q) => isPut(q) && (parameter(q, "digest") ?? "").startsWith("sha256:e3b0c442"),
      () => plain(400),
    ),
  },
  {
    breaks: "HEAD of a blob has no length",
    names: "push.sha256.post-put/head",
    fault: changing(isBlobHead, (a) => ({
      ...a,
      headers: withHeader(withHeader(a.headers, "Content-Length", null), "Transfer-Encoding", null),
    })),
  },
  {
    breaks: "HEAD of a blob says length 0",
    names: "push.sha256.post-put/head",
    fault: header(isBlobHead, "Content-Length", "0"),
  },
  {
    breaks: "HEAD of a blob that is there is 404",
    names: "push.sha256.post-put/head",
    fault: status(isBlobHead, 404),
  },
  {
    breaks: "a byte of a blob is altered",
    names: "push.sha256.post-put/push",
    fault: body(isBlobGet, flip),
  },
  {
    breaks: "a byte is altered when a blob is pulled the second time",
    names: "push.sha256.post-put/get",
    fault: () => alteredSecond(),
  },
  {
    breaks: "the last byte of a blob is lost",
    names: "push.sha256.stream/push",
    fault: body(isBlobGet, (b) => b.subarray(0, -1)),
  },
  {
    breaks: "a byte is added to a blob",
    names: "push.sha256.stream/push",
    fault: body(isBlobGet, (b) => Buffer.concat([b, Buffer.from("x")])),
  },
  {
    breaks: "GET names another digest",
    names: "push.sha256.post-put/get",
    fault: header(isBlobGet, "Docker-Content-Digest", otherDigest),
  },
  {
    breaks: "GET names no digest",
    names: "push.sha256.post-put/digest-header",
    fault: header(isBlobGet, "Docker-Content-Digest", null),
  },
  {
    breaks: "HEAD names no digest",
    names: "push.sha256.post-put/digest-header",
    fault: header(isBlobHead, "Docker-Content-Digest", null),
  },
  {
    breaks: "a sha512 blob is answered with its sha256",
    names: "push.sha512.post-put/digest-header",
    fault: changing(isBlobGet, (a) =>
      ok(a) ? { ...a, headers: withHeader(a.headers, "Docker-Content-Digest", sha256(a.body)) } : a,
    ),
  },
  {
    breaks: "sha512 is refused",
    names: "push.sha512.post-put/push",
    fault: instead(
      (q) => isPut(q) && (parameter(q, "digest") ?? "").startsWith("sha512"),
      () => plain(400),
    ),
  },
  {
    breaks: "a missing blob is 200 and empty",
    names: "push.sha256.missing/get",
    fault: changing(isBlobGet, (a) => (a.status === 404 ? plain(200) : a)),
  },
  {
    breaks: "a missing blob is 400",
    names: "push.sha256.missing/get",
    fault: status(isBlobGet, 400, [404]),
  },
  {
    breaks: "HEAD of a missing blob is 200",
    names: "push.sha256.missing/head",
    fault: status(isBlobHead, 200, [404]),
  },
  {
    breaks: "deleting a blob is answered with 200",
    names: "push.sha256.post-put/delete",
    fault: status(isDelete, 200),
  },
  {
    breaks: "deletion is off",
    names: "push.sha256.post-put/delete",
    fault: instead(isDelete, () => plain(405)),
  },
  {
    breaks: "deletion is accepted and does nothing",
    names: "push.sha256.post-put/gone",
    fault: instead(isDelete, () => plain(202)),
  },
  {
    breaks: "HEAD is answered from a cache",
    names: "push.sha256.post-put/gone",
    fault: staleAnswers(isBlobHead),
  },
  {
    breaks: "wrong bytes are stored under the digest they have",
    names: "push.sha256.bad-digest/post-put",
    fault: () => believing(),
  },
  {
    breaks: "wrong bytes are refused with 422",
    names: "push.sha256.bad-digest/post-put",
    fault: status(isPut, 422, [400]),
  },
  {
    breaks: "wrong bytes are refused with 500",
    names: "push.sha256.bad-digest/chunks",
    fault: status(isPut, 500, [400]),
  },
  {
    breaks: "wrong bytes are accepted for a stream",
    names: "push.sha256.bad-digest/stream",
    fault: changing(isPut, (a) => (a.status === 400 ? plain(201, "", [["Location", "/v2/x"]]) : a)),
  },
];

/** Every second GET of the same blob is altered: pushing verifies the first. */
function alteredSecond(): Fault {
  const seen = new Set<string>();
  return async (request, forward) => {
    const answer = await forward(request);
    if (!isBlobGet(request) || !ok(answer)) return answer;
    if (!seen.has(request.path)) {
      seen.add(request.path);
      return answer;
    }
    return withBody(answer, flip(Buffer.from(answer.body)));
  };
}

/** Closes an upload under the digest that the bytes really have. */
function believing(): Fault {
  return (request, forward) => {
    if (!isPut(request) || request.body.length === 0) return forward(request);
    return forward(withQuery(request, (query) => query.set("digest", sha256(request.body))));
  };
}
