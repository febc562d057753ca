// A follower as a job, under a clock that the test moves: when it is handed what was committed, and what becomes of one
// that fails, hangs, or runs elsewhere.

import { expect, test } from "bun:test";
import { leaseOf, runJobs, until } from "../../test/registry/run_jobs.ts";
import { image, openWorld, pushImage, type World } from "../../test/registry/world.ts";
import type { Lease } from "../lib/lease.ts";
import { followers, type Follower } from "../metadata/followers.ts";
import { followerJob } from "./follower_job.ts";

const second = 1_000;

/** The loop with one follower; `held` says whether this server has the lease. */
function startFollower(world: World, follower: Partial<Follower>, held = true) {
  const took: (string | null)[] = [];
  const row: Follower = {
    name: "toy",
    from: "start",
    take: async (records) => void took.push(...records.map(({ tag }) => tag)),
    ...follower,
  };
  const take = (): Promise<Lease | null> => Promise.resolve(held ? leaseOf() : null);
  const jobs = runJobs(world, [followerJob(world.registry, row)], take);
  return { jobs, took };
}

test("a follower has what was committed a moment after, also what another server committed", async () => {
  await using world = await openWorld();
  await pushImage(world, image(1), "v1");
  const { jobs, took } = startFollower(world, {});
  await until(world, "it took what was there", () => took.length > 0);
  await pushImage(world, image(2), "v2");
  jobs.kick();
  await until(world, "it took the next", () => took.length > 1);
  // Nobody kicks.
  await pushImage(world, image(3), "v3");
  await until(world, "it looked by itself", () => took.length > 2);
  expect(took).toEqual(["v1", "v2", "v3"]);
  await jobs.stop();
});

test("one that fails gets the same again, after pauses that grow whatever is committed", async () => {
  await using world = await openWorld();
  await pushImage(world, image(1), "v1");
  const triedMs: number[] = [];
  const seen: (string | null)[][] = [];
  const { jobs } = startFollower(world, {
    take: async (records) => {
      triedMs.push(world.clock.monotonicMs());
      seen.push(records.map(({ tag }) => tag));
      if (triedMs.length <= 8) throw new Error("the other side is down");
    },
  });
  const tried = () => {
    jobs.kick();
    return triedMs.length > 8;
  };
  await until(world, "it was tried nine times", tried, 2 * second);
  const pausesS = triedMs.slice(1).map((ms, at) => Math.round((ms - triedMs[at]!) / second));
  expect(pausesS).toEqual([2, 4, 8, 16, 32, 60, 60, 60]);
  expect(seen.every((tags) => tags.join() === "v1")).toBe(true);
  expect(world.reports).toHaveLength(8);
  expect(world.reports[0]).toMatchObject({
    message: "a background job failed; it will run again",
    fields: { job: "toy", error: "Error: the other side is down" },
  });
  await jobs.stop();
  expect(await world.registry.metadata.records(followers).cursor("toy")).toBeGreaterThan(0);
});

test("a stop ends what it waits for, and its records come again", async () => {
  await using world = await openWorld();
  await pushImage(world, image(1), "v1");
  let takes = 0;
  const hanging = startFollower(world, {
    take: async (_, signal) => {
      takes += 1;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      signal.throwIfAborted();
    },
  });
  await until(world, "it hangs", () => takes > 0);
  await hanging.jobs.stop();
  expect(world.reports).toEqual([]);
  const { jobs, took } = startFollower(world, {});
  await until(world, "the next took it", () => took.length > 0);
  await jobs.stop();
});

test("while another server has the lease nothing is taken here", async () => {
  await using world = await openWorld();
  await pushImage(world, image(1), "v1");
  const { jobs, took } = startFollower(world, {}, false);
  for (let round = 0; round < 20; round += 1) await world.clock.advance(second);
  await jobs.stop();
  expect(took).toEqual([]);
});
