// What happened lately, and who asks: for whom, in which order, and what asking again costs.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { tempDirectory } from "../temp.ts";
import { config, image, layer } from "./content.ts";
import { testRows } from "./row.ts";
import { activityRows } from "./rows/activity.ts";
import { startWorld, type World } from "./world.ts";

testRows("activity", activityRows);

interface Told {
  readonly activity: readonly Readonly<Record<string, unknown>>[];
  readonly next: string | null;
}

type Headers = Readonly<Record<string, string>>;

async function tell(world: World, query = "", headers: Headers = {}): Promise<Told> {
  const answer = await world.send("GET", `/v2/_zot/activity${query}`, { headers });
  expect(answer.status).toBe(200);
  return JSON.parse(Buffer.from(answer.body).toString()) as Told;
}

const one = image({ annotations: { number: "one" } });
const two = image({ annotations: { number: "two" } });

async function push(world: World, repository: string, tag: string, what = one, as: Headers = {}) {
  for (const blob of [config, layer]) {
    const target = `/v2/${repository}/blobs/uploads/?digest=${blob.digest}`;
    const answer = await world.send("POST", target, { body: blob.bytes, headers: as });
    expect(answer.status).toBe(201);
  }
  const answer = await world.send("PUT", `/v2/${repository}/manifests/${tag}`, {
    headers: { ...as, "content-type": what.mediaType },
    body: what.bytes,
  });
  expect(answer.status).toBe(201);
}

describe("what happened lately", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
    await push(world, "a/app", "v1");
    await push(world, "b/app", "v1");
    await push(world, "a/app", "v1", two);
    await world.send("DELETE", "/v2/b/app/manifests/v1");
    await world.send("DELETE", `/v2/b/app/manifests/${one.digest}`);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test("is told newest first, of all repositories", async () => {
    const { activity, next } = await tell(world);
    expect(activity.map(({ name, tag, event, digest }) => ({ name, tag, event, digest }))).toEqual([
      { name: "b/app", tag: null, event: "deleted", digest: null },
      { name: "b/app", tag: "v1", event: "untagged", digest: null },
      { name: "a/app", tag: "v1", event: "tagged", digest: two.digest },
      { name: "b/app", tag: "v1", event: "tagged", digest: one.digest },
      { name: "a/app", tag: "v1", event: "tagged", digest: one.digest },
    ]);
    expect(activity[2]).toMatchObject({ previous: one.digest, by: null });
    expect(next).toBeNull();
  });

  test("comes in pages that join without a gap", async () => {
    const all = (await tell(world)).activity;
    const found: unknown[] = [];
    let next: string | null = "";
    while (next !== null) {
      const page: Told = await tell(world, `?n=2${next === "" ? "" : `&last=${next}`}`);
      expect(page.activity.length).toBeLessThanOrEqual(2);
      found.push(...page.activity);
      ({ next } = page);
    }
    expect(found).toEqual([...all]);
  });

  test("costs nothing to ask for again until something happens", async () => {
    const first = await world.send("GET", "/v2/_zot/activity");
    const headers = { "if-none-match": first.headers.get("etag") ?? "" };
    expect((await world.send("GET", "/v2/_zot/activity", { headers })).status).toBe(304);
    await push(world, "c/app", "v1");
    expect((await world.send("GET", "/v2/_zot/activity", { headers })).status).toBe(200);
  });

  test("is told of one repository, and after it is empty, too", async () => {
    const { activity, next } = await tell(world, "?repository=b/app");
    expect(activity.map(({ name, event }) => [name, event])).toEqual([
      ["b/app", "deleted"],
      ["b/app", "untagged"],
      ["b/app", "tagged"],
    ]);
    expect(next).toBeNull();
    expect((await tell(world, "?repository=no/such")).activity).toEqual([]);
  });

  test.each(["?last=x", "?last=-1", "?n=x", "?repository=A", "?repository=at.7d/a/app"])(
    "%s is refused",
    async (query) => {
      expect((await world.send("GET", `/v2/_zot/activity${query}`)).status).toBe(400);
    },
  );
});

describe("where callers log in", () => {
  const as = (name: string): Headers => ({
    authorization: `Basic ${Buffer.from(`${name}:x`).toString("base64")}`,
  });
  let world: World;
  let directory: Awaited<ReturnType<typeof tempDirectory>>;
  beforeAll(async () => {
    directory = await tempDirectory();
    const file = join(directory.path, "users");
    const hash = await Bun.password.hash("x", { algorithm: "bcrypt", cost: 4 });
    await Bun.write(file, `ann:${hash}\nbob:${hash}\n`);
    world = await startWorld({
      http: {
        auth: { htpasswd: { path: file } },
        accessControl: {
          repositories: {
            "a/**": { policies: [{ users: ["ann"], actions: ["read", "create"] }] },
            "pub/**": {
              anonymousPolicy: ["read"],
              policies: [{ users: ["ann"], actions: ["read", "create"] }],
            },
          },
          adminPolicy: { users: ["ann"], actions: ["read", "create", "update", "delete"] },
        },
      },
    });
    await push(world, "a/app", "v1", one, as("ann"));
    await push(world, "pub/app", "v1", one, as("ann"));
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  test("each is told of what it may read, and who did it where it has logged in", async () => {
    const names = async (headers: Headers) =>
      (await tell(world, "", headers)).activity.map(({ name, by }) => [name, by]);
    expect(await names(as("ann"))).toEqual([
      ["pub/app", "ann"],
      ["a/app", "ann"],
    ]);
    expect(await names({})).toEqual([["pub/app", null]]);
    // What anonymous callers may read is not for every user, as in zot; the rest looks as if it were not there.
    expect(await names(as("bob"))).toEqual([]);
    for (const name of ["a/app", "no/such"]) {
      expect(await tell(world, `?repository=${name}`, as("bob"))).toEqual({
        activity: [],
        next: null,
      });
    }
  });

  test("what one caller has is no answer to another", async () => {
    const callers = { ann: as("ann"), bob: as("bob"), nobody: {} };
    for (const [name, headers] of Object.entries(callers)) {
      const tag = (await world.send("GET", "/v2/_zot/activity", { headers })).headers.get("etag");
      for (const [other, asOther] of Object.entries(callers)) {
        const asked = { ...asOther, "if-none-match": tag ?? "" };
        const answer = await world.send("GET", "/v2/_zot/activity", { headers: asked });
        expect(answer.status).toBe(name === other ? 304 : 200);
      }
    }
  });

  test("the caller is told who it is", async () => {
    const me = async (headers: Headers) => {
      const answer = await world.send("GET", "/v2/_zot/me", { headers });
      return JSON.parse(Buffer.from(answer.body).toString()) as unknown;
    };
    expect(await me(as("ann"))).toEqual({ name: "ann", isAdministrator: true });
    expect(await me(as("bob"))).toEqual({ name: "bob", isAdministrator: false });
    expect(await me({})).toEqual({ name: null, isAdministrator: false });
  });

  test("a page that asks is not challenged, so that no browser opens a dialog of its own", async () => {
    const wrong = { authorization: `Basic ${Buffer.from("ann:wrong").toString("base64")}` };
    const plain = await world.send("GET", "/v2/_zot/me", { headers: wrong });
    expect([plain.status, plain.headers.get("www-authenticate") !== null]).toEqual([401, true]);
    const headers = { ...wrong, "x-zot-api-client": "zot-ui" };
    const answer = await world.send("GET", "/v2/_zot/me", { headers });
    expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([401, null]);
  });

  test("nobody is told how much happens where they may not look", async () => {
    const anonymous = await world.send("GET", "/v2/_zot/activity?n=1");
    const own = await tell(world, "?n=1", as("ann"));
    const [entry] = (await tell(world, "?n=1")).activity;
    expect(entry?.["id"]).toMatch(/^[0-9a-f]{32}$/);
    expect(own.activity[0]?.["id"]).not.toBe(entry?.["id"]);
    expect(own.next).toMatch(/^[0-9a-f]{32}$/);
    // A cursor is good for whom it was given to.
    const stolen = await world.send("GET", `/v2/_zot/activity?last=${own.next}`);
    expect(stolen.status).toBe(400);
    // What happens elsewhere changes nothing.
    await push(world, "a/hidden", "v1", two, as("ann"));
    const headers = { "if-none-match": anonymous.headers.get("etag") ?? "" };
    expect((await world.send("GET", "/v2/_zot/activity?n=1", { headers })).status).toBe(304);
    await world.send("DELETE", `/v2/a/hidden/manifests/${two.digest}`, { headers: as("ann") });
  });
});
