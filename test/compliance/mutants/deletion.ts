// Mutants of deletion.

import { type Fault, type Request, valueOf, withBody } from "../fault_proxy.ts";
import {
  byBytes,
  deletingEverywhere,
  isBlob,
  isDelete,
  isManifest,
  isManifestGet,
  isManifestPut,
  isPut,
  isTagReference,
  isTags,
  ok,
  parameter,
  parse,
  plain,
  referenceOf,
  sha256,
  status,
  type Mutant,
} from "./tools.ts";

export const deletionMutants: readonly Mutant[] = [
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
