// What is said of things that are not known, while index.json is first written by ourselves or by others.

import { describe, expect, test } from "bun:test";
import { reasonOf } from "../../test/reason_of.ts";
import { manualClock } from "../lib/clock.ts";
import type { LayoutState } from "../metadata/metadata.ts";
import type { Registry } from "./registry.ts";
import { findIn } from "./unknown.ts";

const stamp = "stamp-1";
const planned: LayoutState = {
  generation: 1,
  projected: 0,
  stampCurrent: null,
  stampNext: stamp,
  origin: "1-1",
};

interface Disk {
  stamp: string | null;
  state: LayoutState | null;
  empty?: boolean;
}

/** A registry of one repository, which may change between any two questions. */
function registryOf(disk: Disk, between: () => void = () => {}) {
  const clock = manualClock();
  const asked: string[] = [];
  const answer = async <T>(value: () => T): Promise<T> => {
    const found = value();
    between();
    return found;
  };
  const registry = {
    clock,
    metadata: {
      layoutState: () => answer(() => disk.state),
      commit: (commit: { changes: { kind: string }[] }) => {
        asked.push(...commit.changes.map(({ kind }) => kind));
        disk.state ??= { ...planned, stampNext: null };
        return Promise.resolve({ committed: true });
      },
    },
    storage: {
      indexStamp: () => answer(() => disk.stamp),
      hasEmptyIndex: () => disk.empty === true,
    },
  } as unknown as Registry;
  return { registry, clock, asked };
}

/** What is found by somebody who finds nothing at first. */
const find = (registry: Registry, finds: () => string | null = () => null) =>
  findIn(registry, "team/app", () => Promise.resolve(finds()));

describe("something unknown", () => {
  test("of a repository that is not on disk is absent", async () => {
    const { registry, asked } = registryOf({ stamp: null, state: null });
    expect(await find(registry)).toBeNull();
    expect(asked).toEqual([]);
  });

  test("is absent while the first index.json of ours is being written", async () => {
    const disk: Disk = { stamp: null, state: null };
    const { registry } = registryOf(disk, () => {
      // The projector plans in the facts first, and then shows the file.
      disk.state = planned;
      disk.stamp = stamp;
    });
    expect(await find(registry)).toBeNull();
  });

  test("is absent in a repository that is being made by a push", async () => {
    for (const state of [null, { ...planned, stampNext: null }]) {
      const { registry } = registryOf({ stamp: "new", state, empty: true });
      expect(await find(registry)).toBeNull();
    }
  });

  test("of a layout that another tool left is looked for again once that was taken in", async () => {
    const disk: Disk = { stamp: "foreign", state: null };
    const { registry, clock, asked } = registryOf(disk);
    const found = find(registry, () => ((disk.state?.projected ?? 0) > 0 ? "it" : null));
    await clock.advance(500);
    expect(asked).toEqual(["create-repository"]);
    disk.state = { ...planned, projected: 2, stampCurrent: stamp, stampNext: null };
    await clock.advance(50);
    expect(await found).toBe("it");
  });

  test("of one that takes long is not absent: try again", async () => {
    const { registry, clock } = registryOf({ stamp: "foreign", state: null });
    const error = reasonOf(find(registry));
    await clock.advance(60_000);
    expect(await error).toMatchObject({ reason: "UNAVAILABLE", status: 503 });
  });
});
