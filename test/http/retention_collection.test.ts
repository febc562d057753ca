// Rows of the table of retention whose effect is seen when collection follows: tags go, and what only they kept.
//
// All of it is pushed to a server that collects nothing: to one that waits for a second only, a push on a busy machine
// would come too late for its own blobs.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { eventually } from "../processes.ts";
import { tempDirectory, type TempDirectory } from "../temp.ts";
import { config, image, index, layer, referrer, type ManifestContent } from "./content.ts";
import { startWorld, type World } from "./world.ts";

let root: TempDirectory;
let world: World;

beforeAll(async () => {
  root = await tempDirectory();
  const rootDirectory = join(root.path, "root");
  world = await startWorld({ storage: { rootDirectory, gc: false } });
  await pushAll();
  await world[Symbol.asyncDispose]();
  const kept = (repositories: string[], pattern: string) => ({
    repositories,
    deleteReferrers: true,
    keepTags: [{ patterns: [pattern] }],
  });
  const policies = [
    kept(["row6/**", "row38/**"], "^v1$"),
    kept(["row8/**"], "^keep$"),
    kept(["row28/**"], "^(child|nested)$"),
    { ...kept(["row29/**"], "^child$"), deleteUntagged: false },
    kept(["row30/**"], "^manifest2$"),
  ];
  const storage = { gcInterval: "1s", gcDelay: "1s", undo: { window: "0s" } };
  world = await startWorld({ storage: { rootDirectory, ...storage, retention: { policies } } });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await root[Symbol.asyncDispose]();
});

async function push(repository: string, manifest: ManifestContent, tag?: string): Promise<void> {
  const { status } = await world.send(
    "PUT",
    `/v2/${repository}/manifests/${tag ?? manifest.digest}`,
    { body: manifest.bytes, headers: { "content-type": manifest.mediaType } },
  );
  expect(status).toBe(201);
}

async function pushBlobs(repository: string): Promise<void> {
  for (const { bytes: body, digest } of [config, layer]) {
    await world.send("POST", `/v2/${repository}/blobs/uploads/?digest=${digest}`, { body });
  }
}

/** By GET: a HEAD of somebody who may push starts the delay anew. */
const statusOf = async (target: string): Promise<number> =>
  (await world.send("GET", `/v2/${target}`)).status;

async function goes(repository: string, ...gone: ManifestContent[]): Promise<void> {
  for (const { digest } of gone) {
    await eventually(`${digest} of ${repository} goes`, async () => {
      return (await statusOf(`${repository}/manifests/${digest}`)) === 404;
    });
  }
}

async function stays(repository: string, ...kept: ManifestContent[]): Promise<void> {
  for (const { digest } of kept) {
    expect(await statusOf(`${repository}/manifests/${digest}`)).toBe(200);
  }
}

const named = (name: string): ManifestContent => image({ annotations: { name } });
const [one, two, three] = [named("one"), named("two"), named("three")];

const signature = referrer(one, 1);
const counter = referrer(signature, 2);
const nestedThree = index([three]);
const topOfThree = index([one, two, nestedThree]);
const topOfTwo = index([one, two]);
const topOfNested = index([topOfTwo]);
/** It needs no blobs. */
const empty = index([]);

async function pushAll(): Promise<void> {
  const pushes: readonly (readonly [
    repository: string,
    ...(readonly [ManifestContent, string?])[],
  ])[] = [
    ["row6/app", [one, "dev"], [two], [signature], [counter]],
    ["row8/app", [one, "keep"], [one, "other"], [two, "a"], [two, "b"]],
    [
      "row28/app",
      [one],
      [two],
      [three],
      [one, "child"],
      [nestedThree, "nested"],
      [topOfThree, "top"],
    ],
    ["row29/app", [one], [two], [one, "child"], [topOfTwo, "top"]],
    [
      "row30/app",
      [one, "manifest1"],
      [two, "manifest2"],
      [topOfTwo, "nested"],
      [topOfNested, "top"],
    ],
  ];
  for (const [repository, ...manifests] of pushes) {
    await pushBlobs(repository);
    for (const [manifest, tag] of manifests) await push(repository, manifest, tag);
  }
}

test("6, 38: tags, untagged, referrers and referrers of those go, and the repository with them", async () => {
  const at = "row6/app";
  await goes(at, one, two, signature, counter);
  await eventually("the repository goes", async () => (await statusOf(`${at}/tags/list`)) === 404);
});

test("7, 8: a manifest stays with the last of its tags that matches", async () => {
  const at = "row8/app";
  await goes(at, two);
  await eventually(
    "the other tag goes",
    async () => (await statusOf(`${at}/manifests/other`)) === 404,
  );
  await stays(at, one);
});

test("28: an index goes with its own children; a child with a tag and a nested index with one stay", async () => {
  const at = "row28/app";
  await goes(at, topOfThree, two);
  await stays(at, one, nestedThree, three);
});

test("29: with deleteUntagged: false the tag goes and everything else stays", async () => {
  const at = "row29/app";
  await eventually("the tag goes", async () => (await statusOf(`${at}/manifests/top`)) === 404);
  // Another repository of the same server is collected meanwhile.
  await push("row38/app", empty, "dev");
  await goes("row38/app", empty);
  await stays(at, topOfTwo, one, two);
});

test("30: of nested indexes only what the entry names stays", async () => {
  const at = "row30/app";
  await goes(at, topOfNested, topOfTwo, one);
  await stays(at, two);
});
