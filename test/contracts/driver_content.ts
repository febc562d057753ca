// Content under keys: what is absent, what is replaced in one step, linked, listed and removed.

import { expect, test } from "bun:test";
import type { OpenEmptyDriver } from "./driver_samples.ts";
import { sample } from "./driver_samples.ts";
import { reasonOf } from "../reason_of.ts";

const key = "team/app/blobs/sha256/one";
const other = "team/other/blobs/sha256/one";

export function testContent(open: OpenEmptyDriver): void {
  test("what is absent is null, false or empty, and never an error", async () => {
    await using opened = await open();
    const { driver } = opened;
    expect(await driver.stat(key)).toBeNull();
    expect(driver.sizeNow(key)).toBeNull();
    expect(await driver.read(key, 100)).toBeNull();
    expect(driver.readNow(key)).toBeNull();
    expect(await driver.link(key, other)).toBe(false);
    expect(await driver.copy(key, other)).toBe(false);
    expect(await driver.remove(key)).toBe(false);
    expect(await driver.flush(key)).toBe(false);
    driver.removeNow(key);
    expect(await driver.list("team/app")).toEqual([]);
    expect(await driver.stat(other)).toBeNull();
  });

  for (const length of [0, 1, 4096, 1_000_001]) {
    test(`${length} bytes: read back as they were put, whole and in ranges`, async () => {
      await using opened = await open();
      const { driver } = opened;
      const bytes = sample(length);
      const stamp = await driver.replace(key, bytes);
      expect(await driver.stat(key)).toMatchObject({ sizeBytes: length, stamp });
      expect(await driver.flush(key)).toBe(true);
      expect(driver.sizeNow(key)).not.toBeNull();
      expect(await driver.read(key, length)).toEqual(bytes);
      expect(new Uint8Array(driver.readNow(key) ?? [1])).toEqual(bytes);
      expect(await driver.content(key, null).bytes()).toEqual(bytes);
      if (length < 2) return;
      for (const [first, last] of [
        [0, 0],
        [0, length - 1],
        [1, length - 2],
        [length - 1, length - 1],
      ] as const) {
        const part = driver.content(key, { first, last });
        expect(part.size).toBe(last - first + 1);
        expect(await part.bytes()).toEqual(bytes.slice(first, last + 1));
      }
    });
  }

  test("more than the reader wants is an error, not a shorter answer", async () => {
    await using opened = await open();
    await opened.driver.replace(key, sample(11));
    expect(String(await reasonOf(opened.driver.read(key, 10)))).toContain("11 bytes");
  });

  test("every replacement has a stamp of its own, also of equal bytes in the same moment", async () => {
    await using opened = await open();
    const { driver } = opened;
    let before: string | null = null;
    for (let index = 0; index < 40; index += 1) {
      const stamp = await driver.replace(key, sample(100));
      expect(stamp).not.toBe(before ?? "");
      expect((await driver.stat(key))?.stamp).toBe(stamp);
      before = stamp;
    }
  });

  test("a replacement is seen whole or not at all", async () => {
    await using opened = await open();
    const { driver } = opened;
    const versions = [sample(300_000, 1), sample(200_000, 2)];
    const equal = (bytes: Uint8Array | null) =>
      versions.some((version) => bytes !== null && Bun.deepEquals(new Uint8Array(bytes), version));
    await driver.replace(key, versions[0]!);
    const progress = { writing: true };
    const written = (async () => {
      for (let index = 0; index < 20; index += 1) await driver.replace(key, versions[index % 2]!);
      progress.writing = false;
    })();
    let reads = 0;
    while (progress.writing) {
      expect(equal(driver.readNow(key))).toBe(true);
      expect(equal(await driver.read(key, 300_000))).toBe(true);
      reads += 1;
    }
    await written;
    expect(reads).toBeGreaterThan(0);
  });

  test("`planned` learns the stamp before anybody sees the content", async () => {
    await using opened = await open();
    const { driver } = opened;
    await driver.replace(key, sample(10, 1));
    const before = await driver.stat(key);
    const seen: unknown[] = [];
    const stamp = await driver.replace(key, sample(10, 2), async (planned) => {
      seen.push(planned, await driver.stat(key), await driver.read(key, 10));
    });
    expect(seen).toEqual([stamp, before, sample(10, 1)]);
    expect(await driver.stat(key)).toMatchObject({ sizeBytes: 10, stamp });
    expect(await driver.read(key, 10)).toEqual(sample(10, 2));
  });

  test("a plan that is refused leaves what stood there", async () => {
    await using opened = await open();
    const { driver } = opened;
    const refusal = new Error("not now");
    const refused = (at: string) => driver.replace(at, sample(9), () => Promise.reject(refusal));
    expect(await reasonOf(refused(key))).toBe(refusal);
    expect(await driver.stat(key)).toBeNull();
    await driver.replace(key, sample(10));
    const before = await driver.stat(key);
    expect(await reasonOf(refused(key))).toBe(refusal);
    expect(await driver.stat(key)).toEqual(before);
  });

  test("linked content is the same, and outlives its source", async () => {
    await using opened = await open();
    const { driver } = opened;
    await driver.replace(key, sample(1000));
    expect(await driver.link(key, other)).toBe(true);
    expect(await driver.link(key, other)).toBe(true);
    expect(await driver.link(key, key)).toBe(true);
    expect(await driver.read(other, 1000)).toEqual(sample(1000));
    expect(await driver.remove(key)).toBe(true);
    expect(await driver.read(other, 1000)).toEqual(sample(1000));
    // And replacing one name leaves the other.
    expect(await driver.link(other, key)).toBe(true);
    await driver.replace(other, sample(5));
    expect(await driver.read(key, 1000)).toEqual(sample(1000));
  });

  for (const length of [0, 1, 300_000, 1_000_001]) {
    test(`a copy of ${length} bytes is the same, takes the place of other content, and is on its own`, async () => {
      await using opened = await open();
      const { driver } = opened;
      await driver.replace(key, sample(length));
      await driver.replace(other, sample(10, 2));
      for (let round = 0; round < 2; round += 1) {
        expect(await driver.copy(key, other)).toBe(true);
        expect(await driver.read(other, length)).toEqual(sample(length));
      }
      const [one, two] = [await driver.stat(key), await driver.stat(other)];
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
      const { driver } = opened;
      await driver.replace(key, sample(1000));
      await driver.replace(other, damaged);
      expect(await driver.link(key, other)).toBe(true);
      expect(await driver.read(other, 1000)).toEqual(sample(1000));
      expect(await driver.read(key, 1000)).toEqual(sample(1000));
    });
  }

  test("removed content is gone at once, and its neighbours stay", async () => {
    await using opened = await open();
    const { driver } = opened;
    await driver.replace(key, sample(10));
    await driver.replace(other, sample(10));
    expect(await driver.remove(key)).toBe(true);
    expect(await driver.remove(key)).toBe(false);
    expect(driver.sizeNow(key)).toBeNull();
    driver.removeNow(other);
    expect(driver.sizeNow(other)).toBeNull();
    await driver.replace(key, sample(3));
    expect(await driver.read(key, 3)).toEqual(sample(3));
  });

  test("a list names what lies directly under a key", async () => {
    await using opened = await open();
    const { driver } = opened;
    for (const name of ["a/one", "a/two", "a/b/three", "a/b/c/four", "ab/five"]) {
      await driver.replace(name, sample(1));
    }
    const listed = async (at: string) =>
      (await driver.list(at)).toSorted((x, y) => (x.name < y.name ? -1 : 1));
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
    const { driver } = opened;
    const bytes = sample(300_000);
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += 70_000) {
        await Promise.resolve();
        yield bytes.subarray(at, at + 70_000);
      }
    }
    await driver.replace(key, pieces());
    expect(await driver.read(key, bytes.length)).toEqual(bytes);
    await driver.replace(key, []);
    expect(await driver.stat(key)).toMatchObject({ sizeBytes: 0 });
    // eslint-disable-next-line require-yield
    async function* broken(): AsyncGenerator<Uint8Array> {
      throw new Error("no more");
    }
    expect(String(await reasonOf(driver.replace(key, broken())))).toContain("no more");
    expect(await driver.stat(key)).toMatchObject({ sizeBytes: 0 });
  });

  test("of many that create one key, one does", async () => {
    await using opened = await open();
    const drivers = [opened.driver, opened.another()];
    const created = await Promise.all(
      Array.from({ length: 20 }, (_, index) => drivers[index % 2]!.create(key, sample(9, index))),
    );
    expect(created.filter(Boolean)).toHaveLength(1);
    expect(await opened.driver.read(key, 9)).toEqual(sample(9, created.indexOf(true)));
    expect(await opened.driver.create(key, sample(1))).toBe(false);
  });

  test("whatever lies under a key can be moved, a directory too", async () => {
    await using opened = await open();
    const { driver } = opened;
    expect(await driver.move(key, other)).toBe(false);
    await driver.replace(key, sample(10));
    await driver.replace("a/index.json/inside", sample(20));
    expect(await driver.move(key, other)).toBe(true);
    expect(await driver.move("a/index.json", "b/moved")).toBe(true);
    expect(await driver.stat(key)).toBeNull();
    expect(await driver.read(other, 10)).toEqual(sample(10));
    expect(await driver.read("b/moved/inside", 20)).toEqual(sample(20));
  });

  for (const count of [1, 40]) {
    test(`${count} keys are flushed at once, also those that are absent`, async () => {
      await using opened = await open();
      const keys = Array.from({ length: count }, (_, index) => `a/${index}`);
      for (const one of keys.slice(1)) await opened.driver.replace(one, sample(10));
      await opened.driver.flushAll(keys);
    });
  }

  test("what lies under a key is told at once", async () => {
    await using opened = await open();
    const { driver } = opened;
    expect(driver.lookNow(key)).toBeNull();
    const stamp = await driver.replace(key, sample(10));
    expect(driver.lookNow(key)).toMatchObject({ sizeBytes: 10, stamp, lying: "file" });
    expect(driver.lookNow("team")).toMatchObject({ lying: "other" });
  });

  test("what one opening put, another sees", async () => {
    await using opened = await open();
    const other = opened.another();
    const stamp = await opened.driver.replace(key, sample(10));
    expect(await other.stat(key)).toMatchObject({ sizeBytes: 10, stamp });
    await other.remove(key);
    expect(await opened.driver.stat(key)).toBeNull();
    await opened.driver.replace(key, sample(20));
    expect(await other.read(key, 20)).toEqual(sample(20));
  });

  test("many puts at once into one new place all arrive", async () => {
    await using opened = await open();
    const drivers = [opened.driver, opened.another()];
    await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        drivers[index % 2]!.replace(`new/place/${index % 7}/${index}`, sample(index, index)),
      ),
    );
    for (let index = 0; index < 60; index += 1) {
      const read = await opened.driver.read(`new/place/${index % 7}/${index}`, 100);
      expect(read).toEqual(sample(index, index));
    }
  });
}
