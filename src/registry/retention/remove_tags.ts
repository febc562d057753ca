/** Removes tags that retention decided to remove, as long as they point where they pointed then. */
import type { Commit } from "../../metadata/metadata.ts";
import type { Registry } from "../registry.ts";

/** Tags that go in one commit: each is a few rows for the one writer. */
const sliceMax = 64;
/** History names retention where it names the user otherwise; no user has this name. */
export const retentionActor = "zot:retention";

export interface Removal {
  readonly tag: string;
  readonly digest: string;
}

/** The tags that had moved or gone meanwhile, and stay as they are. */
export async function removeTags(
  { metadata }: Registry,
  repository: string,
  removals: readonly Removal[],
  { by, signal }: { readonly by: string; readonly signal: AbortSignal },
): Promise<string[]> {
  const skipped: string[] = [];
  for (let at = 0; at < removals.length; at += sliceMax) {
    signal.throwIfAborted();
    let slice = removals.slice(at, at + sliceMax);
    while (slice.length > 0) {
      const outcome = await metadata.commit(commitOf(repository, slice, by));
      if (outcome.committed) break;
      const moved = new Set(
        outcome.failed.map(({ precondition }) => ("tag" in precondition ? precondition.tag : "")),
      );
      skipped.push(...slice.filter(({ tag }) => moved.has(tag)).map(({ tag }) => tag));
      slice = slice.filter(({ tag }) => !moved.has(tag));
    }
  }
  return skipped;
}

function commitOf(repository: string, removals: readonly Removal[], by: string): Commit {
  return {
    repository,
    preconditions: removals.map(({ tag, digest }) => ({ kind: "tag-is", tag, digests: [digest] })),
    changes: removals.map(({ tag }) => ({ kind: "remove-tag", tag })),
    by,
  };
}
