// History within its limits: what is forgotten, what stays known, and that no answer about the past is ever a wrong one.

import { expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  image,
  openWorld,
  pushImage,
  repository,
  type World,
} from "../../../test/registry/world.ts";
import { holds } from "../../../test/property.ts";
import { reasonOf } from "../../../test/reason_of.ts";
import { followers } from "../../metadata/followers.ts";
import { forgotten } from "../../metadata/forgotten.ts";
import { recordCommit } from "../../metadata/records.ts";
import { pastNameAt } from "../../oci/past_name.ts";
import { removeTag } from "../delete.ts";
import { resolveManifest, resolveTags } from "../resolve.ts";
import { forgetHistoryJob } from "./forget_history.ts";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const images = [image(1), image(2), image(3)];

async function forget(world: World, keptDays: number, eventsMax?: number): Promise<void> {
  const run = forgetHistoryJob(world.registry, () => keptDays * dayMs, eventsMax);
  await run(new AbortController().signal);
}

async function setTo(world: World, tag: string, seed: number): Promise<void> {
  await pushImage(world, images[seed]!, tag);
}

const untag = (world: World, tag: string): Promise<void> =>
  removeTag(world.registry, { repository, target: tag, by: null, tagIs: null });

/** Where a tag pointed at a moment (milliseconds): a seed, null for nowhere, or why that is not told. */
async function tagAt(world: World, tag: string, atMs: number): Promise<number | null | string> {
  const name = pastNameAt(repository, atMs * 1_000);
  const asked = await reasonOf(
    resolveManifest(world.registry, name, { kind: "tag", tag }).then(({ found }) => {
      throw found === null ? null : found.digest;
    }),
  );
  if (asked === null) return null;
  if (typeof asked === "string") return images.findIndex(({ digest }) => digest === asked);
  const { errors } = asked as { errors?: readonly { detail?: { reason?: string } }[] };
  return errors?.[0]?.detail?.reason ?? (asked as Error).message;
}

const eventsOf = ({ registry }: World, tag: string) =>
  registry.metadata.past.tagEvents(repository, tag, { before: null, after: 0, limit: 1_000 });

test("events older than history keeps go; what a tag is, and was since, stays known", async () => {
  await using world = await openWorld();
  const beganAt = world.clock.now();
  await setTo(world, "still", 0);
  await setTo(world, "moved", 0);
  await setTo(world, "gone", 0);
  await world.clock.advance(10 * dayMs);
  await setTo(world, "moved", 1);
  await untag(world, "gone");
  await world.clock.advance(200 * dayMs);
  await setTo(world, "moved", 2);
  await world.clock.advance(200 * dayMs);
  await forget(world, 365);
  const kinds = async (tag: string) => (await eventsOf(world, tag)).map(({ kind }) => kind);
  expect([await kinds("still"), await kinds("moved"), await kinds("gone")]).toEqual([
    ["created"],
    ["created", "created"],
    [],
  ]);
  const since = world.clock.now() - 365 * dayMs;
  for (const [atMs, moved] of [
    [beganAt + 5 * dayMs, "before-history"],
    [since - 1, "before-history"],
    [since, 1],
    [beganAt + 211 * dayMs, 2],
  ] as const) {
    expect([atMs, await tagAt(world, "moved", atMs)]).toEqual([atMs, moved]);
  }
  expect(await tagAt(world, "still", since)).toBe(0);
  expect(await tagAt(world, "gone", since)).toBeNull();
  const then = pastNameAt(repository, since * 1_000);
  const page = { after: null, limit: 9 };
  expect(await resolveTags(world.registry, then, page)).toEqual({ found: ["moved", "still"] });
  const before = resolveTags(world.registry, pastNameAt(repository, (since - 1) * 1_000), page);
  expect(await reasonOf(before)).toMatchObject({
    reason: "NAME_UNKNOWN",
    errors: [
      {
        detail: {
          reason: "before-history",
          since: new Date(since).toISOString().replace("Z", "000Z"),
        },
      },
    ],
  });
});

test("what a follower has not had stays", async () => {
  await using world = await openWorld();
  await setTo(world, "v1", 0);
  await setTo(world, "v1", 1);
  const { metadata } = world.registry;
  const end = await metadata.records(followers).end();
  const follow = { kind: "follow", name: "slow", after: end - 1 } as const;
  await metadata.commit(recordCommit(followers, follow));
  await world.clock.advance(400 * dayMs);
  await forget(world, 365);
  expect(await eventsOf(world, "v1")).toHaveLength(2);
  const advance = { kind: "advance", name: "slow", sequence: end } as const;
  await metadata.commit(recordCommit(followers, advance));
  await forget(world, 365);
  expect(await eventsOf(world, "v1")).toHaveLength(1);
});

test("a clock that jumped a year ahead forgets nothing", async () => {
  await using world = await openWorld();
  const { registry, clock } = world;
  const jumping = { ...clock, now: () => clock.now() + aheadMs };
  let aheadMs = 0;
  await setTo(world, "v1", 0);
  await setTo(world, "v1", 1);
  const run = forgetHistoryJob({ ...registry, clock: jumping }, () => 365 * dayMs);
  const { signal } = new AbortController();
  await run(signal);
  aheadMs = 400 * dayMs;
  await run(signal);
  expect(await eventsOf(world, "v1")).toHaveLength(2);
  expect(await registry.metadata.records(forgotten).begin()).toEqual({ sequence: 0, moment: 0 });
});

test("of a tag with more events than all are kept of, the older ones are the last of each day", async () => {
  await using world = await openWorld();
  await world.clock.advance(dayMs - (world.clock.now() % dayMs));
  const firstDay = world.clock.now();
  for (let hour = 0; hour < 24 * 4; hour += 1) {
    await setTo(world, "busy", hour % 3);
    await world.clock.advance(60 * minuteMs);
  }
  await setTo(world, "calm", 0);
  await forget(world, 365, 30);
  const moments = (await eventsOf(world, "busy")).map(({ moment }) => moment / 1_000);
  const lastOf = (day: number): number => firstDay + day * dayMs + 23 * 60 * minuteMs;
  expect(moments.slice(30)).toEqual([lastOf(1), lastOf(0)]);
  expect(moments[29]).toBe(firstDay + (24 * 4 - 30) * 60 * minuteMs);
  expect(await tagAt(world, "busy", firstDay + dayMs - 1)).toBe(23 % 3);
  expect(await tagAt(world, "busy", firstDay + dayMs + 5 * 60 * minuteMs)).toBe("before-history");
  expect(await tagAt(world, "busy", lastOf(3))).toBe(95 % 3);
  // Another run finds nothing more.
  await forget(world, 365, 30);
  expect(await eventsOf(world, "busy")).toHaveLength(32);
});

test("an answer about the past is what it was, or none, whatever was forgotten", async () => {
  const step = fc.record({
    tag: fc.constantFrom("a", "b"),
    /** Null removes it. */
    to: fc.option(fc.nat(2)),
    /** Less than a day more often than not. */
    waits: fc.oneof(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1_440, max: 30_000 })),
    forgets: fc.boolean(),
  });
  const course = fc.array(step, { minLength: 5, maxLength: 25 });
  await holds(
    "forgotten history",
    fc.asyncProperty(course, fc.integer({ min: 1, max: 4 }), async (steps, eventsMax) => {
      await using world = await openWorld();
      const past: { readonly atMs: number; readonly tags: Record<string, number | null> }[] = [];
      let tags: Record<string, number | null> = { a: null, b: null };
      for (const { tag, to, waits, forgets } of steps) {
        if (to === null) await reasonOf(untag(world, tag));
        else await setTo(world, tag, to);
        tags = { ...tags, [tag]: to };
        past.push({ atMs: world.clock.now() + (waits * minuteMs) / 2, tags });
        await world.clock.advance(waits * minuteMs);
        if (forgets) await forget(world, 30, eventsMax);
      }
      await forget(world, 30, eventsMax);
      const begin = (await world.registry.metadata.records(forgotten).begin()).moment / 1_000;
      for (const { atMs, tags: then } of past) {
        for (const [tag, seed] of Object.entries(then)) {
          const told = await tagAt(world, tag, atMs);
          if (atMs < begin) expect(told).toBe("before-history");
          else expect([seed, "before-history"]).toContain(told);
        }
      }
    }),
    20,
  );
});
