// History as a feed: every change of what a repository shows is in it once, in order, and a follower's cursor outlives
// whoever moved it.

import { expect, test } from "bun:test";
import { followers, followFeed } from "../../src/metadata/followers.ts";
import type { FeedRecord, Metadata } from "../../src/metadata/metadata.ts";
import { recordCommit } from "../../src/metadata/records.ts";
import { reasonOf } from "../reason_of.ts";
import {
  change,
  digest,
  manifest,
  openTested,
  otherRepository,
  repository,
  type OpenEmptyStore,
} from "./metadata_facts.ts";

const day = 24 * 60 * 60_000;

const never = new AbortController().signal;

/** A follower that remembers what it took. */
function follower(metadata: Metadata, from: "start" | "end" = "start", name = "test") {
  const took: FeedRecord[] = [];
  const take = async (records: readonly FeedRecord[]): Promise<void> => void took.push(...records);
  return { took, run: () => followFeed(metadata, { name, from, take }, never) };
}

const told = ({ repository: at, tag, digest: now, previous }: FeedRecord) => [
  at,
  tag,
  now,
  previous,
];

export function testFeed(open: OpenEmptyStore): void {
  test("pushes, moves and deletes of all repositories are told once, in order", async () => {
    await using tested = await openTested(open);
    await tested.did(change.put("m"), change.tag("v1", "m"));
    await tested.did(change.put("child"));
    await tested.did(change.put("m", otherRepository));
    // Nothing new: nothing to tell.
    await tested.did(change.put("m"), change.tag("v1", "m"), change.link("layer"));
    await tested.did(change.put(manifest("child", { mediaType: "a/b" })));
    await tested.did(change.put("brief"), change.remove("brief"));
    await tested.did(change.untag("v1"));
    const { took, run } = follower(tested.metadata);
    expect(await run()).toBe(6);
    expect(took.map(told)).toEqual([
      [repository, "v1", digest("m"), null],
      [repository, null, digest("child"), null],
      [otherRepository, null, digest("m"), null],
      [repository, null, digest("child"), null],
      [repository, null, null, digest("brief")],
      [repository, "v1", null, digest("m")],
    ]);
    expect(took[3]).toMatchObject({ mediaType: "a/b", sizeBytes: 5, by: "alice" });
    expect(await run()).toBe(0);
    // What set no tag is no history.
    const history = await tested.metadata.history(repository, null, 9);
    expect(history.map(told)).toEqual([took[5]!, took[4]!, took[0]!].map(told));
  });

  test("a follower goes on where it was, and begins where it says", async () => {
    await using tested = await openTested(open);
    await tested.did(change.tag("v1", "m"));
    const late = follower(tested.metadata, "end", "late");
    expect(await late.run()).toBe(0);
    await tested.did(change.tag("v2", "m"));
    const early = follower(tested.store.another(), "start", "early");
    expect([await early.run(), await late.run()]).toEqual([2, 1]);
    await tested.did(change.tag("v3", "m"));
    const again = follower(tested.metadata, "start", "early");
    expect(await again.run()).toBe(1);
    expect(again.took[0]).toMatchObject({ tag: "v3" });
    await tested.metadata.commit(recordCommit(followers, { kind: "unfollow", name: "early" }));
    expect(await follower(tested.metadata, "start", "early").run()).toBe(3);
  });

  test("one that begins at the end reads what is there first; what comes meanwhile is told", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    await tested.did(change.tag("v1", "m"));
    const found: string[][] = [];
    const took: (string | null)[] = [];
    const run = (fails: boolean) =>
      followFeed(
        metadata,
        {
          name: "state",
          from: "end",
          begin: async () => {
            found.push(await metadata.tags(repository, { after: null, limit: 9 }));
            await tested.did(change.tag(`during${found.length}`, "m"));
            if (fails) throw new Error("not read");
          },
          take: async (records) => void took.push(...records.map(({ tag }) => tag)),
        },
        never,
      );
    expect(String(await reasonOf(run(true)))).toContain("not read");
    expect(await metadata.records(followers).cursor("state")).toBeNull();
    expect(await run(false)).toBe(1);
    await tested.did(change.tag("v2", "m"));
    expect(await run(true)).toBe(1);
    expect(found).toEqual([["v1"], ["during1", "v1"]]);
    expect(took).toEqual(["during2", "v2"]);
  });

  test("what a follower could not take comes again, and a cursor never goes back", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    for (let tag = 0; tag < 1200; tag += 100) {
      await tested.did(...Array.from({ length: 100 }, (_, at) => change.tag(`v${tag + at}`, "m")));
    }
    const seen: number[] = [];
    let calls = 0;
    const take = async (records: readonly FeedRecord[]): Promise<void> => {
      seen.push(...records.map(({ sequence }) => sequence));
      calls += 1;
      if (calls === 2) throw new Error("out of order");
    };
    const options = { name: "test", from: "start", take } as const;
    expect(String(await reasonOf(followFeed(metadata, options, never)))).toContain("out of order");
    expect(await followFeed(metadata, options, never)).toBe(700);
    expect(seen.slice(500, 1000)).toEqual(seen.slice(1000, 1500));
    expect(new Set(seen).size).toBe(1200);
    const last = seen.at(-1);
    await metadata.commit(recordCommit(followers, { kind: "advance", name: "test", sequence: 1 }));
    expect(await metadata.records(followers).cursor("test")).toBe(last ?? NaN);
  });

  test("pushes without a tag go when they are old and every follower took them; the rest stays", async () => {
    await using tested = await openTested(open);
    const { metadata, clock } = tested;
    const [fast, slow] = [follower(metadata), follower(metadata, "start", "slow")];
    await slow.run();
    await tested.did(change.put("old"), change.put("kept"), change.tag("v1", "kept"));
    await fast.run();
    await clock.advance(31 * day);
    await tested.did(change.put("new"));
    await fast.run();
    const left = async () => (await metadata.feed(0, 99)).map(({ digest: now }) => now);
    expect(await left()).toEqual([digest("kept"), digest("old"), digest("new")]);
    await slow.run();
    expect(await left()).toEqual([digest("kept"), digest("new")]);
    expect(await follower(metadata, "start", "later").run()).toBe(2);
  });
}
