/**
 * Finds what a reference means in a repository, for all operations: pulls, HEADs, lists, referrers, the sources of
 * mounts, deletes and conditions on tags.
 *
 * The metadata is asked first. What it does not have may still come from one of the registry's sources, such as a
 * layout on disk that has not been read yet: then the metadata is asked again. A result says in which repository its
 * bytes lie. Absence always has its reason, so that "not there" and "not read yet" are never the same answer.
 */
import { apiError, type ApiError } from "../oci/errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { Reference } from "../oci/reference.ts";
import type {
  Holding,
  ManifestRecord,
  Page,
  ReferrersPage,
  ScanPage,
} from "../metadata/metadata.ts";
import type { Brought, Registry } from "./registry.ts";

/** A manifest, and the repository where its bytes lie. */
export type ManifestHolding = ManifestRecord & Holding;

export type WhyAbsent =
  | "no-repository"
  /** The repository has no such thing, or is not there. */
  | "absent"
  /** A source has something of this repository and did not bring it in time. */
  | "being-read";

export type Resolved<T> = { readonly found: T } | { readonly found: null; readonly why: WhyAbsent };

/** Seconds that a client is asked to wait for what is being read. */
const retryAfterS = "5";

export async function resolveManifest(
  registry: Registry,
  repository: string,
  reference: Reference,
): Promise<Resolved<ManifestHolding>> {
  const { metadata } = registry;
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
  const read = (): Promise<number | null> => metadata.blobSize(repository, digest);
  const sizeBytes = (await read()) ?? (await readAgain(registry, repository, read));
  if (sizeBytes === "later") return { found: null, why: "being-read" };
  if (sizeBytes === null) return { found: null, why: "absent" };
  return { found: { repository, digest, sizeBytes } };
}

/** A slice of a repository's tags, all of which are known by then. */
export async function resolveTags(
  registry: Registry,
  repository: string,
  page: Page,
): Promise<Resolved<readonly string[]>> {
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
  if ((await bring(registry, repository)) === "later") return { found: null, why: "being-read" };
  return {
    found: await registry.metadata.referrers(repository, subject, page.artifactTypes, page),
  };
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

/** The API error while the layout of the repository is being read in. */
export function beingRead(): ApiError {
  return apiError("UNAVAILABLE", {
    message: "This repository lies on disk and is still being read; try again",
    headers: { "retry-after": retryAfterS },
  });
}
