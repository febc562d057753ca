// Indexes of which only some manifests are there: taken where `storage.sparseIndexes` says so, and only there.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { config, descriptor, image, index, layer, type ManifestContent } from "./content.ts";
import { startWorld, type World } from "./world.ts";

const amd64 = image({ annotations: { platform: "amd64" } });
const arm64 = image({ annotations: { platform: "arm64" } });
const sparse = index([amd64, arm64]);
let world: World;

beforeAll(async () => {
  world = await startWorld({ storage: { sparseIndexes: ["mirror/**", "cache"] } });
});
afterAll(() => world[Symbol.asyncDispose]());

async function pushBlobs(repository: string): Promise<void> {
  for (const { bytes: body, digest } of [config, layer]) {
    await world.send("POST", `/v2/${repository}/blobs/uploads/?digest=${digest}`, { body });
  }
}

async function push(repository: string, manifest: ManifestContent, reference = manifest.digest) {
  const { status, body } = await world.send("PUT", `/v2/${repository}/manifests/${reference}`, {
    body: manifest.bytes,
    headers: { "content-type": manifest.mediaType },
  });
  return { status, text: Buffer.from(body).toString() };
}

const statusOf = async (method: string, target: string): Promise<number> =>
  (await world.send(method, `/v2/${target}`)).status;

test("an index is taken without some of its manifests, and those are simply not there", async () => {
  const at = "mirror/library/app";
  await pushBlobs(at);
  expect(await push(at, amd64)).toMatchObject({ status: 201 });
  expect(await push(at, sparse, "latest")).toMatchObject({ status: 201 });
  expect(await statusOf("GET", `${at}/manifests/latest`)).toBe(200);
  expect(await statusOf("GET", `${at}/manifests/${amd64.digest}`)).toBe(200);
  expect(await statusOf("GET", `${at}/manifests/${arm64.digest}`)).toBe(404);
  expect(await statusOf("GET", `${at}/referrers/${arm64.digest}`)).toBe(200);
  expect(await statusOf("DELETE", `${at}/manifests/${arm64.digest}`)).toBe(404);
  expect(await statusOf("DELETE", `${at}/manifests/${amd64.digest}`)).toBe(405);
  // What comes later is protected like the others.
  expect(await push(at, arm64)).toMatchObject({ status: 201 });
  expect(await statusOf("DELETE", `${at}/manifests/${arm64.digest}`)).toBe(405);
  expect(await statusOf("DELETE", `${at}/manifests/${sparse.digest}`)).toBe(202);
  expect(await statusOf("DELETE", `${at}/manifests/${arm64.digest}`)).toBe(202);
});

test("in a repository that fits no glob it is refused, with what is missing", async () => {
  for (const at of ["team/app", "mirror", "cache/app"]) {
    await pushBlobs(at);
    if (at !== "mirror") expect(await push(at, amd64)).toMatchObject({ status: 201 });
  }
  const refused = await push("team/app", sparse, "latest");
  expect(refused.status).toBe(400);
  expect(refused.text).toContain(arm64.digest);
  expect(refused.text).not.toContain(amd64.digest);
  expect((await push("cache/app", sparse, "latest")).status).toBe(400);
});

test("layers and configs must be there all the same, and blobs that an index names", async () => {
  expect((await push("cache", amd64)).status).toBe(400);
  const cache = index([descriptor(layer, "application/vnd.example.cache")]);
  expect((await push("cache", cache, "build")).status).toBe(400);
});

test("a manifest that is there must be as the index describes it", async () => {
  const at = "mirror/described";
  await pushBlobs(at);
  await push(at, amd64);
  const { mediaType } = amd64;
  const larger = index([descriptor(amd64, mediaType, { size: amd64.bytes.length + 1 })]);
  const refused = await push(at, larger, "x");
  expect(refused.status).toBe(400);
  expect(refused.text).toContain(`the manifest has ${amd64.bytes.length}`);
});
