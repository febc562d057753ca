// What the projector and the sweep ask of a store: which layouts are behind, what they must list, which bytes
// nothing names any more.
//
// Bytes of a removed manifest stay until index.json no longer lists it: an orphan is told only once the
// layout was written from facts that no longer had it.

import { expect, test } from "bun:test";
import {
  type OpenEmptyStore,
  change,
  digest,
  layout,
  layoutRecords,
  manifest,
  openTested,
  otherRepository,
  project,
  repository,
} from "./metadata_facts.ts";

export function testLayouts(open: OpenEmptyStore): void {
  test("a layout is behind from the repository's first fact until it is recorded", async () => {
    await using tested = await openTested(open);
    expect(await tested.layouts.state(repository)).toBeNull();
    expect(await tested.layouts.stale(9)).toEqual([]);
    await tested.did(change.link("layer"));
    const state = await tested.layouts.state(repository);
    expect(state).toMatchObject({ projected: 0, stampCurrent: null, stampNext: null });
    expect(state?.generation).toBeGreaterThan(0);
    expect(await tested.layouts.stale(9)).toEqual([repository]);
    await project(tested);
    expect(await tested.layouts.stale(9)).toEqual([]);
  });

  const moves = [
    { says: "a manifest", given: [], does: change.put("new"), moves: true },
    { says: "a manifest that was there", given: [], does: change.put("m"), moves: false },
    { says: "a removed manifest", given: [], does: change.remove("m"), moves: true },
    { says: "a tag", given: [], does: change.tag("v2", "m"), moves: true },
    { says: "a moved tag", given: [change.put("n")], does: change.tag("v1", "n"), moves: true },
    { says: "a tag that stays", given: [], does: change.tag("v1", "m"), moves: false },
    { says: "a removed tag", given: [], does: change.untag("v1"), moves: true },
    { says: "a blob", given: [], does: change.link("layer"), moves: false },
    { says: "an unlinked blob", given: [change.link("l")], does: change.unlink("l"), moves: false },
    { says: "a repository that was there", given: [], does: change.create(), moves: false },
  ];
  for (const row of moves) {
    test(`${row.says} ${row.moves ? "leaves the layout behind" : "is nothing to a layout"}`, async () => {
      await using tested = await openTested(open);
      await tested.did(change.put("m"), change.tag("v1", "m"), ...row.given);
      await project(tested);
      const before = (await tested.layouts.state(repository))?.generation ?? NaN;
      await tested.did(row.does);
      const after = (await tested.layouts.state(repository))?.generation ?? NaN;
      expect(after > before).toBe(row.moves);
      expect(await tested.layouts.stale(9)).toEqual(row.moves ? [repository] : []);
    });
  }

  test("stamps: both while a layout is being written, one once it is", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    await tested.did(change.put("m"));
    const { generation } = await layoutRecords(metadata, repository);
    await tested.noted(layout.plan("theirs", "ours"));
    expect(await tested.layouts.state(repository)).toEqual({
      generation,
      projected: 0,
      stampCurrent: "theirs",
      stampNext: "ours",
      origin: expect.any(String) as unknown as string,
    });
    await tested.noted(layout.record("ours", generation));
    expect(await tested.layouts.state(repository)).toEqual({
      generation,
      projected: generation,
      stampCurrent: "ours",
      stampNext: null,
      origin: expect.any(String) as unknown as string,
    });
  });

  test("a change between reading the records and recording them leaves the layout behind", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    await tested.did(change.put("m"));
    const { generation } = await layoutRecords(metadata, repository);
    await tested.did(change.tag("v1", "m"));
    await tested.noted(layout.plan(null, "stamp"), layout.record("stamp", generation));
    expect(await tested.layouts.stale(9)).toEqual([repository]);
    expect(await tested.layouts.state(repository)).toMatchObject({ projected: generation });
    await project(tested);
    expect(await tested.layouts.stale(9)).toEqual([]);
  });

  test("a generation that a file shows is passed, and the layout is behind", async () => {
    await using tested = await openTested(open);
    await tested.did(change.put("m"));
    await project(tested);
    await tested.noted(layout.raise(40), layout.raise(7), layout.raise(99, "no/such"));
    expect(await tested.layouts.state(repository)).toMatchObject({ generation: 42 });
    expect(await tested.layouts.stale(9)).toEqual([repository]);
    expect(await tested.layouts.state("no/such")).toBeNull();
    await tested.did(change.tag("v1", "m"));
    const [moved] = await tested.metadata.history(repository, "v1", 1);
    expect(moved?.generation).toBe(43);
  });

  test("a repository that was removed is not behind, and one of its name begins anew", async () => {
    await using tested = await openTested(open);
    await tested.did(change.create());
    const { generation } = await layoutRecords(tested.metadata);
    await project(tested);
    await tested.did({ kind: "remove-repository" });
    await tested.noted(layout.plan(null, "late"), layout.record("late", generation - 1));
    await tested.noted(layout.raise(40));
    expect(await tested.layouts.stale(9)).toEqual([]);
    expect(await tested.layouts.lag()).toEqual({ repositories: 0, since: null });
    expect(await tested.layouts.state(repository)).toBeNull();
    await tested.did(change.create());
    expect(await tested.layouts.stale(9)).toEqual([repository]);
    expect(await tested.layouts.state(repository)).toMatchObject({
      projected: 0,
      stampCurrent: null,
      stampNext: null,
    });
  });

  test("the layout that has waited longest comes first, at most so many", async () => {
    await using tested = await openTested(open);
    for (const name of ["z", "a", "m"]) {
      await tested.did(change.put("m", name));
      await tested.clock.advance(1000);
    }
    await tested.did(change.put("n", "z"));
    expect(await tested.layouts.stale(9)).toEqual(["z", "a", "m"]);
    expect(await tested.layouts.stale(2)).toEqual(["z", "a"]);
    // One that was written, and is behind again, goes to the end.
    await project(tested, "z");
    await tested.clock.advance(1000);
    await tested.did(change.put("o", "z"));
    expect(await tested.layouts.stale(9)).toEqual(["a", "m", "z"]);
  });

  test("records: tags in byte order, then manifests that no tag names, by digest", async () => {
    await using tested = await openTested(open);
    const untagged = ["u1", "u2", "u3"].map((name) => manifest(name));
    await tested.did(
      change.put("m"),
      ...untagged.map((put) => change.put(put)),
      change.tag("b", "m"),
      change.tag("a", "m"),
      change.tag("B", "m"),
      change.put("elsewhere", otherRepository),
      change.tag("c", "elsewhere", otherRepository),
    );
    const { records, generation } = await layoutRecords(tested.metadata, repository);
    const record = (name: string, tag: string | null) => {
      const { digest, mediaType, sizeBytes } = manifest(name);
      return { tag, digest, mediaType, sizeBytes, isCached: false };
    };
    const names = ["u1", "u2", "u3"].toSorted((a, b) => (digest(a) < digest(b) ? -1 : 1));
    expect(records).toEqual([
      record("m", "B"),
      record("m", "a"),
      record("m", "b"),
      ...names.map((name) => record(name, null)),
    ]);
    expect(generation).toBe((await tested.layouts.state(repository))?.generation ?? NaN);
    expect(await layoutRecords(tested.metadata, "no/such")).toEqual({ generation: 0, records: [] });
  });

  testOrphans(open);
}

function testOrphans(open: OpenEmptyStore): void {
  const orphan = (name: string, at = repository) => ({ repository: at, digest: digest(name) });

  const rows = [
    { says: "an unlinked blob", does: [change.link("x"), change.unlink("x")], orphaned: true },
    { says: "a removed manifest", does: [change.put("x"), change.remove("x")], orphaned: true },
    {
      says: "what was never named",
      does: [change.unlink("x"), change.remove("x")],
      orphaned: false,
    },
    {
      says: "a blob that is a manifest as well",
      does: [change.link("x"), change.put("x"), change.unlink("x")],
      orphaned: false,
    },
    {
      says: "a manifest that is a blob as well",
      does: [change.link("x"), change.put("x"), change.remove("x")],
      orphaned: false,
    },
    {
      says: "neither any more",
      does: [change.link("x"), change.put("x"), change.remove("x"), change.unlink("x")],
      orphaned: true,
    },
    {
      says: "what was written for nothing",
      does: [change.create(), change.release("x")],
      orphaned: true,
    },
    {
      says: "what was written for nothing, and is named all the same",
      does: [change.put("x"), change.release("x")],
      orphaned: false,
    },
    {
      says: "what was written for nothing, and named afterwards",
      does: [change.create(), change.release("x"), change.link("x")],
      orphaned: false,
    },
    {
      says: "a blob that was linked again",
      does: [change.link("x"), change.unlink("x"), change.link("x")],
      orphaned: false,
    },
    {
      says: "a manifest that was pushed again",
      does: [change.put("x"), change.remove("x"), change.put("x")],
      orphaned: false,
    },
  ];
  for (const { says, does, orphaned } of rows) {
    for (const together of [true, false]) {
      test(`${says} is ${orphaned ? "an" : "no"} orphan, ${together ? "in one commit" : "step by step"}`, async () => {
        await using tested = await openTested(open);
        if (together) await tested.did(...does);
        else for (const step of does) await tested.did(step);
        expect(await tested.metadata.isOrphan(repository, digest("x"))).toBe(orphaned);
        expect(await tested.metadata.orphans(9)).toEqual(orphaned ? [orphan("x")] : []);
        await project(tested);
        expect(await tested.layouts.unlistedOrphans(9)).toEqual(orphaned ? [orphan("x")] : []);
      });
    }
  }

  test("an orphan is told once the layout was written without what named it", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    await tested.did(change.link("layer"), change.put("m"), change.tag("v1", "m"));
    await project(tested);
    await tested.did(change.remove("m"));
    // The manifest that index.json still lists needs its layer, although no fact says so any more.
    await tested.did(change.unlink("layer"));
    expect(await metadata.isOrphan(repository, digest("m"))).toBe(true);
    expect(await metadata.isOrphan(repository, digest("layer"))).toBe(true);
    expect(await metadata.orphans(9)).toHaveLength(2);
    expect(await tested.layouts.unlistedOrphans(9)).toEqual([]);
    await project(tested);
    expect((await tested.layouts.unlistedOrphans(9)).map((row) => row.digest).toSorted()).toEqual(
      [digest("m"), digest("layer")].toSorted(),
    );
  });

  test("the same when one commit takes both away, whatever stands first", async () => {
    for (const changes of [
      [change.remove("m"), change.unlink("layer")],
      [change.unlink("layer"), change.remove("m")],
    ]) {
      await using tested = await openTested(open);
      await tested.did(change.link("layer"), change.put("m"));
      await project(tested);
      await tested.did(...changes);
      expect(await tested.layouts.unlistedOrphans(9)).toEqual([]);
      await project(tested);
      expect(await tested.layouts.unlistedOrphans(9)).toHaveLength(2);
    }
  });

  test("a layout that is behind for newer reasons does not keep older orphans", async () => {
    await using tested = await openTested(open);
    await tested.did(change.put("m"), change.put("n"));
    await tested.did(change.remove("m"));
    await project(tested);
    await tested.did(change.tag("v1", "n"));
    expect(await tested.layouts.unlistedOrphans(9)).toEqual([orphan("m")]);
  });

  test("oldest first, at most so many, of all repositories", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    for (const [name, at] of [
      ["c", repository],
      ["a", otherRepository],
      ["b", repository],
    ] as const) {
      await tested.did(change.link(name, at), change.unlink(name, at));
      await tested.clock.advance(1000);
    }
    for (const at of [repository, otherRepository]) await project(tested, at);
    expect(await tested.layouts.unlistedOrphans(9)).toEqual([
      orphan("c"),
      orphan("a", otherRepository),
      orphan("b"),
    ]);
    expect(await tested.layouts.unlistedOrphans(2)).toHaveLength(2);
    expect(await metadata.isOrphan(otherRepository, digest("b"))).toBe(false);
  });

  test("a sweep removes the bytes of an orphan once, and nothing that is none", async () => {
    await using tested = await openTested(open);
    await tested.did(change.link("x"), change.unlink("x"), change.link("y"), change.put("z"));
    for (const name of ["x", "x", "y", "z", "never named"]) await tested.did(change.sweep(name));
    expect(tested.removed).toEqual([`${repository} ${digest("x")}`]);
    expect(await tested.metadata.isOrphan(repository, digest("x"))).toBe(false);
  });

  test("a sweep spares what was named again, and what another name still holds", async () => {
    await using tested = await openTested(open);
    await tested.did(change.link("x"), change.unlink("x"), change.link("x"));
    await tested.did(change.link("y"), change.put("y"), change.unlink("y"));
    for (const name of ["x", "y"]) await tested.did(change.sweep(name));
    expect(tested.removed).toEqual([]);
    await tested.did(change.unlink("x"), change.remove("y"));
    for (const name of ["x", "y"]) await tested.did(change.sweep(name));
    expect(tested.removed).toEqual(["x", "y"].map((name) => `${repository} ${digest(name)}`));
  });
}
