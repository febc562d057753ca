/**
 * Lists of an upstream: tags, repositories, referrers. Pages are followed on the upstream itself only, and what is no
 * tag, name or descriptor is left out.
 */
import { nextPage } from "../../../client/link_header.ts";
import { type Address, resolveAddress, sameOrigin } from "../../../client/registry_url.ts";
import type { Exchange } from "../../../client/exchange.ts";
import { MiB } from "../../../lib/bytes.ts";
import { isJsonObject } from "../../../lib/strict_json.ts";
import { checkDescriptor, type Descriptor } from "../../../oci/descriptor.ts";
import { mediaTypes } from "../../../oci/media_types.ts";
import { isRepositoryName, isTag } from "../../../oci/reference.ts";
import { jsonOf, troubleOfStatus } from "./answers.ts";
import { UpstreamTrouble } from "./trouble.ts";
import type { UpstreamRequests } from "./upstream_requests.ts";

/** Tags of one repository that are listed. */
export const tagsMax = 100_000;
/** Referrers of one manifest. */
const referrersMax = 10_000;
const pageBytesMax = 16 * MiB;
/** Of all their pages: descriptors have annotations, as large as whoever pushed them likes. */
const referrersBytesMax = 16 * MiB;
const pagesMax = 10_000;
/** What is asked for; registries give fewer, or, some, all. */
const pageSize = 1000;
/** One page, until it is there. */
const pageMs = 60_000;
/** Statuses of registries that have no such endpoint. */
const noEndpoint = new Set([400, 403, 404, 405, 501]);

/** Null: there is no such repository. */
export async function listTags(
  requests: UpstreamRequests,
  name: string,
): Promise<readonly string[] | null> {
  const tags: string[] = [];
  for await (const page of pages(requests, `/v2/${name}/tags/list?n=${pageSize}`)) {
    if (page.status === 404) return null;
    for (const tag of textsOf(requests, page, "tags")) {
      if (isTag(tag)) tags.push(tag);
      if (tags.length >= tagsMax) return tags;
    }
  }
  return tags;
}

export async function* listCatalog(requests: UpstreamRequests): AsyncGenerator<string> {
  for await (const page of pages(requests, `/v2/_catalog?n=${pageSize}`)) {
    if (page.status === 404) throw troubleOfStatus(page, requests.asked);
    for (const name of textsOf(requests, page, "repositories")) {
      if (isRepositoryName(name)) yield name;
    }
  }
}

/** Null: the upstream has no such list, or knows nothing of it. */
export async function listReferrers(
  requests: UpstreamRequests,
  name: string,
  digest: string,
): Promise<readonly Descriptor[] | null> {
  const found: Descriptor[] = [];
  let bytes = 0;
  for await (const page of pages(requests, `/v2/${name}/referrers/${digest}`)) {
    const isOurs = page.headers.get("Content-Type")?.startsWith(mediaTypes.ociIndex) === true;
    if (noEndpoint.has(page.status) || (page.status === 401 && !requests.hasLogin)) return null;
    // A page of the interface, which some servers have for every path.
    if (page.status === 200 && !isOurs && !Array.isArray(manifestsOf(page.body))) return null;
    requireSuccess(requests, page);
    found.push(...descriptorsOf(page.body));
    bytes += page.body.length;
    if (found.length >= referrersMax || bytes >= referrersBytesMax)
      return found.slice(0, referrersMax);
  }
  return found;
}

/** The descriptors of an index; what is none is left out. */
export function descriptorsOf(index: Uint8Array): Descriptor[] {
  const manifests = manifestsOf(index);
  if (!Array.isArray(manifests)) return [];
  return manifests.flatMap((value: unknown) => {
    const checked = checkDescriptor(value, "");
    return "descriptor" in checked ? [checked.descriptor] : [];
  });
}

function manifestsOf(index: Uint8Array): unknown {
  const parsed = jsonOf(index);
  return isJsonObject(parsed) ? parsed["manifests"] : null;
}

/** Every page; those after the first are successes. */
async function* pages(requests: UpstreamRequests, first: string): AsyncGenerator<Exchange> {
  const seen = new Set<string>();
  for (let url: string | Address = first; ;) {
    const page = await requests.exchange({
      method: "GET",
      url,
      class: "check",
      wholeMs: pageMs,
      bodyBytesMax: pageBytesMax,
    });
    if (seen.size > 0) requireSuccess(requests, page);
    yield page;
    const next = page.status === 200 ? nextPage(page.headers.get("Link")) : null;
    if (next === null) return;
    const address = resolveAddress(next, page.address);
    const { origin } = requests.client.exchanger;
    if (address === null || !sameOrigin(address.origin, origin)) {
      throw broken(requests, "names another server for the next page of a list");
    }
    if (seen.has(address.target) || seen.size >= pagesMax) {
      throw broken(requests, "has a list whose pages lead in a circle");
    }
    seen.add(address.target);
    url = address;
  }
}

function textsOf(requests: UpstreamRequests, page: Exchange, member: string): string[] {
  requireSuccess(requests, page);
  const parsed = jsonOf(page.body);
  const list = isJsonObject(parsed) ? parsed[member] : undefined;
  // Registries in Go write null for an empty list.
  if (list === null || (list === undefined && isJsonObject(parsed))) return [];
  if (!Array.isArray(list)) throw broken(requests, `answered a list of ${member} without any`);
  return list.filter((each: unknown): each is string => typeof each === "string");
}

function requireSuccess(requests: UpstreamRequests, page: Exchange): void {
  if (page.status === 200) return;
  throw troubleOfStatus(page, requests.asked);
}

function broken(requests: UpstreamRequests, words: string): UpstreamTrouble {
  return new UpstreamTrouble("broken", requests.host, { words });
}
