// The end of undo's time: by the clock, by the limit of bytes, and by a disk that is short.

import { describe, expect, test } from "bun:test";
import { blobKey } from "../../storage/layout.ts";
import { existsSync } from "node:fs";
import {
  image,
  noUndo,
  openWorld,
  pushBlob,
  pushImage,
  repository,
  type World,
} from "../../../test/registry/world.ts";
import { sample } from "../../../test/contracts/store_samples.ts";
import { digestOf, type Digest } from "../../oci/digest.ts";
import { reasonOf } from "../../../test/reason_of.ts";
import { removeBlob, removeManifest } from "../delete.ts";
import type { Registry } from "../registry.ts";
import { undelete } from "./restore.ts";
import { endHolds, endHoldsJob, makeRoom } from "./end_holds.ts";
import { givingWayMaxMs, spaceFor } from "./giving_way.ts";
import type { UndoSettings } from "./undo_settings.ts";

const hour = 3_600_000;

const wanted = (lengthBytes: number | null) => ({ repository, lengthBytes });

/** A world whose settings and disk the test moves. */
async function openHeld(settings: Partial<UndoSettings> = {}) {
  const undo = { ...noUndo, windowMs: 24 * hour, ...settings };
  const world = await openWorld({ undo: () => undo });
  const room = { freeBytes: 1e9, totalBytes: 1e9 };
  const registry: Registry = {
    ...world.registry,
    blobs: new Proxy(world.registry.blobs, {
      get: (target, property) => {
        if (property === "room") return async () => room;
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    }),
  };
  return { world, registry, undo, room };
}

const isThere = (world: World, digest: Digest): boolean =>
  existsSync(world.pathOf(blobKey(repository, digest)));

async function pushed(world: World, count: number): Promise<Digest[]> {
  const digests: Digest[] = [];
  for (let seed = 1; seed <= count; seed += 1)
    digests.push(await pushBlob(world, sample(1_000, seed)));
  return digests;
}

const remove = (registry: Registry, target: Digest) =>
  removeBlob(registry, { repository, target, by: "alice" });

async function heldCount({ metadata }: Registry): Promise<number> {
  return (await metadata.past.heldTotals()).items;
}

describe("held content", () => {
  test("goes when its window is over, and not before", async () => {
    const { world, registry } = await openHeld();
    await using _ = world;
    const app = image(1);
    await pushImage(world, app, "v1");
    await removeManifest(registry, { repository, target: app.digest, by: "alice" });
    await world.settle();
    expect(isThere(world, app.digest)).toBe(true);
    await world.clock.advance(24 * hour - 1);
    expect(await endHolds(registry)).toBe(10_000);
    expect(await heldCount(registry)).toBe(1);
    await world.clock.advance(1);
    expect(await endHolds(registry)).toBeNull();
    await world.settle();
    expect(isThere(world, app.digest)).toBe(false);
  });

  test("waits for as long again after a clock that jumped ahead, and so do pins", async () => {
    const { world, registry } = await openHeld({ pinMs: 7 * 24 * hour });
    await using _ = world;
    const [held, pinned] = await pushed(world, 2);
    await remove(registry, held!);
    await remove(registry, pinned!);
    await undelete(registry, { repository, digest: pinned!, by: "alice" });
    const run = endHoldsJob(registry);
    const { signal } = new AbortController();
    const pins = () => registry.metadata.past.endedPins(Number.MAX_SAFE_INTEGER, 9);
    await run(signal);
    for (const jumpMs of [365 * 24 * hour, -365 * 24 * hour]) {
      await world.clock.advance(hour);
      world.clock.jump(jumpMs);
      await run(signal);
      expect([await heldCount(registry), (await pins()).length]).toEqual([1, 1]);
    }
    world.clock.jump(365 * 24 * hour);
    await run(signal);
    await world.clock.advance(24 * hour);
    await run(signal);
    expect([await heldCount(registry), (await pins()).length]).toEqual([0, 1]);
    await world.clock.advance(7 * 24 * hour);
    await run(signal);
    expect(await pins()).toEqual([]);
  });

  test("goes sooner when the window is made shorter", async () => {
    const { world, registry, undo } = await openHeld({ windowMs: 7 * 24 * hour });
    await using _ = world;
    const [old, young] = await pushed(world, 2);
    await remove(registry, old!);
    await world.clock.advance(25 * hour);
    await remove(registry, young!);
    await endHolds(registry);
    expect(await heldCount(registry)).toBe(2);
    undo.windowMs = 24 * hour;
    await endHolds(registry);
    await world.settle();
    expect([isThere(world, old!), isThere(world, young!)]).toEqual([false, true]);
    undo.windowMs = 0;
    await endHolds(registry);
    expect(await heldCount(registry)).toBe(0);
  });

  test("is not held at all with a window of nothing", async () => {
    const { world, registry } = await openHeld({ windowMs: 0 });
    await using _ = world;
    const [blob] = await pushed(world, 1);
    await remove(registry, blob!);
    expect(await heldCount(registry)).toBe(0);
    await world.settle();
    expect(isThere(world, blob!)).toBe(false);
  });

  test("beyond the limit of bytes the oldest goes first", async () => {
    const { world, registry, undo } = await openHeld({ bytesMax: 4_000 });
    await using _ = world;
    const blobs = await pushed(world, 6);
    for (const blob of blobs) {
      await remove(registry, blob);
      await world.clock.advance(1_000);
    }
    expect(await endHolds(registry)).toBe(500);
    expect(await endHolds(registry)).toBe(10_000);
    await world.settle();
    expect(blobs.map((blob) => isThere(world, blob))).toEqual([
      false,
      false,
      true,
      true,
      true,
      true,
    ]);
    undo.bytesMax = 3_999;
    await endHolds(registry);
    expect(await heldCount(registry)).toBe(3);
    expect(world.reports.map(({ message }) => message)).toContain(
      "what was held for an undo goes before its time: space is short",
    );
  });

  test.each([
    ["a part of it", { part: 0.05 }],
    ["bytes", { bytes: 50_000 }],
  ] as const)(
    "goes, the oldest first, while the disk has less free than it should: %s",
    async (...[, minFree]) => {
      const { world, registry, room } = await openHeld({ minFree });
      await using _ = world;
      const blobs = await pushed(world, 5);
      for (const blob of blobs) {
        await remove(registry, blob);
        await world.clock.advance(1_000);
      }
      Object.assign(room, { totalBytes: 1_000_000, freeBytes: 50_000 });
      await endHolds(registry);
      expect(await heldCount(registry)).toBe(5);
      room.freeBytes = 50_000 - 1_001;
      expect(await endHolds(registry)).toBe(500);
      expect(await heldCount(registry)).toBe(3);
      // No more goes before that was swept.
      for (let again = 0; again < 3; again += 1) await endHolds(registry);
      expect(await heldCount(registry)).toBe(3);
      // That what goes frees nothing, since others share it, ends with nothing that is held.
      while ((await endHolds(registry)) !== null) await world.settle();
      expect(await heldCount(registry)).toBe(0);
      await world.settle();
      expect(blobs.map((blob) => isThere(world, blob))).toEqual(blobs.map(() => false));
    },
  );

  test("goes image by image, so that what is left can be brought back whole", async () => {
    const { world, registry, undo } = await openHeld();
    await using _ = world;
    const images = [1, 2, 3].map((seed) => image(seed));
    for (const one of images) await pushImage(world, one, null);
    // All at one moment, as by a rule of retention.
    const gone = { why: "collected", since: world.clock.now() } as const;
    for (const { digest, blobs } of images) {
      const changes = [
        { kind: "remove-manifest", digest, hold: gone } as const,
        ...blobs.map(
          (blob) =>
            ({ kind: "unlink-blob", digest: digestOf("sha256", blob), hold: gone }) as const,
        ),
      ];
      await registry.metadata.commit({ repository, preconditions: [], changes, by: null });
    }
    const { bytes } = await registry.metadata.past.heldTotals();
    undo.bytesMax = Math.floor(bytes * 0.6);
    await endHolds(registry);
    expect(await heldCount(registry)).toBe(3);
    const back = images.map(({ digest }) =>
      reasonOf(undelete(registry, { repository, digest, by: "alice" })),
    );
    expect((await Promise.all(back)).filter((reason) => !(reason instanceof Error))).toHaveLength(
      1,
    );
  });

  test("gives way to a push that finds no room, however much should be free", async () => {
    const { world, registry, room } = await openHeld();
    await using _ = world;
    Object.assign(room, { totalBytes: 30_000, freeBytes: 30_000 });
    for (const blob of await pushed(world, 4)) await remove(registry, blob);
    await makeRoom(registry);
    expect(await heldCount(registry)).toBe(2);
  });
});

/** A disk of so many bytes, which are all of what is held. */
async function openFull(blobs: number) {
  const opened = await openHeld();
  const { registry, room } = opened;
  for (const blob of await pushed(opened.world, blobs)) await remove(registry, blob);
  const totalBytes = blobs * 1_000;
  const look = async (): Promise<void> => {
    const { bytes } = await registry.metadata.past.heldTotals();
    Object.assign(room, { totalBytes, freeBytes: totalBytes - bytes });
  };
  const looking: Registry = {
    ...registry,
    undo: () => ({ ...registry.undo(), minFree: { part: 0.05 } }),
    blobs: new Proxy(registry.blobs, {
      get: (target, property) => {
        if (property === "room") return () => look().then(() => ({ ...room }));
        return Reflect.get(target, property, target) as unknown;
      },
    }),
  };
  return { ...opened, registry: looking };
}

describe("what is held gives way before a push", () => {
  test("as much as the push needs, and what should be free", async () => {
    const { world, registry } = await openFull(40);
    await using _ = world;
    await spaceFor(registry, wanted(3_000));
    expect(await heldCount(registry)).toBe(35);
    await spaceFor(registry, wanted(3_000));
    expect(await heldCount(registry)).toBe(35);
  });

  test("who announces very much, and has sent nothing, gets a fifth of the disk", async () => {
    const { world, registry } = await openFull(40);
    await using _ = world;
    for (const bytes of [1e12, null]) await spaceFor(registry, wanted(bytes));
    expect(await heldCount(registry)).toBe(40 - 8 - 2);
  });

  test("a push waits for a bounded time where what goes frees nothing", async () => {
    const { world, registry, room } = await openHeld();
    await using _ = world;
    Object.assign(room, { totalBytes: 1e9, freeBytes: 0 });
    await registry.metadata.commit({
      repository,
      preconditions: [],
      changes: [{ kind: "create-repository" }, { kind: "release-bytes", digest: image(1).digest }],
      by: null,
    });
    // A file that a sweep cannot remove.
    const stuck: Registry = {
      ...registry,
      metadata: new Proxy(registry.metadata, {
        get: (target, property) => {
          const value: unknown = Reflect.get(target, property, target);
          if (property === "orphans") return async () => [{ repository, digest: image(1).digest }];
          return typeof value === "function" ? (value.bind(target) as unknown) : value;
        },
      }),
    };
    const startedMs = world.clock.monotonicMs();
    let tookMs: number | null = null;
    const waiting = spaceFor(stuck, wanted(1_000)).then(() => {
      tookMs = world.clock.monotonicMs() - startedMs;
    });
    for (let ms = 0; ms < 2 * givingWayMaxMs; ms += 100) await world.clock.advance(100);
    await waiting;
    expect(tookMs).toBeWithin(givingWayMaxMs, givingWayMaxMs + 1_000);
  });
});

test("pins end by the clock", async () => {
  const { world, registry } = await openHeld();
  await using _ = world;
  const [blob] = await pushed(world, 1);
  const until = world.clock.now() + hour;
  await registry.metadata.commit({
    repository,
    preconditions: [],
    changes: [{ kind: "pin", digest: blob!, until }],
    by: null,
  });
  await endHolds(registry);
  expect(await registry.metadata.past.endedPins(until, 9)).toHaveLength(1);
  await world.clock.advance(hour);
  await endHolds(registry);
  expect(await registry.metadata.past.endedPins(until, 9)).toEqual([]);
});

test("of several disks the one that is short gives way, and what lies on others stays", async () => {
  const { world, registry } = await openHeld({ minFree: { part: 0.05 } });
  await using _ = world;
  const digests = new Map<string, Digest>();
  for (const [at, seed] of [
    ["base/app", 1],
    ["team/app", 2],
  ] as const) {
    const target = await pushBlob(world, sample(1_000, seed), at);
    await removeBlob(registry, { repository: at, target, by: "alice" });
    digests.set(at, target);
  }
  const full = new Set<string | null>();
  const isTeam = (name: string): boolean => name.startsWith("team/");
  const both: Registry = {
    ...registry,
    blobs: Object.assign(Object.create(registry.blobs) as Registry["blobs"], {
      disks: [
        { example: null, has: (name: string) => !isTeam(name) },
        { example: "team/example", has: isTeam },
      ],
      room: async (at: string | null) => {
        const freeBytes = full.has(at !== null && isTeam(at) ? "team" : null) ? 0 : 1e9;
        return { freeBytes, totalBytes: 1e9 };
      },
    }),
  };
  const held = async (): Promise<string[]> => {
    const found = await registry.metadata.past.heldSince(Number.MAX_SAFE_INTEGER, 9);
    return found.map(({ repository: name }) => name).toSorted();
  };
  await endHolds(both);
  expect(await held()).toEqual(["base/app", "team/app"]);
  full.add("team");
  await spaceFor(both, { repository: "base/app", lengthBytes: 1_000 });
  expect(await held()).toEqual(["base/app", "team/app"]);
  await endHolds(both);
  expect(await held()).toEqual(["base/app"]);
  full.add(null);
  await makeRoom(both);
  expect(await held()).toEqual([]);
});
