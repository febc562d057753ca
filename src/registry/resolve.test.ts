// What is said of things that are not known, while index.json is first written by ourselves or by others.

import { describe, expect, test } from "bun:test";
import { manualClock } from "../lib/clock.ts";
import type { LayoutState } from "../metadata/layout_states.ts";
import type { Registry } from "./registry.ts";
import { layoutSource } from "./layout_source.ts";
import { absentError, resolveManifest, resolveReferrers, resolveTags } from "./resolve.ts";

const stamp = "stamp-1";
const planned: LayoutState = {
  generation: 1,
  projected: 0,
  stampCurrent: null,
  stampNext: stamp,
  origin: "1-1",
};

const isProjected = ({ state }: Disk): boolean => (state?.projected ?? 0) > 0;

interface Disk {
  stamp: string | null;
  state: LayoutState | null;
  empty?: boolean;
  /** What the metadata have of it; nothing without this. */
  finds?: () => unknown;
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
    sources: [layoutSource],
    metadata: {
      manifestByTag: () => Promise.resolve(disk.finds?.() ?? null),
      tags: () => Promise.resolve(disk.finds?.() ?? []),
      referrers: () => Promise.resolve({ records: disk.finds?.() ?? [], next: null }),
      repositoryExists: () => Promise.resolve(disk.state !== null),
      records: () => ({ state: () => answer(() => disk.state) }),
      commit: (commit: { changes: { kind: string }[] }) => {
        asked.push(...commit.changes.map(({ kind }) => kind));
        disk.state ??= { ...planned, stampNext: null };
        return Promise.resolve({ committed: true });
      },
    },
    layouts: {
      indexStamp: () => answer(() => disk.stamp),
      hasEmptyIndex: () => disk.empty === true,
    },
  } as unknown as Registry;
  return { registry, clock, asked };
}

const find = (registry: Registry) =>
  resolveManifest(registry, "team/app", { kind: "tag", tag: "v1" });

describe("something unknown", () => {
  test("of a repository that is not on disk is absent", async () => {
    const { registry, asked } = registryOf({ stamp: null, state: null });
    expect(await find(registry)).toEqual({ found: null, why: "no-repository" });
    expect(asked).toEqual([]);
  });

  test("is absent while the first index.json of ours is being written", async () => {
    const disk: Disk = { stamp: null, state: null };
    const { registry } = registryOf(disk, () => {
      // The projector plans in the facts first, and then shows the file.
      disk.state = planned;
      disk.stamp = stamp;
    });
    expect(await find(registry)).toEqual({ found: null, why: "absent" });
  });

  test("is absent in a repository that is being made by a push", async () => {
    for (const state of [null, { ...planned, stampNext: null }]) {
      const { registry } = registryOf({ stamp: "new", state, empty: true });
      const why = state === null ? "no-repository" : "absent";
      expect(await find(registry)).toEqual({ found: null, why });
    }
  });

  test("of a layout that another tool left is looked for again once that was taken in", async () => {
    const disk: Disk = {
      stamp: "foreign",
      state: null,
      finds: () => (isProjected(disk) ? { digest: "sha256:1" } : null),
    };
    const { registry, clock, asked } = registryOf(disk);
    const found = find(registry);
    await clock.advance(500);
    expect(asked).toEqual(["create-repository"]);
    disk.state = { ...planned, projected: 2, stampCurrent: stamp, stampNext: null };
    await clock.advance(50);
    expect(await found).toMatchObject({ found: { digest: "sha256:1", repository: "team/app" } });
  });

  test("of one that takes long is not absent: try again", async () => {
    const { registry, clock } = registryOf({ stamp: "foreign", state: null });
    const resolved = find(registry);
    await clock.advance(60_000);
    expect(await resolved).toEqual({ found: null, why: "being-read" });
    expect(absentError("being-read", "MANIFEST_UNKNOWN", {})).toMatchObject({ status: 503 });
  });
});

describe("lists of a layout that is being read", () => {
  const page = { after: null, limit: 10, bytesMax: 1_000, artifactTypes: [] };
  const lists: Record<string, (registry: Registry) => Promise<unknown>> = {
    tags: async (registry) => (await resolveTags(registry, "team/app", page)).found,
    referrers: async (registry) =>
      (await resolveReferrers(registry, "team/app", "sha256:1", page)).found?.records ?? null,
  };

  test.each(Object.entries(lists))("%s: all of it, or none of it", async (_, list) => {
    const disk: Disk = {
      stamp: "foreign",
      state: { ...planned, stampNext: null },
      finds: () => (isProjected(disk) ? ["a", "b", "c"] : ["a"]),
    };
    const { registry, clock } = registryOf(disk);
    const listed = list(registry);
    await clock.advance(100);
    disk.state = { ...planned, projected: 2, stampCurrent: stamp, stampNext: null };
    await clock.advance(50);
    expect(await listed).toEqual(["a", "b", "c"]);
  });
});
