// The way in for what we did not write: hashed, then flushed, and only then named by a fact.

import { describe, expect, test } from "bun:test";
import { appendFile, unlink } from "node:fs/promises";
import { sample } from "../../test/contracts/store_samples.ts";
import {
  image,
  named,
  openWorld,
  repository,
  watched,
  type World,
  writeBlobFile,
  writeLayout,
} from "../../test/registry/world.ts";
import { digestOf } from "../oci/digest.ts";
import { reconcileLayout } from "../registry/reconcile_layout.ts";
import { Adoption } from "./adopt.ts";
import { blobKey } from "./layout.ts";

const small = sample(500);
const large = sample(300_000);

async function adopting(world: World, bytes: Uint8Array) {
  const digest = digestOf("sha256", bytes);
  await writeBlobFile(world, digest, bytes);
  return { digest, adoption: new Adoption(world.registry.layouts, repository, undefined) };
}

describe("adoption", () => {
  test("flushes every byte and name before any fact names it", async () => {
    for (const images of [1, 30]) {
      await using world = await openWorld();
      const theirs = Array.from({ length: images }, (_, index) => image(index));
      await writeLayout(world, {
        blobs: theirs.flatMap(({ blobs, bytes }) => [...blobs, bytes]),
        index: theirs.map(({ descriptor }, index) => named(descriptor, `v${index}`)),
      });
      const { files } = world.stores;
      const flushed = new Set<string>();
      const flushAll = files.flushAll.bind(files);
      files.flushAll = async (keys) => {
        await flushAll(keys);
        for (const key of keys) flushed.add(key);
      };
      let facts = 0;
      const registry = watched(world.registry, ({ changes }) => {
        for (const change of changes) {
          const digest =
            change.kind === "link-blob"
              ? change.digest
              : change.kind === "put-manifest"
                ? change.manifest.digest
                : null;
          if (digest === null) continue;
          facts += 1;
          expect(flushed.has(blobKey(repository, digest))).toBe(true);
        }
        return Promise.resolve();
      });
      await reconcileLayout(registry, repository, world.report);
      expect(facts).toBe(images * 3);
    }
  });

  for (const [says, bytes] of Object.entries({ small, large })) {
    test(`a ${says} file that is written to meanwhile is not adopted`, async () => {
      await using world = await openWorld();
      const { digest, adoption } = await adopting(world, bytes);
      expect(await adoption.check(digest)).toMatchObject({
        kind: "right",
        sizeBytes: bytes.length,
      });
      await appendFile(world.pathOf(blobKey(repository, digest)), "x");
      expect(await adoption.settle()).toEqual([]);
    });

    test(`a ${says} file that vanishes meanwhile is not adopted`, async () => {
      await using world = await openWorld();
      const { digest, adoption } = await adopting(world, bytes);
      expect(await adoption.check(digest)).toMatchObject({ kind: "right" });
      await unlink(world.pathOf(blobKey(repository, digest)));
      expect(await adoption.settle()).toEqual([]);
      expect(await adoption.check(digest)).toEqual({ kind: "absent" });
    });
  }

  test("bytes that are kept are bounded", async () => {
    await using world = await openWorld();
    const { digest, adoption } = await adopting(world, large);
    expect(await adoption.check(digest, 1000)).toMatchObject({ kind: "bad" });
    const kept = await adoption.check(digest, large.length);
    expect(kept).toMatchObject({ kind: "right", sizeBytes: large.length });
    expect(kept.kind === "right" && kept.bytes?.length).toBe(large.length);
  });
});
