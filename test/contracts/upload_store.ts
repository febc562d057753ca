// Uploads: who holds one, across openings and processes, what becomes of its bytes, and a model of random use.

import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { digestOf, type Algorithm } from "../../src/oci/digest.ts";
import { UploadTooLarge, type HeldUpload } from "../../src/storage/upload_store.ts";
import type { OpenStores, OpenEmptyStores } from "./store_samples.ts";
import { bytesSource, held, sample, uploaded, unlimited } from "./store_samples.ts";
import { reasonOf } from "../reason_of.ts";

export function testUploads(open: OpenEmptyStores, follows: boolean): void {
  test("an upload that was never made, or was discarded, is absent", async () => {
    await using opened = await open();
    const { stores } = opened;
    expect(await stores.uploads.hold("one", "team/app")).toBeNull();
    expect(await stores.uploads.stat("one", "team/app")).toBeNull();
    await uploaded(stores.uploads, "one", sample(10));
    const upload = await held(stores.uploads, "one");
    await upload.discard();
    await upload.close();
    expect(await stores.uploads.hold("one", "team/app")).toBeNull();
    expect(await stores.uploads.stat("one", "team/app")).toBeNull();
    expect(await stores.uploads.ids()).toEqual([]);
  });

  test("an id is given once", async () => {
    await using opened = await open();
    await uploaded(opened.stores.uploads, "one", sample(10));
    expect(await reasonOf(opened.stores.uploads.create("one", "team/app"))).toBeInstanceOf(Error);
    expect((await opened.stores.uploads.stat("one", "team/app"))?.sizeBytes).toBe(10);
    await discard(opened, "one");
  });

  test("what is held is told, by every opening", async () => {
    await using opened = await open();
    const before = Date.now();
    await uploaded(opened.stores.uploads, "one", sample(10));
    await opened.stores.uploads.create("two", "team/app");
    for (const stores of [opened.stores, opened.another()]) {
      const info = await stores.uploads.stat("one", "team/app");
      expect(info).toMatchObject({ sizeBytes: 10 });
      // File systems keep time in ticks of a few milliseconds.
      expect(info!.changedAt).toBeGreaterThanOrEqual(before - 50);
      expect(info!.changedAt).toBeLessThanOrEqual(Date.now() + 50);
      const listed = await stores.uploads.ids();
      expect(listed.toSorted()).toEqual(["one", "two"]);
    }
    for (const id of ["one", "two"]) await discard(opened, id);
  });

  const followed = follows ? test : test.skip;

  followed(
    "what is held is followed while it grows, by every opening, and to its end",
    async () => {
      await using opened = await open();
      const { stores } = opened;
      expect(await stores.uploads.follow("one", "team/app")).toBeNull();
      await uploaded(stores.uploads, "one", sample(10));
      const upload = await held(stores.uploads, "one");
      const digest = digestOf("sha256", sample(300_010));
      const followers = await Promise.all(
        [stores, opened.another()].map((each) => each.uploads.follow("one", "team/app")),
      );
      const readAll = async (from: number): Promise<Uint8Array[]> =>
        Promise.all(
          followers.map(async (follower) => {
            const parts: Uint8Array[] = [];
            for (let position = from; ;) {
              const part = await follower!.read(position, 100_000);
              expect(part.length).toBeLessThanOrEqual(100_000);
              if (part.length === 0) return Buffer.concat(parts);
              position += part.length;
              parts.push(part);
            }
          }),
        );
      for (const bytes of await readAll(0)) expect(bytes).toEqual(Buffer.from(sample(10)));
      await upload.append(bytesSource(sample(300_010).subarray(10)), unlimited);
      upload.digestAhead("sha256");
      for (const follower of followers) expect(follower!.sizeBytes()).toBe(300_010);
      for (const bytes of await readAll(7)) {
        expect(bytes).toEqual(Buffer.from(sample(300_010).subarray(7)));
      }
      expect(await upload.digest("sha256")).toBe(digest);
      await upload.finish("team/app", digest);
      for (const bytes of await readAll(300_000)) {
        expect(bytes).toEqual(Buffer.from(sample(300_010).subarray(300_000)));
      }
      for (const follower of followers) expect(follower!.isThere()).toBe(true);
      await upload.discard();
      await upload.close();
      await stores.uploads.create("one", "team/app");
      for (const follower of followers) expect(follower!.isThere()).toBe(false);
      await discard(opened, "one");
      for (const bytes of await readAll(0)) expect(bytes).toEqual(Buffer.from(sample(300_010)));
      expect(await stores.uploads.follow("one", "team/app")).toBeNull();
      for (const follower of followers) await follower!.close();
    },
  );

  test("an id that is given again, after another opening discarded what had it, is digested anew", async () => {
    await using opened = await open();
    const { uploads } = opened.stores;
    const others = opened.another().uploads;
    const first = sample(300_000);
    await uploaded(uploads, "again", first);
    const before = await held(uploads, "again");
    expect(await before.digest("sha256")).toBe(digestOf("sha256", first));
    await before.close();
    const other = await held(others, "again");
    await other.discard();
    await other.close();
    await uploaded(others, "again", sample(300_000, 7));
    const after = await held(uploads, "again");
    after.digestAnew();
    after.digestAhead("sha256");
    await after.append(bytesSource(sample(10)), unlimited);
    const whole = Buffer.concat([sample(300_000, 7), sample(10)]);
    expect(await after.digest("sha256")).toBe(digestOf("sha256", whole));
    await after.discard();
    await after.close();
  });

  followed("an upload that is discarded can be read to its end by who follows it", async () => {
    await using opened = await open();
    const { uploads } = opened.stores;
    await uploaded(uploads, "one", sample(10));
    const follower = await uploads.follow("one", "team/app");
    await discard(opened, "one");
    expect(await follower!.read(4, 100)).toEqual(sample(10).slice(4));
    await follower!.close();
  });

  test("one holder at a time, whichever opening asks; a new one after it closes", async () => {
    await using opened = await open();
    const openings = [opened.stores, opened.another()];
    await uploaded(opened.stores.uploads, "one", sample(10));
    for (const holder of openings) {
      const upload = await held(holder.uploads, "one");
      for (const stores of openings)
        expect(await stores.uploads.hold("one", "team/app")).toBe("busy");
      expect((await opened.stores.uploads.stat("one", "team/app"))?.sizeBytes).toBe(10);
      await upload.close();
    }
    await discard(opened, "one");
  });

  test("one holder at a time across processes; one that is killed lets go", async () => {
    await using opened = await open();
    const { elsewhere } = opened;
    if (elsewhere === null) return;
    await uploaded(opened.stores.uploads, "one", sample(10));
    const first = await elsewhere.hold("one");
    expect(await opened.stores.uploads.hold("one", "team/app")).toBe("busy");
    await first.release();
    const second = await elsewhere.hold("one");
    expect(await opened.stores.uploads.hold("one", "team/app")).toBe("busy");
    await second.kill();
    await discard(opened, "one");
  });

  test("of many who open at once, one holds; after a discard nobody does", async () => {
    await using opened = await open();
    const openings = [opened.stores, opened.another()];
    await uploaded(opened.stores.uploads, "one", sample(10));
    const found = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        openings[index % 2]!.uploads.hold("one", "team/app"),
      ),
    );
    const holders = found.filter(
      (upload): upload is HeldUpload => upload !== null && upload !== "busy",
    );
    expect(holders).toHaveLength(1);
    const racing = Promise.all(
      Array.from({ length: 20 }, () => opened.stores.uploads.hold("one", "team/app")),
    );
    await holders[0]!.discard();
    await holders[0]!.close();
    for (const upload of await racing) expect(upload === null || upload === "busy").toBe(true);
    expect(await opened.stores.uploads.hold("one", "team/app")).toBeNull();
  });

  const limits = [
    { held: 0, adds: 10, max: 10, fits: true },
    { held: 0, adds: 11, max: 10, fits: false },
    { held: 6, adds: 4, max: 10, fits: true },
    { held: 6, adds: 5, max: 10, fits: false },
    { held: 10, adds: 0, max: 10, fits: true },
    { held: 0, adds: 0, max: 0, fits: true },
    { held: 0, adds: 1, max: 0, fits: false },
  ];
  for (const { held: first, adds, max, fits } of limits) {
    test(`an upload of ${first} bytes that may have ${max} ${fits ? "takes" : "refuses"} ${adds} more`, async () => {
      await using opened = await open();
      await uploaded(opened.stores.uploads, "one", sample(first));
      const upload = await held(opened.stores.uploads, "one");
      const append = upload.append(bytesSource(sample(adds)), {
        ...unlimited,
        uploadBytesMax: max,
      });
      if (fits) expect(await append).toEqual({ appendedBytes: adds, brokenOff: false });
      else expect(await reasonOf(append)).toBeInstanceOf(UploadTooLarge);
      expect(upload.sizeBytes).toBe(fits ? first + adds : first);
      await upload.discard();
      await upload.close();
    });
  }

  const algorithms: readonly Algorithm[] = ["sha256", "sha512"];
  for (const algorithm of algorithms) {
    test(`${algorithm} of an empty upload, after several appends, and again, here and elsewhere`, async () => {
      await using opened = await open();
      const { stores } = opened;
      await stores.uploads.create("one", "team/app");
      let all = new Uint8Array();
      for (const length of [0, 1, 70_000, 3]) {
        const upload = await held(stores.uploads, "one");
        const part = sample(length, length);
        await upload.append(bytesSource(part), unlimited);
        all = new Uint8Array(Buffer.concat([all, part]));
        expect(await upload.digest(algorithm)).toBe(digestOf(algorithm, all));
        expect(await upload.digest(algorithm)).toBe(digestOf(algorithm, all));
        await upload.close();
      }
      const other = await held(opened.another().uploads, "one");
      expect(await other.digest(algorithm)).toBe(digestOf(algorithm, all));
      await other.close();
      const elsewhere = opened.elsewhere?.digest("one", algorithm);
      expect((await elsewhere) ?? digestOf(algorithm, all)).toBe(digestOf(algorithm, all));
      await discard(opened, "one");
    });
  }

  test("random appends, truncations, digests and hand-overs: the upload is what a model of it is", async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ append: fc.integer({ min: 0, max: 40_000 }) }) },
      { weight: 1, arbitrary: fc.constant({ append: 400_000 }) },
      { weight: 2, arbitrary: fc.constant({ undo: true }) },
      {
        weight: 2,
        arbitrary: fc.record({ digest: fc.constantFrom<Algorithm>("sha256", "sha512") }),
      },
      { weight: 2, arbitrary: fc.record({ reopen: fc.integer({ min: 0, max: 1 }) }) },
    );
    const property = fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      await using opened = await open();
      const openings = [opened.stores, opened.another()];
      await opened.stores.uploads.create("one", "team/app");
      let upload = await held(opened.stores.uploads, "one");
      let model = Buffer.alloc(0);
      let undo = 0; // The size before the last append: what may be gone back to.
      for (const [index, step] of steps.entries()) {
        if ("append" in step) {
          undo = model.length;
          const bytes = sample(step.append, index + 1);
          const asRequest = index % 2 === 0;
          const body = asRequest ? new Request("http://x/", { method: "PUT", body: bytes }) : bytes;
          const appended = await upload.append({ body, lengthBytes: bytes.length }, unlimited);
          expect(appended).toEqual({ appendedBytes: bytes.length, brokenOff: false });
          model = Buffer.concat([model, bytes]);
        } else if ("undo" in step) {
          await upload.truncate(undo);
          model = model.subarray(0, undo);
        } else if ("digest" in step) {
          expect(await upload.digest(step.digest)).toBe(digestOf(step.digest, model));
        } else {
          await upload.close();
          upload = await held(openings[step.reopen]!.uploads, "one");
          undo = model.length;
        }
        expect(upload.sizeBytes).toBe(model.length);
      }
      expect(await upload.digest("sha256")).toBe(digestOf("sha256", model));
      const digest = digestOf("sha256", model);
      await upload.finish("team/app", digest);
      expect(await opened.stores.blobs.read("team/app", digest, 10_000_000)).toEqual(
        new Uint8Array(model),
      );
      await upload.discard();
      await upload.close();
    });
    await fc.assert(property, { numRuns: 20 });
  });
}

async function discard(opened: OpenStores, id: string): Promise<void> {
  await using upload = await held(opened.stores.uploads, id);
  await upload.discard();
}
