// Every endpoint × every principal × every repository against a table written by hand.
//
// The requests are made from the endpoint table itself, so that a new row is tried without anybody thinking of it; the
// table of what each row needs is written here once more, so that a row whose permission is loosened fails. Refusals for
// a private repository and for one that is not there must be the same, byte for byte.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { endpoints } from "../../src/api/endpoints.ts";
import type { Exchange } from "../../src/client/exchange.ts";
import { config, layer, manifestOf, descriptor } from "../http/content.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { basic, jsonOf, startAuthWorld, users, type AuthWorld, type User } from "./world.ts";

type Need =
  | "nothing"
  | "no token"
  | "login"
  | "page"
  | "list"
  | "read"
  | "push"
  | "delete"
  | "password"
  | "admin";

/** What each row needs. A row that is not here fails the test below. */
const needs: Readonly<Record<string, Need>> = {
  "base.get": "login",
  "catalog.list": "list",
  "extension.discover": "login",
  "blob.mount": "push",
  "blob.post": "push",
  "upload.start": "push",
  "upload.append": "push",
  "upload.finish": "push",
  "upload.status": "push",
  "upload.cancel": "push",
  "blob.get": "read",
  "blob.delete": "delete",
  "manifest.get": "read",
  "manifest.put": "push",
  "manifest.delete": "delete",
  "tag.list": "read",
  "referrer.list": "read",
  "activity.list": "list",
  "auth.caller": "login",
  "history.tag": "read",
  "retention.explain": "read",
  "retention.untagged": "read",
  "retention.why": "read",
  "usage.repository": "read",
  "image.diff": "read",
  "usage.list": "list",
  "scrub.status": "admin",
  "scrub.forget": "admin",
  "audit.status": "admin",
  "audit.run": "admin",
  "retention.collection": "admin",
  "retention.plan": "admin",
  "retention.apply": "admin",
  "extension.discover-repository": "read",
  "tag.set": "push",
  "undo.tag": "push",
  "undo.delete": "push",
  "undo.purge": "delete",
  "undo.plan": "login",
  "undo.apply": "login",
  "health.live": "nothing",
  "health.ready": "nothing",
  "health.startup": "nothing",
  "auth.token": "no token",
  "auth.token-form": "nothing",
  "auth.key-list": "password",
  "auth.key-make": "password",
  "auth.key-revoke": "password",
  "home.page": "nothing",
  "swagger.page": "page",
  "swagger.redirect": "nothing",
  "swagger.document": "page",
  "swagger.asset": "page",
  "metrics.get": "admin",
  "metrics.page": "admin",
  "metrics.read": "admin",
};

type Principal = User | "anonymous" | "narrow token" | "anonymous token" | "narrow key";
const principals: readonly Principal[] = [
  "anonymous",
  ...users,
  "narrow token",
  "anonymous token",
  "narrow key",
];

type Grant = "read" | "push" | "delete";

/** Who may do what in a repository, written from the policy of `world.ts` by hand. */
const grants: Readonly<
  Record<"a" | "b" | "pub", Readonly<Partial<Record<Principal, readonly Grant[]>>>>
> = {
  a: {
    readerA: ["read"],
    creatorA: ["read", "push"],
    writerA: ["read", "push"],
    adminA: ["read", "push", "delete"],
    globalRO: ["read"],
    admin: ["read", "push", "delete"],
  },
  b: { readerB: ["read"], globalRO: ["read"], admin: ["read", "push", "delete"] },
  pub: {
    anonymous: ["read"],
    nobody: ["read"],
    readerA: ["read"],
    creatorA: ["read"],
    writerA: ["read"],
    adminA: ["read"],
    readerB: ["read"],
    globalRO: ["read"],
    admin: ["read", "push", "delete"],
  },
};

/** The narrow ones are adminA's, for pulling from a/priv alone. */
function mayDo(principal: Principal, grant: Grant, repository: string): boolean {
  if (principal === "narrow token" || principal === "narrow key") {
    return grant === "read" && repository === "a/priv";
  }
  const place = repository.split("/")[0] as "a" | "b" | "pub";
  if (principal === "anonymous token") return false;
  return grants[place][principal]?.includes(grant) === true;
}

/** Expected: let through, asked to log in (again), or told no. */
type Verdict = "through" | 401 | 403;

function verdict(principal: Principal, need: Need, repository: string): Verdict {
  const hasLogin = principal !== "anonymous" && principal !== "anonymous token";
  switch (need) {
    case "nothing":
      return "through";
    case "no token":
      // A token is not turned into another one: its end is its end.
      return principal.endsWith("token") ? 401 : "through";
    case "login":
      // Anonymous callers are sent for a token, which then is enough.
      return principal === "anonymous" ? 401 : "through";
    case "page":
      // Everybody who may do something; anonymous callers may pull from pub.
      return "through";
    case "list":
      return principal === "narrow token" || principal === "anonymous token" ? 401 : "through";
    case "password":
      if (!hasLogin) return principal === "anonymous" ? 401 : 403;
      return principal.startsWith("narrow") ? 403 : "through";
    case "admin":
      return principal === "admin" ? "through" : hasLogin ? 403 : 401;
    default: {
      if (mayDo(principal, need, repository)) return "through";
      // What a token lacks and its user has, a new token would bring.
      const narrow = principal === "narrow token" || principal === "narrow key";
      const again = narrow && mayDo("adminA", need, repository);
      return !hasLogin || again ? 401 : 403;
    }
  }
}

const absent = `sha256:${"0".repeat(64)}`;
const upload = "00000000-0000-4000-8000-000000000000";

/** Paths of a row with everything filled in that is not there, so that nobody changes what others look at. */
function targetsOf(path: string, when: readonly string[], repository: string): string[] {
  const filled = path
    .replace("{repository...}", repository)
    .replace("{digest}", absent)
    .replace("{reference}", "no-such-tag")
    .replace("{tag}", "no-such-tag")
    .replace("{upload}", upload)
    .replace("{asset}", "page.js");
  if (when.length === 0) return [filled];
  return [`${filled}?${when.map((name) => `${name}=${absent}`).join("&")}`];
}

let world: AuthWorld;
const logins = new Map<Principal, Record<string, string>>();

beforeAll(async () => {
  world = await startAuthWorld({
    http: { externalUrl: "http://registry.example.com" },
    auth: { apikey: true },
  });
  for (const repository of ["a/priv", "b/priv", "pub/open"]) await fill(repository);
  logins.set("anonymous", {});
  for (const user of users) logins.set(user, { authorization: basic(user) });
  const token = async (user: User | null, scope: string) => {
    const target = `/zot/auth/token?service=registry.example.com&scope=${scope}`;
    return {
      authorization: `Bearer ${String(jsonOf(await world.as(user, "GET", target))["token"])}`,
    };
  };
  logins.set("narrow token", await token("adminA", "repository:a/priv:pull"));
  logins.set("anonymous token", await token(null, ""));
  const made = await world.as("adminA", "POST", "/zot/auth/apikey", {
    body: JSON.stringify({ label: "narrow", scopes: ["repository:a/priv:pull"] }),
  });
  logins.set("narrow key", { authorization: basic("adminA", String(jsonOf(made)["apiKey"])) });
});
afterAll(() => world[Symbol.asyncDispose]());

/** An image with the tag `secret`, pushed by the admin. */
async function fill(repository: string): Promise<void> {
  for (const blob of [config, layer]) {
    const target = `/v2/${repository}/blobs/uploads/?digest=${blob.digest}`;
    const answer = await world.as("admin", "POST", target, { body: blob.bytes });
    expect(answer.status).toBe(201);
  }
  const image = manifestOf({
    schemaVersion: 2,
    mediaType: mediaTypes.ociImage,
    config: descriptor(config, mediaTypes.ociConfig),
    layers: [descriptor(layer, mediaTypes.octetStream)],
    annotations: { repository },
  });
  const answer = await world.as("admin", "PUT", `/v2/${repository}/manifests/secret`, {
    headers: { "content-type": image.mediaType },
    body: image.bytes,
  });
  expect(answer.status).toBe(201);
}

async function ask(principal: Principal, method: string, target: string): Promise<Exchange> {
  const hasBody = method === "PUT" || method === "POST" || method === "PATCH";
  return await world.send(method, target, {
    headers: { ...logins.get(principal), ...(hasBody ? { "content-length": "0" } : {}) },
  });
}

/** What a stranger can see of an answer, but for its time and name. */
function visible(answer: Exchange): object {
  const headers = answer.headers.lines.filter(([name]) => !/^(date|x-request-id)$/i.test(name));
  return { status: answer.status, headers, body: Buffer.from(answer.body).toString() };
}

describe("every row", () => {
  test("is in the table of needs", () => {
    const missing = endpoints.filter(({ name }) => !(name in needs)).map(({ name }) => name);
    expect(missing).toEqual([]);
  });
});

const repositories = ["a/priv", "b/priv", "pub/open"];

describe.each(principals)("%s", (principal) => {
  for (const row of endpoints) {
    const need = needs[row.name] ?? "admin";
    const names = row.path.includes("{repository...}") ? repositories : [""];
    for (const method of row.methods) {
      test(`${method} ${row.path}${row.when === undefined ? "" : `?${row.when.join("&")}`}`, async () => {
        for (const repository of names) {
          for (const target of targetsOf(row.path, row.when ?? [], repository)) {
            const expected = verdict(principal, need, repository);
            const answer = await ask(principal, method, target);
            const got = answer.status === 401 || answer.status === 403 ? answer.status : "through";
            expect({ target, got }).toEqual({ target, got: expected });
            const challenges = answer.headers.all("www-authenticate");
            if (answer.status === 401) expect(challenges).toHaveLength(1);
            if (answer.status === 403) expect(challenges).toEqual([]);
            if (expected === "through" || repository === "") continue;
            // A repository that is not there is refused in the same words.
            const twin = repository.replace(/[^/]+$/, "gone");
            const other = await ask(principal, method, target.replace(repository, twin));
            const swapped = JSON.parse(JSON.stringify(visible(other)).replaceAll(twin, repository));
            expect(swapped).toEqual(visible(answer));
          }
        }
      });
    }
  }
});

describe("other spellings of a private path", () => {
  const spellings = [
    "/v2/a%2fpriv/tags/list",
    "/v2/a%2Fpriv/tags/list",
    "/v2/%61/priv/tags/list",
    "/v2/a/priv/%74ags/list",
    "/v2//a/priv/tags/list",
    "//v2/a/priv/tags/list",
    "/v2/a/priv/tags/list/",
    "/v2/a//priv/tags/list",
    "/v2/pub/../a/priv/tags/list",
    "/v2/pub/%2e%2e/a/priv/tags/list",
    "/v2/./a/priv/tags/list",
    "/V2/a/priv/tags/list",
    "/v2/A/priv/tags/list",
    "/v2/a/priv/tags/list%00",
    "/v2/a/priv\\tags\\list",
    "/v2/a/priv/tags/list?n=1&repository=pub/open",
    "/v2/a/priv/manifests/secret",
    "/v2/a%2fpriv/manifests/secret",
    "/v2/pub/open/manifests/../../../a/priv/manifests/secret",
    "/v2/pub/open/blobs/uploads/../../../../a/priv/tags/list",
    "/v2/_catalog?last=a/",
    "/v2/_catalog?n=1000",
  ];
  test.each(spellings)("%s", async (target) => {
    for (const principal of ["anonymous", "nobody", "readerB"] as const) {
      for (const method of ["GET", "HEAD", "OPTIONS"]) {
        const answer = await ask(principal, method, target);
        const shown = JSON.stringify(visible(answer));
        expect(shown).not.toContain("secret");
        expect(shown).not.toContain('"a/priv"');
        if (method !== "OPTIONS" && !target.includes("_catalog")) {
          expect(answer.status).toBeGreaterThanOrEqual(400);
        }
      }
    }
  });
});
