/** Tags that came from an upstream and are gone there: removed here, too, where `propagateDeletes` says so. */
import { mirrors } from "../../../metadata/mirrors.ts";
import { ApiError } from "../../../oci/errors.ts";
import { removeTag } from "../../../registry/delete.ts";
import type { Registry } from "../../../registry/registry.ts";
import { resolveTags } from "../../../registry/resolve.ts";
import { mirrorActor } from "../pull_through/store_manifest.ts";

const pageMax = 1_000;
/** An upstream that lost more than this part of what came from it is not believed. */
const lostPartMax = 0.5;

/** Tags that are gone here now. `there`: all that the upstream has, of a list that was complete. */
export async function removeLostTags(
  registry: Registry,
  {
    repository,
    there,
    signal,
  }: { repository: string; there: ReadonlySet<string>; signal: AbortSignal },
): Promise<{ readonly removed: number; readonly believed: boolean }> {
  const cached = await cachedTags(registry, repository, signal);
  const lost = cached.filter(({ tag }) => !there.has(tag));
  if (lost.length > cached.length * lostPartMax) return { removed: 0, believed: false };
  let removed = 0;
  for (const { tag, digest } of lost) {
    signal.throwIfAborted();
    try {
      await removeTag(registry, { repository, target: tag, tagIs: [digest], by: mirrorActor });
      removed += 1;
    } catch (error) {
      // It moved meanwhile, or is protected here.
      if (!(error instanceof ApiError)) throw error;
    }
  }
  return { removed, believed: true };
}

/** Tags that point where their upstream had them. */
async function cachedTags(
  registry: Registry,
  repository: string,
  signal: AbortSignal,
): Promise<{ tag: string; digest: string }[]> {
  const found: { tag: string; digest: string }[] = [];
  for (let after: string | null = null; ;) {
    signal.throwIfAborted();
    const page: readonly string[] =
      (await resolveTags(registry, repository, { after, limit: pageMax })).found ?? [];
    const standing = await registry.metadata.tagDigests(repository, [...page]);
    for (const { tag, digest } of standing) {
      const cached = await registry.metadata.records(mirrors).tag(repository, tag);
      if (cached?.digest === digest) found.push({ tag, digest });
    }
    if (page.length < pageMax) return found;
    after = page.at(-1) ?? null;
  }
}
