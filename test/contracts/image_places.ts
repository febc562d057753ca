// What every place that has images must do, as a target and as a source: each implementation passes these tests.

import { describe, expect, test } from "bun:test";
import { systemClock } from "../../src/lib/clock.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { BlobContent } from "../../src/transfer/blob_content.ts";
import {
  TransferError,
  type ImageSource,
  type ImageTarget,
  type PlacedManifest,
} from "../../src/transfer/image_place.ts";
import type { Retries } from "../../src/transfer/retries.ts";
import {
  cutAfter,
  flipped,
  MemorySource,
  pieces,
  someBytes,
  type Made,
} from "../transfer/memory_source.ts";

/** One place, empty at first. */
export interface ContractPlace extends AsyncDisposable {
  target(): Promise<ImageTarget>;
  source(): Promise<ImageSource>;
  /** Files and uploads that are not content, once a target was closed. */
  leftovers(): Promise<readonly string[]>;
}

export const testRetries: Retries = {
  clock: systemClock,
  signal: new AbortController().signal,
  attemptsMax: 3,
  pauseMs: 1,
};

export function contentOf(from: MemorySource, { digest, size }: Made): BlobContent {
  return new BlobContent({ digest, sizeBytes: size }, { source: from, retries: testRetries });
}

function manifestIn(from: MemorySource, { digest }: Made): PlacedManifest {
  const found = from.manifests.get(digest);
  if (found === undefined) throw new Error(`${digest} was not made`);
  return found;
}

async function bytesOf(source: ImageSource, made: Made, fromByte = 0): Promise<Uint8Array> {
  const open = await source.blob(made.digest, { fromByte, signal: testRetries.signal });
  if (open === null) throw new Error(`${made.digest} is not there`);
  const found: Uint8Array[] = [];
  for await (const piece of open.body) found.push(piece);
  return Buffer.concat(found).subarray(fromByte - open.fromByte);
}

/** Puts an image with all that it names, under a tag. */
async function putImage(
  target: ImageTarget,
  from: MemorySource,
  image: Made,
  tag: string | null,
): Promise<void> {
  const body: { config: Made; layers: Made[] } = JSON.parse(
    new TextDecoder().decode(manifestIn(from, image).bytes),
  );
  for (const blob of [body.config, ...body.layers]) {
    const named = { digest: blob.digest, sizeBytes: blob.size };
    if (!(await target.hasBlob(named, false))) await target.putBlob(contentOf(from, blob));
  }
  await target.putManifest(manifestIn(from, image), { tag, isListed: true });
}

async function failure(work: Promise<unknown>): Promise<TransferError> {
  const error: unknown = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof TransferError) return error;
  throw new Error(`expected a TransferError, got ${String(error)}`);
}

export function imagePlaceContract(name: string, open: () => Promise<ContractPlace>): void {
  describe(`${name} as a place of images`, () => {
    test("nothing is there at first", async () => {
      await using place = await open();
      const target = await place.target();
      const made = new MemorySource().image(["a"]);
      expect(await target.tagDigest("1.0")).toBeNull();
      expect(await target.hasManifest(made.digest)).toBe(false);
      expect(await target.hasBlob({ digest: made.digest, sizeBytes: 1 }, false)).toBe(false);
      await target.close();
    });

    test("what was put is read back byte for byte, by tag and by digest", async () => {
      await using place = await open();
      const from = new MemorySource();
      const large = someBytes(300_000);
      const image = from.image(["one", "", large], "1.0");
      const target = await place.target();
      await putImage(target, from, image, "1.0");
      await target.finish();
      await target.close();

      const source = await place.source();
      const expected = manifestIn(from, image);
      for (const reference of ["1.0", image.digest]) {
        expect(await source.head(reference)).toBe(image.digest);
        const read = await source.manifest(reference);
        expect(read?.digest).toBe(image.digest);
        expect(read?.mediaType).toBe(mediaTypes.ociImage);
        expect(Buffer.from(read?.bytes ?? [])).toEqual(Buffer.from(expected.bytes));
      }
      const layer = from.blobOf(large);
      expect(Buffer.from(await bytesOf(source, layer))).toEqual(Buffer.from(large));
      expect(Buffer.from(await bytesOf(source, layer, 299_990))).toEqual(
        Buffer.from(large.subarray(299_990)),
      );
      expect(await bytesOf(source, from.blobOf(""))).toHaveLength(0);
      expect(await source.tags()).toEqual(["1.0"]);
      await source.close();
      expect(await place.leftovers()).toEqual([]);
    });

    test("what is absent is null, and no error", async () => {
      await using place = await open();
      const from = new MemorySource();
      const target = await place.target();
      await putImage(target, from, from.image(["a"]), "1.0");
      await target.finish();
      await target.close();
      const source = await place.source();
      const other = from.image(["never put"]);
      expect(await source.head("2.0")).toBeNull();
      expect(await source.manifest("2.0")).toBeNull();
      expect(await source.manifest(other.digest)).toBeNull();
      const signal = testRetries.signal;
      expect(await source.blob(from.blobOf("x").digest, { fromByte: 0, signal })).toBeNull();
      expect(await source.referrers(other.digest)).toEqual([]);
      await source.close();
    });

    test("an index keeps its types and its images, which have no tags of their own", async () => {
      await using place = await open();
      const from = new MemorySource();
      const children = [from.image(["a"]), from.image(["b"])];
      const index = from.index(children);
      const target = await place.target();
      for (const child of children) {
        const body: { config: Made; layers: Made[] } = JSON.parse(
          new TextDecoder().decode(manifestIn(from, child).bytes),
        );
        for (const blob of [body.config, ...body.layers]) {
          const named = { digest: blob.digest, sizeBytes: blob.size };
          if (!(await target.hasBlob(named, false))) await target.putBlob(contentOf(from, blob));
        }
        await target.putManifest(manifestIn(from, child), { tag: null, isListed: false });
      }
      await target.putManifest(manifestIn(from, index), { tag: "multi", isListed: true });
      await target.finish();
      await target.close();
      const source = await place.source();
      expect((await source.manifest("multi"))?.mediaType).toBe(mediaTypes.ociIndex);
      for (const child of children) {
        expect((await source.manifest(child.digest))?.mediaType).toBe(mediaTypes.ociImage);
      }
      expect(await source.tags()).toEqual(["multi"]);
      await source.close();
    });

    test("referrers are found by their subject", async () => {
      await using place = await open();
      const from = new MemorySource();
      const image = from.image(["a"], "1.0");
      const signature = from.referrer(image, "signed");
      const target = await place.target();
      await putImage(target, from, signature, null);
      await putImage(target, from, image, "1.0");
      await target.finish();
      await target.close();
      const source = await place.source();
      const found = await source.referrers(image.digest);
      expect(found.map(({ digest, mediaType, size }) => ({ digest, mediaType, size }))).toEqual([
        signature,
      ]);
      expect(await source.referrers(signature.digest)).toEqual([]);
      await source.close();
    });

    test("a source that breaks off is read on where it broke", async () => {
      await using place = await open();
      const from = new MemorySource();
      const layer = from.blobOf(someBytes(50_000));
      from.faults.set(layer.digest, cutAfter(20_000, 2));
      const target = await place.target();
      expect(await target.putBlob(contentOf(from, layer))).toBe("sent");
      expect(from.asked.map(({ fromByte }) => fromByte)).toEqual([0, 20_000, 40_000]);
      const named = { digest: layer.digest, sizeBytes: layer.size };
      expect(await target.hasBlob(named, false)).toBe(true);
      await target.close();
    });

    const wrong: readonly [string, (bytes: Uint8Array) => AsyncIterable<Uint8Array>, RegExp][] = [
      ["the last byte is another", (bytes) => flipped(bytes.length - 1)(bytes, 0), /its digest/],
      ["the first byte is another", (bytes) => flipped(0)(bytes, 0), /its digest/],
      ["a byte is missing", (bytes) => pieces(bytes.subarray(0, -1)), /ended after/],
      [
        "a byte is too many",
        (bytes) => pieces(Buffer.concat([bytes, bytes.subarray(0, 1)])),
        /longer than/,
      ],
      ["nothing comes", () => pieces(new Uint8Array(0)), /ended after 0/],
    ];
    for (const sizeBytes of [2_500, 5_000_000]) {
      for (const [what, fault, says] of wrong) {
        test(`a blob of ${sizeBytes} bytes is not there when ${what}`, async () => {
          await using place = await open();
          const from = new MemorySource();
          const layer = from.blobOf(someBytes(sizeBytes));
          from.faults.set(layer.digest, (bytes, fromByte) =>
            fromByte === 0 ? fault(bytes) : pieces(bytes.subarray(fromByte, fromByte)),
          );
          const target = await place.target();
          const error = await failure(target.putBlob(contentOf(from, layer)));
          expect(error.message).toMatch(says);
          expect(error.message).toContain(layer.digest);
          const named = { digest: layer.digest, sizeBytes };
          expect(await target.hasBlob(named, false)).toBe(false);
          // Another source has the right bytes.
          from.faults.clear();
          await target.putBlob(contentOf(from, layer));
          expect(await target.hasBlob(named, false)).toBe(true);
          await target.close();
        });
      }
    }
  });
}
