// The last request of an upload, made again after each way in which it can fail: it is stored then, with the same body,
// whatever the first attempt had come to.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { tempDirectory } from "../temp.ts";
import { checkRoot } from "./check_root.ts";
import { sha256 } from "./journal.ts";
import { attach, canInject, type FaultPoint, nameOf, optionsOf } from "./kth_call.ts";
import { startFaultServer } from "./server_process.ts";

const layer = new Uint8Array(Buffer.alloc(400_000, "layer "));
const digest = sha256(layer);
const uploads = "/v2/fault/put/blobs/uploads/";

const points: readonly FaultPoint[] = [
  { call: "fsync", fault: "EIO", k: 1 },
  { call: "link", fault: "ENOSPC", k: 1 },
  { call: "fsync", fault: "EIO", k: 1, on: "facts" },
  { call: "pwrite64", fault: "ENOSPC", k: "1+", on: "facts" },
  { call: "unlink", fault: "EIO", k: 1 },
  { call: "link", fault: "kill", k: 1 },
  { call: "fsync", fault: "kill", k: 1 },
  { call: "fsync", fault: "kill", k: 1, on: "facts" },
  { call: "unlink", fault: "kill", k: 1 },
];

/** Status and location of an answer; 0 when the connection was cut before there was one. */
async function send(url: string, method: string, body?: Uint8Array<ArrayBuffer>) {
  try {
    const answer = await fetch(url, { method, ...(body === undefined ? {} : { body }) });
    await answer.arrayBuffer();
    return { status: answer.status, location: answer.headers.get("location") ?? "" };
  } catch {
    return { status: 0, location: "" };
  }
}

async function repeated(point: FaultPoint, firstBytes: number): Promise<void> {
  await using directory = await tempDirectory("zot-put");
  const root = join(directory.path, "root");
  const env = { UV_THREADPOOL_SIZE: "1" };
  await using server = await startFaultServer(root, null, env);
  const warm = new Uint8Array(Buffer.alloc(400_000, "before "));
  const before = await send(`${server.url}${uploads}?digest=${sha256(warm)}`, "POST", warm);
  expect(before.status).toBe(201);
  let { location } = await send(`${server.url}${uploads}`, "POST");
  if (firstBytes > 0) {
    const first = new Uint8Array(layer.subarray(0, firstBytes));
    ({ location } = await send(`${server.url}${location}`, "PATCH", first));
  }
  const last = new Uint8Array(layer.subarray(firstBytes));
  const put = (url: string) => send(`${url}${location}?digest=${digest}`, "PUT", last);
  const tracer = await attach(server.pid, join(directory.path, "trace"), optionsOf(point, root));
  const failed = await put(server.url);
  await tracer.detach();
  // The fault may meet the projector instead; then there is nothing to repeat.
  expect([0, 201, 500, 503, 507]).toContain(failed.status);
  const alive = failed.status !== 0 && server.running();
  if (!alive) await server.kill();
  await using again = alive ? null : await startFaultServer(root, null, env);
  const { url } = again ?? server;
  const second = await put(url);
  // An upload whose flush failed is gone, since its bytes are: clients begin again. So it is where it was finished.
  if (second.status === 404) {
    const anew = await send(`${url}${uploads}?digest=${digest}`, "POST", layer);
    expect(anew.status).toBe(201);
  } else expect(second.status).toBe(201);
  const read = await fetch(`${url}/v2/fault/put/blobs/${digest}`);
  expect(Buffer.compare(new Uint8Array(await read.arrayBuffer()), layer)).toBe(0);
  await server.kill();
  await again?.kill();
  expect(checkRoot(root).violations).toEqual([]);
}

describe.skipIf(!canInject())("the last request of an upload can be made again", () => {
  for (const point of points) {
    for (const firstBytes of [0, 150_000]) {
      test(`after ${nameOf(point)}, with ${firstBytes} bytes before it`, () =>
        repeated(point, firstBytes));
    }
  }
});
