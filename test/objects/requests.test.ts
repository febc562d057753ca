// How many requests to the store each thing costs that a client does: the promise of docs/guides/object_storage.md.

import { expect, test } from "bun:test";
import { sample } from "../contracts/store_samples.ts";
import {
  manifestHeaders,
  manifestOf,
  pushed,
  sha256,
  startObjectRegistry,
} from "./object_registry.ts";

const mebibyte = 1024 * 1024;
const config = new TextEncoder().encode(`{"architecture":"amd64","os":"linux"}`);
const layer = sample(mebibyte);
/** Three parts. */
const large = sample(33 * mebibyte);
const manifest = manifestOf(config, [layer, large]);

test("a push: one for a blob of one part, n + 2 for one of n parts, none for a manifest; then none to share or to delete", async () => {
  await using registry = await startObjectRegistry();
  const { world, counted } = registry;
  for (const [bytes, requests] of [
    [config, { put: 1 }],
    [layer, { put: 1 }],
    [large, { create: 1, part: 3, complete: 1 }],
  ] as const) {
    expect((await pushed(world, "team/app", bytes)).answer.status).toBe(201);
    expect(counted()).toEqual(requests);
  }
  const put = (repository: string, reference: string) =>
    world.send("PUT", `/v2/${repository}/manifests/${reference}`, {
      body: manifest,
      headers: manifestHeaders,
    });
  expect((await put("team/app", "1")).status).toBe(201);
  expect(counted()).toEqual({});
  for (const bytes of [config, layer, large]) {
    const query = `?mount=${sha256(bytes)}&from=team/app`;
    expect((await world.send("POST", `/v2/team/other/blobs/uploads/${query}`)).status).toBe(201);
  }
  // Small content is believed by its digest alone, which somebody has to have looked at.
  const { get = 0, ...rest } = counted();
  expect(rest).toEqual({});
  expect(get).toBeLessThanOrEqual(1);
  for (const bytes of [layer, large]) {
    const head = await world.send("HEAD", `/v2/team/other/blobs/${sha256(bytes)}`);
    expect(head.status).toBe(200);
  }
  expect((await world.send("DELETE", "/v2/team/app/manifests/1")).status).toBe(202);
  expect(counted()).toEqual({});
});

test("a push of what another repository has already asks only whether it is there", async () => {
  await using registry = await startObjectRegistry();
  const { world, counted } = registry;
  await pushed(world, "team/app", large);
  counted();
  expect((await pushed(world, "team/other", large)).answer.status).toBe(201);
  expect(counted()).toEqual({ head: 1 });
});

test("a manifest beyond 256 KiB is an object", async () => {
  await using registry = await startObjectRegistry();
  const { world, counted } = registry;
  await pushed(world, "team/app", config);
  counted();
  for (const [length, requests] of [
    [256 * 1024, {}],
    [256 * 1024 + 1, { put: 1 }],
  ] as const) {
    const document = padded(manifestOf(config, []), length);
    const target = `/v2/team/app/manifests/${sha256(document)}`;
    const put = await world.send("PUT", target, { body: document, headers: manifestHeaders });
    expect(put.status).toBe(201);
    expect(counted()).toEqual(requests);
    const pulled = await world.send("GET", target);
    expect(Buffer.from(pulled.body).equals(document)).toBe(true);
    counted();
    expect((await world.send("DELETE", target)).status).toBe(202);
    expect((await world.send("GET", target)).status).toBe(404);
    expect(counted()).toEqual({});
  }
});

/** The same document with spaces behind it. */
function padded(document: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(0x20);
  bytes.set(document);
  return bytes;
}

test("a pull: one for each blob, none with redirects or for a manifest; small content comes from memory the second time", async () => {
  for (const redirectBlobURL of [false, true]) {
    await using registry = await startObjectRegistry({ redirectBlobURL });
    const { world, counted } = registry;
    for (const bytes of [config, layer]) await pushed(world, "team/app", bytes);
    const document = manifestOf(config, [layer]);
    await world.send("PUT", "/v2/team/app/manifests/1", {
      body: document,
      headers: manifestHeaders,
    });
    counted();
    const pull = async (): Promise<number> => {
      expect((await world.send("GET", "/v2/team/app/manifests/1")).status).toBe(200);
      expect((await world.send("GET", `/v2/team/app/blobs/${sha256(config)}`)).status).toBe(200);
      return (await world.send("GET", `/v2/team/app/blobs/${sha256(layer)}`)).status;
    };
    expect(await pull()).toBe(redirectBlobURL ? 307 : 200);
    expect(counted()).toEqual({ get: redirectBlobURL ? 1 : 2 });
    await pull();
    expect(counted()).toEqual(redirectBlobURL ? {} : { get: 1 });
  }
});

test("an answer of up to 16 MiB says its length; so does a part of a larger one", async () => {
  await using registry = await startObjectRegistry();
  const { world, counted } = registry;
  const fits = sample(16 * mebibyte);
  for (const bytes of [fits, large]) await pushed(world, "team/app", bytes);
  counted();
  const get = (bytes: Uint8Array, headers = {}) =>
    world.send("GET", `/v2/team/app/blobs/${sha256(bytes)}`, {
      headers,
      bodyBytesMax: 40 * mebibyte,
    });
  const whole = await get(fits);
  expect(whole.headers.get("content-length")).toBe(String(fits.length));
  expect(sha256(whole.body)).toBe(sha256(fits));
  const part = await get(large, { range: `bytes=1000-${mebibyte}` });
  expect(part.headers.get("content-length")).toBe(String(mebibyte - 999));
  expect(Buffer.compare(part.body, large.subarray(1000, mebibyte + 1))).toBe(0);
  const longer = await get(large);
  expect(longer.headers.get("content-length")).toBeNull();
  expect(sha256(longer.body)).toBe(sha256(large));
  expect(counted()).toEqual({ get: 3 });
});
