// Mutants of errors, grammar, headers, catalog, integrity.

import { type Fault, withBody, withHeader } from "../fault_proxy.ts";
import {
  body,
  changing,
  errorCode,
  errorJson,
  flip,
  header,
  instead,
  isBlob,
  isBlobGet,
  isBlobHead,
  isCatalog,
  isManifest,
  isManifestGet,
  isManifestPut,
  isPatch,
  isPing,
  isPut,
  isReferrers,
  isTagReference,
  isTags,
  isUploadStart,
  json,
  plain,
  rewriting,
  status,
  withQuery,
  type Mutant,
} from "./tools.ts";

export const otherMutants: readonly Mutant[] = [
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
