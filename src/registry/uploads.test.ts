// Upload sessions: whose they are, what a chunk must be, that losers of a race leave them whole, and expiry.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { utimes } from "node:fs/promises";
import { join } from "node:path";
import { sample, unlimited } from "../../test/contracts/store_samples.ts";
import { memoryDirectory } from "../../test/memory_directory.ts";
import { manualClock, systemClock } from "../lib/clock.ts";
import { digestOf } from "../oci/digest.ts";
import { ApiError } from "../oci/errors.ts";
import { uploadsDirectory } from "../storage/layout.ts";
import { openFilesystem, type FilesystemStores } from "../storage/filesystem/open_filesystem.ts";
import { appendUpload, type AppendRequest, type Chunk } from "./append_upload.ts";
import { callerUploadsMax } from "./open_uploads.ts";
import type { HeldUpload } from "../storage/upload_store.ts";
import { Uploads } from "./uploads.ts";
import { reasonOf } from "../../test/reason_of.ts";

const repository = "team/app";

interface World extends AsyncDisposable {
  readonly root: string;
  readonly stores: FilesystemStores;
  readonly uploads: Uploads;
  /** A second worker's view of the same uploads. */
  readonly elsewhere: Uploads;
}

async function openWorld(): Promise<World> {
  const directory = await memoryDirectory("zot-uploads");
  const options = { rootDirectory: directory.path, durable: false, clock: systemClock };
  const [stores, other] = [openFilesystem(options), openFilesystem(options)];
  await stores.prepare();
  return {
    root: directory.path,
    stores,
    uploads: new Uploads(stores.uploads, systemClock),
    elsewhere: new Uploads(other.uploads, systemClock),
    [Symbol.asyncDispose]: async () => {
      await stores.close();
      await other.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

const stream = (bytes: Uint8Array): AppendRequest => ({
  source: { body: bytes, lengthBytes: bytes.length },
  chunk: null,
  ...unlimited,
});
const chunk = (
  first: number,
  bytes: Uint8Array,
  last = first + bytes.length - 1,
): AppendRequest => ({
  ...stream(bytes),
  chunk: { first, last },
});

/** The API error that a call ends in; a call that succeeds fails the test. */
async function errorOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => new Error("it was not refused"),
    (reason: unknown) => reason,
  );
  if (error instanceof ApiError) return error.reason;
  throw error;
}

describe("a session", () => {
  test("begins empty, grows, and is the same for every worker", async () => {
    await using world = await openWorld();
    const id = await world.uploads.start(repository);
    expect(await world.elsewhere.size(repository, id)).toBe(0);
    await world.uploads.hold(repository, id, (upload) => appendUpload(upload, stream(sample(10))));
    expect(await world.elsewhere.size(repository, id)).toBe(10);
    await world.elsewhere.hold(repository, id, async (upload) => {
      expect(await appendUpload(upload, stream(sample(5, 2)))).toEqual({
        appendedBytes: 5,
        brokenOff: false,
      });
      expect(upload.sizeBytes).toBe(15);
      const all = Buffer.concat([sample(10), sample(5, 2)]);
      expect(await upload.digest("sha256")).toBe(digestOf("sha256", all));
      await upload.discard();
    });
    expect(await world.uploads.size(repository, id)).toBeNull();
    const again = world.uploads.hold(repository, id, async () => undefined);
    expect(await errorOf(again)).toBe("UPLOAD_UNKNOWN");
  });

  test("has an id that cannot be guessed and is never given twice", async () => {
    await using world = await openWorld();
    const ids = await Promise.all(
      Array.from({ length: 50 }, () => world.uploads.start(repository)),
    );
    expect(new Set(ids).size).toBe(50);
    for (const id of ids) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
  });

  test("is not there for another repository, nor under any other id", async () => {
    await using world = await openWorld();
    const id = await world.uploads.start(repository);
    const others: [string, string][] = [
      ["team/other", id],
      ["team/app/sub", id],
      [repository, id.toUpperCase()],
      [repository, ""],
      [repository, "../temporary/x"],
      [repository, `${id}.0123456789abcdef`],
      [repository, crypto.randomUUID()],
    ];
    for (const [at, other] of others) {
      expect(await world.uploads.size(at, other)).toBeNull();
      const work = world.uploads.hold(at, other, async () => undefined);
      expect([at, other, await errorOf(work)]).toEqual([at, other, "UPLOAD_UNKNOWN"]);
    }
    expect(await world.uploads.size(repository, id)).toBe(0);
  });

  test("has one holder: the loser is told so, and the session goes on", async () => {
    await using world = await openWorld();
    const id = await world.uploads.start(repository);
    await world.uploads.hold(repository, id, async (upload) => {
      for (const uploads of [world.uploads, world.elsewhere]) {
        const work = uploads.hold(repository, id, (other) =>
          appendUpload(other, stream(sample(99))),
        );
        expect(await errorOf(work)).toBe("UPLOAD_BUSY");
      }
      await appendUpload(upload, stream(sample(10)));
    });
    expect(await world.elsewhere.size(repository, id)).toBe(10);
  });

  test("is free again when its holder failed", async () => {
    await using world = await openWorld();
    const id = await world.uploads.start(repository);
    const failing = world.uploads.hold(repository, id, () => Promise.reject(new Error("mistake")));
    expect(String(await reasonOf(failing))).toContain("mistake");
    await world.elsewhere.hold(repository, id, (upload) => appendUpload(upload, stream(sample(1))));
    expect(await world.uploads.size(repository, id)).toBe(1);
  });

  test("that was finished takes no more bytes, whatever became of its process", async () => {
    await using world = await openWorld();
    const id = await world.uploads.start(repository);
    await world.uploads.hold(repository, id, async (upload) => {
      await appendUpload(upload, stream(sample(10)));
      await upload.finish(repository, digestOf("sha256", sample(10)));
    });
    const more = (upload: HeldUpload) => appendUpload(upload, stream(sample(3)));
    const work = world.elsewhere.hold(repository, id, more);
    expect(await errorOf(work)).toBe("UPLOAD_INVALID");
    expect(await world.uploads.size(repository, id)).toBe(10);
    const digest = digestOf("sha256", sample(10));
    expect(await world.stores.blobs.read(repository, digest, 99)).toEqual(sample(10));
  });
});

describe("a chunk", () => {
  const rows: readonly {
    readonly says: string;
    readonly request: AppendRequest;
    readonly refused?: string;
  }[] = [
    { says: "that continues", request: chunk(10, sample(5)) },
    { says: "of one byte", request: chunk(10, sample(1)) },
    { says: "that begins too early", request: chunk(9, sample(5)), refused: "UPLOAD_RANGE" },
    { says: "that begins too late", request: chunk(11, sample(5)), refused: "UPLOAD_RANGE" },
    { says: "that begins anew", request: chunk(0, sample(5)), refused: "UPLOAD_RANGE" },
    {
      says: "with fewer bytes than it names",
      request: chunk(10, sample(5), 15),
      refused: "SIZE_INVALID",
    },
    {
      says: "with more bytes than it names",
      request: chunk(10, sample(5), 13),
      refused: "SIZE_INVALID",
    },
    {
      says: "of unannounced length with fewer bytes",
      request: { ...chunk(10, sample(5), 15), source: { body: sample(5), lengthBytes: null } },
      refused: "SIZE_INVALID",
    },
    {
      says: "of unannounced length with more bytes",
      request: { ...chunk(10, sample(5), 13), source: { body: sample(5), lengthBytes: null } },
      refused: "SIZE_INVALID",
    },
    {
      says: "over the limit",
      request: { ...chunk(10, sample(5)), uploadBytesMax: 14 },
      refused: "UPLOAD_TOO_LARGE",
    },
    {
      says: "up to the limit",
      request: { ...chunk(10, sample(5)), uploadBytesMax: 15 },
    },
  ];
  for (const { says, request, refused } of rows) {
    test(`${says} is ${refused === undefined ? "taken" : `refused (${refused}), with nothing kept`}`, async () => {
      await using world = await openWorld();
      const id = await world.uploads.start(repository);
      const body = request.source.body as Uint8Array;
      const after = refused === undefined ? 10 + body.length : 10;
      await world.uploads.hold(repository, id, async (upload) => {
        await appendUpload(upload, chunk(0, sample(10, 7)));
        if (refused !== undefined)
          expect(await errorOf(appendUpload(upload, request))).toBe(refused);
        else expect((await appendUpload(upload, request)).brokenOff).toBe(false);
        expect(upload.sizeBytes).toBe(after);
        const all = Buffer.concat([sample(10, 7), body]).subarray(0, after);
        expect(await upload.digest("sha256")).toBe(digestOf("sha256", all));
      });
      expect(await world.elsewhere.size(repository, id)).toBe(after);
    });
  }

  test("any division into chunks, through any workers, with refused ones between, gives the same bytes", async () => {
    const steps = fc.array(
      fc.record({
        length: fc.integer({ min: 1, max: 5000 }),
        wrong: fc.constantFrom(0, 0, 1, -1, 100),
        elsewhere: fc.boolean(),
      }),
      { maxLength: 15 },
    );
    const property = fc.asyncProperty(steps, async (steps) => {
      await using world = await openWorld();
      const id = await world.uploads.start(repository);
      let model = Buffer.alloc(0);
      for (const [index, { length, wrong, elsewhere }] of steps.entries()) {
        const uploads = elsewhere ? world.elsewhere : world.uploads;
        const bytes = sample(length, index);
        const position: Chunk = {
          first: model.length + wrong,
          last: model.length + wrong + length - 1,
        };
        const request = { ...stream(bytes), chunk: position };
        const work = uploads.hold(repository, id, (upload) => appendUpload(upload, request));
        if (wrong !== 0) expect(await errorOf(work)).toBe("UPLOAD_RANGE");
        else {
          await work;
          model = Buffer.concat([model, bytes]);
        }
        expect(await world.uploads.size(repository, id)).toBe(model.length);
      }
      await world.uploads.hold(repository, id, async (upload) => {
        expect(await upload.digest("sha512")).toBe(digestOf("sha512", model));
      });
    });
    await fc.assert(property, { numRuns: 25 });
  });
});

describe("expiry", () => {
  const hourMs = 3_600_000;
  const age = async (world: World, ageMs: number): Promise<void> => {
    for (const name of await world.stores.uploads.ids()) {
      const at = (Date.now() - ageMs) / 1000;
      await utimes(join(world.root, uploadsDirectory, name), at, at);
    }
  };

  test("drops sessions that nobody touched for so long, and no others", async () => {
    await using world = await openWorld();
    const old = await world.uploads.start(repository);
    await age(world, 2 * hourMs);
    const young = await world.uploads.start(repository);
    expect(await world.elsewhere.expire(Date.now(), hourMs)).toBe(1);
    expect(await world.uploads.size(repository, old)).toBeNull();
    expect(await world.uploads.size(repository, young)).toBe(0);
    expect(await world.uploads.expire(Date.now(), hourMs)).toBe(0);
  });

  test("counts from the last byte, not from the beginning", async () => {
    await using world = await openWorld();
    const id = await world.uploads.start(repository);
    await age(world, 2 * hourMs);
    await world.uploads.hold(repository, id, (upload) => appendUpload(upload, stream(sample(1))));
    expect(await world.uploads.expire(Date.now(), hourMs)).toBe(0);
    expect(await world.uploads.size(repository, id)).toBe(1);
  });

  test("leaves a session that is held, and one that was touched while it looked", async () => {
    await using world = await openWorld();
    const held = await world.uploads.start(repository);
    await world.uploads.hold(repository, held, async () => {
      await age(world, 2 * hourMs);
      expect(await world.elsewhere.expire(Date.now(), hourMs)).toBe(0);
    });

    // Another worker takes bytes between the listing and the lock.
    const listing = new Proxy(world.stores.uploads, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== "function") return value;
        if (property !== "hold") return value.bind(target) as unknown;
        return async (id: string) => {
          await world.elsewhere.hold(repository, held, (upload) =>
            appendUpload(upload, stream(sample(4))),
          );
          return target.hold(id);
        };
      },
    });
    expect(await new Uploads(listing, systemClock).expire(Date.now(), hourMs)).toBe(0);
    expect(await world.uploads.size(repository, held)).toBe(4);
  });

  test("drops sessions that hold nothing sooner, however long others may rest", async () => {
    await using world = await openWorld();
    const empty = await world.uploads.start(repository);
    const used = await world.uploads.start(repository);
    await world.uploads.hold(repository, used, (upload) => appendUpload(upload, stream(sample(1))));
    await age(world, hourMs);
    expect(await world.uploads.expire(Date.now(), 24 * hourMs)).toBe(1);
    expect(await world.uploads.size(repository, empty)).toBeNull();
    expect(await world.uploads.size(repository, used)).toBe(1);
  });
});

describe("open sessions", () => {
  test("of one caller are limited, whichever worker opens them, and others open theirs", async () => {
    await using world = await openWorld();
    const clock = manualClock(0);
    const [here, there] = [0, 1].map(() => new Uploads(world.stores.uploads, clock));
    const ids: string[] = [];
    for (let count = 0; count < callerUploadsMax; count += 1) {
      ids.push(await here!.start(repository, "", "stranger"));
    }
    await clock.advance(1_000);
    for (const uploads of [here!, there!]) {
      expect(await reasonOf(uploads.start(repository, "", "stranger"))).toMatchObject({
        reason: "TOO_MANY_REQUESTS",
        headers: { "retry-after": "60" },
      });
      await uploads.start(repository, "", "somebody else");
    }
    const [first = ""] = ids;
    await here!.hold(repository, first, (upload) => upload.discard());
    await clock.advance(1_000);
    await there!.start(repository, "", "stranger");
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("that have ended since the last look are no reason to refuse another", async () => {
    await using world = await openWorld();
    const clock = manualClock(0);
    const uploads = new Uploads(world.stores.uploads, clock);
    for (let count = 0; count < callerUploadsMax; count += 1) {
      const id = await uploads.start(repository, "", "busy");
      await uploads.hold(repository, id, (upload) => upload.discard());
    }
    // A program that pushes a thousand small blobs within a second.
    await clock.advance(50);
    await uploads.start(repository, "", "busy");
  });

  test("that were opened at once are counted all the same", async () => {
    await using world = await openWorld();
    const many = Array.from({ length: callerUploadsMax + 5 }, () =>
      reasonOf(world.uploads.start(repository, "", "stranger")),
    );
    const refused = (await Promise.all(many)).filter((each) => each instanceof Error);
    expect(refused).toHaveLength(5);
  });
});
