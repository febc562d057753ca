// Mutants of upload sessions.

import { type Answer, type Fault, valueOf, withHeader } from "../fault_proxy.ts";
import {
  changing,
  header,
  instead,
  isBlobHead,
  isCancel,
  isManifestHead,
  isPatch,
  isPut,
  isSession,
  isStatus,
  isUploadStart,
  ok,
  parameter,
  plain,
  rewriting,
  sha256,
  status,
  withQuery,
  withoutHeader,
  type Mutant,
} from "./tools.ts";

export const uploadMutants: readonly Mutant[] = [
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
    // A location may tell how far the session has come; the session stays the same.
    const session = request.path.replace(/\.\d+(?=$|\?)/, "");
    if (answer.status === 416) gaps.set(session, (gaps.get(session) ?? 0) + 1);
    if (!isStatus(request) || (gaps.get(session) ?? 0) < 2) return answer;
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
