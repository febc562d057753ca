// A quota on several workers: pushes at the same time do not pass it, whichever workers they reach, and a server that is
// killed in the middle of them leaves nothing reserved.

import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { RegistryClient } from "../../src/client/registry_client.ts";
import { startZot, tempDirectory } from "../harness.ts";
import { eventually } from "../processes.ts";
import type { LogLine } from "../harness.ts";

const KiB = 1024;
const layerBytes = 100 * KiB;
const limitBytes = 1024 * KiB;

function layerOf(mark: number) {
  const bytes = new Uint8Array(layerBytes).fill(mark);
  return { bytes, digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}` };
}

test("twenty pushes at once into a quota with room for ten", async () => {
  const quotas = [{ prefix: "team/", bytes: limitBytes }];
  await using zot = await startZot({
    config: { http: { workers: 2 }, storage: { quotas, gc: false } },
  });
  const client = new RegistryClient({ url: zot.url });
  const push = async (mark: number): Promise<number> => {
    const { bytes, digest } = layerOf(mark);
    const { status } = await client.exchange({
      method: "POST",
      url: `/v2/team/app-${mark % 5}/blobs/uploads/?digest=${digest}`,
      login: "none",
      body: bytes,
      headers: [["connection", "close"]],
    });
    return status;
  };
  const used = async (): Promise<number> => {
    const { body } = await client.exchange({ method: "GET", url: "/v2/_zot/usage?prefix=team/" });
    return JSON.parse(Buffer.from(body).toString()).quotas[0].used.bytes;
  };
  const statuses = await Promise.all(Array.from({ length: 20 }, (_, at) => push(at)));
  const pushed = statuses.filter((status) => status === 201).length;
  expect(statuses.filter((status) => status !== 201)).toEqual(
    Array.from({ length: 20 - pushed }, () => 403),
  );
  expect(pushed).toBeGreaterThan(0);
  expect(pushed).toBeLessThanOrEqual(10);
  expect(await used()).toBe(pushed * layerBytes);
  // One after the other they find the room that is left, and no more.
  for (let mark = 20; mark < 32; mark += 1) await push(mark);
  expect(await used()).toBe(10 * layerBytes);
  expect(await push(40)).toBe(403);
  const isRefusal = (line: LogLine): boolean => line["status"] === 403 && line["msg"] === "request";
  const refusals = await eventually("the refusals are logged", () => {
    const found = zot.logs().filter(isRefusal);
    return found.length > 10 - pushed + 2 ? found : undefined;
  });
  // The last one had no room when it came: its body was not taken.
  expect(refusals.at(-1)?.["bytesIn"] ?? 0).toBe(0);
  client.close();
});

test("a server that is killed in the middle of a push reserves nothing for it when it comes back", async () => {
  await using directory = await tempDirectory();
  const rootDirectory = join(directory.path, "root");
  const storage = { quotas: [{ prefix: "team/", bytes: limitBytes }] };
  const options = { rootDirectory, config: { http: { workers: 2 }, storage } };
  const { bytes, digest } = layerOf(1);
  const pushTo = async (url: string): Promise<number> => {
    const target = `${url}/v2/team/app/blobs/uploads/?digest=${digest}`;
    return (await fetch(target, { method: "POST", body: bytes })).status;
  };
  {
    await using zot = await startZot(options);
    const opened = await fetch(`${zot.url}/v2/team/app/blobs/uploads/`, { method: "POST" });
    const socket = await openRaw(zot.port);
    const target = opened.headers.get("location") ?? "";
    socket.write(
      `PATCH ${target} HTTP/1.1\r\nhost: ${zot.host}\r\ncontent-length: ${limitBytes}\r\n\r\nhalf of it`,
    );
    const begin = `${zot.url}/v2/team/app/blobs/uploads/`;
    await eventually(
      "all of the quota is reserved",
      async () => (await fetch(begin, { method: "POST" })).status === 403,
    );
    await zot.kill();
    socket.destroy();
  }
  await using zot = await startZot(options);
  expect(await pushTo(zot.url)).toBe(201);
});

function openRaw(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket));
    socket.on("error", reject);
  });
}
