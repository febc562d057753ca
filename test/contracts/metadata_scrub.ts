// Marks of damage beside the rows of content, and what is kept of checks.

import { expect, test } from "bun:test";
import { recordCommit } from "../../src/metadata/records.ts";
import { scrub, type Checked, type ScrubChange } from "../../src/metadata/scrub.ts";
import {
  blobSize,
  change,
  digest,
  openTested,
  otherRepository,
  repository,
  startMs,
  type OpenEmptyStore,
  type PlacedChange,
} from "./metadata_facts.ts";

const mark = (name: string, at = repository, stamp: string | null = "as it was"): PlacedChange => ({
  kind: "mark-damaged",
  repository: at,
  digest: digest(name),
  sizeBytes: name.length,
  how: stamp === null ? "missing" : "wrong",
  stamp,
});
const quarantine = (name: string, at = repository): PlacedChange => ({
  kind: "quarantine",
  repository: at,
  digest: digest(name),
});
const sound = (name: string, at = repository): PlacedChange => ({
  kind: "mark-sound",
  repository: at,
  digest: digest(name),
});

export function testScrub(open: OpenEmptyStore): void {
  test("a mark shows with what is recorded, by digest and by tag, and nothing else changes", async () => {
    await using tested = await openTested(open);
    const { metadata, did } = tested;
    await did(change.link("abc"), change.link("abc", otherRepository), change.put("m"));
    await did(change.tag("v1", "m"));
    await did(mark("abc"), mark("m"));
    expect(await metadata.blobRecord(repository, digest("abc"))).toEqual({
      sizeBytes: 3,
      damagedSince: startMs,
    });
    expect(await blobSize(metadata, repository, digest("abc"))).toBe(3);
    expect(await metadata.blobRecord(otherRepository, digest("abc"))).toEqual({ sizeBytes: 3 });
    for (const found of [
      await metadata.manifestByDigest(repository, digest("m")),
      await metadata.manifestByTag(repository, "v1"),
    ]) {
      expect(found).toMatchObject({ digest: digest("m"), damagedSince: startMs });
    }
    const held = await metadata.held(repository, [digest("abc"), digest("m")]);
    expect(held.map(({ as }) => as).toSorted()).toEqual(["blob", "manifest"]);
    const reads = metadata.records(scrub);
    expect(await reads.damagedSums()).toEqual({ items: 2, bytes: 4 });
    expect(await reads.mark(repository, digest("abc"))).toEqual({
      repository,
      digest: digest("abc"),
      sizeBytes: 3,
      how: "wrong",
      since: startMs,
      stamp: "as it was",
      kept: null,
    });
  });

  for (const [what, changes] of Object.entries({
    "a push of the blob": [change.link("abc")],
    "right bytes": [sound("abc")],
    "a delete and its sweep": [change.unlink("abc"), change.sweep("abc")],
  })) {
    test(`${what} ends the mark`, async () => {
      await using tested = await openTested(open);
      await tested.did(change.link("abc"), change.link("abc", otherRepository));
      await tested.did(mark("abc"), mark("abc", otherRepository));
      for (const each of changes) await tested.did(each);
      const marks = await tested.metadata.records(scrub).damagedAs(digest("abc"));
      expect(marks.map((one) => one.repository)).toEqual([otherRepository]);
    });
  }

  test("a push of the manifest ends its mark, though all of it was there", async () => {
    await using tested = await openTested(open);
    await tested.did(change.put("m"));
    await tested.did(mark("m"));
    await tested.did(change.put("m"));
    expect(await tested.metadata.records(scrub).mark(repository, digest("m"))).toBeNull();
  });

  test("what a mark tells of is moved, once, and by the moment of the first mark of that digest", async () => {
    await using tested = await openTested(open);
    const reads = tested.metadata.records(scrub);
    await tested.did(change.link("abc"), change.link("abc", otherRepository), change.link("gone"));
    await tested.did(mark("abc"));
    await tested.clock.advance(5_000);
    await tested.did(mark("abc", otherRepository), mark("gone", repository, null));
    for (const each of [quarantine("abc"), quarantine("abc"), quarantine("abc", otherRepository)]) {
      await tested.did(each);
    }
    await tested.did(quarantine("gone"), quarantine("nothing"));
    const kept = `${digest("abc")}.${new Date(startMs).toISOString()}`;
    const found = await reads.damagedAs(digest("abc"));
    expect(found.map((one) => [one.stamp, one.kept])).toEqual([
      [null, kept],
      [null, kept],
    ]);
    expect(await reads.mark(repository, digest("gone"))).toMatchObject({
      how: "missing",
      kept: null,
    });
    expect(tested.removed).toEqual([]);
  });

  test("a precondition on what lies there is decided by its stamp", async () => {
    await using tested = await openTested(open);
    await tested.did(change.link("abc"));
    tested.absent.add(`${repository} ${digest("gone")}`);
    for (const [name, stamp, holds] of [
      ["abc", "as it was", true],
      ["abc", "another", false],
      ["abc", null, false],
      ["gone", null, true],
      ["gone", "as it was", false],
    ] as const) {
      const outcome = await tested.tried(
        [{ kind: "bytes-are", digest: digest(name), stamp }],
        mark("abc"),
      );
      expect([name, stamp, outcome.committed]).toEqual([name, stamp, holds]);
    }
  });

  test("damage is listed page by page, by digest, then by repository", async () => {
    await using tested = await openTested(open);
    const names = ["a", "bb", "ccc"];
    for (const at of [repository, otherRepository]) {
      await tested.did(...names.map((name) => change.link(name, at)));
      await tested.did(...names.map((name) => mark(name, at)));
    }
    const reads = tested.metadata.records(scrub);
    const all = await reads.damaged(null, 100);
    expect(all).toHaveLength(6);
    const paged = [];
    for (let after: (typeof all)[number] | null = null; ;) {
      const page: typeof all = await reads.damaged(after, 4);
      paged.push(...page);
      after = page.at(-1) ?? null;
      if (page.length < 4) break;
    }
    expect(paged).toEqual(all);
    expect(all.map((one) => one.digest)).toEqual(
      names
        .map((name) => digest(name))
        .toSorted()
        .flatMap((each) => [each, each]),
    );
  });

  test("content is listed once, checked, and forgotten; what is small comes first, then the oldest", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    const write = async (...changes: ScrubChange[]): Promise<void> => {
      expect(await metadata.commit(recordCommit(scrub, ...changes))).toEqual({ committed: true });
    };
    const reads = metadata.records(scrub);
    const item = (name: string, sizeBytes: number, checkedAt: number, at = ""): Checked => ({
      digest: digest(name),
      repository: at,
      sizeBytes,
      checkedAt,
    });
    const items = [
      item("layer", 5_000_000, 10),
      item("old", 100, 30),
      item("m", 100, 40, repository),
      item("m", 100, 20, otherRepository),
      item("big", 2_000_000, 5),
    ];
    expect(await reads.unlisted(items)).toEqual(items);
    await write({ kind: "list", checked: items });
    await write({ kind: "list", checked: [item("layer", 1, 99)] });
    expect(await reads.unlisted([...items, item("new", 1, 1)])).toEqual([item("new", 1, 1)]);
    const order = async (before: number, limit = 9) =>
      (await reads.due(before, limit)).map(
        (one) => `${one.digest} ${one.repository} ${one.checkedAt}`,
      );
    const told = ({ digest: of, repository: at, checkedAt }: Checked) => `${of} ${at} ${checkedAt}`;
    const expected = [items[3]!, items[1]!, items[2]!, items[4]!, items[0]!].map(told);
    expect(await order(100)).toEqual(expected);
    expect(await order(100, 4)).toEqual(expected.slice(0, 4));
    expect(await order(20)).toEqual([items[4]!, items[0]!].map(told));
    await write({ kind: "checked", digest: digest("old"), repository: "", at: 200 });
    await write({ kind: "unlist", digest: digest("m"), repository });
    expect(await order(100)).toEqual([items[3]!, items[4]!, items[0]!].map(told));
    expect(await reads.checkedSince(0)).toEqual({ items: 4, bytes: 7_000_200 });
    expect(await reads.checkedSince(20)).toEqual({ items: 2, bytes: 200 });
  });

  test("proofs of rounds: the newest are kept", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    for (const from of [1, 2, 3, 4, 4]) {
      const round: ScrubChange = { kind: "round", from, record: `round ${from}`, kept: 3 };
      await metadata.commit(recordCommit(scrub, round));
    }
    expect(await metadata.records(scrub).rounds(9)).toEqual(["round 4", "round 3", "round 2"]);
  });

  test("where a digest has a name, and who is above it", async () => {
    await using tested = await openTested(open);
    const { metadata, did } = tested;
    const reads = metadata.records(scrub);
    const references = [{ digest: digest("abc"), target: "blob" } as const];
    await did(change.link("abc"), change.put({ ...manifestOf("m"), references }));
    await did(change.put({ ...manifestOf("about"), subject: digest("m") }));
    await did(change.link("abc", otherRepository));
    await did(change.unlink("abc", otherRepository, { why: "deleted" }));
    const named: string[] = [];
    for (let after: number | null = 0; after !== null;) {
      const page: Awaited<ReturnType<typeof reads.namedIn>> = await reads.namedIn(
        digest("abc"),
        after,
        1,
      );
      named.push(...page.names);
      after = page.next;
    }
    expect(named).toEqual([repository, otherRepository]);
    expect((await reads.holdersOf(digest("abc"), 0, 9)).map((one) => one.repository)).toEqual([
      repository,
    ]);
    expect(await reads.above(repository, digest("abc"), 9)).toEqual([digest("m")]);
    expect(await reads.above(repository, digest("m"), 9)).toEqual([digest("about")]);
    expect(await reads.manifestsIn(repository, digest("m"))).toEqual([{ sizeBytes: 1 }]);
    const contents = await Promise.all(
      (["blob", "manifest"] as const).map((kind) => reads.contents(kind, null, 1)),
    );
    expect(
      contents.map(({ items, next }) => [items.map((one) => one.repository), next !== null]),
    ).toEqual([
      [[""], true],
      [[repository], true],
    ]);
  });
}

function manifestOf(name: string) {
  const put = change.put(name);
  if (put.kind !== "put-manifest") throw new Error("a change that puts a manifest");
  return put.manifest;
}
