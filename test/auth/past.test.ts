// Who may read the past: whoever may read the repository now, by every kind of credential; and the same refusals.

import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Exchange } from "../../src/client/exchange.ts";
import { decodeJwt } from "jose";
import { config, image, layer } from "../http/content.ts";
import { basic, jsonOf, startAuthWorld, users, type AuthWorld, type User } from "./world.ts";

let world: AuthWorld;
const then = "at.0s";

beforeAll(async () => {
  world = await startAuthWorld({
    http: { externalUrl: "http://registry.example.com" },
    auth: { apikey: true },
  });
  for (const name of ["a/priv", "pub/open"]) {
    for (const { bytes, digest } of [config, layer]) {
      await world.as("admin", "POST", `/v2/${name}/blobs/uploads/?digest=${digest}`, {
        body: bytes,
      });
    }
    const { bytes, mediaType } = image();
    const headers = { "content-type": mediaType };
    const put = await world.as("admin", "PUT", `/v2/${name}/manifests/v1`, {
      body: bytes,
      headers,
    });
    expect(put.status).toBe(201);
  }
});
afterAll(() => world[Symbol.asyncDispose]());

/** What a caller sees of an answer, but for its time and name, and the name that was asked by. */
function visible(answer: Exchange): object {
  const headers = answer.headers.lines
    .filter(([name]) => !/^(date|x-request-id|zot-at|connection|content-length)$/i.test(name))
    .map(([name, value]) => [name.toLowerCase(), value.replaceAll(`${then}/`, "")]);
  const body = Buffer.from(answer.body).toString().replaceAll(`${then}/`, "");
  return { status: answer.status, headers, body };
}

const paths = ["manifests/v1", `blobs/${layer.digest}`, "tags/list"];

const callers: readonly [User | null][] = [[null], ...users.map((user): [User] => [user])];

test.each(callers)("%s may read the past of what it may read now", async (user) => {
  for (const name of ["a/priv", "pub/open", "a/gone"]) {
    for (const path of paths) {
      const now = await world.as(user, "GET", `/v2/${name}/${path}`);
      const past = await world.as(user, "GET", `/v2/${then}/${name}/${path}`);
      expect(visible(past)).toEqual(visible(now));
    }
  }
});

async function tokenFor(user: User, scope: string): Promise<string> {
  const target = `/zot/auth/token?service=registry.example.com&scope=${scope}`;
  return String(jsonOf(await world.as(user, "GET", target))["token"]);
}

async function statusWith(authorization: string, path: string): Promise<number> {
  return (await world.send("GET", `/v2/${path}`, { headers: { authorization } })).status;
}

test("a token names what was asked for, and is good for that", async () => {
  const past = await tokenFor("readerA", `repository:${then}/a/priv:pull`);
  expect(decodeJwt(past)["access"]).toEqual([
    { type: "repository", name: `${then}/a/priv`, actions: ["pull"] },
  ]);
  expect(await statusWith(`Bearer ${past}`, `${then}/a/priv/manifests/v1`)).toBe(200);
  expect(await statusWith(`Bearer ${past}`, "a/priv/manifests/v1")).toBe(401);
  const present = await tokenFor("readerA", "repository:a/priv:pull");
  expect(await statusWith(`Bearer ${present}`, `${then}/a/priv/manifests/v1`)).toBe(200);
  const other = await tokenFor("readerB", `repository:${then}/a/priv:pull`);
  expect(decodeJwt(other)["access"]).toEqual([]);
  expect(await statusWith(`Bearer ${other}`, `${then}/a/priv/manifests/v1`)).toBe(403);
});

test("an API key that is good for a repository is good for its past", async () => {
  const made = await world.as("adminA", "POST", "/zot/auth/apikey", {
    body: JSON.stringify({ label: "past", scopes: ["a/**"] }),
  });
  const key = String(jsonOf(made)["apiKey"]);
  expect(await statusWith(basic("adminA", key), `${then}/a/priv/manifests/v1`)).toBe(200);
  expect(await statusWith(basic("adminA", key), `${then}/pub/open/manifests/v1`)).toBe(401);
});

test("a mount from the past needs the right to read it", async () => {
  const mount = (user: User, from: string) =>
    world.as(user, "POST", `/v2/a/other/blobs/uploads/?mount=${layer.digest}&from=${from}`);
  expect((await mount("creatorA", `${then}/a/priv`)).status).toBe(201);
  const hidden = await world.as("admin", "POST", `/v2/b/x/blobs/uploads/?digest=${config.digest}`, {
    body: config.bytes,
  });
  expect(hidden.status).toBe(201);
  const refused = await world.as(
    "creatorA",
    "POST",
    `/v2/a/other2/blobs/uploads/?mount=${config.digest}&from=${then}/b/x`,
  );
  expect(refused.status).toBe(202);
});
