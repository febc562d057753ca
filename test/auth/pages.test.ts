// Pages for people and for Prometheus: the Swagger page and the metrics page, by who asks for them.
//
// A browser can only be asked for a password, so these ask for one, also where clients are sent for tokens.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { startWorld, type World } from "../http/world.ts";
import { tempDirectory } from "../temp.ts";
import { basic, passwordOf } from "./world.ts";

interface PagesWorld extends AsyncDisposable {
  readonly world: World;
  status(path: string, user: string | null): Promise<number>;
  challenge(path: string, authorization?: string): Promise<string | null>;
}

async function startPages(http: object = {}): Promise<PagesWorld> {
  const directory = await tempDirectory("zot-pages");
  const file = join(directory.path, "users");
  const lines = await Promise.all(
    ["alice", "scraper", "root"].map(async (name) => {
      const hash = await Bun.password.hash(passwordOf(name), { algorithm: "bcrypt", cost: 4 });
      return `${name}:${hash}\n`;
    }),
  );
  await Bun.write(file, lines.join(""));
  const world = await startWorld({
    http: { auth: { htpasswd: { path: file } }, ...http },
    extensions: { metrics: {} },
  });
  const ask = (path: string, authorization?: string) =>
    world.send("GET", path, authorization === undefined ? {} : { headers: { authorization } });
  return {
    world,
    status: async (path, user) => (await ask(path, user === null ? undefined : basic(user))).status,
    challenge: async (path, authorization) =>
      (await ask(path, authorization)).headers.get("www-authenticate"),
    [Symbol.asyncDispose]: async () => {
      await world[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

const swagger = [
  "/swagger/v2/",
  "/swagger/v2/index.html",
  "/swagger/v2/doc.json",
  "/swagger/v2/page.js",
];
const passwordAsked = 'Basic realm="zot"';

describe("the Swagger page", () => {
  test.each(swagger)("%s is for users, and asks for a password", async (path) => {
    await using pages = await startPages();
    expect(await pages.status(path, null)).toBe(401);
    expect(await pages.challenge(path)).toBe(passwordAsked);
    expect(await pages.challenge(path, basic("alice", "wrong"))).toBe(passwordAsked);
    expect(await pages.status(path, "alice")).toBe(200);
  });

  test("asks for a password where clients are sent for tokens", async () => {
    await using pages = await startPages({ externalUrl: "https://registry.example.com" });
    expect(await pages.challenge("/v2/")).toStartWith("Bearer ");
    expect(await pages.challenge("/swagger/v2/")).toBe(passwordAsked);
    expect(await pages.challenge("/swagger/v2/", basic("alice", "wrong"))).toBe(passwordAsked);
    expect(await pages.status("/swagger/v2/doc.json", "alice")).toBe(200);
  });

  test("stands in nobody's frame, and runs nothing but its own files", async () => {
    await using pages = await startPages();
    const headers = { authorization: basic("alice") };
    for (const path of ["/swagger/v2/", "/swagger/v2/index.html"]) {
      const answer = await pages.world.send("GET", path, { headers });
      const policy = answer.headers.get("content-security-policy")?.split("; ") ?? [];
      expect(policy).toEqual(
        expect.arrayContaining([
          "default-src 'none'",
          "script-src 'self'",
          "frame-ancestors 'none'",
          "base-uri 'none'",
          "form-action 'none'",
        ]),
      );
      expect(policy.join(" ")).not.toMatch(/unsafe|\*|https?:/);
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
      expect(answer.headers.get("referrer-policy")).toBe("no-referrer");
    }
  });

  test("is for everybody where everybody may do something", async () => {
    const accessControl = { repositories: { "pub/**": { anonymousPolicy: ["read"] } } };
    await using pages = await startPages({ accessControl });
    expect(await pages.status("/swagger/v2/", null)).toBe(200);
  });
});

describe("the metrics page", () => {
  const repositories = { "**": { defaultPolicy: ["read", "create"] } };
  const adminPolicy = { users: ["root"], actions: ["read"] };

  test("is for users where there is no access control", async () => {
    await using pages = await startPages();
    expect(await pages.status("/metrics", null)).toBe(401);
    expect(await pages.challenge("/metrics")).toBe(passwordAsked);
    expect(await pages.status("/metrics", "alice")).toBe(200);
  });

  test("is for those whom its policy names, and for admins who may read", async () => {
    const metrics = { users: ["scraper"] };
    await using pages = await startPages({ accessControl: { repositories, adminPolicy, metrics } });
    expect(await pages.status("/metrics", null)).toBe(401);
    expect(await pages.status("/metrics", "alice")).toBe(403);
    expect(await pages.status("/metrics", "scraper")).toBe(200);
    expect(await pages.status("/metrics", "root")).toBe(200);
  });

  test("names no repository to those who are nobody, whatever they may count", async () => {
    const metrics = { anonymousPolicy: ["read"] };
    await using pages = await startPages({ accessControl: { repositories, metrics } });
    const text = async (headers: Record<string, string>): Promise<string> => {
      const answer = await pages.world.send("GET", "/metrics", { headers });
      expect(answer.status).toBe(200);
      return Buffer.from(answer.body).toString();
    };
    const digest = `sha256:${"0".repeat(64)}`;
    const authorization = basic("alice");
    await pages.world.send("GET", `/v2/secret/app/blobs/${digest}`, { headers: { authorization } });
    expect(await text({ authorization })).toContain("zot_http_repo_latency_seconds_count{repo=");
    const anonymous = await text({});
    expect(anonymous).not.toContain("repo=");
    expect(anonymous).toContain("zot_http_requests_total{");
  });
});
