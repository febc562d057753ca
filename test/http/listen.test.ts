// The listener over real sockets: framing of answers, what a parser must refuse, and the runtime's other traps.
//
// Each test is a behaviour of the runtime that we depend on, or one that `http/listen.ts` works around, so that
// a new version of the runtime which changes it is noticed here. Timeouts stand in `timeouts.test.ts`.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Connection } from "../../src/http/call.ts";
import { slowBodyBytesMin, type Reply } from "../../src/http/endpoint.ts";
import { listen, type Listener } from "../../src/http/listen.ts";
import { eventually } from "../processes.ts";
import { tempDirectory } from "../temp.ts";
import { pattern } from "./content.ts";
import { openRaw, request, statuses } from "./raw_socket.ts";

type Handler = (request: Request, connection: Connection) => Promise<Reply>;

interface Heard extends AsyncDisposable {
  readonly port: number;
  readonly listener: Listener;
  readonly failures: unknown[];
}

function hear(dispatch: Handler, insteadOf?: (error: unknown) => Reply): Heard {
  const failures: unknown[] = [];
  const listener = listen({
    address: "127.0.0.1",
    port: 0,
    readIdleMs: 60_000,
    writeIdleMs: 60_000,
    sharePort: false,
    dispatch,
    onFailure: (error) => failures.push(error),
    ...(insteadOf === undefined ? {} : { insteadOf }),
  });
  return {
    port: listener.port,
    listener,
    failures,
    [Symbol.asyncDispose]: () => listener.stop(0),
  };
}

const host = "Host: registry.example";
const close = "Connection: close";

/** The head and body of the one answer to a request, by a connection that is closed after it. */
async function ask(port: number, line: string, ...headers: string[]) {
  await using socket = await openRaw(port);
  socket.send(request(line, host, close, ...headers));
  const received = await socket.closed();
  const end = received.indexOf("\r\n\r\n");
  const head = received.slice(0, end).toLowerCase().split("\r\n");
  return {
    status: Number(head[0]?.split(" ")[1]),
    headers: new Map(head.slice(1).map((text) => text.split(": ", 2) as [string, string])),
    body: received.slice(end + 4),
  };
}

const ok: Reply = { status: 200, headers: { "content-type": "text/x" }, body: "ok" };

describe("answers", () => {
  let directory: Awaited<ReturnType<typeof tempDirectory>>;
  let path = "";
  let emptyPath = "";
  const content = pattern(2_000_000);
  beforeAll(async () => {
    directory = await tempDirectory("zot-listen");
    path = join(directory.path, "secret-name");
    emptyPath = join(directory.path, "empty");
    await Bun.write(path, content.bytes);
    await Bun.write(emptyPath, "");
  });
  afterAll(() => directory[Symbol.asyncDispose]());

  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
  const octets = { "content-type": "application/octet-stream" };

  const bodies: readonly (readonly [
    name: string,
    body: () => Reply["body"],
    sent: () => string,
  ])[] = [
    ["a file", () => Bun.file(path), () => text(content.bytes)],
    [
      "a part of a file",
      () => Bun.file(path).slice(5, 1_500_005),
      () => text(content.bytes.subarray(5, 1_500_005)),
    ],
    [
      "a small part of a file",
      () => Bun.file(path).slice(7, 17),
      () => text(content.bytes.subarray(7, 17)),
    ],
    ["an empty file", () => Bun.file(emptyPath), () => ""],
    ["bytes", () => content.bytes, () => text(content.bytes)],
    ["no bytes", () => new Uint8Array(0), () => ""],
    ["text", () => "ä", () => text(Buffer.from("ä"))],
    ["nothing", () => null, () => ""],
  ];

  test.each([...bodies])(
    "%s goes out with its length, and as the type that was set",
    async (_, body, sent) => {
      await using heard = hear(() =>
        Promise.resolve({ status: 200, headers: octets, body: body() }),
      );
      const answer = await ask(heard.port, "GET / HTTP/1.1");
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-length")).toBe(String(sent().length));
      expect(answer.headers.get("transfer-encoding")).toBeUndefined();
      expect(answer.headers.get("content-type")).toBe("application/octet-stream");
      expect(answer.body === sent()).toBe(true);
    },
  );

  test("the name of a file never goes out", async () => {
    await using heard = hear(() =>
      Promise.resolve({ status: 200, headers: octets, body: Bun.file(path) }),
    );
    const answer = await ask(heard.port, "GET / HTTP/1.1");
    expect([...answer.headers.values()].join()).not.toContain("secret");
  });

  test("a part of a file is sent as it was cut, whatever the request's Range says", async () => {
    const headers = { ...octets, "content-range": "bytes 5-14/2000000" };
    await using heard = hear(() =>
      Promise.resolve({ status: 206, headers, body: Bun.file(path).slice(5, 15) }),
    );
    for (const range of ["bytes=1-2", "bytes=5-14", "bytes=-1", "bytes=99-"]) {
      const answer = await ask(heard.port, "GET / HTTP/1.1", `Range: ${range}`);
      expect(answer.status).toBe(206);
      expect(answer.headers.get("content-range")).toBe("bytes 5-14/2000000");
      expect(answer.body === text(content.bytes.subarray(5, 15))).toBe(true);
    }
  });

  test("a whole file is sent whole, whatever the request's Range says", async () => {
    await using heard = hear(() =>
      Promise.resolve({ status: 200, headers: octets, body: Bun.file(path) }),
    );
    for (const range of ["bytes=1-2", "bytes=1 - 2", "bytes=0-0,5-6", "bytes=9999999-"]) {
      const answer = await ask(heard.port, "GET / HTTP/1.1", `Range: ${range}`);
      expect(answer.status).toBe(200);
      expect(answer.body.length).toBe(content.bytes.length);
    }
  });

  test.each(["0", "26", "5000000000"])(
    "HEAD says a length of %s and sends nothing",
    async (length) => {
      await using heard = hear(() =>
        Promise.resolve({
          status: 200,
          headers: { ...octets, "content-length": length },
          body: null,
        }),
      );
      const answer = await ask(heard.port, "HEAD / HTTP/1.1");
      expect(answer.headers.get("content-length")).toBe(length);
      expect(answer.headers.get("content-type")).toBe("application/octet-stream");
      expect(answer.body).toBe("");
    },
  );

  test.each([204, 304])("%d has neither a length nor a body", async (status) => {
    await using heard = hear(() => Promise.resolve({ status, headers: {}, body: null }));
    const answer = await ask(heard.port, "GET / HTTP/1.1");
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-length")).toBeUndefined();
    expect(answer.body).toBe("");
  });

  const streamOf = (
    parts: readonly string[],
    then: "close" | "fail",
  ): ReadableStream<Uint8Array> => {
    const rest = [...parts];
    return new ReadableStream({
      async pull(controller) {
        // What is there at once goes out as one piece with its length.
        await new Promise((resolve) => setImmediate(resolve));
        const next = rest.shift();
        if (next !== undefined) controller.enqueue(Buffer.from(next));
        else if (then === "close") controller.close();
        else controller.error(new Error("failed on purpose"));
      },
    });
  };

  test("a stream goes out in chunks, to its end", async () => {
    await using heard = hear(() =>
      Promise.resolve({ status: 200, headers: octets, body: streamOf(["ab", "cde"], "close") }),
    );
    const answer = await ask(heard.port, "GET / HTTP/1.1");
    expect(answer.headers.get("transfer-encoding")).toBe("chunked");
    expect(answer.body.replaceAll(/\r\n|\b[0-9a-f]\r\n/g, "")).toBe("abcde");
    expect(answer.body).toEndWith("0\r\n\r\n");
  });

  test("a stream that fails is cut, and never ends as if it were whole", async () => {
    await using heard = hear(() =>
      Promise.resolve({ status: 200, headers: octets, body: streamOf(["ab", "cde"], "fail") }),
    );
    const answer = await ask(heard.port, "GET / HTTP/1.1");
    expect(answer.body).not.toEndWith("0\r\n\r\n");
  });

  test("a file that was replaced or removed while it is sent arrives as it was", async () => {
    const victim = join(directory.path, "victim");
    const large = pattern(24_000_000);
    await Bun.write(victim, large.bytes);
    await using heard = hear(() =>
      Promise.resolve({ status: 200, headers: octets, body: Bun.file(victim) }),
    );
    await using socket = await openRaw(heard.port);
    socket.send(request("GET / HTTP/1.1", host, close));
    await socket.until(/\r\n\r\n/);
    socket.pause();
    await Bun.file(victim).delete();
    await Bun.write(victim, "another file");
    socket.resume();
    const received = await socket.closed();
    expect(received.slice(received.indexOf("\r\n\r\n") + 4) === text(large.bytes)).toBe(true);
  });

  test("a header that cannot be sent is a 500, and is reported", async () => {
    await using heard = hear(() =>
      Promise.resolve({ status: 200, headers: { x: "a\r\nSet-Cookie: b" }, body: "ok" }),
    );
    const answer = await ask(heard.port, "GET / HTTP/1.1");
    expect(answer.status).toBe(500);
    expect(answer.headers.get("set-cookie")).toBeUndefined();
    expect(heard.failures.length).toBe(1);
  });

  test("an answer whose file cannot be opened is another answer, and tells no name", async () => {
    const other: Reply = { status: 503, headers: { "retry-after": "1" }, body: "later" };
    const kinds = [200, 206].flatMap((status) =>
      [1, slowBodyBytesMin - 1, slowBodyBytesMin].map((size) => ({ status, size })),
    );
    for (const { status, size } of kinds) {
      const ends: unknown[] = [];
      const gone = join(directory.path, "secret-name that went");
      writeFileSync(gone, new Uint8Array(size));
      const body = Bun.file(gone);
      expect(body.size).toBe(size);
      rmSync(gone);
      const onEnd = (end: unknown): void => void ends.push(end);
      await using heard = hear(
        () => Promise.resolve({ status, headers: { x: "y" }, body, onEnd }),
        () => other,
      );
      const answer = await ask(heard.port, "GET / HTTP/1.1");
      expect([answer.status, answer.body]).toEqual([503, "later"]);
      expect(answer.headers.get("retry-after")).toBe("1");
      expect(JSON.stringify([...answer.headers])).not.toMatch(/secret-name|disposition/);
      expect(String(heard.failures[0])).toContain("ENOENT");
      expect(ends).toEqual([{ kind: "replaced", sentBytes: 5, error: heard.failures[0] }]);
    }
  });

  test("a dispatch that rejects is a 500 without a word of why, and is reported", async () => {
    await using heard = hear(() => Promise.reject(new Error("a secret path")));
    const answer = await ask(heard.port, "GET / HTTP/1.1");
    expect(answer.status).toBe(500);
    expect(answer.body).toBe("");
    expect(String(heard.failures[0])).toContain("a secret path");
  });
});

describe("requests", () => {
  let heard: Heard;
  /** Method, target and number of body bytes of every request that reached the dispatcher whole. */
  const reached: string[] = [];
  beforeAll(() => {
    heard = hear(async (request) => {
      let bytes = 0;
      for await (const chunk of request.body ?? []) bytes += chunk.length;
      reached.push(`${request.method} ${request.url} ${bytes}`);
      return ok;
    });
  });
  afterAll(() => heard[Symbol.asyncDispose]());

  const post = (...headers: string[]): string => request("POST /first HTTP/1.1", host, ...headers);
  const chunked = "Transfer-Encoding: chunked";
  /** What an attacker hides in a body for a server that reads its end elsewhere. */
  const hidden = request("GET /hidden HTTP/1.1", host);

  const refused: readonly (readonly [name: string, bytes: string, status?: number])[] = [
    ["a length and chunks", post("Content-Length: 5", chunked) + `0\r\n\r\n${hidden}`],
    ["chunks and a length", post(chunked, "Content-Length: 5") + `0\r\n\r\n${hidden}`],
    ["two lengths", post("Content-Length: 1", "Content-Length: 2") + `a${hidden}`],
    ["a list of lengths", post("Content-Length: 1, 2") + `a${hidden}`],
    ["a signed length", post("Content-Length: +1") + `a${hidden}`],
    ["a negative length", post("Content-Length: -1") + `a${hidden}`],
    ["a hexadecimal length", post("Content-Length: 0x1") + `a${hidden}`],
    ["an empty length", post("Content-Length: ") + hidden],
    ["a length beyond 64 bits", post("Content-Length: 18446744073709551617") + `a${hidden}`],
    ["a blank before the colon", post("Content-Length : 1") + `a${hidden}`],
    ["an unknown transfer coding", post("Transfer-Encoding: xchunked") + `0\r\n\r\n${hidden}`],
    [
      "chunked before another coding",
      post("Transfer-Encoding: chunked, identity") + `0\r\n\r\n${hidden}`,
    ],
    [
      "another coding before chunked",
      post("Transfer-Encoding: gzip, chunked") + `0\r\n\r\n${hidden}`,
    ],
    ["two transfer codings", post(chunked, chunked) + `0\r\n\r\n${hidden}`],
    ["chunks in HTTP/1.0", request("POST /first HTTP/1.0", host, chunked) + `0\r\n\r\n${hidden}`],
    ["a folded header", "GET /first HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n"],
    ["lines without carriage return", `GET /first HTTP/1.1\nHost: h\n\n${hidden}`, 505],
    ["a header that ends without carriage return", `GET /first HTTP/1.1\r\nHost: h\nX: y\r\n\r\n`],
    ["a carriage return in a header", "GET /first HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n"],
    ["a NUL in a header", "GET /first HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n"],
    ["a header without a colon", request("GET /first HTTP/1.1", host, "Xy")],
    ["a blank in a header's name", request("GET /first HTTP/1.1", host, "X y: z")],
    ["no Host", request("GET /first HTTP/1.1")],
    ["a relative target", request("GET first HTTP/1.1", host)],
    ["the target of all", request("OPTIONS * HTTP/1.1", host)],
    ["another scheme", request("GET ftp://h/first HTTP/1.1", host)],
    ["HTTP/1.2", request("GET /first HTTP/1.2", host), 505],
    ["HTTP/0.9", "GET /first\r\n\r\n", 505],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["TLS", "\u0016\u0003\u0001\u0000\u0005hello"],
    [
      "headers of more than 16 KiB",
      request("GET /first HTTP/1.1", host, `X: ${"a".repeat(17_000)}`),
      431,
    ],
    [
      "a thousand headers",
      request("GET /first HTTP/1.1", host, ...Array.from({ length: 1000 }, (_, n) => `X${n}: y`)),
      431,
    ],
  ];

  test.each([...refused])("%s: refused, and nothing is run", async (_, bytes, status = 400) => {
    const before = reached.length;
    await using socket = await openRaw(heard.port);
    socket.send(bytes);
    expect(statuses(await socket.closed())).toEqual([status]);
    expect(reached.slice(before)).toEqual([]);
  });

  const brokenChunks: readonly (readonly [name: string, chunks: string])[] = [
    ["a size with a prefix", `0x2\r\nab\r\n0\r\n\r\n${hidden}`],
    ["a negative size", `-2\r\nab\r\n0\r\n\r\n${hidden}`],
    ["a size beyond 64 bits", `fffffffffffffffff\r\nab\r\n0\r\n\r\n${hidden}`],
    ["data longer than its size", `2\r\nabX0\r\n\r\n${hidden}`],
    ["lines without carriage return", `2\nab\n0\n\n${hidden}`],
  ];

  test.each([...brokenChunks])(
    "chunks with %s: refused, and nothing else is run",
    async (_, chunks) => {
      const before = reached.length;
      await using socket = await openRaw(heard.port);
      socket.send(post(chunked) + chunks);
      expect(statuses(await socket.closed())).toEqual([400]);
      expect(reached.slice(before)).toEqual([]);
    },
  );

  const followed: readonly (readonly [name: string, chunks: string])[] = [
    ["a request in place of the last line", `0\r\n${hidden}`],
    ["trailers", `0\r\nX: y\r\n\r\n${hidden}`],
  ];

  test.each([...followed])(
    "chunks that end in %s: answered once, then refused",
    async (_, chunks) => {
      const before = reached.length;
      await using socket = await openRaw(heard.port);
      socket.send(post(chunked) + chunks);
      expect(statuses(await socket.closed())).toEqual([200, 400]);
      expect(reached.slice(before)).toEqual(["POST http://registry.example/first 0"]);
    },
  );

  test.each(["BREW", "get", "PROPFIND-X"])(
    "%s, a method that is none, is closed without an answer",
    async (method) => {
      const before = reached.length;
      await using socket = await openRaw(heard.port);
      socket.send(request(`${method} /first HTTP/1.1`, host));
      expect(await socket.closed()).toBe("");
      expect(reached.slice(before)).toEqual([]);
    },
  );

  test("a repeated equal length is one length", async () => {
    const before = reached.length;
    await using socket = await openRaw(heard.port);
    socket.send(`${post("Content-Length: 2", "Content-Length: 2", close)}ab`);
    expect(statuses(await socket.closed())).toEqual([200]);
    expect(reached.slice(before)).toEqual(["POST http://registry.example/first 2"]);
  });

  test("a body ends where its length says, and the next request begins there", async () => {
    const before = reached.length;
    await using socket = await openRaw(heard.port);
    socket.send(`${post("Content-Length: 3")}abc`);
    await socket.until(/ok$/);
    socket.send(request("GET /second HTTP/1.1", host, "Content-Length: 2") + "ab");
    await socket.until(/ok.*ok$/s);
    socket.send(request("GET /third HTTP/1.1", host, close));
    expect(statuses(await socket.closed())).toEqual([200, 200, 200]);
    expect(reached.slice(before)).toEqual([
      "POST http://registry.example/first 3",
      // The body of a GET is passed over.
      "GET http://registry.example/second 0",
      "GET http://registry.example/third 0",
    ]);
  });

  test("a header block of 15 KiB is taken", async () => {
    const answer = await ask(heard.port, "GET /first HTTP/1.1", `X: ${"a".repeat(15_000)}`);
    expect(answer.status).toBe(200);
  });

  test("100 Continue is sent before the body, and before the answer", async () => {
    await using socket = await openRaw(heard.port);
    socket.send(post("Content-Length: 2", "Expect: 100-continue", close));
    expect(await socket.until(/\r\n\r\n/)).toStartWith("HTTP/1.1 100 Continue");
    socket.send("ab");
    expect(statuses(await socket.closed())).toEqual([100, 200]);
  });

  test("HTTP/1.0 is answered, with and without a Host, and closed", async () => {
    const before = reached.length;
    for (const lines of [["GET /old HTTP/1.0"], ["GET /old HTTP/1.0", host]]) {
      await using socket = await openRaw(heard.port);
      socket.send(request(...lines));
      expect(statuses(await socket.closed())).toEqual([200]);
    }
    expect(reached.slice(before)).toEqual(["GET /old 0", "GET http://registry.example/old 0"]);
  });

  const hosts = [
    "evil/v2/_catalog?",
    "evil/x?#",
    "a b",
    "",
    "user@h",
    "a\\b",
    "\u00e9",
    "h:1/x?y=",
  ];

  test.each(hosts)("a Host of %j does not change the path", async (name) => {
    const before = reached.length;
    await using socket = await openRaw(heard.port);
    socket.send(request("GET /path?q=1 HTTP/1.1", `Host: ${name}`, close));
    expect(statuses(await socket.closed())).toEqual([200]);
    expect(reached.slice(before)).toEqual(["GET /path?q=1 0"]);
  });

  test("an absolute target is its path; its host counts for nothing", async () => {
    const before = reached.length;
    await ask(heard.port, "GET http://other.example/path?q=1 HTTP/1.1");
    expect(reached.slice(before)).toEqual(["GET http://registry.example/path?q=1 0"]);
  });

  test("140 MiB are taken, beyond the runtime's own limit", async () => {
    const before = reached.length;
    const mebibyte = new Uint8Array(1024 * 1024);
    const bytes = 140 * mebibyte.length;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let n = 0; n < 140; n += 1) controller.enqueue(mebibyte);
        controller.close();
      },
    });
    const url = `http://127.0.0.1:${heard.port}/large`;
    expect((await fetch(url, { method: "PUT", body })).status).toBe(200);
    expect((await fetch(url, { method: "PUT", body: new Uint8Array(bytes) })).status).toBe(200);
    expect(reached.slice(before)).toEqual([`PUT ${url} ${bytes}`, `PUT ${url} ${bytes}`]);
  });
});

describe("connections", () => {
  test("pipelined requests are answered in their order, or not at all", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    await using heard = hear(async (request) => {
      if (request.url.endsWith("/slow")) await promise;
      return { status: 200, headers: {}, body: new URL(request.url).pathname };
    });
    await using quick = await openRaw(heard.port);
    quick.send(request("GET /a HTTP/1.1", host) + request("GET /b HTTP/1.1", host, close));
    const both = await quick.closed();
    expect(both.indexOf("/a")).toBeLessThan(both.indexOf("/b"));
    // Behind a request that is still being answered the runtime gives up, without a wrong answer.
    await using slow = await openRaw(heard.port);
    slow.send(request("GET /slow HTTP/1.1", host) + request("GET /b HTTP/1.1", host, close));
    const received = slow.closed();
    await eventually(
      "the slow request is at work or given up",
      () => slow.isClosed() || heard.listener.pending() > 0,
    );
    resolve();
    const bodies = (await received).match(/\/(slow|b)/g) ?? [];
    expect([[], ["/slow"], ["/slow", "/b"]]).toContainEqual(bodies);
  });

  test("an answer before the body was sent arrives, and the connection serves on", async () => {
    await using heard = hear(() => Promise.resolve({ ...ok, status: 401 }));
    await using socket = await openRaw(heard.port);
    socket.send(request("PUT /early HTTP/1.1", host, "Content-Length: 3000000"));
    await socket.until(/^HTTP\/1\.1 401 .*ok$/s);
    socket.send(new Uint8Array(3_000_000));
    socket.send(request("GET /next HTTP/1.1", host, close));
    expect(statuses(await socket.closed())).toEqual([401, 401]);
  });

  test("an answer before a body in chunks was sent arrives, and the connection serves on", async () => {
    await using heard = hear(() => Promise.resolve({ ...ok, status: 401 }));
    await using socket = await openRaw(heard.port);
    socket.send(request("PUT /early HTTP/1.1", host, "Transfer-Encoding: chunked"));
    await socket.until(/^HTTP\/1\.1 401 .*ok$/s);
    socket.send(`100000\r\n${"x".repeat(0x10_0000)}\r\n0\r\n\r\n`);
    socket.send(request("GET /next HTTP/1.1", host, close));
    expect(statuses(await socket.closed())).toEqual([401, 401]);
  });

  test("the client's address is known, in its plain form", async () => {
    const addresses: (string | null)[] = [];
    await using heard = hear((_, { address }) => {
      addresses.push(address);
      return Promise.resolve(ok);
    });
    await ask(heard.port, "GET / HTTP/1.1");
    expect(addresses).toEqual(["127.0.0.1"]);
  });

  test("a client that goes away is seen by the request's signal and by its body", async () => {
    const seen: string[] = [];
    await using heard = hear(async (request) => {
      request.signal.addEventListener("abort", () => seen.push("signal"));
      try {
        for await (const _ of request.body ?? []);
        seen.push("whole body");
      } catch {
        seen.push("broken body");
      }
      return ok;
    });
    for (const framing of ["Content-Length: 100", "Transfer-Encoding: chunked"]) {
      await using socket = await openRaw(heard.port);
      socket.send(request("PUT / HTTP/1.1", host, framing));
      socket.send("5\r\nabcde\r\n");
      await eventually("the request is at work", () => heard.listener.pending() > 0);
      socket.destroy();
      await eventually("the request has ended", () => heard.listener.pending() === 0);
    }
    expect(seen.sort()).toEqual(["broken body", "broken body", "signal", "signal"]);
  });

  test("a stop lets requests in flight finish, and takes no new ones", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const heard = hear(async () => {
      await promise;
      return ok;
    });
    await using socket = await openRaw(heard.port);
    socket.send(request("GET / HTTP/1.1", host, close));
    await eventually("the request is at work", () => heard.listener.pending() > 0);
    const stopped = heard.listener.stop(30_000);
    expect(
      await openRaw(heard.port).then(
        () => "open",
        () => "refused",
      ),
    ).toBe("refused");
    resolve();
    expect(statuses(await socket.closed())).toEqual([200]);
    await stopped;
  });

  test("a stop cuts what does not end within the grace time", async () => {
    const heard = hear(() => new Promise(() => {}));
    await using socket = await openRaw(heard.port);
    socket.send(request("GET / HTTP/1.1", host, close));
    await eventually("the request is at work", () => heard.listener.pending() > 0);
    await heard.listener.stop(50);
    expect(await socket.closed()).toBe("");
  });

  test("a stop does not wait for connections without a request", async () => {
    const other = hear(() => Promise.resolve(ok));
    const heard = hear(() => Promise.resolve(ok));
    const part = `GET / HTTP/1.1\r\n${host}\r\n`;
    // The runtime ends such a connection by itself after ten seconds or more.
    await using first = await openRaw(other.port);
    first.send(part);
    await using silent = await openRaw(heard.port);
    await using begun = await openRaw(heard.port);
    begun.send(part);
    // What was sent before has been read by then.
    expect((await ask(heard.port, "GET / HTTP/1.1")).status).toBe(200);
    await heard.listener.stop(60_000);
    first.send("\r\n");
    expect(statuses(await first.until(/ok$/))).toEqual([200]);
    await begun.closed();
    silent.destroy();
    await other.listener.stop(0);
  });

  test("two listeners share a port when both ask for it", async () => {
    const options = {
      address: "127.0.0.1",
      readIdleMs: 0,
      writeIdleMs: 0,
      sharePort: true,
      dispatch: () => Promise.resolve(ok),
      onFailure: () => {},
    };
    const first = listen({ ...options, port: 0 });
    const second = listen({ ...options, port: first.port });
    expect(second.port).toBe(first.port);
    await first.stop(0);
    expect((await ask(second.port, "GET / HTTP/1.1")).status).toBe(200);
    await second.stop(0);
  });

  test("who keeps a connection to a listener that hands over is asked to end it, before the listener does", async () => {
    const options = {
      address: "127.0.0.1",
      readIdleMs: 0,
      writeIdleMs: 0,
      sharePort: true,
      handsOver: true,
      dispatch: () => Promise.resolve(ok),
      onFailure: () => {},
    };
    const first = listen({ ...options, port: 0 });
    await using socket = await openRaw(first.port);
    socket.send(request("GET / HTTP/1.1", host));
    expect(await socket.until(/ok$/)).not.toMatch(/^connection:/im);
    const stopped = first.stop(30_000);
    socket.send(request("GET / HTTP/1.1", host));
    expect(await socket.closed()).toMatch(/ok[^]*\r\nconnection: close\r\n[^]*ok$/i);
    await stopped;
  });
});
