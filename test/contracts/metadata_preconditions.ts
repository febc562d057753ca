// Every precondition: when it holds, what it found when it does not, and that `check` and `commit` agree.
//
// One row is one state of the store and one precondition. A refused commit must leave nothing of its changes.

import { expect, test } from "bun:test";
import type { Change, Precondition } from "../../src/metadata/metadata.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import {
  blobSize,
  type OpenEmptyStore,
  change,
  digest,
  manifest,
  openTested,
  otherRepository,
  repository,
  whole,
} from "./metadata_facts.ts";

interface Row {
  readonly says: string;
  readonly given: readonly Change[];
  readonly precondition: Precondition;
  /** What the failed precondition reports; absent when it must hold. */
  readonly found?: string | number | null;
}

const linked = (name: string, sizeBytes?: number): Precondition => ({
  kind: "blob-linked",
  digest: digest(name),
  ...(sizeBytes === undefined ? {} : { sizeBytes }),
});
const exists = (name: string): Precondition => ({
  kind: "manifest-exists",
  digest: digest(name),
});
const fits = (name: string, changes: object = {}): Precondition => ({
  kind: "child-fits",
  digest: digest(name),
  sizeBytes: name.length,
  mediaType: mediaTypes.ociImage,
  mayBeAbsent: false,
  ...changes,
});
const unreferenced = (name: string): Precondition => ({
  kind: "unreferenced",
  digest: digest(name),
});
const unprotected = (name: string): Precondition => ({
  kind: "unprotected",
  digest: digest(name),
});
const tagIs = (tag: string, ...names: (string | null)[]): Precondition => ({
  kind: "tag-is",
  tag,
  digests: names.map((name) => (name === null ? null : digest(name))),
});
const tagExists = (tag: string): Precondition => ({ kind: "tag-exists", tag });
const tagged = (name: string, count: number): Precondition => ({
  kind: "tags-at-most",
  digest: digest(name),
  count,
});
const tagsAre = (name: string, ...tags: string[]): Precondition => ({
  kind: "tags-are",
  digest: digest(name),
  tags,
});

const parent = manifest("parent", {
  mediaType: mediaTypes.ociIndex,
  subject: digest("subject"),
  references: [
    { digest: digest("child"), target: "manifest" },
    { digest: digest("layer"), target: "blob" },
  ],
});

/** An index that is no referrer of anything. */
const bare = manifest("bare", { mediaType: mediaTypes.ociIndex, references: parent.references });
const outer = manifest("outer", {
  mediaType: mediaTypes.ociIndex,
  references: [{ digest: digest("bare"), target: "manifest" }],
});

const rows: readonly Row[] = [
  { says: "no repository", given: [], precondition: linked("a"), found: null },
  { says: "no such blob", given: [change.create()], precondition: linked("a"), found: null },
  { says: "blob of any size", given: [change.link("abc")], precondition: linked("abc") },
  { says: "blob of that size", given: [change.link("abc")], precondition: linked("abc", 3) },
  {
    says: "blob of another size",
    given: [change.link("abc")],
    precondition: linked("abc", 4),
    found: 3,
  },
  { says: "empty blob", given: [change.link("")], precondition: linked("", 0) },
  {
    says: "empty blob, another size",
    given: [change.link("")],
    precondition: linked("", 1),
    found: 0,
  },
  {
    says: "blob of another repository",
    given: [change.create(), change.link("abc", otherRepository)],
    precondition: linked("abc"),
    found: null,
  },
  {
    says: "a manifest is no blob",
    given: [change.put("abc")],
    precondition: linked("abc"),
    found: null,
  },
  {
    says: "unlinked blob",
    given: [change.link("abc"), change.unlink("abc")],
    precondition: linked("abc"),
    found: null,
  },
  {
    says: "digest of an algorithm that nobody computes",
    given: [change.create()],
    precondition: { kind: "blob-linked", digest: "sha384:00" },
    found: null,
  },

  { says: "no repository", given: [], precondition: exists("m"), found: null },
  { says: "no such manifest", given: [change.create()], precondition: exists("m"), found: null },
  { says: "manifest", given: [change.put("m")], precondition: exists("m") },
  {
    says: "a blob is no manifest",
    given: [change.link("m")],
    precondition: exists("m"),
    found: null,
  },
  {
    says: "manifest of another repository",
    given: [change.create(), change.put("m", otherRepository)],
    precondition: exists("m"),
    found: null,
  },
  {
    says: "removed manifest",
    given: [change.put("m"), change.remove("m")],
    precondition: exists("m"),
    found: null,
  },

  { says: "no repository", given: [], precondition: tagged("m", 1) },
  { says: "one tag", given: [change.put("m"), change.tag("a", "m")], precondition: tagged("m", 1) },
  {
    says: "two tags",
    given: [change.put("m"), change.tag("a", "m"), change.tag("b", "m")],
    precondition: tagged("m", 1),
    found: 2,
  },
  {
    says: "more tags than are counted",
    given: [change.put("m"), ...["a", "b", "c"].map((tag) => change.tag(tag, "m"))],
    precondition: tagged("m", 1),
    found: 2,
  },

  { says: "no repository", given: [], precondition: tagsAre("m") },
  { says: "no tag, as expected", given: [change.put("m")], precondition: tagsAre("m") },
  {
    says: "the same tags in another order, beside those of another manifest",
    given: [
      change.put("m"),
      change.put("n"),
      change.tag("b", "m"),
      change.tag("a", "m"),
      change.tag("c", "n"),
    ],
    precondition: tagsAre("m", "b", "a"),
  },
  {
    says: "a tag more",
    given: [change.put("m"), ...["a", "b", "c"].map((tag) => change.tag(tag, "m"))],
    precondition: tagsAre("m", "a"),
    found: 2,
  },
  {
    says: "another tag of as many",
    given: [change.put("m"), change.tag("b", "m")],
    precondition: tagsAre("m", "a"),
    found: 1,
  },
  {
    says: "a tag less",
    given: [change.put("m"), change.tag("a", "m")],
    precondition: tagsAre("m", "a", "b"),
    found: 1,
  },

  { says: "no repository", given: [], precondition: fits("m"), found: null },
  { says: "no such child", given: [change.create()], precondition: fits("m"), found: null },
  { says: "no child, and none needed", given: [], precondition: fits("m", { mayBeAbsent: true }) },
  { says: "a child as described", given: [change.put("m")], precondition: fits("m") },
  {
    says: "a child as described, parameters and case aside",
    given: [change.put("m")],
    precondition: fits("m", { mediaType: `${mediaTypes.ociImage.toUpperCase()};a=b` }),
  },
  {
    says: "a child of another size",
    given: [change.put("m")],
    precondition: fits("m", { sizeBytes: 2, mayBeAbsent: true }),
    found: 1,
  },
  {
    says: "a child of another type",
    given: [change.put("m")],
    precondition: fits("m", { mediaType: mediaTypes.ociIndex, mayBeAbsent: true }),
    found: mediaTypes.ociImage,
  },

  { says: "no repository", given: [], precondition: unreferenced("child") },
  { says: "nobody names it", given: [change.put("child")], precondition: unreferenced("child") },
  {
    says: "an index names it",
    given: [change.put(parent)],
    precondition: unreferenced("child"),
    found: parent.digest,
  },
  {
    says: "a manifest names it as a layer",
    given: [change.put(parent)],
    precondition: unreferenced("layer"),
    found: parent.digest,
  },
  {
    says: "a subject is not named",
    given: [change.put(parent)],
    precondition: unreferenced("subject"),
  },
  {
    says: "an index of another repository names it",
    given: [change.create(), change.put(parent, otherRepository)],
    precondition: unreferenced("child"),
  },
  {
    says: "the index that named it is gone",
    given: [change.put(parent), change.remove("parent")],
    precondition: unreferenced("child"),
  },

  { says: "no repository", given: [], precondition: unprotected("child") },
  {
    says: "an index without a tag names it",
    given: [change.put(bare)],
    precondition: unprotected("child"),
  },
  {
    says: "an index with a tag names it",
    given: [change.put(bare), change.tag("v1", "bare")],
    precondition: unprotected("child"),
    found: bare.digest,
  },
  {
    says: "the index that names it has lost its tag",
    given: [change.put(bare), change.tag("v1", "bare"), change.untag("v1")],
    precondition: unprotected("child"),
  },
  {
    says: "another index lists the one that names it",
    given: [change.put(bare), change.put(outer)],
    precondition: unprotected("child"),
    found: bare.digest,
  },
  {
    says: "the index that names it refers to a subject",
    given: [change.put(parent)],
    precondition: unprotected("child"),
    found: parent.digest,
  },
  {
    says: "a manifest without a tag names it as a blob",
    given: [change.put(bare)],
    precondition: unprotected("layer"),
    found: bare.digest,
  },

  { says: "no repository, and none wanted", given: [], precondition: tagIs("v1", null) },
  { says: "no repository", given: [], precondition: tagIs("v1", "m"), found: null },
  { says: "no tag, and none wanted", given: [change.create()], precondition: tagIs("v1", null) },
  {
    says: "tag where none is wanted",
    given: [change.put("m"), change.tag("v1", "m")],
    precondition: tagIs("v1", null),
    found: digest("m"),
  },
  {
    says: "tag at the digest",
    given: [change.put("m"), change.tag("v1", "m")],
    precondition: tagIs("v1", "m"),
  },
  {
    says: "tag at one of several",
    given: [change.put("m"), change.tag("v1", "m")],
    precondition: tagIs("v1", null, "other", "m"),
  },
  {
    says: "tag elsewhere",
    given: [change.put("m"), change.tag("v1", "m")],
    precondition: tagIs("v1", "other"),
    found: digest("m"),
  },
  {
    says: "none of no digests",
    given: [change.create()],
    precondition: tagIs("v1"),
    found: null,
  },
  {
    says: "tags differ by case",
    given: [change.put("m"), change.tag("V1", "m")],
    precondition: tagIs("v1", null),
  },

  { says: "no repository", given: [], precondition: tagExists("v1"), found: null },
  { says: "no tag", given: [change.create()], precondition: tagExists("v1"), found: null },
  {
    says: "tag",
    given: [change.put("m"), change.tag("v1", "m")],
    precondition: tagExists("v1"),
  },
  {
    says: "removed tag",
    given: [change.put("m"), change.tag("v1", "m"), change.untag("v1")],
    precondition: tagExists("v1"),
    found: null,
  },
];

export function testPreconditions(open: OpenEmptyStore): void {
  for (const { says, given, precondition, found } of rows) {
    const holds = found === undefined;
    test(`${precondition.kind} ${holds ? "holds" : "fails"}: ${says}`, async () => {
      await using tested = await openTested(open);
      if (given.length > 0) await tested.did(...given);
      const expected = holds ? [] : [{ precondition, found }];
      expect(await tested.metadata.check(repository, [precondition])).toEqual(expected);

      const before = await whole(tested.metadata);
      const outcome = await tested.tried([precondition], change.tag("mark", "anything"));
      if (holds) expect(outcome).toEqual({ committed: true });
      else expect(outcome).toEqual({ committed: false, failed: expected });
      if (!holds) expect(await whole(tested.metadata)).toEqual(before);
      else
        expect(await tested.metadata.tags(repository, { after: null, limit: 9 })).toContain("mark");
    });
  }

  test("bytes-present is the committer's: it asks the bytes, and `check` does not", async () => {
    await using tested = await openTested(open);
    const precondition: Precondition = {
      kind: "bytes-present",
      digest: digest("x"),
    };
    tested.absent.add(`${repository} ${digest("x")}`);
    expect(await tested.metadata.check(repository, [precondition])).toEqual([]);
    expect(await tested.tried([precondition], change.link("x"))).toEqual({
      committed: false,
      failed: [{ precondition, found: null }],
    });
    expect(await tested.metadata.blobRecord(repository, digest("x"))).toBeNull();
    tested.absent.clear();
    expect(await tested.tried([precondition], change.link("x"))).toEqual({ committed: true });
    expect(await blobSize(tested.metadata, repository, digest("x"))).toBe(1);
  });

  test("all preconditions are checked, and all that fail are told", async () => {
    await using tested = await openTested(open);
    await tested.did(change.put("m"), change.tag("v1", "m"), change.link("abc"));
    const preconditions = [
      exists("m"),
      linked("abc", 9),
      tagIs("v1", null),
      tagExists("v1"),
      exists("absent"),
    ];
    const failed = [
      { precondition: preconditions[1], found: 3 },
      { precondition: preconditions[2], found: digest("m") },
      { precondition: preconditions[4], found: null },
    ];
    expect(await tested.metadata.check(repository, preconditions)).toEqual(failed as never);
    expect(await tested.tried(preconditions, change.untag("v1"))).toEqual({
      committed: false,
      failed,
    } as never);
  });

  test("a refused commit leaves nothing of any of its changes, in any repository", async () => {
    await using tested = await openTested(open);
    await tested.did(change.put("m"), change.tag("v1", "m"), change.link("layer"));
    await tested.did(change.put("gone"), change.remove("gone"));
    const before = [await whole(tested.metadata), await whole(tested.metadata, otherRepository)];
    const outcome = await tested.tried(
      [exists("absent")],
      change.create("third"),
      change.put("n"),
      change.tag("v1", "n"),
      change.tag("v2", "n"),
      change.put("n", otherRepository),
      change.unlink("layer"),
      change.remove("m"),
      change.sweep("gone"),
    );
    // A joint commit, so it says where the precondition failed.
    const failed = [{ precondition: exists("absent"), found: null, repository }];
    expect(outcome).toEqual({ committed: false, failed });
    expect([await whole(tested.metadata), await whole(tested.metadata, otherRepository)]).toEqual(
      before,
    );
    expect(await tested.metadata.repositoryExists("third")).toBe(false);
    expect(await blobSize(tested.metadata, repository, digest("layer"))).toBe(5);
    expect(tested.removed).toEqual([]);
  });

  test("preconditions see the store before the changes of their own commit", async () => {
    await using tested = await openTested(open);
    const outcome = await tested.tried([exists("m")], change.put("m"));
    expect(outcome.committed).toBe(false);
    expect(await tested.tried([tagIs("v1", null)], change.put("m"), change.tag("v1", "m"))).toEqual(
      {
        committed: true,
      },
    );
  });
}
