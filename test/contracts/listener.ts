// What any listener must do: the contract of `Listener` in `src/http/listen.ts`, run over plain HTTP, TLS, and TLS
// with client certificates.
//
// A listener's test file calls `listenerContract` with a way to open one and to reach it. Bodies are compared by their
// digests, and backpressure is seen by how far the fast side gets while the slow one pauses, not by time. What only
// one listener can do (certificates), and what the runtime's parser refuses, is tested elsewhere.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { truncate } from "node:fs/promises";
import { join } from "node:path";
import type { ConnectionOptions } from "node:tls";
import type { Connection } from "../../src/http/call.ts";
import type { Reply } from "../../src/http/endpoint.ts";
import type { Listener } from "../../src/http/listen.ts";
import { GiB, KiB, MiB } from "../../src/lib/bytes.ts";
import { pattern } from "../http/content.ts";
import { openRaw, type RawSocket, request, statuses } from "../http/raw_socket.ts";
import { eventually } from "../processes.ts";
import { type TempDirectory, tempDirectory } from "../temp.ts";

export interface ListenerOptions {
  readonly readIdleMs: number;
  readonly writeIdleMs: number;
  readonly dispatch: (request: Request, connection: Connection) => Promise<Reply>;
  readonly onFailure: (error: unknown) => void;
}

/** A kind of listener under test, on loopback. */
export interface ListenerKind {
  open(options: ListenerOptions): Listener;
  /** What a client needs to reach it; null over plain HTTP. */
  tls(): ConnectionOptions | null;
}

const wholeBytes = 24 * MiB;
/** Three times over: more than buffers hold. */
const fileBytes = 3 * wholeBytes;
const sizes = [0, 1, 16 * KiB - 1, 16 * KiB, 16 * KiB + 1, 100_000, MiB + 3, wholeBytes];
/** More than any reader here takes; a file without blocks. */
const endlessBytes = 64 * GiB;
const host = "Host: registry.example";
const octets = { "content-type": "application/octet-stream" };
/**
 * What sockets and queues of both sides may hold of a body that nobody takes. The kernel alone lets one buffer that was
 * read fast before grow to 32 MiB (net.ipv4.tcp_rmem), by how fast it was.
 */
const heldBytesMax = 45 * MiB;
/** How often the whole is in a body that is held back: more than twice what may be held. */
const heldTimes = 4;
/** Between two sips of a slow reader: many of them fit into its limit. */
const sipEveryMs = 250;

interface Heard extends AsyncDisposable {
  readonly listener: Listener;
  readonly port: number;
  readonly failures: unknown[];
  fetch(path: string, init?: RequestInit): Promise<Response>;
  raw(): Promise<RawSocket>;
}

type Handler = ListenerOptions["dispatch"];

export function listenerContract(name: string, kind: ListenerKind): void {
  let directory: TempDirectory;
  let whole: ReturnType<typeof pattern>;
  let file = "";
  let endlessFile = "";

  function hear(dispatch: Handler, idle: Partial<ListenerOptions> = {}): Heard {
    const failures: unknown[] = [];
    const listener = kind.open({
      readIdleMs: 60_000,
      writeIdleMs: 60_000,
      ...idle,
      dispatch,
      onFailure: (error) => failures.push(error),
    });
    const tls = kind.tls();
    const scheme = tls === null ? "http" : "https";
    return {
      listener,
      port: listener.port,
      failures,
      fetch: (path, init = {}) =>
        fetch(`${scheme}://127.0.0.1:${listener.port}${path}`, {
          ...init,
          ...(tls === null ? {} : { tls }),
        } as RequestInit),
      raw: () => openRaw(listener.port, tls ?? undefined),
      [Symbol.asyncDispose]: async () => {
        await listener.stop(0);
        expect(failures).toEqual([]);
      },
    };
  }

  /** A small registry of bodies: what it says is what it got. */
  const bodies: Handler = async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    const [, verb, argument = "0"] = pathname.split("/");
    const size = Number(argument);
    if (verb === "bytes") return reply(whole.bytes.subarray(0, size));
    if (verb === "file") return reply(Bun.file(file).slice(0, size));
    if (verb === "endless") return reply(Bun.file(endlessFile));
    if (verb === "part") return part(size, Number(searchParams.get("end")));
    if (verb === "stream") return reply(streamOf(whole.bytes.subarray(0, size)).stream);
    if (verb === "refuse") return { status: 403, headers: {}, body: "no" };
    const taken = await digestOf(request.body);
    return reply(JSON.stringify(taken));
  };

  function part(start: number, end: number): Reply {
    const headers = { ...octets, "content-range": `bytes ${start}-${end - 1}/${wholeBytes}` };
    return { status: 206, headers, body: Bun.file(file).slice(start, end) };
  }

  beforeAll(async () => {
    directory = await tempDirectory("zot-listener");
    whole = pattern(wholeBytes);
    file = join(directory.path, "whole");
    await Bun.write(file, repeated(whole.bytes, 3));
    endlessFile = join(directory.path, "endless");
    await Bun.write(endlessFile, "");
    await truncate(endlessFile, endlessBytes);
  });
  afterAll(() => directory[Symbol.asyncDispose]());

  const digest = (start: number, end: number) => sha256(whole.bytes.subarray(start, end));

  describe(`${name}: answers`, () => {
    test.each(["bytes", "file", "stream"])("%s of every size arrive as they are", async (verb) => {
      await using heard = hear(bodies);
      for (const size of sizes) {
        const answer = await heard.fetch(`/${verb}/${size}`);
        expect(answer.status).toBe(200);
        if (verb !== "stream") expect(answer.headers.get("content-length")).toBe(String(size));
        expect({ size, ...(await digestOf(answer.body)) }).toEqual({
          size,
          bytes: size,
          sha256: digest(0, size),
        });
      }
    });

    test("parts of a file arrive as they are", async () => {
      await using heard = hear(bodies);
      for (const [start, end] of [
        [0, 1],
        [5, 16 * KiB + 6],
        [MiB - 1, 9 * MiB + 1],
        [wholeBytes - 1, wholeBytes],
      ] as const) {
        const answer = await heard.fetch(`/part/${start}?end=${end}`, {
          headers: { range: `bytes=${start}-${end - 1}` },
        });
        expect(answer.status).toBe(206);
        expect(answer.headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/${wholeBytes}`);
        expect(await digestOf(answer.body)).toEqual({
          bytes: end - start,
          sha256: digest(start, end),
        });
      }
    });

    test("every cookie is a header of its own", async () => {
      const cookies = ["session=1; Path=/; HttpOnly", "user=ann, of Oslo; Path=/"];
      await using heard = hear(async () => ({ ...reply(whole.bytes.subarray(0, 5)), cookies }));
      const answer = await heard.fetch("/");
      expect(answer.headers.getSetCookie()).toEqual(cookies);
      expect(await answer.text()).toHaveLength(5);
    });

    test("HEAD has the length and no body, and the connection serves on", async () => {
      await using heard = hear(async (request) => ({
        status: 200,
        headers: { ...octets, "content-length": "12345" },
        body: request.method === "HEAD" ? null : new Uint8Array(12_345),
      }));
      await using socket = await heard.raw();
      socket.send(request("HEAD / HTTP/1.1", host));
      const head = await socket.until(/\r\n\r\n/);
      expect(head.toLowerCase()).toContain("content-length: 12345");
      socket.send(request("HEAD / HTTP/1.1", host, "Connection: close"));
      expect(statuses(await socket.closed())).toEqual([200, 200]);
    });

    test("what a slow reader does not take is not made, and all of it arrives", async () => {
      const made = streamOf(whole.bytes, heldTimes);
      await using heard = hear(async () => reply(made.stream));
      await using socket = await heard.raw();
      socket.pause();
      socket.send(request("GET / HTTP/1.1", host, "Connection: close"));
      await eventually("the stream is asked", () => made.count() > 0);
      await settled(() => made.count());
      expect(made.count()).toBeLessThan(heldBytesMax);
      socket.resume();
      const received = await socket.closed(60_000);
      expect(sha256(Buffer.from(unchunked(received), "latin1"))).toBe(
        sha256(repeated(whole.bytes, heldTimes)),
      );
    }, 90_000);
  });

  describe(`${name}: bodies of requests`, () => {
    test("of every size arrive as they are", async () => {
      await using heard = hear(bodies);
      for (const size of sizes) {
        const body = whole.bytes.slice(0, size);
        const answer = await heard.fetch("/take", { method: "PUT", body });
        expect(await answer.json()).toEqual({ bytes: size, sha256: digest(0, size) });
      }
    });

    test("in chunks arrive as they are", async () => {
      await using heard = hear(bodies);
      for (const size of sizes) {
        const body = streamOf(whole.bytes.subarray(0, size)).stream;
        const answer = await heard.fetch("/take", { method: "PUT", body });
        expect(await answer.json()).toEqual({ bytes: size, sha256: digest(0, size) });
      }
    });

    test("a body is written to a file by the runtime", async () => {
      const target = join(directory.path, `${name.replaceAll(" ", "-")}.taken`);
      await using heard = hear(async (request) => {
        await Bun.write(target, request as unknown as Response);
        return reply("");
      });
      await heard.fetch("/", { method: "PUT", body: whole.bytes.slice() });
      expect(sha256(await Bun.file(target).bytes())).toBe(digest(0, wholeBytes));
    });

    test("what a slow handler does not take is held back, and all of it arrives", async () => {
      const { promise: begin, resolve } = Promise.withResolvers<void>();
      await using heard = hear(async (request, connection) => {
        connection.holdOpen();
        await begin;
        return reply(JSON.stringify(await digestOf(request.body)));
      });
      const sent = streamOf(whole.bytes, heldTimes);
      const answer = heard.fetch("/", { method: "PUT", body: sent.stream });
      await eventually("the body is asked for", () => sent.count() > 0);
      await settled(() => sent.count());
      expect(sent.count()).toBeLessThan(heldBytesMax);
      resolve();
      expect(await (await answer).json()).toEqual({
        bytes: heldTimes * wholeBytes,
        sha256: sha256(repeated(whole.bytes, heldTimes)),
      });
    }, 90_000);

    test("an answer before the body was sent arrives, however much is sent", async () => {
      await using heard = hear(bodies);
      for (const framing of [`Content-Length: ${wholeBytes}`, "Transfer-Encoding: chunked"]) {
        await using socket = await heard.raw();
        socket.send(request("PUT /refuse HTTP/1.1", host, framing));
        socket.send(framing.startsWith("T") ? `${wholeBytes.toString(16)}\r\n` : "");
        socket.send(whole.bytes);
        expect(statuses(await socket.until(/\r\n\r\n/))).toEqual([403]);
      }
      expect((await heard.fetch("/bytes/1")).status).toBe(200);
    });
  });

  describe(`${name}: connections`, () => {
    test("a connection serves many requests, small and large", async () => {
      await using heard = hear(bodies);
      await using socket = await heard.raw();
      let received = 0;
      for (const size of [1, 0, 300_000, 2, 70_000]) {
        for (let turn = 0; turn < 5; turn += 1) {
          socket.send(request(`GET /file/${size} HTTP/1.1`, host));
          const before = received;
          await eventually("the answer is whole", () => {
            const text = socket.received().slice(before);
            const head = text.indexOf("\r\n\r\n");
            return head !== -1 && text.length === head + 4 + size;
          });
          received = socket.receivedBytes();
        }
      }
      expect(statuses(socket.received())).toHaveLength(25);
    });

    test("a client that goes away is seen by the request's signal and by its body", async () => {
      const seen: string[] = [];
      await using heard = hear(async (request, connection) => {
        connection.holdOpen();
        request.signal.addEventListener("abort", () => seen.push("signal"));
        const taken = await digestOf(request.body).catch(() => null);
        seen.push(taken === null ? "broken body" : "whole body");
        return reply("");
      });
      for (const framing of ["Content-Length: 100000", "Transfer-Encoding: chunked"]) {
        await using socket = await heard.raw();
        socket.send(request("PUT / HTTP/1.1", host, framing));
        socket.send("5\r\nabcde\r\n");
        await eventually("the request is at work", () => heard.listener.pending() > 0);
        socket.destroy();
        await eventually("the request has ended", () => heard.listener.pending() === 0);
      }
      expect(seen.sort()).toEqual(["broken body", "broken body", "signal", "signal"]);
    });

    test("a client that goes away in the middle of an answer leaves nothing", async () => {
      let cancelled = 0;
      await using heard = hear(async () => {
        const { stream } = streamOf(whole.bytes, 8, () => (cancelled += 1));
        return reply(stream);
      });
      for (let turn = 0; turn < 5; turn += 1) {
        await using socket = await heard.raw();
        socket.send(request("GET / HTTP/1.1", host));
        await eventually("some of it has come", () => socket.receivedBytes() > MiB);
        socket.destroy();
        await eventually("the request has ended", () => heard.listener.pending() === 0);
      }
      await eventually("every stream was cancelled", () => cancelled === 5);
    });

    test("200 at once are served, and leave no descriptor open", async () => {
      await using heard = hear(bodies);
      await (await heard.fetch("/bytes/1")).bytes();
      const crowd = async () => {
        const sockets = await Promise.all(Array.from({ length: 200 }, () => heard.raw()));
        for (const [index, socket] of sockets.entries()) {
          // A third of them goes away with half an answer, a third in the middle of its body.
          const body = index % 3 === 1 ? "Content-Length: 100" : "Content-Length: 0";
          socket.send(
            request(`PUT /file/${index % 3 === 2 ? wholeBytes : 100} HTTP/1.1`, host, body),
          );
        }
        await Promise.all(
          sockets.map(async (socket, index) => {
            if (index % 3 === 0) await socket.until(/HTTP\/1\.1 200 OK[^]*\r\n\r\n[^]{100}/);
            if (index % 3 === 2) await socket.until(/HTTP\/1\.1 200/);
            socket.destroy();
          }),
        );
        await eventually("all requests have ended", () => heard.listener.pending() === 0);
      };
      await crowd();
      const before = await settled(openDescriptors);
      await crowd();
      await eventually("descriptors are as before", () => openDescriptors() <= before);
    }, 90_000);

    test.concurrent("silence ends a connection, before a request and after one", async () => {
      await using heard = hear(bodies, { readIdleMs: 1000 });
      await using fresh = await heard.raw();
      await using kept = await heard.raw();
      // A large answer: the runtime forgets idle limits in their course.
      kept.send(request("GET /file/500000 HTTP/1.1", host));
      expect(await fresh.closed(60_000)).toBe("");
      expect(statuses(await kept.closed(60_000))).toEqual([200]);
    }, 120_000);

    test.concurrent("a reader that takes nothing is cut, one that is slow is not", async () => {
      // The runtime's clock has ticks of four seconds: a limit within one tick cuts everybody.
      await using heard = hear(bodies, { writeIdleMs: 9000 });
      await using stalled = await heard.raw();
      await using slow = await heard.raw();
      for (const socket of [stalled, slow]) {
        socket.pause();
        socket.send(request(`GET /endless HTTP/1.1`, host, "Connection: close"));
      }
      await eventually("both are answered", () => heard.listener.pending() === 2);
      await eventually(
        "the stalled one is cut",
        async () => {
          await sip(slow);
          if (heard.listener.pending() < 2) return true;
          await Bun.sleep(sipEveryMs);
          return false;
        },
        60_000,
      );
      await sip(slow);
      expect(heard.listener.pending()).toBe(1);
      expect(slow.isClosed()).toBe(false);
    }, 120_000);
  });

  describe(`${name}: a stop`, () => {
    test("lets requests in flight finish, ends idle connections and takes no new ones", async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const heard = hear(async (request) => {
        if (request.method === "GET") await promise;
        return reply("done");
      });
      await using idle = await heard.raw();
      await using busy = await heard.raw();
      idle.send(request("HEAD / HTTP/1.1", host));
      await idle.until(/\r\n\r\n/);
      busy.send(request("GET / HTTP/1.1", host));
      await eventually("the request is at work", () => heard.listener.pending() > 0);
      const stopped = heard.listener.stop(30_000);
      const refused = await heard.raw().then(
        () => "open",
        () => "refused",
      );
      expect(refused).toBe("refused");
      resolve();
      expect(await busy.closed()).toContain("done");
      expect(statuses(await idle.closed())).toEqual([200]);
      await stopped;
      expect(heard.failures).toEqual([]);
    });

    test("lets a slow reader take all of its answer", async () => {
      const heard = hear(bodies);
      await using socket = await heard.raw();
      socket.pause();
      socket.send(request(`GET /file/${fileBytes} HTTP/1.1`, host));
      await eventually("the answer has begun", () => heard.listener.pending() > 0);
      const stopped = heard.listener.stop(60_000);
      socket.resume();
      const received = await socket.closed(60_000);
      expect(received.slice(received.indexOf("\r\n\r\n") + 4).length).toBe(fileBytes);
      await stopped;
    }, 90_000);

    test("cuts what does not end within the grace time", async () => {
      const heard = hear(() => new Promise(() => {}));
      await using socket = await heard.raw();
      socket.send(request("GET / HTTP/1.1", host));
      await eventually("the request is at work", () => heard.listener.pending() > 0);
      await heard.listener.stop(50);
      expect(await socket.closed()).toBe("");
    });
  });
}

function reply(body: Reply["body"]): Reply {
  return { status: 200, headers: octets, body };
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function digestOf(body: ReadableStream<Uint8Array> | null) {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of body ?? []) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** A stream of these bytes, `times` over, that tells how many were asked for. */
function streamOf(bytes: Uint8Array, times = 1, onCancel: () => void = () => {}) {
  const pieceBytes = 64 * KiB;
  let count = 0;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const at = count % Math.max(bytes.length, 1);
        const piece = bytes.slice(at, at + pieceBytes);
        count += piece.length;
        if (piece.length > 0) controller.enqueue(piece);
        if (count >= bytes.length * times) controller.close();
      },
      cancel: onCancel,
    },
    { highWaterMark: 0 },
  );
  return { stream, count: () => count };
}

function repeated(bytes: Uint8Array, times: number): Uint8Array {
  return Buffer.concat(Array.from({ length: times }, () => bytes));
}

/** The body of an answer in chunks. */
function unchunked(received: string): string {
  const pieces: string[] = [];
  let at = received.indexOf("\r\n\r\n") + 4;
  for (;;) {
    const end = received.indexOf("\r\n", at);
    const size = Number.parseInt(received.slice(at, end), 16);
    if (!(size > 0)) return pieces.join("");
    pieces.push(received.slice(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}

/** Waits until a number has not changed for a while, and gives it. */
async function settled(read: () => number): Promise<number> {
  let last = read();
  let same = 0;
  return eventually(
    "a number comes to rest",
    () => {
      const now = read();
      same = now === last ? same + 1 : 0;
      last = now;
      return same >= 25 ? { now } : null;
    },
    60_000,
  ).then(({ now }) => now);
}

/** Takes a few MiB of what waits for a paused reader, as much as the kernel needs to go on sending. */
async function sip(socket: RawSocket): Promise<void> {
  const before = socket.receivedBytes();
  socket.resume();
  await eventually("a sip has come", () => socket.receivedBytes() >= before + 4 * MiB);
  socket.pause();
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
