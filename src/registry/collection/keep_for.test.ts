// What a HEAD promises to somebody who may push: ten minutes, at the price of one read a minute.

import { describe, expect, test } from "bun:test";
import { collection } from "../../metadata/collection.ts";
import { mirrors } from "../../metadata/mirrors.ts";
import { recordCommit } from "../../metadata/records.ts";
import { compileRules } from "../retention/rules.ts";
import { sample } from "../../../test/contracts/store_samples.ts";
import {
  image,
  openWorld,
  pushBlob,
  pushImage,
  repository,
  type World,
} from "../../../test/registry/world.ts";
import { removeBlob } from "../delete.ts";
import type { Origin } from "../origin.ts";
import { keepFor } from "./keep_for.ts";

const minuteMs = 60_000;

/** Asks every half minute, and tells how long each answer holds and how many reads there were. */
async function askFor(world: World, delayMs: number, minutes: number) {
  const digest = await pushBlob(world, sample(500));
  const rules = compileRules({ dryRun: false, delay: null, policies: [] }, delayMs);
  const registry = { ...world.registry, retention: rules };
  const reads = world.registry.metadata.records(collection);
  const isWaiting = reads.isWaiting.bind(reads);
  let asked = 0;
  Object.assign(reads, {
    isWaiting: (...question: Parameters<typeof isWaiting>) => {
      asked += 1;
      return isWaiting(...question);
    },
  });
  const leftMs: number[] = [];
  for (let half = 0; half < 2 * minutes; half += 1) {
    expect(await keepFor(registry, { repository, digest, sizeBytes: 500 }, "blob")).toBe(true);
    const { since = 0 } = (await reads.candidate(repository, digest, "blob")) ?? {};
    leftMs.push(since + delayMs - world.clock.now());
    await world.clock.advance(minuteMs / 2);
  }
  return { asked, leastMs: Math.min(...leftMs) };
}

test("an answer holds for ten minutes at least, and is read once a minute", async () => {
  await using world = await openWorld();
  const { asked, leastMs } = await askFor(world, 60 * minuteMs, 180);
  expect(leastMs).toBeGreaterThanOrEqual(10 * minuteMs);
  expect(asked).toBeLessThanOrEqual(180);
});

test("with a shorter delay all of it is left, and every answer is read", async () => {
  await using world = await openWorld();
  const { asked, leastMs } = await askFor(world, 5 * minuteMs, 20);
  expect(leastMs).toBe(5 * minuteMs);
  expect(asked).toBe(40);
});

test("what was collected since it was found here is not promised", async () => {
  await using world = await openWorld();
  const delays = compileRules({ dryRun: false, delay: null, policies: [] }, 60 * minuteMs);
  const registry = { ...world.registry, retention: delays };
  const digest = await pushBlob(world, sample(500));
  await removeBlob(registry, { repository, target: digest, by: null });
  for (const as of ["blob", "manifest"] as const) {
    expect(await keepFor(registry, { repository, digest, sizeBytes: 500 }, as)).toBe(false);
  }
});

describe("what came from an upstream", () => {
  /** A mirror of the repository's upstream; nothing else of it is asked. */
  const origin = {} as unknown as Origin;

  test.each([
    ["with collection", 60 * minuteMs],
    ["with collection off, which an upstream's limits do not ask for", 0],
  ])("is promised though a tag names it, and not at every question: %s", async (_what, delayMs) => {
    await using world = await openWorld();
    const app = image(1);
    await pushImage(world, app, "v1");
    const { clock, registry: plain } = world;
    const rules = compileRules({ dryRun: false, delay: null, policies: [] }, delayMs);
    const registry = { ...plain, origin, retention: rules };
    const content = { repository, digest: app.digest, sizeBytes: app.bytes.length };
    const sinceNow = async (): Promise<number | null> => {
      expect(await keepFor(registry, content, "manifest")).toBe(true);
      const reads = plain.metadata.records(collection);
      const found = await reads.candidate(repository, app.digest, "manifest");
      return found === null ? null : clock.now() - found.since;
    };
    // Of a repository that is no mirror nothing is written.
    expect(await sinceNow()).toBeNull();
    const origins = { kind: "set-origin", repository, host: "docker.io", at: 1 } as const;
    await plain.metadata.commit(recordCommit(mirrors, origins));
    await clock.advance(2 * minuteMs);
    expect(await sinceNow()).toBe(0);
    await clock.advance(4 * minuteMs);
    expect(await sinceNow()).toBe(4 * minuteMs);
    await clock.advance(7 * minuteMs);
    expect(await sinceNow()).toBe(0);
  });
});
