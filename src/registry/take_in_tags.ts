/**
 * Sets the tags that another tool wrote into an index.json.
 *
 * Promises: a tag that was pushed, moved or deleted through us since our last index.json stands as it is: the tool
 * wrote its file without knowing of it. Where the tool moved that tag as well, that is told. A tag that only
 * the tool changed is moved, with a history row, unless somebody pushes it in that very moment.
 */
import { parseDigest, type Digest } from "../oci/digest.ts";
import type { LayoutEntry } from "../oci/layout_index.ts";
import type { Intake } from "./intake.ts";

/** Tags that are set at once: their commits share transactions. */
const tagsAtOnce = 256;
/** Moves of one tag since the last index.json that are looked at. */
const movesMax = 100;

export async function takeInTags(
  intake: Intake,
  entries: readonly LayoutEntry[],
): Promise<{ readonly problems: readonly string[] }> {
  const problems: string[] = [];
  for (let from = 0; from < entries.length; from += tagsAtOnce) {
    intake.signal?.throwIfAborted();
    const some = entries.slice(from, from + tagsAtOnce);
    const found = await Promise.all(some.map((entry) => takeInTag(intake, entry)));
    problems.push(...found.filter((problem) => problem !== null));
  }
  return { problems };
}

/** One line when the facts stand against the file. */
async function takeInTag(
  { registry, repository, projected }: Intake,
  { tag, descriptor }: LayoutEntry,
): Promise<string | null> {
  const digest = parseDigest(descriptor.digest);
  if (tag === null || digest === null) return null;
  const { metadata } = registry;
  const known = (await metadata.manifestByTag(repository, tag))?.digest ?? null;
  if (known === digest) return null;
  const history = await metadata.history(repository, tag, movesMax);
  const moves = history.filter(({ generation }) => generation > projected);
  if (moves.length > 0) {
    // The file says what the tag was before one of our moves, or after: the tool did not touch it.
    const untouched = moves.some((move) => move.digest === digest || move.previous === digest);
    return untouched ? null : conflict(tag, digest, known);
  }
  const outcome = await metadata.commit({
    preconditions: [
      { kind: "manifest-exists", repository, digest },
      { kind: "tag-is", repository, tag, digests: [known] },
    ],
    changes: [{ kind: "set-tag", repository, tag, digest }],
    by: null,
  });
  if (outcome.committed) return null;
  const moved = outcome.failed.find(({ precondition }) => precondition.kind === "tag-is");
  return moved === undefined ? null : conflict(tag, digest, moved.found);
}

function conflict(tag: string, digest: Digest, stands: string | number | null): string {
  const since =
    stands === null ? "a delete since then removed it" : `a push since then made it ${stands}`;
  return `tag ${tag}: index.json says ${digest}, and ${since}, which stands`;
}
