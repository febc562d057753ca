/**
 * Mounts a blob of one repository into another, without transferring its bytes [end-11].
 *
 * When this returns true, the blob can be read in the target and no longer depends on the source. Every reason not to
 * mount gives the same `false`, so that the answer does not reveal whether the source has the blob. `api` passes only
 * sources that the caller may read.
 */
import { MiB } from "../lib/bytes.ts";
import { QuotaExceeded, type Holding } from "../metadata/metadata.ts";
import type { Digest } from "../oci/digest.ts";
import { fileTrouble } from "../storage/adopt.ts";
import { isSource } from "./content.ts";
import { nameBytes, type PlacedBytes } from "./name_bytes.ts";
import { donorsMax, donorsOf } from "./place_blob.ts";
import type { Registry } from "./registry.ts";
import { resolveBlob } from "./resolve.ts";

/** Repositories that are asked in a mount that names no source. */
const sourcesMax = 16;
/** Copied from one store into another while a mount waits; of more the client sends the bytes. */
const copiedBytesMax = 64 * MiB;

export interface MountRequest {
  readonly repository: string;
  readonly digest: Digest;
  /** The source; null asks every repository that the caller may read. */
  readonly from: string | null;
  /** Whether the caller may read a repository. */
  readonly mayRead: (repository: string) => boolean;
  readonly by: string | null;
  /** As in a commit: quotas count it, and refuse nothing. */
  readonly quotas?: "counted";
}

/** True when the blob is in the repository now, by this mount or before it. */
export async function mountBlob(registry: Registry, request: MountRequest): Promise<boolean> {
  const { repository, mayRead } = request;
  // The target itself comes first: a mount of what is there renews its place in it. Who may push and not read sends it.
  if (mayRead(repository) && (await mountFrom(registry, repository, request))) return true;
  for (const source of await readableSources(registry, request)) {
    if (await mountBeside(registry, source, request)) return true;
    if (await mountFrom(registry, source, request)) return true;
  }
  return false;
}

/**
 * Where the source lies in another store, a repository beside the target that has the content gives it without a copy:
 * the caller may read these bytes in the source.
 */
async function mountBeside(
  registry: Registry,
  source: string,
  request: MountRequest,
): Promise<boolean> {
  const { repository, digest } = request;
  const { dedupes } = registry;
  if (dedupes(source, repository) || !dedupes(repository, repository)) return false;
  const { found } = await resolveBlob(registry, source, digest);
  if (found === null) return false;
  for (const near of await donorsOf(registry, request, donorsMax)) {
    if (await mountFrom(registry, near, request)) return true;
  }
  return false;
}

async function readableSources(registry: Registry, request: MountRequest): Promise<string[]> {
  const { repository, digest, from, mayRead } = request;
  const candidates =
    from === null
      ? await registry.metadata.repositoriesWithBlob(digest, repository, sourcesMax)
      : [from];
  const readable: string[] = [];
  for (const candidate of candidates) {
    if (mayRead(candidate)) readable.push(candidate);
  }
  return readable;
}

async function mountFrom(
  registry: Registry,
  source: string,
  { repository, digest, by, quotas }: MountRequest,
): Promise<boolean> {
  const counted = quotas === undefined ? {} : { quotas };
  const place = async (): Promise<PlacedBytes | null> => {
    const { found: content } = await resolveBlob(registry, source, digest);
    if (content === null) return null;
    if (quotas === undefined && !(await hasRoom(registry, content, repository))) return null;
    if (!(await isShared(registry, content, repository))) return null;
    const changes = [{ kind: "link-blob", digest, sizeBytes: content.sizeBytes } as const];
    // A check may find the file damaged after it was shared: its other names are known to it once this is committed.
    const preconditions = [{ kind: "unmarked-in", digest, repository: source } as const];
    const commit = { repository, preconditions, changes, by, ...counted };
    return { commit, unnamed: null };
  };
  try {
    const refused = (): Promise<void> => release(registry, repository, digest);
    return await nameBytes(registry, { digest, place, isVerified: false, refused });
  } catch (error) {
    // Clients take a refused mount for a failed push: the upload that they begin instead is refused with a reason.
    if (error instanceof QuotaExceeded) return false;
    throw error;
  }
}

/** What is not named after all goes with the sweep. */
async function release({ metadata }: Registry, repository: string, digest: Digest): Promise<void> {
  const changes = [{ kind: "release-bytes", digest } as const];
  await metadata.commit({ repository, preconditions: [], changes, by: null });
}

async function hasRoom(
  { quotas }: Registry,
  { repository: source, digest, sizeBytes }: Holding,
  target: string,
): Promise<boolean> {
  if (quotas === null || source === target) return true;
  return quotas.hasRoom(target, digest, sizeBytes);
}

/** Makes the source's content that of the target; false when it has none that is good, or none that can be read. */
async function isShared(registry: Registry, content: Holding, target: string): Promise<boolean> {
  const { repository: source, digest } = content;
  try {
    if (!(await isSource(registry, content))) return false;
    if (source === target) return true;
    const how = { from: source, to: target, mayCopy: true, copiedBytesMax };
    return await registry.blobs.share(digest, how);
  } catch (error) {
    const problem = fileTrouble(error);
    registry.report("error", "content cannot be mounted", { repository: source, digest, problem });
    return false;
  }
}
