// The end of an upload: what a blob is afterwards, what is shared, and what is left when it fails.

import { blobSize } from "../../test/contracts/metadata_facts.ts";
import { describe, expect, test } from "bun:test";
import { stat } from "node:fs/promises";
import { sample, unlimited } from "../../test/contracts/store_samples.ts";
import { reasonOf } from "../../test/reason_of.ts";
import {
  filesOf,
  kindsOf,
  openWorld,
  pushBlob,
  repository,
  watched,
  type World,
  writeBlobFile,
} from "../../test/registry/world.ts";
import { MetadataFull, MetadataUnavailable } from "../metadata/metadata.ts";
import { digestOf, type Algorithm, type Digest } from "../oci/digest.ts";
import { blobKey } from "../storage/layout.ts";
import { appendUpload, type AppendRequest } from "./append_upload.ts";
import { removeBlob } from "./delete.ts";
import { callerUploadsMax } from "./open_uploads.ts";
import { finishUpload, pushBytes } from "./push_blob.ts";
import type { Registry } from "./registry.ts";

const bytes = sample(5000);
const digest = digestOf("sha256", bytes);

const body = (part: Uint8Array): AppendRequest => ({
  source: { body: part, lengthBytes: part.length },
  chunk: null,
  ...unlimited,
});

async function readBlob({ registry }: World, of: Digest = digest, at = repository) {
  const size = await blobSize(registry.metadata, at, of);
  if (size === null) return null;
  return registry.blobs.read(at, of, size);
}

const sessions = ({ stores }: World): Promise<string[]> => stores.uploads.ids();

/** Finishes a session of `first` with `last`, by a registry that may be another one than the world's. */
async function finish(
  registry: Registry,
  id: string,
  claimed: Digest,
  last: Uint8Array = new Uint8Array(),
  acknowledgedBytes = 0,
): Promise<unknown> {
  const request = { repository, digest: claimed, last: body(last), acknowledgedBytes, by: null };
  const work = registry.uploads.hold(repository, id, (upload) =>
    finishUpload(registry, upload, request),
  );
  return reasonOf(work);
}

async function sessionWith({ registry }: World, part: Uint8Array): Promise<string> {
  const id = await registry.uploads.start(repository);
  await registry.uploads.hold(repository, id, (upload) => appendUpload(upload, body(part)));
  return id;
}

/** Pushes a blob that is at hand whole; returns its digest. */
async function pushAtHand(
  { registry }: World,
  whole: Uint8Array,
  at = repository,
  algorithm: Algorithm = "sha256",
): Promise<Digest> {
  const of = digestOf(algorithm, whole);
  await pushBytes(registry, { repository: at, digest: of, bytes: whole, by: "alice" });
  return of;
}

const ways: readonly [string, typeof pushAtHand][] = [
  ["in a session", pushBlob],
  ["whole", pushAtHand],
];

describe.each(ways)("a blob pushed %s", (_way, push) => {
  for (const algorithm of ["sha256", "sha512"] as const) {
    test(`is readable under its ${algorithm} digest, and its session is gone`, async () => {
      await using world = await openWorld();
      const pushed = await push(world, bytes, repository, algorithm);
      expect(pushed).toStartWith(`${algorithm}:`);
      expect(await readBlob(world, pushed)).toEqual(bytes);
      expect(await sessions(world)).toEqual([]);
      expect(await filesOf(world)).toEqual([
        blobKey(repository, pushed),
        `${repository}/index.json`,
        `${repository}/oci-layout`,
      ]);
    });
  }

  test("is the same when it is pushed again", async () => {
    await using world = await openWorld();
    for (let index = 0; index < 3; index += 1) await push(world, bytes);
    expect(await readBlob(world)).toEqual(bytes);
    expect(await filesOf(world)).toHaveLength(3);
  });

  test("is one file with its equals in other repositories", async () => {
    await using world = await openWorld();
    const repositories = [repository, "team/other", "third", "a/blobs"];
    for (const at of repositories) await push(world, bytes, at);
    const infos = await Promise.all(
      repositories.map((at) => stat(world.pathOf(blobKey(at, digest)))),
    );
    expect(new Set(infos.map(({ ino }) => ino)).size).toBe(1);
    expect(infos[0]!.nlink).toBe(repositories.length);
    // Each has it on its own: deleting one leaves the others.
    await removeBlob(world.registry, { repository, target: digest, by: null });
    await world.settle();
    expect((await stat(world.pathOf(blobKey("third", digest)))).nlink).toBe(3);
    expect(await readBlob(world)).toBeNull();
    expect(await readBlob(world, digest, "third")).toEqual(bytes);
  });

  test("is a file of its own where sharing is off", async () => {
    await using world = await openWorld({ dedupe: false });
    for (const at of [repository, "team/other"]) await push(world, bytes, at);
    expect((await stat(world.pathOf(blobKey(repository, digest)))).nlink).toBe(1);
  });

  test("is stored when the repository that should share it has lost the bytes", async () => {
    await using world = await openWorld();
    await push(world, bytes, "team/other");
    await world.registry.blobs.remove("team/other", digest);
    await push(world, bytes);
    expect(await readBlob(world)).toEqual(bytes);
  });

  for (const [says, damaged] of [
    ["of the same length", sample(bytes.length, 9)],
    ["that was cut short", bytes.slice(0, 10)],
    ["that is empty", new Uint8Array()],
  ] as const) {
    test(`takes the place of a damaged file ${says}`, async () => {
      await using world = await openWorld();
      await writeBlobFile(world, digest, damaged);
      await push(world, bytes);
      expect(await readBlob(world)).toEqual(bytes);
    });

    test(`that is shared takes the place of a damaged file ${says}`, async () => {
      await using world = await openWorld();
      await push(world, bytes, "team/other");
      await writeBlobFile(world, digest, damaged);
      await push(world, bytes);
      expect(await readBlob(world)).toEqual(bytes);
      expect(await readBlob(world, digest, "team/other")).toEqual(bytes);
    });
  }

  test("many pushes of one blob at once, in one repository and in several", async () => {
    await using world = await openWorld();
    const repositories = [repository, "team/other", "third"];
    await Promise.all(
      Array.from({ length: 24 }, (_, index) => push(world, bytes, repositories[index % 3])),
    );
    for (const at of repositories) expect(await readBlob(world, digest, at)).toEqual(bytes);
    expect(await sessions(world)).toEqual([]);
  });
});

describe("a blob that is at hand whole", () => {
  test("needs no session, so that open ones do not stop it", async () => {
    await using world = await openWorld();
    const opened = Array.from({ length: callerUploadsMax }, () =>
      world.registry.uploads.start(repository),
    );
    await Promise.all(opened);
    await pushAtHand(world, bytes);
    expect(await readBlob(world)).toEqual(bytes);
  });

  test("and has another digest leaves nothing", async () => {
    await using world = await openWorld();
    const request = { repository, digest, bytes: sample(5000, 9), by: null };
    const pushed = pushBytes(world.registry, request);
    expect(await reasonOf(pushed)).toMatchObject({ reason: "DIGEST_INVALID" });
    expect(await filesOf(world)).toEqual([]);
    expect(await world.registry.metadata.repositoryExists(repository)).toBe(false);
  });
});

describe("an upload that fails", () => {
  test("by its digest goes back to where it stood before the request", async () => {
    await using world = await openWorld();
    const [first, last] = [bytes.slice(0, 3000), bytes.slice(3000)];
    const id = await sessionWith(world, first);
    const wrong = digestOf("sha256", sample(1));
    expect(await finish(world.registry, id, wrong, last)).toMatchObject({
      reason: "DIGEST_INVALID",
    });
    expect(await world.registry.uploads.size(repository, id)).toBe(first.length);
    expect(await world.registry.metadata.repositoryExists(repository)).toBe(false);
    expect(await filesOf(world)).toEqual([]);
    expect(await finish(world.registry, id, digest, last)).toEqual({ value: undefined });
    expect(await readBlob(world)).toEqual(bytes);
  });

  const first = bytes.slice(0, 3000);
  const last = bytes.slice(3000);
  const repetitions: readonly (readonly [string, Uint8Array, number, isTaken: boolean])[] = [
    ["the last bytes again", last, first.length, true],
    ["all of them again, none of which was acknowledged", bytes, 0, true],
    ["fewer others", sample(1, 9), first.length, false],
    ["more than there are", new Uint8Array([...bytes, ...bytes]), 0, false],
    ["all of them again, though some were acknowledged", bytes, first.length, false],
    ["bytes after all were acknowledged", last, bytes.length, false],
  ];
  test.each([...repetitions])(
    "whose bytes had all come before takes %s",
    async (_, sent, acknowledgedBytes, isTaken) => {
      await using world = await openWorld();
      const id = await sessionWith(world, bytes);
      const finished = await finish(world.registry, id, digest, sent, acknowledgedBytes);
      expect(finished).toMatchObject(isTaken ? { value: undefined } : { reason: "DIGEST_INVALID" });
      expect(await readBlob(world)).toEqual(isTaken ? bytes : null);
      const left = await world.registry.uploads.size(repository, id);
      expect(left).toBe(isTaken ? null : bytes.length);
    },
  );

  test("by a body that breaks off goes back to where it stood", async () => {
    await using world = await openWorld();
    const id = await sessionWith(world, bytes.slice(0, 3000));
    const broken = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes.slice(3000, 4000));
        controller.error(new Error("the client went away"));
      },
    });
    const request = new Request("http://x/", { method: "PUT", body: broken });
    const last: AppendRequest = {
      source: { body: request, lengthBytes: null },
      chunk: null,
      ...unlimited,
    };
    const work = world.registry.uploads.hold(repository, id, (upload) =>
      finishUpload(world.registry, upload, {
        repository,
        digest,
        last,
        acknowledgedBytes: 0,
        by: null,
      }),
    );
    expect(await reasonOf(work)).toMatchObject({ reason: "SIZE_INVALID" });
    expect(await world.registry.uploads.size(repository, id)).toBe(3000);
  });

  for (const failure of [
    new MetadataFull("no space"),
    new MetadataUnavailable("unknown outcome"),
  ]) {
    test(`because its fact cannot be written (${failure.name}) is finished by a later request`, async () => {
      await using world = await openWorld();
      const id = await sessionWith(world, bytes);
      const failing = watched(world.registry, async (commit) => {
        if (kindsOf(commit).includes("link-blob")) throw failure;
      });
      expect(await finish(failing, id, digest)).toBe(failure);
      expect(await readBlob(world)).toBeNull();
      expect(await world.registry.uploads.size(repository, id)).toBe(bytes.length);
      // What was published for it cannot be changed through it any more.
      expect(await finish(world.registry, id, digest, sample(1))).toMatchObject({
        reason: "UPLOAD_INVALID",
      });
      const file = await world.registry.blobs.read(repository, digest, bytes.length);
      expect(file).toEqual(bytes);
      const wrong = digestOf("sha256", sample(1));
      expect(await finish(world.registry, id, wrong)).toMatchObject({ reason: "DIGEST_INVALID" });
      expect(await finish(world.registry, id, digest)).toEqual({ value: undefined });
      expect(await readBlob(world)).toEqual(bytes);
      expect(await sessions(world)).toEqual([]);
    });
  }

  for (const first of [0, 3000]) {
    for (const failure of [
      new MetadataFull("no space"),
      new MetadataUnavailable("unknown outcome"),
      "swept",
    ] as const) {
      const says = failure instanceof Error ? failure.name : failure;
      test(`after ${first} bytes (${says}) can be repeated as it was, with its body`, async () => {
        await using world = await openWorld();
        for (const donor of [null, "team/other"]) {
          if (donor !== null) await pushBlob(world, bytes, donor);
          const id = await sessionWith(world, bytes.slice(0, first));
          const failing = watched(world.registry, async (commit) => {
            if (!kindsOf(commit).includes("link-blob")) return;
            if (failure instanceof Error) throw failure;
            await world.registry.blobs.remove(repository, digest);
          });
          const last = bytes.slice(first);
          for (let round = 0; round < 2; round += 1) {
            const refused = await finish(failing, id, digest, last, first);
            if (failure instanceof Error) expect(refused).toBe(failure);
            else expect(refused).toMatchObject({ reason: "UNAVAILABLE" });
          }
          const repeated = await finish(world.registry, id, digest, last, first);
          expect(repeated).toEqual({ value: undefined });
          expect(await readBlob(world)).toEqual(bytes);
          expect(await sessions(world)).toEqual([]);
          await removeBlob(world.registry, { repository, target: digest, by: null });
          await world.settle();
        }
      });
    }
  }

  test("because the bytes are swept each time is told to be tried again, and loses nothing", async () => {
    await using world = await openWorld();
    const id = await sessionWith(world, bytes);
    let sweeps = 0;
    const sweeping = watched(world.registry, async (commit) => {
      if (!kindsOf(commit).includes("link-blob")) return;
      sweeps += 1;
      await world.registry.blobs.remove(repository, digest);
    });
    expect(await finish(sweeping, id, digest)).toMatchObject({ reason: "UNAVAILABLE" });
    expect(sweeps).toBe(3);
    expect(await readBlob(world)).toBeNull();
    expect(await finish(world.registry, id, digest)).toEqual({ value: undefined });
    expect(await readBlob(world)).toEqual(bytes);
  });

  test("is not kept by a sweep that crosses it once", async () => {
    await using world = await openWorld();
    const id = await sessionWith(world, bytes);
    let crossed = false;
    const sweeping = watched(world.registry, async (commit) => {
      if (!kindsOf(commit).includes("link-blob") || crossed) return;
      crossed = true;
      await world.registry.blobs.remove(repository, digest);
    });
    expect(await finish(sweeping, id, digest)).toEqual({ value: undefined });
    expect(crossed).toBe(true);
    expect(await readBlob(world)).toEqual(bytes);
  });
});
