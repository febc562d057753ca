// Finishing: an upload becomes content, whatever stood under its digest, and never changes again.

import { expect, test } from "bun:test";
import { digestOf } from "../../src/oci/digest.ts";
import type { OpenEmptyStores } from "./store_samples.ts";
import { bytesSource, held, readBlob, sample, uploaded, unlimited } from "./store_samples.ts";
import { UploadFinished, type ByteSource } from "../../src/storage/upload_store.ts";
import { reasonOf } from "../reason_of.ts";

const repository = "team/app";
const bytes = sample(100_000);
const digest = digestOf("sha256", bytes);

export function testFinishing(open: OpenEmptyStores, sharesOnce: boolean): void {
  test("uploaded bytes are content only once they are finished", async () => {
    await using opened = await open();
    const { stores } = opened;
    await uploaded(stores.uploads, "one", bytes);
    expect(await stores.blobs.stat(repository, digest)).toBeNull();
    await using upload = await held(stores.uploads, "one");
    await upload.finish(repository, digest);
    expect(await readBlob(stores, repository, digest)).toEqual(bytes);
    expect(upload.sizeBytes).toBe(bytes.length);
    await upload.discard();
    expect(await readBlob(stores, repository, digest)).toEqual(bytes);
  });

  test("finishing again, in the same repository and in another, is the same", async () => {
    await using opened = await open();
    const { stores } = opened;
    await uploaded(stores.uploads, "one", bytes);
    await using upload = await held(stores.uploads, "one");
    await upload.finish(repository, digest);
    await upload.finish(repository, digest);
    await stores.blobs.remove(repository, digest);
    await upload.finish(repository, digest);
    const others = sharesOnce ? ["team/other"] : [];
    for (const at of others) await upload.finish(at, digest);
    for (const at of [repository, ...others]) {
      expect(await readBlob(stores, at, digest)).toEqual(bytes);
    }
    await upload.discard();
  });

  const standing = {
    "damaged content of the same size": sample(bytes.length, 2),
    "shorter content": bytes.slice(0, 10),
    "longer content": sample(bytes.length + 1),
    "an empty file": new Uint8Array(),
    "the same content": bytes,
  };
  for (const [says, stood] of Object.entries(standing)) {
    test(`takes the place of ${says}, which nobody finds absent in between`, async () => {
      await using opened = await open();
      const { stores } = opened;
      await stores.blobs.put(repository, digest, stood);
      await uploaded(stores.uploads, "one", bytes);
      await using upload = await held(stores.uploads, "one");
      const progress = { finishing: true };
      const finished = upload.finish(repository, digest).then(() => {
        progress.finishing = false;
      });
      while (progress.finishing) {
        expect(await stores.blobs.size(repository, digest)).not.toBeNull();
        await new Promise((resolve) => setImmediate(resolve));
      }
      await finished;
      expect(await readBlob(stores, repository, digest)).toEqual(bytes);
      await upload.discard();
    });
  }

  test("many stages with the same bytes, finished at once under one key", async () => {
    await using opened = await open();
    const openings = [opened.stores, opened.another()];
    const ids = Array.from({ length: 12 }, (_, index) => `upload-${index}`);
    await Promise.all(
      ids.map(async (id, index) => {
        const stores = openings[index % 2]!;
        await uploaded(stores.uploads, id, bytes);
        await using upload = await held(stores.uploads, id);
        await upload.finish(repository, digest);
        expect(await readBlob(stores, repository, digest)).toEqual(bytes);
        await upload.discard();
      }),
    );
    expect(await readBlob(opened.stores, repository, digest)).toEqual(bytes);
    expect(await opened.stores.uploads.ids()).toEqual([]);
  });

  test("an empty upload is empty content", async () => {
    await using opened = await open();
    await opened.stores.uploads.create("one", "team/app");
    await using upload = await held(opened.stores.uploads, "one");
    await upload.finish(repository, digest);
    expect(await opened.stores.blobs.stat(repository, digest)).toMatchObject({ sizeBytes: 0 });
    await upload.discard();
  });

  for (const length of [0, 1000, 300_000, 1_000_001]) {
    test(`a upload of ${length} bytes tells equal content from any other`, async () => {
      await using opened = await open();
      const { stores } = opened;
      const whole = sample(length);
      const changed = sample(length);
      const last = length - 1;
      changed[last] = (changed[last] ?? 0) ^ 1;
      await uploaded(stores.uploads, "one", whole);
      await stores.blobs.put("longer", digest, new Uint8Array(Buffer.concat([whole, sample(1)])));
      await stores.blobs.put("equal", digest, whole);
      if (length > 0) {
        await stores.blobs.put("shorter", digest, whole.slice(0, -1));
        await stores.blobs.put("changed", digest, changed);
      }
      for (const opening of [stores, opened.another()]) {
        await using upload = await held(opening.uploads, "one");
        const found = async (at: string) => [at, await stores.blobs.compare(at, digest, upload)];
        expect(await found("equal")).toEqual(["equal", "equal"]);
        expect(await found("absent")).toEqual(["absent", "absent"]);
        expect(await found("longer")).toEqual(["longer", "different"]);
        for (const at of length > 0 ? ["shorter", "changed"] : []) {
          if (at === "changed" && !opened.comparesBytes) continue;
          expect(await found(at)).toEqual([at, "different"]);
        }
      }
      await using upload = await held(stores.uploads, "one");
      await upload.discard();
    });
  }

  const request = (body: Uint8Array<ArrayBuffer>, lengthBytes: number | null) => ({
    body: new Request("http://x/", { method: "PUT", body }),
    lengthBytes,
  });
  const tail = bytes.slice(-700);
  const repeats = {
    "all of its bytes again": { source: () => bytesSource(bytes), bytes: bytes.length },
    "its last bytes again": { source: () => bytesSource(tail), bytes: tail.length },
    "a request with all of them": {
      source: () => request(bytes, bytes.length),
      bytes: bytes.length,
    },
    "a request with the last ones": { source: () => request(tail, tail.length), bytes: 700 },
    "a request with all of them and no length": {
      source: () => request(bytes, null),
      bytes: bytes.length,
    },
  };
  for (const [says, repeat] of Object.entries(repeats)) {
    test(`finished content takes note of ${says}, and stays what it is`, async () => {
      await using opened = await open();
      const { stores } = opened;
      await uploaded(stores.uploads, "one", bytes);
      await using upload = await held(stores.uploads, "one");
      await upload.finish(repository, digest);
      expect(upload.finished).toBe(true);
      for (let round = 0; round < 2; round += 1) {
        const appended = await upload.append(repeat.source(), unlimited);
        expect(appended).toEqual({ appendedBytes: repeat.bytes, brokenOff: false });
        expect(upload.sizeBytes).toBe(bytes.length);
      }
      await upload.discard();
      expect(await readBlob(stores, repository, digest)).toEqual(bytes);
    });
  }

  const others: Readonly<Record<string, () => ByteSource>> = {
    "bytes that it does not end with": () => bytesSource(sample(700, 3)),
    "more bytes than it has": () => bytesSource(sample(bytes.length + 1)),
    "a request with other bytes": () => request(sample(700, 3), 700),
    "a request of no length that ends early": () => request(bytes.slice(0, 500), null),
    "a request of no length with its last bytes": () => request(tail, null),
  };
  for (const [says, source] of Object.entries(others)) {
    test(`finished content refuses ${says}`, async () => {
      await using opened = await open();
      const { stores } = opened;
      await uploaded(stores.uploads, "one", bytes);
      await using upload = await held(stores.uploads, "one");
      await upload.finish(repository, digest);
      expect(await reasonOf(upload.append(source(), unlimited))).toBeInstanceOf(UploadFinished);
      expect(await readBlob(stores, repository, digest)).toEqual(bytes);
      await upload.discard();
    });
  }

  test("finished content cannot be changed through its upload, not even after a hand-over", async () => {
    await using opened = await open();
    const { stores } = opened;
    await uploaded(stores.uploads, "one", bytes);
    const more = () => bytesSource(sample(10));
    const first = await held(stores.uploads, "one");
    await first.finish(repository, digest);
    expect(await reasonOf(first.append(more(), unlimited))).toBeInstanceOf(UploadFinished);
    await first.close();
    // The process ended here, say: the upload was neither discarded nor known to be finished.
    for (const opening of [stores, opened.another()]) {
      await using upload = await held(opening.uploads, "one");
      expect(await reasonOf(upload.append(more(), unlimited))).toBeInstanceOf(UploadFinished);
      expect(upload.sizeBytes).toBe(bytes.length);
      expect(await readBlob(stores, repository, digest)).toEqual(bytes);
      // Nothing more to take is no change, and lets the upload be finished.
      const none = await upload.append(bytesSource(new Uint8Array()), unlimited);
      expect(none).toEqual({ appendedBytes: 0, brokenOff: false });
      await upload.finish(repository, digest);
    }
    await using upload = await held(stores.uploads, "one");
    await upload.discard();
    expect(await readBlob(stores, repository, digest)).toEqual(bytes);
  });
}
