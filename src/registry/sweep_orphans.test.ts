// Sweeps against pushes of the same digests: bytes that a fact names are there, bytes that none names go.

import { blobSize } from "../../test/contracts/metadata_facts.ts";
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { sample } from "../../test/contracts/store_samples.ts";
import {
  filesOf,
  image,
  openWorld,
  pushBlob,
  pushImage,
  repository,
  type World,
} from "../../test/registry/world.ts";
import { digestOf, type Digest } from "../oci/digest.ts";
import { blobKey } from "../storage/layout.ts";
import { removeBlob, removeManifest } from "./delete.ts";
import { mountBlob } from "./mount_blob.ts";
import { sweepOrphans } from "./sweep_orphans.ts";

const blobs = [1, 2, 3].map((seed) => sample(100 * seed, seed));
const other = "team/other";

const remove = (world: World, target: Digest, at: string): Promise<unknown> =>
  removeBlob(world.registry, { repository: at, target, by: null }).catch(() => undefined);

test("removes every orphan once, in rounds, and tells how many", async () => {
  await using world = await openWorld();
  for (let index = 0; index < 300; index += 1) {
    await pushBlob(world, sample(50, index));
    await remove(world, digestOf("sha256", sample(50, index)), repository);
  }
  await pushBlob(world, sample(60));
  await world.projector.run("all");
  expect(await sweepOrphans(world.registry)).toBe(300);
  expect(await sweepOrphans(world.registry)).toBe(0);
  const kept = blobKey(repository, digestOf("sha256", sample(60)));
  expect(await filesOf(world)).toEqual([
    kept,
    `${repository}/index.json`,
    `${repository}/oci-layout`,
  ]);
});

test("goes on where a crash left it", async () => {
  await using world = await openWorld();
  const digest = await pushBlob(world, sample(50));
  await remove(world, digest, repository);
  await world.projector.run("all");
  // The file was removed, and the process ended before its row was.
  await world.registry.blobs.remove(repository, digest);
  await world.crash();
  expect(await sweepOrphans(world.registry)).toBe(1);
  expect(await world.registry.metadata.orphans(9)).toEqual([]);
});

describe("races", () => {
  test("any crossing of pushes, mounts, deletes, projections and sweeps: what is named is readable", async () => {
    const action = fc.record({
      what: fc.constantFrom("push", "push", "mount", "delete", "sweep", "project"),
      blob: fc.integer({ min: 0, max: 2 }),
      at: fc.constantFrom(repository, other),
    });
    const property = fc.asyncProperty(
      fc.array(fc.array(action, { minLength: 1, maxLength: 8 }), { maxLength: 8 }),
      async (rounds) => {
        await using world = await openWorld();
        const run = async ({ what, blob, at }: (typeof rounds)[number][number]) => {
          const bytes = blobs[blob]!;
          const digest = digestOf("sha256", bytes);
          if (what === "push") await pushBlob(world, bytes, at);
          else if (what === "delete") await remove(world, digest, at);
          else if (what === "sweep") await sweepOrphans(world.registry);
          else if (what === "project") await world.projector.run("all");
          else {
            const from = at === repository ? other : repository;
            const request = { repository: at, digest, from, mayRead: () => true, by: null };
            await mountBlob(world.registry, request);
          }
        };
        for (const round of rounds) {
          await Promise.all(round.map(run));
          await checkNamed(world);
        }
        await world.settle();
        await checkNamed(world);
        await checkUnnamed(world);
      },
    );
    await fc.assert(property, { numRuns: 40 });
  });

  test("a manifest pushed, deleted and pushed again while sweeps run is whole whenever it is known", async () => {
    await using world = await openWorld();
    const app = image(1);
    await pushImage(world, app, "v1");
    for (let round = 0; round < 30; round += 1) {
      await Promise.all([
        removeManifest(world.registry, { repository, target: app.digest, by: null }).catch(
          () => undefined,
        ),
        world.projector.run("all").then(() => sweepOrphans(world.registry)),
        pushImage(world, app, "v1"),
        sweepOrphans(world.registry),
      ]);
      const known = await world.registry.metadata.manifestByDigest(repository, app.digest);
      if (known === null) continue;
      const bytes = await world.registry.blobs.read(repository, app.digest, 9999);
      expect(bytes).toEqual(Buffer.from(app.bytes));
    }
    await pushImage(world, app, "v1");
    await world.settle();
    const bytes = await world.registry.blobs.read(repository, app.digest, 9999);
    expect(bytes).toEqual(Buffer.from(app.bytes));
  });
});

async function checkNamed({ registry }: World): Promise<void> {
  for (const at of [repository, other]) {
    for (const bytes of blobs) {
      const digest = digestOf("sha256", bytes);
      const size = await blobSize(registry.metadata, at, digest);
      if (size === null) continue;
      expect([at, digest, size]).toEqual([at, digest, bytes.length]);
      expect(await registry.blobs.read(at, digest, 9999)).toEqual(bytes);
    }
  }
}

/** At rest, files that nothing names are gone. */
async function checkUnnamed(world: World): Promise<void> {
  const files = await filesOf(world);
  for (const at of [repository, other]) {
    for (const bytes of blobs) {
      const digest = digestOf("sha256", bytes);
      const named = (await world.registry.metadata.blobRecord(at, digest)) !== null;
      expect([at, digest, files.includes(blobKey(at, digest))]).toEqual([at, digest, named]);
    }
  }
}
