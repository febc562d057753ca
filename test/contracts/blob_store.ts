// Content under digests: what is absent, read whole and in ranges, put, shared, compared and removed.

import { expect, test } from "bun:test";
import { piecesOf } from "../../src/api/send_content.ts";
import { digestOf } from "../../src/oci/digest.ts";
import type { BlobStore, ContentRange } from "../../src/storage/blob_store.ts";
import { reasonOf } from "../reason_of.ts";
import type { OpenEmptyStores } from "./store_samples.ts";
import { sample } from "./store_samples.ts";

const repository = "team/app";
const other = "team/other";

function whole(bytes: Uint8Array) {
  return { sizeBytes: bytes.length, parts: () => [bytes] };
}

/** What an answer would carry. */
async function sent(
  blobs: BlobStore,
  digest: ReturnType<typeof digestOf>,
  range: ContentRange | null,
): Promise<Uint8Array> {
  const pieces = piecesOf(await blobs.open(repository, digest, range));
  return new Uint8Array(Buffer.concat(await Array.fromAsync(pieces)));
}

export function testBlobs(open: OpenEmptyStores, sharesOnce: boolean): void {
  const bytes = sample(1000);
  const digest = digestOf("sha256", bytes);

  test("what is absent is null or false, and never an error", async () => {
    await using opened = await open();
    const { blobs, underLock } = opened.stores;
    expect(await blobs.size(repository, digest)).toBeNull();
    expect(await blobs.stat(repository, digest)).toBeNull();
    expect(await blobs.read(repository, digest, 1000)).toBeNull();
    expect(await blobs.compare(repository, digest, whole(bytes))).toBe("absent");
    for (const [from, to] of [
      [repository, other],
      [repository, repository],
    ] as const) {
      for (const mayCopy of [true, false]) {
        expect(await blobs.share(digest, { from, to, mayCopy })).toBe(false);
      }
    }
    expect(await blobs.remove(repository, digest)).toBe(false);
    expect(underLock.present(repository, digest)).toBe(false);
    underLock.remove(repository, digest);
    expect(await blobs.stat(other, digest)).toBeNull();
  });

  for (const length of [0, 1, 4096, 1_000_001]) {
    for (const algorithm of ["sha256", "sha512"] as const) {
      test(`${length} bytes under their ${algorithm} digest: as they were put, whole and in ranges`, async () => {
        await using opened = await open();
        const { blobs, underLock } = opened.stores;
        const put = sample(length);
        const of = digestOf(algorithm, put);
        await blobs.put(repository, of, put);
        expect(await blobs.size(repository, of)).toBe(length);
        expect(await blobs.stat(repository, of)).toMatchObject({ sizeBytes: length });
        expect(underLock.present(repository, of)).toBe(true);
        expect(await blobs.size(other, of)).toBeNull();
        expect(new Uint8Array((await blobs.read(repository, of, length)) ?? [1])).toEqual(put);
        expect(await sent(blobs, of, null)).toEqual(put);
        if (length < 2) return;
        for (const [first, last] of [
          [0, 0],
          [0, length - 1],
          [1, length - 2],
          [length - 1, length - 1],
        ] as const) {
          expect(await sent(blobs, of, { first, last })).toEqual(put.slice(first, last + 1));
        }
      });
    }
  }

  test("more than the reader wants is an error, not a shorter answer", async () => {
    await using opened = await open();
    const { blobs } = opened.stores;
    await blobs.put(repository, digest, bytes);
    expect(String(await reasonOf(blobs.read(repository, digest, 999)))).toContain("1000 bytes");
  });

  const standing = {
    nothing: null,
    "the same": bytes,
    "others of the same length": sample(1000, 2),
    fewer: bytes.slice(1),
    none: new Uint8Array(),
  };
  for (const [says, stood] of Object.entries(standing)) {
    test(`are put, and shared, where ${says} stood`, async () => {
      await using opened = await open();
      const { blobs } = opened.stores;
      for (const at of [repository, other]) {
        if (stood !== null) await blobs.put(at, digest, stood);
      }
      await blobs.put(repository, digest, bytes);
      expect(await blobs.share(digest, { from: repository, to: other, mayCopy: true })).toBe(true);
      for (const at of [repository, other]) {
        expect(await blobs.read(at, digest, 1000)).toEqual(bytes);
      }
      expect(await blobs.size("team/third", digest)).toBeNull();
    });
  }

  test("what was put is the store's own: its maker may use the bytes for something else", async () => {
    await using opened = await open();
    const { blobs } = opened.stores;
    const mine = sample(1000);
    await blobs.put(repository, digest, mine);
    mine.fill(0);
    expect(await blobs.read(repository, digest, 1000)).toEqual(bytes);
  });

  test.skipIf(!sharesOnce)(
    "shared content is stored once, outlives its source, and a replacement stays apart",
    async () => {
      await using opened = await open();
      const { blobs } = opened.stores;
      await blobs.put(repository, digest, bytes);
      for (const to of [other, other, repository]) {
        expect(await blobs.share(digest, { from: repository, to, mayCopy: false })).toBe(true);
      }
      const stampOf = async (at: string) => (await blobs.stat(at, digest))?.stamp;
      expect(await stampOf(other)).toBe((await stampOf(repository)) ?? "");
      await blobs.put(other, digest, sample(5));
      expect(await stampOf(other)).not.toBe((await stampOf(repository)) ?? "");
      expect(await blobs.read(repository, digest, 1000)).toEqual(bytes);
      expect(await blobs.share(digest, { from: repository, to: other, mayCopy: true })).toBe(true);
      expect(await blobs.remove(repository, digest)).toBe(true);
      expect(await blobs.read(other, digest, 1000)).toEqual(bytes);
      expect(await blobs.read(repository, digest, 1000)).toBeNull();
    },
  );

  for (const length of [0, 1, 1000, 300_000, 1_000_001]) {
    test(`${length} bytes are told from any others`, async () => {
      await using opened = await open();
      const { blobs } = opened.another();
      const stored = sample(length);
      await opened.stores.blobs.put(repository, digest, stored);
      const compare = (with_: Uint8Array) => blobs.compare(repository, digest, whole(with_));
      expect(await compare(stored)).toBe("equal");
      expect(await compare(sample(length + 1))).toBe("different");
      const parts = [stored.subarray(0, length >> 1), stored.subarray(length >> 1)];
      const inParts = { sizeBytes: length, parts: () => parts };
      expect(await blobs.compare(repository, digest, inParts)).toBe("equal");
      if (length === 0) return;
      expect(await compare(stored.slice(1))).toBe("different");
      for (const at of [0, length - 1]) {
        if (!opened.comparesBytes) continue;
        const changed = new Uint8Array(stored);
        changed[at]! ^= 1;
        expect(await compare(changed)).toBe("different");
      }
      if (!opened.comparesBytes) return;
      // What says another length than it gives is not equal.
      const fewer = { sizeBytes: length, parts: () => [stored.subarray(1)] };
      expect(await blobs.compare(repository, digest, fewer)).toBe("different");
    });
  }

  test("removed content is gone at once, and its neighbours stay", async () => {
    await using opened = await open();
    const { blobs, underLock } = opened.stores;
    for (const at of [repository, other, "team"]) await blobs.put(at, digest, bytes);
    expect(await blobs.remove(repository, digest)).toBe(true);
    expect(await blobs.remove(repository, digest)).toBe(false);
    underLock.remove(other, digest);
    for (const at of [repository, other]) {
      expect(await blobs.size(at, digest)).toBeNull();
      expect(underLock.present(at, digest)).toBe(false);
    }
    expect(await blobs.read("team", digest, 1000)).toEqual(bytes);
    await blobs.put(repository, digest, bytes);
    expect(await blobs.read(repository, digest, 1000)).toEqual(bytes);
  });

  test("what one opening put, another sees", async () => {
    await using opened = await open();
    const { blobs } = opened.another();
    await opened.stores.blobs.put(repository, digest, bytes);
    const stat = await opened.stores.blobs.stat(repository, digest);
    expect(await blobs.stat(repository, digest)).toEqual(stat);
    await blobs.remove(repository, digest);
    expect(await opened.stores.blobs.size(repository, digest)).toBeNull();
  });

  test("many puts at once into new repositories all arrive", async () => {
    await using opened = await open();
    const openings = [opened.stores, opened.another()];
    const samples = Array.from({ length: 60 }, (_, index) => sample(index + 1, index));
    const put = samples.map((each) => ({ each, of: digestOf("sha256", each) }));
    await Promise.all(
      put.map(({ each, of }, index) =>
        openings[index % 2]!.blobs.put(`new/place${index % 7}`, of, each),
      ),
    );
    for (const [index, { each, of }] of put.entries()) {
      expect(await opened.stores.blobs.read(`new/place${index % 7}`, of, 100)).toEqual(each);
    }
  });

  test("the room that is left is a part of the whole", async () => {
    await using opened = await open();
    const room = await opened.stores.blobs.room(repository);
    if (room === null) return;
    const { freeBytes, totalBytes } = room;
    expect(freeBytes).toBeGreaterThan(0);
    expect(totalBytes).toBeGreaterThanOrEqual(freeBytes);
  });

  test("a probe leaves nothing", async () => {
    await using opened = await open();
    await opened.stores.blobs.probe();
  });
}
