// Layouts on disk: which directories are repositories, what makes a directory one, and manifests' bytes.

import { describe, expect, test } from "bun:test";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { sample } from "../../test/contracts/driver_samples.ts";
import { memoryDirectory } from "../../test/memory_directory.ts";
import { systemClock } from "../lib/clock.ts";
import { digestOf } from "../oci/digest.ts";
import { isOciLayout } from "../oci/layout_index.ts";
import { FilesystemDriver } from "./drivers/filesystem.ts";
import { blobKey, markerKey } from "./layout.ts";
import { Storage } from "./storage.ts";

async function openStorage() {
  const directory = await memoryDirectory("zot-storage");
  const root = directory.path;
  const driver = new FilesystemDriver({ rootDirectory: root, durable: false, clock: systemClock });
  await driver.prepare();
  return {
    root,
    storage: new Storage(driver),
    put: async (path: string, content: string | Uint8Array = "x") => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), content);
    },
    [Symbol.asyncDispose]: async () => {
      await driver.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

describe("repositories", () => {
  test("are the directories with both files of a layout, whatever else lies about", async () => {
    await using opened = await openStorage();
    const { put, root, storage } = opened;
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
    const found = await Array.fromAsync(storage.repositories());
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
    await using opened = await openStorage();
    const { put, root, storage } = opened;
    await storage.ensureRepository("team/app");
    expect(isOciLayout(await readFile(join(root, markerKey("team/app")), "utf8"))).toBe(true);
    const theirs = '{ "imageLayoutVersion": "1.0.0" }\n';
    await put(markerKey("theirs"), theirs);
    await storage.ensureRepository("theirs");
    expect(await readFile(join(root, markerKey("theirs")), "utf8")).toBe(theirs);
  });

  test("tell the names under their blobs, page by page", async () => {
    await using opened = await openStorage();
    const { put, storage } = opened;
    await put("a/blobs/sha256/one");
    await put("a/blobs/sha512/two");
    await put("a/blobs/md5/three");
    expect(await Array.fromAsync(storage.blobNames("a"))).toEqual([
      { algorithm: "sha256", names: ["one"] },
      { algorithm: "sha512", names: ["two"] },
    ]);
    expect(await Array.fromAsync(storage.blobNames("no/such"))).toEqual([]);
    const many = Array.from({ length: 1_100 }, (_, index) => `${index}`);
    await Promise.all(many.map((name) => put(`many/blobs/sha256/${name}`)));
    const pages = await Array.fromAsync(storage.blobNames("many"));
    expect(pages.flatMap(({ names }) => names).toSorted()).toEqual(many.toSorted());
    expect(pages.length).toBeGreaterThan(1);
  });

  test("tell a directory of blobs that cannot be read, and pass over it", async () => {
    await using opened = await openStorage();
    const { put, storage } = opened;
    await put("a/blobs/sha256"); // A file where the directory should be.
    await put("a/blobs/sha512/two");
    const told: string[] = [];
    const pages = storage.blobNames("a", (key, error) => void told.push(`${key} ${String(error)}`));
    expect(await Array.fromAsync(pages)).toEqual([{ algorithm: "sha512", names: ["two"] }]);
    expect(told).toEqual([expect.stringContaining("a/blobs/sha256 Error: ENOTDIR") as string]);
  });
});

describe("a manifest's bytes", () => {
  const bytes = sample(500);
  const digest = digestOf("sha256", bytes);
  const standing = {
    nothing: null,
    "the same": bytes,
    "others of the same length": sample(500, 2),
    fewer: bytes.slice(1),
    none: new Uint8Array(),
  };
  for (const [says, stood] of Object.entries(standing)) {
    test(`are put where ${says} stood`, async () => {
      await using opened = await openStorage();
      const { put, storage } = opened;
      if (stood !== null) await put(blobKey("a", digest), stood);
      await storage.putBlob("a", digest, bytes);
      expect(await storage.readBlob("a", digest, 500)).toEqual(bytes);
      expect(storage.hasBlobNow("a", digest)).toBe(true);
      expect(await storage.readBlob("b", digest, 500)).toBeNull();
    });
  }
});

test("an index.json that is set aside is kept as it was, each time under a name of its own", async () => {
  await using opened = await openStorage();
  const { root, storage } = opened;
  const long = `${"a".repeat(250)}/b`;
  const put = (at: string, text: string): Promise<string> =>
    storage.writeIndex(
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
    kept.push(await storage.quarantineIndex(at, "copy", time));
    expect(await storage.indexStamp(at)).not.toBeNull();
  }
  kept.push(await storage.quarantineIndex("team/app", "move", 3));
  expect(await storage.indexStamp("team/app")).toBeNull();
  const texts = await Promise.all(kept.map((key) => readFile(join(root, key), "utf8")));
  expect(texts).toEqual(["one", "two", "three", "two"]);
});
