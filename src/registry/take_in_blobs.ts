/**
 * Links every blob file of a layout that the facts do not know, after hashing it.
 *
 * Promises: a file whose bytes do not have the digest of its name is reported and not linked; a blob that was
 * deleted through us and waits for the sweep is left alone, and so is one that vanishes meanwhile; files are
 * hashed as streams, whatever their size.
 */
import { algorithmOf, newHasher, parseDigest, type Digest } from "../oci/digest.ts";
import type { Intake } from "./intake.ts";

/** Commits that are on their way at once. */
const commitsMax = 256;

export interface TakenBlobs {
  readonly taken: number;
  readonly problems: readonly string[];
}

/** Takes in the blobs of a repository; `manifests` are the digests that are manifests. */
export async function takeInBlobs(
  intake: Intake,
  manifests: ReadonlySet<string>,
): Promise<TakenBlobs> {
  const { registry, repository } = intake;
  const problems: string[] = [];
  let commits: Promise<boolean>[] = [];
  let taken = 0;
  const settle = async (): Promise<void> => {
    taken += (await Promise.all(commits)).filter(Boolean).length;
    commits = [];
  };
  for (const { algorithm, hex } of await registry.storage.listBlobs(repository)) {
    intake.signal?.throwIfAborted();
    const digest = parseDigest(`${algorithm}:${hex}`);
    if (digest === null) {
      problems.push(`blobs/${algorithm}/${hex}: not the name of a blob`);
      continue;
    }
    if (manifests.has(digest) || (await isKnown(intake, digest))) continue;
    const sizeBytes = await verifiedSize(intake, digest);
    if (sizeBytes === null) {
      problems.push(`blob ${digest}: its bytes have another digest`);
      continue;
    }
    const commit = link(intake, digest, sizeBytes);
    // Waited for later, and then thrown; nobody else needs to hear of it.
    commit.catch(() => undefined);
    commits.push(commit);
    if (commits.length >= commitsMax) await settle();
  }
  await settle();
  return { taken, problems };
}

/** A commit of its own, so that one file that vanished does not refuse the others; they share a transaction. */
async function link(
  { registry, repository }: Intake,
  digest: Digest,
  sizeBytes: number,
): Promise<boolean> {
  const outcome = await registry.metadata.commit({
    preconditions: [{ kind: "bytes-present", repository, digest }],
    changes: [{ kind: "link-blob", repository, digest, sizeBytes }],
    by: null,
  });
  return outcome.committed;
}

async function isKnown({ registry, repository }: Intake, digest: Digest): Promise<boolean> {
  const { metadata } = registry;
  return (
    (await metadata.blobSize(repository, digest)) !== null ||
    (await metadata.manifestByDigest(repository, digest)) !== null ||
    (await metadata.isOrphan(repository, digest))
  );
}

/** The size of a blob whose bytes have its digest; null when they have another. */
async function verifiedSize(
  { registry, repository, signal }: Intake,
  digest: Digest,
): Promise<number | null> {
  const hasher = newHasher(algorithmOf(digest));
  let sizeBytes = 0;
  for await (const chunk of registry.storage.blobContent(repository, digest, null).stream()) {
    signal?.throwIfAborted();
    hasher.update(chunk);
    sizeBytes += chunk.length;
  }
  return hasher.digest() === digest ? sizeBytes : null;
}
