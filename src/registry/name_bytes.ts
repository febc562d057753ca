/**
 * Names bytes in the metadata, once they lie in the repository.
 *
 * Nothing names them while they are put there, so a sweep may remove them before the commit. The commit is then
 * refused, and both are done again. A commit that is refused for another reason is the caller's to explain. Bytes that
 * were damaged here, or in other repositories, are right again afterwards where those that were put are verified.
 */
import {
  QuotaExceeded,
  type Commit,
  type CommitOutcome,
  type FailedPrecondition,
} from "../metadata/metadata.ts";
import type { Digest } from "../oci/digest.ts";
import { withSpace } from "./history/giving_way.ts";
import type { Registry } from "./registry.ts";
import { healMarked, marksOf } from "./scrub/replace_copy.ts";

/** A sweep that crosses a push again and again has no end in sight. */
const triesMax = 3;

export interface Naming {
  readonly digest: Digest;
  /** Puts the bytes there, and gives what to commit; null where they cannot be had. */
  readonly place: () => Promise<Commit | null>;
  /** False where the bytes are those of a repository, as they lie there: they heal no others. */
  readonly isVerified?: boolean;
  /** Told of every refusal; throws where more than swept bytes is the reason. */
  readonly refused?: (failed: readonly FailedPrecondition[]) => Promise<void>;
}

/** What a quota refuses leaves no bytes: the sweep removes what was put there, unless another push has named it. */
async function committed(
  registry: Registry,
  commit: Commit,
  digest: Digest,
): Promise<CommitOutcome> {
  const { metadata } = registry;
  try {
    return await withSpace(registry, null, () => metadata.commit(commit));
  } catch (error) {
    if (error instanceof QuotaExceeded) {
      const changes = [{ kind: "release-bytes", digest } as const];
      await metadata.commit({ ...commit, preconditions: [], changes, records: [] });
    }
    throw error;
  }
}

/** False when the bytes could not be had, or were swept each time. */
export async function nameBytes(registry: Registry, naming: Naming): Promise<boolean> {
  const { digest, place, refused, isVerified = true } = naming;
  for (let attempt = 1; attempt <= triesMax; attempt += 1) {
    const commit = await place();
    if (commit === null) return false;
    const preconditions = [...commit.preconditions, { kind: "bytes-present", digest } as const];
    const marked = isVerified ? await marksOf(registry, digest) : [];
    const outcome = await committed(registry, { ...commit, preconditions }, digest);
    if (outcome.committed) {
      if (marked.length > 0) await healMarked(registry, { ...commit, digest }, marked);
      return true;
    }
    await refused?.(outcome.failed);
  }
  return false;
}
