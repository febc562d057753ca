/**
 * THE place where collection gives something up: the commit that removes a candidate, with what must still hold. Where
 * there is time for an undo its content is held, from the moment when its last name went.
 */
import type { Candidate, ManifestFacts } from "../../metadata/collection.ts";
import type { Change, Commit, Precondition } from "../../metadata/metadata.ts";
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

/** A manifest without tag and index, with the tags that followed a subject which is gone. */
export function giveUpManifest(
  registry: Registry,
  candidate: Given,
  { subject, tags }: Pick<ManifestFacts, "subject" | "tags">,
): Commit {
  const { digest, since } = candidate;
  const subjects = [subject, ...tags.map(subjectOfTag)].flatMap((text) =>
    text === null ? [] : (parseDigest(text) ?? []),
  );
  return commitOf(
    candidate,
    "manifest",
    [
      { kind: "unreferenced", digest },
      { kind: "tags-are", digest, tags },
      ...subjects.map((gone): Precondition => ({ kind: "manifest-absent", digest: gone })),
    ],
    [{ kind: "remove-manifest", digest, ...heldFor(registry, "collected", since) }],
  );
}

/** A repository that holds nothing. */
export function giveUpRepository(candidate: Given): Commit {
  return commitOf(
    candidate,
    "repository",
    [{ kind: "repository-empty" }],
    [{ kind: "remove-repository" }],
  );
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
