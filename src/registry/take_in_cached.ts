/**
 * Records which manifests and tags of a mirror came from its upstream, where only its index.json tells: the metadata were
 * lost. What has no such mark was pushed here, and no upstream moves it.
 *
 * Pulls go on meanwhile. The mark of a tag is set in the commit that sets the tag, or that finds it as the file says: a
 * pull that has an upstream move the tag never finds it without its mark, and never loses the mark to this.
 */
import { mirrors } from "../metadata/mirrors.ts";
import { recordCommit, type RecordCommit } from "../metadata/records.ts";
import type { LayoutEntry } from "../oci/layout_index.ts";
import { pagesOf, type Intake } from "./intake.ts";

/** Of manifests that were read in. */
export async function takeInCached(
  { registry, repository, isMirror }: Intake,
  entries: readonly LayoutEntry[],
): Promise<void> {
  if (!isMirror) return;
  const { metadata, clock } = registry;
  const cached = entries.filter(({ isCached }) => isCached === true);
  for (const page of pagesOf(cached)) {
    const digests = page.map(({ descriptor }) => descriptor.digest);
    const held = await metadata.held(repository, digests);
    const here = new Set(held.filter(({ as }) => as === "manifest").map(({ digest }) => digest));
    const at = clock.now();
    const changes = [...here].map(
      (digest) => ({ kind: "cache-manifest", repository, digest, at }) as const,
    );
    if (changes.length > 0) await metadata.commit(recordCommit(mirrors, ...changes));
  }
}

/** What to record with a tag that an entry of index.json names. */
export function cachedTagRecords(
  { repository, isMirror }: Intake,
  tag: string,
  { descriptor: { digest }, isCached }: LayoutEntry,
): readonly RecordCommit[] {
  if (!isMirror || isCached !== true) return [];
  // index.json is written whenever anything changes, and tells of no check.
  const change = { kind: "cache-tag", repository, tag, digest, checkedAt: null } as const;
  return [recordCommit(mirrors, change)];
}
