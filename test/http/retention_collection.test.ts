// Rows of the table of retention whose effect is seen when collection follows: tags go, and what only they kept.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { eventually } from "../processes.ts";
import { config, image, index, layer, referrer, type ManifestContent } from "./content.ts";
import { startWorld, type World } from "./world.ts";

let world: World;

beforeAll(async () => {
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
  world = await startWorld({
    storage: { gcInterval: "1s", gcDelay: "1s", undo: { window: "0s" }, retention: { policies } },
  });
});
afterAll(() => world[Symbol.asyncDispose]());

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

test("6, 38: tags, untagged, referrers and referrers of those go, and the repository with them", async () => {
  const at = "row6/app";
  const signature = referrer(one, 1);
  const counter = referrer(signature, 2);
  await pushBlobs(at);
  await push(at, one, "dev");
  await push(at, two);
  await push(at, signature);
  await push(at, counter);
  await goes(at, one, two, signature, counter);
  await eventually("the repository goes", async () => (await statusOf(`${at}/tags/list`)) === 404);
});

test("7, 8: a manifest stays with the last of its tags that matches", async () => {
  const at = "row8/app";
  await pushBlobs(at);
  await push(at, one, "keep");
  await push(at, one, "other");
  await push(at, two, "a");
  await push(at, two, "b");
  await goes(at, two);
  await eventually(
    "the other tag goes",
    async () => (await statusOf(`${at}/manifests/other`)) === 404,
  );
  await stays(at, one);
});

test("28: an index goes with its own children; a child with a tag and a nested index with one stay", async () => {
  const at = "row28/app";
  const nested = index([three]);
  const top = index([one, two, nested]);
  await pushBlobs(at);
  for (const child of [one, two, three]) await push(at, child);
  await push(at, one, "child");
  await push(at, nested, "nested");
  await push(at, top, "top");
  await goes(at, top, two);
  await stays(at, one, nested, three);
});

test("29: with deleteUntagged: false the tag goes and everything else stays", async () => {
  const at = "row29/app";
  const top = index([one, two]);
  await pushBlobs(at);
  for (const child of [one, two]) await push(at, child);
  await push(at, one, "child");
  await push(at, top, "top");
  await eventually("the tag goes", async () => (await statusOf(`${at}/manifests/top`)) === 404);
  // Another repository of the same server is collected meanwhile.
  await pushBlobs("row38/app");
  await push("row38/app", three, "dev");
  await goes("row38/app", three);
  await stays(at, top, one, two);
});

test("30: of nested indexes only what the entry names stays", async () => {
  const at = "row30/app";
  const nested = index([one, two]);
  const top = index([nested]);
  await pushBlobs(at);
  await push(at, one, "manifest1");
  await push(at, two, "manifest2");
  await push(at, nested, "nested");
  await push(at, top, "top");
  await goes(at, top, nested, one);
  await stays(at, two);
});
