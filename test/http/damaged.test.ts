// A file on disk that is not what was recorded, as clients see it: an error to readers, absent to pushers, and whole
// again after a push.

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sample } from "../contracts/store_samples.ts";
import { startWorld, type World } from "./world.ts";

const imageType = "application/vnd.oci.image.manifest.v1+json";
const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const text = (value: object): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.from(JSON.stringify(value)));

/** Too large for memory, and small enough. */
const layer = sample(300_000);
const config = text({ architecture: "amd64", os: "linux" });
const describeAs = (mediaType: string, bytes: Uint8Array) => ({
  mediaType,
  digest: digestOf(bytes),
  size: bytes.length,
});
const manifest = text({
  schemaVersion: 2,
  mediaType: imageType,
  config: describeAs("application/vnd.oci.image.config.v1+json", config),
  layers: [describeAs("application/vnd.oci.image.layer.v1.tar", layer)],
});

async function pushBlob(world: World, bytes: Uint8Array, at = "a"): Promise<number> {
  const target = `/v2/${at}/blobs/uploads/?digest=${digestOf(bytes)}`;
  return (await world.send("POST", target, { body: bytes })).status;
}

async function pushManifest(world: World): Promise<number> {
  const headers = { "content-type": imageType };
  const put = { body: manifest, headers };
  return (await world.send("PUT", "/v2/a/manifests/one", put)).status;
}

async function pushed(): Promise<World> {
  const world = await startWorld();
  expect(await pushBlob(world, layer)).toBe(201);
  expect(await pushBlob(world, config)).toBe(201);
  expect(await pushManifest(world)).toBe(201);
  // What was read lately is in memory, where it is right.
  await world.restart();
  return world;
}

const fileOf = (world: World, bytes: Uint8Array): string =>
  join(world.rootDirectory, "a/blobs/sha256", digestOf(bytes).slice("sha256:".length));

const contents = {
  "a large blob": { bytes: layer, path: `/v2/a/blobs/${digestOf(layer)}`, repair: pushBlob },
  "a small blob": { bytes: config, path: `/v2/a/blobs/${digestOf(config)}`, repair: pushBlob },
  "a manifest": { bytes: manifest, path: "/v2/a/manifests/one", repair: pushManifest },
} as const;

const damages: Readonly<Record<string, (path: string) => Promise<void>>> = {
  shorter: (path) => truncate(path, 10),
  empty: (path) => truncate(path, 0),
  longer: (path) => writeFile(path, "more", { flag: "a" }),
  gone: (path) => rm(path),
};

for (const [what, { bytes, path, repair }] of Object.entries(contents)) {
  for (const [how, damage] of Object.entries(damages)) {
    describe(`${what} whose file is ${how}`, () => {
      test("is an error to readers, not there for pushers, and right after a push", async () => {
        await using world = await pushed();
        await damage(fileOf(world, bytes));
        const ranged = { headers: { range: "bytes=5-9" } };
        const several = { headers: { range: "bytes=0-1,5-9" } };
        for (const options of [{}, ...(what === "a manifest" ? [] : [ranged, several])]) {
          const answer = await world.send("GET", path, options);
          expect([options, answer.status]).toEqual([options, 500]);
        }
        const errors = world.records.map(({ error }) => error ?? "").join();
        expect(errors).toContain(`${digestOf(bytes)} of a should be ${bytes.length} bytes on disk`);
        expect((await world.send("HEAD", path)).status).toBe(404);
        expect(await repair(world, bytes)).toBe(201);
        for (const [method, options, status] of [
          ["GET", {}, 200],
          ["HEAD", {}, 200],
          ...(what === "a manifest" ? [] : ([["GET", ranged, 206]] as const)),
        ] as const) {
          expect((await world.send(method, path, options)).status).toBe(status);
        }
        expect(Buffer.from((await world.send("GET", path)).body)).toEqual(Buffer.from(bytes));
      });
    });
  }
}

test("a small file that holds other bytes is no answer, and is not kept in memory", async () => {
  await using world = await pushed();
  const wrong = new Uint8Array(config).fill(120);
  await writeFile(fileOf(world, config), wrong);
  const path = `/v2/a/blobs/${digestOf(config)}`;
  expect((await world.send("GET", path)).status).toBe(500);
  expect((await world.send("HEAD", path)).status).toBe(404);
  expect(await pushBlob(world, config, "b")).toBe(201);
  for (const at of ["a", "b"]) {
    const answer = await world.send("GET", `/v2/${at}/blobs/${digestOf(config)}`);
    expect([answer.status, Buffer.from(answer.body)]).toEqual([200, Buffer.from(config)]);
  }
});
