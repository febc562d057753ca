// What a directory of layouts must do, with whatever other tools put there: `src/storage/layout_directory.ts`.

import { describe, expect, test } from "bun:test";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import { blobKey, indexKey, markerKey } from "../../src/storage/layout.ts";
import type { LayoutDirectory } from "../../src/storage/layout_directory.ts";
import { reasonOf } from "../reason_of.ts";
import { sample } from "./store_samples.ts";

export interface OpenLayouts extends AsyncDisposable {
  readonly layouts: LayoutDirectory;
  /** The directory, where other tools write. */
  readonly root: string;
}

export function layoutDirectoryContract(name: string, openEmpty: () => Promise<OpenLayouts>): void {
  const open = async () => {
    const opened = await openEmpty();
    const put = async (path: string, content: string | Uint8Array = "x"): Promise<void> => {
      await mkdir(dirname(join(opened.root, path)), { recursive: true });
      await writeFile(join(opened.root, path), content);
    };
    return { ...opened, put };
  };
  describe(`${name}: repositories`, () => testRepositories(open));
  describe(`${name}: index.json`, () => testIndex(open));
  describe(`${name}: loose files`, () => testLooseFiles(open));
}

type Open = () => Promise<
  OpenLayouts & { put: (path: string, content?: string | Uint8Array) => Promise<void> }
>;

function testRepositories(open: Open): void {
  test("are the directories with both files of a layout, whatever else lies about", async () => {
    await using opened = await open();
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

  test("tell the names under their blobs, page by page", async () => {
    await using opened = await open();
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
    await using opened = await open();
    const { put, layouts } = opened;
    await put("a/blobs/sha256"); // A file where the directory should be.
    await put("a/blobs/sha512/two");
    const told: string[] = [];
    const pages = layouts.blobNames("a", (key, error) => void told.push(`${key} ${String(error)}`));
    expect(await Array.fromAsync(pages)).toEqual([{ algorithm: "sha512", names: ["two"] }]);
    expect(told).toEqual([expect.stringContaining("a/blobs/sha256 Error: ENOTDIR") as string]);
  });
}

function testIndex(open: Open): void {
  test("an index.json that is set aside is kept as it was, each time under a name of its own", async () => {
    await using opened = await open();
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

  test("an index.json is replaced in one step, and its stamp is known before anybody sees it", async () => {
    await using opened = await open();
    const { layouts, root } = opened;
    expect(await layouts.indexStamp("a")).toBeNull();
    expect(await layouts.openIndex("a")).toBeNull();
    const text = () => ["one ", "text"];
    let seen: unknown = null;
    const stamp = await layouts.writeIndex("a", text, async (planned) => {
      seen = [planned, await layouts.indexStamp("a")];
    });
    expect(seen).toEqual([stamp, null]);
    expect(await layouts.indexStamp("a")).toBe(stamp);
    const refusal = new Error("not now");
    const refused = layouts.writeIndex(
      "a",
      () => ["other"],
      () => Promise.reject(refusal),
    );
    expect(await reasonOf(refused)).toBe(refusal);
    const index = await layouts.openIndex("a");
    expect(index).toMatchObject({ stamp, sizeBytes: 8, lying: "file" });
    for (let round = 0; round < 2; round += 1) {
      const pieces = await Array.fromAsync(index!.pieces());
      expect(Buffer.concat(pieces).toString()).toBe("one text");
    }
    // The marker is there with it, and again where it was taken away.
    expect(await layouts.adoptMarker("a")).toContain("imageLayoutVersion");
    expect(await readFile(join(root, indexKey("a")), "utf8")).toBe("one text");
  });

  test("what stands in the place of an index.json or a marker is told, never an error", async () => {
    await using opened = await open();
    const { layouts, put, root } = opened;
    await put(`${indexKey("a")}/inside`);
    expect(await layouts.openIndex("a")).toMatchObject({ lying: "other" });
    await put(`${markerKey("a")}/inside`);
    expect(await layouts.adoptMarker("a")).toBeNull();
    expect(await layouts.adoptMarker("b")).toBeNull();
    await put("real.json", "text");
    await mkdir(join(root, "b"));
    await symlink(join(root, "real.json"), join(root, indexKey("b")));
    expect(await layouts.openIndex("b")).toMatchObject({ lying: "link", sizeBytes: 4 });
    expect(layouts.hasEmptyIndex("b")).toBe(false);
  });
}

function testLooseFiles(open: Open): void {
  const bytes = sample(5000);
  const digest = digestOf("sha256", bytes);
  const key = blobKey("a", digest);

  test("are looked at and read as they lie", async () => {
    await using opened = await open();
    const { layouts, put } = opened;
    expect(await layouts.hasBlobs("a")).toBe(false);
    expect(layouts.hasBlob("a", digest)).toBe(false);
    expect(layouts.lookAtBlob("a", digest)).toBeNull();
    expect(await layouts.readBlob("a", digest, 5000)).toBeNull();
    expect(await layouts.replaceLink("a", digest)).toBe(false);
    await put(key, bytes);
    expect(await layouts.hasBlobs("a")).toBe(true);
    expect(layouts.hasBlob("a", digest)).toBe(true);
    expect(layouts.lookAtBlob("a", digest)).toMatchObject({ sizeBytes: 5000, lying: "file" });
    expect(new Uint8Array((await layouts.readBlob("a", digest, 5000))!)).toEqual(bytes);
    expect(String(await reasonOf(layouts.readBlob("a", digest, 4999)))).toContain("5000 bytes");
    const pieces = await Array.fromAsync(layouts.blobPieces("a", digest));
    expect(new Uint8Array(Buffer.concat(pieces))).toEqual(bytes);
    await layouts.flushBlobs("a", [digest, digestOf("sha256", sample(1))]);
    const before = layouts.lookAtBlob("a", digest)?.stamp ?? "";
    await put(key, sample(5001));
    expect(layouts.lookAtBlob("a", digest)?.stamp).not.toBe(before);
  });

  test("a symbolic link becomes a file with what it leads to, which stays", async () => {
    await using opened = await open();
    const { layouts, put, root } = opened;
    await put("theirs", bytes);
    await mkdir(dirname(join(root, key)), { recursive: true });
    await symlink(join(root, "theirs"), join(root, key));
    expect(layouts.lookAtBlob("a", digest)).toMatchObject({ lying: "link" });
    expect(await layouts.replaceLink("a", digest)).toBe(true);
    expect(layouts.lookAtBlob("a", digest)).toMatchObject({ lying: "file", sizeBytes: 5000 });
    await put("theirs", "other");
    expect(new Uint8Array((await layouts.readBlob("a", digest, 5000))!)).toEqual(bytes);
  });
}
