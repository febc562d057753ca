/**
 * Links every blob file of a layout that the facts do not know, after hashing it.
 *
 * Promises: a file whose bytes do not have the digest of its name is reported and not linked; a blob that was
 * deleted through us and waits for the sweep is left alone; files are hashed as streams, whatever their size.
 */
import type { Change } from "../metadata/metadata.ts";
import { newHasher, parseDigest, type Digest } from "../oci/digest.ts";
import type { Registry } from "./registry.ts";

const changesPerCommit = 256;

export interface TakenBlobs {
  readonly taken: number;
  readonly problems: readonly string[];
}

/** Takes in the blobs of a repository; `manifests` are the digests that are manifests. */
export async function takeInBlobs(
  registry: Registry,
  repository: string,
  manifests: ReadonlySet<string>,
): Promise<TakenBlobs> {
  const problems: string[] = [];
  let changes: Change[] = [];
  let taken = 0;
  const flush = async (): Promise<void> => {
    if (changes.length > 0)
      await registry.metadata.commit({ preconditions: [], changes, by: null });
    changes = [];
  };
  for (const { algorithm, hex } of await registry.storage.listBlobs(repository)) {
    const digest = parseDigest(`${algorithm}:${hex}`);
    if (digest === null) {
      problems.push(`blobs/${algorithm}/${hex}: not the name of a blob`);
      continue;
    }
    if (manifests.has(digest) || (await isKnown(registry, repository, digest))) continue;
    const sizeBytes = await verifiedSize(registry, repository, digest);
    if (sizeBytes === null) {
      problems.push(`blob ${digest}: its bytes have another digest`);
      continue;
    }
    changes.push({ kind: "link-blob", repository, digest, sizeBytes });
    taken += 1;
    if (changes.length >= changesPerCommit) await flush();
  }
  await flush();
  return { taken, problems };
}

async function isKnown(registry: Registry, repository: string, digest: Digest): Promise<boolean> {
  const { metadata } = registry;
  return (
    (await metadata.blobSize(repository, digest)) !== null ||
    (await metadata.manifestByDigest(repository, digest)) !== null ||
    (await metadata.isOrphan(repository, digest))
  );
}

/** The size of a blob whose bytes have its digest; null when they have another. */
async function verifiedSize(
  registry: Registry,
  repository: string,
  digest: Digest,
): Promise<number | null> {
  const hasher = newHasher(digest.startsWith("sha256:") ? "sha256" : "sha512");
  let sizeBytes = 0;
  for await (const chunk of registry.storage.blobContent(repository, digest, null).stream()) {
    hasher.update(chunk);
    sizeBytes += chunk.length;
  }
  return hasher.digest() === digest ? sizeBytes : null;
}
