// The token service and API keys over HTTP: what they give, to whom, for what, and for how long.
//
// Every answer is compared with the OpenAPI document, and every answer that the rows of `auth.` grant is seen.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { statSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { endpoints } from "../../src/api/endpoints.ts";
import type { Exchange } from "../../src/client/exchange.ts";
import { openApiText } from "../../src/server.ts";
import { Description } from "../described.ts";
import { eventually } from "../processes.ts";
import { emptyIndexPush } from "../http/content.ts";
import { startWorld, type SendOptions } from "../http/world.ts";
import { basic, jsonOf, startAuthWorld, usersFile, type AuthWorld, type User } from "./world.ts";

const externalUrl = "https://registry.example.com";
const service = "registry.example.com";
const tokenPath = "/zot/auth/token";
const keyPath = "/zot/auth/apikey";
const description = new Description(JSON.parse(openApiText()));
let world: AuthWorld;

beforeAll(async () => {
  world = await startAuthWorld({ http: { externalUrl }, auth: { apikey: true } });
});
afterAll(() => world[Symbol.asyncDispose]());

/** Sends, and compares the answer with the document. */
async function send(method: string, target: string, options: SendOptions = {}): Promise<Exchange> {
  const before = world.records.length;
  const answer = await world.send(method, target, options);
  const record = world.records[before];
  if (record !== undefined && record.what !== "none") {
    expect(description.problems(record.what, method, target, answer)).toEqual([]);
  }
  return answer;
}

const as = (user: User | null): Record<string, string> =>
  user === null ? {} : { authorization: basic(user) };

async function tokenOf(user: User | null, ...scopes: string[]): Promise<string> {
  const query = [
    "service=" + service,
    ...scopes.map((scope) => `scope=${encodeURIComponent(scope)}`),
  ];
  const answer = await send("GET", `${tokenPath}?${query.join("&")}`, { headers: as(user) });
  expect(answer.status).toBe(200);
  return String(jsonOf(answer)["token"]);
}

const accessOf = (token: string): unknown => decodeJwt(token)["access"];

async function statusOf(token: string, method: string, target: string): Promise<number> {
  return (await send(method, target, { headers: { authorization: `Bearer ${token}` } })).status;
}

async function form(fields: Record<string, string>, headers: Record<string, string> = {}) {
  return await send("POST", tokenPath, {
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    body: new URLSearchParams(fields).toString(),
  });
}

describe("GET of a token", () => {
  test("answers as Docker's clients expect, and nobody keeps it", async () => {
    const target = `${tokenPath}?account=writerA&client_id=docker&offline_token=true&service=${service}&scope=repository:a/x:pull,push`;
    const answer = await send("GET", target, { headers: as("writerA") });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const body = jsonOf(answer);
    expect(body).toEqual({
      token: expect.any(String),
      access_token: body["token"],
      expires_in: 300,
      issued_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/),
    });
    const token = String(body["token"]);
    expect(decodeProtectedHeader(token)).toEqual({
      alg: "EdDSA",
      typ: "JWT",
      kid: expect.any(String),
    });
    const claims = decodeJwt(token);
    expect(claims).toMatchObject({
      iss: externalUrl,
      aud: service,
      sub: "writerA",
      access: [{ type: "repository", name: "a/x", actions: ["pull", "push"] }],
    });
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(300);
    expect((await send("HEAD", `${tokenPath}?service=${service}`)).status).toBe(200);
  });

  const scopes: [user: User | null, asked: string[], granted: unknown][] = [
    ["writerA", [], []],
    ["writerA", ["repository:a/x:pull"], [["a/x", "pull"]]],
    ["writerA", ["repository:a/x:*"], [["a/x", "pull", "push"]]],
    ["adminA", ["repository:a/x:*"], [["a/x", "pull", "push", "delete"]]],
    ["readerA", ["repository:a/x:pull,push,delete"], [["a/x", "pull"]]],
    ["readerA", ["repository:b/x:pull"], []],
    ["readerB", ["repository:a/x:pull repository:b/x:pull"], [["b/x", "pull"]]],
    ["writerA", ["repository:a/x:pull", "repository:a/x:push"], [["a/x", "pull", "push"]]],
    ["nobody", ["repository:pub/x:pull,push"], [["pub/x", "pull"]]],
    [null, ["repository:pub/x:pull,push"], [["pub/x", "pull"]]],
    [null, ["repository:a/x:pull"], []],
    ["writerA", ["registry:catalog:*"], [["catalog", "*"]]],
    ["writerA", ["image:a/x:pull", "repository:A/X:pull", "repository:a/x:fly", "nonsense"], []],
    ["writerA", ["repository(plugin):a/x:pull"], [["a/x", "pull"]]],
  ];
  test.each(scopes)("%p asks for %p and gets %p", async (user, asked, granted) => {
    const access = accessOf(await tokenOf(user, ...asked)) as { name: string; actions: string[] }[];
    expect(access.map(({ name, actions }) => [name, ...actions])).toEqual(granted as never);
  });

  test("a token does what its scope and the policy both allow, in every combination", async () => {
    const actions = ["pull", "push", "delete"] as const;
    const methods = { pull: "GET", push: "PUT", delete: "DELETE" } as const;
    const may: Record<string, readonly string[]> = {
      readerA: ["pull"],
      writerA: ["pull", "push"],
      adminA: ["pull", "push", "delete"],
    };
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("readerA", "writerA", "adminA"),
        fc.subarray([...actions]),
        async (user, asked) => {
          const token = await tokenOf(user, `repository:a/none:${asked.join(",")}`);
          for (const action of actions) {
            const status = await statusOf(token, methods[action], "/v2/a/none/manifests/x");
            const through = asked.includes(action) && may[user]!.includes(action);
            expect([401, 403].includes(status)).toBe(!through);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test("what a token lacks is asked for, what its user lacks is denied", async () => {
    const token = await tokenOf("readerA", "repository:a/x:pull");
    const other = await send("GET", "/v2/a/y/tags/list", {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(other.status).toBe(401);
    expect(other.headers.get("www-authenticate")).toBe(
      `Bearer realm="${externalUrl}${tokenPath}",service="${service}",scope="repository:a/y:pull",error="insufficient_scope"`,
    );
    expect(await statusOf(token, "DELETE", "/v2/a/x/manifests/x")).toBe(403);
    expect(await statusOf(token, "GET", "/v2/")).toBe(200);
  });

  test("wrong credentials, another service, and tokens in place of a login are refused", async () => {
    const wrong = await send("GET", tokenPath, {
      headers: { authorization: basic("adminA", "no") },
    });
    expect(wrong.status).toBe(401);
    expect(wrong.headers.all("www-authenticate")).toEqual(['Basic realm="zot"']);
    const elsewhere = await send("GET", `${tokenPath}?service=other`, { headers: as("adminA") });
    expect(elsewhere.status).toBe(400);
    const token = await tokenOf("adminA", "repository:a/x:*");
    expect(await statusOf(token, "GET", tokenPath)).toBe(401);
  });

  test("a token fits a request, however much is asked for", async () => {
    const name = (at: number) => `a/${"x".repeat(150)}${at}`;
    const asked = Array.from({ length: 40 }, (_, at) => `repository:${name(at)}:*`);
    const token = await tokenOf("adminA", ...asked);
    expect(token.length).toBeLessThan(12_000);
    expect(await statusOf(token, "GET", `/v2/${name(0)}/tags/list`)).toBe(404);
    expect(await statusOf(token, "GET", `/v2/${name(39)}/tags/list`)).toBe(401);
  });
});

describe("POST of a form", () => {
  const good = {
    grant_type: "password",
    username: "writerA",
    password: "writerA's password",
    service,
  };

  test("answers as OAuth2 has it", async () => {
    const answer = await form({ ...good, scope: "repository:a/x:pull,delete", client_id: "test" });
    expect(answer.status).toBe(200);
    expect(jsonOf(answer)).toMatchObject({ expires_in: 300, scope: "repository:a/x:pull" });
    const token = String(jsonOf(answer)["access_token"]);
    expect(await statusOf(token, "GET", "/v2/a/x/tags/list")).toBe(404);
  });

  test.each([
    [{ ...good, grant_type: "refresh_token" }, 400, { error: "unsupported_grant_type" }],
    [{ ...good, grant_type: "" }, 400, { error: "unsupported_grant_type" }],
    [{ grant_type: "password", username: "writerA" }, 400, { error: "invalid_request" }],
    [{ ...good, username: "writerA:x" }, 400, { error: "invalid_request" }],
    [{ ...good, password: "wrong" }, 401, null],
    [{ ...good, password: "" }, 401, null],
    [{ ...good, password: "a\0b" }, 401, null],
    [{ ...good, service: "other" }, 400, null],
  ])("%j is %p", async (fields, status, body) => {
    const answer = await form(fields);
    expect(answer.status).toBe(status);
    if (body !== null) expect(jsonOf(answer)).toEqual(body);
  });

  test("is not sent by a page of another site", async () => {
    const headers = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
    expect((await form(good, headers)).status).toBe(403);
    expect((await form(good, { "sec-fetch-site": "same-origin" })).status).toBe(200);
  });

  test("takes forms alone, of a sane size", async () => {
    const json = { headers: { "content-type": "application/json" }, body: "{}" };
    expect((await send("POST", tokenPath, json)).status).toBe(400);
    const large = { ...good, scope: "x".repeat(70_000) };
    expect((await form(large)).status).toBe(413);
  });
});

describe("the key of tokens", () => {
  test("is made at the first start, for nobody else to read, and stays", async () => {
    const path = join(world.rootDirectory, "_zot", "token_key.json");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const token = await tokenOf("adminA", "repository:a/x:pull");
    await world.restart();
    expect(await statusOf(token, "GET", "/v2/a/x/tags/list")).toBe(404);
    await chmod(path, 0o644);
    const start = startWorld({
      storage: { rootDirectory: world.rootDirectory, shared: true },
      http: { externalUrl, auth: { htpasswd: { path: world.users } } },
    });
    const failure = await start.then(
      () => "started",
      (error: Error) => error.message,
    );
    await chmod(path, 0o600);
    expect(failure).toContain("expected a file that only its owner can read, got mode 644");
  });

  test("is another one in another registry: its tokens are nothing here", async () => {
    await using other = await startAuthWorld({ http: { externalUrl } });
    const target = `${tokenPath}?scope=repository:a/x:pull`;
    const token = String(jsonOf(await other.as("adminA", "GET", target))["token"]);
    expect(await statusOf(token, "GET", "/v2/a/x/tags/list")).toBe(401);
  });
});

test("without an external URL there is no token service, and Basic is asked for", async () => {
  await using plain = await startAuthWorld({ http: { realm: 'a "realm"' } });
  expect((await plain.as("adminA", "GET", tokenPath)).status).toBe(404);
  expect((await plain.as("adminA", "POST", tokenPath)).status).toBe(404);
  expect((await plain.as("adminA", "GET", keyPath)).status).toBe(404);
  const asked = await plain.as(null, "GET", "/v2/a/x/tags/list");
  expect(asked.headers.all("www-authenticate")).toEqual(['Basic realm="a \\"realm\\""']);
});

test("with passwords and anonymous access, Docker's engine is asked to log in, others are told how", async () => {
  await using plain = await startAuthWorld();
  const ping = (agent: string) =>
    plain.as(null, "GET", "/v2/", { headers: { "user-agent": agent } });
  for (const agent of ["docker/27.0 go/go1.22 UpstreamClient(Docker-Client/27.0)", "docker/1.0"]) {
    expect((await ping(agent)).status).toBe(401);
  }
  const other = await ping("containers/5.36 (github.com/containers/image)");
  expect(other.status).toBe(200);
  expect(other.headers.all("www-authenticate")).toEqual(['Basic realm="zot"']);
  const empty = await plain.send("GET", "/v2/pub/x/tags/list", {
    headers: { authorization: "Basic Og==" },
  });
  expect(empty.status).toBe(404);
});

describe("a token for the catalog", () => {
  let other: AuthWorld;
  const target = `${tokenPath}?scope=${encodeURIComponent("registry:catalog:*")}`;
  const catalogOf = async (authorization: string): Promise<unknown> =>
    jsonOf(await other.send("GET", "/v2/_catalog", { headers: { authorization } }))["repositories"];
  const bearerOf = async (headers: Record<string, string>): Promise<string> =>
    `Bearer ${String(jsonOf(await other.send("GET", target, { headers }))["token"])}`;

  beforeAll(async () => {
    other = await startAuthWorld({ http: { externalUrl }, auth: { apikey: true } });
    for (const name of ["a/one", "a/two", "b/one", "pub/one"]) {
      const answer = await other.as("admin", "PUT", `/v2/${name}/manifests/1`, emptyIndexPush());
      expect(answer.status).toBe(201);
    }
  });
  afterAll(() => other[Symbol.asyncDispose]());

  test.each(["admin", "adminA", "readerB", "nobody", null] as const)(
    "of %p lists what their password lists",
    async (user) => {
      const { authorization = "" } = as(user);
      const listed = jsonOf(await other.as(user, "GET", "/v2/_catalog"))["repositories"];
      expect(listed).not.toEqual([]);
      expect(await catalogOf(await bearerOf(user === null ? {} : { authorization }))).toEqual(
        listed,
      );
    },
  );

  test("shows what a repository's token pulls to nobody else, and pulls nothing itself", async () => {
    const token = await bearerOf(as("adminA"));
    const answer = await other.send("GET", "/v2/a/one/tags/list", {
      headers: { authorization: token },
    });
    expect(answer.status).toBe(401);
    const pull = `${tokenPath}?scope=repository:a/one:pull`;
    const pulling = String(jsonOf(await other.as("adminA", "GET", pull))["token"]);
    const list = await other.send("GET", "/v2/_catalog", {
      headers: { authorization: `Bearer ${pulling}` },
    });
    expect(list.status).toBe(401);
  });

  const keys: [scopes: string[], seen: string[]][] = [
    [[], ["a/one", "a/two", "pub/one"]],
    [["a/one"], ["a/one"]],
    [["a/one", "registry:catalog:*"], ["a/one"]],
    [["repository:a/*:push"], []],
    [["registry:catalog:*"], ["a/one", "a/two", "pub/one"]],
    [["b/**"], []],
  ];
  test.each(keys)("made from a key for %p lists %p, as the key does", async (scopes, seen) => {
    const body = JSON.stringify({ label: "ci", scopes });
    const made = jsonOf(await other.as("adminA", "POST", keyPath, { body }));
    const authorization = basic("adminA", String(made["apiKey"]));
    const token = await bearerOf({ authorization });
    expect(await catalogOf(authorization)).toEqual(seen);
    expect(await catalogOf(token)).toEqual(seen);
    // The token ends with the key.
    expect(
      (await other.as("adminA", "DELETE", `${keyPath}?id=${String(made["uuid"])}`)).status,
    ).toBe(200);
    const isRefused = async (): Promise<boolean> =>
      (await other.send("GET", "/v2/_catalog", { headers: { authorization: token } })).status ===
      401;
    await eventually("the token is refused", isRefused);
  });
});

describe("API keys", () => {
  const make = async (user: User, body: unknown) =>
    await send("POST", keyPath, { headers: as(user), body: JSON.stringify(body) });
  const list = async (user: User) =>
    jsonOf(await send("GET", keyPath, { headers: as(user) }))["apiKeys"] as Record<
      string,
      unknown
    >[];
  const withKey = (user: User, key: string) => ({ authorization: basic(user, key) });

  /** What was verified is looked at again after a second. */
  const refusedSoon = (target: string, headers: Record<string, string>) =>
    eventually(
      "the key is refused",
      async () => (await send("GET", target, { headers })).status === 401,
    );

  test("are made, used, listed without their secret, and revoked at once", async () => {
    const made = await make("writerA", { label: "laptop" });
    expect(made.status).toBe(201);
    expect(made.headers.get("cache-control")).toBe("no-store");
    const key = String(jsonOf(made)["apiKey"]);
    expect(key).toMatch(/^zak_[0-9a-f]{32}$/);
    const uuid = String(jsonOf(made)["uuid"]);
    const headers = withKey("writerA", key);
    expect((await send("GET", "/v2/a/x/tags/list", { headers })).status).toBe(404);
    expect((await send("GET", "/v2/b/x/tags/list", { headers })).status).toBe(403);
    const [listed] = await list("writerA");
    expect(listed).toMatchObject({
      label: "laptop",
      scopes: [],
      uuid,
      isExpired: false,
      generatedBy: "manual",
      expirationDate: "0001-01-01T00:00:00Z",
    });
    expect(JSON.stringify(listed)).not.toContain(key);
    expect((await send("HEAD", keyPath, { headers: as("writerA") })).status).toBe(200);
    // Nobody else has it: not by name, not by id.
    expect((await send("GET", "/v2/", { headers: withKey("adminA", key) })).status).toBe(401);
    const revoke = (user: User, id: string) =>
      send("DELETE", `${keyPath}?id=${id}`, { headers: as(user) });
    expect((await revoke("adminA", uuid)).status).toBe(404);
    expect((await revoke("writerA", "nothing")).status).toBe(404);
    expect((await revoke("writerA", uuid)).status).toBe(200);
    await refusedSoon("/v2/a/x/tags/list", headers);
    expect(await list("writerA")).toEqual([]);
  });

  test("are good for their scopes alone, through tokens, too", async () => {
    const made = await make("adminA", {
      label: "narrow",
      scopes: ["repository:a/one:pull", "a/two/**"],
    });
    const headers = withKey("adminA", String(jsonOf(made)["apiKey"]));
    const rows: [method: string, target: string, through: boolean][] = [
      ["GET", "/v2/a/one/tags/list", true],
      ["DELETE", "/v2/a/one/manifests/x", false],
      ["DELETE", "/v2/a/two/x/manifests/x", true],
      ["GET", "/v2/a/three/tags/list", false],
      ["GET", "/v2/pub/x/tags/list", false],
    ];
    for (const [method, target, through] of rows) {
      const { status } = await send(method, target, { headers });
      expect({ target, refused: [401, 403].includes(status) }).toEqual({
        target,
        refused: !through,
      });
    }
    const target = `${tokenPath}?scope=repository:a/one:*&scope=repository:a/three:*`;
    const token = String(jsonOf(await send("GET", target, { headers }))["token"]);
    expect(accessOf(token)).toEqual([{ type: "repository", name: "a/one", actions: ["pull"] }]);
    expect(await statusOf(token, "DELETE", "/v2/a/one/manifests/x")).toBe(401);
    // Neither a key nor a token makes or lists keys.
    for (const authorization of [headers.authorization, `Bearer ${token}`]) {
      for (const method of ["GET", "POST", "DELETE"]) {
        const options = { headers: { authorization }, body: "{}" };
        expect((await send(method, keyPath, options)).status).toBe(403);
      }
    }
  });

  test("end when they say, and with their owner", async () => {
    const lived = async (lifeMs: number) => {
      const expirationDate = new Date(Date.now() + lifeMs).toISOString();
      const made = await make("globalRO", { label: "short", expirationDate });
      const headers = withKey("globalRO", String(jsonOf(made)["apiKey"]));
      return { headers, first: (await send("GET", "/v2/", { headers })).status };
    };
    // On a slow machine a short life is over before the first use.
    let key = await lived(1_500);
    if (key.first === 401) key = await lived(30_000);
    expect(key.first).toBe(200);
    await refusedSoon("/v2/", key.headers);
    const listed = await list("globalRO");
    expect(listed.length).toBeGreaterThan(0);
    for (const each of listed) expect(each).toMatchObject({ isExpired: true });

    const lasting = await make("readerB", { label: "lasting" });
    const other = withKey("readerB", String(jsonOf(lasting)["apiKey"]));
    expect((await send("GET", "/v2/b/x/tags/list", { headers: other })).status).toBe(404);
    await Bun.write(world.users, await usersFile(["adminA", "writerA", "readerA", "nobody"]));
    await refusedSoon("/v2/b/x/tags/list", other);
  });

  test.each([
    "",
    "[]",
    "null",
    '{"label": 1}',
    '{"label": "a\\u0000"}',
    `{"label": "${"x".repeat(300)}"}`,
    '{"scopes": "a"}',
    '{"scopes": [1]}',
    '{"scopes": ["a["]}',
    '{"scopes": ["repository:a:fly"]}',
    '{"expirationDate": "tomorrow"}',
    '{"expirationDate": "2020-01-01T00:00:00Z"}',
    '{"expirationDate": 5}',
    '{"label": "x", "admin": true}',
    '{"label": "x", "role": "admin"}',
    '{"label": "x", "__proto__": {"admin": true}}',
    '{"label": "x", "constructor": {}}',
    '{"label": "x", "owner": "admin"}',
    '{"label": "x", "label": "y"}',
    "[".repeat(5000),
  ])("%s is refused", async (body) => {
    expect((await send("POST", keyPath, { headers: as("adminA"), body })).status).toBe(400);
  });

  test("a body beyond 8 KiB, and a page of another site, are refused", async () => {
    const large = JSON.stringify({ label: "x", scopes: ["a"], pad: "x".repeat(9000) });
    expect((await send("POST", keyPath, { headers: as("adminA"), body: large })).status).toBe(413);
    const headers = { ...as("adminA"), "sec-fetch-site": "cross-site" };
    expect((await send("POST", keyPath, { headers, body: "{}" })).status).toBe(403);
    for (const query of ["", "?id=a&id=b"]) {
      const answer = await send("DELETE", `${keyPath}${query}`, { headers: as("adminA") });
      expect(answer.status).toBe(400);
    }
  });
});

test.each(["GET", "HEAD"])("%s of who is asking tells the name and no more", async (method) => {
  const answer = await send(method, "/v2/_zot/me", { headers: as("writerA") });
  expect(answer.status).toBe(200);
  if (method === "GET") expect(Buffer.from(answer.body).toString()).toContain('"name":"writerA"');
});

test("every answer that the rows grant was seen", () => {
  const unseen = description.unseen(endpoints, (row) => row.startsWith("auth."));
  expect(unseen).toEqual([]);
});

test("a user has a hundred keys, however many are asked for at once", async () => {
  await using other = await startAuthWorld({ auth: { apikey: true } });
  const statuses = await Promise.all(
    Array.from({ length: 130 }, async () => {
      const headers = { authorization: basic("adminA"), "content-type": "application/json" };
      const body = JSON.stringify({ label: "ci", scopes: [] });
      return (await other.send("POST", keyPath, { headers, body })).status;
    }),
  );
  expect(statuses.filter((status) => status === 201)).toHaveLength(100);
  expect(new Set(statuses)).toEqual(new Set([201, 400]));
});
