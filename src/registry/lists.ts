/**
 * Pages of tags, repositories and referrers [end-8, end-12, _catalog].
 *
 * Lists are in byte order. The cost of a page depends on its own length, not on the size of the repository; `next` is
 * the cursor of a page that exists, null on the last. A referrers page also stays below a size that clients accept, and
 * little more is read than it shows.
 */
import { setImmediate } from "node:timers/promises";
import { MiB } from "../lib/bytes.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { ReferrerRecord } from "../metadata/metadata.ts";
import { isPastName, realNameOf } from "../oci/past_name.ts";
import type { Origin, Place, UpstreamList } from "./origin.ts";
import type { Registry } from "./registry.ts";
import { absentError, beingRead, resolveReferrers, resolveTags } from "./resolve.ts";

/** Entries of a page at most; a larger `n` is clamped and the answer carries a Link. */
export const pageEntriesMax = 10_000;
/** Entries of a page that asks for no number: clients that cannot follow a Link see these. */
export const pageEntriesDefault = 10_000;
/** Clients refuse metadata beyond 4 MiB; a referrers page ends before. */
const referrersBytesMax = 3 * MiB;
const referrersEntriesMax = 1_000;

export interface ListPage<T> {
  readonly items: readonly T[];
  /** The cursor of the next page; null when this is the last. */
  readonly next: string | null;
  /** What a person should know of an upstream's part of the list. */
  readonly warning?: string | null;
}

export interface PageRequest {
  /** Only items after this one. */
  readonly last: string | null;
  /** How many at most; null for the default. */
  readonly count: number | null;
}

/** Those of the repository and of its upstream. @throws NAME_UNKNOWN, UNAVAILABLE. */
export async function listTags(
  registry: Registry,
  place: Place,
  page: PageRequest,
  isShown: ((tag: string) => boolean) | null = null,
): Promise<ListPage<string>> {
  const wanted = Math.min(page.count ?? pageEntriesDefault, pageEntriesMax);
  const upstream = await upstreamOf(registry, place, (origin) => origin.tags(place));
  const listed = { registry, repository: place.repository, upstream };
  const all =
    isShown === null
      ? await tagsBehind(listed, page.last, wanted + 1)
      : await shownBehind(listed, page.last, { limit: wanted + 1, isShown });
  const items = all.slice(0, wanted);
  const next = all.length > wanted ? (items.at(-1) ?? null) : null;
  return { items, next, warning: upstream?.warning ?? null };
}

interface Listed {
  readonly registry: Registry;
  readonly repository: string;
  readonly upstream: UpstreamList<string> | null;
}

/** The first tags behind one, of the repository and of its upstream. @throws NAME_UNKNOWN, UNAVAILABLE. */
async function tagsBehind(
  { registry, repository, upstream }: Listed,
  after: string | null,
  limit: number,
): Promise<readonly string[]> {
  const resolved = await resolveTags(registry, repository, { after, limit });
  if (resolved.found === null && (upstream === null || resolved.why === "being-read")) {
    throw absentError(resolved.why, "MANIFEST_UNKNOWN", { name: realNameOf(repository) });
  }
  const own = resolved.found ?? [];
  if (upstream === null) return own;
  return unionOf(own, behind(upstream.items, after, limit)).slice(0, limit);
}

/** The same, of those that are shown: as many are looked at as that takes. */
async function shownBehind(
  listed: Listed,
  last: string | null,
  { limit, isShown }: { readonly limit: number; readonly isShown: (tag: string) => boolean },
): Promise<readonly string[]> {
  const shown: string[] = [];
  for (let after = last; ;) {
    const slice = await tagsBehind(listed, after, namesAtOnce);
    shown.push(...slice.filter(isShown));
    if (shown.length >= limit || slice.length < namesAtOnce) return shown.slice(0, limit);
    after = slice.at(-1) ?? null;
    await setImmediate();
  }
}

/** What the upstream of a repository lists; null where there is none. */
async function upstreamOf<T>(
  { origin }: Registry,
  { repository }: Place,
  ask: (origin: Origin) => Promise<UpstreamList<T> | null>,
): Promise<UpstreamList<T> | null> {
  return origin === null || isPastName(repository) ? null : ask(origin);
}

/** The first items of a list in byte order that stand behind one. */
function behind(items: readonly string[], last: string | null, limit: number): readonly string[] {
  if (last === null) return items.slice(0, limit);
  const start = items.findIndex((item) => item > last);
  return start === -1 ? [] : items.slice(start, start + limit);
}

/** Tags are ASCII, so that their order is that of their bytes. */
function unionOf(one: readonly string[], other: readonly string[]): string[] {
  return [...new Set([...one, ...other])].sort(inByteOrder);
}

function inByteOrder(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

/** Names that are read in one turn, so that a short page of a long catalog does not take as many. */
const namesAtOnce = 500;
/** Steps of decisions in one turn: about ten milliseconds. */
const stepsAtOnce = 20_000;

/** Who asks for a list of repositories. */
export interface ListReader {
  readonly mayRead: (repository: string) => boolean;
  /** Steps that its decisions took so far. */
  readonly spent: () => number;
}

/** Repositories with a manifest that the reader may read. */
export async function listRepositories(
  registry: Registry,
  page: PageRequest,
  reader: ListReader,
): Promise<ListPage<string>> {
  const count = Math.min(page.count ?? pageEntriesDefault, pageEntriesMax);
  if (count === 0) return { items: [], next: null };
  const items: string[] = [];
  let after = page.last;
  let turnEnds = stepsAtOnce;
  const limit = Math.max(count + 1, namesAtOnce);
  for (;;) {
    const { names, next } = await registry.metadata.catalog({ after, limit });
    for (const name of names) {
      if (reader.spent() >= turnEnds) {
        await setImmediate();
        turnEnds = reader.spent() + stepsAtOnce;
      }
      if (!reader.mayRead(name)) continue;
      if (items.length === count) return { items, next: items.at(-1) ?? null };
      items.push(name);
    }
    if (next === null) return { items, next: null };
    after = next;
    // Who may read little makes us look at much: others have their turn in between.
    await setImmediate();
  }
}

/**
 * The manifests whose subject is the digest, which may be of any algorithm; an empty page for what is unknown
 * [end-12a].
 */
export async function listReferrers(
  registry: Registry,
  place: Place,
  subject: string,
  options: ReferrersRequest,
): Promise<ListPage<Descriptor>> {
  const upstream = await upstreamOf(registry, place, (origin) => origin.referrers(place, subject));
  const own = await ownReferrers(registry, place.repository, subject, options);
  if (upstream === null) return own;
  const fits = fitsRequest(options);
  // Of what the upstream lists, too, nothing stands behind the end of our own page.
  const { next: end } = own;
  const others = upstream.items.filter(
    (item) => fits(item) && (end === null || item.digest <= end),
  );
  const all = new Map([...others, ...own.items].map((item) => [item.digest, item]));
  const sorted = [...all.values()].sort((one, other) => inByteOrder(one.digest, other.digest));
  return { ...firstOf(sorted, end), warning: upstream.warning };
}

export interface ReferrersRequest {
  readonly artifactTypes: readonly string[];
  readonly last: string | null;
}

function fitsRequest({ artifactTypes, last }: ReferrersRequest): (item: Descriptor) => boolean {
  return ({ digest, artifactType }) => {
    if (last !== null && digest <= last) return false;
    return artifactTypes.length === 0 || artifactTypes.includes(artifactType ?? "");
  };
}

/** As many as a page may hold; `end` is the cursor behind the last of them. */
function firstOf(items: readonly Descriptor[], end: string | null): ListPage<Descriptor> {
  let bytes = 0;
  const over = items.findIndex((item, index) => {
    bytes += Buffer.byteLength(JSON.stringify(item));
    return index === referrersEntriesMax || (bytes > referrersBytesMax && index > 0);
  });
  if (over === -1) return { items, next: end };
  const page = items.slice(0, over);
  return { items: page, next: page.at(-1)?.digest ?? null };
}

async function ownReferrers(
  registry: Registry,
  repository: string,
  subject: string,
  options: ReferrersRequest,
): Promise<ListPage<Descriptor>> {
  const items: Descriptor[] = [];
  let bytes = 0;
  let after = options.last;
  for (;;) {
    const resolved = await resolveReferrers(registry, repository, subject, {
      artifactTypes: options.artifactTypes,
      after,
      limit: referrersEntriesMax + 1,
      bytesMax: referrersBytesMax - bytes,
    });
    if (resolved.found === null) throw beingRead();
    const page = resolved.found;
    for (const record of page.records) {
      const descriptor = describe(record);
      bytes += Buffer.byteLength(JSON.stringify(descriptor));
      const full =
        items.length === referrersEntriesMax || (bytes > referrersBytesMax && items.length > 0);
      if (full) return { items, next: items.at(-1)?.digest ?? null };
      items.push(descriptor);
    }
    if (page.next === null) return { items, next: null };
    after = page.next;
    // A filter that fits little, or large annotations: others have their turn in between.
    await setImmediate();
  }
}

function describe(record: ReferrerRecord): Descriptor {
  const descriptor: Descriptor = {
    mediaType: record.mediaType,
    digest: record.digest,
    size: record.sizeBytes,
  };
  if (record.artifactType !== null) descriptor.artifactType = record.artifactType;
  if (record.annotations !== null) {
    descriptor.annotations = JSON.parse(record.annotations) as Record<string, string>;
  }
  return descriptor;
}
