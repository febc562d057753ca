// Attackers, and callers who mistype: headers of every shape, floods of wrong passwords, directories that are gone.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { SignJWT } from "jose";
import {
  eventually,
  packageDirectory,
  requireTool,
  run,
  startZot,
  tempDirectory,
} from "../harness.ts";
import { startSlapd, usersDn } from "../slapd.ts";
import type { Exchange } from "../../src/client/exchange.ts";
import {
  basic,
  jsonOf,
  passwordOf,
  startAuthWorld,
  textOf,
  usersFile,
  type AuthWorld,
} from "./world.ts";

const raw = (text: string | Uint8Array) => `Basic ${Buffer.from(text).toString("base64")}`;

/** What a client can tell two answers apart by. */
const told = (answer: Exchange) => ({
  status: answer.status,
  headers: answer.headers.lines.filter(([name]) => !/^(date|x-request-id)$/i.test(name)),
  body: textOf(answer),
});

describe("the Authorization header", () => {
  let world: AuthWorld;
  beforeAll(async () => {
    world = await startAuthWorld({ accessControl: null });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const wrong: [says: string, header: string][] = [
    ["nothing", ""],
    ["a scheme alone", "Basic"],
    ["an unknown scheme", "Digest username=alice"],
    ["no base64", "Basic !!!"],
    ["no colon", raw("admin")],
    ["no UTF-8", raw(new Uint8Array([0xff, 0x3a, 0xff]))],
    ["a NUL in the password", raw("admin:admin's password\0")],
    ["a line end in the name", raw("admin\n:x")],
    ["an unknown user", raw("zoe:x")],
    ["a wrong password", raw("admin:x")],
    ["an empty password", raw("admin:")],
    ["an empty name", raw(":x")],
    ["a long name", raw(`${"x".repeat(5000)}:x`)],
    ["a long password", raw(`admin:${"x".repeat(5000)}`)],
    ["a password that goes on beyond 72 bytes", raw(`admin:${"admin's password".padEnd(90)}`)],
    ["an oversized header", `Bearer ${"x".repeat(13_000)}`],
    ["a token that is none", "Bearer nonsense"],
    ["two logins in one", `${basic("admin")}, ${basic("admin")}`],
  ];
  test.each(wrong)("with %s is 401, with one challenge", async (_, authorization) => {
    const answer = await world.send("GET", "/v2/", { headers: { authorization } });
    expect(answer.status).toBe(401);
    expect(answer.headers.all("www-authenticate")).toEqual(['Basic realm="zot"']);
    expect(jsonOf(answer)).toEqual({
      errors: [{ code: "UNAUTHORIZED", message: "Authentication is required" }],
    });
  });

  test("that comes twice is refused, even if each is right", async () => {
    const headers = [
      ["Authorization", basic("admin")],
      ["Authorization", basic("admin")],
    ] as const;
    expect((await world.send("GET", "/v2/", { headers })).status).toBe(401);
  });

  test("of any case, with colons and letters of every language, is right", async () => {
    const odd = "pä:ss:wörd ✓";
    const hash = await Bun.password.hash(odd, { algorithm: "bcrypt", cost: 4 });
    await using other = await startAuthWorld({ accessControl: null });
    await writeFile(other.users, `ünï cödé:${hash}\n${await usersFile(["admin"])}`);
    const login = (authorization: string) =>
      other.send("GET", "/v2/", { headers: { authorization } });
    const header = raw(`ünï cödé:${odd}`);
    await other.restart();
    expect((await login(header)).status).toBe(200);
    expect((await login(header.replace("Basic", "bAsIc"))).status).toBe(200);
    expect(other.records.at(-1)).toMatchObject({ who: "ünï cödé" });
  });

  test("of an unknown user and of a wrong password are answered alike", async () => {
    const answers = [];
    for (const header of [raw("zoe:x"), raw("readerA:x"), raw("\u202eadmin:x")]) {
      const answer = await world.send("GET", "/v2/", { headers: { authorization: header } });
      answers.push(told(answer));
    }
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  });

  test("is refused before a byte of the body is read", async () => {
    const answer = await world
      .send("PUT", "/v2/a/b/manifests/x", {
        headers: { authorization: raw("zoe:x"), "content-length": "50000000" },
        body: Buffer.from("only the beginning"),
        cutAfterBytes: 18,
      })
      .catch((error: unknown) => error);
    if (answer instanceof Error) return; // The answer and the cut crossed.
    expect((answer as Exchange).status).toBe(401);
  });
});

test("a form on another site's page writes nothing, though the browser adds the password", async () => {
  await using world = await startAuthWorld({ http: { allowOrigin: "*" } });
  const body = Buffer.from("what a form sends");
  const digest = `sha256:${new Bun.CryptoHasher("sha256").update(body).digest("hex")}`;
  const target = `/v2/a/form/blobs/uploads/?digest=${digest}`;
  const form = { "content-type": "text/plain", origin: "https://evil.example" };
  for (const headers of [{ ...form, "sec-fetch-site": "cross-site" }, form]) {
    expect((await world.as("writerA", "POST", target, { headers, body })).status).toBe(403);
  }
  const own = { origin: world.url, "sec-fetch-site": "same-origin" };
  expect((await world.as("writerA", "HEAD", `/v2/a/form/blobs/${digest}`)).status).toBe(404);
  expect((await world.as("writerA", "POST", target, { headers: own, body })).status).toBe(201);
});

describe("tokens that were not made here", () => {
  const forged = async (claims: object, alg: "EdDSA" | "HS256" = "EdDSA", kid = "x") => {
    const key =
      alg === "EdDSA" ? generateKeyPairSync("ed25519").privateKey : Buffer.alloc(32, "secret");
    return await new SignJWT({
      access: [{ type: "repository", name: "a/x", actions: ["*"] }],
      ...claims,
    })
      .setProtectedHeader({ alg, kid, typ: "JWT" })
      .setIssuer("https://registry.example.com")
      .setAudience("registry.example.com")
      .setIssuedAt()
      .setNotBefore(0)
      .setExpirationTime("5m")
      .sign(key);
  };

  test("are 401 with invalid_token: another key, our key's name, no signature, our own changed", async () => {
    await using world = await startAuthWorld({
      http: { externalUrl: "https://registry.example.com" },
    });
    const scope = "scope=repository:a/x:pull";
    const own = String(
      jsonOf(await world.as("adminA", "GET", `/zot/auth/token?${scope}`))["token"],
    );
    const [head = "", claims = "", signature = ""] = own.split(".");
    const { kid } = JSON.parse(Buffer.from(head, "base64url").toString()) as { kid: string };
    const changed = Buffer.from(
      Buffer.from(claims, "base64url").toString().replace('"adminA"', '"admin"'),
    ).toString("base64url");
    const none = Buffer.from(JSON.stringify({ alg: "none", typ: "JWT", kid })).toString(
      "base64url",
    );
    const tokens = [
      await forged({ sub: "admin" }),
      await forged({ sub: "admin" }, "EdDSA", kid),
      await forged({ sub: "admin" }, "HS256", kid),
      `${none}.${claims}.`,
      `${none}.${claims}.${signature}`,
      `${head}.${changed}.${signature}`,
      `${head}.${claims}.`,
      `${head}.${claims}.${signature.slice(0, -4)}AAAA`,
      `${head}.${claims}`,
      `${own}.${own}`,
    ];
    for (const token of tokens) {
      const answer = await world.send("GET", "/v2/a/x/tags/list", {
        headers: { authorization: `Bearer ${token}` },
      });
      expect({ token, status: answer.status }).toEqual({ token, status: 401 });
      expect(answer.headers.get("www-authenticate")).toContain('error="invalid_token"');
    }
    const good = { authorization: `Bearer ${own}` };
    expect((await world.send("GET", "/v2/a/x/tags/list", { headers: good })).status).toBe(404);
  });
});

describe("wrong passwords by the dozen", () => {
  test("are 429 with a time to wait, for that account from that network; the others go on", async () => {
    await using world = await startAuthWorld({ accessControl: null });
    const login = (name: string, password: string) =>
      world.send("GET", "/v2/", { headers: { authorization: basic(name, password) } });
    expect((await login("writerA", passwordOf("writerA"))).status).toBe(200);
    for (let at = 0; at < 10; at += 1)
      expect((await login("admin", `wrong${at}`)).status).toBe(401);
    const refused = await login("admin", "wrong again");
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(jsonOf(refused)).toMatchObject({ errors: [{ code: "TOOMANYREQUESTS" }] });
    // The right password waits as well: else it could be told from wrong ones.
    expect((await login("admin", passwordOf("admin"))).status).toBe(429);
    expect((await login("writerA", passwordOf("writerA"))).status).toBe(200);
    expect((await login("readerA", passwordOf("readerA"))).status).toBe(200);
  });

  test("of a flood are 503 beyond the line, and nobody else waits for them", async () => {
    await using directory = await tempDirectory();
    const path = join(directory.path, "users");
    const dear = await Bun.password.hash("right", { algorithm: "bcrypt", cost: 8 });
    await writeFile(path, `alice:${dear}\n`);
    await using zot = await startZot({
      config: { http: { workers: 1, auth: { htpasswd: { path } } } },
    });
    const get = (path: string, authorization: string) =>
      fetch(`${zot.url}${path}`, { headers: { authorization } });
    const flood = Array.from({ length: 200 }, (_, at) => get("/v2/", basic(`user${at}`, "x")));
    const health = await get("/livez", "");
    expect(health.status).toBe(200);
    const statuses = (await Promise.all(flood)).map(({ status }) => status);
    const seen = [...new Set(statuses)].sort((a, b) => a - b);
    expect(seen).toContain(503);
    expect([401, 429, 503]).toEqual(expect.arrayContaining(seen));
  });

  test("count together in all workers", async () => {
    await using directory = await tempDirectory();
    const path = join(directory.path, "users");
    await writeFile(path, await usersFile(["admin"]));
    await using zot = await startZot({
      config: { http: { workers: 3, auth: { htpasswd: { path } } } },
    });
    const statuses: number[] = [];
    for (let at = 0; at < 40; at += 1) {
      // Each on a connection of its own, so that the kernel spreads them.
      const headers = { authorization: basic("admin", `wrong${at}`), connection: "close" };
      statuses.push((await fetch(`${zot.url}/v2/`, { headers })).status);
    }
    expect(statuses.filter((status) => status === 401).length).toBeLessThan(16);
    expect(statuses.at(-1)).toBe(429);
  });
});

test("a bad line of the htpasswd file stops the start, with its number", async () => {
  await using directory = await tempDirectory();
  const path = join(directory.path, "users");
  const root = join(directory.path, "root");
  await writeFile(path, `${await usersFile(["admin"])}\nbroken:$2y$31$${"x".repeat(53)}\n`);
  const file = join(directory.path, "config.json");
  const config = {
    storage: { rootDirectory: root },
    http: { port: 0, auth: { htpasswd: { path } } },
  };
  await writeFile(file, JSON.stringify(config));
  const output = await run(join(packageDirectory, "bin", "zot"), ["serve", file]);
  expect(output).toMatchObject({ code: 1, stdout: "" });
  expect(output.stderr).toBe(`zot: ${path}: line 3: expected a bcrypt cost of 4 to 14, got 31\n`);
});

describe.skipIf(!requireTool("ldapmodify", "openssl"))("a directory", () => {
  test("that is down or never answers delays only who needs it, and lets nobody in", async () => {
    await using silent = await silentServer();
    for (const port of [silent.port, 1]) {
      await using world = await startAuthWorld({
        accessControl: null,
        auth: {
          ldap: {
            address: "127.0.0.1",
            port,
            insecure: true,
            baseDN: usersDn,
            userAttribute: "uid",
            timeout: "1s",
          },
        },
      });
      const login = (name: string, password: string) =>
        world.send("GET", "/v2/", { headers: { authorization: basic(name, password) } });
      const waiting = login("alice", passwordOf("alice"));
      expect((await login("admin", passwordOf("admin"))).status).toBe(200);
      const answer = await waiting;
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).toBe("2");
      expect((await login("bob", passwordOf("bob"))).status).toBe(503);
    }
  });

  test("gives users and groups, and what changes there counts", async () => {
    await using slapd = await startSlapd();
    await using world = await startAuthWorld({
      auth: {
        ldap: { ...slapd.overStartTls, userGroupAttribute: "memberOf" },
      },
      accessControl: {
        repositories: {
          "team/**": {
            policies: [{ groups: ["cn=devs,ou=groups,dc=example,dc=com"], actions: ["read"] }],
          },
        },
      },
    });
    const list = async (name: string, password = passwordOf(name)) => {
      const headers = { authorization: basic(name, password) };
      return (await world.send("GET", "/v2/team/app/tags/list", { headers })).status;
    };
    expect([await list("alice"), await list("bob"), await list("admin")]).toEqual([404, 403, 403]);
    for (const name of ["*", "alice)(uid=*", "ali*", "", "alice\\00"]) {
      expect(await list(name, passwordOf("alice"))).toBe(401);
    }
    for (const password of ["", " "]) expect(await list("alice", password)).toBe(401);
    await slapd.edit(`dn: cn=devs,ou=groups,dc=example,dc=com
changetype: modify
add: member
member: uid=bob,${usersDn}
-
delete: member
member: uid=alice,${usersDn}
`);
    await eventually("bob is a developer", async () => (await list("bob")) === 404);
    expect([await list("alice"), await list("bob")]).toEqual([403, 404]);
  });
});

/** Takes connections and says nothing. */
async function silentServer() {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  };
}
