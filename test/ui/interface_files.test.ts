// The files of the interface as a server sends them: their weight, how long they stay, what a page may do, and addresses.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { startWorld, type World } from "../http/world.ts";

const on = { extensions: { ui: { enable: true } } };
const browser = { accept: "text/html,*/*;q=0.8" };
/** Script and style together, as browsers load them. */
const weightMax = 100_000;

async function htmlOf(world: World, path = "/ui/", headers = {}) {
  const answer = await world.send("GET", path, { headers: { ...browser, ...headers } });
  expect(answer.status).toBe(200);
  return { answer, text: Buffer.from(answer.body).toString() };
}

const filesOf = (html: string): string[] =>
  [...html.matchAll(/(?:src|href)="(assets\/[^"]+)"/g)].map(([, name]) => name ?? "");

describe("the files", () => {
  let world: World;
  beforeAll(async () => void (world = await startWorld(on)));
  afterAll(() => world[Symbol.asyncDispose]());

  test("weigh little, never change under their name, and come as the client takes them", async () => {
    const names = filesOf((await htmlOf(world)).text);
    expect(names.length).toBeGreaterThanOrEqual(2);
    let weight = 0;
    for (const name of names) {
      const get = (encoding: string) =>
        world.send("GET", `/ui/${name}`, { headers: { "accept-encoding": encoding } });
      const plain = await get("identity");
      const br = await get("gzip, deflate, br");
      const gzip = await get("gzip, br;q=0");
      expect(plain.headers.get("content-encoding")).toBeNull();
      expect(br.headers.get("content-encoding")).toBe("br");
      expect(gzip.headers.get("content-encoding")).toBe("gzip");
      expect(brotliDecompressSync(br.body).equals(Buffer.from(plain.body))).toBeTrue();
      expect(gunzipSync(gzip.body).equals(Buffer.from(plain.body))).toBeTrue();
      expect(br.headers.get("cache-control")).toContain("immutable");
      weight += gzip.body.length;
    }
    expect(weight).toBeLessThan(weightMax);
  });

  test("name no other place", async () => {
    for (const name of filesOf((await htmlOf(world)).text)) {
      const { body } = await world.send("GET", `/ui/${name}`);
      const text = Buffer.from(body).toString();
      const addresses = [...text.matchAll(/https?:\/\/[\w.-]+/g)].map(([address]) => address);
      // Names of namespaces and of kinds of statements, which nobody opens.
      const names = ["http://www.w3.org", "https://sigstore.dev"];
      const others = addresses.filter((address) => !names.includes(address));
      expect({ name, others }).toEqual({ name, others: [] });
    }
  });

  test("are asked for by a page that may do nothing else", async () => {
    const { answer } = await htmlOf(world, "/ui/r/team/app:1.0");
    const policy = answer.headers.get("content-security-policy") ?? "";
    expect(policy).toStartWith("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).not.toMatch(/unsafe|\*/);
    expect(answer.headers.get("cache-control")).toBe("no-cache");
    const condition = { "if-none-match": answer.headers.get("etag") ?? "" };
    expect((await world.send("GET", "/ui/", { headers: condition })).status).toBe(304);
  });

  test.each(["assets/none.js", "assets/..%2fpackage.json", "assets/__proto__"])(
    "%s is none of them",
    async (path) => {
      expect((await world.send("GET", `/ui/${path}`)).status).toBe(404);
    },
  );
});

describe("addresses", () => {
  let world: World;
  beforeAll(async () => void (world = await startWorld(on)));
  afterAll(() => world[Symbol.asyncDispose]());

  test.each([
    ["/", "/ui/"],
    ["/ui", "/ui/"],
    ["/home", "/ui/"],
    ["/explore", "/ui/"],
    ["/explore?search=al%20pine", "/ui/?q=al%20pine"],
    ["/login", "/ui/signin"],
    ["/user/apikey", "/ui/keys"],
    ["/image/library%2Falpine", "/ui/r/library/alpine"],
    ["/image/alpine/tag/3.22", "/ui/r/alpine:3.22"],
    ["/image/%ff", "/ui/r/"],
    ["/image/..%2F..%2Fx", "/ui/r/../../x"],
  ])("%s leads to %s", async (from, to) => {
    const answer = await world.send("GET", from, { headers: browser });
    expect([answer.status, answer.headers.get("location")]).toEqual([307, to]);
  });

  test("programs find nothing at /", async () => {
    expect((await world.send("GET", "/", { headers: { accept: "*/*" } })).status).toBe(404);
  });
});

test("below a path of a proxy the page is based there, and by no header of a stranger", async () => {
  const externalUrl = "https://registry.example.com/team/registry";
  await using world = await startWorld({ ...on, http: { externalUrl } });
  const base = async (headers: object) =>
    /<base href="([^"]*)"/.exec((await htmlOf(world, "/ui/", headers)).text)?.[1];
  expect(await base({ host: "registry.example.com" })).toBe("/team/registry/ui/");
  expect(await base({})).toBe("/ui/");
  expect(await base({ "x-forwarded-prefix": '/"><script>' })).toBe("/ui/");
});

test("without the interface its addresses are not there, and / says how to push", async () => {
  await using world = await startWorld();
  expect((await world.send("GET", "/ui/")).status).toBe(404);
  expect((await world.send("GET", "/home")).status).toBe(404);
  expect((await htmlOf(world, "/")).text).toContain("Push an image");
});
