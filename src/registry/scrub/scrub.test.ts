// Damage that checks find: never served, never deleted, healed by a push or another copy, and told by the tags that it
// touches.

import { describe, expect, test } from "bun:test";
import {
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { sample } from "../../../test/contracts/store_samples.ts";
import { reasonOf } from "../../../test/reason_of.ts";
import {
  image,
  openWorld,
  pushBlob,
  pushImage,
  putManifest,
  type World,
} from "../../../test/registry/world.ts";
import {
  damagedOf,
  openScrubbing,
  roundOf,
  scrubOnce,
  told,
} from "../../../test/registry/scrubbing.ts";
import { digestOf, type Digest } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import { blobKey, damagedDirectory } from "../../storage/layout.ts";
import { openContent, requireContent, requireSendable } from "../content.ts";
import { mountBlob } from "../mount_blob.ts";
import { resolveBlob, resolveManifest } from "../resolve.ts";
import { judgeRepository } from "./judge_repository.ts";

const small = sample(5_000);
/** More than a slice. */
const large = sample(2_500_000, 2);

const damages: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  wrong: async (path) => {
    const file = await open(path, "r+");
    const { size } = await file.stat();
    const byte = new Uint8Array(1);
    await file.read(byte, 0, 1, size - 1);
    await file.write(new Uint8Array([byte[0]! ^ 1]), 0, 1, size - 1);
    await file.close();
  },
  size: (path) => truncate(path, 0),
  missing: (path) => rm(path),
  "no-file": async (path) => {
    await rm(path);
    await mkdir(path);
    await writeFile(join(path, "inside"), "kept");
  },
};

const quarantined = async (world: World): Promise<string[]> =>
  (await readdir(world.pathOf(damagedDirectory))).toSorted();
const fileOf = (world: World, at: string, digest: Digest): string =>
  world.pathOf(blobKey(at, digest));

/** What a pull and a push are told of a blob: "served", or the name of what is thrown. */
async function pulled({ registry }: World, at: string, digest: Digest): Promise<string> {
  const { found } = await resolveBlob(registry, at, digest);
  if (found === null) return "absent";
  try {
    await requireSendable(registry, found);
    const content = await openContent(registry, found, null);
    const bytes = content.kind === "bytes" ? content.bytes : await blobOf(content).bytes();
    return digestOf("sha256", bytes) === digest ? "served" : "WRONG BYTES";
  } catch (error) {
    return error instanceof Error ? error.name : "no error";
  }
}

function blobOf(content: Awaited<ReturnType<typeof openContent>>): Blob {
  if (content.kind !== "blob") throw new Error(`expected a file, got ${content.kind}`);
  return content.blob;
}

for (const [how, damage] of Object.entries(damages)) {
  for (const bytes of [small, large]) {
    describe(`a blob of ${bytes.length} bytes that is damaged (${how})`, () => {
      test("is not served from then on, is kept, and is healed by the next push wherever it is linked", async () => {
        await using world = await openWorld();
        const sharers = ["a", "b", "c/d"];
        for (const at of sharers) await pushBlob(world, bytes, at);
        const digest = digestOf("sha256", bytes);
        // What was read lately is in memory, where it is right.
        expect(await pulled(world, "a", digest)).toBe("served");
        await damage(fileOf(world, "a", digest));
        await scrubOnce(world);
        const isShared = how === "wrong" || how === "size";
        const touched = isShared ? sharers : ["a"];
        if (!isShared) {
          // Another name of the file is right: it heals at once.
          expect(await damagedOf(world)).toEqual([]);
          expect(
            told(world, "content that was damaged is right again", "repository", "from"),
          ).toEqual([["a", "another repository"]]);
        } else {
          expect((await damagedOf(world)).map((mark) => [mark.repository, mark.how])).toEqual(
            touched.map((at) => [at, how]),
          );
          for (const at of sharers) {
            expect(await pulled(world, at, digest)).toBe("DamagedContent");
            const held = { repository: at, digest, sizeBytes: bytes.length };
            expect(await reasonOf(requireContent(world.registry, held))).toMatchObject({
              name: "DamagedContent",
            });
            const request = { repository: "e", digest, from: at, mayRead: () => true, by: null };
            expect(await mountBlob(world.registry, request)).toBe(false);
            expect(await lstat(fileOf(world, at, digest)).catch(() => null)).toBeNull();
          }
          // One file, kept once, with the bytes that it had.
          const [name, ...others] = await quarantined(world);
          expect(others).toEqual([]);
          expect(name).toStartWith(`${digest}.20`);
          expect((await damagedOf(world)).map(({ kept }) => kept)).toEqual(
            sharers.map(() => name!),
          );
          const info = await stat(world.pathOf(`${damagedDirectory}/${name}`));
          expect([info.size, info.nlink]).toEqual([how === "size" ? 0 : bytes.length, 1]);
          await pushBlob(world, bytes, "c/d");
          expect(await damagedOf(world)).toEqual([]);
        }
        for (const at of sharers) expect(await pulled(world, at, digest)).toBe("served");
        expect(await quarantined(world)).toHaveLength(how === "missing" ? 0 : 1);
        await scrubOnce(world);
        expect(await damagedOf(world)).toEqual([]);
      });

      test("is healed from a copy in a file of its own", async () => {
        await using world = await openWorld({ dedupe: false });
        for (const at of ["a", "b"]) await pushBlob(world, bytes, at);
        const digest = digestOf("sha256", bytes);
        await damage(fileOf(world, "b", digest));
        await scrubOnce(world);
        expect(await damagedOf(world)).toEqual([]);
        expect(await pulled(world, "b", digest)).toBe("served");
        expect(await roundOf(world)).toMatchObject({ bad: 0, healed: 1, outcome: "done" });
      });
    });
  }
}

test("a push to a repository that never had it heals the others, also where equal blobs are not shared", async () => {
  for (const dedupe of [true, false]) {
    await using world = await openWorld({ dedupe });
    const digest = await pushBlob(world, large, "a");
    await damages["wrong"]!(fileOf(world, "a", digest));
    await scrubOnce(world);
    expect(await damagedOf(world)).toHaveLength(1);
    await pushBlob(world, large, "new");
    expect(await damagedOf(world)).toEqual([]);
    expect(await pulled(world, "a", digest)).toBe("served");
  }
});

test("a digest of sha512 is checked as such", async () => {
  await using world = await openWorld();
  const digest = await pushBlob(world, large, "a", "sha512");
  await scrubOnce(world);
  expect(await damagedOf(world)).toEqual([]);
  await damages["wrong"]!(fileOf(world, "a", digest));
  await scrubOnce(world);
  expect((await damagedOf(world)).map((mark) => mark.digest)).toEqual([digest]);
  await pushBlob(world, large, "a", "sha512");
  await scrubOnce(world);
  expect(await damagedOf(world)).toEqual([]);
});

describe("images", () => {
  const app = image(1);
  const other = image(2);
  const text = (value: object): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  const described = (bytes: Uint8Array, mediaType: string) => ({
    mediaType,
    digest: digestOf("sha256", bytes),
    size: bytes.length,
  });
  const both = text({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [app, other].map(({ bytes }) => described(bytes, mediaTypes.ociImage)),
  });
  const signature = text({
    schemaVersion: 2,
    mediaType: mediaTypes.ociImage,
    artifactType: "application/vnd.example.signature",
    config: described(app.blobs[0]!, mediaTypes.ociConfig),
    layers: [],
    subject: described(app.bytes, mediaTypes.ociImage),
  });

  async function pushed(): Promise<World> {
    const world = await openWorld();
    for (const at of ["team/app", "copy"]) {
      await pushImage(world, app, "1", at);
      await pushImage(world, other, "2", at);
      await putManifest(world, both, "all", at);
    }
    await putManifest(world, signature, digestOf("sha256", signature), "team/app");
    return world;
  }

  const affected = (world: World): unknown[][] =>
    told(world, "blobs/manifest affected", "image", "tag", "affected blob", "error");
  const hex = (bytes: Uint8Array): string => digestOf("sha256", bytes).slice("sha256:".length);

  test("that are right are told one by one, with the directories", async () => {
    await using world = await pushed();
    await scrubOnce(world);
    expect(told(world, "blobs/manifest ok", "message", "image", "tag", "status")).toEqual(
      ["copy", "team/app"].flatMap((at) =>
        ["1", "2", "all"].map((tag) => ["blobs/manifest ok", at, tag, "ok"]),
      ),
    );
    const messages = world.reports.map((line) => line.fields["message"]);
    for (const at of ["copy", "team/app"]) {
      const place = join(world.root, at);
      expect(messages).toContain(`executing scrub to check manifest/blob integrity for ${place}`);
      expect(messages).toContain(`scrub successfully completed for ${place}`);
    }
    expect(affected(world)).toEqual([]);
    expect(await roundOf(world)).toMatchObject({ outcome: "done", bad: 0, failed: 0 });
  });

  const kinds: readonly [what: string, bytes: Uint8Array, tags: string[]][] = [
    ["a layer", app.blobs[1]!, ["1", "all"]],
    ["a config", app.blobs[0]!, ["1", "all"]],
    ["a manifest", app.bytes, ["1", "all"]],
    ["an index", both, ["all"]],
    ["a signature", signature, []],
  ];
  for (const [what, bytes, tags] of kinds) {
    test(`${what} with other bytes: each tag that leads to it is told, and nothing that it names is collected`, async () => {
      await using world = await pushed();
      const digest = digestOf("sha256", bytes);
      await damages["wrong"]!(fileOf(world, "team/app", digest));
      // A manifest of another repository has a file of its own, which would heal it.
      await rm(fileOf(world, "copy", digest), { force: true });
      await scrubOnce(world);
      const inApp = (await damagedOf(world)).filter((mark) => mark.repository === "team/app");
      expect(inApp.map((mark) => [mark.digest, mark.how])).toEqual([[digest, "wrong"]]);
      const rows = affected(world).filter(([at]) => at === "team/app");
      expect(rows).toEqual(tags.map((tag) => ["team/app", tag, hex(bytes), "bad blob digest"]));
      const lines = told(
        world,
        "content is damaged; a push of it repairs it",
        "repository",
        "tags",
      );
      expect(lines).toContainEqual(["team/app", tags]);
      const reads = world.registry.metadata;
      const before = await reads.held("team/app", [
        digest,
        ...app.blobs.map((blob) => digestOf("sha256", blob)),
      ]);
      await world.settle();
      expect(
        await reads.held("team/app", [
          digest,
          ...app.blobs.map((blob) => digestOf("sha256", blob)),
        ]),
      ).toEqual(before);
    });
  }

  test("a manifest is healed by its next push, here and in other repositories", async () => {
    await using world = await pushed();
    const digest = digestOf("sha256", app.bytes);
    for (const at of ["team/app", "copy"]) await damages["wrong"]!(fileOf(world, at, digest));
    await scrubOnce(world);
    expect(await damagedOf(world)).toHaveLength(2);
    const { found } = await resolveManifest(world.registry, "copy", { kind: "tag", tag: "1" });
    expect(found?.damagedSince).toBeNumber();
    await putManifest(world, app.bytes, "1", "team/app");
    expect(await damagedOf(world)).toEqual([]);
    for (const at of ["team/app", "copy"]) {
      expect(new Uint8Array(await readFile(fileOf(world, at, digest)))).toEqual(
        new Uint8Array(app.bytes),
      );
    }
  });

  test("what the disk changes after its check and before its image is judged is told as damage", async () => {
    await using world = await openWorld();
    const [one, two] = [image(1), image(2)];
    for (const [tag, each] of Object.entries({ one, two })) await pushImage(world, each, tag, "a");
    const config = digestOf("sha256", two.blobs[0]!);
    // Neither is JSON any more.
    for (const digest of [one.digest, config]) await damages["wrong"]!(fileOf(world, "a", digest));
    const judged = await Array.fromAsync(judgeRepository(world.registry, "a"));
    expect(judged).toEqual([
      { tag: "one", affected: { blob: one.digest, error: "bad blob digest" } },
      { tag: "two", affected: { blob: config, error: "bad blob digest" } },
    ]);
  });

  test("a config that is no JSON affects its image, and is no damage", async () => {
    await using world = await openWorld();
    const config = sample(100);
    await pushBlob(world, config, "a");
    const bytes = text({
      schemaVersion: 2,
      mediaType: mediaTypes.ociImage,
      config: described(config, mediaTypes.ociConfig),
      layers: [],
    });
    await putManifest(world, bytes, "1", "a");
    await scrubOnce(world);
    expect(affected(world)).toEqual([["a", "1", hex(config), "invalid server config"]]);
    expect(await damagedOf(world)).toEqual([]);
  });
});

describe("a person", () => {
  test("who puts the right file back heals it, at the next round", async () => {
    await using world = await openWorld();
    const digest = await pushBlob(world, large, "a");
    const scrubbing = openScrubbing(world);
    await damages["wrong"]!(fileOf(world, "a", digest));
    await scrubbing.run();
    await writeFile(fileOf(world, "a", digest), large);
    expect(await pulled(world, "a", digest)).toBe("DamagedContent");
    await scrubbing.round();
    expect(await damagedOf(world)).toEqual([]);
    expect(await pulled(world, "a", digest)).toBe("served");
  });

  test("who mends the file in quarantine has it back", async () => {
    await using world = await openWorld();
    const digest = await pushBlob(world, large, "a");
    const scrubbing = openScrubbing(world);
    await damages["wrong"]!(fileOf(world, "a", digest));
    await scrubbing.run();
    const [name = ""] = await quarantined(world);
    await damages["wrong"]!(world.pathOf(`${damagedDirectory}/${name}`));
    await scrubbing.round();
    expect(await damagedOf(world)).toEqual([]);
    expect(await pulled(world, "a", digest)).toBe("served");
    // What was kept is kept.
    expect(await quarantined(world)).toEqual([name]);
  });

  test("who puts a wrong file there again: it is kept as well, and told once more by nobody", async () => {
    await using world = await openWorld();
    const digest = await pushBlob(world, large, "a");
    const scrubbing = openScrubbing(world);
    await damages["wrong"]!(fileOf(world, "a", digest));
    await scrubbing.run();
    await writeFile(fileOf(world, "a", digest), "wrong again");
    await scrubbing.round();
    expect(await quarantined(world)).toHaveLength(2);
    expect(await damagedOf(world)).toMatchObject([{ how: "size" }]);
  });

  test("who made a file a link: what it leads to counts", async () => {
    await using world = await openWorld();
    const digest = await pushBlob(world, large, "a");
    const path = fileOf(world, "a", digest);
    await rename(path, join(world.root, "elsewhere"));
    await symlink(join(world.root, "elsewhere"), path);
    await scrubOnce(world);
    expect(await damagedOf(world)).toEqual([]);
    await rm(join(world.root, "elsewhere"));
    await scrubOnce(world);
    expect(await damagedOf(world)).toMatchObject([{ how: "no-file" }]);
    expect(await quarantined(world)).toHaveLength(1);
    await pushBlob(world, large, "a");
    expect(await pulled(world, "a", digest)).toBe("served");
  });
});
