// What is kept of comparisons: as much as its bounds say, the oldest goes first; and who may have how many waiting.

import { expect, test } from "bun:test";
import { manualClock } from "../lib/clock.ts";
import { openMemory } from "../storage/memory/open_memory.ts";
import {
  callerComparisonsMax,
  comparisons,
  comparisonsMax,
  listingBytesMax,
  listingsBytesMax,
  waitingComparisonsMax,
  type ComparisonChange,
} from "./comparisons.ts";
import { MemoryMetadata } from "./memory/memory_metadata.ts";
import { recordCommit } from "./records.ts";
import { atOnce } from "./sql/bytes_under_lock.ts";

function openStore() {
  const clock = manualClock(Date.now());
  const store = new MemoryMetadata({ clock, bytes: atOnce(openMemory({ clock }).underLock) });
  const metadata = store.open({ committer: store });
  const commit = (...changes: ComparisonChange[]) =>
    metadata.commit(recordCommit(comparisons, ...changes));
  const want = (key: string, by: string): ComparisonChange => ({
    kind: "want",
    key,
    request: `request of ${key}`,
    by,
  });
  return { reads: metadata.records(comparisons), commit, want };
}

test("what is wanted waits in order, is done, and can be forgotten", async () => {
  const { reads, commit, want } = openStore();
  expect(await reads.waiting()).toBeNull();
  await commit(want("b", "ann"), want("a", "ann"), want("b", "ben"));
  expect(await reads.waiting()).toEqual({ key: "b", request: "request of b" });
  expect(await reads.comparison("a")).toEqual({ result: null });
  await commit({ kind: "done", key: "b", result: "{}" });
  expect(await reads.comparison("b")).toEqual({ result: "{}" });
  expect(await reads.waiting()).toMatchObject({ key: "a" });
  await commit({ kind: "forget", key: "b" }, { kind: "done", key: "gone", result: "{}" });
  expect(await reads.comparison("b")).toBeNull();
  expect(await reads.comparison("gone")).toBeNull();
});

test("a caller has a few waiting, and all together have some", async () => {
  const { reads, commit, want } = openStore();
  const known = async (key: string) => (await reads.comparison(key)) !== null;
  for (let at = 0; at <= callerComparisonsMax; at += 1) await commit(want(`ann${at}`, "ann"));
  expect(await known(`ann${callerComparisonsMax - 1}`)).toBe(true);
  expect(await known(`ann${callerComparisonsMax}`)).toBe(false);
  for (let at = 0; at <= waitingComparisonsMax; at += 1) await commit(want(`k${at}`, `u${at}`));
  expect(await known("k0")).toBe(true);
  expect(await known(`k${waitingComparisonsMax}`)).toBe(false);
  await commit({ kind: "done", key: "ann0", result: "{}" });
  await commit(want("late", "ann"));
  expect(await known("late")).toBe(true);
});

test("comparisons beyond the bound go, the oldest first", async () => {
  const { reads, commit, want } = openStore();
  for (let at = 0; at < comparisonsMax + 3; at += 1) {
    await commit(want(`k${at}`, "ann"), { kind: "done", key: `k${at}`, result: "{}" });
  }
  expect(await reads.comparison("k2")).toBeNull();
  expect(await reads.comparison("k3")).not.toBeNull();
});

test("listings beyond the bound go, the oldest first; one that is too large is not kept", async () => {
  const { reads, commit } = openStore();
  const listing = new Uint8Array(listingBytesMax).fill(7);
  const keep = (digest: string, bytes = listing) =>
    commit({ kind: "keep-listing", digest, listing: bytes });
  await keep("large", new Uint8Array(listingBytesMax + 1));
  expect(await reads.listing("large")).toBeNull();
  const fit = listingsBytesMax / listingBytesMax;
  for (let at = 0; at < fit; at += 1) await keep(`l${at}`);
  expect(await reads.listing("l0")).toHaveLength(listingBytesMax);
  await keep("one more", new Uint8Array([1, 2, 3]));
  expect(await reads.listing("l0")).toBeNull();
  expect(await reads.listing("l1")).not.toBeNull();
  expect(await reads.listing("one more")).toEqual(new Uint8Array([1, 2, 3]));
});
