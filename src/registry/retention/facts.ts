/** What is known of the tags of a repository, as decisions look at it. */
import type { Metadata } from "../../metadata/metadata.ts";
import { retention, type TagRecord } from "../../metadata/retention.ts";
import { subjectOfTag } from "../../oci/referrers.ts";
import type { RepositoryFacts, Subject } from "./decide.ts";

/** Tags, or subjects of tags, that are read at once. */
const pageMax = 500;

/** Null for a repository with more tags than that. */
export async function readFacts(
  metadata: Metadata,
  repository: string,
  tagsMax = Number.POSITIVE_INFINITY,
): Promise<RepositoryFacts | null> {
  const reads = metadata.records(retention);
  const tags: TagRecord[] = [];
  for (;;) {
    const page = await reads.tags(repository, tags.at(-1)?.tag ?? "", pageMax);
    tags.push(...page);
    if (tags.length > tagsMax) return null;
    if (page.length < pageMax) break;
  }
  return { repository, tags, subjects: await readSubjects(metadata, repository, tags) };
}

/** What the tags that follow a manifest are about. */
async function readSubjects(
  metadata: Metadata,
  repository: string,
  tags: readonly TagRecord[],
): Promise<ReadonlyMap<string, Subject>> {
  const digests = [...new Set(tags.flatMap(({ tag }) => subjectOfTag(tag) ?? []))];
  const subjects = new Map<string, Subject>();
  for (let at = 0; at < digests.length; at += pageMax) {
    const page = digests.slice(at, at + pageMax);
    for (const found of await metadata.records(retention).subjects(repository, page)) {
      if (found.isHere) subjects.set(found.digest, { isHere: true });
      else if (found.goneAt !== null) {
        subjects.set(found.digest, { isHere: false, goneSince: found.goneAt });
      }
    }
  }
  return subjects;
}
