/**
 * Gives a mirrored repository a blob that another one has, without downloading it again: only one of the same upstream,
 * and only what that upstream has in this repository, too.
 *
 * Whoever writes the manifest of an image knows digests of content that is not theirs. If any repository could give its
 * blobs, a manifest at some upstream would bring out what was pushed here for a few, or what lies there for a few.
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
  /** Asks the upstream whether it has the blob in this repository. */
  readonly isUpstream: () => Promise<boolean>;
}

/** True when the repository has the blob now. */
export async function linkCached(registry: Registry, wanted: WantedBlob): Promise<boolean> {
  const { repository, digest, host, isUpstream } = wanted;
  if (await hasOwn(registry, wanted)) return true;
  const { metadata } = registry;
  let isAsked = false;
  for (const donor of await metadata.repositoriesWithBlob(digest, repository, donorsMax)) {
    if ((await metadata.records(mirrors).origin(donor)) !== host) continue;
    if (!isAsked && !(await isUpstream())) return false;
    isAsked = true;
    if (await mountFrom(registry, { repository, digest }, donor)) return true;
  }
  return false;
}

/** Whether the repository has the blob itself. */
export function hasOwn(
  registry: Registry,
  wanted: Pick<WantedBlob, "repository" | "digest">,
): Promise<boolean> {
  return mountFrom(registry, wanted, wanted.repository);
}

function mountFrom(
  registry: Registry,
  { repository, digest }: Pick<WantedBlob, "repository" | "digest">,
  from: string,
): Promise<boolean> {
  return mountBlob(registry, {
    repository,
    digest,
    from,
    mayRead: () => true,
    by: null,
    // As what is downloaded: nobody's pull fails for want of room, nor costs the upstream more.
    quotas: "counted",
  });
}
