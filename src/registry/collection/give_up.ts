/**
 * THE place where collection gives something up: the commit that removes a candidate, with what must still hold. Where
 * there is time for an undo its content is held, from the moment when its last name went.
 */
import type { Candidate, ManifestFacts } from "../../metadata/collection.ts";
import type { Change, Commit, Precondition } from "../../metadata/metadata.ts";
import { mirrors } from "../../metadata/mirrors.ts";
import { recordCommit } from "../../metadata/records.ts";
import { parseDigest } from "../../oci/digest.ts";
import { subjectOfTag } from "../../oci/referrers.ts";
import { heldFor } from "../history/hold.ts";
import type { Registry } from "../registry.ts";

/** `by` in the history of what was collected; no user's name has a colon. */
export const collectionActor = ":gc";

type Given = Pick<Candidate, "repository" | "digest" | "since">;

/** A blob that no manifest names. */
export function giveUpBlob(registry: Registry, candidate: Given): Commit {
  const { digest, since } = candidate;
  return commitOf(
    candidate,
    "blob",
    [{ kind: "unreferenced", digest }],
    [{ kind: "unlink-blob", digest, ...heldFor(registry, "collected", since) }],
  );
}

type GivenManifest = Pick<ManifestFacts, "subject" | "tags"> & {
  /** It came from an upstream, and can be fetched again: nothing is held for an undo. */
  readonly isCached: boolean;
};

/** A manifest without tag and index, with the tags that followed a subject which is gone. */
export function giveUpManifest(
  registry: Registry,
  candidate: Given,
  { subject, tags, isCached }: GivenManifest,
): Commit {
  const { digest, since } = candidate;
  const subjects = [subject, ...tags.map(subjectOfTag)].flatMap((text) =>
    text === null ? [] : (parseDigest(text) ?? []),
  );
  const hold = isCached ? {} : heldFor(registry, "collected", since);
  const commit = commitOf(
    candidate,
    "manifest",
    [
      { kind: "unreferenced", digest },
      { kind: "tags-are", digest, tags },
      ...subjects.map((gone): Precondition => ({ kind: "manifest-absent", digest: gone })),
    ],
    [{ kind: "remove-manifest", digest, ...hold }],
  );
  if (!isCached) return commit;
  const { repository } = candidate;
  const forget = recordCommit(mirrors, { kind: "forget-manifest", repository, digest });
  return { ...commit, records: [forget] };
}

/** A repository that holds nothing. */
export function giveUpRepository(candidate: Given): Commit {
  const { repository } = candidate;
  const commit = commitOf(
    candidate,
    "repository",
    [{ kind: "repository-empty" }],
    [{ kind: "remove-repository" }],
  );
  // Whoever pushes to the name later is no mirror of anything.
  const forget = recordCommit(mirrors, { kind: "forget-origin", repository });
  return { ...commit, records: [forget] };
}

function commitOf(
  { repository, digest, since }: Given,
  as: Candidate["kind"],
  preconditions: readonly Precondition[],
  changes: readonly Change[],
): Commit {
  return {
    repository,
    preconditions: [{ kind: "candidate-since", digest, as, since }, ...preconditions],
    changes,
    by: collectionActor,
  };
}
