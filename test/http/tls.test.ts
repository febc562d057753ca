// TLS at the listeners: protocol versions, suites, the wrong protocol, and a certificate that is replaced under load.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type ConnectionOptions } from "node:tls";
import type { Reply } from "../../src/http/endpoint.ts";
import { listen, type Listener } from "../../src/http/listen.ts";
import { listenMutualTls } from "../../src/http/listen_mutual_tls.ts";
import { listeningSockets } from "../../src/http/listening_socket.ts";
import { checkTls, readTlsFiles, type TlsMaterial } from "../../src/http/tls_material.ts";
import { MiB } from "../../src/lib/bytes.ts";
import { TestAuthority } from "../certificates.ts";
import { eventually, type Output, requireTool, run } from "../processes.ts";
import { type TempDirectory, tempDirectory } from "../temp.ts";
import { openRaw, request } from "./raw_socket.ts";
import { startTlsLoad } from "./tls_load.ts";

type Handler = (request: Request) => Promise<Reply>;

const limits = { readIdleMs: 60_000, writeIdleMs: 60_000 };
const base = { address: "127.0.0.1", port: 0, sharePort: false, onFailure: () => {} };
const host = "Host: registry.example";
const ok: Reply = { status: 200, headers: { "content-type": "text/x" }, body: "ok" };

const kinds = [
  [
    "TLS",
    (tls: TlsMaterial, dispatch: Handler) =>
      listen({ ...base, ...limits, tls: { ...tls, ca: null }, dispatch }),
  ],
  [
    "TLS with client certificates",
    (tls: TlsMaterial, dispatch: Handler) => listenMutualTls({ ...base, ...limits, tls, dispatch }),
  ],
] as const;

describe.skipIf(!requireTool("openssl")).each([...kinds])("%s", (kind, open) => {
  let directory: TempDirectory;
  let first: TlsMaterial;
  let second: TlsMaterial;
  let client: ConnectionOptions;
  let listener: Listener;

  beforeAll(async () => {
    directory = await tempDirectory("zot-tls");
    const authority = await TestAuthority.make(directory.path);
    const material = async (name: string) => {
      const pair = await authority.issue(name, { names: ["IP:127.0.0.1"] });
      return checkTls(await readTlsFiles({ ...pair, cacert: authority.cert }), Date.now()).material;
    };
    [first, second] = [await material("first"), await material("second")];
    const alice = await authority.issue("alice");
    client = {
      ca: readFileSync(authority.cert, "utf8"),
      cert: readFileSync(alice.cert, "utf8"),
      key: readFileSync(alice.key, "utf8"),
    };
    listener = open(first, () => Promise.resolve(ok));
  });
  afterAll(async () => {
    await listener?.stop(0);
    await directory?.[Symbol.asyncDispose]();
  });

  function handshake(...flags: readonly string[]): Promise<Output> {
    const to = ["s_client", "-connect", `127.0.0.1:${listener.port}`];
    return run("openssl", [...to, ...flags], { stdin: "" });
  }

  test.each(["-tls1", "-tls1_1"])("%s is refused with an alert", async (version) => {
    const { code, stderr } = await handshake(version, "-cipher", "ALL:@SECLEVEL=0");
    expect(code).not.toBe(0);
    expect(stderr).toContain("alert protocol version");
  });

  test.each([
    ["-tls1_2", "TLSv1.2"],
    ["-tls1_3", "TLSv1.3"],
  ])("%s is spoken", async (version, shown) => {
    expect((await handshake(version)).stdout).toContain(`New, ${shown}, Cipher is`);
  });

  test("suites of TLS 1.2 are those with forward secrecy and authenticated encryption", async () => {
    const sound = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"].map(
      (name) => `ECDHE-ECDSA-${name}`,
    );
    for (const name of sound) {
      const { stdout } = await handshake("-tls1_2", "-cipher", name);
      expect(stdout).toContain(`Cipher is ${name}`);
    }
    const others = ["ALL", "COMPLEMENTOFALL", ...sound.map((name) => `!${name}`), "@SECLEVEL=0"];
    const { code, stderr } = await handshake("-tls1_2", "-cipher", others.join(":"));
    expect(code).not.toBe(0);
    expect(stderr).toContain("alert handshake failure");
  });

  test("a client cannot renegotiate", async () => {
    const to = ["s_client", "-tls1_2", "-connect", `127.0.0.1:${listener.port}`];
    const { code, stdout, stderr } = await run("openssl", to, { stdin: "R\n" });
    expect(stderr).toContain("RENEGOTIATING");
    expect(stdout + stderr).toMatch(/no renegotiation|no_renegotiation|alert|unexpected/);
    expect(code).not.toBe(0);
  });

  test("plain HTTP gets an end and not a silence, and where that can be a 400", async () => {
    await using socket = await openRaw(listener.port);
    socket.send(request("GET / HTTP/1.1", host));
    const received = await socket.closed();
    // Only the front of client certificates can say what is wrong: the runtime hands out no failed handshake.
    if (kind === "TLS") expect(received).not.toContain("HTTP/1.1");
    else expect(received).toStartWith("HTTP/1.1 400 ");
    expect((await ask(listener.port)).status).toBe(200);
  });

  test("TLS at a port of plain HTTP is a failed handshake", async () => {
    const plain = listen({ ...base, ...limits, dispatch: () => Promise.resolve(ok) });
    const failed = await openRaw(plain.port, client).then(
      () => "open",
      () => "failed",
    );
    expect(failed).toBe("failed");
    await plain.stop(0);
  });

  test("noise gets an end", async () => {
    for (const noise of [
      Buffer.alloc(10_000, 0xff),
      Buffer.from("\x16\x03\x01\xff\xff"),
      Buffer.from([0]),
    ]) {
      await using socket = await openRaw(listener.port);
      socket.send(noise);
      socket.send(Buffer.alloc(40_000, 0x41));
      expect(await socket.closed()).not.toContain("HTTP");
    }
    expect((await ask(listener.port)).status).toBe(200);
  });

  interface Answer {
    readonly status: number;
    readonly closes: boolean;
  }

  async function ask(port: number): Promise<Answer> {
    await using socket = await openRaw(port, client);
    socket.send(request("GET / HTTP/1.1", host));
    const head = await socket.until(/\r\n\r\n/);
    return { status: Number(head.split(" ")[1]), closes: /connection: close/i.test(head) };
  }

  /** The certificate that the next connection gets. */
  function shown(port: number): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const socket = connect({ ...client, host: "127.0.0.1", port }, () => {
      resolve(socket.getPeerCertificate().fingerprint256.replaceAll(":", "").toLowerCase());
      socket.end();
    });
    socket.on("error", reject);
    return promise;
  }

  test("a certificate is replaced under load, and no request fails", async () => {
    const big = new Uint8Array(64 * MiB);
    const replaced = open(first, (request) =>
      Promise.resolve(request.url.endsWith("/big") ? { ...ok, body: big } : ok),
    );
    const { port } = replaced;
    const load = startTlsLoad({ port, tls: client, path: "/", connecting: 8, keeping: 8 });
    await using reader = await openRaw(port, client);
    reader.pause();
    reader.send(request("GET /big HTTP/1.1", host, "Connection: close"));
    await using idle = await openRaw(port, client);
    // The runtime ends a connection that asks for nothing in its first ten seconds.
    idle.send(request("GET / HTTP/1.1", host));
    await idle.until(/ok$/);
    await eventually("the load runs", () => load.answers() > 100);
    expect(await shown(port)).toBe(first.fingerprint);
    for (const material of [second, first, second]) {
      await replaced.replaceTls(material);
      const before = load.answers();
      for (let turn = 0; turn < 10; turn += 1) expect(await shown(port)).toBe(material.fingerprint);
      await eventually("the load goes on", () => load.answers() > before + 100);
    }
    // Connections of before the change are served once more, and asked to end.
    idle.send(request("GET / HTTP/1.1", host));
    expect(await idle.closed()).toMatch(/ok(?=HTTP\/1\.1 200 OK)[^]*connection: close/i);
    reader.resume();
    expect((await reader.closed(60_000)).length).toBeGreaterThan(big.length);
    await load.stop();
    expect(load.failures).toEqual([]);
    await replaced.stop(1000);
  }, 120_000);

  test("material that cannot be served leaves the old one in force", async () => {
    const replaced = open(first, () => Promise.resolve(ok));
    const broken = { ...first, cert: second.cert };
    expect(
      await replaced.replaceTls(broken).then(
        () => "taken",
        () => "refused",
      ),
    ).toBe("refused");
    expect(await shown(replaced.port)).toBe(first.fingerprint);
    expect(await ask(replaced.port)).toEqual({ status: 200, closes: false });
    await replaced.stop(0);
  });

  test("replaced listeners leave nothing behind", async () => {
    const replaced = open(first, () => Promise.resolve(ok));
    const before = listeningSockets().size;
    for (let turn = 0; turn < 3; turn += 1) {
      await replaced.replaceTls(turn % 2 === 0 ? second : first);
      expect(listeningSockets().size).toBe(before);
    }
    await replaced.stop(0);
    expect(listeningSockets().size).toBeLessThan(before);
  });
});
