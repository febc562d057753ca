/** Search as a follower of the feed: what was pushed, moved and removed is summarised a moment later. */
import type { HeavyRunner } from "../../jobs/heavy_work.ts";
import type { Follower } from "../../metadata/followers.ts";
import type { FeedRecord } from "../../metadata/metadata.ts";
import { recordCommit } from "../../metadata/records.ts";
import { summaries, summaryVersion } from "../../metadata/summaries.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Registry } from "../../registry/registry.ts";
import { changesLightly, lookAtWork, slicesOf, type Look } from "./look_at.ts";

export const followerName = "summarise";
/** What is pushed within it is summarised in one go: each transaction costs about as much as an image. */
const settleMs = 500;
/** Records that are looked at beside the commits; more at once are work for another process. */
const lightRecordsMax = 64;

export function searchFollower(registry: Registry, heavy: HeavyRunner<Registry>): Follower {
  const { metadata } = registry;
  return {
    name: followerName,
    from: "end",
    // What is there already is looked at by the job that fills (`fill.ts`).
    begin: async () => {
      await metadata.commit(
        recordCommit(summaries, { kind: "begin-round", version: summaryVersion }),
      );
    },
    settleMs,
    take: async (records, signal) => {
      const looks = looksOf(records);
      if (records.length > lightRecordsMax) {
        await heavy.run(lookAtWork, looks, signal);
        return [];
      }
      const changes = await Promise.all(
        looks.map((look) => changesLightly(registry, heavy, look, signal)),
      );
      const slices = slicesOf(changes.flat());
      const last = slices.pop() ?? [];
      for (const slice of slices) {
        signal.throwIfAborted();
        await metadata.commit(recordCommit(summaries, ...slice));
      }
      return last.length === 0 ? [] : [recordCommit(summaries, ...last)];
    },
  };
}

/** What to look at in each repository, whatever happened in which order. */
export function looksOf(records: readonly FeedRecord[]): Look[] {
  const looks = new Map<string, { tags: Set<string>; came: Set<Digest>; went: Set<Digest> }>();
  for (const { repository, tag, digest, previous } of records) {
    let look = looks.get(repository);
    if (look === undefined) {
      look = { tags: new Set(), came: new Set(), went: new Set() };
      looks.set(repository, look);
    }
    if (tag !== null) look.tags.add(tag);
    else if (digest !== null) look.came.add(digest as Digest);
    else if (previous !== null) look.went.add(previous as Digest);
  }
  return [...looks].map(([repository, { tags, came, went }]) => ({
    repository,
    tags: [...tags],
    came: [...came],
    went: [...went],
  }));
}
