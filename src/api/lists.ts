/**
 * Tags, catalog and referrers, page by page [end-8, end-12, _catalog].
 *
 * `Link` is there exactly when there is another page, and carries only our own parameters. A count that is not a number
 * is refused; one that is too large is clamped.
 */
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { jsonReply, textReply } from "../http/reply.ts";
import { nextLink } from "../lib/http_fields.ts";
import { stepsPerEntry } from "../lib/request_budget.ts";
import { digestProblem } from "../oci/digest.ts";
import { apiError } from "../oci/errors.ts";
import { mediaTypes } from "../oci/media_types.ts";
import { referrersIndex } from "../oci/referrers.ts";
import {
  listReferrers,
  listRepositories,
  listTags,
  pageEntriesMax,
  type PageRequest,
} from "../registry/lists.ts";
import { malformedDigest, shorten, targetOf, type App } from "./app.ts";
import { placeOf, warningHeader } from "./origin_headers.ts";
import { atItsTime } from "./past.ts";
import { shownTags } from "./shown_tags.ts";

/** Types that one request may filter by. */
const artifactTypesMax = 32;

/** GET of a repository's tags [end-8a, end-8b]. */
export function getTags(call: Call, app: App): Promise<Reply> {
  return atItsTime(call, app, (repository) => tagsIn(call, app, repository));
}

async function tagsIn(call: Call, app: App, repository: string): Promise<Reply> {
  const page = pageParameters(call);
  const shows = shownTags(call);
  const isShown = shows === null ? null : (tag: string): boolean => shows(repository, tag);
  const list = await listTags(app.registry, placeOf(call, repository), page, isShown);
  const { items, next, warning = null } = list;
  const path = `/v2/${call.repository}/tags/list`;
  const headers = linkHeaders(targetOf(call, app, path), page, next, moreOf(call));
  return jsonReply(
    200,
    { name: call.repository, tags: items },
    { ...headers, ...warningHeader(warning) },
  );
}

/** GET of the names of all repositories that the caller may read. */
export async function getCatalog(call: Call, app: App): Promise<Reply> {
  const page = pageParameters(call);
  const { budget, caller } = call;
  const { items, next } = await listRepositories(app.registry, page, {
    mayRead: (repository) => {
      budget.grant(stepsPerEntry);
      return caller.maySee(repository);
    },
    spent: () => budget.spent,
  });
  const headers = linkHeaders(targetOf(call, app, "/v2/_catalog"), page, next);
  return jsonReply(200, { repositories: items }, headers);
}

/**
 * GET of the manifests that refer to a digest [end-12a, end-12b]: an empty list for whatever is unknown. The digest
 * may be of an algorithm that we do not compute, as that of a subject may.
 */
export function getReferrers(call: Call, app: App): Promise<Reply> {
  return atItsTime(call, app, (repository) => referrersIn(call, app, repository));
}

async function referrersIn(call: Call, app: App, repository: string): Promise<Reply> {
  const subject = call.params["digest"] ?? "";
  if (digestProblem(subject) === "malformed") throw malformedDigest(subject);
  const artifactTypes = typeParameters(call);
  const list = await listReferrers(app.registry, placeOf(call, repository), subject, {
    artifactTypes,
    last: call.query.get("last"),
  });
  const { items, next, warning = null } = list;
  const headers: Record<string, string> = warningHeader(warning);
  if (artifactTypes.length > 0) headers["oci-filters-applied"] = "artifactType";
  if (next !== null) {
    const query = artifactTypes.map((type): [string, string] => ["artifactType", type]);
    const target = targetOf(call, app, `/v2/${call.repository}/referrers/${subject}`);
    headers["link"] = nextLink(target, [...moreOf(call), ...query, ["last", next]]);
  }
  return textReply(200, referrersIndex([...items]), mediaTypes.ociIndex, headers);
}

function typeParameters(call: Call): string[] {
  const given = call.query.getAll("artifactType").map(withPluses);
  const types = given.filter((type) => type !== "");
  if (types.length > artifactTypesMax) {
    throw apiError("PARAMETER_INVALID", {
      message: `Expected up to ${artifactTypesMax} artifactType parameters, got ${types.length}`,
    });
  }
  return types;
}

/**
 * A plus that the client did not encode arrives as a blank. Media types hold blanks only around the semicolons of
 * their parameters and in quotes.
 */
function withPluses(mediaType: string): string {
  return mediaType
    .split(";")
    .map((part) => (part.includes('"') ? part : part.replace(/(?<=\S) +(?=\S)/g, pluses)))
    .join(";");
}

function pluses(blanks: string): string {
  return "+".repeat(blanks.length);
}

function pageParameters(call: Call): PageRequest {
  return { last: call.query.get("last"), count: countParameter(call.query.get("n")) };
}

/** `n`: digits only; numbers beyond any page are clamped, however long they are. */
export function countParameter(text: string | null): number | null {
  if (text === null) return null;
  if (!/^\d+$/.test(text)) {
    throw apiError("PARAMETER_INVALID", {
      message: `Expected n=<whole number>, got ${shorten(text)}`,
    });
  }
  return Math.min(Number(text), pageEntriesMax);
}

function linkHeaders(
  path: string,
  { count }: PageRequest,
  next: string | null,
  more: readonly [string, string][] = [],
): Record<string, string> {
  if (next === null) return {};
  const counted: [string, string][] = count === null ? [] : [["n", String(count)]];
  return { link: nextLink(path, [...more, ...counted, ["last", next]]) };
}

/** The time of the list, and the registry that the client meant, go with it to its next page. */
function moreOf(call: Call): [string, string][] {
  const at = call.hasQuery("at") ? call.query.get("at") : null;
  const namespace = call.located?.namespace ?? null;
  return [
    ...(at === null ? [] : ([["at", at]] as [string, string][])),
    ...(namespace === null ? [] : ([["ns", namespace]] as [string, string][])),
  ];
}
