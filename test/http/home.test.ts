// The page at `/`: for browsers only, with the address that they came by, and nothing that could run or be loaded.

import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { tempDirectory } from "../temp.ts";
import { startWorld, type World } from "./world.ts";

const browser = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

async function pageOf(world: World, headers: Readonly<Record<string, string>> = {}) {
  const answer = await world.send("GET", "/", { headers: { ...browser, ...headers } });
  expect(answer.status).toBe(200);
  return { answer, text: Buffer.from(answer.body).toString() };
}

const decoded = (text: string): string =>
  text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));

describe("the page at /", () => {
  let world: World;
  beforeAll(async () => void (world = await startWorld()));
  afterAll(() => world[Symbol.asyncDispose]());

  test.each([{}, { accept: "*/*" }, { accept: "application/json" }])(
    "is not for programs: %j",
    async (headers) => {
      expect((await world.send("GET", "/", { headers })).status).toBe(404);
    },
  );

  test("tells how to push, by the address that the browser came by", async () => {
    const { text } = await pageOf(world, { host: "registry.local:5000" });
    expect(text).toContain("<h1>registry.local:5000</h1>");
    expect(decoded(text)).toContain("docker push registry.local:5000/alpine<");
    expect(decoded(text)).toContain(
      'docker needs "registry.local:5000" in its insecure-registries',
    );
    expect(text).not.toContain("login");
  });

  test("leads to places that are there", async () => {
    const { text } = await pageOf(world);
    const links = [...text.matchAll(/<a href="([^"]+)"/g)].map(([, link]) => link ?? "");
    const own = links.filter((link) => !link.startsWith("https:"));
    expect(own.length).toBeGreaterThan(2);
    for (const link of own) {
      expect({ link, status: (await world.send("GET", `/${link}`)).status }).toEqual({
        link,
        status: 200,
      });
    }
  });

  test("works without scripts, loads nothing, and its policy allows its own style alone", async () => {
    const { answer, text } = await pageOf(world);
    expect(text).not.toMatch(/<script|\son\w+=|<img|<iframe|url\(/);
    const style = /<style>([^]*)<\/style>/.exec(text)?.[1] ?? "";
    const policy = answer.headers.get("content-security-policy") ?? "";
    expect(policy).toContain(`'sha256-${createHash("sha256").update(style).digest("base64")}'`);
    expect(policy).toStartWith("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|\*/);
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  test.each([
    "<script>alert(1)</script>",
    'a" onload="x',
    "a;rm -rf /",
    "$(reboot)",
    "a b",
    "a/b",
    "a".repeat(300),
  ])("shows no host that is none: %s", async (host) => {
    const { text } = await pageOf(world, { host });
    expect(text).not.toContain(host);
    expect(text).toContain("<h1>this-registry</h1>");
  });

  test.each(["[::1]:8080", "registry.local", "192.0.2.7:5000"])(
    "shows the host %s",
    async (host) => {
      expect((await pageOf(world, { host })).text).toContain(`<h1>${host}</h1>`);
    },
  );
});

test("behind a proxy the page speaks of the public address, and of the login", async () => {
  await using directory = await tempDirectory();
  const file = join(directory.path, "users");
  await Bun.write(file, `ann:${await Bun.password.hash("x", { algorithm: "bcrypt", cost: 4 })}\n`);
  const externalUrl = "https://registry.example.com";
  await using world = await startWorld({
    http: { externalUrl, auth: { htpasswd: { path: file } } },
  });
  const { text } = await pageOf(world, { host: "registry.example.com" });
  expect(text).toContain("docker login registry.example.com<");
  expect(text).not.toContain("tls-verify=false");
});
