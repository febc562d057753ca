// Rounds of collection over a root on disk: what goes, what stays, and when; the tables of cases of zot and of races.

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { rm, utimes, writeFile } from "node:fs/promises";
import { sample } from "../../../test/contracts/store_samples.ts";
import { candidates, hourMs, openCollector } from "../../../test/registry/collecting.ts";
import {
  bytesOf,
  filesOf,
  image,
  named,
  openWorld,
  pushBlob,
  pushImage,
  putManifest,
  repository,
  writeBlobFile,
  writeLayout,
  type World,
} from "../../../test/registry/world.ts";
import { collection } from "../../metadata/collection.ts";
import { recordCommit } from "../../metadata/records.ts";
import { retention } from "../../metadata/retention.ts";
import { digestOf, type Digest } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import { blobKey, indexKey } from "../../storage/layout.ts";
import { removeManifest, removeTag } from "../delete.ts";
import { endHolds } from "../history/end_holds.ts";
import { compileRules } from "../retention/rules.ts";
import { walkFiles } from "./file_walk.ts";
import { keepFor } from "./keep_for.ts";
import { mountBlob } from "../mount_blob.ts";

const almostMs = hourMs - 60_000;
/** Files have the time of the system, which is a little later than that of the world. */
const dueMs = hourMs + 60_000;
const policy = (changes: object = {}) => ({
  retention: {
    dryRun: false,
    delay: null,
    policies: [{ ...compiledDefaults, ...changes }],
  },
});
const compiledDefaults = {
  repositories: ["**"],
  deleteReferrers: false,
  deleteUntagged: true,
  keepTags: [],
  immutableTags: [],
  protect: [],
  expiresByLabel: false,
  maxDeletePercent: 100,
};

const isHere = (world: World, digest: Digest, at = repository): boolean =>
  existsSync(world.pathOf(blobKey(at, digest)));
const isKnown = async (world: World, digest: Digest): Promise<boolean> =>
  (await world.registry.metadata.manifestByDigest(repository, digest)) !== null;
const untag = (world: World, tag: string): Promise<void> =>
  removeTag(world.registry, { repository, target: tag, by: null, tagIs: null });
const remove = (world: World, target: Digest): Promise<void> =>
  removeManifest(world.registry, { repository, target, by: null });

/** An index of images, as bytes. */
function indexOf(...images: readonly ReturnType<typeof image>[]): Uint8Array {
  return bytesOf({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: images.map(({ descriptor }) => descriptor),
  });
}

/** An artifact about a manifest. */
function about(subject: { readonly descriptor: object }, seed: number) {
  return image(seed, { subject: subject.descriptor });
}

describe("blobs", () => {
  test("47 that no manifest names go after the delay, with their bytes, and not before", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const digest = await pushBlob(world, sample(500));
    expect(await candidates(world)).toHaveLength(1);
    await world.clock.advance(almostMs);
    expect((await gc.settle()).blobs).toBe(0);
    expect(isHere(world, digest)).toBe(true);
    await world.clock.advance(60_000);
    expect(await gc.settle()).toMatchObject({ blobs: 1, sizeBytes: 500 });
    expect(isHere(world, digest)).toBe(false);
  });

  test("that a manifest names at the last moment stay", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const app = image(1);
    for (const blob of app.blobs) await pushBlob(world, blob);
    await world.clock.advance(almostMs);
    await putManifest(world, app.bytes, "v1");
    await world.clock.advance(10 * hourMs);
    expect((await gc.settle()).blobs).toBe(0);
    expect(await candidates(world)).toEqual([]);
  });

  test("a mount, or a push of the same bytes, starts the clock anew", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const [first, second] = [sample(500, 1), sample(500, 2)];
    const digests = [await pushBlob(world, first), await pushBlob(world, second)];
    await world.clock.advance(almostMs);
    const [mounted = digests[0]] = digests;
    const request = { repository, digest: mounted!, from: repository, by: null };
    expect(await mountBlob(world.registry, { ...request, mayRead: () => true })).toBe(true);
    await pushBlob(world, second);
    await world.clock.advance(almostMs);
    expect((await gc.settle()).blobs).toBe(0);
    await world.clock.advance(hourMs);
    expect((await gc.settle()).blobs).toBe(2);
  });

  test("shared with another repository are collected where nothing names them, and stay in the other", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const app = image(1);
    await pushImage(world, app, "v1", "team/other");
    const blob = await pushBlob(world, app.blobs[1]!);
    await world.clock.advance(hourMs);
    expect((await gc.settle()).blobs).toBe(1);
    expect(isHere(world, blob)).toBe(false);
    expect(isHere(world, blob, "team/other")).toBe(true);
  });
});

describe("manifests", () => {
  test("1 an old untagged one goes without any rules, and 2 tags stay", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const [tagged, untagged] = [image(1), image(2)];
    await pushImage(world, tagged, "v1");
    await pushImage(world, untagged, null);
    await world.clock.advance(hourMs);
    expect(await gc.settle()).toMatchObject({ manifests: 1, blobs: 2 });
    expect(await isKnown(world, tagged.digest)).toBe(true);
    expect(await isKnown(world, untagged.digest)).toBe(false);
    expect(world.reports.map(({ message }) => message)).toContain("removed untagged manifest");
  });

  test("3 rules for another repository change nothing", async () => {
    await using world = await openWorld();
    const gc = openCollector(world, policy({ repositories: ["other/**"], deleteUntagged: false }));
    await pushImage(world, image(1), null);
    await world.clock.advance(hourMs);
    expect((await gc.settle()).manifests).toBe(1);
  });

  test("43, 44 count from the moment when their tag went, not from their push", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const app = image(1);
    await pushImage(world, app, "v1");
    await world.clock.advance(30 * 24 * hourMs);
    await untag(world, "v1");
    await world.clock.advance(almostMs);
    expect((await gc.settle()).manifests).toBe(0);
    await world.clock.advance(60_000);
    expect(await gc.settle()).toMatchObject({ manifests: 1, blobs: 2 });
  });

  test("45 have a delay of their own where rules say so", async () => {
    await using world = await openWorld();
    const rules = { retention: { dryRun: false, delay: 3 * hourMs, policies: [] } };
    const gc = openCollector(world, rules);
    await pushImage(world, image(1), null);
    await pushBlob(world, sample(500));
    await world.clock.advance(2 * hourMs);
    expect(await gc.settle()).toMatchObject({ manifests: 0, blobs: 1 });
    await world.clock.advance(hourMs);
    expect(await gc.settle()).toMatchObject({ manifests: 1, blobs: 2 });
  });

  test("27, 28, 56 an index keeps its children, which go with it, after one delay", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const [one, two] = [image(1), image(2)];
    for (const child of [one, two]) await pushImage(world, child, null);
    const index = await putManifest(world, indexOf(one, two), "all");
    await putManifest(world, two.bytes, "two");
    await world.clock.advance(2 * hourMs);
    expect((await gc.settle()).manifests).toBe(0);
    await untag(world, "all");
    await world.clock.advance(hourMs);
    expect(await gc.settle()).toMatchObject({ manifests: 2, blobs: 2 });
    expect(await isKnown(world, index)).toBe(false);
    expect(await isKnown(world, one.digest)).toBe(false);
    expect(await isKnown(world, two.digest)).toBe(true);
  });

  test("28 an index within an index that has a tag keeps its children", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const leaf = image(1);
    await pushImage(world, leaf, null);
    const inner = indexOf(leaf);
    await putManifest(world, inner, "inner");
    const descriptor = {
      mediaType: mediaTypes.ociIndex,
      digest: digestOf("sha256", inner),
      size: inner.length,
    };
    const outer = bytesOf({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [descriptor],
    });
    await putManifest(world, outer, "outer");
    await untag(world, "outer");
    await world.clock.advance(hourMs);
    expect((await gc.settle()).manifests).toBe(1);
    expect(await isKnown(world, leaf.digest)).toBe(true);
  });

  test("29 stay where rules keep untagged ones, and go once the rules do", async () => {
    await using world = await openWorld();
    const gc = openCollector(world, policy({ deleteUntagged: false }));
    await pushImage(world, image(1), null);
    await world.clock.advance(2 * hourMs);
    expect((await gc.settle()).manifests).toBe(0);
    await world.clock.advance(900 * hourMs);
    expect((await gc.settle()).manifests).toBe(0);
    gc.change(policy());
    expect(await gc.settle()).toMatchObject({ manifests: 1, blobs: 2 });
  });

  test("other rules are noticed after a restart, too", async () => {
    await using world = await openWorld();
    const gc = openCollector(world, policy({ deleteUntagged: false }));
    await pushImage(world, image(1), null);
    await world.clock.advance(2 * hourMs);
    expect((await gc.settle()).manifests).toBe(0);
    gc.change(policy());
    await world.crash();
    gc.restart();
    expect((await gc.settle()).manifests).toBe(1);
  });

  test("32, 33 of some that are compared the newest stay, and children of an index take no place", async () => {
    await using world = await openWorld();
    const keepUntagged = { ...noRules, mostRecentlyPushedCount: 2 };
    const gc = openCollector(world, policy({ keepUntagged }));
    const children = [image(11), image(12)];
    for (const child of children) await pushImage(world, child, null);
    await putManifest(world, indexOf(...children), "all");
    const pushed = [image(1), image(2), image(3)];
    for (const one of pushed) {
      await world.clock.advance(1_000);
      await pushImage(world, one, null);
    }
    await world.clock.advance(hourMs);
    expect((await gc.settle()).manifests).toBe(1);
    const known = () => Promise.all(pushed.map(({ digest }) => isKnown(world, digest)));
    expect(await known()).toEqual([false, true, true]);
    // Another one is newer by now: what was kept before has its turn.
    await pushImage(world, image(4), null);
    await world.clock.advance(hourMs);
    expect((await gc.settle()).manifests).toBe(1);
    expect(await known()).toEqual([false, false, true]);
  });

  test("32 pulled count 1: the one that was pulled last stays", async () => {
    await using world = await openWorld();
    const keepUntagged = { ...noRules, mostRecentlyPulledCount: 1 };
    const gc = openCollector(world, policy({ keepUntagged }));
    const pushed = [image(1), image(2), image(3)];
    for (const one of pushed) await pushImage(world, one, null);
    await world.clock.advance(hourMs);
    const pull = { repository, digest: image(2).digest, at: world.clock.now(), count: 1 };
    const pulls = [{ ...pull, looks: false }];
    await world.registry.metadata.commit(recordCommit(retention, { kind: "add-pulls", pulls }));
    expect((await gc.settle()).manifests).toBe(2);
    expect(await isKnown(world, image(2).digest)).toBe(true);
  });

  test("that are protected stay", async () => {
    await using world = await openWorld();
    const app = image(1);
    const protect = [{ tags: [], digests: [app.digest], reason: "audit" }];
    const gc = openCollector(world, policy({ protect }));
    await pushImage(world, app, null);
    await world.clock.advance(2 * hourMs);
    expect((await gc.settle()).manifests).toBe(0);
  });
});

const noRules = {
  mostRecentlyPushedCount: 0,
  mostRecentlyPulledCount: 0,
  mostRecentlyActiveCount: 0,
  all: false,
  minimum: 0,
};

describe("referrers", () => {
  const deleting = policy({ deleteReferrers: true });

  test("36 stay with their subject, whatever the rules", async () => {
    await using world = await openWorld();
    const gc = openCollector(world, deleting);
    const app = image(1);
    await pushImage(world, app, "v1");
    await pushImage(world, about(app, 2), null);
    await world.clock.advance(99 * hourMs);
    expect((await gc.settle()).manifests).toBe(0);
  });

  for (const [name, settings, goes] of [
    ["go with deleteReferrers, and 38 those of referrers in the same round", deleting, true],
    ["stay for ever without it", policy(), false],
    ["stay for ever without any rules", {}, false],
  ] as const) {
    test(`37 whose subject has gone ${name}`, async () => {
      await using world = await openWorld();
      const gc = openCollector(world, settings);
      const app = image(1);
      const signatures = [about(app, 2), about(app, 3), about(app, 4)];
      const note = about(signatures[0]!, 5);
      await pushImage(world, app, "v1");
      for (const one of [...signatures, note]) await pushImage(world, one, null);
      await remove(world, app.digest);
      await world.clock.advance(hourMs);
      expect((await gc.settle()).manifests).toBe(goes ? 4 : 0);
      await world.clock.advance(99 * hourMs);
      expect((await gc.settle()).manifests).toBe(0);
      expect(await isKnown(world, note.digest)).toBe(!goes);
    });
  }

  for (const ending of ["", ".sig", ".att", ".sbom"]) {
    test(`39, 40, 40b a tag sha256-<hex>${ending} follows its subject`, async () => {
      await using world = await openWorld();
      const gc = openCollector(world, deleting);
      const [app, signature] = [image(1), image(2)];
      await pushImage(world, app, "v1");
      await pushImage(world, signature, `${app.digest.replace(":", "-")}${ending}`);
      await world.clock.advance(99 * hourMs);
      expect((await gc.settle()).manifests).toBe(0);
      await remove(world, app.digest);
      await world.clock.advance(almostMs);
      expect((await gc.settle()).manifests).toBe(0);
      await world.clock.advance(60_000);
      expect((await gc.settle()).manifests).toBe(1);
      expect(await isKnown(world, signature.digest)).toBe(false);
    });
  }

  test("39 such a tag stays without deleteReferrers, and with another tag", async () => {
    await using world = await openWorld();
    const gc = openCollector(world, {});
    const [app, signature] = [image(1), image(2)];
    await pushImage(world, app, "v1");
    await pushImage(world, signature, `${app.digest.replace(":", "-")}.sig`);
    await remove(world, app.digest);
    await world.clock.advance(99 * hourMs);
    expect((await gc.settle()).manifests).toBe(0);
    await putManifest(world, signature.bytes, "kept");
    gc.change(deleting);
    expect((await gc.settle()).manifests).toBe(0);
    expect(await isKnown(world, signature.digest)).toBe(true);
    // Once its own tag is gone, nothing but the subject that is gone would keep it.
    await untag(world, "kept");
    await world.clock.advance(hourMs);
    expect((await gc.settle()).manifests).toBe(1);
  });

  test("41 one with a tag of cosign goes with that, without an error", async () => {
    await using world = await openWorld();
    const gc = openCollector(world, deleting);
    const app = image(1);
    const signature = about(app, 2);
    await pushImage(world, app, "v1");
    await pushImage(world, signature, `${app.digest.replace(":", "-")}.sig`);
    await remove(world, app.digest);
    await world.clock.advance(hourMs);
    expect((await gc.settle()).manifests).toBe(1);
    expect(await world.registry.metadata.tags(repository, { after: null, limit: 9 })).toEqual([]);
    expect(world.reports.filter(({ level }) => level === "error")).toEqual([]);
    expect(world.reports.map(({ message }) => message)).toContain(
      "removed manifest without reference",
    );
  });
});

describe("repositories", () => {
  test("6, 56 that hold nothing go with their directory, and come back with a push", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const app = image(1);
    await pushImage(world, app, "v1");
    await pushImage(world, image(2), "v1", "team");
    await world.settle();
    await untag(world, "v1");
    await world.clock.advance(hourMs);
    expect(await gc.settle()).toMatchObject({ manifests: 1, blobs: 2, repositories: 1 });
    expect(existsSync(world.pathOf(repository))).toBe(false);
    expect(existsSync(world.pathOf(indexKey("team")))).toBe(true);
    const all = { after: null, limit: 9 };
    expect(await world.registry.metadata.repositories(all)).toEqual(["team"]);
    await pushImage(world, app, "v2");
    await world.settle();
    expect(await world.registry.metadata.repositories(all)).toEqual(["team", repository]);
    expect(await filesOf(world)).toContain(indexKey(repository));
    expect(world.reports.filter(({ level }) => level !== "info")).toEqual([]);
  });

  test("48 stay while an upload is open, whoever it belongs to", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    await pushBlob(world, sample(500));
    const id = await world.registry.uploads.start(repository, "alice");
    await world.clock.advance(hourMs);
    expect(await gc.settle()).toMatchObject({ blobs: 1, repositories: 0 });
    expect(existsSync(world.pathOf(repository))).toBe(true);
    await world.registry.uploads.hold(repository, id, (upload) => upload.discard(), "alice");
    await world.clock.advance(61_000);
    expect(await gc.settle()).toMatchObject({ repositories: 1 });
    expect(existsSync(world.pathOf("team"))).toBe(false);
  });

  test("stay while a file lies there that a crash left behind, and go once two walks have found it", async () => {
    await using world = await openWorld();
    const dayMs = 24 * hourMs;
    const walk = () =>
      walkFiles({
        registry: world.registry,
        delayMs: () => hourMs,
        isWalked: () => true,
        mayGoOn: () => true,
      });
    const all = { after: null, limit: 9 };
    const gc = openCollector(world);
    await pushBlob(world, sample(500));
    await world.settle();
    const bytes = sample(300, 7);
    const stray = digestOf("sha256", bytes);
    await writeBlobFile(world, stray, bytes);
    await world.clock.advance(2 * dayMs);
    expect(await gc.settle()).toMatchObject({ blobs: 1, repositories: 0 });
    // The next process finds a directory that it knows, and makes no content out of the file.
    await world.crash();
    await world.settle();
    gc.restart();
    expect(await gc.settle()).toMatchObject({ blobs: 0, repositories: 0 });
    expect(await world.registry.metadata.repositories(all)).toEqual([repository]);
    expect(await world.registry.metadata.held(repository, [stray])).toEqual([]);
    expect(await walk()).toBe(0);
    await world.clock.advance(8 * dayMs);
    expect(await walk()).toBe(1);
    await world.settle();
    await world.clock.advance(dueMs);
    expect(await gc.settle()).toMatchObject({ blobs: 0, repositories: 1 });
    expect(await world.registry.metadata.repositories(all)).toEqual([]);
    expect(await filesOf(world)).toEqual([]);
  });

  test("stay where a file comes at the moment when their directory goes", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    await pushBlob(world, sample(500));
    await world.settle();
    await world.clock.advance(hourMs);
    const bytes = sample(300, 7);
    const { layouts } = world.registry;
    const remove = layouts.removeRepository.bind(layouts);
    layouts.removeRepository = async (...given) => {
      layouts.removeRepository = remove;
      await writeBlobFile(world, digestOf("sha256", bytes), bytes);
      return remove(...given);
    };
    expect(await gc.settle()).toMatchObject({ blobs: 1, repositories: 0 });
    await world.crash();
    await world.settle();
    const all = { after: null, limit: 9 };
    expect(await world.registry.metadata.repositories(all)).toEqual([repository]);
    const held = await world.registry.metadata.held(repository, [digestOf("sha256", bytes)]);
    expect(held).toEqual([]);
  });

  test("what another tool put into the directory stays", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    await pushBlob(world, sample(500));
    await writeFile(world.pathOf(`${repository}/README`), "ours");
    await world.clock.advance(hourMs);
    expect((await gc.settle()).repositories).toBe(1);
    expect(await filesOf(world)).toEqual([`${repository}/README`]);
  });
});

describe("other tools", () => {
  test("an index.json that is not ours stops collection of its repository until it was taken in", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const app = image(1);
    const other = await pushBlob(world, sample(500), "team/other");
    for (const blob of [...app.blobs, app.bytes]) await pushBlob(world, blob);
    await world.settle();
    await world.clock.advance(dueMs);
    await writeLayout(world, { index: [named(app.descriptor, "copied")] });
    const removed = await gc.round();
    expect(removed.blobs).toBe(1);
    expect(isHere(world, other, "team/other")).toBe(true);
    await world.settle();
    expect(isHere(world, other, "team/other")).toBe(false);
    // The manifest's own bytes were a blob, too: that alone is named by nothing.
    await world.clock.advance(61_000);
    await gc.settle();
    expect(await isKnown(world, app.digest)).toBe(true);
    for (const blob of app.blobs) expect(isHere(world, digestOf("sha256", blob))).toBe(true);
    expect(isHere(world, app.digest)).toBe(true);
  });

  test("a file that was written anew is younger than the delay, whatever the metadata say", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const digest = await pushBlob(world, sample(500));
    await world.clock.advance(hourMs);
    const now = new Date(world.clock.now() - 1_000);
    await utimes(world.pathOf(blobKey(repository, digest)), now, now);
    expect((await gc.settle()).blobs).toBe(0);
    await world.clock.advance(hourMs);
    expect((await gc.settle()).blobs).toBe(1);
  });

  test("a file that vanished is no trouble", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const digest = await pushBlob(world, sample(500));
    await rm(world.pathOf(blobKey(repository, digest)));
    await world.clock.advance(hourMs);
    expect((await gc.settle()).blobs).toBe(1);
    expect(world.reports.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("52 a repository that cannot be looked at waits, and others go on", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const bad = await pushBlob(world, sample(500), "team/bad");
    const good = await pushBlob(world, sample(500), "team/good");
    await world.settle();
    const stamp = world.registry.layouts.indexStamp.bind(world.registry.layouts);
    world.registry.layouts.indexStamp = async (at) => {
      if (at === "team/bad") throw new Error("EIO: i/o error");
      return stamp(at);
    };
    await world.clock.advance(dueMs);
    expect((await gc.round()).blobs).toBe(1);
    world.registry.layouts.indexStamp = stamp;
    await world.settle();
    expect(isHere(world, good, "team/good")).toBe(false);
    expect(isHere(world, bad, "team/bad")).toBe(true);
    const lines = world.reports.filter(({ level }) => level === "error");
    expect(lines).toMatchObject([{ fields: { repository: "team/bad" } }]);
    await world.clock.advance(61_000);
    expect((await gc.settle()).blobs).toBe(1);
  });
});

describe("what a pusher was told to be here", () => {
  const tell = (world: World, digest: Digest, as: "blob" | "manifest" = "blob") =>
    keepFor({ ...world.registry, retention: rules }, { repository, digest, sizeBytes: 0 }, as);
  const rules = compileRules({ dryRun: false, delay: null, policies: [] }, hourMs);

  test("is not collected before the delay is over again, though its image is", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const [app, next] = [image(1), image(1, { annotations: { is: "next" } })];
    await pushImage(world, app, null);
    const index = await putManifest(world, indexOf(app), "all");
    await untag(world, "all");
    await world.clock.advance(hourMs - 5 * 60_000);
    for (const blob of app.blobs) expect(await tell(world, digestOf("sha256", blob))).toBe(true);
    await world.clock.advance(5 * 60_000);
    expect(await gc.settle()).toMatchObject({ manifests: 2, blobs: 0 });
    expect(await isKnown(world, index)).toBe(false);
    await putManifest(world, next.bytes, "next");
    await world.clock.advance(9 * hourMs);
    expect((await gc.settle()).blobs).toBe(0);
  });

  test("a child is not collected either before its index comes", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    const app = image(1);
    await pushImage(world, app, null);
    await world.clock.advance(hourMs - 5 * 60_000);
    expect(await tell(world, app.digest, "manifest")).toBe(true);
    await world.clock.advance(hourMs - 5 * 60_000);
    expect((await gc.settle()).manifests).toBe(0);
  });

  test("costs nothing, and changes nothing, while there is time, or a tag", async () => {
    await using world = await openWorld();
    const app = image(1);
    await pushImage(world, app, "v1");
    const lone = await pushBlob(world, sample(500));
    const { metadata } = world.registry;
    let commits = 0;
    const commit = metadata.commit.bind(metadata);
    metadata.commit = async (unit) => {
      commits += 1;
      return commit(unit);
    };
    expect(await tell(world, lone)).toBe(true);
    await world.clock.advance(99 * hourMs);
    expect(await tell(world, digestOf("sha256", app.blobs[0]!))).toBe(true);
    expect(await tell(world, app.digest, "manifest")).toBe(true);
    expect(commits).toBe(0);
  });

  test("what was collected at this moment is not told to be here", async () => {
    await using world = await openWorld();
    const lone = await pushBlob(world, sample(500));
    await world.clock.advance(hourMs);
    const { metadata } = world.registry;
    const commit = metadata.commit.bind(metadata);
    metadata.commit = async (unit) => {
      metadata.commit = commit;
      await openCollector(world).settle();
      return commit(unit);
    };
    expect(await tell(world, lone)).toBe(false);
  });
});

describe("undo", () => {
  const held = { windowMs: 24 * hourMs, pinMs: hourMs, bytesMax: null, minFree: { bytes: 0 } };

  test("what is collected is held from the moment when its last name went, and the repository with it", async () => {
    await using world = await openWorld({ undo: () => held });
    const gc = openCollector(world);
    const app = image(1);
    await pushImage(world, app, "v1");
    await untag(world, "v1");
    const since = world.clock.now();
    await world.clock.advance(2 * hourMs);
    expect(await gc.settle()).toEqual({ manifests: 1, blobs: 2, repositories: 0, sizeBytes: 2443 });
    expect(await isKnown(world, app.digest)).toBe(false);
    expect(isHere(world, app.digest)).toBe(true);
    const { past } = world.registry.metadata;
    const records = await past.heldSince(Number.MAX_SAFE_INTEGER, 9);
    expect(records.map((record) => record.since)).toEqual([since, since, since]);
    await world.clock.advance(24 * hourMs);
    await endHolds(world.registry);
    await world.clock.advance(hourMs);
    expect((await gc.settle()).repositories).toBe(1);
    expect(existsSync(world.pathOf(repository))).toBe(false);
  });

  test("what an undo brought back is left alone until its pin ends", async () => {
    await using world = await openWorld({ undo: () => held });
    const gc = openCollector(world);
    const app = image(1);
    await pushImage(world, app, null);
    const until = world.clock.now() + 9 * hourMs;
    await world.commit({ kind: "pin", digest: app.digest, until });
    await world.clock.advance(8 * hourMs);
    expect((await gc.settle()).manifests).toBe(0);
    await world.clock.advance(2 * hourMs);
    expect((await gc.settle()).manifests).toBe(1);
  });
});

describe("switches", () => {
  test("gc: false keeps candidates and removes nothing; turned on later, what is due goes", async () => {
    await using world = await openWorld();
    const gc = openCollector(world, { gc: false });
    await pushImage(world, image(1), null);
    await world.clock.advance(99 * hourMs);
    expect((await gc.settle()).manifests).toBe(0);
    expect(await candidates(world)).toHaveLength(1);
    gc.change({ gc: true });
    expect((await gc.settle()).manifests).toBe(1);
  });

  test("another delay counts at once, also for what waits already", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    await pushBlob(world, sample(500));
    await world.clock.advance(hourMs / 2);
    expect((await gc.settle()).blobs).toBe(0);
    gc.change({ gcDelay: hourMs / 6 });
    expect((await gc.settle()).blobs).toBe(1);
  });

  test("a longer delay puts off nothing that is kept until a certain time", async () => {
    for (const asWhat of ["blob", "manifest"] as const) {
      await using world = await openWorld();
      const gc = openCollector(world, { gcDelay: hourMs / 6 });
      const app = image(1);
      const lone = await pushBlob(world, sample(500));
      if (asWhat === "manifest") await pushImage(world, app, null);
      const digest = asWhat === "blob" ? lone : app.digest;
      await world.commit({ kind: "pin", digest, until: world.clock.now() + 6 * hourMs });
      await world.clock.advance(2 * hourMs);
      await gc.settle();
      gc.change({ gcDelay: 5 * hourMs });
      await gc.settle();
      await world.clock.advance(4 * hourMs);
      await gc.settle();
      const left = (await candidates(world)).map((one) => one.digest);
      expect([asWhat, left.includes(digest)]).toEqual([asWhat, false]);
    }
  });

  test("42 a dry run says the same and changes nothing", async () => {
    const run = async (dryRun: boolean) => {
      await using world = await openWorld();
      const retention = { dryRun, delay: null, policies: [] };
      const gc = openCollector(world, { retention });
      await pushImage(world, image(1), null);
      await world.settle();
      await world.clock.advance(dueMs);
      const before = await filesOf(world);
      const waiting = await candidates(world);
      await gc.round();
      await world.settle();
      const said = world.reports.flatMap(({ message, fields }) =>
        message === "applied untagged policy"
          ? [[fields["reference"], fields["decision"], fields["reason"]]]
          : [],
      );
      const isSame =
        Bun.deepEquals(before, await filesOf(world)) &&
        Bun.deepEquals(waiting, await candidates(world));
      return { said, isSame };
    };
    const [dry, real] = [await run(true), await run(false)];
    expect(dry.said).toHaveLength(1);
    expect(dry.said).toEqual(real.said);
    expect([dry.isSame, real.isSame]).toEqual([true, false]);
  });

  test("54 an aborted round leaves nothing half done, and the next one goes on", async () => {
    await using world = await openWorld();
    const gc = openCollector(world);
    for (let seed = 1; seed <= 40; seed += 1) await pushImage(world, image(seed), null);
    await world.clock.advance(dueMs);
    const stop = new AbortController();
    const { metadata } = world.registry;
    const commit = metadata.commit.bind(metadata);
    let commits = 0;
    metadata.commit = async (unit) => {
      commits += 1;
      if (commits === 5) stop.abort();
      return commit(unit);
    };
    const removed = await gc.round(stop.signal);
    expect(removed.manifests).toBeGreaterThan(0);
    expect(removed.manifests).toBeLessThan(40);
    const rest = await gc.settle();
    expect(removed.manifests + rest.manifests).toBe(40);
    expect(removed.blobs + rest.blobs).toBe(80);
  });

  test("55 outside its window nothing is removed; it stops at the edge and goes on the next day", async () => {
    await using world = await openWorld();
    const gc = openCollector(world, { gcTimeWindow: "02:00-03:00" });
    const dayMs = 24 * hourMs;
    for (let seed = 1; seed <= 40; seed += 1) await pushImage(world, image(seed), null);
    const midnight = dayMs - (world.clock.now() % dayMs);
    await world.clock.advance(midnight + 2 * hourMs - 60_000);
    expect((await gc.settle()).manifests).toBe(0);
    // The window ends in the middle of a round.
    await world.clock.advance(dayMs - (world.clock.now() % dayMs) + 2 * hourMs);
    const { metadata } = world.registry;
    const commit = metadata.commit.bind(metadata);
    let commits = 0;
    metadata.commit = async (unit) => {
      commits += 1;
      if (commits === 5) gc.change({ gcTimeWindow: "01:00-02:00" });
      return commit(unit);
    };
    const removed = await gc.round();
    expect(removed.manifests).toBeGreaterThan(0);
    expect(removed.manifests).toBeLessThan(40);
    metadata.commit = commit;
    await world.clock.advance(dayMs - hourMs);
    expect((await gc.settle()).manifests).toBe(40 - removed.manifests);
  });
});

test("a round costs what is due: of what is not, nothing is read", async () => {
  await using world = await openWorld();
  const gc = openCollector(world);
  for (let seed = 1; seed <= 20; seed += 1) await pushImage(world, image(seed), `v${seed}`);
  const reads = world.registry.metadata.records(collection);
  let asked = 0;
  const counted = {
    ...reads,
    blob: (...given: Parameters<typeof reads.blob>) => {
      asked += 1;
      return reads.blob(...given);
    },
    manifest: (...given: Parameters<typeof reads.manifest>) => {
      asked += 1;
      return reads.manifest(...given);
    },
  };
  world.registry.metadata.records = () => counted as never;
  await world.clock.advance(99 * hourMs);
  await gc.round();
  expect(asked).toBe(0);
});
