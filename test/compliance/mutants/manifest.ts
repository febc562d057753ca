// Mutants of manifests.

import { type Answer, type Fault, valueOf } from "../fault_proxy.ts";
import {
  again,
  body,
  changing,
  errorCode,
  errorJson,
  header,
  instead,
  isManifestGet,
  isManifestHead,
  isManifestPut,
  isTagReference,
  plain,
  rewriting,
  sha256,
  staleAnswers,
  status,
  withoutHeader,
  type Mutant,
} from "./tools.ts";

export const manifestMutants: readonly Mutant[] = [
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
