// Who sees what: a caller of none, one or all repositories, by every query. What may not be read is not there: not in
// totals, pages and suggestions, and not by a byte of difference to what never was.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { answerOf, SearchWorld, type Pushed } from "./search_world.ts";

const htpasswd = await Promise.all(
  ["admin", "all", "one", "none"].map(
    async (name) => `${name}:${await Bun.password.hash(name, { algorithm: "bcrypt", cost: 4 })}`,
  ),
);
const login = (name: string) => ({
  headers: { authorization: `Basic ${Buffer.from(`${name}:${name}`).toString("base64")}` },
});
const secrets = 12;

let world: SearchWorld;
let directory: AsyncDisposable & { readonly path: string };
let open: Pushed;
let secret: Pushed;

beforeAll(async () => {
  const { tempDirectory } = await import("../temp.ts");
  directory = await tempDirectory("zot-search");
  const file = `${directory.path}/htpasswd`;
  await Bun.write(file, `${htpasswd.join("\n")}\n`);
  const read = ["read"];
  world = await SearchWorld.start(
    {
      http: {
        auth: { htpasswd: { path: file } },
        accessControl: {
          repositories: {
            "open/**": { policies: [{ users: ["one"], actions: read }] },
            "public/**": { anonymousPolicy: read, defaultPolicy: read },
          },
          adminPolicy: { users: ["admin", "all"], actions: ["read", "create", "update", "delete"] },
        },
      },
    },
    login("admin").headers,
  );
  const config = { os: "linux", architecture: "amd64", created: "2026-01-01T00:00:00Z" };
  open = await world.push("open/app", "v1", { layers: ["shared", "open"], config });
  for (let at = 0; at < secrets; at += 1) {
    const of = { layers: ["shared", "open", `secret ${at}`], config };
    secret = await world.push(`secret/app-${at}`, `v${at}`, of);
  }
  await world.push("secret/base", "v1", { layers: ["shared"], config });
  await world.settled();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

const queries = (image: string, layer: string) => ({
  text: `{GlobalSearch(query:"app"){Page{TotalCount ItemCount} Repos{Name}}}`,
  everything: `{GlobalSearch(query:"",requestedPage:{limit:3,offset:1}){Page{TotalCount ItemCount} Repos{Name}}}`,
  suggestions: `{GlobalSearch(query:"${image}"){Page{TotalCount} Images{RepoName Tag}}}`,
  tag: `{GlobalSearch(query:":v"){Page{TotalCount} Images{RepoName Tag}}}`,
  digest: `{ImageListForDigest(id:"${layer}"){Page{TotalCount} Results{RepoName Tag}}}`,
  images: `{ImageList(repo:"",requestedPage:{limit:5}){Page{TotalCount ItemCount} Results{RepoName Tag}}}`,
  newest: `{ImageList(repo:"",requestedPage:{limit:5,sortBy:UPDATE_TIME}){Page{TotalCount ItemCount} Results{RepoName}}}`,
  repositories: `{RepoListWithNewestImage(requestedPage:{limit:5}){Page{TotalCount ItemCount} Results{Name}}}`,
  above: `{DerivedImageList(image:"open/app:v1"){Page{TotalCount} Results{RepoName}}}`,
  below: `{BaseImageList(image:"open/app:v1"){Page{TotalCount} Results{RepoName}}}`,
});

describe("one repository of many", () => {
  test("is all that its reader is told of, by every query", async () => {
    for (const [name, query] of Object.entries(queries("open/app:v", open.layers[0]!))) {
      const { status, data } = await world.query(query, login("one"));
      expect([name, status]).toEqual([name, 200]);
      expect(JSON.stringify(data)).not.toContain("secret");
      if (name === "above" || name === "below") {
        expect(data).toEqual({
          [name === "above" ? "DerivedImageList" : "BaseImageList"]: {
            Page: { TotalCount: 0 },
            Results: [],
          },
        });
      } else expect(JSON.stringify(data)).toContain('"TotalCount":1');
    }
  });

  test("and who may read all sees all", async () => {
    const found = await world.data(queries("", open.layers[0]!).digest, login("all"));
    expect(JSON.stringify(found)).toContain(`"TotalCount":${secrets + 2}`);
    const above = await world.data(queries("", "").above, login("all"));
    expect(JSON.stringify(above)).toContain(`"TotalCount":${secrets}`);
  });

  test("who may read none is told of none", async () => {
    for (const [name, query] of Object.entries(queries("open/app:v", open.layers[0]!))) {
      const answer = await world.query(query, login("none"));
      expect(JSON.stringify(answer)).not.toMatch(/"(?:Name|RepoName)"/);
      if (name !== "above" && name !== "below") {
        expect(JSON.stringify(answer.data)).toContain('"TotalCount":0');
      }
    }
  });
});

describe("what may not be read", () => {
  const single = (repository: string, digest: string): Record<string, string> => ({
    image: `{Image(image:"${repository}:v0"){RepoName Tag}}`,
    byDigest: `{Image(image:"${repository}@${digest}"){RepoName Tag}}`,
    expanded: `{ExpandedRepoInfo(repo:"${repository}"){Images{Tag} Summary{Name}}}`,
    list: `{ImageList(repo:"${repository}"){Page{TotalCount} Results{Tag}}}`,
    referrers: `{Referrers(repo:"${repository}",digest:"${digest}"){Digest}}`,
    below: `{BaseImageList(image:"${repository}:v0"){Results{Tag}}}`,
    search: `{GlobalSearch(query:"${repository}:v"){Page{TotalCount} Images{Tag}}}`,
    manifest: `{GlobalSearch(query:"${repository}@${digest}"){Images{Tag}}}`,
  });

  test("is answered byte for byte as what is not there", async () => {
    // Names of one length, so that positions in the text are equal.
    const [there, absent] = ["secret/app-0", "secret/app-x"];
    const forbidden = single(there, secret.digest);
    const missing = single(absent, secret.digest);
    for (const name of Object.keys(forbidden)) {
      const ask = async (query: string) => {
        const target = `/v2/_zot/ext/search?query=${encodeURIComponent(query)}`;
        const { status, body } = await world.send("GET", target, login("one"));
        return [status, Buffer.from(body).toString()];
      };
      const [seen, unseen] = [await ask(forbidden[name]!), await ask(missing[name]!)];
      expect([name, ...seen]).toEqual([name, ...unseen]);
      expect(await ask(single(there, secret.digest)["list"]!)).not.toEqual([401, ""]);
    }
  });

  test("cannot be starred, as what is not there cannot", async () => {
    const put = async (repository: string, name: string) => {
      const at = `/v2/_zot/ext/userprefs?repo=${repository}&action=toggleStar`;
      const { status, body } = await world.send("PUT", at, login(name));
      return [status, Buffer.from(body).toString()];
    };
    expect(await put("secret/app-0", "one")).toEqual(await put("secret/app-x", "one"));
    expect((await put("secret/app-0", "one"))[0]).toBe(404);
    expect((await put("open/app", "one"))[0]).toBe(200);
    const starred = await world.data(
      `{StarredRepos{Results{Name StarCount IsStarred}}}`,
      login("one"),
    );
    expect(starred).toEqual({
      StarredRepos: { Results: [{ Name: "open/app", StarCount: 1, IsStarred: true }] },
    });
    const others = await world.data(`{StarredRepos{Page{TotalCount} Results{Name}}}`, login("all"));
    expect(others).toEqual({ StarredRepos: { Page: { TotalCount: 0 }, Results: [] } });
    expect((await put("open/app", "one"))[0]).toBe(200);
  });
});

test("who pushed is told to callers who have logged in, as in histories of tags", async () => {
  await world.push("public/app", "v1", { layers: ["public"], config: { os: "linux" } });
  await world.settled();
  const query = `{Image(image:"public/app:v1"){RepoName PushedBy}}`;
  const target = `/v2/_zot/ext/search?query=${encodeURIComponent(query)}`;
  const by = async (options: object) =>
    answerOf(await world.world.send("GET", target, options)).data;
  expect(await by({})).toEqual({
    Image: { RepoName: "public/app", PushedBy: "" },
  });
  expect(await by(login("none"))).toEqual({
    Image: { RepoName: "public/app", PushedBy: "admin" },
  });
});

test("how many repositories there are is told to administrators alone", async () => {
  const ask = async (name: string) => {
    const { status, body } = await world.send("GET", "/v2/_zot/search/progress", login(name));
    return { status, told: JSON.parse(Buffer.from(body).toString()) as Record<string, unknown> };
  };
  const { told } = await ask("admin");
  expect(told["repositories"]).toEqual({
    done: expect.any(Number) as number,
    all: expect.any(Number) as number,
  });
  expect(await ask("one")).toMatchObject({ status: 200, told: { repositories: null } });
});
