// Several stores as one pass the contracts of stores (test/contracts/stores.ts): two of files, and one of files with one
// in memory; also where the repositories of the contract lie apart. And what is copied between two of them.

import { describe, expect, test } from "bun:test";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { layoutDirectoryContract } from "../../../test/contracts/layout_directory.ts";
import {
  bytesSource,
  held,
  sample,
  unlimited,
  type OpenStores,
} from "../../../test/contracts/store_samples.ts";
import { storesContract } from "../../../test/contracts/stores.ts";
import { memoryDirectory } from "../../../test/memory_directory.ts";
import { manualClock } from "../../lib/clock.ts";
import { digestOf } from "../../oci/digest.ts";
import { openFilesystem } from "../filesystem/open_filesystem.ts";
import { blobKey } from "../layout.ts";
import { openMemory } from "../memory/open_memory.ts";
import type { LocalStores, SynchronousBytes } from "../stores.ts";
import { joinPlaces } from "./open_by_path.ts";
import { Places, type Place } from "./place.ts";

/** With what is decided about bytes without waiting. */
function joinLocal(places: Places<LocalStores>): LocalStores {
  const of = (repository: string): SynchronousBytes => places.of(repository).stores.underLock;
  const underLock: SynchronousBytes = {
    present: (repository, digest) => of(repository).present(repository, digest),
    remove: (repository, digest) => of(repository).remove(repository, digest),
    stamp: (repository, digest) => of(repository).stamp(repository, digest),
    quarantine: (repository, digest, to) => of(repository).quarantine(repository, digest, to),
  };
  return { ...joinPlaces(places), underLock };
}

const openByPath = (all: readonly Place<LocalStores>[]): LocalStores => joinLocal(new Places(all));

type Kind = "files" | "memory";

/** Two stores of their own, as often opened as one likes. */
async function openTwo(kinds: readonly [Kind, Kind]) {
  const clock = manualClock(Date.now());
  const directories = [await memoryDirectory("zot-main"), await memoryDirectory("zot-apart")];
  const memories = kinds.map(() => openMemory({ clock }));
  const openings: LocalStores[] = [];
  const openOne = (at: number): LocalStores => {
    if (kinds[at] === "memory") return memories[at]!;
    const rootDirectory = directories[at]!.path;
    const opened = openFilesystem({ rootDirectory, durable: false, clock });
    openings.push(opened);
    return opened;
  };
  for (const [at, kind] of kinds.entries()) {
    const rootDirectory = directories[at]!.path;
    const first = openFilesystem({ rootDirectory, durable: false, clock });
    if (kind === "files") await first.prepare();
    await first.close();
  }
  return {
    clock,
    roots: directories.map(({ path }) => path),
    openPlaces: (): Place<LocalStores>[] => [
      { component: null, stores: openOne(0), disk: "one" },
      { component: "team", stores: openOne(1), disk: "two" },
    ],
    close: async () => {
      for (const opened of openings) await opened.close();
      for (const directory of directories) await directory[Symbol.asyncDispose]();
    },
  };
}

/** Where the repositories of the contract are spread over both, though their names begin alike. */
class Spread extends Places<LocalStores> {
  override of(repository: string | null): Place<LocalStores> {
    const isApart = repository === "team/other" || repository?.endsWith("3") === true;
    return super.of(isApart ? "team/x" : null);
  }
}

async function openJoined(
  kinds: readonly [Kind, Kind],
  join: (places: readonly Place<LocalStores>[]) => LocalStores,
): Promise<OpenStores> {
  const two = await openTwo(kinds);
  return {
    stores: join(two.openPlaces()),
    clock: two.clock,
    another: () => join(two.openPlaces()),
    elsewhere: null,
    comparesBytes: true,
    [Symbol.asyncDispose]: () => two.close(),
  };
}

const pairs: readonly (readonly [Kind, Kind])[] = [
  ["files", "files"],
  ["files", "memory"],
  ["memory", "files"],
];

for (const kinds of pairs) {
  const says = kinds.join(" and ");
  storesContract(`by path, ${says}`, () => openJoined(kinds, openByPath));
  storesContract(
    `by path and spread, ${says}`,
    () => openJoined(kinds, (places) => joinLocal(new Spread(places))),
    { sharesOnce: false },
  );
}

/** Layouts of one of the two stores, with a directory of the other's beside it. */
function openLayouts(at: 0 | 1) {
  return async () => {
    const two = await openTwo(["files", "files"]);
    const all = two.openPlaces();
    const stores = joinLocal(
      new (class extends Places<LocalStores> {
        override of(): Place<LocalStores> {
          return all[at]!;
        }
      })(all),
    );
    return {
      root: two.roots[at]!,
      layouts: stores.layouts!,
      [Symbol.asyncDispose]: () => two.close(),
    };
  };
}

layoutDirectoryContract("by path, the main store", openLayouts(0));
layoutDirectoryContract("by path, a store beside it", openLayouts(1));

describe("names and places", () => {
  test("a name of one component lies in the main store, as in zot", async () => {
    const two = await openTwo(["files", "files"]);
    const places = new Places(two.openPlaces());
    const at = (name: string | null): string | null => places.of(name).component;
    for (const name of [null, "team", "teams/app", "other/team/app", "tea/m"]) {
      expect(at(name)).toBeNull();
    }
    for (const name of ["team/app", "team/app/deep"]) expect(at(name)).toBe("team");
    await two.close();
  });

  test("a directory that another store's repositories would have is none of ours", async () => {
    const two = await openTwo(["files", "files"]);
    const all = two.openPlaces();
    const stores = openByPath(all);
    const bytes = sample(10);
    const digest = digestOf("sha256", bytes);
    for (const { stores: one } of all) {
      for (const name of ["team/app", "team", "base/app"]) {
        await one.blobs.put(name, digest, bytes);
      }
    }
    const found = await Array.fromAsync(stores.layouts!.repositories());
    expect(found.toSorted()).toEqual(["base/app", "team", "team/app"]);
    expect(stores.blobs.disks.map(({ example, has }) => [example, has("team/app")])).toEqual([
      [null, false],
      ["team/example", true],
    ]);
    await two.close();
  });

  test("places on one disk are looked at as one", async () => {
    const two = await openTwo(["files", "memory"]);
    const { blobs } = openByPath(two.openPlaces().map((place) => ({ ...place, disk: "same" })));
    expect(blobs.disks).toHaveLength(1);
    for (const name of ["team/app", "base"]) expect(blobs.disks[0]!.has(name)).toBe(true);
    await two.close();
  });
});

describe("content that is copied from one store to the other", () => {
  const sizes = [0, 1000, 9_000_000];
  for (const size of sizes) {
    for (const [from, to] of [
      ["base/app", "team/app"],
      ["team/app", "base/app"],
    ] as const) {
      test(`${size} bytes from ${from}: right ones are there, wrong ones never`, async () => {
        const two = await openTwo(["files", "files"]);
        const stores = openByPath(two.openPlaces());
        const root = two.roots[from === "base/app" ? 0 : 1]!;
        const { blobs, uploads } = stores;
        const bytes = sample(size);
        const digest = digestOf("sha256", bytes);
        const share = (mayCopy: boolean) => blobs.share(digest, { from, to, mayCopy });
        expect(await share(true)).toBe(false);
        await blobs.put(from, digest, bytes);
        expect(await share(false)).toBe(false);
        const copied = { from, to, mayCopy: true, copiedBytesMax: size - 1 };
        expect(await blobs.share(digest, copied)).toBe(false);
        expect(await blobs.size(to, digest)).toBeNull();
        expect(await share(true)).toBe(true);
        expect(await blobs.read(to, digest, size)).toEqual(bytes);
        expect(await uploads.ids()).toEqual([]);
        await blobs.remove(to, digest);
        const path = join(root, blobKey(from, digest));
        if (size === 0) await writeFile(path, "x");
        else await truncate(path, size - 1);
        expect(await share(true)).toBe(false);
        expect(await blobs.size(to, digest)).toBeNull();
        expect(await uploads.ids()).toEqual([]);
        await two.close();
      });
    }
  }
});

test("uploads grow where their repository lies, and those of every store are listed", async () => {
  const two = await openTwo(["files", "files"]);
  const all = two.openPlaces();
  const { uploads } = openByPath(all);
  const places = { "base/app": 0, "team/app": 1 } as const;
  for (const [repository, at] of Object.entries(places)) {
    await uploads.create(repository.replace("/", "."), repository);
    const [own, other] = at === 0 ? all : all.toReversed();
    expect(await own!.stores.uploads.ids()).toContain(repository.replace("/", "."));
    expect(await other!.stores.uploads.ids()).not.toContain(repository.replace("/", "."));
  }
  expect((await uploads.ids()).toSorted()).toEqual(["base.app", "team.app"]);
  // Whoever knows the id alone finds it, wherever it lies.
  for (const id of ["base.app", "team.app"]) {
    const upload = await uploads.hold(id, null);
    if (upload === null || upload === "busy") throw new Error(`${id} is ${upload ?? "absent"}`);
    await upload.append(bytesSource(sample(3)), unlimited);
    expect(await uploads.hold(id, null)).toBe("busy");
    expect(await uploads.stat(id, null)).toMatchObject({ sizeBytes: 3 });
    await upload.discard();
    await upload.close();
  }
  expect(await uploads.hold("base.app", "team/app")).toBeNull();
  await uploads.create("one", "team/app");
  await using upload = await held(uploads, "one");
  await upload.discard();
  await two.close();
});

test("damaged content of one name is kept by both stores, and goes one by one", async () => {
  const two = await openTwo(["files", "files"]);
  const { blobs, underLock } = openByPath(two.openPlaces());
  const bytes = sample(10);
  const digest = digestOf("sha256", bytes);
  const name = `${digest}.2026-01-01T00:00:00.000Z`;
  for (const repository of ["base/app", "team/app"]) {
    await blobs.put(repository, digest, bytes);
    const { stamp } = (await blobs.lookAt(repository, digest))!;
    expect(underLock.quarantine(repository, digest, { stamp, name })).toBe(name);
  }
  expect(await blobs.kept()).toEqual([
    { name, sizeBytes: 10 },
    { name, sizeBytes: 10 },
  ]);
  for (const repository of ["base/app", "team/app"]) {
    expect(await blobs.copyBack(name, repository, digest)).toBe(true);
  }
  for (const removed of [true, true, false]) expect(await blobs.removeKept(name)).toBe(removed);
  await two.close();
});
