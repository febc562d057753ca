/**
 * Puts the bytes of a complete upload into a repository, and repairs damaged copies of them elsewhere.
 *
 * Where the same blob exists already, in this repository or in another one, that copy is shared instead of storing the
 * bytes twice. It is first compared with the pushed bytes, byte for byte
 * (docs/decisions/0019-shared-content-is-compared.md).
 */
import type { Digest } from "../oci/digest.ts";
import type { ComparedBytes, UnnamedBytes } from "../storage/blob_store.ts";
import type { Holding } from "../metadata/metadata.ts";
import type { Registry } from "./registry.ts";
import { marksOf, replaceCopy } from "./scrub/replace_copy.ts";

/** Other repositories whose copy is compared: each costs reading it. */
export const donorsMax = 3;
/** Where some lie in other stores, so many are looked through for those that lie beside. */
const lookedMax = 256;
/** Other repositories that are looked at once a damaged copy was found. */
const mendedMax = 1_000;

/** All bytes of a blob, by a digest that is theirs: those of an upload, or bytes at hand. */
export interface CompleteBytes extends ComparedBytes {
  /** Makes them content, as `HeldUpload` says; the caller names them where it is given what to name them with. */
  finish(repository: string, digest: Digest): Promise<UnnamedBytes | null>;
}

/** A copy that is not what was pushed. */
export interface Damaged {
  readonly repository: string;
  /** Tells the stored bytes, so that others who share them are known by theirs; null for those that are gone. */
  readonly stamp: string | null;
}

interface Blob {
  readonly repository: string;
  readonly digest: Digest;
}

export interface Placed {
  /** Damaged copies that were met. */
  readonly damaged: Damaged[];
  /** Whose copy was shared; null where the bytes were stored. */
  readonly from: string | null;
  /** Stored bytes that the caller has to name. */
  readonly unnamed: UnnamedBytes | null;
}

/**
 * Puts the bytes under their digest, flushed. While any copy is marked as damaged none is shared: a store may take one for
 * equal by what it knows of it. One may be marked until the commit, which has to look.
 */
export async function placeBlob(
  registry: Registry,
  complete: CompleteBytes,
  { repository, digest }: Blob,
): Promise<Placed> {
  const damaged: Damaged[] = [];
  const isMarked = (await marksOf(registry, digest)).length > 0;
  const donors = await donorsOf(registry, { repository, digest }, donorsMax);
  // The bytes are at hand: where nothing can be shared they are stored, and no copy is made.
  const share = (from: string): Promise<boolean> =>
    registry.blobs.share(digest, { from, to: repository, mayCopy: false });
  for (const donor of [repository, ...donors]) {
    const found = await compare(registry, complete, { repository: donor, digest });
    if (found === "equal" && isMarked) continue;
    if (found === "equal" && (await share(donor))) {
      return { damaged, from: donor, unnamed: null };
    }
    // That the pushed repository has nothing yet is no news.
    const isNew = found === "absent" && donor === repository;
    if (found !== "equal" && !isNew) damaged.push(await described(registry, donor, digest));
  }
  return { damaged, from: null, unnamed: await complete.finish(repository, digest) };
}

/** Other repositories that have the content, and would share it. */
export async function donorsOf(
  { metadata, dedupes }: Registry,
  { repository, digest }: Blob,
  limit: number,
): Promise<string[]> {
  if (!dedupes(repository, repository)) return [];
  const found = await metadata.repositoriesWithBlob(digest, repository, limit);
  const near = found.filter((other) => dedupes(repository, other));
  // The first of them may all lie in other stores.
  if (near.length === found.length || found.length < limit) return near;
  const more = await metadata.repositoriesWithBlob(digest, repository, Math.max(limit, lookedMax));
  return more.filter((other) => dedupes(repository, other)).slice(0, limit);
}

/** A copy that cannot be read is not known to be right. */
async function compare(registry: Registry, complete: CompleteBytes, copy: Blob) {
  try {
    return await registry.blobs.compare(copy.repository, copy.digest, complete);
  } catch (error) {
    registry.report("error", "content could not be read, and is not shared", {
      ...copy,
      problem: String(error),
    });
    return "different";
  }
}

async function described(
  { blobs }: Registry,
  repository: string,
  digest: Digest,
): Promise<Damaged> {
  const stat = await blobs.stat(repository, digest).catch(() => null);
  return { repository, stamp: stat?.stamp ?? null };
}

/**
 * Puts the good bytes, which `repository` has by now, in the place of damaged copies: of those that were met, of those
 * who share their bytes, and of every one that is gone or has another length. What cannot be mended is reported: the
 * push itself has succeeded.
 */
export async function mendCopies(
  registry: Registry,
  { repository, digest, sizeBytes }: Holding,
  damaged: readonly Damaged[],
): Promise<void> {
  if (damaged.length === 0) return;
  const { blobs, report } = registry;
  const stamps = new Set(damaged.map(({ stamp }) => stamp));
  if (damaged.some((copy) => copy.repository === repository)) {
    report("warn", mended, { repository, digest });
  }
  const holders = await donorsOf(registry, { repository, digest }, mendedMax);
  for (const holder of holders) {
    const copy = { repository: holder, digest };
    try {
      const stat = await blobs.stat(holder, digest);
      if (stat?.sizeBytes === sizeBytes && !stamps.has(stat.stamp)) continue;
      if (await replaceCopy(registry, copy, repository)) report("warn", mended, copy);
    } catch (error) {
      report("error", "a damaged copy could not be replaced", { ...copy, problem: String(error) });
    }
  }
}

const mended = "a damaged copy was replaced by the bytes of a push";
