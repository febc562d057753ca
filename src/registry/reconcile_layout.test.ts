// Layouts that other tools wrote: what is taken in, what is told, and that no acknowledged push is undone by them.

import { describe, expect, test } from "bun:test";
import { mkdir, readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { requireTool, runOk } from "../../test/processes.ts";
import { reasonOf } from "../../test/reason_of.ts";
import {
  bytesOf,
  changedIndex,
  factLines,
  image,
  kindsOf,
  linesOf,
  named,
  openWorld,
  pushBlob,
  pushImage,
  putManifest,
  readIndex,
  reconcile,
  repository,
  watched,
  type World,
  writeBlobFile,
  writeLayout,
} from "../../test/registry/world.ts";
import { sample } from "../../test/contracts/store_samples.ts";
import { blobSize, layoutRecords } from "../../test/contracts/metadata_facts.ts";
import { digestOf, type Digest } from "../oci/digest.ts";
import { mediaTypes } from "../oci/media_types.ts";
import { quarantineDirectory, indexKey } from "../storage/layout.ts";
import { removeBlob, removeManifest, removeTag } from "./delete.ts";
import { readContent } from "./content.ts";
import { reconcileLayout } from "./reconcile_layout.ts";

const all = { after: null, limit: 999, bytesMax: 1_000_000 };

async function tagsOf({ registry }: World, at = repository): Promise<string[]> {
  const tags = await registry.metadata.tags(at, all);
  const lines = tags.map(async (tag) => {
    const found = await registry.metadata.manifestByTag(at, tag);
    return `${tag} ${found?.digest ?? "nothing"}`;
  });
  return Promise.all(lines);
}

const errorsOf = (world: World): string[] =>
  world.reports.filter(({ level }) => level === "error").map(({ message }) => message);
const quarantineOf = (world: World): Promise<string[]> =>
  readdir(world.pathOf(quarantineDirectory));

/** An old file: not one that a tool may still be writing. */
async function rest(world: World, at = repository): Promise<void> {
  const hourAgo = Date.now() / 1000 - 3600;
  await utimes(world.pathOf(indexKey(at)), hourAgo, hourAgo);
}

describe("a layout of another tool", () => {
  test("is taken in with its tags, manifests and blobs, and served from then on", async () => {
    await using world = await openWorld();
    const [first, second] = [image(1), image(2)];
    await writeLayout(world, {
      blobs: [...first.blobs, first.bytes, ...second.blobs, second.bytes],
      index: [named(first.descriptor, "v1"), named(first.descriptor, "latest"), second.descriptor],
    });
    const result = await reconcile(world);
    expect(result).toMatchObject({ kind: "taken", manifests: 2, blobs: 4, problems: [] });
    expect(await tagsOf(world)).toEqual([`latest ${first.digest}`, `v1 ${first.digest}`]);
    const { metadata } = world.registry;
    for (const { digest, bytes, blobs } of [first, second]) {
      const record = await metadata.manifestByDigest(repository, digest);
      expect(record).toMatchObject({ digest, sizeBytes: bytes.length });
      expect(await readContent(world.registry, { ...record!, repository })).toEqual(
        Buffer.from(bytes),
      );
      for (const blob of blobs) {
        expect(await blobSize(metadata, repository, digestOf("sha256", blob))).toBe(blob.length);
      }
    }
    expect(errorsOf(world)).toEqual([]);
    await world.settle();
    expect(await readIndex(world)).toEqual(await factLines(world));
  });

  test("that is ours, or unchanged since, is looked at once and not read", async () => {
    await using world = await openWorld();
    await pushImage(world, image(1), "v1");
    await world.settle();
    // Unreadable by its bytes, ours by its stamp: who reads it anyway would report a problem.
    const path = world.pathOf(indexKey(repository));
    const { atime, mtime, size } = await stat(path);
    expect(await reconcile(world)).toMatchObject({ kind: "ours", manifests: 0, problems: [] });
    expect(size).toBeGreaterThan(0);
    await utimes(path, atime, new Date(mtime.getTime() + 1000));
    expect(await reconcile(world)).toMatchObject({ kind: "taken" });
    await world.settle();
    expect(await reconcile(world)).toMatchObject({ kind: "ours" });
  });

  test("that was only touched is written again once, and then left alone", async () => {
    await using world = await openWorld();
    await pushImage(world, image(1), "v1");
    await world.settle();
    await rest(world);
    await world.settle();
    const stamp = await world.registry.layouts.indexStamp(repository);
    world.reports.length = 0;
    await world.settle();
    expect(await world.registry.layouts.indexStamp(repository)).toBe(stamp);
    expect(world.reports).toEqual([]);
  });

  test("without an index.json, or without a directory, is no layout yet", async () => {
    await using world = await openWorld();
    expect(await reconcile(world)).toMatchObject({ kind: "ours", stamp: null });
    await writeLayout(world, { blobs: [sample(10)], index: null });
    expect(await reconcile(world)).toMatchObject({ kind: "ours", stamp: null });
    expect(await Array.fromAsync(world.registry.layouts.repositories())).toEqual([]);
  });

  test("as zot leaves it after a first push, with manifests null, is an empty one", async () => {
    await using world = await openWorld();
    await writeLayout(world, { index: '{"schemaVersion":2,"manifests":null}' });
    expect(await reconcile(world)).toMatchObject({ kind: "taken", manifests: 0, problems: [] });
    expect(await world.registry.metadata.repositoryExists(repository)).toBe(true);
    await world.settle();
    expect(await readIndex(world)).toEqual([]);
    expect(errorsOf(world)).toEqual([]);
  });

  test("that names an index takes in all that it reaches, and nobody may delete a part of it", async () => {
    await using world = await openWorld();
    const [amd64, arm64] = [image(1), image(2)];
    const inner = bytesOf({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [arm64.descriptor],
    });
    const innerDescriptor = {
      mediaType: mediaTypes.ociIndex,
      digest: digestOf("sha256", inner),
      size: inner.length,
    };
    const outer = bytesOf({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [amd64.descriptor, innerDescriptor],
    });
    const outerDescriptor = {
      mediaType: mediaTypes.ociIndex,
      digest: digestOf("sha256", outer),
      size: outer.length,
    };
    await writeLayout(world, {
      blobs: [...amd64.blobs, amd64.bytes, ...arm64.blobs, arm64.bytes, inner, outer],
      index: [named(outerDescriptor, "multi")],
    });
    expect(await reconcile(world)).toMatchObject({ manifests: 4, blobs: 4, problems: [] });
    expect(await tagsOf(world)).toEqual([`multi ${outerDescriptor.digest}`]);
    for (const digest of [amd64.digest, innerDescriptor.digest, arm64.digest]) {
      expect(await world.registry.metadata.manifestByDigest(repository, digest)).not.toBeNull();
      const refused = removeManifest(world.registry, {
        repository,
        target: digest,
        by: null,
      });
      expect(await reasonOf(refused)).toMatchObject({ status: 405 });
    }
  });

  test("keeps referrers: a manifest with a subject is listed beside it", async () => {
    await using world = await openWorld();
    const app = image(1);
    const sbom = image(2, { subject: app.descriptor, annotations: { "example.kind": "sbom" } });
    await writeLayout(world, {
      blobs: [...app.blobs, app.bytes, ...sbom.blobs, sbom.bytes],
      index: [named(app.descriptor, "v1"), sbom.descriptor],
    });
    await reconcile(world);
    const { records } = await world.registry.metadata.referrers(repository, app.digest, [], all);
    expect(records.map(({ digest, annotations }) => [digest, annotations])).toEqual([
      [sbom.digest, '{"example.kind":"sbom"}'],
    ]);
  });

  const oldKinds = {
    "Docker schema 1": {
      mediaType: "application/vnd.docker.distribution.manifest.v1+prettyjws",
      document: (layer: Digest) => ({
        schemaVersion: 1,
        name: "team/app",
        tag: "v1",
        fsLayers: [{ blobSum: layer }],
        history: [{ v1Compatibility: "{}" }],
      }),
    },
    "an old artifact manifest": {
      mediaType: "application/vnd.oci.artifact.manifest.v1+json",
      document: (layer: Digest) => ({
        mediaType: "application/vnd.oci.artifact.manifest.v1+json",
        artifactType: "application/vnd.example.sbom",
        blobs: [{ mediaType: "text/plain", digest: layer, size: 100 }],
        subject: { mediaType: mediaTypes.ociImage, digest: image(9).digest, size: 1 },
      }),
    },
  };
  for (const [says, { mediaType, document }] of Object.entries(oldKinds)) {
    test(`${says} is served as it is, and what it names is in use`, async () => {
      await using world = await openWorld();
      const layer = sample(100);
      const bytes = bytesOf(document(digestOf("sha256", layer)));
      const digest = digestOf("sha256", bytes);
      await writeLayout(world, {
        blobs: [layer, bytes],
        index: [named({ mediaType, digest, size: bytes.length }, "old")],
      });
      expect(await reconcile(world)).toMatchObject({ manifests: 1, blobs: 1, problems: [] });
      const record = await world.registry.metadata.manifestByTag(repository, "old");
      expect(record).toEqual({ digest, mediaType, sizeBytes: bytes.length });
      const target = digestOf("sha256", layer);
      const refused = removeBlob(world.registry, { repository, target, by: null });
      expect(await reasonOf(refused)).toMatchObject({ status: 405 });
    });
  }
});

describe("what cannot be taken in", () => {
  test("a blob whose bytes are not its digest's is told, and never served", async () => {
    await using world = await openWorld();
    const app = image(1);
    const [config, layer] = app.blobs as [Uint8Array, Uint8Array];
    await writeLayout(world, { blobs: [config, app.bytes], index: [named(app.descriptor, "v1")] });
    const digest = digestOf("sha256", layer);
    await writeBlobFile(world, digest, sample(layer.length, 99));
    const result = await reconcile(world);
    expect(result.problems).toContain(`blob ${digest}: its bytes have another digest`);
    expect(await world.registry.metadata.blobRecord(repository, digest)).toBeNull();
    expect(await quarantineOf(world)).toHaveLength(1);
    // Pushed again it is whole, and the image as well.
    await pushBlob(world, layer);
    expect(await world.registry.blobs.read(repository, digest, 9999)).toEqual(layer);
    expect(await blobSize(world.registry.metadata, repository, digest)).toBe(layer.length);
  });

  test("a manifest whose bytes are not its digest's is told, and whole once it is pushed again", async () => {
    await using world = await openWorld();
    const app = image(1);
    await writeLayout(world, { blobs: app.blobs, index: [named(app.descriptor, "v1")] });
    await writeBlobFile(world, app.digest, sample(app.bytes.length, 99));
    const { problems } = await reconcile(world);
    expect(problems).toContain(`manifest ${app.digest}: its bytes have another digest`);
    expect(await tagsOf(world)).toEqual([]);
    await putManifest(world, app.bytes, "v1");
    const record = await world.registry.metadata.manifestByTag(repository, "v1");
    expect(await readContent(world.registry, { ...record!, repository })).toEqual(
      Buffer.from(app.bytes),
    );
    expect(await world.registry.blobs.read(repository, app.digest, 9999)).toEqual(app.bytes);
  });

  test("a manifest without bytes is told, with the tag that named it; the others are taken in", async () => {
    await using world = await openWorld();
    const [missing, whole] = [image(1), image(2)];
    await writeLayout(world, {
      blobs: [...whole.blobs, whole.bytes],
      index: [named(missing.descriptor, "gone"), named(whole.descriptor, "v2")],
    });
    const { problems } = await reconcile(world);
    expect(problems).toEqual([`manifest ${missing.digest}: its bytes are missing`]);
    expect(await tagsOf(world)).toEqual([`v2 ${whole.digest}`]);
  });

  test("a layer that is not there is told, and the image is served as far as it goes", async () => {
    await using world = await openWorld();
    const app = image(1);
    const [config, layer] = app.blobs as [Uint8Array, Uint8Array];
    await writeLayout(world, { blobs: [config, app.bytes], index: [named(app.descriptor, "v1")] });
    const { problems } = await reconcile(world);
    expect(problems).toEqual([
      `manifest ${app.digest}: it names ${digestOf("sha256", layer)}, which is not here`,
    ]);
    expect(await tagsOf(world)).toEqual([`v1 ${app.digest}`]);
  });

  test("an index.json that cannot be read is kept aside, byte for byte, before ours takes its place", async () => {
    await using world = await openWorld();
    const app = image(1);
    await pushImage(world, app, "v1");
    await world.settle();
    const text = '{"schemaVersion":2,"manifests":[{"mediaT';
    await writeFile(world.pathOf(indexKey(repository)), text);
    await rest(world);
    await world.settle();
    expect(errorsOf(world)).toEqual(["index.json cannot be read: index.json is not JSON"]);
    const aside = await quarantineOf(world);
    expect(aside).toHaveLength(1);
    expect(await readFile(world.pathOf(`${quarantineDirectory}/${aside[0]}`), "utf8")).toBe(text);
    expect(world.reports.find(({ level }) => level === "error")?.fields).toMatchObject({
      repository,
      kept: `${quarantineDirectory}/${aside[0]}`,
    });
    expect(await readIndex(world)).toEqual([`v1 ${app.digest}`]);
    // And it is kept once, not each time that somebody looks.
    await world.settle();
    expect(await quarantineOf(world)).toHaveLength(1);
  });

  test("an index.json of a lost database that cannot be read still gives its blobs", async () => {
    await using world = await openWorld();
    const app = image(1);
    await writeLayout(world, { blobs: [...app.blobs, app.bytes], index: "not an index" });
    await rest(world);
    await world.settle();
    for (const bytes of [...app.blobs, app.bytes]) {
      const size = await blobSize(world.registry.metadata, repository, digestOf("sha256", bytes));
      expect(size).toBe(bytes.length);
    }
    expect(await quarantineOf(world)).toHaveLength(1);
  });

  test("an index.json that cannot be read and is a moment old may still be being written: it is left alone", async () => {
    await using world = await openWorld();
    const [ours, theirs] = [image(1), image(2)];
    await pushImage(world, ours, "v1");
    await world.settle();
    const path = world.pathOf(indexKey(repository));
    const whole = await readFile(path, "utf8");
    for (const part of ["", whole.slice(0, 20)]) {
      await writeLayout(world, { blobs: [...theirs.blobs, theirs.bytes], index: part });
      await world.settle();
      expect(await readFile(path, "utf8")).toBe(part);
    }
    expect(await quarantineOf(world)).toEqual([]);
    // The tool comes to the end of its writing.
    const entries = [named(ours.descriptor, "v1"), named(theirs.descriptor, "v2")];
    await writeLayout(world, { index: entries });
    await world.settle();
    expect(await readIndex(world)).toEqual([`v1 ${ours.digest}`, `v2 ${theirs.digest}`]);
    expect(await quarantineOf(world)).toEqual([]);
  });
});

describe("an acknowledged push", () => {
  /** What the other tool knew, and what was acknowledged since. */
  async function behind() {
    const world = await openWorld();
    const [old, moved, other] = [image(1), image(2), image(3)];
    await pushImage(world, old, "stays");
    await pushImage(world, old, "moves");
    await pushImage(world, old, "goes");
    await world.settle();
    const path = world.pathOf(indexKey(repository));
    const theirs = JSON.parse(await readFile(path, "utf8")) as { manifests: object[] };
    await pushImage(world, moved, "moves");
    await removeTag(world.registry, { repository, target: "goes", by: null, tagIs: null });
    // The tool adds its image to the index that it read before.
    theirs.manifests.push(named(other.descriptor, "theirs"));
    await writeLayout(world, {
      blobs: [...other.blobs, other.bytes],
      index: JSON.stringify(theirs),
    });
    return { world, old, moved, other };
  }

  test("that index.json does not show yet is not undone by a tool that wrote the old one again", async () => {
    const { world, old, moved, other } = await behind();
    await using _ = world;
    await world.settle();
    const expected = [`moves ${moved.digest}`, `stays ${old.digest}`, `theirs ${other.digest}`];
    expect(await tagsOf(world)).toEqual(expected);
    expect(await readIndex(world)).toEqual(expected);
    expect(errorsOf(world)).toEqual([]);
    expect(await quarantineOf(world)).toEqual([]);
  });

  test("nor after a crash in between", async () => {
    const { world, old, moved, other } = await behind();
    await using _ = world;
    await reconcile(world);
    await world.crash();
    await world.settle();
    const expected = [`moves ${moved.digest}`, `stays ${old.digest}`, `theirs ${other.digest}`];
    expect(await readIndex(world)).toEqual(expected);
  });

  test("and a move by the tool as well: the push stands, and the tool's index.json is kept aside", async () => {
    await using world = await openWorld();
    const [old, ours, theirs] = [image(1), image(2), image(3)];
    await pushImage(world, old, "v1");
    await world.settle();
    await pushImage(world, ours, "v1");
    await writeLayout(world, {
      blobs: [...theirs.blobs, theirs.bytes],
      index: [named(theirs.descriptor, "v1")],
    });
    await world.settle();
    expect(await tagsOf(world)).toEqual([`v1 ${ours.digest}`]);
    expect(
      await world.registry.metadata.manifestByDigest(repository, theirs.digest),
    ).not.toBeNull();
    expect(errorsOf(world)).toEqual([
      `tag v1: index.json says ${theirs.digest}, and a push since then made it ${ours.digest}, which stands`,
    ]);
    expect(await quarantineOf(world)).toHaveLength(1);
  });

  test("a tag that the tool moved, and nobody else, moves, with history", async () => {
    await using world = await openWorld();
    const [old, theirs, unrelated] = [image(1), image(2), image(3)];
    await pushImage(world, old, "v1");
    await world.settle();
    // Something else is not shown yet: that is no reason to drop the tool's move.
    const read = await readFile(world.pathOf(indexKey(repository)), "utf8");
    await pushImage(world, unrelated, "other");
    await writeLayout(world, {
      blobs: [...theirs.blobs, theirs.bytes],
      index: changedIndex(read, [named(theirs.descriptor, "v1")]),
    });
    await world.settle();
    expect(await tagsOf(world)).toEqual([`other ${unrelated.digest}`, `v1 ${theirs.digest}`]);
    const [move] = await world.registry.metadata.history(repository, "v1", 1);
    expect(move).toMatchObject({ digest: theirs.digest, previous: old.digest });
    expect(await world.registry.metadata.manifestByDigest(repository, old.digest)).not.toBeNull();
  });

  test("while a lost database is rebuilt is newer than what index.json says", async () => {
    await using world = await openWorld();
    const [old, pushed] = [image(1), image(2)];
    await pushImage(world, old, "latest");
    await pushImage(world, old, "goes");
    await world.settle();
    await world.crash({ loseFacts: true });
    // The server listens before it has looked everywhere.
    await pushImage(world, pushed, "latest");
    await pushImage(world, pushed, "goes");
    await removeTag(world.registry, { repository, target: "goes", by: null, tagIs: null });
    await world.settle();
    expect(await tagsOf(world)).toEqual([`latest ${pushed.digest}`]);
    expect(await world.registry.metadata.manifestByDigest(repository, old.digest)).not.toBeNull();
  });

  test("a push in the very moment in which the tag is taken in stands", async () => {
    await using world = await openWorld();
    const [theirs, pushed] = [image(1), image(2)];
    await pushImage(world, pushed, null);
    await world.settle();
    await writeLayout(world, {
      blobs: [...theirs.blobs, theirs.bytes],
      index: [named(theirs.descriptor, "v1")],
    });
    const racing = watched(world.registry, async (commit) => {
      if (kindsOf(commit).includes("set-tag")) await putManifest(world, pushed.bytes, "v1");
    });
    await reconcileLayout(racing, repository, world.report);
    expect(await tagsOf(world)).toEqual([`v1 ${pushed.digest}`]);
  });

  test("a delete that waits for its sweep is not undone by the bytes that are still there", async () => {
    await using world = await openWorld();
    const [kept, gone] = [image(1), image(2)];
    const loose = await pushBlob(world, sample(50));
    await pushImage(world, kept, "v1");
    await pushImage(world, gone, null);
    await world.settle();
    await removeManifest(world.registry, { repository, target: gone.digest, by: null });
    await removeBlob(world.registry, { repository, target: loose, by: null });
    await rest(world); // Somebody touched index.json, which still lists the manifest.
    await reconcile(world);
    expect(await world.registry.metadata.manifestByDigest(repository, gone.digest)).toBeNull();
    expect(await world.registry.metadata.blobRecord(repository, loose)).toBeNull();
    await world.settle();
    expect(await readIndex(world)).toEqual([`v1 ${kept.digest}`]);
    expect(await world.registry.blobs.stat(repository, gone.digest)).toBeNull();
    expect(await world.registry.blobs.stat(repository, loose)).toBeNull();
    expect(errorsOf(world)).toEqual([]);
  });

  test("of a blob that vanished while it was hashed is not taken for there", async () => {
    await using world = await openWorld();
    const app = image(1);
    await writeLayout(world, {
      blobs: [...app.blobs, app.bytes],
      index: [named(app.descriptor, "v1")],
    });
    const layer = digestOf("sha256", app.blobs[1]!);
    const { metadata } = world.registry;
    const racing = watched(world.registry, async ({ changes }) => {
      const links = changes.some(
        (change) => change.kind === "link-blob" && change.digest === layer,
      );
      if (links) await world.registry.blobs.remove(repository, layer);
    });
    await reconcileLayout(racing, repository, world.report);
    expect(await metadata.blobRecord(repository, layer)).toBeNull();
    // The other blobs of the same moment are there.
    const config = digestOf("sha256", app.blobs[0]!);
    expect(await blobSize(metadata, repository, config)).toBe(app.blobs[0]!.length);
  });
});

describe("a lost database", () => {
  test("is rebuilt from the layouts: tags, manifests, referrers, blobs", async () => {
    await using world = await openWorld();
    const repositories = [repository, "team/app/nested", "other", "a/blobs", "a"];
    for (const [index, at] of repositories.entries()) {
      const app = image(index);
      await pushImage(world, app, "v1", at);
      await pushImage(world, image(index + 50), null, at);
      await pushImage(world, image(index + 100, { subject: app.descriptor }), null, at);
      await pushBlob(world, sample(10 + index), at);
    }
    await world.settle();
    const facts = async () => {
      const { metadata, layouts } = world.registry;
      const blobs: unknown[] = [];
      for (const at of repositories) {
        for await (const { algorithm, names } of layouts.blobNames(at)) {
          for (const hex of names.toSorted()) {
            const digest = `${algorithm}:${hex}` as Digest;
            blobs.push([at, digest, await blobSize(metadata, at, digest)]);
          }
        }
      }
      const referrers = repositories.map((at, index) =>
        metadata.referrers(at, image(index).digest, [], all),
      );
      return {
        catalog: (await metadata.catalog(all)).names,
        records: await Promise.all(
          repositories.map(async (at) => (await layoutRecords(metadata, at)).records),
        ),
        blobs,
        referrers: await Promise.all(referrers),
      };
    };
    const before = await facts();
    expect(before.catalog).toEqual(repositories.toSorted());
    await world.crash({ loseFacts: true });
    expect((await facts()).catalog).toEqual([]);
    await world.settle();
    expect(await facts()).toEqual(before);
    expect(errorsOf(world)).toEqual([]);
  });
});

describe.skipIf(!requireTool("skopeo", "umoci"))("tools", () => {
  /** An image in a layout outside of the root, for the tools to copy. */
  async function outside(world: World): Promise<string> {
    const path = join(world.root, "..", "outside");
    const app = image(7);
    const elsewhere: World = { ...world, pathOf: (key: string) => join(path, "..", key) };
    await writeLayout(elsewhere, {
      at: "outside",
      blobs: [...app.blobs, app.bytes],
      index: [named(app.descriptor, "v1")],
    });
    return path;
  }

  test("skopeo copies into a repository that is served, and into a new one", async () => {
    await using world = await openWorld();
    const source = `oci:${await outside(world)}:v1`;
    await pushImage(world, image(1), "ours");
    await world.settle();
    await mkdir(world.pathOf("new"));
    for (const at of [repository, "new/one"]) {
      await runOk("skopeo", ["copy", "-q", source, `oci:${world.pathOf(at)}:theirs`]);
    }
    await world.settle();
    expect(await tagsOf(world)).toEqual([
      `ours ${image(1).digest}`,
      expect.stringMatching(/^theirs sha256:/) as unknown as string,
    ]);
    const record = await world.registry.metadata.manifestByTag("new/one", "theirs");
    expect(record).not.toBeNull();
    expect(linesOf(await readFile(world.pathOf(indexKey("new/one")), "utf8"))).toEqual([
      `theirs ${record!.digest}`,
    ]);
    expect(errorsOf(world)).toEqual([]);
    // And back: it reads what we wrote.
    const back = `oci:${join(world.root, "..", "back")}:again`;
    await runOk("skopeo", ["copy", "-q", `oci:${world.pathOf(repository)}:ours`, back]);
  });

  test("skopeo and umoci keep what tells which state they had read, so that an old copy undoes nothing", async () => {
    await using world = await openWorld();
    const [old, moved] = [image(1), image(2)];
    for (const tag of ["latest", "goes"]) await pushImage(world, old, tag);
    await world.settle();
    const path = world.pathOf(indexKey(repository));
    const read = await readFile(path, "utf8");
    await pushImage(world, moved, "latest");
    await removeTag(world.registry, { repository, target: "goes", by: null, tagIs: null });
    await world.settle();
    await writeFile(path, read);
    const source = `oci:${await outside(world)}:v1`;
    await runOk("skopeo", ["copy", "-q", source, `oci:${world.pathOf(repository)}:by-skopeo`]);
    await runOk("umoci", ["tag", "--image", `${world.pathOf(repository)}:by-skopeo`, "by-umoci"]);
    await world.settle();
    const tags = await world.registry.metadata.tags(repository, all);
    expect(tags).toEqual(["by-skopeo", "by-umoci", "latest"]);
    const latest = await world.registry.metadata.manifestByTag(repository, "latest");
    expect(latest?.digest).toBe(moved.digest);
    expect(errorsOf(world)).toEqual([]);
  });

  test("umoci makes a layout, tags in it, and its changes follow", async () => {
    await using world = await openWorld();
    const layout = world.pathOf("made/by-umoci");
    await world.commit({ kind: "create-repository", repository: "made" });
    await world.settle();
    await runOk("umoci", ["init", "--layout", layout]);
    await world.settle();
    expect(await world.registry.metadata.repositoryExists("made/by-umoci")).toBe(true);
    await runOk("umoci", ["new", "--image", `${layout}:v1`]);
    await world.settle();
    expect(await world.registry.metadata.tags("made/by-umoci", all)).toEqual(["v1"]);
    await runOk("umoci", ["config", "--image", `${layout}:v1`, "--tag", "v2", "--author", "x"]);
    await world.settle();
    const [first, second] = await tagsOf(world, "made/by-umoci");
    expect(first).toStartWith("v1 ");
    expect(second).toStartWith("v2 ");
    expect(errorsOf(world)).toEqual([]);
    const { stdout } = await runOk("umoci", ["ls", "--layout", layout]);
    expect(stdout.split("\n").filter(Boolean).toSorted()).toEqual(["v1", "v2"]);
  });
});
