// Clients that hardly read, of a blob that is still on its way: they hold neither the download, nor other clients, nor the
// upstream's places.

import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { manualClock } from "../../src/lib/clock.ts";
import { sample } from "../contracts/store_samples.ts";
import { eventually } from "../processes.ts";
import { mirrorWorld, sha256, type MirrorWorld } from "./mirror_world.ts";

const MiB = 1024 * 1024;

interface SlowReader extends Disposable {
  /** Bytes of the body that were read so far. */
  bytes(): number;
  /** Reads on as fast as it goes; resolves with the body when the connection ends. */
  rest(): Promise<Buffer>;
}

/** Asks for a path, and stops reading with the first bytes of the body. */
async function slowReader(world: MirrorWorld, path: string, range = ""): Promise<SlowReader> {
  const { hostname, port } = new URL(world.url);
  const socket: Socket = connect(Number(port), hostname);
  const head = range === "" ? "" : `Range: ${range}\r\n`;
  socket.write(`GET /v2/${path} HTTP/1.1\r\nHost: mirror\r\nConnection: close\r\n${head}\r\n`);
  const parts: Buffer[] = [];
  const ended = Promise.withResolvers<void>();
  socket.on("close", () => ended.resolve());
  socket.on("error", () => ended.resolve());
  const began = Promise.withResolvers<void>();
  const read = (): Buffer => {
    const all = Buffer.concat(parts);
    const at = all.indexOf("\r\n\r\n");
    if (at === -1) return Buffer.alloc(0);
    const isChunked = all.subarray(0, at).toString().toLowerCase().includes("chunked");
    return isChunked ? unchunked(all.subarray(at + 4)) : all.subarray(at + 4);
  };
  socket.on("data", (part) => {
    parts.push(part as Buffer);
    if (read().length > 0) began.resolve();
    // A byte now and then would look the same to the server: its buffers are full.
    if (!socket.isPaused()) socket.pause();
  });
  await Promise.race([began.promise, ended.promise]);
  return {
    bytes: () => read().length,
    rest: async () => {
      socket.removeAllListeners("data");
      socket.on("data", (part) => void parts.push(part as Buffer));
      socket.resume();
      await ended.promise;
      return read();
    },
    [Symbol.dispose]: () => socket.destroy(),
  };
}

/** What is there of a body in chunks. */
function unchunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf("\r\n", at);
    if (end === -1) break;
    const size = Number.parseInt(bytes.subarray(at, end).toString(), 16);
    if (!(size > 0)) break;
    parts.push(bytes.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
  return Buffer.concat(parts);
}

async function opened(bytes: Uint8Array, options: Parameters<typeof mirrorWorld>[0] = {}) {
  const world = await mirrorWorld(options);
  const image = world.upstream.content.addImage("library/a", "v1", [bytes]);
  expect((await world.get("docker.io/library/a/manifests/v1")).status).toBe(200);
  const { digest } = image.layers[0]!;
  return { world, digest, path: `docker.io/library/a/blobs/${digest}` };
}

test("hold neither the download nor others, and get all of it in the end", async () => {
  const { world, digest, path } = await opened(sample(32 * MiB));
  await using _ = world;
  using slow = await slowReader(world, path);
  expect(sha256(await world.bytes(path))).toBe(digest);
  await eventually("the download has ended", () => world.counted.fetching === 0);
  expect(world.upstream.asked("GET", "/blobs/")).toHaveLength(1);
  expect(slow.bytes()).toBeLessThan(32 * MiB);
  expect(sha256(await slow.rest())).toBe(digest);
});

test("of ranges far ahead take a few of the upstream's places; further ones wait for the download", async () => {
  const bytes = sample(24 * MiB, 5);
  const { world, digest, path } = await opened(bytes);
  await using _ = world;
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  world.upstream.inTurn(
    "GET",
    /blobs/,
    {
      headers: { "Content-Length": String(bytes.length) },
      body: (async function* () {
        yield bytes.subarray(0, MiB);
        begun.resolve();
        await gate.promise;
        yield bytes.subarray(MiB);
      })(),
    },
    null,
  );
  const whole = world.bytes(path);
  await begun.promise;
  const ask = () => world.get(path, { headers: { Range: `bytes=${20 * MiB}-` } });
  // Their answers have begun, and nobody reads them.
  const passed = await Promise.all(Array.from({ length: 4 }, ask));
  expect(world.upstream.asked("GET", "/blobs/")).toHaveLength(5);
  const waiting = [ask(), ask()];
  await world.get("_catalog");
  expect(world.upstream.asked("GET", "/blobs/")).toHaveLength(5);
  gate.resolve();
  // All of it is here before places are given back: who comes late finds it, and passes nothing.
  expect(sha256(await whole)).toBe(digest);
  const expected = sha256(bytes.subarray(20 * MiB));
  for (const answer of [...passed, ...(await Promise.all(waiting))]) {
    expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(expected);
  }
  expect(world.upstream.asked("GET", "/blobs/")).toHaveLength(5);
});

test("of a blob that is not kept give their place at the upstream back", async () => {
  const clock = manualClock(1_000_000);
  const { world, path } = await opened(sample(48 * MiB, 9), { clock, freePartMin: 1.1 });
  await using _ = world;
  using slow = await slowReader(world, path);
  await eventually("its time is over", async () => {
    await clock.advance(60_000);
    return world.log.some((line) => line.includes("its client took nothing for 60 s"));
  });
  expect((await slow.rest()).length).toBeLessThan(48 * MiB);
});
