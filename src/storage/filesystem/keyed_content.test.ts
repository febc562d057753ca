// Files under keys: what is absent, what is replaced in one step, linked, listed and removed, flushed and not.

import { describe, expect, test } from "bun:test";
import { setImmediate } from "node:timers/promises";
import { sample } from "../../../test/contracts/store_samples.ts";
import { memoryDirectory } from "../../../test/memory_directory.ts";
import { reasonOf } from "../../../test/reason_of.ts";
import { systemClock } from "../../lib/clock.ts";
import { digestOf } from "../../oci/digest.ts";
import { HashThread } from "./hash_thread.ts";
import { KeyedFiles } from "./keyed_files.ts";

const key = "team/app/blobs/sha256/one";
const other = "team/other/blobs/sha256/one";

for (const durable of [true, false]) {
  describe(durable ? "durable files" : "files that are not flushed", () => {
    testContent(() => openFiles(durable));
  });
}

async function openFiles(durable: boolean) {
  const directory = await memoryDirectory("zot-files");
  const hashes = new HashThread();
  const options = { rootDirectory: directory.path, durable, clock: systemClock };
  const files = new KeyedFiles(options, hashes);
  await files.prepare();
  return {
    files,
    another: () => new KeyedFiles(options, hashes),
    [Symbol.asyncDispose]: async () => {
      const left = await files.sweepTemporary(Number.NEGATIVE_INFINITY);
      hashes.close();
      await directory[Symbol.asyncDispose]();
      expect({ temporaryFilesLeft: left }).toEqual({ temporaryFilesLeft: 0 });
    },
  };
}

function testContent(open: () => ReturnType<typeof openFiles>): void {
  test("what is absent is null, false or empty, and never an error", async () => {
    await using opened = await open();
    const { files } = opened;
    expect(await files.stat(key)).toBeNull();
    expect(files.sizeNow(key)).toBeNull();
    expect(await files.read(key, 100)).toBeNull();
    expect(files.readNow(key)).toBeNull();
    expect(await files.link(key, other)).toBe(false);
    expect(await files.copy(key, other, digestOf("sha256", sample(1)))).toBe(false);
    expect(await files.remove(key)).toBe(false);
    expect(await files.flush(key)).toBe(false);
    files.removeNow(key);
    expect(await files.list("team/app")).toEqual([]);
    expect(await files.stat(other)).toBeNull();
  });

  for (const length of [0, 1, 4096, 1_000_001]) {
    test(`${length} bytes: read back as they were put, whole and in ranges`, async () => {
      await using opened = await open();
      const { files } = opened;
      const bytes = sample(length);
      const stamp = await files.replace(key, bytes);
      expect(await files.stat(key)).toMatchObject({ sizeBytes: length, stamp });
      expect(await files.flush(key)).toBe(true);
      expect(files.sizeNow(key)).not.toBeNull();
      expect(await files.read(key, length)).toEqual(bytes);
      expect(new Uint8Array(files.readNow(key) ?? [1])).toEqual(bytes);
      expect(await files.content(key, null).bytes()).toEqual(bytes);
      if (length < 2) return;
      for (const [first, last] of [
        [0, 0],
        [0, length - 1],
        [1, length - 2],
        [length - 1, length - 1],
      ] as const) {
        const part = files.content(key, { first, last });
        expect(part.size).toBe(last - first + 1);
        expect(await part.bytes()).toEqual(bytes.slice(first, last + 1));
      }
    });
  }

  test("more than the reader wants is an error, not a shorter answer", async () => {
    await using opened = await open();
    await opened.files.replace(key, sample(11));
    expect(String(await reasonOf(opened.files.read(key, 10)))).toContain("11 bytes");
  });

  test("every replacement has a stamp of its own, also of equal bytes in the same moment", async () => {
    await using opened = await open();
    const { files } = opened;
    let before: string | null = null;
    for (let index = 0; index < 40; index += 1) {
      const stamp = await files.replace(key, sample(100));
      expect(stamp).not.toBe(before ?? "");
      expect((await files.stat(key))?.stamp).toBe(stamp);
      before = stamp;
    }
  });

  test("a replacement is seen whole or not at all", async () => {
    await using opened = await open();
    const { files } = opened;
    const versions = [sample(300_000, 1), sample(200_000, 2)];
    const equal = (bytes: Uint8Array | null) =>
      versions.some((version) => bytes !== null && Bun.deepEquals(new Uint8Array(bytes), version));
    await files.replace(key, versions[0]!);
    const progress = { writing: true };
    const written = (async () => {
      for (let index = 0; index < 20; index += 1) await files.replace(key, versions[index % 2]!);
      progress.writing = false;
    })();
    let reads = 0;
    while (progress.writing) {
      expect(equal(files.readNow(key))).toBe(true);
      expect(equal(await files.read(key, 300_000))).toBe(true);
      reads += 1;
      // Small content is read at once: without a turn of the event loop the writer would never go on.
      await setImmediate();
    }
    await written;
    expect(reads).toBeGreaterThan(0);
  });

  test("`planned` learns the stamp before anybody sees the content", async () => {
    await using opened = await open();
    const { files } = opened;
    await files.replace(key, sample(10, 1));
    const before = await files.stat(key);
    const seen: unknown[] = [];
    const stamp = await files.replace(key, sample(10, 2), async (planned) => {
      seen.push(planned, await files.stat(key), await files.read(key, 10));
    });
    expect(seen).toEqual([stamp, before, sample(10, 1)]);
    expect(await files.stat(key)).toMatchObject({ sizeBytes: 10, stamp });
    expect(await files.read(key, 10)).toEqual(sample(10, 2));
  });

  test("a plan that is refused leaves what stood there", async () => {
    await using opened = await open();
    const { files } = opened;
    const refusal = new Error("not now");
    const refused = (at: string) => files.replace(at, sample(9), () => Promise.reject(refusal));
    expect(await reasonOf(refused(key))).toBe(refusal);
    expect(await files.stat(key)).toBeNull();
    await files.replace(key, sample(10));
    const before = await files.stat(key);
    expect(await reasonOf(refused(key))).toBe(refusal);
    expect(await files.stat(key)).toEqual(before);
  });

  test("linked content is the same, and outlives its source", async () => {
    await using opened = await open();
    const { files } = opened;
    await files.replace(key, sample(1000));
    expect(await files.link(key, other)).toBe(true);
    expect(await files.link(key, other)).toBe(true);
    expect(await files.link(key, key)).toBe(true);
    expect(await files.read(other, 1000)).toEqual(sample(1000));
    expect(await files.remove(key)).toBe(true);
    expect(await files.read(other, 1000)).toEqual(sample(1000));
    // And replacing one name leaves the other.
    expect(await files.link(other, key)).toBe(true);
    await files.replace(other, sample(5));
    expect(await files.read(key, 1000)).toEqual(sample(1000));
  });

  for (const length of [0, 1, 300_000, 1_000_001]) {
    test(`a copy of ${length} bytes is the same, takes the place of other content, and is on its own`, async () => {
      await using opened = await open();
      const { files } = opened;
      await files.replace(key, sample(length));
      await files.replace(other, sample(10, 2));
      for (let round = 0; round < 2; round += 1) {
        const digest = digestOf("sha256", sample(length));
        expect(await files.copy(key, other, digest)).toBe(true);
        expect(await files.read(other, length)).toEqual(sample(length));
      }
      expect(await files.copy(key, other, digestOf("sha256", sample(9, 3)))).toBe(false);
      expect(await files.read(other, length)).toEqual(sample(length));
      const [one, two] = [await files.stat(key), await files.stat(other)];
      expect(one?.stamp).not.toBe(two?.stamp ?? "");
    });
  }

  for (const [says, damaged] of [
    ["of the same size", sample(1000, 2)],
    ["that is shorter", sample(10, 2)],
    ["that is empty", new Uint8Array()],
  ] as const) {
    test(`a link takes the place of other content ${says}`, async () => {
      await using opened = await open();
      const { files } = opened;
      await files.replace(key, sample(1000));
      await files.replace(other, damaged);
      expect(await files.link(key, other)).toBe(true);
      expect(await files.read(other, 1000)).toEqual(sample(1000));
      expect(await files.read(key, 1000)).toEqual(sample(1000));
    });
  }

  test("removed content is gone at once, and its neighbours stay", async () => {
    await using opened = await open();
    const { files } = opened;
    await files.replace(key, sample(10));
    await files.replace(other, sample(10));
    expect(await files.remove(key)).toBe(true);
    expect(await files.remove(key)).toBe(false);
    expect(files.sizeNow(key)).toBeNull();
    files.removeNow(other);
    expect(files.sizeNow(other)).toBeNull();
    await files.replace(key, sample(3));
    expect(await files.read(key, 3)).toEqual(sample(3));
  });

  test("a list names what lies directly under a key", async () => {
    await using opened = await open();
    const { files } = opened;
    for (const name of ["a/one", "a/two", "a/b/three", "a/b/c/four", "ab/five"]) {
      await files.replace(name, sample(1));
    }
    const listed = async (at: string) =>
      (await files.list(at)).toSorted((x, y) => (x.name < y.name ? -1 : 1));
    expect(await listed("a")).toEqual([
      { name: "b", directory: true },
      { name: "one", directory: false },
      { name: "two", directory: false },
    ]);
    expect(await listed("a/b")).toEqual([
      { name: "c", directory: true },
      { name: "three", directory: false },
    ]);
    expect((await listed("")).map(({ name }) => name)).toEqual(
      expect.arrayContaining(["a", "ab"]) as unknown as string[],
    );
  });

  test("what comes in pieces is put whole", async () => {
    await using opened = await open();
    const { files } = opened;
    const bytes = sample(300_000);
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += 70_000) {
        await Promise.resolve();
        yield bytes.subarray(at, at + 70_000);
      }
    }
    await files.replace(key, pieces());
    expect(await files.read(key, bytes.length)).toEqual(bytes);
    await files.replace(key, []);
    expect(await files.stat(key)).toMatchObject({ sizeBytes: 0 });
    // eslint-disable-next-line require-yield
    async function* broken(): AsyncGenerator<Uint8Array> {
      throw new Error("no more");
    }
    expect(String(await reasonOf(files.replace(key, broken())))).toContain("no more");
    expect(await files.stat(key)).toMatchObject({ sizeBytes: 0 });
  });

  test("of many that create one key, one does", async () => {
    await using opened = await open();
    const openings = [opened.files, opened.another()];
    const created = await Promise.all(
      Array.from({ length: 20 }, (_, index) => openings[index % 2]!.create(key, sample(9, index))),
    );
    expect(created.filter(Boolean)).toHaveLength(1);
    expect(await opened.files.read(key, 9)).toEqual(sample(9, created.indexOf(true)));
    expect(await opened.files.create(key, sample(1))).toBe(false);
  });

  test("whatever lies under a key can be moved, a directory too", async () => {
    await using opened = await open();
    const { files } = opened;
    expect(await files.move(key, other)).toBe(false);
    await files.replace(key, sample(10));
    await files.replace("a/index.json/inside", sample(20));
    expect(await files.move(key, other)).toBe(true);
    expect(await files.move("a/index.json", "b/moved")).toBe(true);
    expect(await files.stat(key)).toBeNull();
    expect(await files.read(other, 10)).toEqual(sample(10));
    expect(await files.read("b/moved/inside", 20)).toEqual(sample(20));
  });

  for (const count of [1, 40]) {
    test(`${count} keys are flushed at once, also those that are absent`, async () => {
      await using opened = await open();
      const keys = Array.from({ length: count }, (_, index) => `a/${index}`);
      for (const one of keys.slice(1)) await opened.files.replace(one, sample(10));
      await opened.files.flushAll(keys);
    });
  }

  test("what lies under a key is told at once", async () => {
    await using opened = await open();
    const { files } = opened;
    expect(files.lookNow(key)).toBeNull();
    const stamp = await files.replace(key, sample(10));
    expect(files.lookNow(key)).toMatchObject({ sizeBytes: 10, stamp, lying: "file" });
    expect(files.lookNow("team")).toMatchObject({ lying: "other" });
  });

  test("what one opening put, another sees", async () => {
    await using opened = await open();
    const other = opened.another();
    const stamp = await opened.files.replace(key, sample(10));
    expect(await other.stat(key)).toMatchObject({ sizeBytes: 10, stamp });
    await other.remove(key);
    expect(await opened.files.stat(key)).toBeNull();
    await opened.files.replace(key, sample(20));
    expect(await other.read(key, 20)).toEqual(sample(20));
  });

  test("many puts at once into one new place all arrive", async () => {
    await using opened = await open();
    const openings = [opened.files, opened.another()];
    await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        openings[index % 2]!.replace(`new/place/${index % 7}/${index}`, sample(index, index)),
      ),
    );
    for (let index = 0; index < 60; index += 1) {
      const read = await opened.files.read(`new/place/${index % 7}/${index}`, 100);
      expect(read).toEqual(sample(index, index));
    }
  });
}
