// Requests of one push at several replicas: bytes are right, requests to the store are few, and who was thought to be
// dead changes nothing.

import { describe, expect, test } from "bun:test";
import { bytesSource, held, sample, unlimited } from "../../../test/contracts/store_samples.ts";
import { openReplicaStores, type ReplicaStores } from "../../../test/objects/replica_stores.ts";
import { reasonOf } from "../../../test/reason_of.ts";
import { MiB } from "../../lib/bytes.ts";
import { objects } from "../../metadata/objects.ts";
import { uploads as uploadRows } from "../../metadata/uploads.ts";
import { digestOf, type Algorithm } from "../../oci/digest.ts";
import { UploadTaken } from "../upload_store.ts";
import type { UploadSessions } from "../upload_sessions.ts";
import { ObjectStoreUnavailable } from "./object_store.ts";

const repository = "team/app";
const day = 24 * 60 * 60_000;

function cut(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  let at = 0;
  return lengths.map((length) => bytes.subarray(at, (at += length)));
}

/** A request that appends, at one replica. */
async function patch({ replicas }: ReplicaStores, at: number, bytes: Uint8Array): Promise<void> {
  await using upload = await held(replicas[at]!.uploads, "one");
  await upload.append(bytesSource(bytes), unlimited);
}

/** A request that finishes, as `finishUpload` does; it leaves the upload as it was where the digest is another one. */
async function put(
  world: ReplicaStores,
  at: number,
  { last, digest }: { last: Uint8Array; digest: ReturnType<typeof digestOf> },
): Promise<boolean> {
  await using upload = await held(world.replicas[at]!.uploads, "one");
  const before = upload.sizeBytes;
  await upload.append(bytesSource(last), unlimited);
  const algorithm: Algorithm = digest.startsWith("sha256") ? "sha256" : "sha512";
  if ((await upload.digest(algorithm)) !== digest) {
    await upload.truncate(before);
    return false;
  }
  const unnamed = await upload.finish(repository, digest, { mayBeUnnamed: true });
  if (unnamed !== null) {
    const { records, changes } = unnamed.naming;
    await world.metadata.commit({ records, changes });
  }
  await upload.discard();
  return true;
}

async function atRest(
  world: ReplicaStores,
  bytes: Uint8Array,
  digest: ReturnType<typeof digestOf>,
) {
  for (const { blobs, uploads } of world.replicas) {
    expect(await blobs.read(repository, digest, bytes.length)).toEqual(Buffer.from(bytes));
    expect(await uploads.ids()).toEqual([]);
  }
  expect(await world.problems()).toEqual([]);
  world.clock.jump(2 * day);
  await world.replicas[0]!.upkeep!.removeFreed(day);
  world.clock.jump(2 * day);
  await world.replicas[0]!.upkeep!.removeFreed(day);
  const states = (await world.metadata.records(objects).keys("", 1_000)).map(({ state }) => state);
  expect(states).toEqual(["content"]);
  expect((await world.store.list("objects/", null)).objects).toHaveLength(1);
}

const shapes = {
  "small chunks": [1_000, 70_000, 300_000],
  "an object, and more": [300_000, 17 * MiB, 100],
  "parts, a tail, parts": [20 * MiB, 1_000, 6 * MiB],
  "parts alone": [17 * MiB, 6 * MiB, 6 * MiB],
};

describe("each request at any of two replicas", () => {
  for (const [says, lengths] of Object.entries(shapes)) {
    const bytes = sample(lengths.reduce((sum, each) => sum + each, 0));
    for (const isLastEmpty of [true, false]) {
      test(`${says}, ${isLastEmpty ? "and an end without bytes" : "the last one with the end"}`, async () => {
        const chunks = cut(bytes, lengths);
        const last = isLastEmpty ? new Uint8Array() : chunks.pop()!;
        // Each request has a bit, which says where it goes; of those that take long some ways are tried.
        const ways = 2 ** (chunks.length + 1);
        const stride = bytes.length > MiB ? 5 : 1;
        for (let way = stride === 1 ? 0 : 1; way < ways; way += stride) {
          await using world = await openReplicaStores();
          const at = (step: number): number => (way >> step) & 1;
          const digest = digestOf(way % 2 === 0 ? "sha256" : "sha512", bytes);
          await world.replicas[0]!.uploads.create("one", repository);
          let sizeBytes = 0;
          for (const [step, chunk] of chunks.entries()) {
            await patch(world, at(step), chunk);
            sizeBytes += chunk.length;
            for (const { uploads } of world.replicas) {
              expect((await uploads.stat("one", repository))?.sizeBytes).toBe(sizeBytes);
            }
            expect(await world.problems()).toEqual([]);
          }
          const ends = at(chunks.length);
          const wrong = digestOf("sha256", sample(10));
          expect(await put(world, ends, { last: sample(50, 3), digest: wrong })).toBe(false);
          expect(await put(world, 1 - ends, { last: new Uint8Array(), digest: wrong })).toBe(false);
          for (const { uploads } of world.replicas) {
            expect((await uploads.stat("one", repository))?.sizeBytes).toBe(sizeBytes);
          }
          expect(await put(world, ends, { last, digest })).toBe(true);
          await atRest(world, bytes, digest);
        }
      });
    }
  }
});

describe("requests to the store", () => {
  const small = sample(100_000);
  const large = sample(33 * MiB);
  const none = new Uint8Array();
  const large2 = { startParts: 1, putPart: 2, completeParts: 1 };
  for (const [says, bytes, expected] of [
    ["one part", small, { put: 1 }],
    ["n parts", large, large2],
  ] as const) {
    for (const ends of [0, 1]) {
      test(`a chunk with all of ${says}, and an end at replica ${ends}`, async () => {
        await using world = await openReplicaStores();
        await world.replicas[0]!.uploads.create("one", repository);
        await patch(world, 0, bytes);
        expect(await put(world, ends, { last: none, digest: digestOf("sha256", bytes) })).toBe(
          true,
        );
        expect(world.store.counted()).toEqual(expected);
      });
    }

    test(`an end that brings all of ${says}`, async () => {
      await using world = await openReplicaStores();
      await world.replicas[0]!.uploads.create("one", repository);
      expect(await put(world, 1, { last: bytes, digest: digestOf("sha256", bytes) })).toBe(true);
      expect(world.store.counted()).toEqual(expected);
    });
  }

  test("wrong digests of chunks of several replicas cost one reading", async () => {
    await using world = await openReplicaStores();
    await world.replicas[0]!.uploads.create("one", repository);
    const chunks = cut(large, [17 * MiB, 16 * MiB]);
    await patch(world, 0, chunks[0]!);
    await patch(world, 1, chunks[1]!);
    world.store.counted();
    const wrong = digestOf("sha256", small);
    for (let round = 0; round < 5; round += 1) {
      expect(await put(world, round % 2, { last: none, digest: wrong })).toBe(false);
    }
    expect(world.store.counted()).toEqual({ completeParts: 1, get: 1 });
    expect(await put(world, 0, { last: none, digest: digestOf("sha256", large) })).toBe(true);
    expect(world.store.counted()).toEqual({});
  });
});

describe("a holder that says nothing", () => {
  const chunks = [sample(200_000), sample(200_000, 5), sample(6 * MiB, 7)];

  /** One that stops with a chunk in its hands, another that goes on, and the first one that comes back. */
  async function comesBack(
    planted?: (sessions: UploadSessions) => UploadSessions,
  ): Promise<string[]> {
    await using world = await openReplicaStores(2, planted);
    const [one, other] = world.replicas;
    await one!.uploads.create("one", repository);
    await patch(world, 0, chunks[0]!);
    const stopped = await held(one!.uploads, "one");
    await stopped.append(bytesSource(chunks[1]!), unlimited);
    expect(await other!.uploads.hold("one", repository)).toBe("busy");
    world.clock.jump(29_000);
    expect(await other!.uploads.hold("one", repository)).toBe("busy");
    world.clock.jump(1_001);
    const found: string[] = [];
    const goesOn = await held(other!.uploads, "one");
    expect(goesOn.sizeBytes).toBe(chunks[0]!.length);
    await goesOn.append(bytesSource(chunks[2]!), unlimited);
    // It comes back while the other one is at work.
    const late = await reasonOf(stopped.close());
    if (!(late instanceof UploadTaken)) found.push(`the late one was told ${String(late)}`);
    const told = await goesOn.close().then(() => null, String);
    if (told !== null) found.push(`the one that goes on was told ${told}`);
    const bytes = Buffer.concat([chunks[0]!, chunks[2]!]);
    const digest = digestOf("sha256", bytes);
    const isWhole = await put(world, 0, { last: new Uint8Array(), digest }).catch(String);
    if (isWhole !== true) found.push(`the end: ${isWhole}`);
    const read = await one!.blobs.read(repository, digest, bytes.length);
    if (read === null || !Buffer.from(read).equals(bytes)) found.push("the bytes are others");
    found.push(...(await world.problems()));
    return found;
  }

  test("is taken for dead after thirty seconds, and changes nothing when it comes back", async () => {
    expect(await comesBack()).toEqual([]);
  });

  test("and this would tell of changes by somebody who is no holder", async () => {
    let last = "";
    const found = await comesBack((sessions) => ({
      ...sessions,
      take: async (id, holder) => {
        const taken = await sessions.take(id, holder);
        if (taken !== null && taken !== "busy") last = holder;
        return taken;
      },
      change: (id, _holder, change) => sessions.change(id, last, change),
    }));
    expect(found).not.toEqual([]);
  });

  test("is known to live while it renews", async () => {
    await using world = await openReplicaStores();
    const [one, other] = world.replicas;
    await one!.uploads.create("one", repository);
    const upload = await held(one!.uploads, "one");
    for (let round = 0; round < 8; round += 1) {
      await world.clock.advance(10_000);
      expect(await other!.uploads.hold("one", repository)).toBe("busy");
    }
    await upload.append(bytesSource(chunks[0]!), unlimited);
    await upload.close();
    expect((await other!.uploads.stat("one", repository))?.sizeBytes).toBe(chunks[0]!.length);
  });
});

describe("a request that is cut off", () => {
  const lengths = [17 * MiB, 1_000, 6 * MiB];
  const bytes = sample(lengths.reduce((sum, each) => sum + each, 0));
  const chunks = cut(bytes, lengths);

  for (const when of ["before", "after"] as const) {
    test(`by each request to the store, ${when} it is done: the session is as it was, and goes on at the other replica`, async () => {
      for (let k = 1; ; k += 1) {
        await using world = await openReplicaStores();
        let count = 0;
        let isCut = false;
        world.store.onRequest = (_operation, _number, moment) => {
          if (moment !== when) return;
          count += 1;
          if (count !== k) return;
          isCut = true;
          throw new ObjectStoreUnavailable("no answer");
        };
        await world.replicas[0]!.uploads.create("one", repository);
        const digest = digestOf("sha256", bytes);
        let sizeBytes = 0;
        for (const chunk of chunks) {
          for (let at = 0; ; at = 1 - at) {
            const reason = await patch(world, at, chunk).catch((error: unknown) => error);
            if (reason === undefined) break;
            expect(reason).toBeInstanceOf(ObjectStoreUnavailable);
            const stat = await world.replicas[1]!.uploads.stat("one", repository);
            expect(stat?.sizeBytes).toBe(sizeBytes);
          }
          sizeBytes += chunk.length;
        }
        for (let at = 1; ; at = 1 - at) {
          const none = new Uint8Array();
          const done = await put(world, at, { last: none, digest }).catch(
            (error: unknown) => error,
          );
          if (done === true) break;
          expect(done).toBeInstanceOf(ObjectStoreUnavailable);
        }
        const wasCut = isCut;
        world.store.onRequest = () => undefined;
        await atRest(world, bytes, digest);
        if (!wasCut) return;
      }
    });
  }
});

describe("one chunk at two replicas at once", () => {
  test("one of them is told that the other is at work, and the bytes are there once", async () => {
    await using world = await openReplicaStores();
    await world.replicas[0]!.uploads.create("one", repository);
    const chunk = sample(500_000);
    const found = await Promise.all(
      world.replicas.map(({ uploads }) => uploads.hold("one", repository)),
    );
    const holders = found.filter((each) => each !== null && each !== "busy");
    expect(holders).toHaveLength(1);
    const [holder] = holders;
    await holder!.append(bytesSource(chunk), unlimited);
    await holder!.close();
    const digest = digestOf("sha256", chunk);
    expect(await put(world, 1, { last: new Uint8Array(), digest })).toBe(true);
    await atRest(world, chunk, digest);
  });
});

describe("what a machine keeps of sessions", () => {
  test("goes when they went on elsewhere, or ended, and nothing else of it", async () => {
    await using world = await openReplicaStores();
    const [one, other] = world.replicas;
    for (const id of ["one", "two"]) await one!.uploads.create(id, repository);
    await patch(world, 0, sample(1_000));
    {
      await using upload = await held(one!.uploads, "two");
      await upload.append(bytesSource(sample(1_000)), unlimited);
    }
    expect(await one!.uploads.removeStale!()).toBe(0);
    // It goes on at the other one.
    await patch(world, 1, sample(1_000));
    expect(await one!.uploads.removeStale!()).toBe(1);
    expect(await other!.uploads.removeStale!()).toBe(0);
    {
      await using upload = await held(other!.uploads, "two");
      await upload.discard();
    }
    expect(await one!.uploads.removeStale!()).toBe(1);
    expect(await other!.uploads.removeStale!()).toBe(0);
    expect(await world.metadata.records(uploadRows).ids()).toEqual([{ id: "one" }]);
  });
});
