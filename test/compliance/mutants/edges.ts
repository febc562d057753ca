// Mutants at the edges: what a registry gets wrong only in a corner.

import { type Fault, valueOf, withBody } from "../fault_proxy.ts";
import {
  again,
  changing,
  errorCode,
  header,
  instead,
  isBlobGet,
  isBlobHead,
  isCatalog,
  isDelete,
  isManifest,
  isManifestGet,
  isManifestHead,
  isManifestPut,
  isMount,
  isPut,
  isReferrers,
  isTagReference,
  isTags,
  isUploadStart,
  json,
  type Mutant,
  ok,
  otherDigest,
  parameter,
  plain,
  referenceOf,
  rewriting,
  sha256,
  status,
  withQuery,
} from "./tools.ts";

const range =
  (value: string) =>
  (q: Parameters<typeof isBlobGet>[0]): boolean =>
    isBlobGet(q) && valueOf(q.headers, "Range") === value;

export const edgeMutants: readonly Mutant[] = [
  {
    breaks: "HEAD of a manifest in an unknown repository is 200",
    names: "empty/manifest-head",
    fault: status(isManifestHead, 200, [404]),
  },
  {
    breaks: "wrong bytes in one POST are 404",
    names: "push.sha256.bad-digest/post",
    fault: status((q) => isUploadStart(q) && q.query.includes("digest="), 404, [400]),
  },
  {
    breaks: "opening a session is refused",
    names: "upload.start/location",
    fault: instead(isUploadStart, () => plain(403)),
  },
  {
    breaks: "a wrong digest is stored when it is given twice",
    names: "upload.close/mismatch-then",
    fault: instead(
      (q) => isBlobHead(q),
      () => plain(200),
    ),
  },
  {
    breaks: "a cut POST is stored",
    names: "upload.cut/cut-post",
    fault: instead(isBlobHead, () => plain(200)),
  },
  {
    breaks: "bytes=-0 is the whole blob as a part",
    names: "pull.range.edge/suffix-zero",
    fault: changing(range("bytes=-0"), (a) => ({ ...a, status: 206 })),
  },
  {
    breaks: "a range of the empty blob is 500",
    names: "pull.range.edge/empty-blob",
    fault: instead(
      (q) => range("bytes=0-")(q) && q.path.includes("e3b0c442"),
      () => plain(500),
    ),
  },
  {
    breaks: "a malformed range is 500",
    names: "pull.range.edge/malformed",
    fault: instead(range("bytes=abc"), () => plain(500)),
  },
  {
    breaks: "a suffix longer than the blob is 416",
    names: "pull.range.sha256/long-suffix",
    fault: instead(range("bytes=-5000"), () => plain(416)),
  },
  {
    breaks: "a range that ends one past the end is 416",
    names: "pull.range.sha256/one-past-end",
    fault: instead(range("bytes=1000-2048"), () => plain(416)),
  },
  {
    breaks: "a mount of a malformed digest is 201",
    names: "mount.edge/malformed-digest",
    fault: instead(
      (q) => isMount(q) && q.query.includes("baddigest"),
      () => plain(201),
    ),
  },
  {
    breaks: "a mount from the repository itself is 409",
    names: "mount.edge/same-repository",
    fault: instead(
      (q) => isMount(q) && (parameter(q, "from") ?? "").endsWith("first"),
      () => plain(409),
    ),
  },
  {
    breaks: "a mounted blob has other bytes",
    names: "mount.edge/no-transfer",
    fault: instead(
      (q) => isBlobGet(q) && q.path.includes("/first/"),
      () => plain(200, "other"),
    ),
  },
  {
    breaks: "HEAD of a missing manifest has a body",
    names: "errors.head/blob",
    fault: changing(isManifestHead, (a) =>
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
    breaks: "HEAD of a manifest sends it",
    names: "manifest.pull/head-no-body",
    fault: changing(isManifestHead, (a) =>
      ok(a)
        ? { ...a, headers: [...a.headers, ["Connection", "close"]], excess: Buffer.from("{}") }
        : a,
    ),
  },
  {
    breaks: "what was pushed by tag is not there by digest",
    names: "manifest.push/by-tag",
    fault: status((q) => isManifestGet(q) && !isTagReference(q), 404),
  },
  {
    breaks: "Content-Type of manifests has parameters",
    names: "manifest.pull/type-no-parameters",
    fault: header(
      isManifestGet,
      "Content-Type",
      "application/vnd.oci.image.manifest.v1+json; charset=utf-8",
    ),
  },
  {
    breaks: "an encoded colon in a manifest's path is 404",
    names: "manifest.pull/encoded-colon",
    fault: instead(
      (q) => isManifestGet(q) && q.path.includes("%3A"),
      () => plain(404),
    ),
  },
  {
    breaks: "OCI-Tag names an invalid tag",
    names: "manifest.tag-parameters/invalid",
    fault: instead(
      (q) => isManifestPut(q) && q.query.includes("bad%3Atag"),
      () => plain(201, "", [["OCI-Tag", "bad:tag"]]),
    ),
  },
  {
    breaks: "of too many tags some are set",
    names: "manifest.tag-parameters/too-many",
    fault: instead(
      (q) => isManifestPut(q) && q.query.length > 3000,
      () => plain(201, "", [["OCI-Tag", "one"]]),
    ),
  },
  {
    breaks: "a schema 1 manifest is accepted",
    names: "manifest.invalid/schema-1",
    fault: status(isManifestPut, 201, [400]),
  },
  {
    breaks: "another repository's layer counts as there",
    names: "manifest.references/other-repository",
    fault: errorCode("MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID"),
  },
  {
    breaks: "too large in HTTP chunks is 400",
    names: "manifest.size/limit-chunked",
    fault: status(isManifestPut, 400, [413]),
  },
  {
    breaks: "last gives the last page again",
    names: "tags/walk-last",
    fault: rewriting(
      (q) => isTags(q) && parameter(q, "n") === "3",
      (q) => withQuery(q, (query) => query.delete("last")),
    ),
  },
  {
    breaks: "n is ignored together with last",
    names: "tags/n-and-last",
    fault: rewriting(
      (q) => isTags(q) && q.query.includes("last=") && q.query.includes("n=2"),
      (q) => withQuery(q, (query) => query.delete("n")),
    ),
  },
  {
    breaks: "after the last tag the list begins again",
    names: "tags/last-is-end",
    fault: () => beginningAgain(),
  },
  {
    breaks: "a huge n is 500",
    names: "tags/huge-n",
    fault: instead(
      (q) => isTags(q) && (parameter(q, "n") ?? "").length > 10,
      () => plain(500),
    ),
  },
  {
    breaks: "an unknown repository's list is 500",
    names: "tags/unknown-repository",
    fault: status(isTags, 500, [404]),
  },
  {
    breaks: "a tag that moved is listed twice",
    names: "tags/moved-tag",
    fault: json(isTags, (v) => ({
      ...v,
      tags: v.tags.flatMap((tag) => (tag.startsWith("moved-") ? [tag, tag] : [tag])),
    })),
  },
  {
    breaks: "a filter with a + finds nothing",
    names: "referrers.request/filter-plus",
    fault: json(
      (q) => isReferrers(q) && q.query.includes("plus%2B"),
      (v) => ({ ...v, manifests: [] }),
    ),
  },
  {
    breaks: "a filter given twice finds nothing",
    names: "referrers.request/filter-twice",
    fault: json(
      (q) => isReferrers(q) && (q.query.match(/artifactType/g) ?? []).length > 1,
      (v) => ({
        ...v,
        manifests: [],
      }),
    ),
  },
  {
    breaks: "referrers are hidden with their subject",
    names: "referrers.life/subject-deleted",
    fault: () => hidingReferrers(),
  },
  {
    breaks: "deleting an unknown tag is 202",
    names: "delete.tag/unknown",
    fault: status((q) => q.method === "DELETE" && isTagReference(q), 202, [404]),
  },
  {
    breaks: "a deleted tag cannot be pushed again",
    names: "delete.tag/push-again",
    fault: () => burntTags(),
  },
  {
    breaks: "deleting a manifest deletes it everywhere",
    names: "delete.manifest/other-repository",
    fault: () => manifestGoesEverywhere(),
  },
  {
    breaks: "deleting a manifest takes others along",
    names: "delete.manifest/keeps-others",
    fault: () => othersGo(),
  },
  {
    breaks: "deleting a blob twice is 202",
    names: "delete.blob/twice",
    fault: status((q) => q.method === "DELETE" && !isManifest(q), 202, [404]),
  },
  {
    breaks: "deletion of manifests is 204",
    names: "delete.manifest/delete",
    fault: status((q) => isDelete(q) && isManifest(q), 204, [202]),
  },
  {
    breaks: "a tag called like a built-in property is lost",
    names: "grammar.tag/good-prototype",
    fault: instead(
      (q) => isManifestGet(q) && q.path.endsWith("/__proto__"),
      () => plain(404),
    ),
  },
  {
    breaks: "names with a NUL are 500",
    names: "grammar.name/bad-nul",
    fault: instead(
      (q) => q.path.includes("%00"),
      () => plain(500),
    ),
  },
  {
    breaks: "a component may not be called manifests",
    names: "grammar.name/good-manifests-component",
    fault: instead(
      (q) => q.path.includes("/manifests/blobs/"),
      () => plain(405),
    ),
  },
  {
    breaks: "a colon in a tag is accepted",
    names: "grammar.tag/bad-encoded-colon",
    fault: rewriting(
      (q) => isManifestPut(q) && q.path.endsWith("a%3Ab"),
      (q) => ({
        ...q,
        path: q.path.replace("a%3Ab", "a_b"),
      }),
    ),
  },
  {
    breaks: "MD5 is accepted for manifests",
    names: "grammar.digest/manifest-weak",
    fault: instead(
      (q) => isManifestPut(q) && referenceOf(q).startsWith("md5:"),
      () => plain(201),
    ),
  },
  {
    breaks: "a session makes a repository",
    names: "catalog/session-only",
    fault: () => sessionsInCatalog(),
  },
  {
    breaks: "pages of the catalog overlap",
    names: "catalog/walk",
    fault: json(
      (q) => isCatalog(q) && q.query.includes("last="),
      (v) => ({
        ...v,
        repositories: ["zot-compliance/first", ...v.repositories],
      }),
    ),
  },
  {
    breaks: "a bad n for the catalog is ignored",
    names: "catalog/bad-n",
    fault: rewriting(
      (q) => isCatalog(q) && parameter(q, "n") === "a",
      (q) => ({ ...q, query: "" }),
    ),
  },
  {
    breaks: "the ping has no Date",
    names: "headers/date",
    fault: changing(
      (q) => q.path === "/v2/",
      (a) => ({ ...a, excess: a.body }),
    ),
  },
  {
    breaks: "of parallel blobs one is lost",
    names: "integrity.parallel/blobs",
    fault: () => losesOneBlob(),
  },
  {
    breaks: "a manifest pushed by many conflicts",
    names: "integrity.parallel/same-manifest",
    fault: () => conflicts(),
  },
];

function beginningAgain(): Fault {
  return async (request, forward) => {
    const answer = await forward(request);
    const empty = Buffer.from(answer.body).includes('"tags":[]');
    if (!isTags(request) || !empty || parameter(request, "n") === "0") return answer;
    return again(request, forward, "GET", request.path);
  };
}

function hidingReferrers(): Fault {
  const deleted = new Set<string>();
  return async (request, forward) => {
    if (request.method === "DELETE" && isManifest(request)) deleted.add(referenceOf(request));
    const answer = await forward(request);
    if (!isReferrers(request) || !deleted.has(referenceOf(request)) || !ok(answer)) return answer;
    const parsed: object = JSON.parse(Buffer.from(answer.body).toString());
    return withBody(answer, JSON.stringify({ ...parsed, manifests: [] }));
  };
}

function burntTags(): Fault {
  const burnt = new Set<string>();
  return async (request, forward) => {
    if (request.method === "DELETE" && isTagReference(request)) burnt.add(request.path);
    if (isManifestPut(request) && burnt.has(request.path)) return plain(409);
    return forward(request);
  };
}

function manifestGoesEverywhere(): Fault {
  return async (request, forward) => {
    if (request.method === "DELETE" && isManifest(request)) {
      await again(request, forward, "DELETE", request.path.replace("/first/", "/second/"));
    }
    return forward(request);
  };
}

/** With a manifest all that were pushed to its repository go. */
function othersGo(): Fault {
  const pushed = new Set<string>();
  return async (request, forward) => {
    if (isManifestPut(request) && !isTagReference(request)) pushed.add(request.path);
    if (request.method === "DELETE" && isManifest(request)) {
      for (const path of pushed) {
        if (path !== request.path) await again(request, forward, "DELETE", path);
      }
    }
    return forward(request);
  };
}

function sessionsInCatalog(): Fault {
  const opened = new Set<string>();
  return async (request, forward) => {
    const name = /^\/v2\/(.+)\/blobs\/uploads\/$/.exec(request.path)?.[1];
    if (name !== undefined) opened.add(name);
    const answer = await forward(request);
    if (!isCatalog(request) || !ok(answer)) return answer;
    const parsed: { repositories: string[] } = JSON.parse(Buffer.from(answer.body).toString());
    const repositories = [...new Set([...parsed.repositories, ...opened])].toSorted();
    return withBody(answer, JSON.stringify({ repositories }));
  };
}

function losesOneBlob(): Fault {
  let count = 0;
  return async (request, forward) => {
    const counted = isPut(request) && request.body.length === 20_000;
    if (!counted || ++count !== 5) return forward(request);
    return plain(201, "", [["Location", `/v2/zot-compliance/first/blobs/${otherDigest}`]]);
  };
}

function conflicts(): Fault {
  const busy = new Set<string>();
  return async (request, forward) => {
    if (!isManifestPut(request)) return forward(request);
    const digest = sha256(request.body);
    if (busy.has(digest)) return plain(409);
    busy.add(digest);
    try {
      return await forward(request);
    } finally {
      busy.delete(digest);
    }
  };
}
