// What every store of objects must do: the contract of `src/storage/objects/object_store.ts` as a group of tests.
//
// An implementation's own test file calls `objectStoreContract` with a way to open it where nothing is. What only one
// of them has (signatures, errors of its own, credentials) is tested beside it.

import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ObjectStore, ObjectStoreRefused } from "../../src/storage/objects/object_store.ts";
import { reasonOf } from "../reason_of.ts";
import { tempDirectory } from "../temp.ts";
import { sample } from "./store_samples.ts";

export interface OpenObjects extends AsyncDisposable {
  readonly store: ObjectStore;
}

/** `ca`: of the certificate that signed URLs are answered with, where it is one of the test's own. */
export function objectStoreContract(
  name: string,
  open: () => Promise<OpenObjects>,
  ca?: () => Promise<string>,
): void {
  describe(`${name}: objects`, () => testObjects(open));
  describe(`${name}: parts`, () => testParts(open));
  describe(`${name}: lists`, () => testLists(open));
  describe(`${name}: URLs`, () => testUrls(open, ca));
}

type Open = () => Promise<OpenObjects>;

const key = "objects/0f/0f0e0d0c0b0a09080706050403020100";

async function read(store: ObjectStore, at: string, range?: readonly [number, number]) {
  const wanted = range === undefined ? null : { first: range[0], last: range[1] };
  const stream = await store.get(at, wanted);
  return stream === null ? null : new Uint8Array(Buffer.concat(await Array.fromAsync(stream)));
}

function testObjects(open: Open): void {
  test("what is absent is null, and removing it is fine", async () => {
    await using opened = await open();
    const { store } = opened;
    expect(await store.size(key)).toBeNull();
    expect(await read(store, key)).toBeNull();
    expect(await read(store, key, [0, 1])).toBeNull();
    await store.remove(key);
    await store.abortParts(key, { upload: "none" });
  });

  for (const length of [0, 1, 1000, 3_000_001]) {
    test(`${length} bytes are given back as they were put, whole and in ranges`, async () => {
      await using opened = await open();
      const { store } = opened;
      const bytes = sample(length);
      await store.put(key, bytes);
      expect(await store.size(key)).toBe(length);
      expect(await read(store, key)).toEqual(bytes);
      if (length < 2) return;
      for (const range of [
        [0, 0],
        [0, length - 1],
        [1, length - 2],
        [length - 1, length - 1],
      ] as const) {
        expect(await read(store, key, range)).toEqual(bytes.slice(range[0], range[1] + 1));
      }
      await store.remove(key);
      expect(await store.size(key)).toBeNull();
    });
  }

  test("a slice of a file is put as it lies in the file, an empty one, too", async () => {
    await using opened = await open();
    const { store } = opened;
    await using directory = await tempDirectory();
    const path = join(directory.path, "file");
    const bytes = sample(100_000);
    await writeFile(path, bytes);
    await store.put(key, Bun.file(path).slice(1000, 99_000));
    expect(await read(store, key)).toEqual(bytes.slice(1000, 99_000));
    await store.put(`${key}-empty`, Bun.file(path).slice(10, 10));
    expect(await store.size(`${key}-empty`)).toBe(0);
  });

  test("bytes that look compressed come as they are", async () => {
    await using opened = await open();
    const bytes = Bun.gzipSync(sample(10_000));
    await opened.store.put(key, bytes);
    expect(await read(opened.store, key)).toEqual(bytes);
  });

  test("keys may have whatever is legal in one", async () => {
    await using opened = await open();
    const { store } = opened;
    const legal = "-_.!~*'()&$@=;:+, %/ö日😀/a%2Fb?x=1#y";
    for (const [index, part] of legal.split("/").entries()) {
      const at = `legal/${index}/${part}`;
      const bytes = sample(10, index);
      await store.put(at, bytes);
      expect(await store.size(at)).toBe(10);
      expect(await read(store, at)).toEqual(bytes);
      const { objects } = await store.list(`legal/${index}/`, null);
      expect(objects.map((each) => each.key)).toEqual([at]);
      await store.remove(at);
      expect(await store.size(at)).toBeNull();
    }
  });

  test("a reader that goes away early takes nothing with it", async () => {
    await using opened = await open();
    const { store } = opened;
    const bytes = sample(3_000_000);
    await store.put(key, bytes);
    for (let round = 0; round < 5; round += 1) {
      const reader = (await store.get(key, null))?.getReader();
      expect((await reader?.read())?.done).toBe(false);
      await reader?.cancel();
    }
    expect(await read(store, key, [2_999_990, 2_999_999])).toEqual(bytes.slice(2_999_990));
  });

  test("many at once", async () => {
    await using opened = await open();
    const { store } = opened;
    const keys = Array.from({ length: 60 }, (_, index) => `many/${index}`);
    await Promise.all(keys.map((at, index) => store.put(at, sample(5_000, index))));
    const all = await Promise.all(keys.map((at) => read(store, at)));
    expect(all).toEqual(keys.map((_, index) => sample(5_000, index)));
  });

  test("the probe passes, and leaves nothing", async () => {
    await using opened = await open();
    await opened.store.probe();
    expect((await opened.store.list("", null)).objects).toEqual([]);
  });
}

function testParts(open: Open): void {
  const lengths = (store: ObjectStore): Readonly<Record<string, readonly number[]>> => {
    const { partBytesMin: least } = store.limits;
    return {
      "one part of one byte": [1],
      "one part of the least size": [least],
      "equal parts": [least, least],
      "equal parts and a rest": [least, least, 1],
      "unequal parts": [least + 1, least, least + 4097, 17],
    };
  };
  for (const name of [
    "one part of one byte",
    "one part of the least size",
    "equal parts",
    "equal parts and a rest",
    "unequal parts",
  ]) {
    test(`${name} become one object`, async () => {
      await using opened = await open();
      const { store } = opened;
      const bytes = (lengths(store)[name] ?? []).map((length, index) => sample(length, index));
      const parts = await store.startParts(key);
      expect(await store.size(key)).toBeNull();
      // The last is sent first.
      const stored = [];
      for (const [index, part] of [...bytes.entries()].reverse()) {
        stored.push(await store.putPart(key, parts, index + 1, part));
      }
      expect(await store.size(key)).toBeNull();
      for (const { tag } of stored) expect(tag.length).toBeLessThanOrEqual(256);
      expect(parts.upload.length).toBeLessThanOrEqual(2_048);
      await store.completeParts(key, parts, stored);
      const whole = new Uint8Array(Buffer.concat(bytes));
      expect(await store.size(key)).toBe(whole.length);
      expect(Buffer.compare((await read(store, key)) ?? new Uint8Array(), whole)).toBe(0);
    });
  }

  test("a part that is sent again counts in place of the first", async () => {
    await using opened = await open();
    const { store } = opened;
    const parts = await store.startParts(key);
    await store.putPart(key, parts, 1, sample(100, 1));
    const second = await store.putPart(key, parts, 1, new Blob([sample(90, 2)]));
    await store.completeParts(key, parts, [second]);
    expect(await read(store, key)).toEqual(sample(90, 2));
  });

  test("completed twice is completed", async () => {
    await using opened = await open();
    const { store } = opened;
    const parts = await store.startParts(key);
    const stored = [await store.putPart(key, parts, 1, sample(100))];
    await store.completeParts(key, parts, stored);
    await store.completeParts(key, parts, stored);
    expect(await read(store, key)).toEqual(sample(100));
    await store.abortParts(key, parts);
    expect(await store.size(key)).toBe(100);
  });

  test("what was aborted cannot go on, and leaves nothing; aborted twice is fine", async () => {
    await using opened = await open();
    const { store } = opened;
    const parts = await store.startParts(key);
    const stored = [await store.putPart(key, parts, 1, sample(100))];
    await store.abortParts(key, parts);
    await store.abortParts(key, parts);
    // Some stores take it, and nothing comes of it.
    const late = await store.putPart(key, parts, 2, sample(1)).catch((error: unknown) => error);
    if (late instanceof Error) expect(late).toBeInstanceOf(ObjectStoreRefused);
    expect(await reasonOf(store.completeParts(key, parts, stored))).toBeInstanceOf(
      ObjectStoreRefused,
    );
    expect(await store.size(key)).toBeNull();
  });

  test("a part that is too small, or has another tag, makes no object", async () => {
    await using opened = await open();
    const { store } = opened;
    const parts = await store.startParts(key);
    const small = await store.putPart(key, parts, 1, sample(10));
    const last = await store.putPart(key, parts, 2, sample(10, 2));
    if (store.limits.partBytesMin > 10) {
      const both = reasonOf(store.completeParts(key, parts, [small, last]));
      expect(await both).toBeInstanceOf(ObjectStoreRefused);
    }
    const wrong = [small, { number: 2, tag: small.tag }];
    expect(await reasonOf(store.completeParts(key, parts, wrong))).toBeInstanceOf(
      ObjectStoreRefused,
    );
    expect(await store.size(key)).toBeNull();
    await store.abortParts(key, parts);
  });
}

function testLists(open: Open): void {
  test("what was begun in parts is listed until it is completed or aborted, or forgotten by itself", async () => {
    await using opened = await open();
    const { store } = opened;
    const begun = [];
    for (let count = 0; count < 4; count += 1) {
      const at = `objects/a+b ${count}`;
      const parts = await store.startParts(at);
      begun.push({ at, parts, stored: await store.putPart(at, parts, 1, sample(100)) });
    }
    const listed = async (): Promise<string[]> => {
      const found: string[] = [];
      for (let after: string | null = null; ;) {
        const page = await store.unfinished("objects/", after);
        for (const { startedAt } of page.parts) expect(startedAt).toBeGreaterThan(1e12);
        found.push(...page.parts.map(({ upload }) => upload));
        if (page.next === null) return found.sort();
        after = page.next;
      }
    };
    const uploads = begun.map(({ parts }) => parts.upload);
    const all = await listed();
    if (all.length > 0) expect(all).toEqual(uploads.toSorted());
    const [first, second, ...others] = begun;
    await store.completeParts(first!.at, first!.parts, [first!.stored]);
    for (const { key: at, upload } of (await store.unfinished("objects/", null)).parts) {
      if (upload === second!.parts.upload) await store.abortParts(at, { upload });
    }
    const left = others.map(({ parts }) => parts.upload).toSorted();
    expect(await listed()).toEqual(all.length > 0 ? left : []);
  });

  test("pages of a prefix, in order, each key once", async () => {
    await using opened = await open();
    const { store } = opened;
    const startedMs = Date.now();
    const keys = Array.from(
      { length: 1_203 },
      (_, index) => `list/${String(index).padStart(4, "0")}`,
    );
    for (let from = 0; from < keys.length; from += 50) {
      await Promise.all(keys.slice(from, from + 50).map((at) => store.put(at, sample(3))));
    }
    await store.put("lisu", sample(4));
    const found: string[] = [];
    let pages = 0;
    for (let next: string | null = null; ;) {
      const page = await store.list("list/", next);
      found.push(...page.objects.map((each) => each.key));
      for (const { sizeBytes, changedAt } of page.objects) {
        expect(sizeBytes).toBe(3);
        expect(Math.abs(changedAt - startedMs)).toBeLessThan(600_000);
      }
      pages += 1;
      next = page.next;
      if (next === null) break;
    }
    expect(pages).toBe(2);
    expect(found).toEqual(keys);
  });

  test("of nothing", async () => {
    await using opened = await open();
    await opened.store.put("other", sample(3));
    expect(await opened.store.list("none/", null)).toEqual({ objects: [], next: null });
  });
}

function testUrls(open: Open, ca?: () => Promise<string>): void {
  test("a signed URL gives the object, or a range of it, with its type, without credentials", async () => {
    await using opened = await open();
    const { store } = opened;
    await store.put(key, sample(1000));
    const contentType = "application/vnd.oci.image.layer.v1.tar+gzip; a=b c";
    const url = await store.sign(key, { seconds: 60, contentType });
    if (url === null) return;
    const tls = ca === undefined ? {} : { ca: await ca() };
    const whole = await fetch(url, { tls });
    expect([whole.status, whole.headers.get("Content-Type")]).toEqual([200, contentType]);
    expect(await whole.bytes()).toEqual(sample(1000));
    const part = await fetch(url, { tls, headers: { Range: "bytes=10-19" } });
    expect(part.status).toBe(206);
    expect(await part.bytes()).toEqual(sample(1000).slice(10, 20));
  });
}
