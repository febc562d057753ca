// Collection against everything else at once, and collection that ends at each of its writes: what is named is whole,
// and in the end nothing is left that nothing names.

import { blobSize } from "../../../test/contracts/metadata_facts.ts";
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { candidates, hourMs, openCollector } from "../../../test/registry/collecting.ts";
import {
  filesOf,
  image,
  openWorld,
  pushBlob,
  pushImage,
  putManifest,
  repository,
  type World,
} from "../../../test/registry/world.ts";
import { ApiError } from "../../oci/errors.ts";
import { digestOf, type Digest } from "../../oci/digest.ts";
import { removeManifest, removeTag } from "../delete.ts";
import { mountBlob } from "../mount_blob.ts";
import { walkFiles } from "./file_walk.ts";

const images = [image(1), image(2)];
const other = "team/other";
const places = [repository, other];

/** What a client is told when something it needs was collected meanwhile: it pushes that again. */
const refusals: ReadonlySet<string> = new Set([
  "MANIFEST_BLOB_UNKNOWN",
  "MANIFEST_UNKNOWN",
  "NAME_UNKNOWN",
  "UNAVAILABLE",
]);

async function orRefused(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof ApiError) || !refusals.has(error.reason)) throw error;
  }
}

interface Action {
  readonly what: string;
  readonly which: number;
  readonly at: string;
}

async function act(world: World, gc: ReturnType<typeof openCollector>, action: Action) {
  const { registry } = world;
  const { what, at } = action;
  const pushed = images[action.which]!;
  const blob = pushed.blobs[1]!;
  const tag = `v${action.which}`;
  const request = { repository: at, by: null };
  if (what === "blob") await pushBlob(world, blob, at);
  else if (what === "image") await orRefused(pushImage(world, pushed, tag, at));
  else if (what === "untagged") await orRefused(pushImage(world, pushed, null, at));
  // Its blobs may be here, or not any more.
  else if (what === "manifest") await orRefused(putManifest(world, pushed.bytes, tag, at));
  else if (what === "untag")
    await orRefused(removeTag(registry, { ...request, target: tag, tagIs: null }));
  else if (what === "remove")
    await orRefused(removeManifest(registry, { ...request, target: pushed.digest }));
  else if (what === "mount") {
    const digest = digestOf("sha256", blob);
    await mountBlob(registry, { ...request, digest, from: null, mayRead: () => true });
  } else if (what === "project") await world.projector.run("all");
  else await gc.round();
}

/** Each manifest has its blobs, and each of all these has its bytes. */
async function checkNamed({ registry }: World): Promise<void> {
  for (const at of places) {
    for (const { digest, blobs, bytes } of images) {
      const isKnown = (await registry.metadata.manifestByDigest(at, digest)) !== null;
      if (isKnown) expect(await registry.blobs.read(at, digest, 9999)).toEqual(Buffer.from(bytes));
      for (const blob of blobs) {
        const size = await blobSize(registry.metadata, at, digestOf("sha256", blob));
        if (isKnown) expect([at, size]).toEqual([at, blob.length]);
        if (size === null) continue;
        const read = await registry.blobs.read(at, digestOf("sha256", blob), 9999);
        expect(read).toEqual(Buffer.from(blob));
      }
    }
  }
}

test("pushes, mounts, deletes, projections and rounds at once: a manifest has its blobs at any moment", async () => {
  const kinds: string[] = [
    "blob",
    "image",
    "untagged",
    "manifest",
    "untag",
    "remove",
    "mount",
    "project",
  ];
  const action = fc.record({
    what: fc.constantFrom(...kinds, "collect", "collect", "collect"),
    which: fc.integer({ min: 0, max: 1 }),
    at: fc.constantFrom(repository, other),
  });
  const property = fc.asyncProperty(
    fc.array(fc.array(action, { minLength: 1, maxLength: 8 }), { maxLength: 8 }),
    async (rounds) => {
      await using world = await openWorld();
      // Everything is due at once, which no server may do: what races can happen do.
      const gc = openCollector(world, { gcDelay: 0 });
      // Files have the time of the system.
      await world.clock.advance(hourMs);
      for (const round of rounds) {
        await Promise.all(round.map((one) => act(world, gc, one)));
        await checkNamed(world);
        await world.clock.advance(61_000);
      }
      await gc.settle();
      await world.clock.advance(61_000);
      await gc.settle();
      await checkNamed(world);
      await checkNothingLeft(world);
    },
  );
  await fc.assert(property, { numRuns: 30 });
});

/** Every file is named, every repository has content, and nothing waits. */
async function checkNothingLeft(world: World): Promise<void> {
  expect(await candidates(world)).toEqual([]);
  for (const path of await filesOf(world)) {
    const [, at, hex] = /^(.*)\/blobs\/sha256\/(.*)$/.exec(path) ?? [];
    if (at === undefined) continue;
    const held = await world.registry.metadata.held(at, [`sha256:${hex}`]);
    expect([path, held.map(({ as }) => as)]).not.toEqual([path, []]);
  }
  const all = { after: null, limit: 99 };
  const { names } = await world.registry.metadata.catalog(all);
  expect(await world.registry.metadata.repositories(all)).toEqual([...names]);
}

/** Everything goes, but for an image with a tag: a repository, an index of two images, blobs. */
async function fill(world: World): Promise<Digest[]> {
  const kept = image(9);
  await pushImage(world, kept, "kept");
  await pushImage(world, image(3), "gone");
  await pushImage(world, image(4), null, "team/gone");
  await pushBlob(world, kept.blobs[0]!, "team/gone");
  await world.settle();
  await removeTag(world.registry, { repository, target: "gone", by: null, tagIs: null });
  await world.clock.advance(hourMs + 60_000);
  return [kept.digest, ...kept.blobs.map((blob) => digestOf("sha256", blob))];
}

class Killed extends Error {}

/** The writes of collection and of the work after it, counted; the process ends before or after the k-th. */
function killAt(
  world: World,
  k: number,
  when: "before" | "after",
): { readonly count: () => number } {
  let count = 0;
  const end = async <T>(write: () => Promise<T>): Promise<T> => {
    count += 1;
    if (count > k || (count === k && when === "before")) throw new Killed("killed");
    const done = await write();
    if (count >= k) throw new Killed("killed");
    return done;
  };
  const { metadata, layouts } = world.registry;
  const commit = metadata.commit.bind(metadata);
  metadata.commit = (unit) => end(() => commit(unit));
  const files = world.stores.files;
  const removeDirectory = files.removeDirectory.bind(files);
  files.removeDirectory = (key) => end(() => removeDirectory(key));
  const remove = files.remove.bind(files);
  files.remove = (key) => end(() => remove(key));
  const writeIndex = layouts.writeIndex.bind(layouts);
  layouts.writeIndex = (at, text, planned) => end(() => writeIndex(at, text, planned));
  return { count: () => count };
}

describe("a process that ends", () => {
  for (const when of ["before", "after"] as const) {
    test(`${when} each write of a collection leaves a root from which the next one goes on`, async () => {
      for (let k = 1, reached = true; reached; k += 1) {
        await using world = await openWorld();
        const kept = await fill(world);
        const writes = killAt(world, k, when);
        await openCollector(world)
          .settle()
          .catch(() => undefined);
        reached = writes.count() >= k;
        await world.crash();
        await world.settle();
        const gc = openCollector(world);
        await gc.settle();
        await world.clock.advance(2 * hourMs);
        await gc.settle();
        await world.clock.advance(2 * hourMs);
        await gc.settle();
        // What is left between bytes and rows is the walk's.
        for (let weeks = 0; weeks < 2; weeks += 1) {
          await walkFiles({
            registry: world.registry,
            delayMs: () => hourMs,
            isWalked: () => true,
            mayGoOn: () => true,
          });
          await world.clock.advance(8 * 24 * hourMs);
        }
        await world.settle();
        const files = await filesOf(world);
        expect([k, files.filter((path) => path.includes("team/gone"))]).toEqual([k, []]);
        expect([k, files.length]).toEqual([k, kept.length + 2]);
        const all = { after: null, limit: 9 };
        expect(await world.registry.metadata.repositories(all)).toEqual([repository]);
        for (const digest of kept) {
          expect([k, await world.registry.blobs.size(repository, digest)]).not.toEqual([k, null]);
        }
      }
    });
  }
});
