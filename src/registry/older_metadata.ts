/**
 * Repairs a repository whose metadata is older than its index.json: a database that was restored from a copy, or lost
 * its last commits, beside bytes that are newer.
 *
 * Our annotation in the index.json shows it: it has the repository's origin, and a generation that the metadata has not
 * reached. Then the file is right: what it names is read in as from any tool (`reconcile_layout.ts`), and what it no
 * longer names had been deleted. Such tags are removed. Such manifests are removed when their bytes are gone as well;
 * otherwise they can still be pulled by digest. The generation continues after the one in the file, so that no number
 * ever means two states.
 */
import { layoutStates } from "../metadata/layout_states.ts";
import type { Change } from "../metadata/metadata.ts";
import { recordCommit } from "../metadata/records.ts";
import type { Digest } from "../oci/digest.ts";
import { layoutAuthor, pageMax, pagesOf, type Intake } from "./intake.ts";

export interface LaterIndex {
  readonly generation: number;
  /** All of its tags; null when something was pushed here after it was written, so that it proves nothing of tags. */
  readonly tags: ReadonlySet<string> | null;
}

/** Removes what had been deleted by the time of the later index.json, and says so. */
export async function followLaterIndex(
  intake: Intake,
  { generation, tags }: LaterIndex,
): Promise<void> {
  const { registry, repository } = intake;
  const states = registry.metadata.records(layoutStates);
  const known = (await states.state(repository))?.generation ?? 0;
  const gone = tags === null ? [] : await deletedTags(intake, tags);
  const lost = await deletedManifests(intake);
  const changes: Change[] = [
    ...gone.map((tag) => ({ kind: "remove-tag", tag }) as const),
    ...lost.map((digest) => ({ kind: "remove-manifest", digest }) as const),
  ];
  for (const page of pagesOf(changes)) await commit(intake, page);
  const raise = { kind: "raise-generation", repository, generation } as const;
  await registry.metadata.commit(recordCommit(layoutStates, raise));
  registry.report(
    "warn",
    "the metadata is older than index.json: it was restored, or lost its end; what the disk has is taken in",
    {
      repository,
      known,
      found: generation,
      removedTags: gone.length,
      removedManifests: lost.length,
    },
  );
}

async function commit({ registry, repository }: Intake, changes: readonly Change[]): Promise<void> {
  await registry.metadata.commit({ repository, preconditions: [], changes, by: layoutAuthor });
}

async function deletedTags(
  { registry, repository }: Intake,
  listed: ReadonlySet<string>,
): Promise<string[]> {
  const gone: string[] = [];
  for (let after: string | null = null; ;) {
    const page: string[] = await registry.metadata.tags(repository, { after, limit: pageMax });
    gone.push(...page.filter((tag) => !listed.has(tag)));
    after = page.at(-1) ?? null;
    if (page.length < pageMax) return gone;
  }
}

/** Manifests of the metadata whose bytes are not there. */
async function deletedManifests({ registry, repository }: Intake): Promise<Digest[]> {
  const layout = await registry.metadata.openLayout(repository);
  if (layout === null) return [];
  const lost = new Set<Digest>();
  try {
    for (const page of layout.pages()) {
      for (const { digest } of page) {
        if (!registry.layouts.hasBlob(repository, digest)) lost.add(digest);
      }
    }
  } finally {
    layout.close();
  }
  return [...lost];
}
