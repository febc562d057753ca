/**
 * Runs a follower of the feed (`../metadata/followers.ts`) as a background job: soon after commits, and on a root that
 * several servers share in one of them. One that fails is tried again after growing pauses, however much is committed.
 */
import { followFeed, type Follower } from "../metadata/followers.ts";
import type { RegistryJob } from "./registry_job.ts";
import type { Registry } from "./registry.ts";

/** Commits of the same moment share a page. */
const settleMs = 100;
/** Other servers of a shared root commit, too, and wake nobody here. */
const everyMs = 1_000;
const failedPauseMaxMs = 60_000;

export function followerJob({ metadata, clock }: Registry, follower: Follower): RegistryJob {
  let failures = 0;
  let resumeMs = 0;
  return {
    name: follower.name,
    everyMs,
    followsCommits: true,
    lease: "jobs",
    run: async (signal) => {
      const waitMs = resumeMs - clock.monotonicMs();
      if (waitMs > 0) return waitMs;
      await clock.sleep(follower.settleMs ?? settleMs, signal);
      try {
        await followFeed(metadata, follower, signal);
        failures = 0;
        return null;
      } catch (error) {
        failures += 1;
        resumeMs = clock.monotonicMs() + Math.min(everyMs * 2 ** failures, failedPauseMaxMs);
        throw error;
      }
    },
  };
}
