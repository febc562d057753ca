// Files that are not what was recorded, and what becomes of them: never read as a clean answer, never shared on, never
// good enough for a manifest, and mended by the next push of the same bytes wherever it is made.

import { describe, expect, test } from "bun:test";
import { lstat, open, rename, rm, stat, symlink, truncate } from "node:fs/promises";
import { sample } from "../../test/contracts/store_samples.ts";
import { reasonOf } from "../../test/reason_of.ts";
import { image, openWorld, pushBlob, putManifest, type World } from "../../test/registry/world.ts";
import { digestOf, type Digest } from "../oci/digest.ts";
import { blobKey } from "../storage/layout.ts";
import { readContent, requireContent, requireStored } from "./content.ts";
import { mountBlob } from "./mount_blob.ts";

/** Small enough for memory, and too large for it. */
const sizes = [5_000, 300_000];

/** What can become of a file; each changes the inode, as a faulty disk or a careless tool does. */
const damages: Readonly<Record<string, (path: string) => Promise<void>>> = {
  "changed in three bytes": async (path) => {
    const file = await open(path, "r+");
    await file.write(new Uint8Array([1, 2, 3]), 0, 3, 1000);
    await file.close();
  },
  "cut short": (path) => truncate(path, 100),
  "cut to nothing": (path) => truncate(path, 0),
  "made longer": async (path) => {
    const file = await open(path, "a");
    await file.write(new Uint8Array(7));
    await file.close();
  },
  gone: (path) => rm(path),
};

interface Damaged extends AsyncDisposable {
  readonly world: World;
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly bytesIn: (at: string) => Promise<Uint8Array | null>;
}

/** A world in which these repositories have a blob, whose file in the first one was damaged. */
async function damaged(
  damage: (path: string) => Promise<void>,
  sizeBytes: number,
  repositories: readonly string[],
  dedupe = true,
): Promise<Damaged> {
  const world = await openWorld({ dedupe });
  const bytes = sample(sizeBytes);
  const digest = digestOf("sha256", bytes);
  for (const at of repositories) await pushBlob(world, bytes, at);
  await damage(world.pathOf(blobKey(repositories[0]!, digest)));
  return {
    world,
    bytes,
    digest,
    bytesIn: async (at) => {
      const found = await world.registry.blobs.read(at, digest, sizeBytes * 2);
      return found === null ? null : new Uint8Array(found);
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

for (const [how, damage] of Object.entries(damages)) {
  for (const sizeBytes of sizes) {
    describe(`a blob of ${sizeBytes} bytes whose file was ${how}`, () => {
      test("is right again when it is pushed again", async () => {
        await using at = await damaged(damage, sizeBytes, ["a"]);
        await pushBlob(at.world, at.bytes, "a");
        expect(await at.bytesIn("a")).toEqual(at.bytes);
      });

      test("is not shared with the next repository, whose push mends it", async () => {
        await using at = await damaged(damage, sizeBytes, ["a"]);
        await pushBlob(at.world, at.bytes, "c");
        expect(await at.bytesIn("c")).toEqual(at.bytes);
        expect(await at.bytesIn("a")).toEqual(at.bytes);
        const messages = at.world.reports.map(({ level, message, fields }) => [
          level,
          message,
          fields["repository"],
        ]);
        expect(messages).toEqual([
          ["warn", "a damaged copy was replaced by the bytes of a push", "a"],
        ]);
      });

      test("is mended in every repository that shares the file", async () => {
        const sharers = ["a", "b", "c", "d", "e", "f/g"];
        // Who has a good file has nothing to compare with others.
        for (const pushed of how === "gone" ? ["a", "new"] : ["a", "f/g", "new"]) {
          await using at = await damaged(damage, sizeBytes, sharers);
          await pushBlob(at.world, at.bytes, pushed);
          for (const sharer of [...sharers, pushed]) {
            expect([sharer, await at.bytesIn(sharer)]).toEqual([sharer, at.bytes]);
          }
          const info = async (name: string) => stat(at.world.pathOf(blobKey(name, at.digest)));
          expect((await info("a")).ino).toBe((await info(pushed)).ino);
        }
      });

      test("is mended from a good file of another repository", async () => {
        await using at = await damaged(damage, sizeBytes, ["a", "b"], false);
        expect(await at.bytesIn("b")).toEqual(at.bytes);
        await pushBlob(at.world, at.bytes, "a");
        expect(await at.bytesIn("a")).toEqual(at.bytes);
      });
    });
  }
}

const wrongLength = Object.entries(damages).filter(([how]) => how !== "changed in three bytes");

for (const [how, damage] of wrongLength) {
  for (const sizeBytes of sizes) {
    describe(`a blob of ${sizeBytes} bytes whose file was ${how}`, () => {
      test("is an error to readers that says what was found where", async () => {
        await using at = await damaged(damage, sizeBytes, ["team/a"]);
        const content = { repository: "team/a", digest: at.digest, sizeBytes };
        const { registry } = at.world;
        const reads = sizeBytes === sizes[0] ? [readContent, requireContent] : [requireContent];
        for (const read of [...reads, requireStored]) {
          const error = String(await reasonOf(read(registry, content)));
          expect(error).toContain(`${at.digest} of team/a should be`);
        }
      });

      test("is no source of a mount, nor there for one", async () => {
        await using at = await damaged(damage, sizeBytes, ["a"]);
        for (const repository of ["a", "c"]) {
          for (const from of ["a", null]) {
            const request = { repository, digest: at.digest, from, mayRead: () => true, by: null };
            expect(await mountBlob(at.world.registry, request)).toBe(false);
          }
        }
        expect(await at.world.registry.metadata.blobRecord("c", at.digest)).toBeNull();
      });

      test("is unknown to a manifest that names it, until it is pushed again", async () => {
        await using world = await openWorld();
        const { bytes, blobs } = image(1, { annotations: { filler: "x".repeat(sizeBytes) } });
        for (const blob of blobs) await pushBlob(world, blob, "a");
        const digest = digestOf("sha256", blobs[1]!);
        await damage(world.pathOf(blobKey("a", digest)));
        expect(await reasonOf(putManifest(world, bytes, "one", "a"))).toMatchObject({
          reason: "MANIFEST_BLOB_UNKNOWN",
          errors: [{ detail: { digest } }],
        });
        expect(world.reports).toMatchObject([
          { level: "error", fields: { repository: "a", digest } },
        ]);
        await pushBlob(world, blobs[1]!, "a");
        await putManifest(world, bytes, "one", "a");
      });
    });
  }
}

test("that content is there is believed for a second after a look, in its repository alone", async () => {
  await using at = await damaged(async () => undefined, 5_000, ["a", "b"], false);
  const { world } = at;
  const { registry, clock } = world;
  const content = (repository: string) => ({ repository, digest: at.digest, sizeBytes: 5_000 });
  await requireContent(registry, content("a"));
  for (const repository of ["a", "b"]) await rm(world.pathOf(blobKey(repository, at.digest)));
  await requireContent(registry, content("a"));
  expect(await reasonOf(requireContent(registry, content("b")))).toMatchObject({
    name: "DamagedContent",
  });
  await clock.advance(1_000);
  expect(await reasonOf(requireContent(registry, content("a")))).toMatchObject({
    name: "DamagedContent",
  });
});

describe("small content that was changed in three bytes", () => {
  const change = damages["changed in three bytes"]!;

  test("is an error to readers, and kept from every other repository's readers", async () => {
    await using at = await damaged(change, 5_000, ["a", "b"]);
    const { registry } = at.world;
    const content = (repository: string) => ({
      repository,
      digest: at.digest,
      sizeBytes: at.bytes.length,
    });
    for (const repository of ["a", "b", "a"]) {
      const error = await reasonOf(readContent(registry, content(repository)));
      expect(String(error)).toContain("another digest");
    }
    await pushBlob(at.world, at.bytes, "b");
    for (const repository of ["a", "b"]) {
      const read = await readContent(registry, content(repository));
      expect(Buffer.compare(read, at.bytes)).toBe(0);
    }
  });

  test("is no source of a mount", async () => {
    await using at = await damaged(change, 5_000, ["a"]);
    const request = {
      repository: "c",
      digest: at.digest,
      from: "a",
      mayRead: () => true,
      by: null,
    };
    expect(await mountBlob(at.world.registry, request)).toBe(false);
  });
});

describe("a large file whose bytes were changed at their length", () => {
  const change = damages["changed in three bytes"]!;
  const mount = ({ world, digest }: Damaged, to: string, from: string): Promise<boolean> =>
    mountBlob(world.registry, { repository: to, digest, from, mayRead: () => true, by: null });

  // A mount has no bytes to compare, and hashing them would make it as dear as a push (decision 19).
  for (const pushed of ["a", "b", "c", "elsewhere"]) {
    test(`is mounted, and right in every repository after a push to ${pushed}`, async () => {
      await using at = await damaged(change, 300_000, ["a"]);
      expect(await mount(at, "b", "a")).toBe(true);
      expect(await mount(at, "c", "b")).toBe(true);
      await pushBlob(at.world, at.bytes, pushed);
      for (const sharer of ["a", "b", "c", pushed]) {
        expect([sharer, await at.bytesIn(sharer)]).toEqual([sharer, at.bytes]);
      }
      expect(await mount(at, "d", "c")).toBe(true);
      expect(await at.bytesIn("d")).toEqual(at.bytes);
    });
  }

  test("is not mounted where a mount copies it, for then its bytes are read", async () => {
    await using at = await damaged(change, 300_000, ["a"]);
    const path = at.world.pathOf(blobKey("a", at.digest));
    const elsewhere = `${at.world.root}/elsewhere`;
    await rename(path, elsewhere);
    await symlink(elsewhere, path);
    expect(await mount(at, "c", "a")).toBe(false);
    expect(await at.bytesIn("c")).toBeNull();
    await pushBlob(at.world, at.bytes, "c");
    for (const sharer of ["a", "c"]) expect(await at.bytesIn(sharer)).toEqual(at.bytes);
  });
});

describe("a file that another tool made a symbolic link", () => {
  for (const [says, share] of Object.entries({
    push: async (world: World, bytes: Uint8Array) => {
      await pushBlob(world, bytes, "c");
      return true;
    },
    mount: (world: World, _bytes: Uint8Array, digest: Digest) =>
      mountBlob(world.registry, {
        repository: "c",
        digest,
        from: "a",
        mayRead: () => true,
        by: null,
      }),
  })) {
    for (const sizeBytes of sizes) {
      test(`and a ${says} of ${sizeBytes} bytes: no repository depends on where it leads`, async () => {
        await using at = await damaged(async () => undefined, sizeBytes, ["a"]);
        const path = at.world.pathOf(blobKey("a", at.digest));
        const elsewhere = `${at.world.root}/elsewhere`;
        await rename(path, elsewhere);
        await symlink(elsewhere, path);
        expect(await share(at.world, at.bytes, at.digest)).toBe(true);
        expect((await lstat(at.world.pathOf(blobKey("c", at.digest)))).isFile()).toBe(true);
        await rm(elsewhere);
        expect(await at.bytesIn("c")).toEqual(at.bytes);
        await pushBlob(at.world, at.bytes, "a");
        expect((await lstat(path)).isFile()).toBe(true);
        expect(await at.bytesIn("a")).toEqual(at.bytes);
      });
    }
  }
});
