/**
 * The job that summarises what was there before search was on, or what an older version summarised: repository by
 * repository, what changed last first. It runs in a process of its own, and rests while others push.
 */
import { setImmediate } from "node:timers/promises";
import type { HeavyRunner } from "../../jobs/heavy_work.ts";
import { followers } from "../../metadata/followers.ts";
import { recordCommit } from "../../metadata/records.ts";
import { summaries, summaryVersion } from "../../metadata/summaries.ts";
import type { Registry } from "../../registry/registry.ts";
import type { RegistryJob, RegistryWork } from "../../registry/registry_job.ts";
import { followerName } from "./follow.ts";
import { makeSummaries } from "./make_summaries.ts";
import { imagesOf, lookAt, slicesOf } from "./look_at.ts";

export const fillJobName = "summarise-all";
const everyMs = 60_000;
/** Until the follower has begun, which starts the first round. */
const beginsMs = 1_000;
/** Repositories that are asked for at once. */
const repositoriesMax = 500;
/** Tags that are looked at at once; then it rests. */
const sliceMax = 64;
/** Rest while others push, times as long as the slice took. */
const restFactor = 4;
/** Tags of a manifest that is mended. */
const mendedTagsMax = 1_000;
/** Tags of a repository that are gone and are told at once. */
const goneMax = 1_000;

export function fillJob(registry: Registry, heavy: HeavyRunner<Registry>): RegistryJob {
  const { metadata } = registry;
  return {
    name: fillJobName,
    everyMs,
    followsCommits: false,
    lease: "jobs",
    run: async (signal) => {
      const reads = metadata.records(summaries);
      if ((await metadata.records(followers).cursor(followerName)) === null) return beginsMs;
      const { round, version } = await reads.round();
      if (version < summaryVersion) {
        const begin = { kind: "begin-round", version: summaryVersion } as const;
        await metadata.commit(recordCommit(summaries, begin));
        return 0;
      }
      if ((await reads.unlooked(round, 1)).length === 0) {
        await mend(registry, signal);
        return null;
      }
      const startedMs = registry.clock.monotonicMs();
      const repositories = await heavy.run(fillWork, round, signal);
      registry.report("info", "made summaries of the images that were there", {
        repositories,
        seconds: Math.round((registry.clock.monotonicMs() - startedMs) / 1_000),
      });
      return null;
    },
  };
}

/** Makes again what was made of damaged bytes, where they are right by now. */
export async function mend(registry: Registry, signal: AbortSignal): Promise<void> {
  const { metadata } = registry;
  const reads = metadata.records(summaries);
  for (let after = 0; !signal.aborted;) {
    const page = await reads.poor(after, sliceMax);
    for (const { repository, digest } of page) {
      const making = { registry, repository, isLight: false };
      const [made] = await makeSummaries(making, [digest], new Set());
      if (made === undefined || made.isPoor === true) continue;
      const tags = await metadata.tagsOf(repository, digest, mendedTagsMax);
      await lookAt(registry, { repository, tags, came: [digest], went: [] }, signal);
    }
    if (page.length < sliceMax) return;
    after = page.at(-1)?.id ?? after;
    await setImmediate();
  }
}

/** Looks at every repository that was not looked at since the round began; how many there were. */
export const fillWork: RegistryWork<number, number> = {
  name: "summarise-all-images",
  run: async (registry, round, signal) => {
    const reads = registry.metadata.records(summaries);
    let looked = 0;
    for (;;) {
      const page = await reads.unlooked(round, repositoriesMax);
      if (page.length === 0) return looked;
      for (const repository of page) await fillRepository(registry, repository, round, signal);
      looked += page.length;
    }
  },
};

async function fillRepository(
  registry: Registry,
  repository: string,
  round: number,
  signal: AbortSignal,
): Promise<void> {
  const { metadata, clock } = registry;
  const reads = metadata.records(summaries);
  const feed = metadata.records(followers);
  const tags = await reads.tagsOf(repository);
  for (let at = 0; at < tags.length; at += sliceMax) {
    const startedMs = clock.monotonicMs();
    const end = await feed.end();
    const slice = tags.slice(at, at + sliceMax).map(({ tag }) => tag);
    await lookAt(registry, { repository, tags: slice, came: [], went: [] }, signal);
    if ((await feed.end()) === end) continue;
    await clock.sleep(restFactor * (clock.monotonicMs() - startedMs), signal);
  }
  for (;;) {
    const gone = await reads.goneTags(repository, goneMax);
    if (gone.length === 0) break;
    for (const slice of slicesOf(imagesOf(repository, gone))) {
      signal.throwIfAborted();
      await metadata.commit(recordCommit(summaries, ...slice));
    }
  }
  signal.throwIfAborted();
  await metadata.commit(recordCommit(summaries, { kind: "end-repository", repository, round }));
}
