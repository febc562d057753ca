/**
 * Sets the tags that another tool wrote into an index.json, by a comparison of three states: what the tool had read
 * (the generation in our annotation of the file tells which), what it wrote, and what the metadata has now.
 *
 * A tag that only the tool changed is moved, with a history row, unless a push sets it at that very moment. A tag that
 * was pushed, moved or deleted through the registry since the tool read stays as it is; when the tool moved it as well,
 * that is reported. If the tool dropped the annotation, we do not know what it had read: then it may set new tags, and
 * move tags that were last set by a file, but never undo what the API did.
 */
import { parseDigest, type Digest } from "../oci/digest.ts";
import type { LayoutEntry } from "../oci/layout_index.ts";
import { layoutAuthor, pagesOf, type Intake } from "./intake.ts";

export async function takeInTags(intake: Intake, entries: readonly LayoutEntry[]): Promise<void> {
  const { registry, repository } = intake;
  for (const page of pagesOf(entries)) {
    const claims = new Map<string, Digest>();
    for (const { tag, descriptor } of page) {
      const digest = parseDigest(descriptor.digest);
      if (tag !== null && digest !== null) claims.set(tag, digest);
    }
    const standing = await registry.metadata.tagDigests(repository, [...claims.keys()]);
    const known = new Map(standing.map(({ tag, digest }) => [tag, digest]));
    const changed = [...claims].filter(([tag, digest]) => known.get(tag) !== digest);
    await Promise.all(
      changed.map(([tag, digest]) => takeInTag(intake, tag, digest, known.get(tag) ?? null)),
    );
  }
}

/** Decides about a tag on which the file and the metadata differ. */
async function takeInTag(
  intake: Intake,
  tag: string,
  digest: Digest,
  known: string | null,
): Promise<void> {
  const verdict = await judge(intake, tag, digest);
  if (verdict === "set") await setTag(intake, tag, digest, known);
  else if (verdict === "stale") intake.counts.stale += 1;
  else intake.problems.add(conflict(tag, digest, known));
}

async function judge(
  { registry, repository, base, laterAt }: Intake,
  tag: string,
  digest: Digest,
): Promise<"set" | "stale" | "conflict"> {
  const { wasThere, last } = await registry.metadata.tagPast(repository, tag, digest);
  if (last === null) return "set";
  if (base !== null && last.generation <= base) return "set";
  // The database is older than the file, which is newer than the last move that the database knows.
  if (base === null && laterAt !== null && last.at <= laterAt) return "set";
  // What it was before our moves, or between them: the tool has not touched it.
  if (wasThere) return "stale";
  return base === null && last.by === layoutAuthor ? "set" : "conflict";
}

async function setTag(
  { registry, repository, counts, problems }: Intake,
  tag: string,
  digest: Digest,
  known: string | null,
): Promise<void> {
  const outcome = await registry.metadata.commit({
    repository,
    preconditions: [
      { kind: "manifest-exists", digest },
      { kind: "tag-is", tag, digests: [known] },
    ],
    changes: [{ kind: "set-tag", tag, digest }],
    by: layoutAuthor,
    quotas: "counted",
  });
  if (outcome.committed) {
    counts.tags += 1;
    return;
  }
  const moved = outcome.failed.find(({ precondition }) => precondition.kind === "tag-is");
  if (moved !== undefined) problems.add(conflict(tag, digest, moved.found));
}

function conflict(tag: string, digest: Digest, stands: string | number | null): string {
  const since =
    stands === null ? "a delete since then removed it" : `a push since then made it ${stands}`;
  return `tag ${tag}: index.json says ${digest}, and ${since}, which stands`;
}
