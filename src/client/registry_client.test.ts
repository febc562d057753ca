// The client against real sockets: what it sends byte for byte, and the name it gives each failure.
//
// Each server here is a few lines that answer raw bytes, so that also servers that no library would
// build (garbage, silence, half answers) are real. Idle limits are short; nothing waits longer.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { ClientError, type ClientErrorKind } from "./client_error.ts";
import type { Exchange } from "./exchange.ts";
import { checkRegistry } from "./preflight.ts";
import { locationOf, RegistryClient, type RegistryClientOptions } from "./registry_client.ts";
import type { TranscriptEntry } from "./transcript.ts";
import { bytesBody, chunkedBody } from "./transport.ts";

const servers: Server[] = [];
const clients: RegistryClient[] = [];
const sockets = new Set<Socket>();
let directory = "";
let tlsKey = "";
let tlsCert = "";

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "zot-client-"));
  const made = Bun.spawnSync([
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-keyout",
    join(directory, "key.pem"),
    "-out",
    join(directory, "cert.pem"),
    "-days",
    "2",
    "-subj",
    "/CN=localhost",
    "-addext",
    "subjectAltName=DNS:localhost,IP:127.0.0.1",
  ]);
  expect(made.exitCode).toBe(0);
  tlsKey = await readFile(join(directory, "key.pem"), "utf8");
  tlsCert = await readFile(join(directory, "cert.pem"), "utf8");
});

afterAll(async () => {
  for (const client of clients) client.close();
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  await rm(directory, { recursive: true, force: true });
});

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening on a port");
  return address.port;
}

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return portOf(server);
}

/** A server that gives whatever `answer` says for each request's text, head and body as received. */
function rawServer(answer: (request: string, socket: Socket) => string | null): Promise<number> {
  return listen(
    createServer((socket) => {
      let held = "";
      socket.on("data", (data) => {
        held += data.toString("latin1");
        const length = Number(/content-length: (\d+)/i.exec(held)?.[1] ?? 0);
        const head = held.indexOf("\r\n\r\n");
        const chunked = /transfer-encoding: chunked/i.test(held);
        if (head === -1) return;
        if (chunked ? !held.endsWith("0\r\n\r\n") : held.length < head + 4 + length) return;
        const request = held;
        held = "";
        const text = answer(request, socket);
        if (text !== null) socket.write(text, "latin1");
      });
    }),
  );
}

function client(options: Partial<RegistryClientOptions> & { url: string }): RegistryClient {
  // A busy machine answers late: only tests of silence have a short limit.
  const made = new RegistryClient({ limits: { connectMs: 30_000, idleMs: 30_000 }, ...options });
  clients.push(made);
  return made;
}

const ok = (body = "", head = ""): string =>
  `HTTP/1.1 200 OK\r\n${head}Content-Length: ${body.length}\r\n\r\n${body}`;

async function failure(work: Promise<unknown>): Promise<ClientError> {
  const error: unknown = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ClientError))
    throw new Error(`Expected a ClientError, got ${String(error)}`);
  return error;
}

describe("what is sent", () => {
  test("raw path, repeated header lines, and nothing added twice", async () => {
    let seen = "";
    const port = await rawServer((request) => ((seen = request), ok()));
    await client({ url: `127.0.0.1:${port}/prefix`, userAgent: "t" }).exchange({
      method: "GET",
      url: "/v2/../a/%2e%2e/b//c?x=%3A",
      headers: [
        ["Accept", "a"],
        ["Accept", "b"],
      ],
    });
    expect(seen).toBe(
      `GET /prefix/v2/../a/%2e%2e/b//c?x=%3A HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUser-Agent: t\r\n` +
        "Accept: a\r\nAccept: b\r\n\r\n",
    );
  });

  test("a body goes with its length or in chunks; an empty POST says so", async () => {
    const seen: string[] = [];
    const port = await rawServer((request) => (seen.push(request), ok()));
    const sender = client({ url: `127.0.0.1:${port}` });
    const bytes = new TextEncoder().encode("hello");
    await sender.exchange({ method: "PUT", url: "/a", body: bytes });
    await sender.exchange({ method: "PUT", url: "/b", body: chunkedBody(bytes, 3) });
    await sender.exchange({ method: "PUT", url: "/c", body: chunkedBody(new Uint8Array(0)) });
    await sender.exchange({ method: "POST", url: "/d" });
    expect(seen[0]).toEndWith("Content-Length: 5\r\n\r\nhello");
    expect(seen[1]).toEndWith("Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
    expect(seen[2]).toEndWith("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    expect(seen[3]).toEndWith("Content-Length: 0\r\n\r\n");
  });

  test("a connection is not used again after a request that asked for its end", async () => {
    let connections = 0;
    const server = await rawServer((_, socket) => {
      connections += 1;
      // The server closes as it was asked to, and need not say so (RFC 9112 §9.6).
      socket.end(ok());
      return null;
    });
    const sender = client({ url: `127.0.0.1:${server}` });
    for (const url of ["/first", "/second", "/third"]) {
      const headers = [["Connection", "close"]] as const;
      expect((await sender.exchange({ method: "POST", url, headers })).status).toBe(200);
    }
    expect(connections).toBe(3);
  });

  test("a connection is used again, and a stale one is replaced for a GET", async () => {
    const used = new Set<Socket>();
    const port = await rawServer((request, socket) => {
      if (used.has(socket) && request.startsWith("GET /stale")) {
        socket.destroy();
        return null;
      }
      used.add(socket);
      return ok("x");
    });
    const sender = client({ url: `127.0.0.1:${port}` });
    await sender.exchange({ method: "GET", url: "/1" });
    await sender.exchange({ method: "GET", url: "/2" });
    expect(used.size).toBe(1);
    expect((await sender.exchange({ method: "GET", url: "/stale" })).status).toBe(200);
    expect(used.size).toBe(2);
  });

  test("a cut request reaches the server up to the cut", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const port = await listen(
      createServer((socket) => {
        let held = "";
        socket.on("data", (data) => (held += data.toString("latin1")));
        socket.on("close", () => resolve(held));
      }),
    );
    const body = bytesBody(new TextEncoder().encode("0123456789"));
    const sent = client({ url: `127.0.0.1:${port}` }).exchange({
      method: "PATCH",
      url: "/u",
      body,
      cutAfterBytes: 4,
    });
    expect((await failure(sent)).kind).toBe("aborted");
    expect(await promise).toEndWith("Content-Length: 10\r\n\r\n0123");
  });

  test("an answer that comes before the body was sent is taken, and the sending stops", async () => {
    const port = await listen(
      createServer((socket) => {
        socket.once("data", () =>
          socket.write("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"),
        );
      }),
    );
    let pulled = 0;
    const body = {
      lengthBytes: null,
      async *open(): AsyncGenerator<Uint8Array> {
        for (;;) {
          pulled += 1;
          yield new Uint8Array(65_536);
          await Bun.sleep(0);
        }
      },
    };
    const answer = await client({ url: `127.0.0.1:${port}` }).exchange({
      method: "PUT",
      url: "/u",
      body,
    });
    expect(answer.status).toBe(413);
    expect(pulled).toBeGreaterThan(0);
  });
});

describe("what is received", () => {
  test("lengths, chunks, and bodies that end with the connection", async () => {
    const port = await rawServer((request, socket) => {
      if (request.startsWith("GET /length")) return ok("12345");
      if (request.startsWith("GET /chunks")) {
        return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nTrailer: x\r\n\r\n";
      }
      if (request.startsWith("HEAD")) return "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n";
      if (request.startsWith("GET /interim"))
        return `HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${ok("z")}`;
      socket.end("HTTP/1.0 200 OK\r\n\r\nto the end");
      return null;
    });
    const reader = client({ url: `127.0.0.1:${port}` });
    const get = async (method: string, url: string): Promise<string> =>
      new TextDecoder().decode((await reader.exchange({ method, url })).body);
    expect(await get("GET", "/length")).toBe("12345");
    expect(await get("GET", "/chunks")).toBe("abc");
    expect(await get("HEAD", "/")).toBe("");
    expect(await get("GET", "/interim")).toBe("z");
    expect(await get("GET", "/close")).toBe("to the end");
  });

  test("readPastEnd shows a body that a HEAD must not have", async () => {
    const port = await rawServer((_, socket) => {
      socket.end(ok("excess"));
      return null;
    });
    const answer = await client({ url: `127.0.0.1:${port}` }).exchange({
      method: "HEAD",
      url: "/",
      readPastEnd: true,
    });
    expect(answer.bodyBytes).toBe(6);
  });

  test("a body over the limit is an error unless it is handed on", async () => {
    const port = await rawServer(() => ok("x".repeat(100)));
    const reader = client({ url: `127.0.0.1:${port}` });
    const limited = reader.exchange({ method: "GET", url: "/", bodyBytesMax: 99 });
    expect((await failure(limited)).kind).toBe("answerTooLarge");
    let bytes = 0;
    const onBody = (piece: Uint8Array): void => void (bytes += piece.length);
    await reader.exchange({ method: "GET", url: "/", bodyBytesMax: 99, onBody });
    expect(bytes).toBe(100);
  });
});

describe("failures are named", () => {
  const raw: [ClientErrorKind, string, string | null][] = [
    ["notHttp", "an SSH server", "SSH-2.0-OpenSSH_9.2p1\r\n"],
    ["notHttp", "a broken status line", "HTTP/1.1 abc\r\n\r\n"],
    [
      "notHttp",
      "contradicting lengths",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
    [
      "notHttp",
      "a chunk that is none",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ["tlsExpected", "a TLS alert", "\u0015\u0003\u0003\u0000\u0002\u0002\u0046"],
    ["answerTimeout", "silence", null],
    [
      "answerTimeout",
      "half a body, then silence",
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
    ],
    ["answerTimeout", "half a head, then silence", "HTTP/1.1 200 OK\r\nConte"],
  ];
  test.each(raw)("%s: %s", async (kind, _, answer) => {
    const port = await rawServer(() => answer);
    const limits = kind === "answerTimeout" ? { limits: { connectMs: 30_000, idleMs: 200 } } : {};
    const error = await failure(client({ url: `127.0.0.1:${port}`, ...limits }).ping());
    expect(error.kind).toBe(kind);
    expect(error.message).toStartWith(`127.0.0.1:${port}: `);
    expect(error.message).not.toContain("\n");
  });

  const closing: [string, string][] = [
    ["at once", ""],
    ["in the middle of a body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"],
  ];
  test.each(closing)("closed: %s", async (_, answer) => {
    const port = await rawServer((_request, socket) => {
      socket.end(answer);
      return null;
    });
    expect((await failure(client({ url: `127.0.0.1:${port}` }).ping())).kind).toBe("closed");
  });

  test("refused: nothing listens", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const port = portOf(server);
    await new Promise<void>((resolve) => server.close(() => resolve()));
    expect((await failure(client({ url: `127.0.0.1:${port}` }).ping())).kind).toBe("refused");
  });

  test("unknownHost", async () => {
    const error = await failure(client({ url: "http://no-such-host.invalid" }).ping());
    expect(error.kind).toBe("unknownHost");
  });

  test("redirectLoop, and the limit is the caller's", async () => {
    const port = await rawServer(
      () => "HTTP/1.1 307 Temporary Redirect\r\nLocation: /v2/\r\nContent-Length: 0\r\n\r\n",
    );
    const wanderer = client({ url: `127.0.0.1:${port}` });
    expect((await failure(wanderer.ping())).kind).toBe("redirectLoop");
    expect((await wanderer.ping({ redirectsMax: 0 })).status).toBe(307);
  });
});

describe("TLS", () => {
  const registry = (): Promise<number> =>
    listen(
      createTlsServer({ key: tlsKey, cert: tlsCert }, (socket) => {
        socket.on("error", () => {});
        socket.on("data", () => socket.write(ok("{}")));
      }),
    );

  test("trusts what it is told to trust, and nothing else", async () => {
    const url = `https://127.0.0.1:${await registry()}`;
    expect((await client({ url, tls: { ca: tlsCert } }).ping()).status).toBe(200);
    expect((await client({ url, tls: { insecure: true } }).ping()).status).toBe(200);
    expect((await failure(client({ url }).ping())).kind).toBe("certificate");
  });

  test("plain HTTP to a TLS port, and TLS to a plain port, are told apart", async () => {
    const tls = await registry();
    expect((await failure(checkRegistry(client({ url: `http://127.0.0.1:${tls}` })))).kind).toBe(
      "tlsExpected",
    );
    const plain = await rawServer(() => ok());
    // It waits for a line that a TLS greeting never sends.
    const limits = { connectMs: 500, idleMs: 30_000 };
    const secure = client({ url: `https://127.0.0.1:${plain}`, limits });
    const error = await failure(checkRegistry(secure));
    expect(error.kind).toBe("plainExpected");
  });

  test("a plain 400 of a TLS server is recognised", async () => {
    // Go and nginx answer a plain request on a TLS port in plain text; seen as one port here.
    const secure = await registry();
    const port = await listen(
      createServer((socket) => {
        socket.once("data", (first) => {
          if (first[0] !== 0x16) {
            socket.end(
              "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
            );
            return;
          }
          const inner = connect(secure, "127.0.0.1", () => inner.write(first));
          inner.on("error", () => {});
          socket.pipe(inner);
          inner.pipe(socket);
        });
      }),
    );
    const error = await failure(checkRegistry(client({ url: `http://127.0.0.1:${port}` })));
    expect(error.kind).toBe("tlsExpected");
  });
});

describe("checkRegistry", () => {
  const rows: [number, Partial<RegistryClientOptions>, ClientErrorKind | null][] = [
    [200, {}, null],
    [500, {}, null],
    [404, {}, "notRegistry"],
    [401, {}, "loginRequired"],
    [403, {}, "loginRequired"],
    [401, { credentials: { kind: "password", user: "u", password: "p" } }, "loginRefused"],
    [401, { credentials: { kind: "token", token: "t" } }, "loginRefused"],
  ];
  test.each(rows)("%i %j", async (status, options, kind) => {
    const head = status === 401 ? 'WWW-Authenticate: Basic realm="r"\r\n' : "";
    const port = await rawServer(() => ok("", head).replace("200 OK", `${status} x`));
    const registry = client({ url: `127.0.0.1:${port}`, ...options });
    if (kind === null) expect((await checkRegistry(registry)).status).toBe(status);
    else expect((await failure(checkRegistry(registry))).kind).toBe(kind);
  });
});

describe("endpoints", () => {
  const digest = `sha256:${"a".repeat(64)}`;
  const body = new TextEncoder().encode("x");
  const location = (port: number) => ({
    origin: { tls: false, host: "127.0.0.1", port },
    target: "/v2/r/blobs/uploads/1?s=1",
  });
  type Row = [string, (c: RegistryClient, port: number) => Promise<Exchange>, string];
  const rows: Row[] = [
    ["end-1", (c) => c.ping(), "GET /v2/"],
    ["end-2 GET", (c) => c.blobGet("r", digest), `GET /v2/r/blobs/${digest}`],
    ["end-2 HEAD", (c) => c.blobHead("r", digest), `HEAD /v2/r/blobs/${digest}`],
    ["end-3 GET", (c) => c.manifestGet("r", "t"), "GET /v2/r/manifests/t"],
    ["end-3 HEAD", (c) => c.manifestHead("r", "t"), "HEAD /v2/r/manifests/t"],
    ["end-4a", (c) => c.uploadStart("a/b"), "POST /v2/a/b/blobs/uploads/"],
    [
      "end-4b",
      (c) => c.uploadPost("r", digest, body),
      `POST /v2/r/blobs/uploads/?digest=${encodeURIComponent(digest)}`,
    ],
    [
      "end-4c",
      (c) => c.uploadStart("r", [["digest-algorithm", "sha512"]]),
      "POST /v2/r/blobs/uploads/?digest-algorithm=sha512",
    ],
    [
      "end-5",
      (c, p) => c.uploadPatch(location(p), { body, range: "0-0" }),
      "PATCH /v2/r/blobs/uploads/1?s=1",
    ],
    [
      "end-6",
      (c, p) => c.uploadPut(location(p), digest, { body }),
      `PUT /v2/r/blobs/uploads/1?s=1&digest=${encodeURIComponent(digest)}`,
    ],
    ["end-7a", (c) => c.manifestPut("r", "t", { mediaType: "a/b", body }), "PUT /v2/r/manifests/t"],
    [
      "end-7b",
      (c) => c.manifestPut("r", digest, { mediaType: "a/b", body, tags: ["x", "y"] }),
      `PUT /v2/r/manifests/${digest}?tag=x&tag=y`,
    ],
    [
      "end-8",
      (c) =>
        c.tagsList("r", [
          ["n", "2"],
          ["last", "b"],
        ]),
      "GET /v2/r/tags/list?n=2&last=b",
    ],
    ["end-9", (c) => c.manifestDelete("r", "t"), "DELETE /v2/r/manifests/t"],
    ["end-10", (c) => c.blobDelete("r", digest), `DELETE /v2/r/blobs/${digest}`],
    [
      "end-11",
      (c) =>
        c.uploadStart("r", [
          ["mount", "d"],
          ["from", "a/b"],
        ]),
      "POST /v2/r/blobs/uploads/?mount=d&from=a%2Fb",
    ],
    [
      "end-12",
      (c) => c.referrers("r", digest, [["artifactType", "a/b+c"]]),
      `GET /v2/r/referrers/${digest}?artifactType=a%2Fb%2Bc`,
    ],
    ["end-13", (c, p) => c.uploadStatus(location(p)), "GET /v2/r/blobs/uploads/1?s=1"],
    ["end-14", (c, p) => c.uploadCancel(location(p)), "DELETE /v2/r/blobs/uploads/1?s=1"],
    ["catalog", (c) => c.catalog([["n", "1"]]), "GET /v2/_catalog?n=1"],
  ];
  test.each(rows)("%s", async (_, call, line) => {
    let seen = "";
    const port = await rawServer((request) => ((seen = request), ok()));
    await call(client({ url: `127.0.0.1:${port}` }), port);
    expect(seen.split(" HTTP/1.1")[0]).toBe(line);
  });

  test("pages are followed on this registry, and circles are noticed", async () => {
    const pages = new Map([
      ["/v2/r/tags/list", '</v2/r/tags/list?last=b>; rel="next"'],
      ["/v2/r/tags/list?last=b", ""],
      ["/circle", '</circle2>; rel="next"'],
      ["/circle2", '</circle2>; rel="next"'],
      ["/away", '<http://elsewhere.example.com/>; rel="next"'],
    ]);
    const port = await rawServer((request) => {
      const link = pages.get(request.split(" ")[1] ?? "") ?? "";
      return ok("{}", link === "" ? "" : `Link: ${link}\r\n`);
    });
    const walker = client({ url: `127.0.0.1:${port}` });
    const walk = async (url: string): Promise<number> => {
      let count = 0;
      const first = await walker.exchange({ method: "GET", url });
      for await (const page of walker.paginate(first)) count += page.status === 200 ? 1 : 0;
      return count;
    };
    expect(await walk("/v2/r/tags/list")).toBe(2);
    expect((await failure(walk("/circle"))).kind).toBe("redirectLoop");
    expect((await failure(walk("/away"))).kind).toBe("badUrl");
  });

  test("locationOf takes exactly one Location", async () => {
    const port = await rawServer((request) => {
      const lines = new Map([
        ["/one", "Location: /u/1\r\n"],
        ["/two", "Location: /a\r\nLocation: /b\r\n"],
      ]);
      return ok("", lines.get(request.split(" ")[1] ?? "") ?? "");
    });
    const reader = client({ url: `127.0.0.1:${port}` });
    const at = async (url: string) => locationOf(await reader.exchange({ method: "GET", url }));
    expect((await at("/one"))?.target).toBe("/u/1");
    expect(await at("/two")).toBeNull();
    expect(await at("/none")).toBeNull();
  });
});

describe("login", () => {
  const password = { kind: "password", user: "ann", password: "s3cret:x" } as const;
  const basic = `Basic ${Buffer.from("ann:s3cret:x").toString("base64")}`;
  const header = (request: string): string | null =>
    /authorization: (.*)\r\n/i.exec(request)?.[1] ?? null;

  test("Basic is sent after the first challenge, and from then on unasked", async () => {
    const seen: (string | null)[] = [];
    const port = await rawServer((request) => {
      seen.push(header(request));
      if (header(request) === basic) return ok();
      return 'HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm="r"\r\nContent-Length: 0\r\n\r\n';
    });
    const user = client({ url: `127.0.0.1:${port}`, credentials: password });
    expect((await user.ping()).status).toBe(200);
    expect((await user.ping()).status).toBe(200);
    expect((await user.ping({ login: "none" })).status).toBe(401);
    expect(seen).toEqual([null, basic, basic, null]);
  });

  test("requests that were refused side by side are all repeated with the login", async () => {
    const refused: Socket[] = [];
    const port = await rawServer((request, socket) => {
      if (header(request) === basic) return ok();
      refused.push(socket);
      if (refused.length < 4) return null;
      for (const each of refused) {
        each.write(
          'HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm="r"\r\nContent-Length: 0\r\n\r\n',
        );
      }
      return null;
    });
    const user = client({ url: `127.0.0.1:${port}`, credentials: password });
    const answers = await Promise.all([user.ping(), user.ping(), user.ping(), user.ping()]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });

  test("a wrong password is tried once", async () => {
    let requests = 0;
    const port = await rawServer(() => {
      requests += 1;
      return 'HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm="r"\r\nContent-Length: 0\r\n\r\n';
    });
    const user = client({ url: `127.0.0.1:${port}`, credentials: password });
    expect((await user.ping()).status).toBe(401);
    expect(requests).toBe(2);
  });

  /** A registry with a token service on one port. `tokens` records what was asked of the service. */
  async function tokenRegistry(options: { post?: boolean; expiresIn?: number } = {}) {
    const tokens: string[] = [];
    const transcript: TranscriptEntry[] = [];
    const port = await rawServer((request) => {
      const [method = "", target = ""] = request.split(" ");
      if (target.startsWith("/token")) {
        tokens.push(
          `${method} ${target} ${header(request) ?? ""} ${request.split("\r\n\r\n")[1] ?? ""}`.trim(),
        );
        if (options.post === true && method === "GET")
          return "HTTP/1.1 405 x\r\nContent-Length: 0\r\n\r\n";
        return ok(
          JSON.stringify({ token: `t${tokens.length}`, expires_in: options.expiresIn ?? 300 }),
        );
      }
      if (header(request)?.startsWith("Bearer t")) return ok();
      const scope = target.includes("/blobs/") ? 'scope="repository:r:pull"' : "error=none";
      return `HTTP/1.1 401 x\r\nWWW-Authenticate: Bearer realm="http://127.0.0.1:${port}/token",service="s",${scope}\r\nContent-Length: 0\r\n\r\n`;
    });
    return {
      port,
      tokens,
      transcript,
      onTranscript: (entry: TranscriptEntry) => void transcript.push(entry),
    };
  }

  test("a token is fetched with GET and kept for its scope", async () => {
    const registry = await tokenRegistry();
    const user = client({
      url: `127.0.0.1:${registry.port}`,
      credentials: password,
      onTranscript: registry.onTranscript,
    });
    await user.blobGet("r", "sha256:a");
    await user.blobHead("r", "sha256:b");
    await user.blobDelete("r", "sha256:b");
    expect(registry.tokens).toEqual([
      `GET /token?service=s&scope=repository%3Ar%3Apull&account=ann ${basic}`,
      `GET /token?service=s&scope=repository%3Ar%3Apull&account=ann ${basic}`,
    ]);
    const published = JSON.stringify(registry.transcript);
    for (const secret of [
      "s3cret",
      "Bearer t1",
      Buffer.from("ann:s3cret:x").toString("base64"),
      '\\"t1\\"',
    ]) {
      expect(published).not.toContain(secret);
    }
  });

  test("an anonymous client fetches an anonymous token", async () => {
    const registry = await tokenRegistry();
    const anyone = client({ url: `127.0.0.1:${registry.port}` });
    expect((await anyone.ping()).status).toBe(200);
    expect(registry.tokens).toEqual(["GET /token?service=s"]);
  });

  test("a service without GET gets a POST with the password grant", async () => {
    const registry = await tokenRegistry({ post: true });
    const user = client({
      url: `127.0.0.1:${registry.port}`,
      credentials: password,
      onTranscript: registry.onTranscript,
    });
    expect((await user.blobGet("r", "sha256:a")).status).toBe(200);
    const form = new URLSearchParams(registry.tokens[1]!.split(" ").at(-1));
    expect(Object.fromEntries(form)).toEqual({
      grant_type: "password",
      client_id: "zot",
      service: "s",
      scope: "repository:r:pull",
      username: "ann",
      password: "s3cret:x",
    });
    expect(JSON.stringify(registry.transcript)).not.toContain("s3cret");
  });

  test("a token that is over is fetched anew", async () => {
    const registry = await tokenRegistry({ expiresIn: 1 });
    const user = client({ url: `127.0.0.1:${registry.port}`, credentials: password });
    await user.blobGet("r", "sha256:a");
    await user.blobGet("r", "sha256:a");
    expect(registry.tokens).toHaveLength(2);
  });

  test("the login does not follow a redirect to another origin", async () => {
    const seen: (string | null)[] = [];
    const elsewhere = await rawServer((request) => (seen.push(header(request)), ok("blob")));
    const port = await rawServer((request) => {
      if (header(request) === null) {
        return 'HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm="r"\r\nContent-Length: 0\r\n\r\n';
      }
      return `HTTP/1.1 307 x\r\nLocation: http://127.0.0.1:${elsewhere}/blob\r\nContent-Length: 0\r\n\r\n`;
    });
    const user = client({ url: `127.0.0.1:${port}`, credentials: password });
    expect(new TextDecoder().decode((await user.blobGet("r", "sha256:a")).body)).toBe("blob");
    await user.exchange({ method: "PUT", url: `http://127.0.0.1:${elsewhere}/upload` });
    expect(seen).toEqual([null, null]);
  });

  test("a token given by the user is sent as it is", async () => {
    let seen: string | null = null;
    const port = await rawServer((request) => ((seen = header(request)), ok()));
    await client({ url: `127.0.0.1:${port}`, credentials: { kind: "token", token: "abc" } }).ping();
    expect(seen as string | null).toBe("Bearer abc");
  });
});
