// THE table of mutants: each breaks one rule of a correct registry, and names the case that must notice.
//
// `names` is a case id: after the change it must not pass. `only` are the scenarios that are run for
// it, to keep the test short. Faults are made anew for each run, so their state is their own.

import { createHash } from "node:crypto";
import {
  type Answer,
  type Fault,
  type Forward,
  type Request,
  valueOf,
  withBody,
  withHeader,
} from "./fault_proxy.ts";

export interface Mutant {
  /** What is broken. */
  breaks: string;
  /** The case that has to notice: `<scenario>/<case>`. */
  names: string;
  fault: () => Fault;
}

// ------------------------------------------------------------------ what a request is about

const isUploadStart = (q: Request): boolean =>
  q.method === "POST" && /\/blobs\/uploads\/?$/.test(q.path);
const isSession = (q: Request): boolean => /\/blobs\/uploads\/[^/]+$/.test(q.path);
const isPatch = (q: Request): boolean => q.method === "PATCH" && isSession(q);
const isPut = (q: Request): boolean => q.method === "PUT" && isSession(q);
const isStatus = (q: Request): boolean => q.method === "GET" && isSession(q);
const isCancel = (q: Request): boolean => q.method === "DELETE" && isSession(q);
const isBlob = (q: Request): boolean => /\/blobs\/[^/]*(:|%3A)[^/]*$/.test(q.path);
const isBlobGet = (q: Request): boolean => q.method === "GET" && isBlob(q);
const isBlobHead = (q: Request): boolean => q.method === "HEAD" && isBlob(q);
const isManifest = (q: Request): boolean => /\/manifests\/[^/]+$/.test(q.path);
const isManifestPut = (q: Request): boolean => q.method === "PUT" && isManifest(q);
const isManifestGet = (q: Request): boolean => q.method === "GET" && isManifest(q);
const isManifestHead = (q: Request): boolean => q.method === "HEAD" && isManifest(q);
const isTags = (q: Request): boolean => q.path.endsWith("/tags/list");
const isReferrers = (q: Request): boolean => q.path.includes("/referrers/");
const isCatalog = (q: Request): boolean => q.path === "/v2/_catalog";
const isPing = (q: Request): boolean => /^\/v2\/?$/.test(q.path);
const isDelete = (q: Request): boolean => q.method === "DELETE" && (isBlob(q) || isManifest(q));
const isMount = (q: Request): boolean => isUploadStart(q) && q.query.includes("mount=");
const parameter = (q: Request, name: string): string | null =>
  new URLSearchParams(q.query).get(name);
const referenceOf = (q: Request): string =>
  decodeURIComponent(q.path.slice(q.path.lastIndexOf("/") + 1));
const isTagReference = (q: Request): boolean => isManifest(q) && !referenceOf(q).includes(":");

// ------------------------------------------------------------------ ways to be wrong

type Test = (request: Request) => boolean;

/** Changes the answers to some requests. */
const changing =
  (test: Test, change: (answer: Answer, request: Request) => Answer): (() => Fault) =>
  () =>
  async (request, forward) => {
    const answer = await forward(request);
    return test(request) ? change(answer, request) : answer;
  };

/** Changes some requests before the registry sees them. */
const rewriting =
  (test: Test, change: (request: Request) => Request): (() => Fault) =>
  () =>
  (request, forward) =>
    forward(test(request) ? change(request) : request);

/** Answers some requests by itself. */
const instead =
  (test: Test, answer: (request: Request) => Answer): (() => Fault) =>
  () =>
  async (request, forward) =>
    test(request) ? answer(request) : forward(request);

const ok = (answer: Answer): boolean => answer.status >= 200 && answer.status < 300;
/** Another status, for answers that were successful (or had one of `from`). */
const status = (test: Test, to: number, from: readonly number[] | null = null): (() => Fault) =>
  changing(test, (answer) =>
    (from === null ? ok(answer) : from.includes(answer.status))
      ? { ...answer, status: to }
      : answer,
  );
const header = (test: Test, name: string, value: string | null): (() => Fault) =>
  changing(test, (answer) =>
    ok(answer) ? { ...answer, headers: withHeader(answer.headers, name, value) } : answer,
  );
const body = (
  test: Test,
  change: (bytes: Buffer, request: Request) => Uint8Array | string,
): (() => Fault) =>
  changing(test, (answer, request) =>
    ok(answer) ? withBody(answer, change(Buffer.from(answer.body), request)) : answer,
  );
/** The members of the JSON bodies that mutants change. */
interface Parsed {
  name: string;
  tags: string[];
  repositories: string[];
  manifests: Entry[];
  errors: { code: string; message?: unknown }[];
  [member: string]: unknown;
}
interface Entry {
  mediaType: string;
  digest: string;
  size: number;
  [member: string]: unknown;
}
const parse = (bytes: Uint8Array): Parsed => {
  const parsed: Parsed = JSON.parse(Buffer.from(bytes).toString());
  return parsed;
};
const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const json = (test: Test, change: (value: Parsed, request: Request) => object): (() => Fault) =>
  body(test, (bytes, request) => JSON.stringify(change(parse(bytes), request)));

const plain = (code: number, content = "", headers: [string, string][] = []): Answer => ({
  status: code,
  headers: [...headers, ["Content-Length", String(Buffer.byteLength(content))]],
  body: Buffer.from(content),
});

const flip = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes);
  const at = Math.floor(copy.length / 2);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
};

const sha256 = (bytes: Uint8Array): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const otherDigest = `sha256:${"b".repeat(64)}`;
const withQuery = (q: Request, change: (query: URLSearchParams) => void): Request => {
  const query = new URLSearchParams(q.query);
  change(query);
  return { ...q, query: query.toString() };
};
const withoutHeader = (q: Request, name: string): Request => ({
  ...q,
  headers: withHeader(q.headers, name, null),
});

/** The first answer to a request is given for ever. */
const staleAnswers =
  (test: Test, keep: (answer: Answer) => boolean = ok): (() => Fault) =>
  () => {
    const kept = new Map<string, Answer>();
    return async (request, forward) => {
      const key = `${request.method} ${request.path}?${request.query}`;
      const before = kept.get(key);
      if (test(request) && before !== undefined) return before;
      const answer = await forward(request);
      if (test(request) && keep(answer)) kept.set(key, answer);
      return answer;
    };
  };

const again = (request: Request, forward: Forward, method: string, path: string): Promise<Answer> =>
  forward({
    ...request,
    method,
    path,
    query: "",
    body: new Uint8Array(0),
    headers: request.headers.filter(([name]) => !/^(content-|transfer-)/i.test(name)),
  });

// ------------------------------------------------------------------ the table

const ping: Mutant[] = [
  { breaks: "ping is answered with 500", names: "ping/status", fault: status(isPing, 500) },
  {
    breaks: "ping has a body that is no JSON",
    names: "ping/body",
    fault: body(isPing, () => "hello"),
  },
  {
    breaks: "ping does not name the API version",
    names: "ping/version-header",
    fault: header(isPing, "Docker-Distribution-Api-Version", null),
  },
  {
    breaks: "HEAD of the base is refused",
    names: "ping/head",
    fault: instead(
      (q) => isPing(q) && q.method === "HEAD",
      () => plain(405),
    ),
  },
  {
    breaks: "no answer without the slash",
    names: "ping/no-slash",
    fault: instead(
      (q) => q.path === "/v2",
      () => plain(404),
    ),
  },
  {
    breaks: "referrers of an unknown repository are 404",
    names: "empty/referrers",
    fault: status((q) => isReferrers(q) && q.path.includes("never-"), 404),
  },
  {
    breaks: "referrers have a charset in their type",
    names: "empty/referrers",
    fault: header(
      isReferrers,
      "Content-Type",
      "application/vnd.oci.image.index.v1+json; charset=utf-8",
    ),
  },
  {
    breaks: "the tag list of an unknown repository fails",
    names: "empty/tags",
    fault: status(isTags, 500, [404]),
  },
  {
    breaks: "a tag in an unknown repository is 400",
    names: "empty/manifest-by-tag",
    fault: status(isManifestGet, 400, [404]),
  },
  {
    breaks: "a digest in an unknown repository is found",
    names: "empty/manifest-by-digest",
    fault: status(isManifestGet, 200, [404]),
  },
  {
    breaks: "a blob in an unknown repository is 403",
    names: "empty/blob",
    fault: status(isBlobGet, 403, [404]),
  },
  {
    breaks: "HEAD in an unknown repository is 200",
    names: "empty/blob-head",
    fault: status(isBlobHead, 200, [404]),
  },
];

const push: Mutant[] = [
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

const upload: Mutant[] = [
  {
    breaks: "all sessions have one Location",
    names: "upload.start/unique",
    fault: () => oneLocation(),
  },
  {
    breaks: "the Location of a session is elsewhere",
    names: "upload.start/path",
    fault: header(isUploadStart, "Location", "/uploads/1"),
  },
  {
    breaks: "opening a session gives no Range",
    names: "upload.start/range-header",
    fault: header(isUploadStart, "Range", null),
  },
  {
    breaks: "a POST with a type is refused",
    names: "upload.start/any-content-type",
    fault: instead(
      (q) => isUploadStart(q) && valueOf(q.headers, "Content-Type") === "application/json",
      () => plain(415),
    ),
  },
  {
    breaks: "a POST without a slash is 404",
    names: "upload.start/no-slash",
    fault: instead(
      (q) => q.path.endsWith("/blobs/uploads"),
      () => plain(404),
    ),
  },
  {
    breaks: "the minimum chunk size is a text",
    names: "upload.start/chunk-minimum",
    fault: header(isUploadStart, "OCI-Chunk-Min-Length", "large"),
  },
  {
    breaks: "the status of a session is 200",
    names: "upload.status/fresh",
    fault: status(isStatus, 200, [204]),
  },
  {
    breaks: "the status of a session has no Range",
    names: "upload.status/fresh",
    fault: header(isStatus, "Range", null),
  },
  {
    breaks: "the status of a session has no Location",
    names: "upload.status/fresh",
    fault: header(isStatus, "Location", null),
  },
  {
    breaks: "the status says one byte too few",
    names: "upload.status/after-chunk",
    fault: changing(isStatus, (a) => ({
      ...a,
      headers: a.headers.map(([k, v]) =>
        k.toLowerCase() === "range"
          ? [k, v.replace(/[1-9]\d*$/, (n) => String(Number(n) - 1))]
          : [k, v],
      ),
    })),
  },
  {
    breaks: "only the newest Location works",
    names: "upload.status/older-location",
    fault: () => newestLocation(),
  },
  {
    breaks: "a query on a status request is refused",
    names: "upload.status/extra-query",
    fault: instead(
      (q) => isStatus(q) && q.query !== "",
      () => plain(400),
    ),
  },
  {
    breaks: "a second stream starts again",
    names: "upload.status/two-streams",
    fault: instead(
      (q) => isPatch(q) && valueOf(q.headers, "Content-Range") === null,
      () => plain(400),
    ),
  },
  {
    breaks: "the status of an unknown session is 500",
    names: "upload.unknown/status",
    fault: status(isStatus, 500, [404]),
  },
  {
    breaks: "PATCH of an unknown session is 202",
    names: "upload.unknown/patch",
    fault: status(isPatch, 202, [404]),
  },
  {
    breaks: "PUT of an unknown session is 201",
    names: "upload.unknown/put",
    fault: status(isPut, 201, [404]),
  },
  {
    breaks: "DELETE of an unknown session is 204",
    names: "upload.unknown/delete",
    fault: status(isCancel, 204, [404]),
  },
  {
    breaks: "sessions are shared between repositories",
    names: "upload.unknown/other-repository",
    fault: rewriting(
      (q) => isSession(q),
      (q) => ({ ...q, path: q.path.replace("/second/", "/first/") }),
    ),
  },
  {
    breaks: "a PUT without a digest is 500",
    names: "upload.close/no-digest",
    fault: status((q) => isPut(q) && !q.query.includes("digest="), 500, [400]),
  },
  {
    breaks: "a PUT without a digest is accepted",
    names: "upload.close/no-digest",
    fault: () => undemanding(),
  },
  {
    breaks: "a PUT without a digest ends the session",
    names: "upload.close/keeps-session",
    fault: () => endingSession(),
  },
  {
    breaks: "a malformed digest is 404",
    names: "upload.close/malformed-digest",
    fault: status(isPut, 404, [400]),
  },
  {
    breaks: "an unknown algorithm is 500",
    names: "upload.close/unknown-algorithm",
    fault: status((q) => isPut(q) && q.query.includes("md5"), 500, [400]),
  },
  {
    breaks: "a closed session is still there",
    names: "upload.close/session-ends",
    fault: changing(isStatus, (a) =>
      a.status === 404
        ? plain(204, "", [
            ["Location", "/x"],
            ["Range", "0-0"],
          ])
        : a,
    ),
  },
  {
    breaks: "a blob that exists is refused",
    names: "upload.close/push-again",
    fault: () => noRepush(),
  },
  {
    breaks: "the digest must be the last parameter, unencoded",
    names: "upload.close/query-order",
    fault: instead(
      (q) =>
        isPut(q) &&
        q.query.includes("%3A") &&
        q.headers.every(([k]) => k.toLowerCase() !== "content-type"),
      () => plain(400),
    ),
  },
  {
    breaks: "a PATCH without a type is refused",
    names: "upload.close/no-content-type",
    fault: instead(
      (q) => isPatch(q) && valueOf(q.headers, "Content-Type") === null,
      () => plain(415),
    ),
  },
  {
    breaks: "the empty blob cannot be posted",
    names: "upload.close/single-post-empty",
    fault: instead(
      (q) => isUploadStart(q) && q.query.includes("e3b0c442"),
      () => plain(400),
    ),
  },
  {
    breaks: "cancelling is answered with 200",
    names: "upload.cancel/delete",
    fault: status(isCancel, 200, [204]),
  },
  {
    breaks: "cancelling is not supported",
    names: "upload.cancel/delete",
    fault: instead(isCancel, () => plain(405)),
  },
  {
    breaks: "cancelling does nothing: the session stays",
    names: "upload.cancel/then-status",
    fault: instead(isCancel, () => plain(204)),
  },
  {
    breaks: "cancelling does nothing: the upload can be closed",
    names: "upload.cancel/then-put",
    fault: instead(isCancel, () => plain(204)),
  },
  {
    breaks: "digest-algorithm is refused",
    names: "upload.algorithm/sha512",
    fault: instead(
      (q) => isUploadStart(q) && q.query.includes("digest-algorithm=sha512"),
      () => plain(400),
    ),
  },
  {
    breaks: "an unknown digest-algorithm is accepted",
    names: "upload.algorithm/unknown",
    fault: rewriting(isUploadStart, (q) =>
      withQuery(q, (query) => query.delete("digest-algorithm")),
    ),
  },
  {
    breaks: "the announced algorithm makes any digest right",
    names: "upload.algorithm/other-than-announced",
    fault: status(isPut, 201, [400]),
  },
  {
    breaks: "chunks out of order are accepted",
    names: "upload.order.sha256.patch/ahead",
    fault: rewriting(isPatch, (q) => withoutHeader(q, "Content-Range")),
  },
  {
    breaks: "chunks out of order are 400",
    names: "upload.order.sha256.patch/ahead",
    fault: status(isPatch, 400, [416]),
  },
  {
    breaks: "a refused chunk ends the session",
    names: "upload.order.sha256.patch/status-empty",
    fault: () => refusalEndsSession(),
  },
  {
    breaks: "a closing PUT with a gap is 400",
    names: "upload.order.sha256.put/skip-ahead",
    fault: status(isPut, 400, [416]),
  },
  {
    breaks: "after a gap the status lies",
    names: "upload.order.sha256.patch/status-first",
    fault: () => lyingAfterGap(),
  },
  {
    breaks: "a repeated chunk is accepted",
    names: "upload.range/same-twice",
    fault: () => repeatedChunk(),
  },
  {
    breaks: "a chunk that overlaps is accepted",
    names: "upload.range/overlap",
    fault: changing(isPatch, (a) => (a.status === 416 ? { ...a, status: 202 } : a)),
  },
  {
    breaks: "a malformed Content-Range is ignored",
    names: "upload.range/malformed-letters",
    fault: rewriting(
      (q) => isPatch(q) && !/^\d+-\d+$/.test(valueOf(q.headers, "Content-Range") ?? "0-0"),
      (q) => withoutHeader(q, "Content-Range"),
    ),
  },
  {
    breaks: "a backward Content-Range is 500",
    names: "upload.range/malformed-backwards",
    fault: status(isPatch, 500, [400, 416]),
  },
  {
    breaks: "a chunk shorter than its range is taken",
    names: "upload.range/shorter-than-range",
    fault: rewriting(isPatch, (q) => withoutHeader(q, "Content-Range")),
  },
  {
    breaks: "a chunk longer than its range is taken",
    names: "upload.range/longer-than-range",
    fault: rewriting(isPatch, (q) => withoutHeader(q, "Content-Range")),
  },
  {
    breaks: "a cut connection ends the session",
    names: "upload.cut/resume",
    fault: instead(isStatus, () => plain(404)),
  },
  {
    breaks: "a cut PUT is stored",
    names: "upload.cut/cut-put",
    fault: instead(isBlobHead, () => plain(200)),
  },
  {
    breaks: "a cut manifest is stored",
    names: "upload.cut/cut-manifest",
    fault: instead(isManifestHead, () => plain(200)),
  },
  {
    breaks: "two uploads of one blob conflict",
    names: "upload.parallel/same-digest",
    fault: () => secondConflicts(),
  },
  {
    breaks: "two equal chunks at once are both taken",
    names: "upload.parallel/one-session",
    fault: () => repeatedChunk(),
  },
  {
    breaks: "sessions mix their bytes",
    names: "upload.parallel/two-sessions",
    fault: () => mixedSessions(),
  },
];

function oneLocation(): Fault {
  let first: string | null = null;
  return async (request, forward) => {
    const answer = await forward(request);
    if (!isUploadStart(request) || answer.status !== 202) return answer;
    first ??= valueOf(answer.headers, "Location");
    return { ...answer, headers: withHeader(answer.headers, "Location", first) };
  };
}

function newestLocation(): Fault {
  const patched = new Set<string>();
  return async (request, forward) => {
    if (isStatus(request) && patched.has(request.path) && !request.query.includes("v=2"))
      return plain(404);
    const answer = await forward(request);
    if (!isPatch(request) || !ok(answer)) return answer;
    patched.add(request.path);
    return { ...answer, headers: withHeader(answer.headers, "Location", `${request.path}?v=2`) };
  };
}

/** Closes a session without a digest as if the right one had been given. */
function undemanding(): Fault {
  return (request, forward) => {
    if (!isPut(request) || request.query.includes("digest=")) return forward(request);
    return forward(withQuery(request, (query) => query.set("digest", sha256(request.body))));
  };
}

function endingSession(): Fault {
  const ended = new Set<string>();
  return async (request, forward) => {
    if (isSession(request) && ended.has(request.path)) return plain(404);
    if (isPut(request) && !request.query.includes("digest=")) ended.add(request.path);
    return forward(request);
  };
}

function noRepush(): Fault {
  const pushed = new Set<string>();
  return async (request, forward) => {
    const digest = parameter(request, "digest") ?? "";
    if (isPut(request) && pushed.has(digest)) return plain(409);
    const answer = await forward(request);
    if (isPut(request) && answer.status === 201) pushed.add(digest);
    return answer;
  };
}

function refusalEndsSession(): Fault {
  const ended = new Set<string>();
  return async (request, forward) => {
    if (isSession(request) && ended.has(request.path)) return plain(404);
    const answer = await forward(request);
    if (answer.status === 416) ended.add(request.path);
    return answer;
  };
}

function lyingAfterGap(): Fault {
  const gaps = new Map<string, number>();
  return async (request, forward) => {
    const answer = await forward(request);
    if (answer.status === 416) gaps.set(request.path, (gaps.get(request.path) ?? 0) + 1);
    if (!isStatus(request) || (gaps.get(request.path) ?? 0) < 2) return answer;
    return { ...answer, headers: withHeader(answer.headers, "Range", "0-2047") };
  };
}

/** Answers a chunk that was taken before as if it were taken again. */
function repeatedChunk(): Fault {
  const taken = new Map<string, Answer>();
  return async (request, forward) => {
    if (!isPatch(request)) return forward(request);
    const key = `${request.path} ${valueOf(request.headers, "Content-Range") ?? ""}`;
    const answer = await forward(request);
    if (answer.status === 202) taken.set(key, answer);
    return answer.status === 202 ? answer : (taken.get(key) ?? { ...answer, status: 202 });
  };
}

function secondConflicts(): Fault {
  const digests = new Set<string>();
  return async (request, forward) => {
    const digest = parameter(request, "digest");
    if (!isPut(request) || digest === null) return forward(request);
    if (digests.has(digest)) return plain(409);
    digests.add(digest);
    return forward(request);
  };
}

/** Every second chunk of a session gets the bytes of another one. */
function mixedSessions(): Fault {
  let before: Uint8Array | null = null;
  return (request, forward) => {
    if (!isPatch(request)) return forward(request);
    const mixed = before !== null && before.length === request.body.length ? before : request.body;
    before = request.body;
    return forward({ ...request, body: mixed });
  };
}

const ranged = (q: Request): boolean => isBlobGet(q) && valueOf(q.headers, "Range") !== null;

const pull: Mutant[] = [
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

const mount: Mutant[] = [
  {
    breaks: "mounts are not supported",
    names: "mount.sha256.named/mount",
    fault: rewriting(isMount, (q) => ({ ...q, query: "" })),
  },
  {
    breaks: "a mount is answered with 200",
    names: "mount.sha256.named/mount",
    fault: status(isMount, 200, [201]),
  },
  {
    breaks: "a mount gives no Location",
    names: "mount.sha256.named/mount",
    fault: header(isMount, "Location", null),
  },
  {
    breaks: "a mount only says that it was done",
    names: "mount.sha256.named/mount",
    fault: instead(isMount, (q) =>
      plain(201, "", [
        ["Location", `/v2/zot-compliance/first/blobs/${parameter(q, "mount") ?? ""}`],
      ]),
    ),
  },
  {
    breaks: "a mount without a source is refused",
    names: "mount.sha256.anonymous/mount",
    fault: instead(
      (q) => isMount(q) && !q.query.includes("from="),
      () => plain(400),
    ),
  },
  {
    breaks: "a mount of a missing blob is 201",
    names: "mount.sha256.missing/mount",
    fault: status(isMount, 201, [202]),
  },
  {
    breaks: "a mount of a missing blob is 404",
    names: "mount.sha256.missing/mount",
    fault: status(isMount, 404, [202]),
  },
  {
    breaks: "deleting a mounted blob takes the source along",
    names: "mount.sha256.named/source-stays",
    fault: () => deletingEverywhere(),
  },
  {
    breaks: "a mounted blob goes with its source",
    names: "mount.edge/source-deleted",
    fault: () => deletingEverywhere(),
  },
  {
    breaks: "a mount does not name the digest",
    names: "mount.edge/digest-header",
    fault: header(isMount, "Docker-Content-Digest", null),
  },
  {
    breaks: "a mount from an unknown repository is 404",
    names: "mount.edge/unknown-repository",
    fault: status((q) => isMount(q) && q.query.includes("never-"), 404, [202]),
  },
  {
    breaks: "unencoded parameters are not understood",
    names: "mount.edge/raw-parameters",
    fault: rewriting(
      (q) => isMount(q) && q.query.includes("from=zot-compliance/"),
      (q) => ({ ...q, query: "" }),
    ),
  },
];

function deletingEverywhere(): Fault {
  return async (request, forward) => {
    const answer = await forward(request);
    if (isDelete(request) && isBlob(request)) {
      for (const [from, to] of [
        ["/first/", "/second/"],
        ["/second/", "/first/"],
      ] as const) {
        await again(request, forward, "DELETE", request.path.replace(from, to));
      }
    }
    return answer;
  };
}

const content: Mutant[] = [
  {
    breaks: "a manifest push is answered with 200",
    names: "content.image/push-manifest-1",
    fault: status(isManifestPut, 200, [201]),
  },
  {
    breaks: "a manifest push is answered with 202",
    names: "content.image/push-tag-1",
    fault: status((q) => isManifestPut(q) && isTagReference(q), 202, [201]),
  },
  {
    breaks: "a manifest push gives no Location",
    names: "content.image/push-manifest-1",
    fault: header(isManifestPut, "Location", null),
  },
  {
    breaks: "the Location of a manifest leads nowhere",
    names: "content.image/push-manifest-1",
    fault: header(isManifestPut, "Location", "/v2/zot-compliance/first/manifests/nowhere"),
  },
  {
    breaks: "a manifest push names another digest",
    names: "content.image/push-manifest-1",
    fault: header(isManifestPut, "Docker-Content-Digest", otherDigest),
  },
  {
    breaks: "a manifest push names no digest",
    names: "manifest.push/digest-header",
    fault: header(isManifestPut, "Docker-Content-Digest", null),
  },
  {
    breaks: "manifests come with a charset",
    names: "content.image/push-manifest-1",
    fault: changing(isManifestGet, (a) => ({
      ...a,
      headers: a.headers.map(([k, v]) =>
        k.toLowerCase() === "content-type" ? [k, `${v}; charset=utf-8`] : [k, v],
      ),
    })),
  },
  {
    breaks: "manifests come as plain JSON",
    names: "content.image/push-manifest-1",
    fault: header(isManifestGet, "Content-Type", "application/json"),
  },
  {
    breaks: "manifests are written anew",
    names: "manifest.push/odd-bytes",
    fault: json(isManifestGet, (value) => value),
  },
  {
    breaks: "unknown members are dropped",
    names: "content.custom-fields/push-manifest-1",
    fault: json(isManifestGet, (value) => ({ ...value, futureObject: undefined })),
  },
  {
    breaks: "HEAD of a manifest has no length",
    names: "content.image/head-tag-1",
    fault: changing(isManifestHead, (a) => ({
      ...a,
      headers: withHeader(a.headers, "Content-Length", null),
    })),
  },
  {
    breaks: "HEAD of a manifest has another type",
    names: "content.image/head-manifest-1",
    fault: header(isManifestHead, "Content-Type", "application/json"),
  },
  {
    breaks: "HEAD of a manifest names no digest",
    names: "content.image/digest-tag-1",
    fault: header(isManifestHead, "Docker-Content-Digest", null),
  },
  {
    breaks: "HEAD of a manifest is 405",
    names: "content.image/head-tag-1",
    fault: instead(isManifestHead, () => plain(405)),
  },
  {
    breaks: "a tag set by sha512 answers sha256",
    names: "content.tag-parameters-sha512/digest-tag-1",
    fault: header(
      (q) => isManifestHead(q) && isTagReference(q),
      "Docker-Content-Digest",
      otherDigest,
    ),
  },
  {
    breaks: "OCI-Subject is missing",
    names: "content.missing-subject/push-manifest-1",
    fault: header(isManifestPut, "OCI-Subject", null),
  },
  {
    breaks: "OCI-Subject is another digest",
    names: "referrers.push/header",
    fault: changing(isManifestPut, (a) =>
      valueOf(a.headers, "OCI-Subject") === null
        ? a
        : { ...a, headers: withHeader(a.headers, "OCI-Subject", otherDigest) },
    ),
  },
  {
    breaks: "OCI-Subject comes without a subject",
    names: "referrers.push/no-header",
    fault: header(isManifestPut, "OCI-Subject", otherDigest),
  },
  {
    breaks: "a missing subject is refused",
    names: "content.missing-subject/push-manifest-1",
    fault: instead(
      (q) => isManifestPut(q) && Buffer.from(q.body).includes('"subject"'),
      () => plain(400),
    ),
  },
  {
    breaks: "manifests over 1 MB are refused",
    names: "content.large-manifest/push-manifest-1",
    fault: instead(
      (q) => isManifestPut(q) && q.body.length > 1_000_000,
      () => plain(413),
    ),
  },
  {
    breaks: "an index without manifests is refused",
    names: "content.empty-index/push-manifest-1",
    fault: instead(
      (q) => isManifestPut(q) && Buffer.from(q.body).includes('"manifests":[]'),
      () => plain(400),
    ),
  },
  {
    breaks: "an image without layers is refused",
    names: "content.no-layers/push-manifest-1",
    fault: instead(
      (q) => isManifestPut(q) && Buffer.from(q.body).includes('"layers":[]'),
      () => plain(400),
    ),
  },
  {
    breaks: "unknown members are refused",
    names: "content.custom-fields/push-manifest-1",
    fault: instead(
      (q) => isManifestPut(q) && Buffer.from(q.body).includes("futureObject"),
      () => plain(400),
    ),
  },
  {
    breaks: "foreign layers are demanded",
    names: "content.non-distributable/push-manifest-1",
    fault: instead(
      (q) => isManifestPut(q) && Buffer.from(q.body).includes("nondistributable"),
      () => plain(404),
    ),
  },
  {
    breaks: "an index as a referrer is not listed",
    names: "content.index-with-subject/referrers-1",
    fault: json(isReferrers, (v) => ({
      ...v,
      manifests: v.manifests.filter((m) => !m.mediaType.includes("index")),
    })),
  },
  {
    breaks: "a manifest that is not of its digest is stored",
    names: "content.bad-digest/push",
    fault: rewriting(
      (q) => isManifestPut(q) && !isTagReference(q),
      (q) => ({ ...q, path: q.path.replace(/[^/]+$/, sha256(q.body)) }),
    ),
  },
  {
    breaks: "a manifest that is not of its digest is 422",
    names: "content.bad-digest/push",
    fault: status(isManifestPut, 422, [400]),
  },
  {
    breaks: "new tags are not listed",
    names: "content.image/list",
    fault: json(isTags, (v) => ({ ...v, tags: [] })),
  },
  {
    breaks: "OCI-Tag is missing",
    names: "manifest.tag-parameters/ten",
    fault: header(isManifestPut, "OCI-Tag", null),
  },
  {
    breaks: "OCI-Tag names tags that were not set",
    names: "manifest.tag-parameters/honest",
    fault: changing(isManifestPut, (a, q) =>
      q.query === ""
        ? a
        : { ...a, status: 201, headers: withHeader(a.headers, "OCI-Tag", "other") },
    ),
  },
  {
    breaks: "tag parameters are ignored",
    names: "manifest.tag-parameters/ten",
    fault: rewriting(isManifestPut, (q) => ({ ...q, query: "" })),
  },
];

const manifest: Mutant[] = [
  {
    breaks: "manifests in HTTP chunks are refused",
    names: "manifest.push/chunked",
    fault: instead(
      (q) => isManifestPut(q) && valueOf(q.headers, "Transfer-Encoding") !== null,
      () => plain(411),
    ),
  },
  {
    breaks: "a tag is answered from a cache",
    names: "manifest.push/moves-tag",
    fault: staleAnswers((q) => isManifestGet(q) && isTagReference(q)),
  },
  { breaks: "a tag does not move", names: "manifest.push/moves-tag", fault: () => firstPushWins() },
  {
    breaks: "a missing tag is remembered",
    names: "manifest.push/head-after-push",
    fault: staleAnswers(isManifestHead, (a) => a.status === 404),
  },
  {
    breaks: "the same manifest again is refused",
    names: "manifest.push/again",
    fault: () => noManifestTwice(),
  },
  {
    breaks: "the second tag takes the place of the first",
    names: "manifest.push/many-tags",
    fault: () => oneTagOnly(),
  },
  {
    breaks: "types with parameters are refused",
    names: "manifest.push/type-parameters",
    fault: instead(
      (q) => isManifestPut(q) && (valueOf(q.headers, "Content-Type") ?? "").includes(";"),
      () => plain(415),
    ),
  },
  {
    breaks: "Docker manifests are refused",
    names: "manifest.push/docker-type",
    fault: instead(
      (q) => isManifestPut(q) && (valueOf(q.headers, "Content-Type") ?? "").includes("docker"),
      () => plain(415),
    ),
  },
  {
    breaks: "a mediaType member is demanded",
    names: "manifest.push/no-media-type-member",
    fault: instead(
      (q) =>
        isManifestPut(q) &&
        !/"mediaType":\s*"application\/vnd\.oci\.image\.manifest/.test(
          Buffer.from(q.body).toString(),
        ),
      () => plain(400),
    ),
  },
  {
    breaks: "an old manifest goes when its tag moves",
    names: "manifest.push/old-stays",
    fault: () => oldManifestGoes(),
  },
  {
    breaks: "an unknown digest is 400",
    names: "manifest.missing/by-digest",
    fault: status(isManifestGet, 400, [404]),
  },
  {
    breaks: "an unknown tag is 200 and empty",
    names: "manifest.missing/by-tag",
    fault: changing(isManifestGet, (a) => (a.status === 404 ? plain(200) : a)),
  },
  {
    breaks: "a malformed digest is 500 on GET",
    names: "manifest.missing/malformed-get",
    fault: status(isManifestGet, 500, [400, 404]),
  },
  {
    breaks: "a malformed digest is 404 on PUT",
    names: "manifest.missing/malformed-put",
    fault: status(isManifestPut, 404, [400]),
  },
  {
    breaks: "blobs are found among manifests",
    names: "manifest.missing/blob-is-no-manifest",
    fault: () => blobsAsManifests(),
  },
  {
    breaks: "repositories see each other's manifests",
    names: "manifest.missing/isolation",
    fault: rewriting(isManifestGet, (q) => ({ ...q, path: q.path.replace("/second/", "/first/") })),
  },
  {
    breaks: "*/* is not acceptable",
    names: "manifest.pull/accept-any",
    fault: instead(
      (q) => isManifestGet(q) && valueOf(q.headers, "Accept") === "*/*",
      () => plain(406),
    ),
  },
  {
    breaks: "GET without Accept is 406",
    names: "manifest.pull/no-accept",
    fault: instead(
      (q) => isManifestGet(q) && valueOf(q.headers, "Accept") === null,
      () => plain(406),
    ),
  },
  {
    breaks: "only the first Accept line is read",
    names: "manifest.pull/accept-lines",
    fault: instead(
      (q) =>
        isManifestGet(q) && q.headers.filter(([k]) => k.toLowerCase() === "accept").length === 3,
      () => plain(404),
    ),
  },
  {
    breaks: "weights in Accept are not understood",
    names: "manifest.pull/accept-weights",
    fault: instead(
      (q) => isManifestGet(q) && (valueOf(q.headers, "Accept") ?? "").includes("q="),
      () => plain(400),
    ),
  },
  {
    breaks: "another type in Accept gives other bytes",
    names: "manifest.pull/other-accept",
    fault: body(
      (q) => (valueOf(q.headers, "Accept") ?? "").includes("vnd.example"),
      () => "{}",
    ),
  },
  {
    breaks: "manifests are compressed",
    names: "manifest.pull/no-coding",
    fault: changing(
      (q) => isManifestGet(q) && (valueOf(q.headers, "Accept-Encoding") ?? "").includes("gzip"),
      (a) => ({ ...a, headers: [...a.headers, ["Content-Encoding", "gzip"]] }),
    ),
  },
  {
    breaks: "HEAD has another type than GET",
    names: "manifest.pull/head-parity",
    fault: header(isManifestHead, "Content-Type", "application/json"),
  },
  {
    breaks: "GET names no digest",
    names: "manifest.pull/digest-required",
    fault: header(isManifestGet, "Docker-Content-Digest", null),
  },
  {
    breaks: "If-None-Match is ignored",
    names: "manifest.pull/if-none-match",
    fault: rewriting(isManifestGet, (q) => withoutHeader(q, "If-None-Match")),
  },
  {
    breaks: "truncated JSON is accepted",
    names: "manifest.invalid/truncated",
    fault: changing(isManifestPut, (a) =>
      a.status === 400 ? plain(201, "", [["Location", "/x"]]) : a,
    ),
  },
  {
    breaks: "an empty manifest is 500",
    names: "manifest.invalid/empty",
    fault: status(isManifestPut, 500, [400]),
  },
  {
    breaks: "a wrong mediaType is accepted",
    names: "manifest.invalid/type-mismatch",
    fault: status(isManifestPut, 201, [400]),
  },
  {
    breaks: "a missing layer has the code MANIFEST_INVALID",
    names: "manifest.references/layer",
    fault: errorCode("MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID"),
  },
  {
    breaks: "missing references are not all named",
    names: "manifest.references/every-one",
    fault: errorJson((errors) => errors.slice(0, 1)),
  },
  {
    breaks: "a missing child has another code",
    names: "manifest.references/child",
    fault: errorCode("MANIFEST_BLOB_UNKNOWN", "NAME_UNKNOWN"),
  },
  {
    breaks: "too large is 400",
    names: "manifest.size/limit",
    fault: status(isManifestPut, 400, [413]),
  },
  {
    breaks: "4 MB are too large",
    names: "manifest.size/four-megabytes",
    fault: instead(
      (q) => isManifestPut(q) && q.body.length > 3_999_000,
      () => plain(413),
    ),
  },
];

function errorJson(change: (errors: Parsed["errors"]) => unknown[]): () => Fault {
  return changing(
    () => true,
    (answer) => {
      if (answer.status < 400 || answer.body.length === 0) return answer;
      const parsed = parse(answer.body);
      return withBody(answer, JSON.stringify({ ...parsed, errors: change(parsed.errors) }));
    },
  );
}

function errorCode(from: string, to: string): () => Fault {
  return errorJson((errors) =>
    errors.map((error) => (error.code === from ? { ...error, code: to } : error)),
  );
}

function firstPushWins(): Fault {
  const tags = new Map<string, Answer>();
  return async (request, forward) => {
    const tagged = isManifestPut(request) && isTagReference(request);
    const before = tagged ? tags.get(request.path) : undefined;
    if (before !== undefined) return before;
    const answer = await forward(request);
    if (tagged && answer.status === 201) tags.set(request.path, answer);
    return answer;
  };
}

function noManifestTwice(): Fault {
  const seen = new Set<string>();
  return async (request, forward) => {
    if (!isManifestPut(request)) return forward(request);
    const digest = sha256(request.body);
    if (seen.has(digest)) return plain(409);
    seen.add(digest);
    return forward(request);
  };
}

function oneTagOnly(): Fault {
  const tagOf = new Map<string, string>();
  return async (request, forward) => {
    const answer = await forward(request);
    if (!isManifestPut(request) || !isTagReference(request) || answer.status !== 201) return answer;
    const digest = sha256(request.body);
    const before = tagOf.get(digest);
    tagOf.set(digest, request.path);
    if (before !== undefined && before !== request.path)
      await again(request, forward, "DELETE", before);
    return answer;
  };
}

function oldManifestGoes(): Fault {
  const digestOf = new Map<string, string>();
  return async (request, forward) => {
    const answer = await forward(request);
    if (!isManifestPut(request) || !isTagReference(request) || answer.status !== 201) return answer;
    const before = digestOf.get(request.path);
    const digest = sha256(request.body);
    digestOf.set(request.path, digest);
    if (before !== undefined && before !== digest) {
      await again(request, forward, "DELETE", request.path.replace(/[^/]+$/, before));
    }
    return answer;
  };
}

function blobsAsManifests(): Fault {
  return async (request, forward) => {
    const answer = await forward(request);
    if (!isManifestGet(request) || answer.status !== 404 || isTagReference(request)) return answer;
    return again(request, forward, "GET", request.path.replace("/manifests/", "/blobs/"));
  };
}

const link = (value: string | null): (() => Fault) =>
  changing(isTags, (a) =>
    valueOf(a.headers, "Link") === null
      ? a
      : { ...a, headers: withHeader(a.headers, "Link", value) },
  );
const editLink = (edit: (value: string) => string): (() => Fault) =>
  changing(isTags, (a) => {
    const value = valueOf(a.headers, "Link");
    return value === null ? a : { ...a, headers: withHeader(a.headers, "Link", edit(value)) };
  });

const tags: Mutant[] = [
  { breaks: "the list is 500", names: "tags/all", fault: status(isTags, 500) },
  {
    breaks: "a tag is missing",
    names: "tags/all",
    fault: json(isTags, (v) => ({ ...v, tags: v.tags.slice(1) })),
  },
  {
    breaks: "tags come backwards",
    names: "tags/order",
    fault: json(isTags, (v) => ({ ...v, tags: v.tags.toReversed() })),
  },
  {
    breaks: "tags come in no order",
    names: "tags/order",
    fault: json(isTags, (v) => ({
      ...v,
      tags: v.tags.toSorted((a: string, b: string) => a.length - b.length || (a > b ? -1 : 1)),
    })),
  },
  {
    breaks: "a tag is listed twice",
    names: "tags/unique",
    fault: json(
      (q) => isTags(q) && q.query === "",
      (v) => ({ ...v, tags: [...v.tags.slice(0, 1), ...v.tags] }),
    ),
  },
  {
    breaks: "the name is another",
    names: "tags/body",
    fault: json(isTags, (v) => ({ ...v, name: "other" })),
  },
  {
    breaks: "the list has the type of text",
    names: "tags/type",
    fault: header(isTags, "Content-Type", "text/plain"),
  },
  {
    breaks: "n is ignored",
    names: "tags/n",
    fault: rewriting(isTags, (q) => withQuery(q, (query) => query.delete("n"))),
  },
  {
    breaks: "n gives one too few",
    names: "tags/n",
    fault: json(
      (q) => isTags(q) && q.query.includes("n="),
      (v) => ({ ...v, tags: v.tags.slice(0, -1) }),
    ),
  },
  {
    breaks: "n gives one too many",
    names: "tags/n-one",
    fault: rewriting(isTags, (q) =>
      withQuery(q, (query) => query.get("n") === "1" && query.set("n", "2")),
    ),
  },
  { breaks: "Link is lost", names: "tags/link-offered", fault: link(null) },
  {
    breaks: "Link has another relation",
    names: "tags/link-format",
    fault: editLink((v) => v.replace("next", "prev")),
  },
  {
    breaks: "Link has no angle brackets",
    names: "tags/link-format",
    fault: editLink((v) => v.replace(/[<>]/g, "")),
  },
  {
    breaks: "Link leads to another host",
    names: "tags/link-format",
    fault: editLink((v) => v.replace("</", "<http://elsewhere.example.com/")),
  },
  { breaks: "Link skips a tag", names: "tags/walk", fault: skipping },
  {
    breaks: "Link leads to itself",
    names: "tags/walk",
    fault: changing(isTags, (a, q) =>
      valueOf(a.headers, "Link") === null
        ? a
        : { ...a, headers: withHeader(a.headers, "Link", `<${q.path}?${q.query}>; rel="next"`) },
    ),
  },
  {
    breaks: "the last page has a Link",
    names: "tags/large-n",
    fault: changing(
      (q) => isTags(q) && q.query.includes("n="),
      (a, q) => ({
        ...a,
        headers: withHeader(a.headers, "Link", `<${q.path}?n=1&last=zz>; rel="next"`),
      }),
    ),
  },
  {
    breaks: "an exactly full page has a Link",
    names: "tags/full-page",
    fault: () => linkWhenFull(),
  },
  { breaks: "last is included", names: "tags/last", fault: () => lastIncluded() },
  {
    breaks: "last is ignored without n",
    names: "tags/last",
    fault: rewriting(
      (q) => isTags(q) && !q.query.includes("n="),
      (q) => withQuery(q, (query) => query.delete("last")),
    ),
  },
  {
    breaks: "last has to exist",
    names: "tags/last-unknown",
    fault: instead(
      (q) => isTags(q) && q.query.includes(".between"),
      () => plain(404),
    ),
  },
  {
    breaks: "n=0 means all",
    names: "tags/zero",
    fault: rewriting(
      (q) => isTags(q) && parameter(q, "n") === "0",
      (q) => ({ ...q, query: "" }),
    ),
  },
  {
    breaks: "an empty list is null",
    names: "tags/zero",
    fault: json(isTags, (v) => ({ ...v, tags: v.tags.length === 0 ? null : v.tags })),
  },
  {
    breaks: "n=a is ignored",
    names: "tags/bad-n-a",
    fault: rewriting(
      (q) => isTags(q) && parameter(q, "n") === "a",
      (q) => ({ ...q, query: "" }),
    ),
  },
  { breaks: "n=-1 is 500", names: "tags/bad-n--1", fault: status(isTags, 500, [400]) },
];

function skipping(): Fault {
  return async (request, forward) => {
    const answer = await forward(request);
    const value = valueOf(answer.headers, "Link");
    if (!isTags(request) || value === null) return answer;
    const { tags: all } = parse((await again(request, forward, "GET", request.path)).body);
    const shown = parse(answer.body).tags;
    const next = all[all.indexOf(shown.at(-1) ?? "") + 1] ?? "";
    const target = `<${request.path}?n=2&last=${encodeURIComponent(next)}>; rel="next"`;
    return { ...answer, headers: withHeader(answer.headers, "Link", target) };
  };
}

function linkWhenFull(): Fault {
  return async (request, forward) => {
    const answer = await forward(request);
    if (!isTags(request) || !ok(answer)) return answer;
    const shown = parse(answer.body).tags;
    if (
      String(shown.length) !== parameter(request, "n") ||
      valueOf(answer.headers, "Link") !== null
    )
      return answer;
    const target = `<${request.path}?n=${shown.length}&last=${shown.at(-1) ?? ""}>; rel="next"`;
    return { ...answer, headers: withHeader(answer.headers, "Link", target) };
  };
}

function lastIncluded(): Fault {
  return async (request, forward) => {
    const answer = await forward(request);
    const last = parameter(request, "last");
    if (!isTags(request) || last === null || !ok(answer)) return answer;
    const parsed = parse(answer.body);
    return withBody(answer, JSON.stringify({ ...parsed, tags: [last, ...parsed.tags] }));
  };
}

const entries = (change: (entry: Entry) => object): (() => Fault) =>
  json(isReferrers, (v) => ({ ...v, manifests: v.manifests.map(change) }));

const referrers: Mutant[] = [
  {
    breaks: "a malformed digest has an empty list",
    names: "referrers.request/malformed",
    fault: changing(isReferrers, (a) =>
      a.status === 400 ? { ...plain(200, '{"schemaVersion":2,"manifests":[]}') } : a,
    ),
  },
  {
    breaks: "a malformed digest is 404",
    names: "referrers.request/tag",
    fault: status(isReferrers, 404, [400]),
  },
  {
    breaks: "no referrers means 404",
    names: "referrers.request/none",
    fault: changing(isReferrers, (a, q) =>
      Buffer.from(a.body).includes('"manifests":[]') && !q.path.includes("0000") ? plain(404) : a,
    ),
  },
  {
    breaks: "an empty list is null",
    names: "referrers.request/none",
    fault: json(isReferrers, (v) => ({
      ...v,
      manifests: v.manifests.length === 0 ? null : v.manifests,
    })),
  },
  {
    breaks: "the list has the type of JSON",
    names: "referrers.request/unknown-subject",
    fault: header(isReferrers, "Content-Type", "application/json"),
  },
  {
    breaks: "the filter is not named",
    names: "referrers.request/filter-none",
    fault: header(isReferrers, "OCI-Filters-Applied", null),
  },
  {
    breaks: "the filter is named and not applied",
    names: "referrers.request/filter-none",
    fault: () => filterLie(),
  },
  {
    breaks: "the filter removes everything",
    names: "content.artifacts-with-subject/referrers-1-type-1",
    fault: json(
      (q) => isReferrers(q) && q.query !== "",
      (v) => ({ ...v, manifests: [] }),
    ),
  },
  {
    breaks: "a filter is named without one",
    names: "referrers.request/no-filter-header",
    fault: header(isReferrers, "OCI-Filters-Applied", "artifactType"),
  },
  {
    breaks: "annotations are left out",
    names: "content.artifacts-with-subject/referrers-1",
    fault: entries((entry) => ({ ...entry, annotations: undefined })),
  },
  {
    breaks: "the config's type does not take the place of artifactType",
    names: "referrers.push/config-type",
    fault: entries((entry) => ({ ...entry, artifactType: undefined })),
  },
  {
    breaks: "an index gets an artifactType",
    names: "referrers.push/index-type",
    fault: entries((entry) => ({ artifactType: "application/vnd.example", ...entry })),
  },
  {
    breaks: "sizes are wrong",
    names: "content.artifacts-with-subject/referrers-1",
    fault: entries((entry) => ({ ...entry, size: entry.size + 1 })),
  },
  {
    breaks: "media types are wrong",
    names: "content.artifacts-with-subject/referrers-1",
    fault: entries((entry) => ({ ...entry, mediaType: "application/json" })),
  },
  {
    breaks: "a referrer is listed twice",
    names: "referrers.life/listed",
    fault: json(isReferrers, (v) => ({ ...v, manifests: [...v.manifests, ...v.manifests] })),
  },
  {
    breaks: "new referrers are not listed",
    names: "referrers.life/listed",
    fault: json(isReferrers, (v) => ({ ...v, manifests: [] })),
  },
  {
    breaks: "deleted referrers are listed",
    names: "referrers.life/deleted",
    fault: staleAnswers(isReferrers, (a) => !Buffer.from(a.body).includes('"manifests":[]')),
  },
  {
    breaks: "lists end after ten",
    names: "referrers.life/many",
    fault: json(isReferrers, (v) => ({ ...v, manifests: v.manifests.slice(0, 10) })),
  },
  {
    breaks: "other repositories' referrers are listed",
    names: "referrers.life/isolation",
    fault: rewriting(isReferrers, (q) => ({ ...q, path: q.path.replace("/second/", "/first/") })),
  },
  {
    breaks: "an index has no OCI-Subject",
    names: "referrers.push/index-header",
    fault: header(
      (q) => isManifestPut(q) && (valueOf(q.headers, "Content-Type") ?? "").includes("index"),
      "OCI-Subject",
      null,
    ),
  },
  {
    breaks: "a referrer by tag is not listed",
    names: "referrers.push/by-tag",
    fault: () => forgetTagged(),
  },
];

function filterLie(): Fault {
  return async (request, forward) => {
    if (!isReferrers(request) || request.query === "") return forward(request);
    const answer = await forward({ ...request, query: "" });
    return {
      ...answer,
      headers: withHeader(answer.headers, "OCI-Filters-Applied", "artifactType"),
    };
  };
}

function forgetTagged(): Fault {
  const tagged = new Set<string>();
  return async (request, forward) => {
    const answer = await forward(request);
    if (isManifestPut(request) && isTagReference(request)) tagged.add(sha256(request.body));
    if (!isReferrers(request) || !ok(answer)) return answer;
    const parsed = parse(answer.body);
    const manifests = parsed.manifests.filter((entry) => !tagged.has(entry.digest));
    return withBody(answer, JSON.stringify({ ...parsed, manifests }));
  };
}

const deletion: Mutant[] = [
  {
    breaks: "deleting a tag is 200",
    names: "delete.tag/delete",
    fault: status((q) => isDelete(q) && isManifest(q), 200, [202]),
  },
  {
    breaks: "deleting a tag deletes the manifest",
    names: "delete.tag/keeps-manifest",
    fault: () => tagTakesManifest(),
  },
  { breaks: "a deleted tag stays in the list", names: "delete.tag/gone", fault: () => staleList() },
  {
    breaks: "a deleted tag can be pulled",
    names: "delete.tag/gone",
    fault: () => pullableAfterDelete(),
  },
  {
    breaks: "deleting a tag twice is 202",
    names: "delete.tag/twice",
    fault: status((q) => q.method === "DELETE" && isManifest(q), 202, [404]),
  },
  {
    breaks: "deleting a digest leaves its tags",
    names: "delete.manifest/takes-tags",
    fault: () => pullableAfterDelete(),
  },
  {
    breaks: "tags of a deleted digest are listed",
    names: "delete.manifest/takes-tags",
    fault: () => staleList(),
  },
  {
    breaks: "deleting a digest twice is 500",
    names: "delete.manifest/twice",
    fault: status((q) => q.method === "DELETE" && isManifest(q), 500, [404]),
  },
  {
    breaks: "deleting an unknown digest is 202",
    names: "delete.manifest/unknown",
    fault: status((q) => q.method === "DELETE" && isManifest(q), 202, [404]),
  },
  {
    breaks: "deleting in an unknown repository is 202",
    names: "delete.manifest/unknown-repository",
    fault: status((q) => q.method === "DELETE" && isManifest(q), 202, [404]),
  },
  {
    breaks: "deleting a malformed digest is 500",
    names: "delete.manifest/malformed",
    fault: status((q) => q.method === "DELETE" && isManifest(q), 500, [400, 404]),
  },
  {
    breaks: "deleting an unknown blob is 202",
    names: "delete.blob/unknown",
    fault: status((q) => q.method === "DELETE" && isBlob(q), 202, [404]),
  },
  {
    breaks: "deleting a blob deletes it everywhere",
    names: "delete.blob/other-repository",
    fault: () => deletingEverywhere(),
  },
  {
    breaks: "a deleted blob cannot be pushed again",
    names: "delete.blob/push-again",
    fault: () => noRepushAfterDelete(),
  },
];

function tagTakesManifest(): Fault {
  const digests = new Map<string, string>();
  return async (request, forward) => {
    if (isManifestPut(request)) digests.set(referenceOf(request), sha256(request.body));
    const digest = digests.get(referenceOf(request));
    if (request.method !== "DELETE" || !isTagReference(request) || digest === undefined)
      return forward(request);
    return forward({ ...request, path: request.path.replace(/[^/]+$/, digest) });
  };
}

function staleList(): Fault {
  const known = new Set<string>();
  return async (request, forward) => {
    const answer = await forward(request);
    if (isManifestPut(request) && isTagReference(request)) known.add(referenceOf(request));
    if (!isTags(request)) return answer;
    const parsed = ok(answer) ? parse(answer.body) : { name: "zot-compliance/first", tags: [] };
    const all = [...new Set([...parsed.tags, ...known])].toSorted(byBytes);
    return withBody({ ...answer, status: 200 }, JSON.stringify({ ...parsed, tags: all }));
  };
}

/** Manifests by tag are answered as they were pushed, whatever was deleted. */
function pullableAfterDelete(): Fault {
  const pushed = new Map<string, Request>();
  return async (request, forward) => {
    if (isManifestPut(request) && isTagReference(request)) pushed.set(request.path, request);
    const answer = await forward(request);
    const before = pushed.get(request.path);
    if (!isManifestGet(request) || answer.status !== 404 || before === undefined) return answer;
    const type = valueOf(before.headers, "Content-Type") ?? "application/json";
    return plain(200, Buffer.from(before.body).toString(), [["Content-Type", type]]);
  };
}

function noRepushAfterDelete(): Fault {
  const deleted = new Set<string>();
  return async (request, forward) => {
    if (request.method === "DELETE" && isBlob(request)) deleted.add(referenceOf(request));
    if (isPut(request) && deleted.has(parameter(request, "digest") ?? "")) return plain(500);
    return forward(request);
  };
}

const other: Mutant[] = [
  {
    breaks: "errors are texts",
    names: "errors.blob-unknown/shape",
    fault: errorJson((errors) => errors.map((error) => error.code)),
  },
  {
    breaks: "the list of errors is empty",
    names: "errors.manifest-unknown/shape",
    fault: errorJson(() => []),
  },
  {
    breaks: "codes are not registered",
    names: "errors.blob-unknown/shape",
    fault: errorCode("BLOB_UNKNOWN", "NO_SUCH_BLOB"),
  },
  {
    breaks: "a message is a number",
    names: "errors.blob-unknown/shape",
    fault: errorJson((errors) => errors.map((error) => ({ ...error, message: 5 }))),
  },
  {
    breaks: "errors have the type of text",
    names: "errors.blob-unknown/type",
    fault: changing(isBlobGet, (a) =>
      a.status === 404 ? { ...a, headers: withHeader(a.headers, "Content-Type", "text/plain") } : a,
    ),
  },
  {
    breaks: "an unknown blob has the code of manifests",
    names: "errors.blob-unknown/code",
    fault: errorCode("BLOB_UNKNOWN", "MANIFEST_UNKNOWN"),
  },
  {
    breaks: "a chunk out of order is 409",
    names: "errors.range-invalid/status",
    fault: status(isPatch, 409, [416]),
  },
  {
    breaks: "a wrong method is 404",
    names: "errors.method/status",
    fault: status((q) => q.method === "POST" && isManifest(q), 404, [405]),
  },
  {
    breaks: "405 has no Allow",
    names: "errors.head/method-allow",
    fault: changing(
      () => true,
      (a) => (a.status === 405 ? { ...a, headers: withHeader(a.headers, "Allow", null) } : a),
    ),
  },
  {
    breaks: "a 404 of HEAD has a body",
    names: "errors.head/blob",
    fault: changing(isBlobHead, (a) =>
      a.status === 404
        ? {
            ...a,
            headers: [
              ["Content-Length", "5"],
              ["Connection", "close"],
            ],
            excess: Buffer.from("error"),
          }
        : a,
    ),
  },
  {
    breaks: "upper-case names are accepted",
    names: "grammar.name/bad-upper-case",
    fault: rewriting(isUploadStart, (q) => ({ ...q, path: q.path.toLowerCase() })),
  },
  {
    breaks: "double dots are accepted",
    names: "grammar.name/bad-two-dots",
    fault: rewriting(isUploadStart, (q) => ({ ...q, path: q.path.replace("..", ".") })),
  },
  {
    breaks: "bad names are 500",
    names: "grammar.name/bad-leading-dash",
    fault: status(isUploadStart, 500, [400, 404]),
  },
  {
    breaks: "two dashes are refused",
    names: "grammar.name/good-two-dashes",
    fault: instead(
      (q) => q.path.includes("--"),
      () => plain(400),
    ),
  },
  {
    breaks: "a component may not be called blobs",
    names: "grammar.name/good-blobs-component",
    fault: instead(
      (q) => q.path.includes("/blobs/blobs/"),
      () => plain(404),
    ),
  },
  {
    breaks: "long names are refused",
    names: "grammar.name/good-long",
    fault: instead(
      (q) => q.path.length > 150 && q.path.includes("lllll"),
      () => plain(400),
    ),
  },
  {
    breaks: "tags are cut at 128",
    names: "grammar.tag/bad-too-long",
    fault: rewriting(isManifestPut, (q) => ({
      ...q,
      path: q.path.replace(/(\/manifests\/[^/]{128})[^/:]+$/, "$1"),
    })),
  },
  {
    breaks: "tags of 128 are refused",
    names: "grammar.tag/good-long",
    fault: instead(
      (q) => isManifestPut(q) && /\/a{128}$/.test(q.path),
      () => plain(400),
    ),
  },
  {
    breaks: "tags may have a plus",
    names: "grammar.tag/bad-plus",
    fault: rewriting(isManifestPut, (q) => ({ ...q, path: q.path.replace("+", "_") })),
  },
  {
    breaks: "digests may be upper case",
    names: "grammar.digest/upper-case-same",
    fault: rewriting(isBlob, (q) => ({ ...q, path: q.path.toLowerCase() })),
  },
  {
    breaks: "short digests are 404 on push",
    names: "grammar.digest/push-short",
    fault: status(isPut, 404, [400]),
  },
  {
    breaks: "a malformed digest is 500 on pull",
    names: "grammar.digest/pull-no-hex",
    fault: status(isBlobGet, 500, [400, 404]),
  },
  {
    breaks: "warnings have another code",
    names: "headers/warnings",
    fault: changing(isPing, (a) => ({
      ...a,
      headers: [...a.headers, ["Warning", '199 - "text"']],
    })),
  },
  {
    breaks: "warnings have a date",
    names: "headers/warnings",
    fault: changing(isPing, (a) => ({
      ...a,
      headers: [...a.headers, ["Warning", '299 - "text" "Sun, 22 Nov 2026 00:00:00 GMT"']],
    })),
  },
  {
    breaks: "warnings are too long",
    names: "headers/warnings-size",
    fault: changing(isPing, (a) => ({
      ...a,
      headers: [...a.headers, ["Warning", `299 - "${"x".repeat(5000)}"`]],
    })),
  },
  {
    breaks: "Locations name another host",
    names: "headers/one-location",
    fault: changing(isUploadStart, (a) => ({
      ...a,
      headers: a.headers.map(([k, v]) =>
        k === "Location" || k === "location" ? [k, `http://elsewhere.example.com${v}`] : [k, v],
      ),
    })),
  },
  {
    breaks: "line breaks are reflected",
    names: "headers/reflected-last",
    fault: changing(
      (q) => q.query.includes("X-Injected"),
      (a) => ({ ...a, headers: [...a.headers, ["X-Injected", "yes"]] }),
    ),
  },
  {
    breaks: "blobs may be sniffed",
    names: "headers/nosniff",
    fault: header(isBlobGet, "X-Content-Type-Options", null),
  },
  {
    breaks: "one kind of answer does not name the API version",
    names: "headers/version-header",
    fault: header(isTags, "Docker-Distribution-Api-Version", null),
  },
  {
    breaks: "the catalog is no list",
    names: "catalog/shape",
    fault: json(isCatalog, (v) => ({ ...v, repositories: {} })),
  },
  {
    breaks: "the catalog leaves one out",
    names: "catalog/has-ours",
    fault: json(isCatalog, (v) => ({
      ...v,
      repositories: v.repositories.filter((name: string) => !name.endsWith("second")),
    })),
  },
  {
    breaks: "the catalog ignores n",
    names: "catalog/n",
    fault: rewriting(isCatalog, (q) => ({ ...q, query: "" })),
  },
  {
    breaks: "the catalog loses its Link",
    names: "catalog/n",
    fault: header(isCatalog, "Link", null),
  },
  {
    breaks: "the catalog ignores last",
    names: "catalog/last",
    fault: rewriting(isCatalog, (q) => withQuery(q, (query) => query.delete("last"))),
  },
  {
    breaks: "the catalog is in no order",
    names: "catalog/order",
    fault: json(isCatalog, (v) => ({ ...v, repositories: v.repositories.toReversed() })),
  },
  {
    breaks: "large blobs are altered",
    names: "integrity.size/bytes-1048577",
    fault: body(
      (q) => isBlobGet(q),
      (b) => (b.length > 1_048_576 ? flip(b) : b),
    ),
  },
  {
    breaks: "blobs of more than 4 MiB are cut",
    names: "integrity.size/bytes-5242880",
    fault: body(isBlobGet, (b) => b.subarray(0, 4 << 20)),
  },
  {
    breaks: "one byte is lost",
    names: "integrity.size/bytes-1",
    fault: body(isBlobGet, (b) => (b.length === 1 ? Buffer.alloc(0) : b)),
  },
  {
    breaks: "of parallel pushes one is lost",
    names: "integrity.parallel/tags",
    fault: () => losesOneTag(),
  },
  {
    breaks: "of parallel referrers one is lost",
    names: "integrity.parallel/referrers",
    fault: json(isReferrers, (v) => ({ ...v, manifests: v.manifests.slice(1) })),
  },
  {
    breaks: "a tag is gone while it moves",
    names: "integrity.parallel/moving-tag",
    fault: () => goneWhileMoving(),
  },
  {
    breaks: "parallel pulls get each other's bytes",
    names: "integrity.parallel/pulls",
    fault: () => everyFifthPull(),
  },
];

function losesOneTag(): Fault {
  let count = 0;
  return async (request, forward) => {
    if (isManifestPut(request) && isTagReference(request) && ++count === 5) {
      return plain(201, "", [["Location", request.path]]);
    }
    return forward(request);
  };
}

function goneWhileMoving(): Fault {
  let moves = 0;
  return async (request, forward) => {
    const moving = request.path.includes("/moving-");
    if (isManifestPut(request) && moving) moves += 1;
    if (isManifestGet(request) && moving && moves >= 5 && moves <= 15) return plain(404);
    return forward(request);
  };
}

function everyFifthPull(): Fault {
  let pulls = 0;
  return async (request, forward) => {
    const answer = await forward(request);
    return isBlobGet(request) && ++pulls % 5 === 0
      ? withBody(answer, flip(Buffer.from(answer.body)))
      : answer;
  };
}

export const mutants: readonly Mutant[] = [
  ...ping,
  ...push,
  ...upload,
  ...pull,
  ...mount,
  ...content,
  ...manifest,
  ...tags,
  ...referrers,
  ...deletion,
  ...other,
];
