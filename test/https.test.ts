// `bin/zot serve` over HTTPS, as an operator runs it: starts that are refused, and certificates that change.
//
// Certificates lie as Kubernetes lays them out: names that lead through the link `..data`, which is swapped. Two
// workers share the port, so that what one of them does not do is seen.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { copyFile, mkdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect, type ConnectionOptions } from "node:tls";
import { type Certificate, TestAuthority } from "./certificates.ts";
import {
  eventually,
  packageDirectory,
  requireTool,
  run,
  startZot,
  tempDirectory,
  type Zot,
} from "./harness.ts";
import { startTlsLoad } from "./http/tls_load.ts";
import type { TempDirectory } from "./temp.ts";

const testMs = 120_000;

/** A directory of `tls.crt`, `tls.key` and `ca.crt` whose versions change at once. */
class Volume {
  readonly directory: string;
  #version = 0;

  constructor(directory: string) {
    this.directory = directory;
  }

  get paths() {
    const at = (name: string): string => join(this.directory, name);
    return { cert: at("tls.crt"), key: at("tls.key"), cacert: at("ca.crt") };
  }

  async put(pair: Certificate, authority: string): Promise<void> {
    this.#version += 1;
    const version = `..v${this.#version}`;
    const files = { "tls.crt": pair.cert, "tls.key": pair.key, "ca.crt": authority };
    await mkdir(join(this.directory, version), { recursive: true });
    for (const [name, from] of Object.entries(files)) {
      await copyFile(from, join(this.directory, version, name));
    }
    await symlink(version, join(this.directory, "..data_tmp"));
    await rename(join(this.directory, "..data_tmp"), join(this.directory, "..data"));
    if (this.#version > 1) return;
    for (const name of Object.keys(files)) {
      await symlink(`..data/${name}`, join(this.directory, name));
    }
  }
}

describe.skipIf(!requireTool("openssl"))("zot serve over HTTPS", () => {
  let directory: TempDirectory;
  let authority: TestAuthority;
  let first: Certificate;
  let second: Certificate;
  let third: Certificate;
  let trusted: ConnectionOptions;
  let alice: ConnectionOptions;

  beforeAll(async () => {
    directory = await tempDirectory("zot-https");
    authority = await TestAuthority.make(directory.path);
    const names = ["IP:127.0.0.1", "DNS:localhost"];
    first = await authority.issue("first", { names });
    second = await authority.issue("second", { names });
    third = await authority.issue("third", { names });
    const pair = await authority.issue("alice");
    trusted = { ca: text(authority.cert) };
    alice = { ...trusted, cert: text(pair.cert), key: text(pair.key) };
  });
  afterAll(() => directory?.[Symbol.asyncDispose]());

  async function volume(name: string): Promise<Volume> {
    const made = new Volume(join(directory.path, name));
    await made.put(first, authority.cert);
    return made;
  }

  async function client({ cert, key }: Certificate): Promise<ConnectionOptions> {
    return { ...trusted, cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8") };
  }

  /** The common name of the certificate that the next connection gets. */
  function shown(port: number): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const socket = connect({ ...trusted, host: "127.0.0.1", port }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.end();
    });
    socket.on("error", reject);
    return promise;
  }

  /** Puts a pair in place, and waits until the log says that it is taken and everybody gets it. */
  async function change(zot: Zot, files: Volume, pair: Certificate, name: string): Promise<void> {
    const taken = (): number =>
      zot.logs().filter(({ msg }) => String(msg).includes("new certificate")).length;
    const before = taken();
    await files.put(pair, authority.cert);
    await eventually(`${name} is taken`, () => taken() > before);
    await eventually(
      `everybody gets ${name}`,
      async () => String(await shownToMany(zot.port)) === name,
    );
  }

  /** What a number of connections get, enough to reach every worker. */
  async function shownToMany(port: number): Promise<string[]> {
    const names = await Promise.all(Array.from({ length: 40 }, () => shown(port)));
    return [...new Set(names)];
  }

  test.each([
    [
      "two that do not belong together",
      () => ({ cert: first.cert, key: second.key }),
      /^zot: http\.tls\.key: expected the private key of the certificate of CN=first in \S+, got that of another certificate in \S+$/,
    ],
    [
      "a file that is not there",
      () => ({ cert: "/nowhere/tls.crt", key: first.key }),
      /^zot: http\.tls\.cert: expected the server's certificate \(PEM\) in \/nowhere\/tls\.crt, got no such file$/,
    ],
    [
      "one alone",
      () => ({ cert: first.cert }),
      /http\.tls\.key: expected the path of the certificate's key, got none$/,
    ],
    [
      "authorities that are none",
      () => ({ ...first, cacert: first.key }),
      /^zot: http\.tls\.cacert: expected certificates of authorities \(PEM\) in \S+, got a PRIVATE KEY$/,
    ],
  ])("%s stop the start with one line", async (_, tls, line) => {
    const rootDirectory = join(directory.path, "refused");
    const file = join(directory.path, "refused.json");
    const config = { storage: { rootDirectory }, http: { port: "0", tls: tls() } };
    await writeFile(file, JSON.stringify(config));
    const output = await run(join(packageDirectory, "bin", "zot"), ["serve", file]);
    expect(output.code).toBe(1);
    expect(output.stdout).toBe("");
    expect(output.stderr.trimEnd().split("\n")).toEqual([expect.stringMatching(line)]);
  });

  test("serves, says so, and answers its health checks", async () => {
    await using zot = await startZot({ config: { http: { tls: { ...first } } } });
    expect(zot.url).toStartWith("https://127.0.0.1:");
    for (const path of ["/livez", "/readyz", "/startupz", "/v2/"]) {
      expect((await get(zot, path, trusted)).status).toBe(200);
    }
    expect(get(zot, "/v2/", {})).rejects.toThrow(/certificate/);
    expect(fetch(`http://127.0.0.1:${zot.port}/v2/`)).rejects.toThrow();
    expect(await zot.stop()).toBe(0);
    expect(zot.stderr()).toEqual([]);
  });

  describe("with client certificates", () => {
    test(
      "callers must show one when nothing else tells who they are, but for health checks",
      async () => {
        const tls = { ...first, cacert: authority.cert };
        await using zot = await startZot({ config: { http: { tls } } });
        for (const path of ["/livez", "/readyz", "/startupz"]) {
          expect((await get(zot, path, trusted)).status).toBe(200);
        }
        for (const path of ["/v2/", "/v2/_catalog", "/v2/a/tags/list"]) {
          const refused = await get(zot, path, trusted);
          expect(refused.status).toBe(401);
          expect(await refused.text()).toContain("client certificate");
        }
        expect((await get(zot, "/v2/", alice)).status).toBe(200);
        const blob = crypto.getRandomValues(new Uint8Array(65_536));
        const digest = `sha256:${new Bun.CryptoHasher("sha256").update(blob).digest("hex")}`;
        const path = `/v2/a/blobs/uploads/?digest=${digest}`;
        const pushed = await get(zot, path, alice, { method: "POST", body: blob });
        expect(pushed.status).toBe(201);
        const pulled = await get(zot, `/v2/a/blobs/${digest}`, alice);
        expect(new Uint8Array(await pulled.arrayBuffer())).toEqual(blob);
      },
      testMs,
    );

    test(
      "users are who their certificates say, by the configured attributes",
      async () => {
        const tls = { ...first, cacert: authority.cert };
        const names = ["URI:spiffe://example.com/user/carol", "email:carol@example.com"];
        const carol = await client(await authority.issue("other-name", { names }));
        const empty = await client(await authority.issue("empty", { subject: "/O=Example" }));
        const mtls = {
          identityAttributes: ["URI", "CommonName"],
          uriSanPattern: "spiffe://example.com/user/(.*)",
        };
        const policies = [{ users: ["carol"], actions: ["read", "create"] }];
        const accessControl = {
          repositories: { "carol/**": { policies }, "all/**": { defaultPolicy: ["read"] } },
        };
        await using zot = await startZot({
          config: { http: { tls, auth: { mtls }, accessControl } },
        });
        const upload = (who: ConnectionOptions) =>
          get(zot, "/v2/carol/app/blobs/uploads/", who, { method: "POST" });
        expect((await upload(carol)).status).toBe(202);
        expect((await upload(alice)).status).toBe(403);
        expect((await upload(trusted)).status).toBe(401);
        expect((await upload(empty)).status).toBeOneOf([401, 403]);
        expect((await get(zot, "/v2/all/app/tags/list", alice)).status).toBe(404);
        const line = await zot.waitForLog("carol's request", ({ who }) => who === "carol");
        expect(line).toMatchObject({ msg: "request", status: 202, client: "127.0.0.1" });
      },
      testMs,
    );

    test(
      "beside passwords a certificate is one way in, and none is needed",
      async () => {
        const path = join(directory.path, "htpasswd");
        await writeFile(path, `bob:${await Bun.password.hash("secret", "bcrypt")}\n`);
        const tls = { ...first, cacert: authority.cert };
        await using zot = await startZot({
          config: { http: { tls, auth: { htpasswd: { path } } } },
        });
        const headers = { connection: "close", authorization: `Basic ${btoa("bob:secret")}` };
        expect((await get(zot, "/v2/", trusted)).status).toBe(401);
        expect((await get(zot, "/v2/", trusted, { headers })).status).toBe(200);
        expect((await get(zot, "/v2/", alice)).status).toBe(200);
      },
      testMs,
    );

    test(
      "one of another authority is refused, with the reason, on every path",
      async () => {
        const stranger = await TestAuthority.make(directory.path, "stranger");
        const mallory = await stranger.issue("mallory");
        const tls = { ...first, cacert: authority.cert };
        await using zot = await startZot({ config: { http: { tls } } });
        const shows = { ...trusted, cert: text(mallory.cert), key: text(mallory.key) };
        for (const path of ["/v2/", "/livez", "/nowhere"]) {
          const refused = await get(zot, path, shows);
          expect(refused.status).toBe(403);
          expect(await refused.json()).toEqual({
            errors: [
              {
                code: "DENIED",
                message: expect.stringMatching(
                  /^The client certificate is not accepted: unable to/,
                ),
              },
            ],
          });
        }
      },
      testMs,
    );
  });

  describe.each([
    ["TLS", false],
    ["TLS with client certificates", true],
  ])("%s: files that change", (kind, mutual) => {
    const name = mutual ? "mutual" : "plain";
    let files: Volume;
    let zot: Zot;
    beforeAll(async () => {
      files = await volume(name);
      const { cert, key, cacert } = files.paths;
      const tls = mutual ? { cert, key, cacert } : { cert, key };
      zot = await startZot({ config: { http: { workers: 2, tls } } });
    }, testMs);
    afterAll(() => zot?.[Symbol.asyncDispose]());

    test(
      "are served by every worker, and no request of the load fails",
      async () => {
        const tls = mutual ? alice : trusted;
        const load = startTlsLoad({ port: zot.port, tls, path: "/v2/", connecting: 4, keeping: 4 });
        await eventually("the load runs", () => load.answers() > 100);
        expect(await shownToMany(zot.port)).toEqual(["first"]);
        for (const [pair, expected] of [
          [second, "second"],
          [first, "first"],
        ] as const) {
          await change(zot, files, pair, expected);
          const before = load.answers();
          await eventually("the load goes on", () => load.answers() > before + 100);
        }
        await load.stop();
        expect(load.failures).toEqual([]);
        const taken = zot.logs().filter(({ msg }) => String(msg).includes("new certificate"));
        expect(taken).toHaveLength(2);
      },
      testMs,
    );

    test(
      "and do not fit leave the old one in force, which is said once",
      async () => {
        await files.put({ cert: second.cert, key: third.key }, authority.cert);
        const kept = (line: { msg?: unknown }) => String(line.msg).includes("stays");
        const line = await zot.waitForLog("the problem", kept);
        expect(line["level"]).toBe("error");
        expect(line["problem"]).toMatch(
          /^http\.tls\.key: expected the private key of the certificate of CN=second/,
        );
        expect(await shownToMany(zot.port)).toEqual(["first"]);
        await change(zot, files, third, "third");
        expect(zot.logs().filter(kept)).toHaveLength(1);
      },
      testMs,
    );

    test(
      "are what a worker gets that starts later",
      async () => {
        await change(zot, files, second, "second");
        const workers = zot.workerPids();
        for (const pid of workers) process.kill(pid, "SIGKILL");
        await eventually("two others listen", () => {
          const isNew = !zot.workerPids().some((pid) => workers.includes(pid));
          return isNew && listenersOn(zot.port) === 2;
        });
        // Connections that the kernel gave to a worker that was killed are reset: ask until all are answered.
        const shown = await eventually("the others answer", () =>
          shownToMany(zot.port).catch(() => null),
        );
        expect(shown).toEqual(["second"]);
      },
      testMs,
    );

    async function changeAuthorities(): Promise<void> {
      // A connection that the client kept may be one to a worker that was killed.
      const before = await eventually("alice is answered", () =>
        get(zot, "/v2/", alice).catch(() => null),
      );
      expect(before.status).toBe(200);
      const other = await TestAuthority.make(directory.path, "other");
      await files.put(second, other.cert);
      await eventually(
        "alice is unknown",
        async () => (await get(zot, "/v2/", alice)).status === 403,
      );
      const pair = await other.issue("bob");
      const bob = { ...trusted, cert: text(pair.cert), key: text(pair.key) };
      expect((await get(zot, "/v2/", bob)).status).toBe(200);
    }
    if (mutual) test("authorities change with them", changeAuthorities, testMs);

    test(
      `${kind} ends in an orderly way`,
      async () => {
        expect(await zot.stop()).toBe(0);
        expect(zot.stderr()).toEqual([]);
      },
      testMs,
    );
  });

  function get(
    zot: Zot,
    path: string,
    tls: ConnectionOptions,
    init: RequestInit = {},
  ): Promise<Response> {
    const headers = { connection: "close" };
    return fetch(`https://127.0.0.1:${zot.port}${path}`, { headers, ...init, tls } as RequestInit);
  }
});

function text(path: string): string {
  return readFileSync(path, "utf8");
}

/** How many sockets share a port. */
function listenersOn(port: number): number {
  const address = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = text("/proc/self/net/tcp")
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
  return rows.filter(([, local, , state]) => state === "0A" && local?.endsWith(address)).length;
}
