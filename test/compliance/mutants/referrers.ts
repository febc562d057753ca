// Mutants of referrers.

import { type Fault, valueOf, withBody, withHeader } from "../fault_proxy.ts";
import {
  changing,
  header,
  isManifestPut,
  isReferrers,
  isTagReference,
  json,
  ok,
  parse,
  plain,
  rewriting,
  sha256,
  staleAnswers,
  status,
  type Entry,
  type Mutant,
} from "./tools.ts";

const entries = (change: (entry: Entry) => object): (() => Fault) =>
  json(isReferrers, (v) => ({ ...v, manifests: v.manifests.map(change) }));

export const referrersMutants: readonly Mutant[] = [
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
