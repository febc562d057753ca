/**
 * Sets the tags that another tool wrote into an index.json, by a comparison of three states: what the tool had read
 * (the generation in our annotation of the file tells which), what it wrote, and what the metadata has now.
 *
 * A tag that only the tool changed is moved, with a history row, unless a push sets it at that very moment. A tag that
 * was pushed, moved or deleted through the registry since the tool read stays as it is; when the tool moved it as well,
 * that is reported. If the tool dropped the annotation, we do not know what it had read: then it may set new tags, and
 * move tags that were last set by a file, but never undo what the API did.
 */
import type { CommitOutcome } from "../metadata/metadata.ts";
import type { RecordCommit } from "../metadata/records.ts";
import { parseDigest, type Digest } from "../oci/digest.ts";
import type { LayoutEntry } from "../oci/layout_index.ts";
import { layoutAuthor, pagesOf, type Intake } from "./intake.ts";
import { cachedTagRecords } from "./take_in_cached.ts";

export async function takeInTags(intake: Intake, entries: readonly LayoutEntry[]): Promise<void> {
  const { registry, repository } = intake;
  for (const page of pagesOf(entries)) {
    const claims = new Map<string, Claim>();
    for (const entry of page) {
      const { tag } = entry;
      const digest = parseDigest(entry.descriptor.digest);
      if (tag === null || digest === null) continue;
      claims.set(tag, { tag, digest, records: cachedTagRecords(intake, tag, entry) });
    }
    const standing = await registry.metadata.tagDigests(repository, [...claims.keys()]);
    const known = new Map(standing.map(({ tag, digest }) => [tag, digest]));
    await Promise.all(
      [...claims.values()].map((claim) => takeInTag(intake, claim, known.get(claim.tag) ?? null)),
    );
  }
}

/** What the file says of a tag. */
interface Claim {
  readonly tag: string;
  readonly digest: Digest;
  /** Written in the commit that sets it. */
  readonly records: readonly RecordCommit[];
}

async function takeInTag(intake: Intake, claim: Claim, known: string | null): Promise<void> {
  const { tag, digest, records } = claim;
  if (known === digest) {
    if (records.length > 0) await commitTag(intake, claim, known);
    return;
  }
  const verdict = await judge(intake, tag, digest);
  if (verdict === "set") await setTag(intake, claim, known);
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

/** Where it stands at `known`. */
function commitTag(
  { registry, repository }: Intake,
  { tag, digest, records }: Claim,
  known: string | null,
): Promise<CommitOutcome> {
  return registry.metadata.commit({
    repository,
    preconditions: [
      { kind: "manifest-exists", digest },
      { kind: "tag-is", tag, digests: [known] },
    ],
    changes: known === digest ? [] : [{ kind: "set-tag", tag, digest }],
    by: layoutAuthor,
    quotas: "counted",
    records,
  });
}

async function setTag(intake: Intake, claim: Claim, known: string | null): Promise<void> {
  const { counts, problems } = intake;
  const { tag, digest } = claim;
  const outcome = await commitTag(intake, claim, known);
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
