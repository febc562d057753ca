// A configuration file that changes under a server that runs: real processes, real files, real load.
//
// Goal: a change takes effect without a request being dropped, or is refused or left for a restart, and the log says
// which. Method: load that counts every failure runs while the file is changed; effects are waited for by what the
// log says, then asked of the server.

import { describe, expect, test } from "bun:test";
import { mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { TestAuthority } from "./certificates.ts";
import {
  eventually,
  isAlive,
  type LogLine,
  requireTool,
  run,
  signalTo,
  startZot,
  tempDirectory,
  type Zot,
} from "./harness.ts";
import { openRaw, request, statuses } from "./http/raw_socket.ts";
import { startTlsLoad } from "./http/tls_load.ts";
import { change, changedText, refusedText, said, waitingText } from "./reloading.ts";

const testMs = 120_000;
async function openUpload(zot: Zot): Promise<string> {
  const opened = await fetch(`${zot.url}/v2/slow/blobs/uploads/`, { method: "POST" });
  expect(opened.status).toBe(202);
  return opened.headers.get("location") ?? "";
}

describe("under load", () => {
  test(
    "limits, origins and the number of workers change, and no request fails",
    async () => {
      await using zot = await startZot({ config: { http: { workers: 2, readTimeout: "2s" } } });
      const load = startTlsLoad({
        port: zot.port,
        tls: null,
        path: "/v2/",
        connecting: 2,
        keeping: 4,
      });
      // Uploads that last as long as all of this, on whichever worker they fall.
      const uploads = await Promise.all(
        Array.from({ length: 6 }, async () => {
          const socket = await openRaw(zot.port);
          const target = new URL(await openUpload(zot), zot.url).pathname;
          socket.send(request(`PATCH ${target} HTTP/1.1`, "Host: x", "Transfer-Encoding: chunked"));
          return socket;
        }),
      );
      const trickle = setInterval(() => {
        for (const socket of uploads) socket.send("3\r\nabc\r\n");
      }, 100);
      const goesOn = async (): Promise<void> => {
        const before = load.answers();
        await eventually("the load goes on", () => load.answers() > before + 200);
      };
      await goesOn();
      const base = { workers: 2, readTimeout: "2s" };
      const line = await change(zot, {
        http: {
          ...base,
          allowOrigin: "https://ui.example.com",
          readTimeout: "3s",
          blobBytesMax: 9,
        },
        storage: { uploadIdle: "2h", dedupe: false },
      });
      expect(line["changed"]).toEqual([
        "storage.dedupe: true -> false",
        "storage.uploadIdle: 24h -> 2h",
        "http.allowOrigin: auto -> https://ui.example.com",
        "http.readTimeout: 2s -> 3s",
        "http.blobBytesMax: 0 -> 9",
      ]);
      await goesOn();
      await change(zot, { http: { ...base, workers: 3 } });
      await eventually("a third worker runs", () => zot.workerPids().length === 3);
      await goesOn();
      await change(zot, { http: { ...base, workers: 1 } });
      await goesOn();
      await change(zot, { http: { ...base, workers: 2 } });
      await goesOn();
      clearInterval(trickle);
      for (const socket of uploads) {
        socket.send("0\r\n\r\n");
        expect(statuses(await socket.until(/\r\n\r\n/))).toEqual([202]);
        socket.destroy();
      }
      await load.stop();
      expect(load.failures).toEqual([]);
      await eventually("workers that left have ended", () => zot.workerPids().length === 2);
      expect(said(zot, "a worker ended")).toEqual([]);
      expect(zot.stderr()).toEqual([]);
    },
    testMs,
  );
});

describe.skipIf(!requireTool("openssl")).each([
  ["TLS", false],
  ["TLS with client certificates", true],
] as const)("over %s", (_, mutual) => {
  test(
    "workers come and go, and no request fails",
    async () => {
      await using directory = await tempDirectory();
      const authority = await TestAuthority.make(directory.path);
      const server = await authority.issue("server", { names: ["IP:127.0.0.1"] });
      const alice = await authority.issue("alice");
      const tls = { ...server, ...(mutual ? { cacert: authority.cert } : {}) };
      const base = { tls, readTimeout: "2s" };
      await using zot = await startZot({ config: { http: { ...base, workers: 2 } } });
      const pem = (path: string): string => readFileSync(path, "utf8");
      const client = { ca: pem(authority.cert), cert: pem(alice.cert), key: pem(alice.key) };
      const load = startTlsLoad({
        port: zot.port,
        tls: client,
        path: "/v2/",
        connecting: 2,
        keeping: 4,
      });
      for (const workers of [1, 2, 1]) {
        await change(zot, { http: { ...base, workers } });
        const before = load.answers();
        await eventually("the load goes on", () => load.answers() > before + 50);
        // It takes them seconds: some load is as good as all that the machine can make.
        load.rest(20);
        await eventually(
          "workers that are not needed have ended",
          () => zot.workerPids().length === workers,
        );
        load.rest(0);
      }
      await load.stop();
      expect(load.failures).toEqual([]);
      expect(zot.stderr()).toEqual([]);
    },
    testMs,
  );
});

describe("workers that are in the way of a change", () => {
  const users = async (zot: Zot): Promise<string> => {
    const path = join(dirname(zot.configFile), "users");
    await writeFile(path, "");
    return path;
  };

  test(
    "those that leave answer their last requests by the newest configuration",
    async () => {
      await using zot = await startZot({ config: { http: { workers: 2 } } });
      const get = request("GET /v2/ HTTP/1.1", "Host: x");
      const kept = await Promise.all(
        Array.from({ length: 16 }, async () => {
          const socket = await openRaw(zot.port);
          socket.send(get);
          expect(statuses(await socket.until(/\{\}$/))).toEqual([200]);
          return socket;
        }),
      );
      await change(zot, { http: { workers: 1 } });
      await change(zot, { http: { workers: 1, auth: { htpasswd: { path: await users(zot) } } } });
      expect(zot.workerPids()).toHaveLength(2);
      for (const socket of kept) {
        socket.send(get);
        expect(statuses(await socket.until(/^(HTTP[^]*){2}\}$/))).toEqual([200, 401]);
        socket.destroy();
      }
    },
    testMs,
  );

  test(
    "one that hangs is told of, keeps no later change back, and no stop",
    async () => {
      await using zot = await startZot({ config: { http: { workers: 2, graceTimeout: "1s" } } });
      const [stuck = 0] = zot.workerPids();
      signalTo(stuck, "SIGSTOP");
      const base = { workers: 2, graceTimeout: "1s" };
      await zot.configure({ http: base, log: { level: "debug" } });
      const told = await eventually(
        "the log says which worker hangs",
        () => said(zot, "a worker goes on as it was")[0],
      );
      expect(String(told["problem"])).toMatch(/^worker [01]: expected an answer within/);
      // Another one takes its place.
      await eventually("two others serve", () => zot.workerPids().length === 3);
      await zot.configure({ http: { ...base, realm: "other" }, log: { level: "debug" } });
      process.kill(zot.pid, "SIGTERM");
      await eventually("the server has ended", () => !isAlive(zot.pid));
      expect(isAlive(stuck)).toBe(false);
    },
    testMs,
  );
});

describe("each option that is live", () => {
  test(
    "takes effect: rules of retention",
    async () => {
      const http = { workers: 2 };
      const storage = { gcInterval: "1s" };
      await using zot = await startZot({ config: { http, storage } });
      const push = async (tag: string, text: string): Promise<number> => {
        const manifest = {
          schemaVersion: 2,
          mediaType: "application/vnd.oci.image.index.v1+json",
          manifests: [],
          annotations: { text },
        };
        const url = `${zot.url}/v2/rules/manifests/${tag}`;
        const headers = { "content-type": manifest.mediaType };
        return (await fetch(url, { method: "PUT", headers, body: JSON.stringify(manifest) }))
          .status;
      };
      const status = async (tag: string): Promise<number> =>
        (await fetch(`${zot.url}/v2/rules/manifests/${tag}`)).status;
      for (const tag of ["v1", "dev"]) expect(await push(tag, "one")).toBe(201);
      const policy = { repositories: ["**"], immutableTags: ["v*"] };
      await change(zot, { http, storage: { ...storage, retention: { policies: [policy] } } });
      expect([await push("v1", "two"), await push("dev", "two")]).toEqual([403, 201]);
      const keeping = { repositories: ["**"], keepTags: [{ patterns: ["^v"] }] };
      await change(zot, { http, storage: { ...storage, retention: { policies: [keeping] } } });
      expect(await push("v1", "two")).toBe(201);
      await eventually(
        "the tag that no pattern fits goes",
        async () => (await status("dev")) === 404,
      );
      expect(await status("v1")).toBe(200);
    },
    testMs,
  );

  test(
    "takes effect: sizes, origins, rates, log level",
    async () => {
      await using zot = await startZot({ config: { http: { workers: 2 } } });
      const push = async (): Promise<number> => {
        const at = await openUpload(zot);
        const target = new URL(at, zot.url);
        return (await fetch(target, { method: "PATCH", body: "x".repeat(100) })).status;
      };
      expect(await push()).toBe(202);
      await change(zot, { http: { workers: 2, blobBytesMax: 10, manifestBytesMax: 10 } });
      expect(await push()).toBe(413);
      const manifest = { method: "PUT", body: "{}".padEnd(20) };
      expect((await fetch(`${zot.url}/v2/a/manifests/b`, manifest)).status).toBe(413);

      await change(zot, { http: { workers: 2, allowOrigin: "https://a.example" } });
      const asked = async (origin: string): Promise<string | null> =>
        (await fetch(`${zot.url}/v2/`, { headers: { origin } })).headers.get(
          "access-control-allow-origin",
        );
      expect(await asked("https://a.example")).toBe("https://a.example");
      expect(await asked("https://b.example")).toBeNull();

      await change(zot, { http: { workers: 2, ratelimit: { perCaller: 1 } } });
      const burst = await Promise.all(Array.from({ length: 20 }, () => fetch(`${zot.url}/v2/`)));
      const limited = burst.filter(({ status }) => status === 429);
      expect(limited.length).toBeGreaterThan(10);
      await change(zot, { http: { workers: 2 } });
      expect((await fetch(`${zot.url}/v2/`)).status).toBe(200);

      const isLive = (line: LogLine): boolean => line["what"] === "health.live";
      expect(zot.logs().some(isLive)).toBe(false);
      await change(zot, { log: { level: "debug" } });
      await fetch(`${zot.url}/livez`);
      await zot.waitForLog("health checks are logged at level debug", isLive);
      const quieter = await change(zot, { log: { level: "error" } });
      expect(quieter["changed"]).toEqual(["log.level: debug -> error"]);
      await fetch(`${zot.url}/v2/quiet/tags/list`);
      await change(zot, { log: { level: "info" } });
      await fetch(`${zot.url}/v2/loud/tags/list`);
      await zot.waitForLog("requests are logged", (line) => line["repository"] === "loud");
      expect(zot.logs().some((line) => line["repository"] === "quiet")).toBe(false);
    },
    testMs,
  );

  test(
    "takes effect: who callers are and what they may do",
    async () => {
      await using zot = await startZot({ config: { http: { workers: 2 } } });
      const users = join(dirname(zot.configFile), "users");
      await writeFile(
        users,
        `alice:${await Bun.password.hash("secret", { algorithm: "bcrypt", cost: 4 })}\n`,
      );
      const ask = async (password: string | null): Promise<number> => {
        const authorization = `Basic ${btoa(`alice:${password}`)}`;
        const headers = password === null ? undefined : { authorization };
        const answers = await Promise.all(
          Array.from({ length: 8 }, () =>
            fetch(`${zot.url}/v2/a/tags/list`, { headers, keepalive: false }),
          ),
        );
        const [status = 0, ...others] = new Set(answers.map((answer) => answer.status));
        expect(others).toEqual([]);
        return status;
      };
      expect(await ask(null)).toBe(404);
      const auth = { htpasswd: { path: users } };
      await change(zot, { http: { workers: 2, auth } });
      expect(await ask(null)).toBe(401);
      expect(await ask("wrong")).toBe(401);
      expect(await ask("secret")).toBe(404);
      const repositories = { "other/**": { defaultPolicy: ["read"] } };
      await change(zot, { http: { workers: 2, auth, accessControl: { repositories } } });
      expect(await ask("secret")).toBe(403);
      await change(zot, { http: { workers: 2 } });
      expect(await ask(null)).toBe(404);
    },
    testMs,
  );

  test(
    "takes effect: how callers are asked to log in, rates of methods, one file for equal blobs",
    async () => {
      await using directory = await tempDirectory();
      const path = join(directory.path, "users");
      await writeFile(path, "");
      const guarded = { workers: 1, auth: { htpasswd: { path } } };
      await using zot = await startZot({ config: { http: guarded } });
      const challenge = async (): Promise<string | null> =>
        (await fetch(`${zot.url}/v2/`)).headers.get("www-authenticate");
      expect(await challenge()).toBe('Basic realm="zot"');
      await change(zot, { http: { ...guarded, realm: "other" } });
      expect(await challenge()).toBe('Basic realm="other"');
      await change(zot, { http: { ...guarded, externalUrl: "https://registry.example.com" } });
      expect(await challenge()).toStartWith('Bearer realm="https://registry.example.com/');

      await zot.configure({ http: { workers: 1 }, storage: { dedupe: false } });
      process.kill(zot.pid, "SIGHUP");
      await eventually("the registry is open", () => said(zot, changedText)[2]);
      expect(await challenge()).toBeNull();
      const digest = `sha256:${new Bun.CryptoHasher("sha256").update("x").digest("hex")}`;
      const inodes: bigint[] = [];
      for (const repository of ["one", "two"]) {
        const url = `${zot.url}/v2/${repository}/blobs/uploads/?digest=${digest}`;
        expect((await fetch(url, { method: "POST", body: "x" })).status).toBe(201);
        const file = join(zot.rootDirectory, repository, "blobs", digest.replace(":", "/"));
        inodes.push(statSync(file, { bigint: true }).ino);
      }
      expect(inodes[0]).not.toBe(inodes[1]);

      const methods = [{ method: "HEAD", rate: 1 }];
      await change(zot, { http: { workers: 1, ratelimit: { methods } } });
      const burst = async (method: string): Promise<number[]> =>
        await Promise.all(
          Array.from(
            { length: 10 },
            async () => (await fetch(`${zot.url}/v2/`, { method })).status,
          ),
        );
      expect(await burst("HEAD")).toContain(429);
      expect(new Set(await burst("GET"))).toEqual(new Set([200]));
    },
    testMs,
  );

  test(
    "does not, where only the first part of a file is written and the rest would guard the registry",
    async () => {
      await using directory = await tempDirectory();
      const users = join(directory.path, "users");
      await writeFile(users, "");
      await using zot = await startZot({
        config: { http: { workers: 1, auth: { htpasswd: { path: users } } } },
      });
      const status = async (): Promise<number> => (await fetch(`${zot.url}/v2/`)).status;
      const whole = await readFile(zot.configFile, "utf8");
      await zot.configure({ http: { workers: 1 }, log: { level: "debug" } });
      await eventually("the log says that it waits", () =>
        zot.logs().find((line) => String(line["msg"]).includes("takes logins or access control")),
      );
      expect(await status()).toBe(401);
      const later = JSON.stringify({ ...JSON.parse(whole), log: { level: "warn" } });
      await writeFile(zot.configFile, later);
      const line = await eventually("the whole file is taken", () => said(zot, changedText)[0]);
      expect(line["changed"]).toEqual(["log.level: info -> warn"]);
      expect(await status()).toBe(401);
      // Whoever means it can say so.
      await zot.configure({ http: { workers: 1 } });
      process.kill(zot.pid, "SIGHUP");
      await eventually("the registry is open", () => said(zot, changedText)[1]);
      expect(await status()).toBe(200);
    },
    testMs,
  );
});

describe("a file that cannot be taken", () => {
  test(
    "is refused with the lines that verify prints, and what runs stays",
    async () => {
      await using zot = await startZot({
        config: { http: { workers: 1, allowOrigin: "https://a.example" } },
      });
      const line = await change(
        zot,
        { http: { prot: 1, readTimeout: 60 }, log: { level: "loud" }, storage: { gc: 1 } },
        refusedText,
      );
      const verified = await run(join(import.meta.dir, "../bin/zot"), ["verify", zot.configFile]);
      expect(verified.code).toBe(1);
      expect(line["problems"]).toEqual(verified.stderr.trimEnd().split("\n"));
      expect(line).toMatchObject({ level: "error", config: zot.configFile });
      const headers = { origin: "https://a.example" };
      const answer = await fetch(`${zot.url}/v2/`, { headers });
      expect(answer.headers.get("access-control-allow-origin")).toBe("https://a.example");

      await writeFile(zot.configFile, "{");
      await eventually("broken syntax is refused", () => said(zot, refusedText).length === 2);
      const users = join(dirname(zot.configFile), "nobody");
      const missing = await change(
        zot,
        { http: { auth: { htpasswd: { path: users } } } },
        refusedText,
      );
      expect(String(missing["problems"])).toContain(users);
      expect((await fetch(`${zot.url}/v2/`)).status).toBe(200);
      await rm(zot.configFile);
      await eventually("a file that is gone is told", () => said(zot, refusedText).length === 4);

      await change(zot, { http: { workers: 1 } });
      expect(
        (await fetch(`${zot.url}/v2/`, { headers })).headers.get("access-control-allow-origin"),
      ).toBeNull();
    },
    testMs,
  );

  test(
    "waits for a restart where it must, and says for what; the rest takes effect",
    async () => {
      await using zot = await startZot({ config: { http: { workers: 1 } } });
      const waits = { http: { workers: 1, port: "5000", address: "127.0.0.2" } };
      const line = await change(zot, { ...waits, log: { level: "debug" } }, waitingText);
      expect(line["waiting"]).toEqual([
        "http.address: 127.0.0.1 -> 127.0.0.2",
        "http.port: 0 -> 5000",
      ]);
      expect(line["level"]).toBe("warn");
      expect(said(zot, changedText).map((each) => each["changed"])).toEqual([
        ["log.level: info -> debug"],
      ]);
      // Said once, not with every change.
      await change(zot, { ...waits, log: { level: "info" } });
      await change(zot, { http: { workers: 1 }, log: { level: "warn" } });
      expect(said(zot, waitingText)).toHaveLength(1);
      expect((await fetch(`${zot.url}/v2/`)).status).toBe(200);
    },
    testMs,
  );
});

test(
  "a volume that swaps a link in the middle of the path is noticed",
  async () => {
    await using zot = await startZot({ config: { http: { workers: 1 } } });
    const directory = dirname(zot.configFile);
    const first = await readFile(zot.configFile, "utf8");
    const second = JSON.stringify({ ...JSON.parse(first), log: { level: "debug" } });
    // As Kubernetes lays a ConfigMap out: the file is a link through ..data, which is replaced by a rename.
    for (const [name, text] of Object.entries({ "..first": first, "..second": second })) {
      await mkdir(join(directory, name));
      await writeFile(join(directory, name, "config.json"), text);
    }
    const pointAt = async (name: string): Promise<void> => {
      await symlink(name, join(directory, "..data_tmp"));
      await rename(join(directory, "..data_tmp"), join(directory, "..data"));
    };
    await pointAt("..first");
    await symlink(join("..data", "config.json"), join(directory, "link"));
    await rename(join(directory, "link"), zot.configFile);
    const before = said(zot, changedText).length;
    await pointAt("..second");
    const line = await eventually("the swap is noticed", () => said(zot, changedText)[before]);
    expect(line["changed"]).toEqual(["log.level: info -> debug"]);
  },
  testMs,
);
