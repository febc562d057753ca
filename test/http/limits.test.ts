// What one server gives to too many requests, too many connections and clients that do not move: real processes, raw
// sockets, and counts of descriptors and memory taken from the kernel.
//
// Goal: a client that asks too much is told so or waits, all others are still served, and nothing is left open.
// Timeouts of single connections stand in `timeouts.test.ts`, the counting of rates in `src/http/rate_limits.test.ts`.

import { describe, expect, test } from "bun:test";
import { chmod, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, packageDirectory, startZot, tempDirectory, type Zot } from "../harness.ts";
import { openRaw, request, statuses, type RawSocket } from "./raw_socket.ts";
import { startTlsLoad } from "./tls_load.ts";
import { startWorld } from "./world.ts";

const testMs = 120_000;
/** Longer than the runtime takes to notice an idle limit of a second. */
const cutMs = 40_000;
/** Longer than the pause until the sixth time that a kernel asks for a connection. */
const triedMs = 70_000;
const host = "Host: registry.example";
const full = "connections: as many as there may be; new ones wait";
const room = "connections: there is room again";

describe("request rates", () => {
  test("beyond a rate the answer is 429 with the time to wait and the body of an API error", async () => {
    await using world = await startWorld({ http: { ratelimit: { rate: 2 } } });
    const answers = [];
    for (let count = 0; count < 12; count += 1) answers.push(await world.send("GET", "/v2/"));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(5);
    expect(refused[0]?.headers.get("retry-after")).toBe("1");
    expect(refused[0]?.headers.get("content-type")).toBe("application/json");
    const body = JSON.parse(new TextDecoder().decode(refused[0]?.body));
    expect(body).toEqual({
      errors: [
        {
          code: "TOOMANYREQUESTS",
          message:
            "Too many requests; expected up to 2 a second (http.ratelimit.rate), try again in 1 s",
        },
      ],
    });
    const lines = world.records.filter(({ status }) => status === 429);
    expect(lines).toHaveLength(refused.length);
    expect(lines[0]).toMatchObject({ reason: "TOO_MANY_REQUESTS", what: "base.get" });
  });

  test("a caller is refused before it is asked who it is, and unknown paths count as well", async () => {
    await using directory = await tempDirectory();
    const users = join(directory.path, "users");
    await writeFile(users, "");
    await using world = await startWorld({
      http: { auth: { htpasswd: { path: users } }, ratelimit: { perCaller: 1 } },
    });
    const seen = new Set<number>();
    for (let count = 0; count < 8; count += 1) {
      for (const path of ["/v2/a/tags/list", "/nothing/here"]) {
        const authorization = `Basic ${btoa(`alice:${count}`)}`;
        seen.add((await world.send("GET", path, { headers: { authorization } })).status);
      }
    }
    expect([...seen]).toContain(429);
    const known = world.records.filter(({ status }) => status === 429).map(({ what }) => what);
    expect(new Set(known)).toEqual(new Set(["tag.list", "none"]));
    // At most a login a second was tried.
    expect(world.records.filter(({ status }) => status === 401).length).toBeLessThan(5);
  });

  test("health checks are never refused", async () => {
    await using world = await startWorld({ http: { ratelimit: { rate: 1 } } });
    for (let count = 0; count < 10; count += 1) {
      for (const path of ["/livez", "/readyz", "/startupz"]) {
        expect((await world.send("GET", path)).status).toBe(200);
      }
    }
    await world.send("GET", "/v2/");
    expect((await world.send("GET", "/v2/")).status).toBe(429);
  });

  test(
    "a rate is the server's, whichever of its workers answers",
    async () => {
      await using zot = await startZot({
        config: { http: { workers: 3, ratelimit: { rate: 10 } } },
      });
      const started = performance.now();
      const found = await Promise.all(
        Array.from({ length: 200 }, async () => {
          await using socket = await openRaw(zot.port);
          socket.send(request("GET /v2/ HTTP/1.1", host, "Connection: close"));
          return statuses(await socket.closed())[0];
        }),
      );
      const seconds = (performance.now() - started) / 1000;
      const admitted = found.filter((status) => status === 200).length;
      expect(admitted).toBeGreaterThanOrEqual(10);
      expect(admitted).toBeLessThanOrEqual(10 + Math.ceil(seconds * 10) + 1);
      expect(found.filter((status) => status === 429)).toHaveLength(200 - admitted);
      const workers = zot.logs().filter((line) => line["status"] === 429);
      await eventually("several workers refused", () => {
        const lines = zot.logs().filter((line) => line["status"] === 429);
        return new Set(lines.map((line) => line["worker"])).size > 1;
      });
      expect(workers.length).toBeLessThanOrEqual(200);
    },
    testMs,
  );

  test("zot's own example of rates starts unchanged", async () => {
    const example = JSON.parse(
      await Bun.file(join(packageDirectory, "examples/config-ratelimit.json")).text(),
    );
    await using world = await startWorld({ http: { ratelimit: example.http.ratelimit } });
    const answers = await Promise.all(
      Array.from({ length: 300 }, () => fetch(`${world.url}/v2/`, { method: "GET" })),
    );
    const refused = await Promise.all(
      answers.filter(({ status }) => status === 429).map((answer) => answer.text()),
    );
    expect(refused[0]).toContain("http.ratelimit.methods (GET)");
  });
});

describe("sizes of a request's head", () => {
  const tooLarge: readonly (readonly [name: string, bytes: string, status: number])[] = [
    ["a URL of 8 KiB", request(`GET /${"x".repeat(8191)} HTTP/1.1`, host), 404],
    ["a URL of one byte more", request(`GET /${"x".repeat(8192)} HTTP/1.1`, host), 414],
    ["a URL of 15 KiB", request(`GET /${"x".repeat(15 * 1024)} HTTP/1.1`, host), 414],
    ["a URL of 20 KiB", request(`GET /${"x".repeat(20 * 1024)} HTTP/1.1`, host), 431],
    ["15 KiB of headers", request("GET /v2/ HTTP/1.1", host, `X: ${"x".repeat(15 * 1024)}`), 200],
    ["17 KiB of headers", request("GET /v2/ HTTP/1.1", host, `X: ${"x".repeat(17 * 1024)}`), 431],
    [
      "17 KiB in many headers",
      request("GET /v2/ HTTP/1.1", host, ...lines(100, `: ${"x".repeat(170)}`)),
      431,
    ],
    ["150 headers", request("GET /v2/ HTTP/1.1", host, ...lines(150, ": y")), 200],
    ["300 headers", request("GET /v2/ HTTP/1.1", host, ...lines(300, ": y")), 431],
  ];

  test.each([...tooLarge])("%s", async (_, bytes, status) => {
    await using world = await startWorld();
    await using socket = await openRaw(world.port);
    socket.send(bytes);
    expect(statuses(await socket.until(/\r\n\r\n/))).toEqual([status]);
  });
});

describe("heads that nobody would send", () => {
  const length = 15_000;
  const texts = [",", ".", ";", " \t", "=", '"', "\\", "a,", '"a",', "a/b;", "1", "<", "/", "%2e"];
  const prefixes = ["", "Basic ", "Bearer ", "bytes=", "bytes 0-", 'W/"', "a/b;q="];
  const names = [
    "Accept",
    "Authorization",
    "Range",
    "If-Range",
    "If-None-Match",
    "If-Match",
    "Content-Range",
    "Content-Type",
    "Origin",
    "User-Agent",
    "X-Forwarded-For",
  ];

  test.each(names)("%s of 15 KB is answered, and never by a failure", async (name) => {
    await using world = await startWorld();
    const sockets = [];
    for (const line of [
      "GET /v2/a/manifests/b",
      "GET /v2/a/blobs/sha256:0",
      "PUT /v2/a/manifests/b",
    ]) {
      for (const text of texts) {
        for (const prefix of prefixes) {
          const value = `${prefix}x${text.repeat((length - prefix.length) / text.length)}x`;
          const socket = await openRaw(world.port);
          const body = line.startsWith("PUT") ? ["Content-Length: 0"] : [];
          socket.send(
            request(`${line} HTTP/1.1`, host, "Connection: close", `${name}: ${value}`, ...body),
          );
          sockets.push(socket.closed());
        }
      }
    }
    for (const received of await Promise.all(sockets)) {
      expect(statuses(received)).toHaveLength(1);
      expect(statuses(received)[0]).toBeWithin(400, 500);
    }
  });
});

function lines(count: number, rest: string): string[] {
  return Array.from({ length: count }, (_, index) => `X${index}${rest}`);
}

/** What the kernel tells of a process. */
function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function residentBytes(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
  return pages * 4096;
}

async function onlyWorker(zot: Zot): Promise<number> {
  return await eventually("the worker runs", () => zot.workerPids()[0]);
}

/** Connections of which each has had an answer. */
async function openKept(port: number, count: number): Promise<RawSocket[]> {
  const sockets: RawSocket[] = [];
  for (let index = 0; index < count; index += 1) {
    const socket = await openRaw(port);
    socket.send(request("GET /v2/ HTTP/1.1", host));
    await socket.until(/\r\n\r\n\{\}$/);
    sockets.push(socket);
  }
  return sockets;
}

/** Begins to connect, and tells when it has. */
function knock(port: number): { opened(): boolean; destroy(): void } {
  let opened = false;
  const socket = connect({ host: "127.0.0.1", port }, () => (opened = true));
  socket.on("error", () => {});
  return { opened: () => opened, destroy: () => socket.destroy() };
}

describe("connections", () => {
  test(
    "beyond the limit new ones wait, those that are there are served, and room is used again",
    async () => {
      const http = { workers: 1, connectionsMax: 20 };
      await using zot = await startZot({ config: { http } });
      const before = descriptorsOf(await onlyWorker(zot));
      const sockets = await openKept(zot.port, 20);
      await zot.waitForLog("the limit is reached", (line) => line["msg"] === full);

      const waiting = Array.from({ length: 5 }, () => knock(zot.port));
      const [first] = sockets;
      first?.send(request("GET /v2/ HTTP/1.1", host));
      // Served, and asked to make room.
      expect(await first?.closed()).toMatch(/connection: close[^]*\{\}$/i);
      expect(waiting.filter((each) => each.opened())).toEqual([]);
      expect(descriptorsOf(await onlyWorker(zot))).toBeLessThanOrEqual(before + 20);

      for (const socket of sockets) socket.destroy();
      await zot.waitForLog("there is room", (line) => line["msg"] === room);
      // Their kernel has tried after 1, 3, 7, 15 s, and so on.
      await eventually(
        "those that waited come in",
        () => waiting.every((each) => each.opened()),
        triedMs,
      );
      for (const each of waiting) each.destroy();
      await eventually("all is closed", async () => descriptorsOf(await onlyWorker(zot)) <= before);
    },
    testMs,
  );

  test(
    "the limit is changed while it is reached",
    async () => {
      await using zot = await startZot({ config: { http: { workers: 1, connectionsMax: 5 } } });
      const sockets = await openKept(zot.port, 5);
      await zot.waitForLog("the limit is reached", (line) => line["msg"] === full);
      const waiting = knock(zot.port);
      await zot.configure({ http: { workers: 1, connectionsMax: 50 } });
      await zot.waitForLog("there is room", (line) => line["msg"] === room);
      await eventually("the one that waited comes in", () => waiting.opened());
      waiting.destroy();
      for (const socket of sockets) socket.destroy();
    },
    testMs,
  );

  test(
    "more downloads than there are files are told to come again, and the log says so",
    async () => {
      await using directory = await tempDirectory();
      const executable = await withOpenFiles(directory.path, 256);
      await using zot = await startZot({ executable, config: { http: { workers: 1 } } });
      const digest = await pushBlob(zot, 16 * 1024 * 1024);
      const path = `/v2/slow/blobs/${digest}`;
      // Fewer connections than there may be, and more files.
      const crowd = [];
      for (let count = 0; count < 150; count += 1) crowd.push(await connection(zot.port));
      for (const each of crowd) each.send(request(`GET ${path} HTTP/1.1`, host));
      const answers = await Promise.all(crowd.map((each) => each.answer));
      const seen = answers.map((text) => Number(text.slice(9, 12)));
      expect(new Set(seen)).toEqual(new Set([200, 503]));
      const logged = (status: number): number =>
        zot.logs().filter((line) => line["what"] === "blob.get" && line["status"] === status)
          .length;
      const of = (status: number): number => seen.filter((each) => each === status).length;
      await eventually("the log has those that are refused", () => logged(503) === of(503));
      for (const text of answers.filter((each) => each.startsWith("HTTP/1.1 503"))) {
        expect(text.toLowerCase()).toContain("retry-after: 1\r\n");
        expect(text.toLowerCase()).not.toContain("content-disposition");
        expect(text).toContain('"code":"UNAVAILABLE"');
      }
      for (const each of crowd) each.destroy();
      // The line of a download comes when it has ended.
      await eventually("the log has the others", () => logged(200) === of(200));
      await eventually("there are files again", async () => (await fetch(`${zot.url}${path}`)).ok);
    },
    testMs,
  );

  test(
    "without a limit of its own a process keeps files free for what it does",
    async () => {
      await using directory = await tempDirectory();
      const executable = await withOpenFiles(directory.path, 1024);
      await using zot = await startZot({ executable, config: { http: { workers: 1 } } });
      const pid = await onlyWorker(zot);
      const [kept] = await openKept(zot.port, 1);
      const said = (what: string): number =>
        zot.logs().filter((line) => line["msg"] === what).length;
      // How many the runtime accepts in one go depends on how fast they come: several crowds.
      for (let round = 1; round <= 5; round += 1) {
        const crowd = Array.from({ length: 2000 }, () => knock(zot.port));
        await eventually("the limit is reached", () => {
          if (said(full) === round) return true;
          // The kernel may have dropped most of a crowd that came at once.
          for (let more = 0; more < 50; more += 1) crowd.push(knock(zot.port));
          return false;
        });
        const late = knock(zot.port);
        crowd.push(late);
        expect(descriptorsOf(pid)).toBeLessThan(1024 - 16);
        // Files can be opened all the same: a push by a connection that is there.
        kept?.send(request("POST /v2/a/blobs/uploads/ HTTP/1.1", host, "Content-Length: 0"));
        expect(statuses((await kept?.until(/ 202 /)) ?? "")).toEqual([200, 202]);
        expect(late.opened()).toBe(false);
        for (const each of crowd) each.destroy();
        await eventually("there is room", () => said(room) === round);
        expect((await fetch(`${zot.url}/v2/`)).status).toBe(200);
      }
      expect(zot.stderr()).toEqual([]);
    },
    testMs,
  );
});

test(
  "a connection that is busy is not cut, however short the idle limit",
  async () => {
    await using world = await startWorld({ http: { readTimeout: "1s" } });
    const load = startTlsLoad({
      port: world.port,
      tls: null,
      path: "/v2/",
      connecting: 0,
      keeping: 4,
    });
    // The runtime looks every few seconds: two idle connections in turn see two looks.
    for (let turn = 0; turn < 2; turn += 1) {
      const [idle] = await openKept(world.port, 1);
      await idle?.closed(cutMs);
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(load.answers()).toBeGreaterThan(100);
  },
  testMs,
);

describe("clients that do not move", () => {
  const crowd = 150;
  const blobBytes = 16 * 1024 * 1024;

  test(
    "cost little while they are there, keep nobody from being served, and end",
    async () => {
      await using zot = await startZot({
        config: { http: { workers: 1, readTimeout: "1s", writeTimeout: "1s" } },
      });
      const pid = await onlyWorker(zot);
      const blob = await pushBlob(zot, blobBytes);
      await openKept(zot.port, 20).then((sockets) => sockets.forEach((each) => each.destroy()));
      const before = { descriptors: descriptorsOf(pid), bytes: residentBytes(pid) };

      const uploads = await Promise.all(
        Array.from({ length: crowd }, async () => {
          const opened = await fetch(`${zot.url}/v2/slow/blobs/uploads/`, { method: "POST" });
          return new URL(opened.headers.get("location") ?? "", zot.url).pathname;
        }),
      );
      const chunked = "Transfer-Encoding: chunked";
      const patch = (n: number, ...more: string[]): string =>
        request(`PATCH ${uploads[n]} HTTP/1.1`, host, ...more);
      const kinds: readonly (readonly [count: number, bytes: (n: number) => string])[] = [
        // Says nothing at all.
        [crowd, () => ""],
        // A head without an end.
        [crowd, () => `GET /v2/ HTTP/1.1\r\n${host}\r\nX: `],
        // A kept connection, after an answer.
        [crowd, () => request("GET /v2/ HTTP/1.1", host)],
        // A body of which a part came.
        [crowd / 3, (n) => `${patch(n, chunked)}3\r\nabc\r\n`],
        [crowd / 3, (n) => `${patch(n + crowd / 3, "Content-Length: 5000000")}abc`],
        // A kept connection after an upload: the idle limit that was off for its body is back.
        [crowd / 3, (n) => `${patch(n + (2 * crowd) / 3, chunked)}3\r\nabc\r\n0\r\n\r\n`],
      ];
      const still: RawSocket[] = [];
      for (const [count, bytes] of kinds) {
        for (let n = 0; n < count; n += 1) {
          const socket = await openRaw(zot.port);
          socket.send(bytes(n));
          still.push(socket);
        }
      }
      // Readers that take nothing of a large answer.
      for (let n = 0; n < 20; n += 1) {
        const socket = await openRaw(zot.port);
        socket.send(request(`GET /v2/slow/blobs/${blob} HTTP/1.1`, host));
        await socket.until(/\r\n\r\n/);
        socket.pause();
        still.push(socket);
      }
      expect((await fetch(`${zot.url}/v2/`)).status).toBe(200);
      expect(residentBytes(pid) - before.bytes).toBeLessThan(64 * 1024 * 1024);
      await eventually(
        "all of them have ended, and left no descriptor",
        () => descriptorsOf(pid) <= before.descriptors,
        cutMs,
      );
      for (const socket of still) {
        socket.resume();
        await socket.closed();
      }
      expect((await fetch(`${zot.url}/v2/`)).status).toBe(200);
    },
    testMs,
  );

  test(
    "hold no more than a part of the memory with large bodies that never end, and small pushes go on",
    async () => {
      await using zot = await startZot({ config: { http: { workers: 1, readTimeout: "1s" } } });
      const pid = await onlyWorker(zot);
      await pushBlob(zot, 1024);
      const before = residentBytes(pid);
      const bodyBytes = 4 * 1024 * 1024;
      const part = new Uint8Array(bodyBytes - 1);
      const sockets = await Promise.all(
        Array.from({ length: 100 }, async (_, n) => {
          const socket = await openRaw(zot.port);
          const length = `Content-Length: ${bodyBytes}`;
          socket.send(request(`PUT /v2/slow/manifests/${n} HTTP/1.1`, host, length));
          socket.send(part);
          return socket;
        }),
      );
      const refused = () =>
        zot.logs().filter((line) => line["what"] === "manifest.put" && line["status"] === 429);
      await eventually("those beyond a caller's share are refused", () => refused().length > 90);
      expect(residentBytes(pid) - before).toBeLessThan(100 * 1024 * 1024);
      // Read, and found to name no media type.
      const small = await fetch(`${zot.url}/v2/slow/manifests/x`, { method: "PUT", body: "{}" });
      expect(small.status).toBe(415);
      for (const socket of sockets) socket.destroy();
      await eventually("there is room again", async () => {
        const body = new Uint8Array(1024 * 1024);
        const answer = await fetch(`${zot.url}/v2/slow/manifests/x`, { method: "PUT", body });
        return answer.status === 400;
      });
    },
    testMs,
  );
});

async function pushBlob(zot: Zot, sizeBytes: number): Promise<string> {
  const body = new Uint8Array(sizeBytes);
  const digest = `sha256:${new Bun.CryptoHasher("sha256").update(body).digest("hex")}`;
  const url = `${zot.url}/v2/slow/blobs/uploads/?digest=${digest}`;
  expect((await fetch(url, { method: "POST", body })).status).toBe(201);
  return digest;
}

/** A connection that the server has taken, on which only the beginning of an answer is read: its file stays open. */
async function connection(port: number) {
  const socket = connect({ host: "127.0.0.1", port });
  const { promise: answer, resolve } = Promise.withResolvers<string>();
  const taken = Promise.withResolvers<void>();
  let text = "";
  socket.on("data", (piece) => {
    text += piece.toString("latin1");
    if (text.endsWith("\r\n\r\n{}")) {
      text = "";
      taken.resolve();
    }
    if (!/\r\n\r\n./s.test(text)) return;
    socket.pause();
    resolve(text);
  });
  socket.on("error", taken.reject);
  socket.on("close", () => {
    taken.reject(new Error("closed without an answer"));
    resolve(text);
  });
  socket.write(request("GET /v2/ HTTP/1.1", host));
  await taken.promise;
  return { answer, send: (line: string) => socket.write(line), destroy: () => socket.destroy() };
}

/** A program that starts the server with a limit of open files. */
async function withOpenFiles(directory: string, count: number): Promise<string> {
  const executable = join(directory, "zot");
  await writeFile(
    executable,
    `#!/bin/sh\nulimit -n ${count}\nexec ${join(packageDirectory, "bin/zot")} "$@"\n`,
  );
  await chmod(executable, 0o755);
  return executable;
}
