// Small stores beside the metadata, by an example: counters that are added to. What a feature's own records may rely on,
// whichever implementation keeps them.

import { expect, test } from "bun:test";
import { recordCommit, type RecordStore } from "../../src/metadata/records.ts";
import type { RecordTables } from "../../src/metadata/sql/record_tables.ts";
import { run } from "../../src/metadata/sql/statements.ts";
import { reasonOf } from "../reason_of.ts";
import { change, openTested, repository, type OpenEmptyStore } from "./metadata_facts.ts";

type CounterChange =
  | { readonly kind: "add"; readonly name: string; readonly count: number }
  | { readonly kind: "fail" };

interface CounterReads {
  value(name: string): Promise<number>;
}

export const counters: RecordStore<CounterChange, CounterReads> = { name: "counters" };

const value = "SELECT count FROM counters WHERE name = ?1";

export const counterTables: RecordTables<CounterChange, CounterReads> = {
  store: counters,
  steps: [
    {
      version: 1,
      summary: "counters",
      sql: "CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, count INTEGER NOT NULL) STRICT;",
    },
  ],
  sql: { value },
  frees: ({ kind }) => kind === "fail",
  *apply(work, added) {
    if (added.kind === "fail") throw new Error("counters are out of order");
    yield* run(
      work,
      "INSERT INTO counters (name, count) VALUES (?1, ?2) " +
        "ON CONFLICT (name) DO UPDATE SET count = counters.count + excluded.count",
      added.name,
      added.count,
    );
  },
  reads: ({ get }) => ({
    value: async (name) => (await get<{ count: number }>(value, name))?.count ?? 0,
  }),
};

const add = (name: string, count: number): CounterChange => ({ kind: "add", name, count });

export function testRecords(open: OpenEmptyStore): void {
  const openWith: OpenEmptyStore = (options) => open({ ...options, records: [counterTables] });

  test("what was acknowledged is read, here and in another process", async () => {
    await using tested = await openTested(openWith);
    const { metadata, store } = tested;
    const other = store.another();
    expect(await other.records(counters).value("a")).toBe(0);
    await metadata.commit(recordCommit(counters, add("a", 1), add("b", 5), add("a", 2)));
    for (const each of [metadata, other]) {
      expect(await each.records(counters).value("a")).toBe(3);
      expect(await each.records(counters).value("b")).toBe(5);
    }
  });

  test("changes of one commit happen together or not at all; facts beside them are not touched", async () => {
    await using tested = await openTested(openWith);
    const { metadata } = tested;
    const commits = [
      metadata.commit(recordCommit(counters, add("a", 1))),
      reasonOf(metadata.commit(recordCommit(counters, add("a", 10), { kind: "fail" }))),
      tested.did(change.tag("v1", "m")),
      metadata.commit(recordCommit(counters, add("a", 100))),
    ];
    const [, failed] = await Promise.all(commits);
    expect(String(failed)).toContain("counters are out of order");
    expect(await metadata.records(counters).value("a")).toBe(101);
    expect(await metadata.tags(repository, { after: null, limit: 9 })).toEqual(["v1"]);
  });

  test("changes of many at once are all counted", async () => {
    await using tested = await openTested(openWith);
    const one = () => tested.metadata.commit(recordCommit(counters, add("a", 1)));
    await Promise.all(Array.from({ length: 200 }, one));
    expect(await tested.metadata.records(counters).value("a")).toBe(200);
  });

  test("records of a commit are written with it, or not at all", async () => {
    await using tested = await openTested(openWith);
    const { metadata } = tested;
    const commit = (tag: string, mustExist: boolean) => ({
      repository,
      preconditions: mustExist ? [{ kind: "tag-exists", tag: "none" } as const] : [],
      changes: [change.tag(tag, "m")],
      by: null,
      records: [recordCommit(counters, add("a", 1)), recordCommit(counters, add("b", 2))],
    });
    expect((await metadata.commit(commit("v1", true))).committed).toBe(false);
    expect(await metadata.records(counters).value("a")).toBe(0);
    expect(await metadata.commit(commit("v1", false))).toEqual({ committed: true });
    expect(await metadata.commit({ parts: [commit("v2", false)] })).toEqual({ committed: true });
    expect(await metadata.records(counters).value("a")).toBe(2);
    expect(await metadata.records(counters).value("b")).toBe(4);
    const broken = { ...commit("v3", false), records: [recordCommit(counters, { kind: "fail" })] };
    expect(String(await reasonOf(metadata.commit(broken)))).toContain("out of order");
    expect(await metadata.tags(repository, { after: null, limit: 9 })).toEqual(["v1", "v2"]);
  });

  test("a store that this one was opened without is told by its name", async () => {
    await using tested = await openTested(open);
    const written = tested.metadata.commit(recordCommit(counters, add("a", 1)));
    expect(String(await reasonOf(written))).toContain("no store of records is named counters");
    expect(() => tested.metadata.records(counters)).toThrow(
      "no store of records is named counters",
    );
  });
}
