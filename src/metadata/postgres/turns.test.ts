// Which commits of a batch may be sent at the same time.

import { expect, test } from "bun:test";
import type { AnyCommit } from "../metadata.ts";
import { turnsOf } from "./postgres_writer.ts";

const commit = (repository: string, more: object = {}): AnyCommit => ({
  repository,
  preconditions: [],
  changes: [],
  by: null,
  ...more,
});
const records: AnyCommit = { records: "counters", changes: [] };

test("commits of one repository follow each other, those of others go beside them", () => {
  const batch = ["a", "b", "a", "c"].map((name) => commit(name));
  expect(turnsOf(batch, false)).toEqual([[[0, 2], [1], [3]]]);
});

test("what may look at others has a turn of its own, behind those before it", () => {
  const elsewhere = commit("a", {
    preconditions: [{ kind: "unmarked-in", repository: "b", digest: "sha256:0" }],
  });
  const withRecords = commit("b", { records: [records] });
  const joint: AnyCommit = { parts: [] };
  for (const alone of [records, elsewhere, withRecords, joint]) {
    const batch = [commit("a"), commit("b"), alone, commit("b"), commit("a")];
    expect(turnsOf(batch, false)).toEqual([[[0], [1]], [[2]], [[3], [4]]]);
  }
});

test("uploads go beside each other, but for one that gives its bytes a name", () => {
  const upload = (id: string, more: object = {}): AnyCommit => ({
    records: "uploads",
    changes: [{ kind: "take", id, holder: "h", lastsMs: 1, ...more }],
  });
  const ended = { records: "uploads", changes: [{ kind: "end", id: "3" }] };
  const keys: AnyCommit = {
    records: "objects",
    changes: [{ kind: "reserve", keys: ["k"], store: "" }],
  };
  const batch = [upload("1"), commit("a", { records: [ended] }), keys, upload("2"), upload("1")];
  expect(turnsOf(batch, false)).toEqual([[[0, 4], [1], [2], [3]]]);
  const naming = upload("2", { content: { repository: "a", name: "sha256:0" } });
  expect(turnsOf([upload("1"), naming, commit("a")], false)).toEqual([[[0]], [[1]], [[2]]]);
  const freeing: AnyCommit = { records: "objects", changes: [{ kind: "give-up", key: "k" }] };
  expect(turnsOf([commit("a"), freeing], false)).toEqual([[[0]], [[1]]]);
});

test("where there are quotas every commit has a turn of its own", () => {
  expect(turnsOf([commit("a"), commit("b")], true)).toEqual([[[0]], [[1]]]);
});
