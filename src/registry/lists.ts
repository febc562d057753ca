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
import { realNameOf } from "../oci/past_name.ts";
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
}

export interface PageRequest {
  /** Only items after this one. */
  readonly last: string | null;
  /** How many at most; null for the default. */
  readonly count: number | null;
}

/** @throws NAME_UNKNOWN, UNAVAILABLE. */
export async function listTags(
  registry: Registry,
  repository: string,
  page: PageRequest,
): Promise<ListPage<string>> {
  const wanted = Math.min(page.count ?? pageEntriesDefault, pageEntriesMax);
  const resolved = await resolveTags(registry, repository, { after: page.last, limit: wanted + 1 });
  if (resolved.found === null) {
    throw absentError(resolved.why, "MANIFEST_UNKNOWN", { name: realNameOf(repository) });
  }
  const items = resolved.found.slice(0, wanted);
  return { items, next: resolved.found.length > wanted ? (items.at(-1) ?? null) : null };
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
  repository: string,
  subject: string,
  options: { readonly artifactTypes: readonly string[]; readonly last: string | null },
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
