// Content that is still wanted stays through collection, undo and the sweep: databases that were put back, layouts that
// were read in part, content that several removed images share.

import { blobSize } from "../../../test/contracts/metadata_facts.ts";
import { describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { readFile, utimes } from "node:fs/promises";
import { join } from "node:path";
import {
  candidates,
  collecting,
  hourMs,
  openCollector,
} from "../../../test/registry/collecting.ts";
import {
  bytesOf,
  image,
  named,
  openWorld,
  pushBlob,
  pushImage,
  putManifest,
  repository,
  writeBlobFile,
  writeLayout,
  type Image,
  type World,
} from "../../../test/registry/world.ts";
import { runHere } from "../../jobs/heavy_work.ts";
import { digestOf, type Digest } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import { blobKey, indexKey, metadataFile } from "../../storage/layout.ts";
import { removeBlob, removeManifest, removeTag } from "../delete.ts";
import { endHolds } from "../history/end_holds.ts";
import { purgeContent } from "../history/purge_content.ts";
import { undelete } from "../history/restore.ts";
import type { Registry } from "../registry.ts";
import { applyPlan } from "../retention/apply_plan.ts";
import { retentionOptions } from "../retention/options.ts";
import { planLines } from "../retention/plan.ts";
import { RetentionJob } from "../retention/retention_job.ts";
import { compileRules } from "../retention/rules.ts";
import { sweepOrphans } from "../sweep_orphans.ts";
import { walkFiles } from "./file_walk.ts";
import { keepFor } from "./keep_for.ts";

const held = { windowMs: 24 * hourMs, pinMs: 0, bytesMax: null, minFree: { bytes: 0 } };
const dayMs = 24 * hourMs;

const isHere = (world: World, digest: Digest): boolean =>
  existsSync(world.pathOf(blobKey(repository, digest)));
const isWhole = (world: World, app: Image): boolean =>
  [...app.blobs, app.bytes].every((bytes) => isHere(world, digestOf("sha256", bytes)));
const isKnown = async (world: World, { digest }: Image, at = repository): Promise<boolean> =>
  (await world.registry.metadata.manifestByDigest(at, digest)) !== null;
const isTagged = async (world: World, tag: string): Promise<boolean> =>
  (await world.registry.metadata.manifestByTag(repository, tag)) !== null;
const untag = (world: World, tag: string, at = repository): Promise<void> =>
  removeTag(world.registry, { repository: at, target: tag, by: null, tagIs: null });
const remove = (world: World, target: Digest): Promise<void> =>
  removeManifest(world.registry, { repository, target, by: null });

function indexOf(images: readonly Image[], members: object = {}): Uint8Array {
  return bytesOf({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: images.map(({ descriptor }) => descriptor),
    ...members,
  });
}

const ends = ["", "-wal", "-shm"] as const;

/** Copies the database; what it returns puts the copy back, as while nobody serves. */
function backUp(world: World): () => Promise<void> {
  const [path, copy] = [join(world.root, metadataFile), join(world.root, "..", "copy.db")];
  for (const end of ends) copyFileSync(path + end, copy + end);
  const meanwhile = (): void => {
    for (const end of ends) {
      rmSync(path + end, { force: true });
      copyFileSync(copy + end, path + end);
    }
  };
  return () => world.crash({ meanwhile });
}

describe("a database that was put back", () => {
  test("ends no hold of what was pushed again since, before its layout was read", async () => {
    await using world = await openWorld({ undo: () => held });
    const app = image(1);
    await pushImage(world, app, "v1");
    await remove(world, app.digest);
    for (const blob of app.blobs) {
      await removeBlob(world.registry, {
        repository,
        target: digestOf("sha256", blob),
        by: null,
      });
    }
    await world.settle();
    const restore = backUp(world);
    await pushImage(world, app, "v1");
    await world.settle();
    await restore();
    await world.clock.advance(2 * dayMs);
    await endHolds(world.registry);
    await sweepOrphans(world.registry);
    expect(isWhole(world, app)).toBe(true);
    await world.settle();
    expect(await isTagged(world, "v1")).toBe(true);
    await world.clock.advance(hourMs);
    await world.settle();
    expect(isWhole(world, app)).toBe(true);
  });

  test("sweeps nothing that was pushed again since, before its layout was read", async () => {
    await using world = await openWorld();
    const app = image(1);
    await pushImage(world, app, "v1");
    await remove(world, app.digest);
    for (const blob of app.blobs) {
      await removeBlob(world.registry, {
        repository,
        target: digestOf("sha256", blob),
        by: null,
      });
    }
    await world.projector.run("all");
    const restore = backUp(world);
    await pushImage(world, app, "v1");
    await world.settle();
    await restore();
    await sweepOrphans(world.registry);
    expect(isWhole(world, app)).toBe(true);
    await world.settle();
    expect(await isTagged(world, "v1")).toBe(true);
    await world.settle();
    expect(isWhole(world, app)).toBe(true);
  });
});

describe("a database that was put back, beside pushes before its layout was read", () => {
  test("has the tags of the layout that nobody set since", async () => {
    await using world = await openWorld({ undo: () => held });
    const [app, other, next] = [image(1), image(2), image(3)];
    await pushImage(world, app, "v1");
    await pushImage(world, other, "moved");
    await untag(world, "v1");
    await remove(world, app.digest);
    await world.settle();
    const restore = backUp(world);
    await pushImage(world, app, "v1");
    await pushImage(world, next, "moved");
    await world.settle();
    await restore();
    await world.clock.advance(hourMs);
    await pushImage(world, image(4), "new");
    await world.settle();
    for (const tag of ["v1", "new"]) expect(await isTagged(world, tag)).toBe(true);
    const moved = await world.registry.metadata.manifestByTag(repository, "moved");
    expect(moved?.digest).toBe(next.digest);
  });

  test("loses no tag to rules that look at what it knew", async () => {
    await using world = await openWorld();
    const keepTags = [{ patterns: ["^v"] }];
    const policies = retentionOptions.policies.type.parse([{ repositories: ["**"], keepTags }]);
    const settings = collecting({ retention: { dryRun: false, delay: null, policies } });
    const job = new RetentionJob({
      registry: world.registry,
      heavy: runHere<Registry>(world.registry),
      report: world.report,
      settings: () => settings,
    });
    await pushImage(world, image(1), "other");
    await world.settle();
    await writeLayout(world, { index: [named(image(1).descriptor, "v1")] });
    await job.run(new AbortController().signal);
    expect(await isTagged(world, "other")).toBe(true);
    await world.settle();
    await world.clock.advance(2 * hourMs);
    await job.run(new AbortController().signal);
    expect(await isTagged(world, "other")).toBe(false);
    expect(await isTagged(world, "v1")).toBe(true);
  });
});

describe("what another tool lists", () => {
  test("needs blobs and manifests that wait for the sweep: they stay", async () => {
    await using world = await openWorld();
    const [app, next] = [image(1), image(1, { annotations: { is: "next" } })];
    await pushImage(world, app, "v1");
    await world.settle();
    await remove(world, app.digest);
    for (const blob of app.blobs) {
      await removeBlob(world.registry, {
        repository,
        target: digestOf("sha256", blob),
        by: null,
      });
    }
    const index = indexOf([app]);
    const descriptor = {
      mediaType: mediaTypes.ociIndex,
      digest: digestOf("sha256", index),
      size: index.length,
    };
    await writeLayout(world, {
      blobs: [next.bytes, index],
      index: [named(next.descriptor, "next"), named(descriptor, "all")],
    });
    await world.settle();
    await world.settle();
    expect(await isTagged(world, "next")).toBe(true);
    expect(await isTagged(world, "all")).toBe(true);
    expect(isWhole(world, app)).toBe(true);
    expect(await isKnown(world, app)).toBe(true);
  });
});

describe("a layout that could be read in part", () => {
  test("keeps everything when its index.json is damaged and the metadata are lost", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const app = image(1);
    await pushImage(world, app, "v1");
    await world.settle();
    const text = await readFile(world.pathOf(indexKey(repository)), "utf8");
    const meanwhile = (): void => {
      const path = world.pathOf(indexKey(repository));
      writeFileSync(path, text.slice(0, text.length / 2));
      utimesSync(path, 1_000, 1_000);
    };
    await world.crash({ loseFacts: true, meanwhile });
    gc.restart();
    await world.settle();
    await world.clock.advance(3 * dayMs);
    await gc.settle();
    expect(isWhole(world, app)).toBe(true);
    // Mended by hand.
    await writeLayout(world, { index: text });
    await world.settle();
    expect(await isTagged(world, "v1")).toBe(true);
    await world.clock.advance(60 * dayMs);
    await gc.settle();
    expect(isWhole(world, app)).toBe(true);
  });

  test("keeps what a manifest named that is missing, for a month and until it is mended", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const app = image(1);
    await writeLayout(world, { blobs: app.blobs, index: [named(app.descriptor, "v1")] });
    await world.settle();
    await world.clock.advance(3 * dayMs);
    expect(await gc.settle()).toMatchObject({ blobs: 0 });
    await putManifest(world, app.bytes, "v1");
    await world.clock.advance(60 * dayMs);
    await gc.settle();
    expect(isWhole(world, app)).toBe(true);
  });

  test("waits for a month at most", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const app = image(1);
    await writeLayout(world, { blobs: app.blobs, index: [named(app.descriptor, "v1")] });
    await world.settle();
    await world.clock.advance(31 * dayMs);
    await gc.settle();
    expect(await gc.settle().then(() => isHere(world, digestOf("sha256", app.blobs[0]!)))).toBe(
      false,
    );
  });

  test("loses no file to the walk that a manifest names and that came later", async () => {
    await using world = await openWorld();
    const [app, layer] = [image(1), image(1).blobs[1]!];
    const digest = digestOf("sha256", layer);
    await writeLayout(world, {
      blobs: [app.blobs[0]!, app.bytes],
      index: [named(app.descriptor, "v1")],
    });
    await world.settle();
    await writeBlobFile(world, digest, layer);
    await utimes(world.pathOf(blobKey(repository, digest)), 1_000, 1_000);
    for (let week = 0; week < 3; week += 1) {
      await walkFiles({
        registry: world.registry,
        delayMs: () => hourMs,
        isWalked: () => true,
        mayGoOn: () => true,
      });
      await world.clock.advance(8 * dayMs);
    }
    await world.settle();
    expect(isHere(world, digest)).toBe(true);
    expect(await blobSize(world.registry.metadata, repository, digest)).toBe(layer.length);
  });
});

describe("a plan", () => {
  const rules = compileRules({ dryRun: false, delay: null, policies: [] }, hourMs);

  test("removes nothing of a layout that is to be read in first, and nothing young", async () => {
    await using world = await openWorld();
    const app = image(1);
    for (const blob of app.blobs) await pushBlob(world, blob);
    await world.settle();
    const registry = { ...world.registry, retention: rules };
    const [blob] = app.blobs;
    const digest = digestOf("sha256", blob!);
    const { since } = (await candidates(world))[0]!;
    const lines = [{ kind: "blob", repository, digest, since }] as const;
    const applying = { by: "alice", forbids: () => null };
    expect((await applyPlan(registry, lines, applying)).removed).toBe(0);
    await world.clock.advance(3 * hourMs);
    await writeLayout(world, { blobs: [app.bytes], index: [named(app.descriptor, "v1")] });
    expect(await Array.fromAsync(planLines(registry))).toEqual([]);
    expect((await applyPlan(registry, lines, applying)).removed).toBe(0);
    await world.settle();
    expect(isWhole(world, app)).toBe(true);
  });
});

describe("what is held", () => {
  test("keeps its blobs when a root is collected offline, where nothing is held", async () => {
    let undo = held;
    await using world = await openWorld({ undo: () => undo });
    const app = image(1);
    await pushImage(world, app, "v1");
    await remove(world, app.digest);
    undo = { ...held, windowMs: 0 };
    await world.clock.advance(dayMs / 2);
    await openCollector(world).settle();
    await undelete(world.registry, { repository, digest: app.digest, by: null });
    expect(isWhole(world, app)).toBe(true);
  });

  const delayed = { retention: { dryRun: false, delay: dayMs, policies: [] } };

  test("keeps its blobs, though another image that named them went long ago", async () => {
    await using world = await openWorld({ undo: () => held });
    const gc = openCollector(world, delayed);
    const [old, young] = [image(1), image(1, { annotations: { is: "young" } })];
    await pushImage(world, old, "old");
    await pushImage(world, young, "young");
    await untag(world, "old");
    await world.clock.advance(23 * hourMs);
    await remove(world, young.digest);
    await world.clock.advance(2 * hourMs);
    expect((await gc.settle()).manifests).toBe(1);
    await world.clock.advance(20 * hourMs);
    await endHolds(world.registry);
    await world.settle();
    await undelete(world.registry, { repository, digest: young.digest, by: null });
    expect(isWhole(world, young)).toBe(true);
  });

  test("keeps its children, though another index that named them went long ago", async () => {
    await using world = await openWorld({ undo: () => held });
    const gc = openCollector(world, delayed);
    const app = image(1);
    await pushImage(world, app, null);
    await putManifest(world, indexOf([app]), "old");
    const young = await putManifest(world, indexOf([app], { annotations: { is: "young" } }), "new");
    await untag(world, "old");
    await world.clock.advance(23 * hourMs);
    await remove(world, young);
    await world.clock.advance(2 * hourMs);
    await gc.settle();
    await world.clock.advance(20 * hourMs);
    await endHolds(world.registry);
    await world.settle();
    await undelete(world.registry, { repository, digest: young, by: null });
    expect(await isKnown(world, app)).toBe(true);
    expect(isWhole(world, app)).toBe(true);
  });
});

describe("what is pushed just now", () => {
  const rules = compileRules({ dryRun: false, delay: null, policies: [] }, hourMs);

  test("may rely for nearly the whole delay on what it was told to be here, for one commit", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const app = image(1);
    await pushImage(world, app, null);
    const digest = digestOf("sha256", app.blobs[1]!);
    const { metadata } = world.registry;
    const commit = metadata.commit.bind(metadata);
    let commits = 0;
    metadata.commit = async (unit) => {
      commits += 1;
      return commit(unit);
    };
    const tell = () =>
      keepFor(
        { ...world.registry, retention: rules },
        { repository, digest, sizeBytes: 0 },
        "blob",
      );
    await world.clock.advance(15 * 60_000);
    for (let turn = 0; turn < 3; turn += 1) expect(await tell()).toBe(true);
    expect(commits).toBe(1);
    await world.clock.advance(50 * 60_000);
    await gc.settle();
    expect(await isKnown(world, app)).toBe(false);
    expect(isHere(world, digest)).toBe(true);
  });

  test("is young, though it was there as another media type, or under the tag of a subject that is to come", async () => {
    await using world = await openWorld();
    const gone = { deleteReferrers: true, deleteUntagged: true, repositories: ["**"] };
    const none = { keepTags: [], immutableTags: [], protect: [], expiresByLabel: false };
    const policy = { ...gone, ...none, maxDeletePercent: 100 };
    const gc = openCollector(world, {
      retention: { dryRun: false, delay: null, policies: [policy] },
    });
    const [app, signature] = [image(1), image(2)];
    const tag = `${app.digest.replace(":", "-")}.sig`;
    await pushImage(world, signature, tag);
    await world.clock.advance(hourMs - 60_000);
    await putManifest(world, signature.bytes, tag);
    await world.clock.advance(120_000);
    expect((await gc.settle()).manifests).toBe(0);
    await pushImage(world, app, "v1");
    await world.clock.advance(9 * hourMs);
    expect((await gc.settle()).manifests).toBe(0);
    expect(await isTagged(world, tag)).toBe(true);
  });

  test("is not as old as the sparse index that named it before", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const at = "sparse/app";
    const app = image(1);
    await putManifest(world, indexOf([app]), "all", at);
    await untag(world, "all", at);
    await world.clock.advance(hourMs - 60_000);
    await pushImage(world, app, null, at);
    await world.clock.advance(120_000);
    expect((await gc.settle()).manifests).toBe(1);
    expect(await isKnown(world, app, at)).toBe(true);
    await putManifest(world, indexOf([app], { annotations: { is: "next" } }), "next", at);
    await world.clock.advance(3 * hourMs);
    await gc.settle();
    expect(await isKnown(world, app, at)).toBe(true);
  });
});

describe("a purge", () => {
  const purge = (world: World, digest: Digest): Promise<void> =>
    purgeContent(world.registry, { repository, digest, reason: "test", checkTag: null, by: null });

  test("of a list of referrers leaves those whose subject is here", async () => {
    await using world = await openWorld();
    const app = image(1);
    const signature = image(2, { subject: app.descriptor });
    await pushImage(world, app, "v1");
    await pushImage(world, signature, null);
    const list = await putManifest(world, indexOf([signature]), app.digest.replace(":", "-"));
    await purge(world, list);
    expect(await isKnown(world, signature)).toBe(true);
  });

  test("removes what several manifests share that all go with it", async () => {
    await using world = await openWorld();
    const apps = [image(1), image(1, { annotations: { is: "other" } })];
    for (const app of apps) await pushImage(world, app, null);
    const index = await putManifest(world, indexOf(apps), "all");
    await purge(world, index);
    await world.settle();
    for (const blob of apps[0]!.blobs) expect(isHere(world, digestOf("sha256", blob))).toBe(false);
  });
});
