// Checks that cross pushes, deletes and sweeps, that are killed between any two steps, and whose disk fails.

import { describe, expect, test } from "bun:test";
import { readdir, rm, truncate, writeFile } from "node:fs/promises";
import { sample } from "../../../test/contracts/store_samples.ts";
import {
  image,
  kindsOf,
  openWorld,
  pushBlob,
  pushImage,
  watched,
  type World,
} from "../../../test/registry/world.ts";
import {
  damagedOf,
  openScrubbing,
  roundOf,
  scrubOnce,
  told,
} from "../../../test/registry/scrubbing.ts";
import type { Commit } from "../../metadata/metadata.ts";
import { digestOf, type Digest } from "../../oci/digest.ts";
import type { BlobStore } from "../../storage/blob_store.ts";
import { blobKey, damagedDirectory } from "../../storage/layout.ts";
import { removeBlob } from "../delete.ts";
import { mountBlob } from "../mount_blob.ts";
import type { LayoutRegistry } from "../registry.ts";

const bytes = sample(300_000);
const digest = digestOf("sha256", bytes);
const wrong = sample(300_000, 7);

const spoil = (world: World, at = "a"): Promise<void> =>
  writeFile(world.pathOf(blobKey(at, digest)), wrong);
const bytesIn = async (world: World, at = "a"): Promise<Uint8Array | null> => {
  const found = await world.registry.blobs.read(at, digest, 1_000_000);
  return found === null ? null : new Uint8Array(found);
};
const quarantined = (world: World): Promise<string[]> => readdir(world.pathOf(damagedDirectory));

describe("something that happens", () => {
  const moments = ["mark-damaged", "quarantine"] as const;
  const events: Readonly<Record<string, (world: World) => Promise<unknown>>> = {
    "a push of it": (world) => pushBlob(world, bytes, "a"),
    "a push of it to a repository that shares the file": (world) => pushBlob(world, bytes, "b"),
    "a delete and a sweep": async (world) => {
      await removeBlob(world.registry, { repository: "a", target: digest, by: null });
      await world.settle();
    },
    "a tool that puts the right file there": (world) =>
      writeFile(world.pathOf(blobKey("a", digest)), bytes),
  };
  for (const moment of moments) {
    for (const [what, event] of Object.entries(events)) {
      test(`before the commit of ${moment}: ${what}; right bytes stay, and nothing else is served`, async () => {
        await using world = await openWorld();
        for (const at of ["a", "b"]) await pushBlob(world, bytes, at);
        await spoil(world);
        let once = true;
        const crossed = watched(world.registry, async (commit) => {
          if (!once || commit.repository !== "a" || !kindsOf(commit).includes(moment)) return;
          once = false;
          await event(world);
        });
        await scrubOnce(world, crossed);
        expect(once).toBe(false);
        // What was read is not there any more: nothing is said of what is.
        const isRightThen = moment === "mark-damaged" && !what.includes("delete");
        const again = told(world, "content that was damaged is right again", "repository");
        if (isRightThen) expect([await damagedOf(world), again]).toEqual([[], []]);
        // A second round, since what changed while it was looked at is looked at again.
        await scrubOnce(world);
        const marked = new Set((await damagedOf(world)).map((mark) => mark.repository));
        for (const at of ["a", "b"]) {
          const isHere = (await world.registry.metadata.blobRecord(at, digest)) !== null;
          if (!isHere) expect(await bytesIn(world, at)).toBeNull();
          else if (marked.has(at)) expect(await bytesIn(world, at)).toBeNull();
          else expect(await bytesIn(world, at)).toEqual(bytes);
        }
        if (!what.includes("delete")) expect([...marked]).toEqual([]);
        const kept = await quarantined(world);
        for (const name of kept) {
          const inside = await Bun.file(world.pathOf(`${damagedDirectory}/${name}`)).bytes();
          expect(digestOf("sha256", inside)).not.toBe(digest);
        }
      });
    }
  }
});

test("content that vanishes in the regular way is no damage, and is not looked for any more", async () => {
  await using world = await openWorld();
  await pushBlob(world, bytes, "a");
  const scrubbing = openScrubbing(world);
  await scrubbing.run();
  await removeBlob(world.registry, { repository: "a", target: digest, by: null });
  await world.settle();
  await scrubbing.round();
  expect(await damagedOf(world)).toEqual([]);
  expect(await roundOf(world)).toMatchObject({ outcome: "done", digests: 0, bad: 0 });
});

test("damaged content that is deleted and swept leaves no mark", async () => {
  await using world = await openWorld();
  await pushBlob(world, bytes, "a");
  await spoil(world);
  await scrubOnce(world);
  expect(await damagedOf(world)).toHaveLength(1);
  await removeBlob(world.registry, { repository: "a", target: digest, by: null });
  await world.settle();
  expect(await damagedOf(world)).toEqual([]);
  expect(await quarantined(world)).toHaveLength(1);
});

test("what undo holds is moved away with the file that it shares", async () => {
  const undo = { windowMs: 60 * 60_000, pinMs: 0, bytesMax: null, minFree: { bytes: 0 } };
  await using world = await openWorld({ undo: () => undo });
  for (const at of ["a", "b"]) await pushBlob(world, bytes, at);
  await removeBlob(world.registry, { repository: "b", target: digest, by: null });
  await spoil(world);
  await scrubOnce(world);
  expect((await damagedOf(world)).map((mark) => mark.repository)).toEqual(["a", "b"]);
  expect(await bytesIn(world, "b")).toBeNull();
});

test("what undo holds in a file of its own heals", async () => {
  const undo = { windowMs: 60 * 60_000, pinMs: 0, bytesMax: null, minFree: { bytes: 0 } };
  await using world = await openWorld({ undo: () => undo, dedupe: false });
  for (const at of ["a", "b"]) await pushBlob(world, bytes, at);
  await removeBlob(world.registry, { repository: "b", target: digest, by: null });
  await spoil(world);
  await scrubOnce(world);
  expect(await damagedOf(world)).toEqual([]);
  expect(await bytesIn(world, "a")).toEqual(bytes);
});

describe("a mount of what is found damaged at that moment", () => {
  const mount = (registry: LayoutRegistry): Promise<boolean> =>
    mountBlob(registry, { repository: "new", digest, from: "a", mayRead: () => true, by: null });
  const isServed = async (world: World, at: string): Promise<boolean> => {
    const found = await world.registry.metadata.blobRecord(at, digest);
    return found !== null && found.damagedSince === undefined;
  };

  test("before its commit is refused, and leaves nothing", async () => {
    await using world = await openWorld();
    await pushBlob(world, bytes, "a");
    await pushBlob(world, sample(3), "new");
    await spoil(world);
    let once = true;
    const crossed = watched(world.registry, async (commit) => {
      if (!once || !kindsOf(commit).includes("link-blob")) return;
      once = false;
      await scrubOnce(world);
    });
    expect(await mount(crossed)).toBe(false);
    await world.settle();
    expect(await bytesIn(world, "new")).toBeNull();
    expect(await isServed(world, "a")).toBe(false);
    expect((await damagedOf(world)).map((mark) => mark.repository)).toEqual(["a"]);
  });

  test("before the commit of the mark is marked with it", async () => {
    await using world = await openWorld();
    await pushBlob(world, bytes, "a");
    await spoil(world);
    let once = true;
    const crossed = watched(world.registry, async (commit) => {
      if (!once || !kindsOf(commit).includes("mark-damaged")) return;
      once = false;
      expect(await mount(world.registry)).toBe(true);
    });
    await scrubOnce(world, crossed);
    expect([await isServed(world, "a"), await isServed(world, "new")]).toEqual([false, false]);
  });

  test("takes no mark away from others: nobody has looked at what it shares", async () => {
    await using world = await openWorld({ dedupe: false });
    for (const at of ["a", "b"]) await pushBlob(world, bytes, at);
    const sizeBytes = bytes.length;
    await world.registry.metadata.commit({
      repository: "b",
      preconditions: [],
      changes: [{ kind: "mark-damaged", digest, sizeBytes, how: "missing", stamp: null }],
      by: null,
    });
    await spoil(world);
    expect(await mount(world.registry)).toBe(true);
    expect(await isServed(world, "b")).toBe(false);
  });
});

class Killed extends Error {}

const nameOf = (found: Uint8Array | null): string =>
  found === null ? "nothing" : digestOf("sha256", found) === digest ? "right" : "wrong";

describe("a check that is killed", () => {
  /** What one round leaves that nobody disturbs. */
  const outcome = async (world: World) => ({
    marks: (await damagedOf(world)).map(({ repository, how, stamp, kept }) => [
      repository,
      how,
      stamp,
      kept === null,
    ]),
    files: (await quarantined(world)).length,
    a: nameOf(await bytesIn(world, "a")),
    b: nameOf(await bytesIn(world, "b")),
  });

  const cases: Readonly<
    Record<string, { dedupe: boolean; damage: (world: World) => Promise<unknown> }>
  > = {
    "with two names of one file": { dedupe: true, damage: (world) => spoil(world) },
    "with a right copy to heal from": { dedupe: false, damage: (world) => spoil(world) },
    "with a file that is gone": {
      dedupe: false,
      damage: async (world) => {
        for (const at of ["a", "b"]) await rm(world.pathOf(blobKey(at, digest)));
      },
    },
    "with an empty file": {
      dedupe: true,
      damage: (world) => truncate(world.pathOf(blobKey("a", digest)), 0),
    },
  };
  for (const [what, { dedupe, damage }] of Object.entries(cases)) {
    test(`${what}, before and after any of its commits: the next round ends in the same state`, async () => {
      let commits = 0;
      const expected = await (async () => {
        await using world = await openWorld({ dedupe });
        for (const at of ["a", "b"]) await pushBlob(world, bytes, at);
        await damage(world);
        const counted = killing(world.registry, () => {
          commits += 1;
          return null;
        });
        await scrubOnce(world, counted);
        return await outcome(world);
      })();
      for (let at = 1; at <= commits; at += 1) {
        for (const when of ["before", "after"] as const) {
          await using world = await openWorld({ dedupe });
          for (const name of ["a", "b"]) await pushBlob(world, bytes, name);
          await damage(world);
          let count = 0;
          const ends = killing(world.registry, () => {
            count += 1;
            return count === at ? when : null;
          });
          await scrubOnce(world, ends).catch(() => undefined);
          await world.crash();
          await scrubOnce(world);
          expect([at, when, await outcome(world)]).toEqual([at, when, expected]);
        }
      }
      expect(commits).toBeGreaterThan(3);
    });
  }

  test("in the middle of a heal by a push: the push is made again, and heals", async () => {
    for (const when of ["before", "after"] as const) {
      for (const kind of ["link-blob", "mark-sound"]) {
        await using world = await openWorld();
        for (const at of ["a", "b"]) await pushBlob(world, bytes, at);
        await spoil(world);
        await scrubOnce(world);
        const ends = killing(world.registry, (commit) =>
          commit !== null && kindsOf(commit).includes(kind) ? when : null,
        );
        await pushBlob({ registry: ends }, bytes, "a").catch(() => undefined);
        await world.crash();
        await pushBlob(world, bytes, "a");
        await scrubOnce(world);
        expect(await damagedOf(world)).toEqual([]);
        for (const at of ["a", "b"]) expect(await bytesIn(world, at)).toEqual(bytes);
      }
    }
  });
});

/** Ends the process, as it were, before or after a commit: no later one is made either. */
function killing(
  registry: LayoutRegistry,
  when: (commit: Commit | null) => "before" | "after" | null,
): LayoutRegistry {
  let isDead = false;
  const metadata = new Proxy(registry.metadata, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      if (property !== "commit") return value.bind(target) as unknown;
      return async (commit: Parameters<typeof target.commit>[0]) => {
        if (isDead) throw new Killed("killed");
        const moment = when("repository" in commit ? commit : null);
        if (moment !== null) isDead = true;
        if (moment === "before") throw new Killed("killed");
        const outcome = await target.commit(commit);
        if (moment === "after") throw new Killed("killed");
        return outcome;
      };
    },
  });
  return { ...registry, metadata };
}

describe("a disk that cannot read", () => {
  /** Fails as the kernel tells it, for this content. */
  function failing(registry: LayoutRegistry, bad: readonly Digest[]): LayoutRegistry {
    const blobs: BlobStore = new Proxy(registry.blobs, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target);
        if (property === "check") {
          return (at: string, of: Digest) => {
            const check = target.check(at, of);
            if (!bad.includes(of)) return check;
            const next = async (): Promise<never> => {
              throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
            };
            return { next, close: () => check.close() };
          };
        }
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    return { ...registry, blobs };
  }

  test("one file is damage of that file; it comes back when the disk gives it again", async () => {
    await using world = await openWorld();
    await pushBlob(world, bytes, "a");
    // A right file is not copied back while the disk fails: it cannot be read either.
    await spoil(world);
    await scrubOnce(world, failing(world.registry, [digest]));
    expect(await damagedOf(world)).toMatchObject([{ how: "unreadable", stamp: null }]);
    expect(await roundOf(world)).toMatchObject({ outcome: "done", bad: 1 });
    const [name = ""] = await quarantined(world);
    await writeFile(world.pathOf(`${damagedDirectory}/${name}`), bytes);
    await scrubOnce(world);
    expect(await damagedOf(world)).toEqual([]);
    expect(await bytesIn(world)).toEqual(bytes);
  });

  test("that does not answer keeps no stop waiting, and is read again by the next start", async () => {
    await using world = await openWorld();
    await pushBlob(world, bytes, "a");
    const stop = new AbortController();
    const blobs: BlobStore = new Proxy(world.registry.blobs, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target);
        if (property !== "check") {
          return typeof value === "function" ? (value.bind(target) as unknown) : value;
        }
        return () => {
          setImmediate(() => stop.abort());
          return { next: () => new Promise(() => undefined), close: () => undefined };
        };
      },
    });
    await openScrubbing(world, { ...world.registry, blobs }).run(stop.signal);
    expect(await damagedOf(world)).toEqual([]);
    expect(await roundOf(world)).toMatchObject({ outcome: "running", digests: 0, failed: 0 });
    await scrubOnce(world);
    expect(await roundOf(world)).toMatchObject({ outcome: "done", digests: 1 });
  });

  test("a second file within a day stops the round, with an alarm; a day later it counts anew", async () => {
    await using world = await openWorld();
    const others = [11, 12, 13].map((seed) => sample(100_000, seed));
    for (const other of others) await pushBlob(world, other, "a");
    const digests = others.map((other) => digestOf("sha256", other));
    const failed = failing(world.registry, digests);
    for (const other of digests) await writeFile(world.pathOf(blobKey("a", other)), "unreadable");
    const scrubbing = openScrubbing(world, {
      ...failed,
      blobs: new Proxy(failed.blobs, {
        get: (target, property) =>
          property === "lookAt"
            ? async (at: string, of: Digest) => {
                const look = await target.lookAt(at, of);
                return look === null ? null : { ...look, sizeBytes: 100_000 };
              }
            : (Reflect.get(target, property) as unknown),
      }),
    });
    await scrubbing.run();
    expect(await roundOf(world)).toMatchObject({ outcome: "stopped", bad: 2 });
    const alarms = world.reports.filter(({ message }) => message.startsWith("the disk failed"));
    expect(alarms.map(({ level }) => level)).toEqual(["error"]);
    await world.clock.advance(25 * 60 * 60_000);
    await scrubbing.round();
    expect(await roundOf(world)).toMatchObject({ outcome: "done", bad: 1 });
  });
});

describe("a round", () => {
  test("goes on where it was broken off, by the same beginning, and reads nothing twice", async () => {
    await using world = await openWorld();
    const pushed = [1, 2, 3, 4].map((seed) => sample(2_000_000, seed));
    for (const each of pushed) await pushBlob(world, each, "a");
    const stop = new AbortController();
    let checks = 0;
    const counted = (registry: LayoutRegistry, stopAfter: number | null): LayoutRegistry => ({
      ...registry,
      blobs: new Proxy(registry.blobs, {
        get(target, property) {
          const value: unknown = Reflect.get(target, property, target);
          if (property !== "check") {
            return typeof value === "function" ? (value.bind(target) as unknown) : value;
          }
          return (at: string, of: Digest) => {
            checks += 1;
            if (checks === stopAfter) stop.abort();
            return target.check(at, of);
          };
        },
      }),
    });
    await openScrubbing(world, counted(world.registry, 3)).run(stop.signal);
    const first = await roundOf(world);
    expect(first).toMatchObject({ outcome: "running", to: null });
    checks = 0;
    await world.crash();
    await world.clock.advance(1_000);
    await scrubOnce(world, counted(world.registry, null));
    const second = await roundOf(world);
    expect(second).toMatchObject({ outcome: "done", from: first!.from, digests: 4 });
    expect(checks).toBe(2);
    expect(second!.bytes).toBeGreaterThanOrEqual(8_000_000);
  });

  test("checks what is small first, and of that the oldest check; new content counts as checked by its push", async () => {
    await using world = await openWorld();
    const app = image(1);
    const layer = sample(1_500_000);
    await pushBlob(world, layer, "a");
    await world.clock.advance(1_000);
    await pushImage(world, app, "1", "a");
    const order: string[] = [];
    const seen = (registry: LayoutRegistry): LayoutRegistry => ({
      ...registry,
      blobs: new Proxy(registry.blobs, {
        get(target, property) {
          const value: unknown = Reflect.get(target, property, target);
          if (property !== "check") {
            return typeof value === "function" ? (value.bind(target) as unknown) : value;
          }
          return (at: string, of: Digest) => {
            order.push(of);
            return target.check(at, of);
          };
        },
      }),
    });
    const scrubbing = openScrubbing(world, seen(world.registry));
    await scrubbing.run();
    expect(order.at(-1)).toBe(digestOf("sha256", layer));
    expect(order).toHaveLength(4);
    order.length = 0;
    await scrubbing.run();
    expect(order).toEqual([]);
    await scrubbing.round();
    expect(order).toHaveLength(4);
  });

  test("is not begun while checks are off, ends when they are turned off, and goes on when they are on", async () => {
    await using world = await openWorld();
    await pushBlob(world, bytes, "a");
    await spoil(world);
    const scrubbing = openScrubbing(world);
    scrubbing.enable(false);
    await scrubbing.run();
    expect([await roundOf(world), await damagedOf(world)]).toEqual([null, []]);
    scrubbing.enable(true);
    await scrubbing.run();
    expect(await damagedOf(world)).toHaveLength(1);
    expect(told(world, "a round of checks has ended", "outcome", "digests", "bad")).toEqual([
      ["done", 1, 1],
    ]);
  });
});
