// Files of other tools that are no good, and files that were taken away: one bad file is one line for the operator, and
// everything else of the repository goes on.

import { blobSize } from "../../test/contracts/metadata_facts.ts";
import { describe, expect, test } from "bun:test";
import {
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  unlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { dirname } from "node:path";
import { sample } from "../../test/contracts/store_samples.ts";
import { runOk } from "../../test/processes.ts";
import {
  bytesOf,
  changedIndex,
  factLines,
  image,
  named,
  openWorld,
  pushBlob,
  pushImage,
  putManifest,
  readIndex,
  reconcile,
  repository,
  type World,
  writeBlobFile,
  writeLayout,
} from "../../test/registry/world.ts";
import { runHere } from "../jobs/heavy_work.ts";
import { JobLoop } from "../jobs/job_loop.ts";
import { digestOf, type Digest } from "../oci/digest.ts";
import { mediaTypes } from "../oci/media_types.ts";
import { blobKey, indexKey, markerKey, quarantineDirectory } from "../storage/layout.ts";
import { FileLeases } from "../storage/file_leases.ts";
import { removeBlob } from "./delete.ts";
import { collecting } from "../../test/registry/collecting.ts";
import { registryJobs } from "./jobs.ts";
import type { Registry } from "./registry.ts";

const errorsOf = (world: World): string[] =>
  world.reports.filter(({ level }) => level === "error").map(({ message }) => message);

const pathOf = (world: World, digest: string): string =>
  world.pathOf(blobKey(repository, digest as Digest));

const bad = digestOf("sha256", sample(77));

/** Ways in which a file can be of no use, and what is said of it. */
const badFiles: Readonly<
  Record<
    string,
    { readonly made: (path: string) => Promise<unknown>; readonly told: RegExp | null }
  >
> = {
  "a directory": { made: (path) => mkdir(path), told: /it is no file/ },
  "a pipe": { made: (path) => runOk("mkfifo", [path]), told: /it is no file/ },
  "a link to itself": { made: (path) => symlink(path, path), told: /cannot be read \(ELOOP\)/ },
  "a link to nothing": { made: (path) => symlink(`${path}-gone`, path), told: null },
  "a link to a directory": {
    made: (path) => symlink("/", path),
    told: /cannot be read \(EISDIR\)/,
  },
  "a damaged file": { made: (path) => writeFile(path, sample(77, 2)), told: /another digest/ },
  "a damaged large file": {
    made: (path) => writeFile(path, sample(99_999)),
    told: /another digest/,
  },
};

describe("a bad file among the blobs", () => {
  for (const [says, { made, told }] of Object.entries(badFiles)) {
    test(`${says} is told once; the rest is taken in, projected and swept`, async () => {
      await using world = await openWorld();
      const [ours, theirs] = [image(1), image(2)];
      await pushImage(world, ours, "ours");
      const freed = await pushBlob(world, sample(50));
      await world.settle();
      await removeBlob(world.registry, { repository, target: freed, by: null });
      await made(pathOf(world, bad));
      await writeLayout(world, {
        blobs: [...theirs.blobs, theirs.bytes],
        index: changedIndex(await readFile(world.pathOf(indexKey(repository)), "utf8"), [
          named(theirs.descriptor, "theirs"),
          { mediaType: mediaTypes.ociImage, digest: bad, size: 77 },
        ]),
      });
      await pushImage(world, image(3), "later");
      await world.settle();
      expect((await factLines(world)).map((line) => line.split(" ")[0]!)).toEqual([
        "later",
        "ours",
        "theirs",
      ]);
      expect(await readIndex(world)).toEqual(await factLines(world));
      expect(await world.registry.blobs.stat(repository, freed)).toBeNull();
      const lines = errorsOf(world);
      expect(lines.every((line) => line.includes(bad))).toBe(true);
      expect(lines.join("\n")).toMatch(told ?? /its bytes are missing/);
      world.reports.length = 0;
      await world.settle();
      expect(world.reports).toEqual([]);
    });
  }

  test("one that its owner may not read is told, whoever runs the tests", async () => {
    await using world = await openWorld();
    const theirs = image(2);
    await writeLayout(world, {
      blobs: [...theirs.blobs, theirs.bytes],
      index: [named(theirs.descriptor, "v1")],
    });
    const [, layer] = theirs.blobs as [Uint8Array, Uint8Array];
    const digest = digestOf("sha256", layer);
    const { files } = world.stores;
    const key = blobKey(repository, digest);
    const denied = Object.assign(new Error("permission denied"), { code: "EACCES" });
    const readNow = files.readNow.bind(files);
    files.readNow = (asked) => {
      if (asked === key) throw denied;
      return readNow(asked);
    };
    const { problems } = await reconcile(world);
    expect(problems).toEqual([
      `blob ${digest}: it cannot be read (EACCES)`,
      `manifest ${theirs.digest}: it names ${digest}, which is not here`,
    ]);
    expect(await world.registry.metadata.manifestByTag(repository, "v1")).not.toBeNull();
  });

  test("a trouble of the machine is not a bad file: all of it is tried again", async () => {
    await using world = await openWorld();
    const theirs = image(2);
    await writeLayout(world, {
      blobs: [...theirs.blobs, theirs.bytes],
      index: [named(theirs.descriptor, "v1")],
    });
    const { files } = world.stores;
    const readNow = files.readNow.bind(files);
    files.readNow = () => {
      throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
    };
    expect(String(await reconcile(world).catch((error: unknown) => error))).toContain("too many");
    files.readNow = readNow;
    expect(await reconcile(world)).toMatchObject({ manifests: 1, blobs: 2, problems: [] });
  });

  test("a directory of blobs that is none is told, and the other is taken in", async () => {
    await using world = await openWorld();
    const layer = sample(90);
    const digest = digestOf("sha512", layer);
    await writeBlobFile(world, digest, layer);
    await writeFile(world.pathOf(`${repository}/blobs/sha256`), "");
    await writeLayout(world, { index: [] });
    const { problems } = await reconcile(world);
    expect(problems).toEqual([`${repository}/blobs/sha256: it cannot be read (ENOTDIR)`]);
    expect(await blobSize(world.registry.metadata, repository, digest)).toBe(90);
  });

  test("of many only the first hundred are told one by one", async () => {
    await using world = await openWorld();
    await writeLayout(world, { index: [] });
    await mkdir(dirname(pathOf(world, bad)), { recursive: true });
    for (let index = 0; index < 150; index += 1)
      await writeFile(pathOf(world, `sha256:x${index}`), "");
    const { problems } = await reconcile(world);
    expect(problems).toHaveLength(101);
    expect(problems.at(-1)).toBe("and 50 more");
  });
});

describe("links", () => {
  test("a blob that is a symbolic link becomes a file of its own", async () => {
    await using world = await openWorld();
    const layer = sample(200_000);
    const digest = digestOf("sha256", layer);
    const elsewhere = `${world.root}-layer`;
    await writeFile(elsewhere, layer);
    await writeLayout(world, { index: [] });
    await mkdir(dirname(pathOf(world, digest)), { recursive: true });
    await symlink(elsewhere, pathOf(world, digest));
    expect(await reconcile(world)).toMatchObject({ blobs: 1, problems: [] });
    expect((await lstat(pathOf(world, digest))).isFile()).toBe(true);
    await truncate(elsewhere, 0);
    expect(await world.registry.blobs.read(repository, digest, 999_999)).toEqual(layer);
  });

  test("a file with several names, as zot's own, is taken in as it is", async () => {
    await using world = await openWorld();
    const layer = sample(2_000);
    const digest = digestOf("sha256", layer);
    await writeBlobFile(world, digest, layer, "a");
    await writeLayout(world, { at: "a", index: [] });
    await writeLayout(world, { at: "b", index: [] });
    const [from, to] = [world.pathOf(blobKey("a", digest)), world.pathOf(blobKey("b", digest))];
    await mkdir(dirname(to), { recursive: true });
    await link(from, to);
    await world.settle();
    expect((await stat(from)).ino).toBe((await stat(to)).ino);
    expect(await blobSize(world.registry.metadata, "b", digest)).toBe(2_000);
  });
});

describe("an index.json that is no good", () => {
  const bads: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
    "a directory": async (path) => {
      await unlink(path);
      await mkdir(`${path}/inside`, { recursive: true });
    },
    "a pipe": async (path) => {
      await unlink(path);
      await runOk("mkfifo", [path]);
    },
  };
  for (const [says, make] of Object.entries(bads)) {
    test(`${says} is set aside, told once, and written anew`, async () => {
      await using world = await openWorld();
      await pushImage(world, image(1), "v1");
      await world.settle();
      await make(world.pathOf(indexKey(repository)));
      await pushImage(world, image(2), "v2");
      await world.settle();
      expect(await readIndex(world)).toEqual(await factLines(world));
      expect(errorsOf(world)).toHaveLength(1);
      expect(await readdir(world.pathOf(quarantineDirectory))).toHaveLength(1);
      world.reports.length = 0;
      await world.settle();
      expect(world.reports).toEqual([]);
    });
  }

  test("one of more bytes than a part may have is told", async () => {
    await using world = await openWorld();
    const huge = { ...image(1).descriptor, annotations: { a: "x".repeat(5 * 1024 * 1024) } };
    await writeLayout(world, { index: [huge] });
    const hourAgo = Date.now() / 1000 - 3600;
    await utimes(world.pathOf(indexKey(repository)), hourAgo, hourAgo);
    await world.settle();
    expect(errorsOf(world)).toEqual(["index.json cannot be read: index.json is not JSON"]);
  });

  test("a layout of another version is told", async () => {
    await using world = await openWorld();
    const app = image(1);
    await writeLayout(world, { blobs: [...app.blobs, app.bytes], index: [app.descriptor] });
    await writeFile(world.pathOf(markerKey(repository)), '{"imageLayoutVersion":"2.0.0"}');
    const { problems } = await reconcile(world);
    expect(problems).toEqual(["oci-layout: expected imageLayoutVersion 1.x"]);
  });
});

/** Background work that has looked at every layout. */
async function startedJobs(world: World): Promise<JobLoop<Registry>> {
  const { registry, report } = world;
  const reconciled = Promise.withResolvers<void>();
  const onReconciled = reconciled.resolve;
  const heavy = runHere<Registry>(registry);
  const jobs = new JobLoop<Registry>({
    jobs: registryJobs({
      registry,
      report,
      heavy,
      uploadIdleMs: () => 1000,
      collection: () => collecting({ gc: false }),
      scrub: () => ({ enable: false, interval: 0 }),
      historyMs: () => 365 * 24 * 60 * 60_000,
      directoryOf: (repository) => repository,
      upkeep: null,
      removalDelayMs: () => 0,
      auditIntervalMs: () => 0,
      exporter: null,
      exports: () => ({ exportInterval: 0, exportsKept: 1 }),
      onReconciled,
    }),
    heavy,
    leases: new FileLeases(world.root),
    clock: registry.clock,
    report,
  });
  jobs.start();
  await reconciled.promise;
  return jobs;
}

describe("what was taken away", () => {
  const removals: Readonly<Record<string, readonly string[]>> = {
    "index.json": [indexKey(repository)],
    "index.json and oci-layout": [indexKey(repository), markerKey(repository)],
  };
  for (const [says, keys] of Object.entries(removals)) {
    for (const restarted of [false, true]) {
      test(`${says} comes back ${restarted ? "with the next start" : "while the server runs"}`, async () => {
        await using world = await openWorld();
        await pushImage(world, image(1), "v1");
        await world.settle();
        for (const key of keys) await rm(world.pathOf(key));
        if (restarted) await world.crash();
        const jobs = await startedJobs(world);
        expect(await readIndex(world)).toEqual(await factLines(world));
        for (const key of keys) expect(await world.stores.files.stat(key)).not.toBeNull();
        await jobs.stop();
      });
    }
  }

  test("index.json comes back with the next push, and shows everything", async () => {
    await using world = await openWorld();
    await pushImage(world, image(1), "v1");
    await world.settle();
    await rm(world.pathOf(indexKey(repository)));
    await world.crash(); // Another process does not remember that it was there.
    await pushBlob(world, sample(50));
    expect(await readIndex(world)).toEqual([]);
    await world.settle();
    expect(await readIndex(world)).toEqual(await factLines(world));
    expect(errorsOf(world)).toEqual([]);
  });

  test("a directory that is gone is not made again, to list what is not there", async () => {
    await using world = await openWorld();
    await pushImage(world, image(1), "v1");
    await world.settle();
    await rename(world.pathOf(repository), `${world.root}-moved`);
    const jobs = await startedJobs(world);
    expect(await readIndex(world)).toBeNull();
    await jobs.stop();
  });
});

test("the first push into a repository leaves a layout that every tool reads", async () => {
  await using world = await openWorld();
  await pushBlob(world, sample(50));
  const index = JSON.parse(await readFile(world.pathOf(indexKey(repository)), "utf8")) as object;
  expect(index).toMatchObject({ schemaVersion: 2, manifests: [] });
  // It is ours: nothing is taken in for it.
  await world.settle();
  expect(world.reports).toEqual([]);
});

test("a manifest that was taken in under a wrong type is whole once it is pushed", async () => {
  await using world = await openWorld();
  const app = image(1);
  const sbom = image(2, { subject: app.descriptor, annotations: { "example.kind": "sbom" } });
  // The descriptor contradicts the document, so that a push of the two would be refused.
  const listed = { ...sbom.descriptor, mediaType: mediaTypes.dockerImage };
  await writeLayout(world, {
    blobs: [...app.blobs, app.bytes, ...sbom.blobs, sbom.bytes],
    index: [named(app.descriptor, "v1"), listed],
  });
  await world.settle();
  const page = { after: null, limit: 9, bytesMax: 99_999 };
  const referrers = async () =>
    (await world.registry.metadata.referrers(repository, app.digest, [], page)).records;
  expect(await referrers()).toMatchObject([{ annotations: null }]);
  await putManifest(world, sbom.bytes, sbom.digest);
  expect(await referrers()).toMatchObject([
    { annotations: '{"example.kind":"sbom"}', mediaType: mediaTypes.ociImage },
  ]);
});

test("a child that comes after its index is a manifest, not a blob", async () => {
  await using world = await openWorld();
  const child = image(1);
  const index = bytesOf({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [child.descriptor],
  });
  const digest = digestOf("sha256", index);
  const listed = named({ mediaType: mediaTypes.ociIndex, digest, size: index.length }, "v1");
  await writeLayout(world, { blobs: [index], index: [listed] });
  await world.settle();
  // An index is whole without some of its manifests; the operator hears of it.
  expect(errorsOf(world)).toEqual([]);
  expect(world.reports).toContainEqual({
    level: "warn",
    message: "indexes name manifests that are not here",
    fields: { repository, manifests: 1, first: child.digest, index: digest },
  });
  const read = await readFile(world.pathOf(indexKey(repository)), "utf8");
  await writeLayout(world, { blobs: [...child.blobs, child.bytes], index: changedIndex(read, []) });
  await utimes(world.pathOf(indexKey(repository)), 1, 1);
  await world.settle();
  const { metadata } = world.registry;
  expect(await metadata.manifestByDigest(repository, child.digest)).toMatchObject({
    mediaType: mediaTypes.ociImage,
  });
  expect(await metadata.blobRecord(repository, child.digest)).toBeNull();
});

test("one change in an index of many reads what changed, and nothing else", async () => {
  await using world = await openWorld();
  const count = 700;
  const app = image(0);
  await pushImage(world, app, "base");
  for (let index = 0; index < count; index += 1) {
    const { bytes } = image(0, { annotations: { n: String(index) } });
    await putManifest(world, bytes, `v${index}`);
  }
  await world.settle();
  const theirs = image(2);
  const read = await readFile(world.pathOf(indexKey(repository)), "utf8");
  await writeLayout(world, {
    blobs: [...theirs.blobs, theirs.bytes],
    index: changedIndex(read, [named(theirs.descriptor, "theirs")]),
  });
  const { files } = world.stores;
  const readNow = files.readNow.bind(files);
  const asked: string[] = [];
  files.readNow = (key) => {
    if (key.includes("/blobs/")) asked.push(key);
    return readNow(key);
  };
  expect(await reconcile(world)).toMatchObject({ kind: "taken", manifests: 1, blobs: 2 });
  expect(asked).toHaveLength(3);
});
