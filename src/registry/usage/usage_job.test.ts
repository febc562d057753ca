// Counting of what was there before there were totals, recounts, and what a tag frees: on a real root, while content comes
// and goes.

import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import * as fc from "fast-check";
import { holds } from "../../../test/property.ts";
import { openCollector } from "../../../test/registry/collecting.ts";
import { image, openWorld, pushImage, type World } from "../../../test/registry/world.ts";
import { usage } from "../../metadata/usage.ts";
import { metadataFile } from "../../storage/layout.ts";
import { removeTag } from "../delete.ts";
import { tagsFigures, prefixFigures, registryFigures, repositoryFigures } from "./usage_figures.ts";
import { UsageJob } from "./usage_job.ts";

/** Runs the job until it has nothing to do, with time for one recount. */
async function runJob(world: World, job: UsageJob): Promise<void> {
  const abort = new AbortController();
  await world.clock.advance(61_000);
  const state = { isDone: false };
  const run = job.run(abort.signal).then(() => {
    state.isDone = true;
  });
  while (!state.isDone) {
    await world.clock.advance(1_000);
    await Bun.sleep(0);
  }
  await run;
}

/** Changes the rows of a root behind its back. */
function changeRows(world: World, text: string): void {
  const database = new Database(join(world.root, metadataFile), { strict: true });
  database.run(text);
  database.close();
}

const unique = (world: World): Promise<number> =>
  world.registry.metadata
    .records(usage)
    .registry()
    .then(({ uniqueBytes }) => uniqueBytes);

describe("the job", () => {
  test("counts a root that was filled before there were totals, and nothing waits for it", async () => {
    await using world = await openWorld();
    await pushImage(world, image(1), "v1");
    await pushImage(world, image(2), "v2", "team/other");
    const before = await repositoryFigures(world.registry, "team/app");
    const whole = await registryFigures(world.registry);
    changeRows(
      world,
      "UPDATE usage_totals SET linked = 0, own = 0, kept = 0, digests = 0, manifests = 0, tags = 0, " +
        "counted_to = CASE repository WHEN 0 THEN '' END",
    );
    const reads = world.registry.metadata.records(usage);
    expect(await reads.registry()).toMatchObject({ uniqueBytes: 0, isCounted: false });
    expect((await repositoryFigures(world.registry, "team/app")).isCounted).toBe(false);
    await runJob(world, new UsageJob({ registry: world.registry }));
    expect(await repositoryFigures(world.registry, "team/app")).toEqual(before);
    expect(await registryFigures(world.registry)).toEqual(whole);
    expect(whole.isCounted).toBe(true);
  });

  test("counts one total after the other anew; what is wrong is mended and told", async () => {
    await using world = await openWorld();
    await pushImage(world, image(1), "v1");
    const right = await repositoryFigures(world.registry, "team/app");
    const drifts: number[] = [];
    changeRows(
      world,
      "UPDATE usage_totals SET linked = linked - 70, own = own + 5 WHERE repository > 0",
    );
    // Of two totals each is counted in one of two runs, whichever comes first.
    const onDrift = (bytes: number): void => void drifts.push(bytes);
    const job = new UsageJob({ registry: world.registry, onDrift });
    for (let runs = 0; runs < 2; runs += 1) await runJob(world, job);
    expect(await repositoryFigures(world.registry, "team/app")).toEqual(right);
    expect(drifts).toEqual([70]);
    expect(world.reports).toContainEqual({
      level: "warn",
      message: "a total was wrong, and is mended",
      fields: expect.objectContaining({ repository: "team/app", linkedBytes: -70, ownBytes: 5 }),
    });
  });
});

describe("what goes with a tag", () => {
  const place = fc.constantFrom("team/app", "team/web", "other");
  const step = fc.record({
    seed: fc.integer({ min: 1, max: 4 }),
    at: place,
    tag: fc.constantFrom("a", "b", "c"),
  });

  test("is what the disk gains when it is removed and collected", () =>
    holds(
      "freed",
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 7 }), async (steps) => {
        await using world = await openWorld();
        for (const { seed, at, tag } of steps) await pushImage(world, image(seed), tag, at);
        const collector = openCollector(world, { gcDelay: 1, gcInterval: 1 });
        // Images whose tags moved away go first.
        await world.clock.advance(10_000);
        await collector.settle();
        const { at, tag } = steps.at(-1)!;
        const { registry } = world;
        const before = await unique(world);
        const here = (await repositoryFigures(registry, at)).linkedBytes;
        const { tags, together } = await tagsFigures(registry, at, [tag]);
        expect(together).toEqual({
          freedBytes: tags[0]!.freedBytes,
          freedHereBytes: tags[0]!.freedHereBytes,
        });
        const all = await prefixFigures(registry, "", { mayRead: () => true });
        expect(all.linkedBytes).toBe(before);
        expect(all.ownBytes).toBe(before);
        const [app, web, physical] = [
          await prefixFigures(registry, "team/", { mayRead: () => true }),
          await prefixFigures(registry, "other", { mayRead: () => true }),
          (await registryFigures(registry)).physicalBytes,
        ];
        expect((app.ownBytes ?? 0) + (web.ownBytes ?? 0)).toBeLessThanOrEqual(physical);
        await removeTag(registry, { repository: at, target: tag, by: null, tagIs: null });
        await world.clock.advance(10_000);
        await collector.settle();
        expect(before - (await unique(world))).toBe(tags[0]!.freedBytes);
        const left = await registry.metadata.records(usage).repository(at);
        expect(here - (left?.linkedBytes ?? 0)).toBe(tags[0]!.freedHereBytes);
      }),
      25,
    ));
});
