// Layouts on disk: which directories are repositories, what makes a directory one, and what is kept of an index.json.

import { describe, expect, test } from "bun:test";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { memoryDirectory } from "../../../test/memory_directory.ts";
import { systemClock } from "../../lib/clock.ts";
import { isOciLayout } from "../../oci/layout_index.ts";
import { markerKey } from "../layout.ts";
import { openFilesystem } from "./open_filesystem.ts";

async function openLayouts() {
  const directory = await memoryDirectory("zot-layouts");
  const root = directory.path;
  const stores = openFilesystem({ rootDirectory: root, durable: false, clock: systemClock });
  await stores.prepare();
  return {
    root,
    layouts: stores.layouts,
    put: async (path: string, content: string | Uint8Array = "x") => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), content);
    },
    [Symbol.asyncDispose]: async () => {
      await stores.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

describe("repositories", () => {
  test("are the directories with both files of a layout, whatever else lies about", async () => {
    await using opened = await openLayouts();
    const { put, root, layouts } = opened;
    for (const at of ["a", "a/b", "team/app/deep", "blobs", "a/_blobs", "a/_index.json/x"]) {
      await put(`${at}/oci-layout`);
      await put(`${at}/index.json`);
      await put(`${at}/blobs/sha256/00`);
    }
    for (const noRepository of [
      "only-marker/oci-layout",
      "only-index/index.json",
      "a/.uploads/one/index.json",
      "a/.uploads/one/oci-layout",
      "a/blobs/sha256/oci-layout",
      "a/blobs/sha256/index.json",
      "_trivy/oci-layout",
      "_trivy/index.json",
      "lost+found/index.json",
      "lost+found/oci-layout",
      "Upper/oci-layout",
      "Upper/index.json",
      "oci-layout",
      "index.json",
      "cache.db",
    ]) {
      await put(noRepository);
    }
    await symlink(join(root, "a"), join(root, "link"));
    const found = await Array.fromAsync(layouts.repositories());
    expect(found.toSorted()).toEqual([
      "a",
      "a/b",
      "a/blobs",
      "a/index.json/x",
      "blobs",
      "team/app/deep",
    ]);
  });

  test("are made layouts once, and a marker of another tool stays as it is", async () => {
    await using opened = await openLayouts();
    const { put, root, layouts } = opened;
    await layouts.ensureRepository("team/app");
    expect(isOciLayout(await readFile(join(root, markerKey("team/app")), "utf8"))).toBe(true);
    const theirs = '{ "imageLayoutVersion": "1.0.0" }\n';
    await put(markerKey("theirs"), theirs);
    await layouts.ensureRepository("theirs");
    expect(await readFile(join(root, markerKey("theirs")), "utf8")).toBe(theirs);
  });

  test("tell the names under their blobs, page by page", async () => {
    await using opened = await openLayouts();
    const { put, layouts } = opened;
    await put("a/blobs/sha256/one");
    await put("a/blobs/sha512/two");
    await put("a/blobs/md5/three");
    expect(await Array.fromAsync(layouts.blobNames("a"))).toEqual([
      { algorithm: "sha256", names: ["one"] },
      { algorithm: "sha512", names: ["two"] },
    ]);
    expect(await Array.fromAsync(layouts.blobNames("no/such"))).toEqual([]);
    const many = Array.from({ length: 1_100 }, (_, index) => `${index}`);
    await Promise.all(many.map((name) => put(`many/blobs/sha256/${name}`)));
    const pages = await Array.fromAsync(layouts.blobNames("many"));
    expect(pages.flatMap(({ names }) => names).toSorted()).toEqual(many.toSorted());
    expect(pages.length).toBeGreaterThan(1);
  });

  test("tell a directory of blobs that cannot be read, and pass over it", async () => {
    await using opened = await openLayouts();
    const { put, layouts } = opened;
    await put("a/blobs/sha256"); // A file where the directory should be.
    await put("a/blobs/sha512/two");
    const told: string[] = [];
    const pages = layouts.blobNames("a", (key, error) => void told.push(`${key} ${String(error)}`));
    expect(await Array.fromAsync(pages)).toEqual([{ algorithm: "sha512", names: ["two"] }]);
    expect(told).toEqual([expect.stringContaining("a/blobs/sha256 Error: ENOTDIR") as string]);
  });
});

test("an index.json that is set aside is kept as it was, each time under a name of its own", async () => {
  await using opened = await openLayouts();
  const { root, layouts } = opened;
  const long = `${"a".repeat(250)}/b`;
  const put = (at: string, text: string): Promise<string> =>
    layouts.writeIndex(
      at,
      () => [text],
      () => Promise.resolve(),
    );
  const kept: string[] = [];
  for (const [at, text, time] of [
    ["team/app", "one", 1],
    ["team/app", "two", 2],
    [long, "three", 2],
  ] as const) {
    await put(at, text);
    kept.push(await layouts.quarantineIndex(at, "copy", time));
    expect(await layouts.indexStamp(at)).not.toBeNull();
  }
  kept.push(await layouts.quarantineIndex("team/app", "move", 3));
  expect(await layouts.indexStamp("team/app")).toBeNull();
  const texts = await Promise.all(kept.map((key) => readFile(join(root, key), "utf8")));
  expect(texts).toEqual(["one", "two", "three", "two"]);
});
