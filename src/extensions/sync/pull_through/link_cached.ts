/**
 * Gives a mirrored repository a blob that another one has, without asking the upstream: only one of the same upstream.
 *
 * Whoever writes the manifest of an image knows digests of content that is not theirs. If any repository could give its
 * blobs, a manifest at some upstream would bring out what was pushed here for a few.
 */
import { mirrors } from "../../../metadata/mirrors.ts";
import type { Digest } from "../../../oci/digest.ts";
import { mountBlob } from "../../../registry/mount_blob.ts";
import type { Registry } from "../../../registry/registry.ts";

/** Repositories that are asked for their origin. */
const donorsMax = 64;

export interface WantedBlob {
  readonly repository: string;
  readonly digest: Digest;
  /** The upstream that the repository is a mirror of. */
  readonly host: string;
}

/** True when the repository has the blob now. */
export async function linkCached(registry: Registry, wanted: WantedBlob): Promise<boolean> {
  const { repository, digest, host } = wanted;
  const mountFrom = (from: string): Promise<boolean> =>
    mountBlob(registry, { repository, digest, from, mayRead: () => true, by: null });
  if (await mountFrom(repository)) return true;
  const { metadata } = registry;
  for (const donor of await metadata.repositoriesWithBlob(digest, repository, donorsMax)) {
    const origin = await metadata.records(mirrors).origin(donor);
    if (origin === host && (await mountFrom(donor))) return true;
  }
  return false;
}
