/**
 * Names bytes in the metadata, once they lie in the repository.
 *
 * Nothing names them while they are put there, so a sweep may remove them before the commit. The commit is then
 * refused, and both are done again. Where the store leaves the name of its bytes to the commit, both are one. A commit
 * that is refused for another reason is the caller's to explain. Bytes that were damaged here, or in other repositories,
 * are right again afterwards where those that were put are verified.
 */
import {
  QuotaExceeded,
  type Commit,
  type CommitOutcome,
  type FailedPrecondition,
} from "../metadata/metadata.ts";
import type { Digest } from "../oci/digest.ts";
import type { UnnamedBytes } from "../storage/blob_store.ts";
import { withSpace } from "./history/giving_way.ts";
import type { Registry } from "./registry.ts";
import { healMarked, marksOf } from "./scrub/replace_copy.ts";

/** A sweep that crosses a push again and again has no end in sight. */
const triesMax = 3;

/** What names bytes that were put. */
export interface PlacedBytes {
  readonly commit: Commit;
  /** Null for bytes that lie under their digest already. */
  readonly unnamed: UnnamedBytes | null;
}

export interface Naming {
  readonly digest: Digest;
  /** Puts the bytes there, and gives what to commit; null where they cannot be had. */
  readonly place: () => Promise<PlacedBytes | null>;
  /** False where the bytes are those of a repository, as they lie there: they heal no others. */
  readonly isVerified?: boolean;
  /** Told of every refusal; throws where more than swept bytes is the reason. */
  readonly refused?: (
    failed: readonly FailedPrecondition[],
    /** What was put and lies there under its digest, unnamed by the metadata. */
    left: "bytes" | "nothing",
  ) => Promise<void>;
}

/** What a quota refuses leaves no bytes: the sweep removes what was put there, unless another push has named it. */
async function committed(
  registry: Registry,
  { commit, unnamed }: PlacedBytes,
  digest: Digest,
): Promise<CommitOutcome> {
  const { metadata } = registry;
  const whole = whileThere({ commit, unnamed }, digest);
  try {
    const outcome = await withSpace(registry, null, () => metadata.commit(whole));
    if (!outcome.committed) await unnamed?.giveUp();
    return outcome;
  } catch (error) {
    // Whatever became of the commit: what has its name keeps it.
    if (unnamed !== null) await unnamed.giveUp().catch(() => undefined);
    else if (error instanceof QuotaExceeded) {
      const changes = [{ kind: "release-bytes", digest } as const];
      await metadata.commit({ ...commit, preconditions: [], changes, records: [] });
    }
    throw error;
  }
}

/** The commit, if the bytes are there still; they get their name by it where they have none. */
function whileThere({ commit, unnamed }: PlacedBytes, digest: Digest): Commit {
  const { preconditions, records = [] } = commit;
  if (unnamed === null) {
    return { ...commit, preconditions: [...preconditions, { kind: "bytes-present", digest }] };
  }
  const { key, naming } = unnamed;
  return {
    ...commit,
    preconditions: key === null ? preconditions : [...preconditions, { kind: "key-reserved", key }],
    records: [...records, naming],
  };
}

/** False when the bytes could not be had, or were swept each time. */
export async function nameBytes(registry: Registry, naming: Naming): Promise<boolean> {
  const { digest, place, refused, isVerified = true } = naming;
  for (let attempt = 1; attempt <= triesMax; attempt += 1) {
    const placed = await place();
    if (placed === null) return false;
    const marked = isVerified ? await marksOf(registry, digest) : [];
    const outcome = await committed(registry, placed, digest);
    if (outcome.committed) {
      if (marked.length > 0) await healMarked(registry, { ...placed.commit, digest }, marked);
      return true;
    }
    await refused?.(outcome.failed, placed.unnamed === null ? "bytes" : "nothing");
  }
  return false;
}
