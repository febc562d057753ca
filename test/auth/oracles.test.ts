// What an answer gives away besides what it says: conditions and ranges, the token service, addresses that callers
// claim, caches that several repositories share.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Exchange } from "../../src/client/exchange.ts";
import { content, layer } from "../http/content.ts";
import { startZot, tempDirectory } from "../harness.ts";
import { change } from "../reloading.ts";
import { basic, passwordOf, startAuthWorld, textOf, usersFile, type AuthWorld } from "./world.ts";

/** What a client can tell two answers apart by. */
const told = (answer: Exchange): string =>
  JSON.stringify({
    status: answer.status,
    headers: answer.headers.lines.filter(([name]) => !/^(date|x-request-id)$/i.test(name)),
    body: textOf(answer),
  });

let world: AuthWorld;
beforeAll(async () => {
  world = await startAuthWorld({ http: { externalUrl: "https://registry.example.com" } });
  for (const repository of ["a/priv", "b/priv"]) await push(repository, layer);
});
afterAll(() => world[Symbol.asyncDispose]());

async function push(repository: string, blob: ReturnType<typeof content>): Promise<void> {
  const target = `/v2/${repository}/blobs/uploads/?digest=${blob.digest}`;
  expect((await world.as("admin", "POST", target, { body: blob.bytes })).status).toBe(201);
}

describe("conditions and ranges", () => {
  const conditions: Record<string, string>[] = [
    { "if-none-match": `"${layer.digest}"` },
    { "if-none-match": "*" },
    { "if-match": "*" },
    { range: "bytes=0-1" },
    { range: "bytes=99999999-" },
    { range: "bytes=0-1", "if-range": `"${layer.digest}"` },
    { accept: "text/html", origin: "https://page.example" },
  ];
  test.each(conditions)("%j make no difference where nothing may be read", async (headers) => {
    for (const user of ["nobody", "readerB", null] as const) {
      for (const method of ["GET", "HEAD"]) {
        const seen = new Set<string>();
        for (const repository of ["a/priv", "a/none"]) {
          for (const path of [
            `blobs/${layer.digest}`,
            "manifests/latest",
            `referrers/${layer.digest}`,
            "tags/list?n=0",
          ]) {
            const target = `/v2/${repository}/${path}`;
            const answer = await world.as(user, method, target, { headers });
            seen.add(told(answer).replaceAll(repository, "{name}"));
          }
        }
        expect([...seen]).toHaveLength(1);
        expect([...seen][0]).toContain(`"status":${user === null ? 401 : 403}`);
      }
    }
  });
});

describe("the token service", () => {
  const get = (name: string, password: string) =>
    world.send("GET", "/zot/auth/token?scope=repository:a/priv:pull", {
      headers: { authorization: basic(name, password) },
    });
  const post = (username: string, password: string) =>
    world.send("POST", "/zot/auth/token", {
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ grant_type: "password", username, password }).toString(),
    });

  test.each([
    ["GET", get],
    ["POST", post],
  ] as const)("answers %s of an unknown user and of a wrong password alike", async (_, ask) => {
    const answers = [
      await ask("readerA", "wrong"),
      await ask("zoe", "wrong"),
      await ask("zoe", ""),
    ];
    expect(new Set(answers.map(told)).size).toBe(1);
    expect(answers[0]!.status).toBe(401);
  });

  test("gives as empty a token for what is forbidden as for what is not there", async () => {
    const accessOf = async (scope: string): Promise<unknown> => {
      const answer = await world.as("nobody", "GET", `/zot/auth/token?scope=${scope}`);
      const { token } = JSON.parse(textOf(answer)) as { token: string };
      const claims = Buffer.from(token.split(".")[1]!, "base64url").toString();
      return (JSON.parse(claims) as { access: unknown }).access;
    };
    expect(await accessOf("repository:a/priv:pull")).toEqual([]);
    expect(await accessOf("repository:a/none:pull")).toEqual([]);
  });
});

test("claimed addresses change neither who is counted nor what is logged", async () => {
  await using other = await startAuthWorld({ accessControl: null });
  const statuses: number[] = [];
  for (let at = 0; at < 12; at += 1) {
    const claimed = `203.0.113.${at}`;
    const answer = await other.send("GET", "/v2/", {
      headers: {
        authorization: basic("admin", `wrong${at}`),
        "x-forwarded-for": claimed,
        "x-real-ip": claimed,
        forwarded: `for=${claimed}`,
        "x-client-ip": claimed,
        "cf-connecting-ip": claimed,
      },
    });
    statuses.push(answer.status);
  }
  expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429, 429]);
  expect(new Set(other.records.map(({ client }) => client))).toEqual(new Set(["127.0.0.1"]));
});

test("behind a trusted proxy each client is itself: one's failures hold up no other", async () => {
  await using other = await startAuthWorld({
    accessControl: null,
    http: { trustedProxies: ["127.0.0.1", "10.0.0.0/8"] },
  });
  const login = async (client: string, password: string): Promise<number> => {
    const headers = { authorization: basic("admin", password), "x-forwarded-for": client };
    return (await other.send("GET", "/v2/", { headers })).status;
  };
  for (let at = 0; at < 10; at += 1) {
    // What the attacker itself claims stands before what the proxy saw.
    expect(await login(`203.0.113.${at}, 192.0.2.66, 10.0.0.2`, `wrong${at}`)).toBe(401);
  }
  expect(await login("198.51.100.1, 192.0.2.66, 10.0.0.2", "wrong")).toBe(429);
  expect(await login("198.51.100.7", passwordOf("admin"))).toBe(200);
  expect(other.records.map(({ client }) => client).slice(-2)).toEqual([
    "192.0.2.66",
    "198.51.100.7",
  ]);
});

test("a blob that is gone from one repository does not come back from another's cache", async () => {
  const small = content("small enough to be kept in memory");
  const read = async (repository: string): Promise<number> =>
    (await world.as("admin", "GET", `/v2/${repository}/blobs/${small.digest}`)).status;
  for (const repository of ["a/one", "a/two"]) await push(repository, small);
  expect([await read("a/one"), await read("a/two")]).toEqual([200, 200]);
  const gone = await world.as("admin", "DELETE", `/v2/a/one/blobs/${small.digest}`);
  expect(gone.status).toBe(202);
  expect([await read("a/two"), await read("a/one"), await read("a/two")]).toEqual([200, 404, 200]);
});

test("a token, and a login that is remembered, outlive no permission: a changed policy is asked at once", async () => {
  await using directory = await tempDirectory("zot-policy");
  const path = join(directory.path, "users");
  await writeFile(path, await usersFile(["readerA"]));
  const configOf = (actions: string[]) => ({
    http: {
      workers: 1,
      externalUrl: "https://registry.example.com",
      auth: { htpasswd: { path } },
      accessControl: { repositories: { "a/**": { policies: [{ users: ["readerA"], actions }] } } },
    },
  });
  await using zot = await startZot({ config: configOf(["read"]) });
  const ask = (target: string, authorization: string) =>
    fetch(`${zot.url}${target}`, { headers: { authorization } });
  const answer = await ask("/zot/auth/token?scope=repository:a/x:pull", basic("readerA"));
  const { token } = (await answer.json()) as { token: string };
  const logins = [basic("readerA"), `Bearer ${token}`];
  const statuses = async (): Promise<number[]> => {
    const answers = await Promise.all(logins.map((login) => ask("/v2/a/x/tags/list", login)));
    return answers.map(({ status }) => status);
  };
  expect(await statuses()).toEqual([404, 404]);
  await change(zot, configOf(["create"]));
  expect(await statuses()).toEqual([403, 403]);
});
