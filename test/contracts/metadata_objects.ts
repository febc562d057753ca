// Keys of objects and small content beside them (`src/metadata/objects.ts`): what a commit of the metadata names with its
// own changes, and what is left when a name goes.

import { expect, test } from "bun:test";
import type { AnyCommit, Commit } from "../../src/metadata/metadata.ts";
import { inlinePrefix, objects, type ObjectChange } from "../../src/metadata/objects.ts";
import { recordCommit } from "../../src/metadata/records.ts";
import { change, digest, openTested, repository, type OpenEmptyStore } from "./metadata_facts.ts";

const other = "team/other";
const name = (at = repository) => ({ repository: at, name: digest("m") });
const key = (n: number): string => `objects/00/${n}`;
const bytes = new Uint8Array([0, 1, 2, 0xff, 0xfe, 0]);
const base64 = Buffer.from(bytes).toString("base64");
const keep = (n: number, at = repository): ObjectChange => {
  return { kind: "keep", key: `${inlinePrefix}${n}`, base64, store: "", to: name(at) };
};
const of = (...changes: ObjectChange[]): AnyCommit => recordCommit(objects, ...changes);

/** A push of the manifest, which names its bytes as well. */
function push(naming: ObjectChange, of: string | null): Commit {
  return {
    repository,
    preconditions: of === null ? [] : [{ kind: "key-reserved", key: of }],
    changes: [change.put("m")],
    by: null,
    records: [recordCommit(objects, naming)],
  };
}

export function testObjects(open: OpenEmptyStore): void {
  test("a commit names a key that was reserved, in one step with its own changes", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    const reads = metadata.records(objects);
    await metadata.commit(of({ kind: "reserve", keys: [key(1), key(2)], store: "" }));
    const naming = { kind: "name", key: key(1), sizeBytes: 7, to: name() } as const;
    expect(await metadata.commit(push(naming, key(1)))).toEqual({ committed: true });
    expect(await reads.find(name())).toEqual({ key: key(1), sizeBytes: 7, store: "" });
    expect(await reads.content(name())).toEqual({
      key: key(1),
      sizeBytes: 7,
      store: "",
      bytes: null,
    });
    expect(await metadata.manifestByDigest(repository, digest("m"))).not.toBeNull();
    expect((await reads.keys("", 9)).map((each) => [each.key, each.state])).toEqual([
      [key(1), "content"],
      [key(2), "reserved"],
    ]);
    // Of what is content already nobody gives up anything, whoever believes that a commit failed.
    await metadata.commit(of({ kind: "give-up", key: key(1) }));
    expect(await reads.find(name())).toEqual({ key: key(1), sizeBytes: 7, store: "" });
  });

  for (const ended of ["give-up", "end-writing"] as const) {
    test(`one that was given up (${ended}) is refused, and nothing is committed`, async () => {
      await using tested = await openTested(open);
      const { metadata } = tested;
      const reads = metadata.records(objects);
      await metadata.commit(of({ kind: "reserve", keys: [key(1)], store: "" }));
      const before = (await reads.keys("", 1))[0]!.since + 1;
      await metadata.commit(of({ kind: ended, key: key(1), before }));
      const precondition = { kind: "key-reserved", key: key(1) } as const;
      const naming = { kind: "name", key: key(1), sizeBytes: 7, to: name() } as const;
      expect(await metadata.commit(push(naming, key(1)))).toEqual({
        committed: false,
        failed: [{ precondition, found: null }],
      });
      expect(await reads.find(name())).toBeNull();
      expect(await metadata.manifestByDigest(repository, digest("m"))).toBeNull();
      expect((await reads.keys("", 9)).map(({ state }) => state)).toEqual(["garbage"]);
    });
  }

  test("parts keep a key from being named twice, and say how many bytes come", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    const reads = metadata.records(objects);
    await metadata.commit(of({ kind: "reserve", keys: [key(1)], store: "" }));
    expect((await reads.sums()).writing).toEqual({ objects: 0, bytes: 0 });
    const parts = { kind: "send-parts", key: key(1), upload: "u", sizeBytes: 9 } as const;
    await metadata.commit(of(parts));
    expect((await reads.sums()).writing).toEqual({ objects: 1, bytes: 9 });
    await metadata.commit(of({ kind: "name", key: key(1), sizeBytes: 9, to: name() }));
    expect((await reads.sums()).writing).toEqual({ objects: 0, bytes: 0 });
  });

  test("bytes that are kept are read back, shared, and gone with their last name", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    const reads = metadata.records(objects);
    await metadata.commit(push(keep(1), null));
    const found = await reads.content(name());
    expect(found).toMatchObject({ key: `${inlinePrefix}1`, sizeBytes: bytes.length });
    expect(Buffer.from(found!.bytes!)).toEqual(Buffer.from(bytes));
    expect(await reads.find(name())).toEqual({
      key: `${inlinePrefix}1`,
      sizeBytes: bytes.length,
      store: "",
    });
    await metadata.commit(of({ kind: "share", from: name(), to: name(other) }));
    await metadata.commit(of({ kind: "unname", from: name() }));
    expect(await reads.content(name())).toBeNull();
    expect((await reads.content(name(other)))?.bytes).not.toBeNull();
    await metadata.commit(of({ kind: "unname", from: name(other) }));
    // Its row is gone, too: the same key can be kept again.
    await metadata.commit(of(keep(1)));
    expect((await reads.content(name()))?.sizeBytes).toBe(bytes.length);
    // They are no objects, which somebody would look for in the store.
    expect(await reads.keys("", 9)).toEqual([]);
  });

  test("the same bytes again change nothing; others, and an object before them, give way", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    const reads = metadata.records(objects);
    await metadata.commit(of({ kind: "reserve", keys: [key(1)], store: "" }));
    await metadata.commit(of({ kind: "name", key: key(1), sizeBytes: 7, to: name() }));
    await metadata.commit(of(keep(1)));
    expect((await reads.keys("", 9)).map(({ state }) => state)).toEqual(["garbage"]);
    await metadata.commit(of(keep(2)));
    expect((await reads.find(name()))?.key).toBe(`${inlinePrefix}1`);
    const longer = Buffer.from("others").toString("base64");
    await metadata.commit(of({ ...keep(3), base64: longer } as ObjectChange));
    expect(await reads.find(name())).toEqual({ key: `${inlinePrefix}3`, sizeBytes: 6, store: "" });
  });

  test("what lies in quarantine is told with its size, wherever its bytes are", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    await metadata.commit(of({ kind: "reserve", keys: [key(1)], store: "" }));
    await metadata.commit(of({ kind: "reserve", keys: [key(2)], store: "team" }));
    const kept = (text: string) => ({ repository: "", name: text });
    await metadata.commit(
      of(
        { kind: "name", key: key(1), sizeBytes: 7, to: kept("b") },
        { kind: "name", key: key(2), sizeBytes: 8, to: kept("c") },
        { ...keep(1), to: kept("a") } as ObjectChange,
        { ...keep(2), store: "team", to: kept("d") } as ObjectChange,
      ),
    );
    const reads = metadata.records(objects);
    expect(await reads.inQuarantine("")).toEqual([
      { name: "a", sizeBytes: bytes.length },
      { name: "b", sizeBytes: 7 },
    ]);
    expect(await reads.inQuarantine("team")).toEqual([
      { name: "c", sizeBytes: 8 },
      { name: "d", sizeBytes: bytes.length },
    ]);
  });
}
