/**
 * Records which manifests and tags of a mirror came from its upstream, where only its index.json tells: the metadata were
 * lost. What has no such mark was pushed here, and no upstream moves it.
 */
import { mirrors, type MirrorChange } from "../metadata/mirrors.ts";
import { recordCommit } from "../metadata/records.ts";
import type { LayoutEntry } from "../oci/layout_index.ts";
import { pagesOf, type Intake } from "./intake.ts";

export async function takeInCached(
  { registry, repository, cachedAt }: Intake,
  entries: readonly LayoutEntry[],
): Promise<void> {
  if (cachedAt === null) return;
  const { metadata, clock } = registry;
  const cached = entries.filter(({ isCached }) => isCached === true);
  for (const page of pagesOf(cached)) {
    const digests = page.map(({ descriptor }) => descriptor.digest);
    const held = await metadata.held(repository, digests);
    const here = new Set(held.filter(({ as }) => as === "manifest").map(({ digest }) => digest));
    const tags = page.flatMap(({ tag }) => (tag === null ? [] : [tag]));
    const standing = await metadata.tagDigests(repository, tags);
    const pointsAt = new Map(standing.map(({ tag, digest }) => [tag, digest]));
    const changes = page.flatMap(({ tag, descriptor: { digest } }): MirrorChange[] => {
      if (!here.has(digest)) return [];
      const manifest = { kind: "cache-manifest", repository, digest, at: clock.now() } as const;
      if (tag === null || pointsAt.get(tag) !== digest) return [manifest];
      // The last check was no later than this.
      return [
        manifest,
        { kind: "cache-tag", repository, tag, digest, checkedAt: Math.min(cachedAt, clock.now()) },
      ];
    });
    if (changes.length > 0) await metadata.commit(recordCommit(mirrors, ...changes));
  }
}
