/**
 * Finds what a reference means in a repository, for all operations: pulls, HEADs, lists, referrers, the sources of
 * mounts, deletes and conditions on tags.
 *
 * The metadata is asked first. What it does not have may still come from one of the registry's sources, such as a
 * layout on disk that has not been read yet: then the metadata is asked again. A result says in which repository its
 * bytes lie. Absence always has its reason, so that "not there" and "not read yet" are never the same answer.
 *
 * A name of the past (`../oci/past_name.ts`) is answered from history, and from content that is here, live or held.
 */
import { setImmediate } from "node:timers/promises";
import { must } from "../lib/assert.ts";
import { apiError, type ApiError } from "../oci/errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { Reference } from "../oci/reference.ts";
import type {
  Holding,
  ManifestRecord,
  Page,
  Recorded,
  ReferrersPage,
  ScanPage,
} from "../metadata/metadata.ts";
import { scrub } from "../metadata/scrub.ts";
import { isPastName, realNameOf } from "../oci/past_name.ts";
import { beforeHistory, collectedSince, pastOf, requireKnown, type Past } from "./history/past.ts";
import type { Place, Pulled, PulledBlob } from "./origin.ts";
import type { Brought, Registry } from "./registry.ts";
import type { ManifestHolding, Resolved, WhyAbsent } from "./resolved.ts";

export type { ManifestHolding } from "./resolved.ts";

/** Seconds that a client is asked to wait for what is being read. */
const retryAfterS = "5";

export async function resolveManifest(
  registry: Registry,
  repository: string,
  reference: Reference,
): Promise<Resolved<ManifestHolding>> {
  const { metadata } = registry;
  if (isPastName(repository)) return manifestThen(registry, repository, reference);
  const read = (): Promise<ManifestRecord | null> =>
    reference.kind === "tag"
      ? metadata.manifestByTag(repository, reference.tag)
      : metadata.manifestByDigest(repository, reference.digest);
  const record = (await read()) ?? (await readAgain(registry, repository, read));
  if (record === "later") return { found: null, why: "being-read" };
  if (record === null) return { found: null, why: await whyAbsent(registry, repository) };
  return { found: { ...record, repository } };
}

/** Does not tell an unknown repository from an unknown blob: the answer to a pull of a blob is the same. */
export async function resolveBlob(
  registry: Registry,
  repository: string,
  digest: Digest,
): Promise<Resolved<Holding>> {
  const { metadata } = registry;
  if (isPastName(repository)) return blobThen(registry, repository, digest);
  const read = (): Promise<Recorded | null> => metadata.blobRecord(repository, digest);
  const record = (await read()) ?? (await readAgain(registry, repository, read));
  if (record === "later") return { found: null, why: "being-read" };
  if (record === null) return { found: null, why: "absent" };
  const { sizeBytes, damagedSince } = record;
  if (damagedSince !== undefined) return { found: { repository, digest, sizeBytes, damagedSince } };
  return { found: { repository, digest, sizeBytes } };
}

/** A pull of a manifest: an upstream may have it, or have moved its tag. */
export async function pullManifest(
  registry: Registry,
  place: Place,
  reference: Reference,
): Promise<Pulled<ManifestHolding>> {
  const { origin } = registry;
  if (origin === null || isPastName(place.repository)) {
    return resolveManifest(registry, place.repository, reference);
  }
  return origin.manifest(place, reference);
}

/** A pull of a blob: an upstream may have it. */
export async function pullBlob(
  registry: Registry,
  place: Place,
  digest: Digest,
): Promise<PulledBlob> {
  const { origin } = registry;
  if (origin === null || isPastName(place.repository)) {
    return resolveBlob(registry, place.repository, digest);
  }
  return origin.blob(place, digest);
}

/** A slice of a repository's tags, all of which are known by then. */
export async function resolveTags(
  registry: Registry,
  repository: string,
  page: Page,
): Promise<Resolved<readonly string[]>> {
  if (isPastName(repository)) return tagsThen(registry, repository, page);
  if ((await bring(registry, repository)) === "later") return { found: null, why: "being-read" };
  const tags = await registry.metadata.tags(repository, page);
  if (tags.length > 0) return { found: tags };
  const why = await whyAbsent(registry, repository);
  return why === "absent" ? { found: tags } : { found: null, why };
}

/** A slice of the referrers of a digest, all of which are known by then; empty for an unknown repository or digest. */
export async function resolveReferrers(
  registry: Registry,
  repository: string,
  subject: string,
  page: ScanPage & { readonly artifactTypes: readonly string[] },
): Promise<Resolved<ReferrersPage>> {
  if (isPastName(repository)) return referrersThen(registry, repository, subject, page);
  if ((await bring(registry, repository)) === "later") return { found: null, why: "being-read" };
  return {
    found: await registry.metadata.referrers(repository, subject, page.artifactTypes, page),
  };
}

/** What a name of the past stands for, once all of the repository is known. */
async function past(registry: Registry, repository: string): Promise<Past | "later"> {
  if ((await bring(registry, realNameOf(repository))) === "later") return "later";
  return must(await pastOf(registry, repository), "the name is one of the past");
}

async function manifestThen(
  registry: Registry,
  repository: string,
  reference: Reference,
): Promise<Resolved<ManifestHolding>> {
  const then = await past(registry, repository);
  if (then === "later") return { found: null, why: "being-read" };
  const reads = registry.metadata.past;
  const { name } = then;
  const isTag = reference.kind === "tag";
  if (isTag && isBeforeHistory(then)) return nothingThen(registry, then, "MANIFEST_UNKNOWN");
  const digest = isTag ? await tagThen(registry, then, reference.tag) : reference.digest;
  if (digest === null) return { found: null, why: "absent" };
  const record = await reads.manifest(name, digest);
  if (record === null) throw await collectedSince(registry, then, digest);
  return { found: await marked(registry, { ...record, repository: name }) };
}

function isBeforeHistory({ sequence, isForgotten }: Past): boolean {
  return sequence === 0 || isForgotten;
}

async function tagThen(registry: Registry, then: Past, tag: string): Promise<Digest | null> {
  await requireKnown(registry, then, tag);
  return registry.metadata.past.tagAt(then.name, tag, then.sequence);
}

/** Past reads tell of no damage. */
async function marked<T extends Holding>({ metadata }: Registry, content: T): Promise<T> {
  const mark = await metadata.records(scrub).mark(content.repository, content.digest);
  return mark === null ? content : { ...content, damagedSince: mark.since };
}

/** @throws `unknown` where history begins later. */
async function nothingThen(
  registry: Registry,
  then: Past,
  unknown: "MANIFEST_UNKNOWN" | "NAME_UNKNOWN",
): Promise<{ readonly found: null; readonly why: WhyAbsent }> {
  const error = await beforeHistory(registry, then, unknown);
  if (error !== null) throw error;
  return { found: null, why: await whyAbsent(registry, then.name) };
}

async function blobThen(
  registry: Registry,
  repository: string,
  digest: Digest,
): Promise<Resolved<Holding>> {
  const then = await past(registry, repository);
  if (then === "later") return { found: null, why: "being-read" };
  const sizeBytes = await registry.metadata.past.blobSize(then.name, digest);
  if (sizeBytes === null) return { found: null, why: "absent" };
  return { found: await marked(registry, { repository: then.name, digest, sizeBytes }) };
}

/** Tags that are looked at in one turn: each is two looks into history. */
const pastTagsAtOnce = 500;

async function tagsThen(
  registry: Registry,
  repository: string,
  { after, limit }: Page,
): Promise<Resolved<readonly string[]>> {
  const then = await past(registry, repository);
  if (then === "later") return { found: null, why: "being-read" };
  const { name, sequence } = then;
  if (isBeforeHistory(then)) return nothingThen(registry, then, "NAME_UNKNOWN");
  const found: string[] = [];
  for (let last = after; ;) {
    const page = { after: last, limit: pastTagsAtOnce };
    const { items, next } = await registry.metadata.past.tagsAt(name, sequence, page);
    found.push(...items);
    if (found.length >= limit || next === null) return { found: found.slice(0, limit) };
    last = next;
    // Of many tags that are gone few are listed: others have their turn in between.
    await setImmediate();
  }
}

async function referrersThen(
  registry: Registry,
  repository: string,
  subject: string,
  page: ScanPage & { readonly artifactTypes: readonly string[] },
): Promise<Resolved<ReferrersPage>> {
  const then = await past(registry, repository);
  if (then === "later") return { found: null, why: "being-read" };
  const pushedBy = Math.floor(then.moment / 1_000);
  return { found: await registry.metadata.past.referrersAt(then.name, subject, pushedBy, page) };
}

/** Lets the sources bring what they have of a repository. "brought": what was looked for may be there now. */
export async function bring(registry: Registry, repository: string): Promise<Brought> {
  let all: Brought = "nothing";
  for (const source of registry.sources) {
    const brought = await source(registry, repository);
    if (brought === "later") return "later";
    if (brought === "brought") all = "brought";
  }
  return all;
}

async function readAgain<T>(
  registry: Registry,
  repository: string,
  read: () => Promise<T | null>,
): Promise<T | null | "later"> {
  const brought = await bring(registry, repository);
  if (brought === "later") return "later";
  return brought === "brought" ? await read() : null;
}

/** The reason of a reference that is not there. */
export async function whyAbsent(registry: Registry, repository: string): Promise<WhyAbsent> {
  return (await registry.metadata.repositoryExists(repository)) ? "absent" : "no-repository";
}

/** The API error for a reason; `unknown` is that of the thing itself. */
export function absentError(
  why: WhyAbsent,
  unknown: "MANIFEST_UNKNOWN" | "BLOB_UNKNOWN",
  detail: object,
): ApiError {
  if (why === "being-read") return beingRead();
  return apiError(why === "no-repository" ? "NAME_UNKNOWN" : unknown, { detail });
}

/** Whether the layout of the repository is still being read in: nobody knows yet what is there. */
export function isBeingRead(resolved: Resolved<unknown>): boolean {
  return "why" in resolved && resolved.why === "being-read";
}

/** The API error while the layout of the repository is being read in. */
export function beingRead(): ApiError {
  return apiError("UNAVAILABLE", {
    message: "This repository lies on disk and is still being read; try again",
    headers: { "retry-after": retryAfterS },
  });
}
