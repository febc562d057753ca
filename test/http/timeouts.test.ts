// Silence and slowness over real sockets: what makes progress is never cut, what is silent is.
//
// The runtime's idle timer ticks every four seconds or so and counts more than silence; `http/listen.ts` and the
// uploads work around it. Each test waits for a connection that must be cut beside the one that must not be, so that
// no time is written down here. All run at once.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import type { Reply } from "../../src/http/endpoint.ts";
import { listen, type Listener } from "../../src/http/listen.ts";
import { eventually } from "../processes.ts";
import { tempDirectory } from "../temp.ts";
import { pattern } from "./content.ts";
import { openRaw, type RawSocket, request, statuses } from "./raw_socket.ts";
import { startWorld, type World } from "./world.ts";

/** Longer than the runtime takes to notice an idle limit of a second, on a machine that is busy. */
const cutMs = 50_000;
const testMs = 120_000;
const host = "Host: registry.example";

/** Sends a piece again and again until told to stop. */
function trickle(socket: RawSocket, piece: string): () => void {
  const timer = setInterval(() => {
    if (!socket.isClosed()) socket.send(piece);
  }, 200);
  return () => clearInterval(timer);
}

let world: World;
beforeAll(async () => {
  world = await startWorld({ http: { readTimeout: "1s" } });
});
afterAll(() => world[Symbol.asyncDispose]());

test.concurrent(
  "a connection that says nothing is closed",
  async () => {
    await using socket = await openRaw(world.port);
    expect(await socket.closed(cutMs)).toBe("");
  },
  testMs,
);

test.concurrent(
  "a head that comes byte by byte is cut",
  async () => {
    await using socket = await openRaw(world.port);
    socket.send(`GET /v2/ HTTP/1.1\r\n${host}\r\nX: `);
    const stop = trickle(socket, "x");
    expect(await socket.closed(cutMs)).toBe("");
    stop();
  },
  testMs,
);

test.concurrent(
  "a kept connection without another request is closed",
  async () => {
    await using socket = await openRaw(world.port);
    socket.send(request("GET /v2/ HTTP/1.1", host));
    expect(statuses(await socket.closed(cutMs))).toEqual([200]);
  },
  testMs,
);

async function openUpload(): Promise<string> {
  const opened = await world.send("POST", "/v2/slow/blobs/uploads/");
  return opened.headers.get("location") ?? "";
}

async function held(at: string): Promise<number> {
  const { headers } = await world.send("GET", at);
  return Number(headers.get("range")?.split("-")[1]) + 1;
}

test.concurrent(
  "an upload that makes any progress is never cut",
  async () => {
    const at = await openUpload();
    await using upload = await openRaw(world.port);
    await using manifest = await openRaw(world.port);
    upload.send(request(`PATCH ${at} HTTP/1.1`, host, "Transfer-Encoding: chunked"));
    // A small body that nobody watches falls under the runtime's own timer, which wants more than these few bytes.
    manifest.send(request("PUT /v2/slow/manifests/x HTTP/1.1", host, "Content-Length: 10000"));
    const stopUpload = trickle(upload, "3\r\nabc\r\n");
    const stopManifest = trickle(manifest, "abc");
    await manifest.closed(cutMs);
    stopManifest();
    const before = await held(at);
    await eventually("the upload goes on", async () => (await held(at)) > before + 30);
    stopUpload();
    upload.send("0\r\n\r\n");
    expect(statuses(await upload.until(/\r\n\r\n/))).toEqual([202]);
  },
  testMs,
);

const stalled: readonly (readonly [name: string, framing: string, start: string])[] = [
  ["in chunks", "Transfer-Encoding: chunked", "3\r\nabc\r\n"],
  ["of many bytes", "Content-Length: 1000000", "abc"],
  ["of few bytes", "Content-Length: 1000", "abc"],
];

test.concurrent.each([...stalled])(
  "an upload %s that brings nothing is cut, and goes on later",
  async (_, framing, start) => {
    const at = await openUpload();
    await using socket = await openRaw(world.port);
    socket.send(request(`PATCH ${at} HTTP/1.1`, host, framing));
    socket.send(start);
    expect(await socket.closed(cutMs)).toBe("");
    await eventually("the upload is free again", async () => {
      const patched = await world.send("PATCH", at, { body: "def" });
      return patched.status === 202;
    });
    const kept = await held(at);
    expect([3, 6]).toContain(kept);
  },
  testMs,
);

test.concurrent(
  "a last request that brings nothing is cut, and the upload stands where it stood",
  async () => {
    const at = await openUpload();
    expect((await world.send("PATCH", at, { body: "abc" })).status).toBe(202);
    await using socket = await openRaw(world.port);
    const digest = pattern(1_000).digest;
    socket.send(request(`PUT ${at}?digest=${digest} HTTP/1.1`, host, "Content-Length: 1000"));
    socket.send("def");
    await socket.closed(cutMs);
    await eventually("the upload is free again", async () => {
      return (await world.send("DELETE", at)).status === 204;
    });
  },
  testMs,
);

let directory: Awaited<ReturnType<typeof tempDirectory>>;
let path = "";
const sizeBytes = 96 * 1024 * 1024;
const listeners: Listener[] = [];
beforeAll(async () => {
  directory = await tempDirectory("zot-slow");
  path = join(directory.path, "blob");
  await Bun.write(path, new Uint8Array(sizeBytes));
});
afterAll(async () => {
  for (const listener of listeners) await listener.stop(0);
  await directory[Symbol.asyncDispose]();
});

function serve(idle: { readMs: number; writeMs: number }, body: () => Reply["body"]): Listener {
  const listener = listen({
    address: "127.0.0.1",
    port: 0,
    readIdleMs: idle.readMs,
    writeIdleMs: idle.writeMs,
    sharePort: false,
    dispatch: () =>
      Promise.resolve({ status: 200, headers: { "content-type": "x/y" }, body: body() }),
    onFailure: () => {},
  });
  listeners.push(listener);
  return listener;
}

const get = request("GET / HTTP/1.1", host, "Connection: close");

/** Takes about this much in a second, until told to stop. */
function sip(socket: RawSocket, bytesPerSecond: number): () => void {
  const started = performance.now();
  const timer = setInterval(() => {
    const due = ((performance.now() - started) / 1000) * bytesPerSecond;
    if (socket.receivedBytes() < due) socket.resume();
    else socket.pause();
  }, 20);
  return () => clearInterval(timer);
}

const bodies: readonly (readonly [name: string, body: () => Reply["body"]])[] = [
  ["a file", () => Bun.file(path)],
  ["a part of a file", () => Bun.file(path).slice(0, sizeBytes)],
  ["bytes", () => new Uint8Array(sizeBytes)],
];

test.concurrent.each([...bodies])(
  "%s that is taken slowly is not cut, one that is not taken is",
  async (_, body) => {
    const patient = serve({ readMs: 1_000, writeMs: 60_000 }, body);
    const strict = serve({ readMs: 60_000, writeMs: 1_000 }, body);
    await using slow = await openRaw(patient.port);
    await using control = await openRaw(strict.port);
    await using stalled = await openRaw(strict.port);
    for (const socket of [slow, control, stalled]) socket.send(get);
    await stalled.until(/HTTP/);
    stalled.pause();
    // Between two ticks the runtime sees no progress of one so slow: with a short limit it is cut as well.
    const stops = [slow, control].map((socket) => sip(socket, 1_000_000));
    await eventually("answers beyond the limit are cut", () => strict.pending() === 0, cutMs);
    const before = slow.receivedBytes();
    const goesOn = (): boolean => slow.receivedBytes() > before + 6_000_000;
    await eventually("the slow one goes on for as long again", goesOn, cutMs);
    expect(patient.pending()).toBe(1);
    for (const stop of stops) stop();
    for (const socket of [slow, control, stalled]) socket.resume();
    await Promise.all([slow.closed(), control.closed(), stalled.closed()]);
    expect(stalled.receivedBytes()).toBeLessThan(sizeBytes);
    expect(control.receivedBytes()).toBeLessThan(sizeBytes);
    expect(slow.receivedBytes()).toBeGreaterThan(sizeBytes);
  },
  testMs,
);
