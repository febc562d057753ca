// Client certificates at the listener: who is let in as whom, what is refused and why, and who gets in past the front.
//
// Each verdict is asked for over TLS 1.2 and 1.3, and again when the session is resumed: a resumed session shows no
// certificate, so its verdict must be that of the first handshake.

import { afterAll, beforeAll, describe, expect, setSystemTime, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { appendFile, readFile } from "node:fs/promises";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import type { Connection } from "../../src/http/call.ts";
import type { Reply } from "../../src/http/endpoint.ts";
import type { Listener } from "../../src/http/listen.ts";
import {
  listenMutualTls,
  type MutualTlsOptions,
  type RefusedHandshake,
} from "../../src/http/listen_mutual_tls.ts";
import { checkTls, readTlsFiles, type TlsMaterial } from "../../src/http/tls_material.ts";
import { type Certificate, type IssueOptions, TestAuthority } from "../certificates.ts";
import { eventually, requireTool, run } from "../processes.ts";
import { type TempDirectory, tempDirectory } from "../temp.ts";
import { openRaw, request } from "./raw_socket.ts";

const host = "Host: registry.example";
/** Prints the status and nothing else. */
const curlFlags = "--silent --max-time 10 --output /dev/null --write-out %{http_code}".split(" ");

/** What a handler was told of its client. */
interface Told {
  readonly name: string | null;
  readonly problem: string | null;
  readonly tlsVersion: string | null;
  readonly address: string | null;
}

function told({ certificate, certificateProblem, tlsVersion, address }: Connection): Reply {
  const name = certificate?.subject.find(({ type }) => type === "CN")?.value ?? null;
  const value: Told = { name, problem: certificateProblem, tlsVersion, address };
  return {
    status: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(value),
  };
}

describe.skipIf(!requireTool("openssl", "curl"))("client certificates", () => {
  let directory: TempDirectory;
  let authority: TestAuthority;
  let server: TlsMaterial;
  let ca = "";
  let listener: Listener;
  const clients = new Map<string, ConnectionOptions>();

  function open(options: Partial<MutualTlsOptions> = {}): Listener {
    return listenMutualTls({
      address: "127.0.0.1",
      port: 0,
      sharePort: false,
      readIdleMs: 60_000,
      writeIdleMs: 60_000,
      // Hundreds that begin at once share this process with the server.
      handshakeMs: 60_000,
      tls: server,
      dispatch: (_, connection) => Promise.resolve(told(connection)),
      onFailure: () => {},
      ...options,
    });
  }

  beforeAll(async () => {
    directory = await tempDirectory("zot-mtls");
    authority = await TestAuthority.make(directory.path);
    const stranger = await TestAuthority.make(directory.path, "stranger");
    const pair = await authority.issue("server", { names: ["IP:127.0.0.1"] });
    const paths = { ...pair, cacert: authority.cert };
    server = checkTls(await readTlsFiles(paths), Date.now()).material;
    ca = readFileSync(authority.cert, "utf8");
    clients.set("nobody", {});
    const issue = async (name: string, from: TestAuthority, options: IssueOptions = {}) => {
      clients.set(name, await presented(await from.issue(name, options)));
    };
    await issue("alice", authority, { usage: "clientAuth" });
    await issue("expired", authority, { days: -1 });
    await issue("for-servers", authority, { usage: "serverAuth" });
    await issue("stranger's", stranger);
    clients.set("self-signed", await presented(stranger));
    const below = await TestAuthority.below(authority, "intermediate");
    const bob = await below.issue("bob");
    await appendFile(bob.cert, await readFile(below.cert));
    clients.set("bob", await presented(bob));
    clients.set("bob-alone", await presented(await below.issue("bob-alone")));
    listener = open();
  });
  afterAll(async () => {
    await listener?.stop(0);
    await directory?.[Symbol.asyncDispose]();
  });

  async function presented({ cert, key }: Certificate): Promise<ConnectionOptions> {
    return { cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8") };
  }

  const verdicts = [
    ["nobody", null, null],
    ["alice", "alice", null],
    ["bob", "bob", null],
    ["bob-alone", null, /unable to (verify|get)/],
    ["expired", null, /expired/],
    ["for-servers", null, /purpose/],
    ["stranger's", null, /unable to (verify|get)/],
    ["self-signed", null, /self.signed/],
  ] as const;
  const rows = verdicts.flatMap((row) => [[...row, "1.2"] as const, [...row, "1.3"] as const]);

  test.each(rows)(
    "%s is %p, %p (TLS %s), also when it comes again",
    async (name, who, why, version) => {
      const options = {
        ...clients.get(name),
        minVersion: `TLSv${version}`,
        maxVersion: `TLSv${version}`,
      };
      const first = await ask(listener.port, options as ConnectionOptions);
      expectVerdict(first.told, { who, why, version });
      expect(first.session).not.toBeNull();
      const again = { ...options, session: first.session } as ConnectionOptions;
      const second = await ask(listener.port, again);
      expect(second.isReused).toBe(true);
      expectVerdict(second.told, { who, why, version });
    },
  );

  function expectVerdict(
    found: Told,
    { who, why, version }: { who: string | null; why: RegExp | null; version: string },
  ): void {
    expect(found).toMatchObject({ name: who, tlsVersion: version, address: "127.0.0.1" });
    if (why === null) expect(found.problem).toBeNull();
    else expect(found.problem).toMatch(why);
  }

  test("a certificate with nothing but a URI in it, as SPIFFE has it, is let in", async () => {
    const uri = "spiffe://example.org/ns/build/sa/pusher";
    const pair = await authority.issue("workload", { subject: "/", names: [`URI:${uri}`] });
    const server = open({
      dispatch: (_, { certificate }) =>
        Promise.resolve({
          status: 200,
          headers: {},
          body: JSON.stringify({ subject: certificate?.subject, san: certificate?.san }),
        }),
    });
    const flags = ["--cert", pair.cert, "--key", pair.key, "--cacert", authority.cert];
    const url = `https://127.0.0.1:${server.port}/`;
    const { stdout } = await run("curl", ["--silent", "--max-time", "10", ...flags, url]);
    await server.stop(0);
    expect(JSON.parse(stdout)).toEqual({ subject: [], san: [{ kind: "uri", value: uri }] });
  });

  test("a handshake that fails is told, with the reason; a look at the port is not", async () => {
    const refused: RefusedHandshake[] = [];
    const server = open({ onRefused: (each) => void refused.push(each) });
    await using plain = await openRaw(server.port);
    plain.send("no TLS at all\r\n\r\n".repeat(20));
    await plain.closed();
    await eventually("the handshake is told", () => refused.length === 1);
    expect(refused[0]).toEqual({
      address: "127.0.0.1",
      problem: expect.stringMatching(/^[A-Z_]+$/),
    });
    const look = await openRaw(server.port);
    look.destroy();
    await server.stop(0);
    expect(refused).toHaveLength(1);
  });

  test("plain HTTP is answered with what is wrong", async () => {
    for (const method of ["GET", "HEAD", "POST", "PUT"]) {
      await using plain = await openRaw(listener.port);
      plain.send(`${method} /v2/ HTTP/1.1\r\nHost: registry.example\r\n\r\n`);
      const received = await plain.closed();
      expect(received).toStartWith("HTTP/1.1 400 Bad Request\r\n");
      expect(received).toContain("Expected TLS on this port, got plain HTTP");
    }
  });

  test("a session of before the authorities changed is not resumed", async () => {
    const replaced = open();
    const options: ConnectionOptions = { ...clients.get("alice"), maxVersion: "TLSv1.2" };
    const first = await ask(replaced.port, options);
    const other = await TestAuthority.make(directory.path, "other");
    await replaced.replaceTls({ ...server, ca: await readFile(other.cert, "utf8") });
    const again = await ask(replaced.port, { ...options, ...withSession(first.session) });
    expect(again.isReused).toBe(false);
    expect(again.told).toMatchObject({
      name: null,
      problem: expect.stringMatching(/unable to|self/),
    });
    await replaced.stop(0);
  });

  test("a certificate that ends while its connection is open ends with it", async () => {
    await using socket = await openRaw(listener.port, { ca, ...clients.get("alice") });
    socket.send(request("GET / HTTP/1.1", host));
    expect(await socket.until(/"name":"[^"]*"/)).toContain('"name":"alice"');
    setSystemTime(new Date(Date.now() + 2 * 86_400_000));
    try {
      socket.send(request("GET / HTTP/1.1", host, "Connection: close"));
      expect(await socket.closed()).toMatch(/"name":null,"problem":"certificate has expired"/);
    } finally {
      setSystemTime();
    }
  });

  test.each([
    ["-tls1", "ALL:@SECLEVEL=0", "alert protocol version"],
    ["-tls1_1", "ALL:@SECLEVEL=0", "alert protocol version"],
    ["-tls1_2", "AES128-SHA:AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA", "alert handshake failure"],
  ])("%s with %s is refused here as well: %s", async (version, cipher, alert) => {
    const to = ["s_client", version, "-cipher", cipher, "-connect", `127.0.0.1:${listener.port}`];
    const { code, stderr } = await run("openssl", to, { stdin: "" });
    expect(code).not.toBe(0);
    expect(stderr).toContain(alert);
  });

  test("200 clients at once, each is itself on every request", async () => {
    const names = ["alice", "bob", "nobody", "expired"];
    await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const name = names[index % names.length]!;
        await using socket = await openRaw(listener.port, { ca, ...clients.get(name) });
        for (let turn = 1; turn <= 3; turn += 1) {
          socket.send(request("GET / HTTP/1.1", host));
          const text = await socket.until(new RegExp(`(\\{"name":[^}]*\\}[^]*){${turn}}`));
          const found: Told = JSON.parse(/.*(\{"name":[^}]*\})/s.exec(text)?.[1] ?? "{}");
          expect(found.name).toBe(index % 4 < 2 ? name : null);
        }
      }),
    );
  });

  describe("past the front", () => {
    let inside = 0;
    let own: Listener;
    beforeAll(async () => {
      const before = await listeningPorts();
      own = open();
      [inside = 0] = [...(await listeningPorts()).difference(before)].filter(
        (port) => port !== own.port,
      );
    });
    afterAll(() => own.stop(0));

    test("a stranger is misdirected, whatever it says of itself", async () => {
      expect(inside).toBeGreaterThan(0);
      for (const header of [
        "X-Client-Cert: alice",
        "X-Forwarded-For: 127.0.0.1",
        `Host: 127.0.0.1`,
      ]) {
        await using socket = await openRaw(inside);
        socket.send(request("GET / HTTP/1.1", host, header));
        expect(await socket.closed()).toMatch(/^HTTP\/1\.1 421 [^]*\r\n\r\n$/);
      }
    });

    test("a stranger from the port of a client, at another address, is no client", async () => {
      await using client = await openRaw(own.port, { ca, ...clients.get("alice") });
      client.send(request("GET / HTTP/1.1", host));
      expect(await client.until(/"name":"[^"]*"/)).toContain('"name":"alice"');
      const [port = 0] = await peersOf(inside);
      const from = ["--interface", "127.0.0.2", "--local-port", String(port)];
      const { stdout } = await run("curl", [...from, ...curlFlags, `http://127.0.0.1:${inside}/`]);
      expect(stdout).toBe("421");
      client.send(request("GET / HTTP/1.1", host, "Connection: close"));
      expect(await client.closed()).toMatch(/"name":"alice"[^]*"name":"alice"/);
    });
  });

  describe("limits", () => {
    test("connections beyond the limit are refused, and taken when there is room", async () => {
      const full: boolean[] = [];
      const own = open({ connectionsMax: 4, onFull: (isFull) => full.push(isFull) });
      const held = await Promise.all(Array.from({ length: 4 }, () => openRaw(own.port, { ca })));
      const refused = await openRaw(own.port, { ca }).then(
        () => "open",
        () => "refused",
      );
      expect({ refused, full }).toEqual({ refused: "refused", full: [true] });
      for (const socket of held) socket.destroy();
      const taken = await eventually("there is room again", () =>
        openRaw(own.port, { ca }).catch(() => null),
      );
      taken.destroy();
      expect(full).toEqual([true, false]);
      await own.stop(0);
    });

    test("a handshake that does not go on is cut", async () => {
      const own = open({ handshakeMs: 100 });
      await using silent = await openRaw(own.port);
      await using halting = await openRaw(own.port);
      halting.send(Buffer.from("160301", "hex"));
      expect(await silent.closed()).toBe("");
      expect(await halting.closed()).toBe("");
      await own.stop(0);
    });
  });

  interface Asked {
    readonly told: Told;
    readonly session: Buffer | null;
    readonly isReused: boolean;
  }

  /** One request on a connection of its own, and the session that the server gave for the next. */
  async function ask(port: number, options: ConnectionOptions): Promise<Asked> {
    const { promise, resolve, reject } = Promise.withResolvers<Asked>();
    let session: Buffer | null = null;
    let text = "";
    let isReused = false;
    const socket: TLSSocket = connect({ ca, ...options, host: "127.0.0.1", port }, () => {
      isReused = socket.isSessionReused();
      socket.write(request("GET / HTTP/1.1", host, "Connection: close"));
    });
    socket.on("session", (given) => (session = given));
    socket.on("data", (chunk) => (text += chunk.toString("latin1")));
    socket.on("error", reject);
    socket.on("close", () => {
      const body = text.slice(text.indexOf("\r\n\r\n") + 4);
      if (body === "") return reject(new Error(`no answer: ${text}`));
      resolve({ told: JSON.parse(body), session, isReused });
    });
    return promise;
  }
});

function withSession(session: Buffer | null): ConnectionOptions {
  return session === null ? {} : { session };
}

interface TcpRow {
  readonly local: number;
  readonly remote: number;
  readonly state: string;
  readonly inode: string;
}

/** The TCP sockets of this machine's IPv4. */
async function tcpRows(): Promise<TcpRow[]> {
  const lines = (await readFile("/proc/self/net/tcp", "utf8")).trim().split("\n").slice(1);
  return lines.map((line) => {
    const fields = line.trim().split(/\s+/);
    const [, local = "", remote = "", state = ""] = fields;
    const port = (address: string): number => Number.parseInt(address.split(":")[1] ?? "", 16);
    return { local: port(local), remote: port(remote), state, inode: fields[9] ?? "" };
  });
}

/** Where this process listens. */
async function listeningPorts(): Promise<Set<number>> {
  const own = new Set(
    readdirSync("/proc/self/fd").map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return ""; // Closed meanwhile.
      }
    }),
  );
  const rows = (await tcpRows()).filter(({ inode }) => own.has(`socket:[${inode}]`));
  return new Set(rows.filter(({ state }) => state === "0A").map(({ local }) => local));
}

/** Ports from which somebody is connected to this one. */
async function peersOf(port: number): Promise<number[]> {
  const rows = await tcpRows();
  return rows.filter((row) => row.state === "01" && row.remote === port).map(({ local }) => local);
}
