// Content that only undo holds: nothing but the questions of undo sees it, it comes back whole or not at all, and its
// bytes go to the sweep only when its time is over.

import { describe, expect, test } from "bun:test";
import type { Hold, Metadata } from "../../src/metadata/metadata.ts";
import {
  blobSize,
  change,
  digest,
  layoutRecords,
  manifest,
  openTested,
  otherRepository,
  repository,
  startMs,
  type OpenEmptyStore,
  type PlacedChange,
  type TestedStore,
} from "./metadata_facts.ts";

const deleted: Hold = { why: "deleted" };
const collected: Hold = { why: "collected" };
const all = { after: null, limit: 100 };
const named = (...names: string[]) =>
  names.map((name) => ({ digest: digest(name), target: "blob" as const }));

/** An image of two layers, one of which another image shares, and an index of both. */
const given: readonly PlacedChange[] = [
  change.link("layer"),
  change.link("shared"),
  change.put(manifest("image", { references: named("layer", "shared") })),
  change.put(manifest("other", { references: named("shared") })),
  change.put(
    manifest("index", {
      references: [
        { digest: digest("image"), target: "manifest" },
        { digest: digest("other"), target: "manifest" },
      ],
    }),
  ),
  change.tag("v1", "index"),
  change.tag("v2", "other"),
];

const restorable = (name: string) => [
  { kind: "restorable", as: "any", digest: digest(name) } as const,
];

async function heldIn({ past }: Metadata): Promise<string[]> {
  const held = await past.heldSince(Number.MAX_SAFE_INTEGER, 100);
  return held.map((each) => each.digest).toSorted();
}

/** What lists, pulls and counts see. */
async function seen(metadata: Metadata): Promise<object> {
  const names = ["index", "image", "other", "layer", "shared"];
  return {
    tags: await metadata.tags(repository, all),
    catalog: await metadata.catalog(all),
    layout: (await layoutRecords(metadata)).records,
    manifests: await Promise.all(
      names.map((name) => metadata.manifestByDigest(repository, digest(name))),
    ),
    blobs: await Promise.all(names.map((name) => blobSize(metadata, repository, digest(name)))),
    holders: await metadata.repositoriesWithBlob(digest("layer"), "none", 9),
    referrers: await metadata.referrers(repository, digest("index"), [], {
      ...all,
      bytesMax: 1e6,
    }),
    holdings: [
      await metadata.holdings("blob", null, 99),
      await metadata.holdings("manifest", null, 99),
    ],
  };
}

/** The same content, once removed and once held while it is removed: nobody sees a difference. */
async function same(open: OpenEmptyStore, removal: (hold?: Hold) => PlacedChange[]) {
  await using removed = await openTested(open);
  await using held = await openTested(open);
  await removed.did(...given);
  await held.did(...given);
  const before = await seen(held.metadata);
  await removed.did(...removal());
  await held.did(...removal(deleted));
  expect(await seen(held.metadata)).toEqual(await seen(removed.metadata));
  return { before, removed: await removed.metadata.history(repository, null, 99) };
}

const removeAll = (hold?: Hold): PlacedChange[] => [
  change.remove("index", repository, hold),
  change.remove("image", repository, hold),
  change.remove("other", repository, hold),
  change.unlink("layer", repository, hold),
  change.unlink("shared", repository, hold),
];

async function removedTree(open: OpenEmptyStore): Promise<TestedStore> {
  const tested = await openTested(open);
  await tested.did(...given);
  await tested.clock.advance(1_000);
  await tested.did(...removeAll(deleted));
  return tested;
}

export function testHeld(open: OpenEmptyStore): void {
  test("held content is seen by nobody, and its bytes stay", async () => {
    await same(open, removeAll);
    await using tested = await removedTree(open);
    const { metadata } = tested;
    expect(await metadata.orphans(99)).toEqual([]);
    expect(await heldIn(metadata)).toEqual(
      ["index", "image", "other", "layer", "shared"].map(digest).toSorted(),
    );
    const { past } = metadata;
    expect(await past.heldTotals()).toEqual({ bytes: 5 + 5 + 5 + 5 + 6, items: 5 });
    const since = (await past.heldSince(startMs + 1_000, 99)).map((held) => held.since);
    expect(since).toEqual(Array.from({ length: 5 }, () => startMs + 1_000));
    expect(await past.heldSince(startMs + 999, 99)).toEqual([]);
    expect(await past.heldSince(startMs + 1_000, 2)).toHaveLength(2);
    await tested.did(change.sweep("layer"), change.sweep("image"));
    expect(tested.removed).toEqual([]);
    const as = await metadata.held(repository, [digest("layer"), digest("image"), digest("none")]);
    expect(as.map((each) => each.as)).toEqual(["held", "held"]);
  });

  test("an undo brings back a manifest with all that it names, and tells of it", async () => {
    await using tested = await removedTree(open);
    const { metadata } = tested;
    const before = await seen(metadata);
    const outcome = await tested.tried(
      restorable("index"),
      change.restore("index"),
      change.tag("v1", "index"),
    );
    expect(outcome).toEqual({ committed: true });
    expect(await heldIn(metadata)).toEqual([]);
    expect((await metadata.past.heldTotals()).items).toBe(0);
    expect(await metadata.tags(repository, all)).toEqual(["v1"]);
    expect(await metadata.manifestByTag(repository, "v1")).toMatchObject({
      digest: digest("index"),
    });
    expect(await blobSize(metadata, repository, digest("layer"))).toBe(5);
    const told = (await metadata.feed(0, 99)).slice(-3);
    expect(told[0]).toMatchObject({ tag: "v1", digest: digest("index") });
    const rest = told.slice(1).map((each) => String(each.digest));
    expect(rest.toSorted()).toEqual([digest("image"), digest("other")].toSorted());
    // What they name is known again: a blob that is named is not unlinked as unnamed.
    const failed = await metadata.check(repository, [
      { kind: "unreferenced", digest: digest("layer") },
    ]);
    expect(failed).toHaveLength(1);
    expect(await seen(metadata)).not.toEqual(before);
  });

  test("what is live already is restorable, and restoring it does nothing", async () => {
    await using tested = await openTested(open);
    await tested.did(...given);
    const before = [await seen(tested.metadata), await tested.metadata.feed(0, 99)];
    expect(await tested.tried(restorable("index"), change.restore("index"))).toEqual({
      committed: true,
    });
    expect([await seen(tested.metadata), await tested.metadata.feed(0, 99)]).toEqual(before);
  });

  describe("an undo that cannot be whole is refused with what is gone", () => {
    test.each([
      ["the manifest", change.releaseHeld("index"), "index"],
      ["a child of the index", change.releaseHeld("image"), "image"],
      ["a layer", change.releaseHeld("shared"), "shared"],
    ])("%s", async (_, release, gone) => {
      await using tested = await removedTree(open);
      await tested.did(release);
      const [precondition] = restorable("index");
      expect(await tested.tried(restorable("index"), change.restore("index"))).toEqual({
        committed: false,
        failed: [{ precondition: precondition!, found: digest(gone) }],
      });
      expect(await tested.metadata.manifestByDigest(repository, digest("index"))).toBeNull();
    });

    test("bytes that another tool removed", async () => {
      await using tested = await removedTree(open);
      tested.absent.add(`${repository} ${digest("layer")}`);
      const outcome = await tested.tried(restorable("index"), change.restore("index"));
      expect(outcome).toMatchObject({ committed: false, failed: [{ found: digest("layer") }] });
    });

    test("never: what was not here when it was removed is not missed", async () => {
      await using tested = await openTested(open);
      await tested.did(
        change.link("layer"),
        change.put(manifest("image", { references: named("layer", "elsewhere") })),
        change.remove("image", repository, deleted),
      );
      expect(await tested.tried(restorable("image"), change.restore("image"))).toEqual({
        committed: true,
      });
    });
  });

  test("an index that is here gets back the child that was removed before, or is refused", async () => {
    await using tested = await openTested(open);
    await tested.did(...given);
    await tested.did(change.untag("v1"));
    await tested.did(change.remove("image", repository, deleted));
    await tested.did({ kind: "restore-held", digest: digest("index") }, change.tag("v1", "index"));
    expect(await tested.metadata.manifestByDigest(repository, digest("image"))).not.toBeNull();
    await tested.did(change.untag("v1"));
    await tested.did(change.remove("image"));
    const failed = await tested.metadata.check(repository, restorable("index"));
    expect(failed).toMatchObject([{ found: digest("image") }]);
    // Held, it names a child that was not here when it was removed, and was removed since its push.
    await tested.did(change.remove("index", repository, deleted));
    const again = await tested.metadata.check(repository, restorable("index"));
    expect(again).toMatchObject([{ found: digest("image") }]);
  });

  test("a sparse index comes back without the child that was removed before its push", async () => {
    await using tested = await openTested(open);
    const references = [{ digest: digest("image"), target: "manifest" as const }];
    await tested.did(change.put(manifest("image")), change.remove("image"));
    await tested.clock.advance(1_000);
    await tested.did(change.put(manifest("index", { references })), change.tag("v1", "index"));
    await tested.did(change.untag("v1"));
    expect(await tested.metadata.check(repository, restorable("index"))).toEqual([]);
    await tested.did(change.remove("index", repository, deleted));
    expect(await tested.metadata.check(repository, restorable("index"))).toEqual([]);
  });

  test("when its time is over, its bytes go to the sweep, unless somebody else names them", async () => {
    await using tested = await removedTree(open);
    await tested.did(change.link("shared"));
    await tested.did(change.releaseHeld("layer"), change.releaseHeld("image"));
    await tested.did(change.releaseHeld("layer"), change.releaseHeld("never"));
    const orphans = (await tested.metadata.orphans(9)).map((each) => each.digest).toSorted();
    const stale = await tested.metadata.isOrphan(repository, digest("layer"));
    expect([orphans.length === 0 || orphans.length === 2, stale]).toEqual([true, true]);
    expect(await tested.metadata.isOrphan(repository, digest("image"))).toBe(true);
    expect(await tested.metadata.isOrphan(repository, digest("shared"))).toBe(false);
    expect(await heldIn(tested.metadata)).toEqual([digest("index"), digest("other")].toSorted());
  });

  test("a push of the same content puts live rows in the place of held ones", async () => {
    await using tested = await removedTree(open);
    const { metadata } = tested;
    await tested.did(...given);
    expect(await heldIn(metadata)).toEqual([]);
    await tested.did(change.releaseHeld("layer"), change.releaseHeld("index"));
    expect(await metadata.isOrphan(repository, digest("layer"))).toBe(false);
    await tested.did(...removeAll());
    await tested.did(change.restore("index"));
    expect(await metadata.manifestByDigest(repository, digest("index"))).toBeNull();
  });

  test("what is collected is held as long as the held manifests that name it, and a blob only for them", async () => {
    await using tested = await openTested(open);
    await tested.did(...given, change.link("loose"));
    await tested.clock.advance(5_000);
    await tested.did(
      change.remove("index", repository, deleted),
      change.remove("image", repository, { why: "collected", since: startMs + 1_000 }),
    );
    await tested.clock.advance(5_000);
    await tested.did(
      change.unlink("layer", repository, collected),
      change.unlink("loose", repository, collected),
    );
    const { metadata } = tested;
    const held = await metadata.past.heldSince(Number.MAX_SAFE_INTEGER, 9);
    expect(held.map((each) => [each.digest, each.since - startMs])).toEqual(
      expect.arrayContaining([
        [digest("image"), 5_000],
        [digest("layer"), 5_000],
        [digest("index"), 5_000],
      ]),
    );
    expect(held).toHaveLength(3);
    expect(await metadata.isOrphan(repository, digest("loose"))).toBe(true);
  });

  test("long annotations are there as long as the manifest is, live or held", async () => {
    await using tested = await openTested(open);
    const annotations = JSON.stringify({ text: "x".repeat(2_000) });
    await tested.did(
      change.put("subject"),
      change.put(manifest("signature", { subject: digest("subject"), annotations })),
      change.remove("signature", repository, deleted),
    );
    const list = async () => {
      const page = { ...all, bytesMax: 1e6 };
      const { records } = await tested.metadata.referrers(repository, digest("subject"), [], page);
      return records.map((each) => each.annotations);
    };
    expect(await list()).toEqual([]);
    await tested.did(change.restore("signature"));
    expect(await list()).toEqual([annotations]);
    await tested.did(change.remove("signature", repository, deleted));
    await tested.did(
      change.put(manifest("signature", { subject: digest("subject"), annotations })),
    );
    await tested.did(change.releaseHeld("signature"));
    expect(await list()).toEqual([annotations]);
  });

  test("a purge takes live and held content, with what it alone names, and says why", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    await tested.did(...given, change.link("own"));
    await tested.did(
      change.put(manifest("third", { references: named("shared", "own") })),
      change.tag("v3", "third"),
      change.remove("third", repository, deleted),
    );
    await tested.did(change.remove("other", repository, deleted));
    await tested.did(change.purge("index"));
    // The third, which is held, needs the shared layer still.
    expect(await heldIn(metadata)).toEqual([digest("third")]);
    expect(await metadata.manifestByDigest(repository, digest("image"))).toBeNull();
    expect(await metadata.blobRecord(repository, digest("layer"))).toBeNull();
    expect(await blobSize(metadata, repository, digest("shared"))).toBe(6);
    expect(await metadata.isOrphan(repository, digest("layer"))).toBe(true);
    const [event] = await metadata.past.tagEvents(repository, "v1", {
      before: null,
      after: 0,
      limit: 1,
    });
    expect(event).toMatchObject({ kind: "deleted", digest: digest("index"), reason: "a secret" });
    await tested.did(change.purge("third"));
    expect(await heldIn(metadata)).toEqual([]);
    expect(await metadata.isOrphan(repository, digest("own"))).toBe(true);
    expect(await metadata.blobRecord(repository, digest("shared"))).toBeNull();
    const last = (await metadata.history(repository, null, 1))[0];
    expect(last).toMatchObject({ tag: null, digest: null, previous: digest("third") });
    await tested.did(change.link("blob"), change.purge("blob"), change.purge("never"));
    expect(await metadata.isOrphan(repository, digest("blob"))).toBe(true);
  });

  test("a purge leaves a child that has a tag, or another parent", async () => {
    await using tested = await openTested(open);
    await tested.did(...given, change.tag("v3", "image"));
    await tested.did(change.purge("index"));
    expect(await tested.metadata.tags(repository, all)).toEqual(["v2", "v3"]);
    expect(await blobSize(tested.metadata, repository, digest("layer"))).toBe(5);
    expect(await blobSize(tested.metadata, repository, digest("shared"))).toBe(6);
  });

  test("pins end when they should, and never sooner than was said before", async () => {
    await using tested = await openTested(open);
    const { past } = tested.metadata;
    await tested.did(change.put("m"), change.pin("m", 50), change.pin("m", 20));
    await tested.did(change.put("m", otherRepository), change.pin("m", 30, otherRepository));
    expect(await past.endedPins(29, 9)).toEqual([]);
    expect(await past.endedPins(60, 9)).toEqual([
      { repository: otherRepository, digest: digest("m"), until: 30 },
      { repository, digest: digest("m"), until: 50 },
    ]);
    await tested.did(change.unpin("m", otherRepository));
    expect(await past.endedPins(60, 9)).toHaveLength(1);
  });
}
