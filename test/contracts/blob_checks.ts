// Content that is checked as it lies, and moved into quarantine when it is not what its name says.

import { expect, test } from "bun:test";
import { algorithmOf, digestOf, type Digest } from "../../src/oci/digest.ts";
import type { BlobStore } from "../../src/storage/blob_store.ts";
import { reasonOf } from "../reason_of.ts";
import type { OpenEmptyStores } from "./store_samples.ts";
import { sample } from "./store_samples.ts";

const repository = "team/app";
const other = "team/other";
const name = "sha256:1234.2026-01-01T00:00:00.000Z";

/** Sizes of the slices, and the digest of all of them. */
async function checked(blobs: BlobStore, digest: Digest, bytesMax: number, at = repository) {
  const check = blobs.check(at, digest);
  const slices: number[] = [];
  try {
    for (;;) {
      const slice = await check.next(bytesMax);
      if (slice.digest !== null) return { slices, digest: slice.digest };
      slices.push(slice.bytes);
    }
  } finally {
    check.close();
  }
}

export function testChecks(open: OpenEmptyStores, sharesOnce: boolean): void {
  const bytes = sample(250_001);

  for (const algorithm of ["sha256", "sha512"] as const) {
    test(`content is hashed in slices, with ${algorithm}, also when another check runs beside it`, async () => {
      await using opened = await open();
      const { blobs } = opened.stores;
      const digest = digestOf(algorithm, bytes);
      const empty = digestOf(algorithm, new Uint8Array(0));
      await blobs.put(repository, digest, bytes);
      await blobs.put(repository, empty, new Uint8Array(0));
      const [first, second, none] = await Promise.all([
        checked(blobs, digest, 100_000),
        checked(blobs, digest, 300_000),
        checked(blobs, empty, 10),
      ]);
      expect(first).toEqual({ slices: [100_000, 100_000, 50_001], digest });
      expect(second).toEqual({ slices: [250_001], digest });
      expect(none).toEqual({ slices: [], digest: empty });
    });
  }

  test("a check tells the digest that the bytes have, and not that they should have", async () => {
    await using opened = await open();
    const { blobs } = opened.stores;
    const wrong = digestOf("sha256", sample(3));
    await blobs.put(repository, wrong, bytes);
    const found = await checked(blobs, wrong, 1_000_000);
    expect(found.digest).toBe(digestOf(algorithmOf(wrong), bytes));
  });

  test("a check that is closed early, and one of what is absent", async () => {
    await using opened = await open();
    const { blobs } = opened.stores;
    const digest = digestOf("sha256", bytes);
    await blobs.put(repository, digest, bytes);
    const early = blobs.check(repository, digest);
    await early.next(10);
    early.close();
    blobs.check(repository, digest).close();
    expect(await reasonOf(checked(blobs, digest, 10, other))).toMatchObject({ code: "ENOENT" });
    expect(await blobs.lookAt(other, digest)).toBeNull();
    const look = await blobs.lookAt(repository, digest);
    expect(look).toMatchObject({ sizeBytes: bytes.length, isFile: true });
    expect(opened.stores.underLock.stamp(repository, digest)).toBe(look!.stamp);
    expect(opened.stores.underLock.stamp(other, digest)).toBeNull();
  });

  test("what has another stamp is not moved", async () => {
    await using opened = await open();
    const { blobs, underLock } = opened.stores;
    const digest = digestOf("sha256", bytes);
    await blobs.put(repository, digest, bytes);
    expect(underLock.quarantine(repository, digest, { stamp: "another", name })).toBeNull();
    expect(underLock.quarantine(other, digest, { stamp: "another", name })).toBeNull();
    expect(await blobs.size(repository, digest)).toBe(bytes.length);
  });

  test.skipIf(!sharesOnce)(
    "what is moved is out of every repository that shares it, once, and comes back when it is right",
    async () => {
      await using opened = await open();
      const { blobs, underLock } = opened.stores;
      const digest = digestOf("sha256", bytes);
      await blobs.put(repository, digest, bytes);
      await blobs.share(digest, { from: repository, to: other, mayCopy: false });
      const { stamp } = (await blobs.lookAt(repository, digest))!;
      for (const at of [repository, other, repository]) {
        expect(underLock.quarantine(at, digest, { stamp, name })).toBe(name);
        expect(await blobs.size(at, digest)).toBeNull();
      }
      const short = digestOf("sha256", sample(3));
      expect(await blobs.copyBack(name, repository, short)).toBe(false);
      expect(await blobs.copyBack("no such name", repository, digest)).toBe(false);
      expect(await blobs.copyBack(name, repository, digest)).toBe(true);
      expect(await blobs.read(repository, digest, bytes.length)).toEqual(bytes);
      // It is kept.
      expect(await blobs.copyBack(name, other, digest)).toBe(true);
    },
  );

  test.skipIf(!sharesOnce)(
    "another file under the same name in quarantine is kept beside the first",
    async () => {
      await using opened = await open();
      const { blobs, underLock } = opened.stores;
      const digest = digestOf("sha256", bytes);
      const wrong = digestOf("sha256", sample(3));
      await blobs.put(repository, digest, bytes);
      await blobs.put(other, digest, sample(3));
      const kept: string[] = [];
      for (const at of [repository, other]) {
        const { stamp } = (await blobs.lookAt(at, digest))!;
        kept.push(underLock.quarantine(at, digest, { stamp, name })!);
      }
      expect(kept[0]).toBe(name);
      expect(kept[1]).not.toBe(name);
      expect(await blobs.copyBack(kept[0]!, repository, digest)).toBe(true);
      expect(await blobs.copyBack(kept[1]!, other, wrong)).toBe(true);
      const sizes = [bytes.length, 3];
      expect(await blobs.kept()).toEqual(
        kept.map((each, at) => ({ name: each, sizeBytes: sizes[at]! })),
      );
      expect(await blobs.removeKept(kept[0]!)).toBe(true);
      expect(await blobs.removeKept(kept[0]!)).toBe(false);
      expect((await blobs.kept()).map((each) => each.name)).toEqual([kept[1]!]);
      expect(await blobs.read(repository, digest, bytes.length)).toEqual(bytes);
    },
  );
}
