// index.json on disk: always whole, exact at rest, and never the reason why a deleted tag comes back.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { readFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { sample } from "../../test/contracts/store_samples.ts";
import {
  factLines,
  filesOf,
  image,
  linesOf,
  named,
  openWorld,
  pushBlob,
  pushImage,
  readIndex,
  repository,
  watchedLayouts,
  type World,
  writeLayout,
} from "../../test/registry/world.ts";
import { layoutStates } from "../metadata/layout_states.ts";
import { isOciLayout } from "../oci/layout_index.ts";
import { blobKey, indexKey } from "../storage/layout.ts";
import { removeBlob, removeManifest, removeTag } from "./delete.ts";
import { LayoutProjector } from "./layout_projector.ts";
import type { LayoutRegistry } from "./registry.ts";

/** A registry whose process ends when it comes to a change of this kind. */
function endingAt(registry: LayoutRegistry, kind: string): LayoutRegistry {
  return watchedLayouts(registry, async (change) => {
    if (change.kind === kind) throw new Error("the process ended here");
  });
}

const tookIn = (world: World): boolean =>
  world.reports.some(({ message }) => message.includes("took in"));

describe("index.json", () => {
  test("lists what the facts know, beside a whole layout", async () => {
    await using world = await openWorld();
    const app = image(1);
    await pushImage(world, app, "v1");
    await pushImage(world, app, "latest");
    await pushImage(world, image(2), null);
    expect(await readIndex(world)).toEqual([]);
    await world.projector.run("all");
    expect(await readIndex(world)).toEqual([
      `latest ${app.digest}`,
      `v1 ${app.digest}`,
      `- ${image(2).digest}`,
    ]);
    const marker = await readFile(world.pathOf(`${repository}/oci-layout`), "utf8");
    expect(isOciLayout(marker)).toBe(true);
    expect(await world.registry.metadata.records(layoutStates).stale(9)).toEqual([]);
  });

  test("at rest equals the facts, lists only bytes that are there, and leaves no other file", async () => {
    const repositories = [repository, "team/app/nested", "other"];
    const step = fc.record({
      what: fc.constantFrom("push", "push", "untagged", "untag", "delete", "project", "crash"),
      at: fc.constantFrom(...repositories),
      seed: fc.integer({ min: 1, max: 4 }),
      tag: fc.constantFrom("v1", "v2", "latest"),
    });
    const property = fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
      await using world = await openWorld();
      for (const { what, at, seed, tag } of steps) {
        const target = image(seed);
        if (what === "push") await pushImage(world, target, tag, at);
        else if (what === "untagged") await pushImage(world, target, null, at);
        else if (what === "project") await world.projector.run("all");
        else if (what === "crash") await world.crash();
        else {
          const request = { repository: at, by: null };
          const work =
            what === "untag"
              ? removeTag(world.registry, { ...request, target: tag, tagIs: null })
              : removeManifest(world.registry, { ...request, target: target.digest });
          await work.catch(() => undefined); // It was not there.
        }
        await checkListed(world, repositories);
      }
      await world.settle();
      await checkListed(world, repositories);
      for (const at of repositories) {
        const expected = await factLines(world, at);
        expect((await readIndex(world, at)) ?? []).toEqual(expected);
      }
      expect(await world.registry.metadata.records(layoutStates).stale(9)).toEqual([]);
      expect(await world.registry.metadata.orphans(9)).toEqual([]);
      expect(tookIn(world)).toBe(false);
    });
    await fc.assert(property, { numRuns: 30 });
  });

  /** Whatever happened, what an index.json on disk lists is on disk. */
  async function checkListed(world: World, repositories: readonly string[]): Promise<void> {
    const files = await filesOf(world);
    for (const at of repositories) {
      for (const line of (await readIndex(world, at)) ?? []) {
        const digest = line.split(" ")[1] as ReturnType<typeof image>["digest"];
        expect(files).toContain(blobKey(at, digest));
      }
    }
  }

  test("is replaced in one step: a reader always finds a whole one", async () => {
    await using world = await openWorld();
    await pushImage(world, image(1), "v0");
    await world.settle();
    const progress = { writing: true };
    const writing = (async () => {
      for (let index = 1; index <= 25; index += 1) {
        const { digest } = image(1);
        await world.commit({ kind: "set-tag", tag: `v${index}`, digest });
        await world.projector.run("all");
      }
      progress.writing = false;
    })();
    let before = 0;
    while (progress.writing) {
      const lines = linesOf(await readFile(world.pathOf(indexKey(repository)), "utf8"));
      expect(lines.length).toBeGreaterThanOrEqual(before);
      before = lines.length;
    }
    await writing;
    expect(await readIndex(world)).toHaveLength(26);
  });

  test("of many repositories: one that cannot be written is told and does not stop the others", async () => {
    await using world = await openWorld();
    for (const at of ["a", "b", "c"]) await pushImage(world, image(1), "v1", at);
    const failing = watchedLayouts(world.registry, async (change) => {
      const planned = change.repository === "b" && change.kind === "plan-layout";
      if (planned) throw new Error("disk trouble");
    });
    await new LayoutProjector(failing, world.report).run("all");
    expect(await readIndex(world, "a")).toHaveLength(1);
    expect(await readIndex(world, "b")).toEqual([]);
    expect(await readIndex(world, "c")).toHaveLength(1);
    expect(world.reports).toMatchObject([
      { level: "error", fields: { repository: "b", error: "Error: disk trouble" } },
    ]);
    expect(await world.registry.metadata.records(layoutStates).stale(9)).toEqual(["b"]);
  });

  test("waits for its rest, the longer the more it has to write; others do not wait for it", async () => {
    await using world = await openWorld();
    const slow = watchedLayouts(world.registry, async (change) => {
      const plans = change.repository === "slow" && change.kind === "plan-layout";
      if (plans) await world.clock.advance(1000);
    });
    const projector = new LayoutProjector(slow, world.report);
    const push = async (tag: string) => {
      for (const at of ["slow", "fast"]) await pushImage(world, image(1), tag, at);
    };
    await push("v1");
    expect(await projector.run("rested")).toBeNull();
    await push("v2");
    const waitMs = await projector.run("rested");
    expect(await readIndex(world, "fast")).toHaveLength(2);
    expect(await readIndex(world, "slow")).toHaveLength(1);
    expect(waitMs).toBeGreaterThan(10_000);
    expect(waitMs).toBeLessThanOrEqual(30_000);
    await world.clock.advance(waitMs ?? 0);
    expect(await projector.run("rested")).toBeNull();
    expect(await readIndex(world, "slow")).toHaveLength(2);
    // And a stop does not wait for any rest.
    await push("v3");
    await projector.run("last");
    expect(await readIndex(world, "slow")).toHaveLength(3);
  });
});

describe("a process that ends in the middle", () => {
  for (const kind of ["plan-layout", "record-layout"]) {
    test(`at ${kind}: the next start goes on, and does not bring a deleted tag back`, async () => {
      await using world = await openWorld();
      const app = image(1);
      await pushImage(world, app, "stays");
      await pushImage(world, app, "goes");
      await world.settle();
      await pushImage(world, image(2), "new");
      const ending = new LayoutProjector(endingAt(world.registry, kind), world.report);
      await ending.run("all");
      expect(await readIndex(world)).toHaveLength(kind === "plan-layout" ? 2 : 3);
      await removeTag(world.registry, { repository, target: "goes", by: null, tagIs: null });
      await world.crash();
      await world.settle();
      const expected = [`new ${image(2).digest}`, `stays ${app.digest}`];
      expect(await readIndex(world)).toEqual(expected);
      expect(await world.registry.metadata.tags(repository, { after: null, limit: 9 })).toEqual([
        "new",
        "stays",
      ]);
      // Neither stamp was taken for another tool's.
      expect(tookIn(world)).toBe(false);
    });
  }

  test("between both, again and again: each stamp is known as ours", async () => {
    await using world = await openWorld();
    for (const [index, kind] of ["record-layout", "plan-layout", "record-layout"].entries()) {
      await pushImage(world, image(index + 1), `v${index}`);
      await new LayoutProjector(endingAt(world.registry, kind), world.report).run("all");
      await world.crash();
    }
    await world.settle();
    expect(await readIndex(world)).toHaveLength(3);
    expect(tookIn(world)).toBe(false);
  });
});

describe("bytes of what was deleted", () => {
  test("stay until index.json no longer lists them", async () => {
    await using world = await openWorld();
    const [kept, gone] = [image(1), image(2)];
    await pushImage(world, kept, "v1");
    await pushImage(world, gone, "v2");
    const loose = await pushBlob(world, sample(20));
    await world.settle();
    await removeManifest(world.registry, { repository, target: gone.digest, by: null });
    const layer = gone.descriptor.digest;
    expect(layer).toBe(gone.digest);
    await removeBlob(world.registry, { repository, target: loose, by: null });
    const { sweepOrphans } = await import("./sweep_orphans.ts");
    expect(await sweepOrphans(world.registry)).toBe(0);
    expect(await world.registry.blobs.stat(repository, gone.digest)).not.toBeNull();
    expect(await readIndex(world)).toHaveLength(2);
    await world.projector.run("all");
    expect(await sweepOrphans(world.registry)).toBe(2);
    expect(await world.registry.blobs.stat(repository, gone.digest)).toBeNull();
    expect(await world.registry.blobs.stat(repository, loose)).toBeNull();
    expect(await world.registry.blobs.stat(repository, kept.digest)).not.toBeNull();
  });
});

describe("another tool", () => {
  const theirs = image(9);
  const write = (world: World, tag = "theirs") => {
    // At once, as a tool does that does not know of us.
    const path = world.pathOf(indexKey(repository));
    const index = JSON.parse(readFileSync(path, "utf8")) as { manifests: object[] };
    index.manifests.push(named(theirs.descriptor, tag));
    writeFileSync(path, JSON.stringify(index));
  };

  for (const moment of ["plan-layout", "record-layout"]) {
    test(`that writes just before our ${moment} is not overwritten unseen`, async () => {
      await using world = await openWorld();
      await pushImage(world, image(1), "ours");
      await world.settle();
      await writeLayout(world, { blobs: [...theirs.blobs, theirs.bytes], index: null });
      await pushImage(world, image(2), "new");
      let wrote = 0;
      const racing = watchedLayouts(world.registry, async ({ kind }) => {
        if (kind !== moment || wrote > 0) return;
        wrote += 1;
        write(world);
      });
      await new LayoutProjector(racing, world.report).run("all");
      await world.settle();
      expect(wrote).toBe(1);
      expect(await readIndex(world)).toEqual([
        `new ${image(2).digest}`,
        `ours ${image(1).digest}`,
        `theirs ${theirs.digest}`,
      ]);
    });
  }

  test("that writes all the time keeps us waiting, not turning", async () => {
    await using world = await openWorld();
    await pushImage(world, image(1), "ours");
    await world.settle();
    await writeLayout(world, { blobs: [...theirs.blobs, theirs.bytes], index: null });
    await pushImage(world, image(2), "new");
    let wrote = 0;
    const racing = watchedLayouts(world.registry, async ({ kind }) => {
      if (kind !== "plan-layout") return;
      wrote += 1;
      write(world, `theirs-${wrote}`);
    });
    const projector = new LayoutProjector(racing, world.report);
    const waitMs = await projector.run("rested");
    expect(waitMs).toBeGreaterThan(0);
    expect(wrote).toBeLessThan(10);
    await world.settle();
    expect(await readIndex(world)).toHaveLength(2 + wrote);
  });

  test("changed a layout while we stop: it is left for the next start, which takes it in", async () => {
    await using world = await openWorld();
    await pushImage(world, image(1), "ours");
    await world.settle();
    await pushImage(world, image(2), "new");
    await writeLayout(world, { blobs: [...theirs.blobs, theirs.bytes], index: null });
    write(world);
    await world.projector.run("last");
    expect(await readIndex(world)).toEqual([`ours ${image(1).digest}`, `theirs ${theirs.digest}`]);
    await world.crash();
    await world.settle();
    expect(await readIndex(world)).toHaveLength(3);
  });
});

test("one repository is written once at a time, whoever asks", async () => {
  await using world = await openWorld();
  await pushImage(world, image(1), "v1");
  let open = 0;
  const watching = watchedLayouts(world.registry, async ({ kind }) => {
    if (kind === "plan-layout") {
      open += 1;
      expect(open).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (kind === "record-layout") open -= 1;
  });
  const projector = new LayoutProjector(watching, world.report);
  await Promise.all([
    ...Array.from({ length: 5 }, () => projector.run("all")),
    projector.run("last"),
    projector.takeIn(repository),
  ]);
  expect(open).toBe(0);
  expect(await readIndex(world)).toHaveLength(1);
});
