// A name that leaves the htpasswd file and comes back is somebody else's: keys, tokens and uploads of before are void.

import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { eventually } from "../processes.ts";
import { basic, jsonOf, passwordOf, startAuthWorld, usersFile, type AuthWorld } from "./world.ts";

const settings = {
  auth: { apikey: true },
  http: { externalUrl: "https://registry.example.com" },
  accessControl: {
    repositories: {
      "**": { policies: [{ users: ["writerA"], actions: ["read", "create", "update"] }] },
    },
  },
} as const;

/** Everything that writerA got while the name was his. */
interface Held {
  readonly key: string;
  readonly token: string;
  readonly tokenOfKey: string;
  readonly upload: string;
}

async function hold(world: AuthWorld): Promise<Held> {
  const made = await world.as("writerA", "POST", "/zot/auth/apikey", { body: '{"label": "ci"}' });
  const key = basic("writerA", String(jsonOf(made)["apiKey"]));
  const tokenFor = async (authorization: string): Promise<string> => {
    const target = "/zot/auth/token?scope=repository:a/x:pull,push";
    const answer = await world.send("GET", target, { headers: { authorization } });
    return `Bearer ${String(jsonOf(answer)["token"])}`;
  };
  const started = await world.as("writerA", "POST", "/v2/a/x/blobs/uploads/");
  return {
    key,
    token: await tokenFor(basic("writerA")),
    tokenOfKey: await tokenFor(key),
    upload: started.headers.get("location") ?? "",
  };
}

/** What still works of it: each with its own credentials, the upload with the password of now. */
async function working(world: AuthWorld, held: Held): Promise<string[]> {
  const found: string[] = [];
  for (const name of ["key", "token", "tokenOfKey"] as const) {
    const headers = { authorization: held[name] };
    const { status } = await world.send("GET", "/v2/a/x/tags/list", { headers });
    expect([401, 404]).toContain(status);
    if (status === 404) found.push(name);
  }
  const headers = { authorization: basic("writerA", await passwordNow(world)) };
  const { status } = await world.send("GET", held.upload, { headers });
  expect([204, 404]).toContain(status);
  if (status === 204) found.push("upload");
  return found;
}

async function passwordNow(world: AuthWorld): Promise<string> {
  for (const password of [passwordOf("writerA"), "another"]) {
    const headers = { authorization: basic("writerA", password) };
    if ((await world.send("GET", "/v2/", { headers })).status === 200) return password;
  }
  return passwordOf("writerA");
}

/** readerA, who is always there, and writerA by another password. */
async function withAnother(): Promise<string> {
  const hash = await Bun.password.hash("another", { algorithm: "bcrypt", cost: 4 });
  return `${await usersFile(["readerA"])}writerA:${hash}\n`;
}

const all = ["key", "token", "tokenOfKey", "upload"];

/** Replaces the file, and waits until it is in force. Nobody fails to log in meanwhile, so that nobody is slowed. */
async function replaceFile(world: AuthWorld, text: string): Promise<void> {
  const taken = (): number =>
    world.lines.filter(({ msg }) => String(msg).includes("a changed file is in force")).length;
  const before = taken();
  await writeFile(world.users, text);
  await eventually("the file is in force", async () => {
    await world.as("readerA", "GET", "/v2/");
    return taken() > before;
  });
}

describe("a name of the htpasswd file", () => {
  test("that leaves and comes back while the server runs is somebody else's", async () => {
    await using world = await startAuthWorld(settings);
    const held = await hold(world);
    expect(await working(world, held)).toEqual(all);
    await replaceFile(world, await usersFile(["readerA"]));
    await eventually("the primary has seen it", () =>
      world.lines.some(({ msg }) => String(msg).includes("users left the file")),
    );
    await replaceFile(world, await withAnother());
    expect(await working(world, held)).toEqual([]);
    const headers = { authorization: basic("writerA", "another") };
    const list = await world.send("GET", "/zot/auth/apikey", { headers });
    expect(jsonOf(list)).toEqual({ apiKeys: [] });
  });

  test("that leaves while the server is off, and comes back later, is somebody else's", async () => {
    await using world = await startAuthWorld(settings);
    const held = await hold(world);
    // The root stays; the file changes between two servers.
    await writeFile(world.users, await usersFile(["readerA"]));
    await world.restart();
    await replaceFile(world, await withAnother());
    expect(await working(world, held)).toEqual([]);
  });

  test("keeps what it has through a new password, and through a restart", async () => {
    await using world = await startAuthWorld(settings);
    const held = await hold(world);
    await replaceFile(world, await withAnother());
    expect(await working(world, held)).toEqual(all);
    await world.restart();
    expect(await working(world, held)).toEqual(all);
  });

  test("that is gone has nothing that works", async () => {
    await using world = await startAuthWorld(settings);
    const { key, token, tokenOfKey } = await hold(world);
    await replaceFile(world, await usersFile(["readerA"]));
    for (const authorization of [key, token, tokenOfKey]) {
      const headers = { authorization };
      expect((await world.send("GET", "/v2/a/x/tags/list", { headers })).status).toBe(401);
    }
  });
});
