// A policy with a condition on the tag hides that tag where tags are listed, as it does from pulls: in lists of tags,
// search, histories and what happened lately, by every total.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { tempDirectory } from "../temp.ts";
import { SearchWorld, type Pushed } from "./search_world.ts";

const names = ["admin", "reader", "other"];
const login = (name: string) => ({
  headers: { authorization: `Basic ${Buffer.from(`${name}:${name}`).toString("base64")}` },
});
const all = ["read", "create", "update", "delete"];

let world: SearchWorld;
let directory: AsyncDisposable & { readonly path: string };
let hidden: Pushed;

beforeAll(async () => {
  directory = await tempDirectory("zot-search");
  const file = `${directory.path}/htpasswd`;
  const lines = names.map(
    async (name) => `${name}:${await Bun.password.hash(name, { algorithm: "bcrypt", cost: 4 })}`,
  );
  await Bun.write(file, `${(await Promise.all(lines)).join("\n")}\n`);
  const conditions = [{ expression: '!req.tag.startsWith("secret")' }];
  world = await SearchWorld.start(
    {
      http: {
        auth: { htpasswd: { path: file } },
        accessControl: {
          repositories: {
            "**": {
              policies: [
                { users: ["reader"], actions: ["read"], conditions },
                { users: ["other"], actions: ["read"] },
              ],
            },
          },
          adminPolicy: { users: ["admin"], actions: all },
        },
      },
    },
    login("admin").headers,
  );
  const image = (day: number) => ({
    layers: ["base", `layer ${day}`],
    config: { os: "linux", architecture: "amd64", created: `2026-01-0${day}T00:00:00Z` },
  });
  await world.push("team/app", "v1", image(1));
  await world.push("team/app", "v2", image(2));
  hidden = await world.push("team/app", "secret-3", image(3));
  await world.settled();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

const list = "{Page{TotalCount ItemCount} Results{RepoName Tag}}";
const questions = (digest: string): readonly string[] => [
  `{ImageList(repo:"team/app")${list}}`,
  `{ImageList(repo:"",requestedPage:{limit:2,sortBy:UPDATE_TIME})${list}}`,
  `{ImageList(repo:"team/app",requestedPage:{limit:5,sortBy:DOWNLOADS})${list}}`,
  `{GlobalSearch(query:":s"){Page{TotalCount} Images{Tag}}}`,
  `{GlobalSearch(query:"team/app:"){Page{TotalCount} Images{Tag}}}`,
  `{GlobalSearch(query:"app"){Repos{Name NewestImage{Tag Digest}}}}`,
  `{ExpandedRepoInfo(repo:"team/app"){Images{Tag} Summary{Name NewestImage{Tag}}}}`,
  `{ImageListForDigest(id:"${digest}")${list}}`,
  `{BaseImageList(image:"team/app:v1")${list}}`,
  `{Image(image:"team/app:secret-3"){Tag}}`,
  `{Image(image:"team/app@${digest}"){Tag}}`,
];

test("search", async () => {
  for (const query of questions(hidden.digest)) {
    const text = JSON.stringify(await world.query(query, login("reader")));
    // The words of the question come back where nothing is there.
    const told = text.replaceAll("can't find image: team/app:secret-3", "");
    expect([query, told]).toEqual([query, expect.not.stringContaining("secret")]);
    expect(JSON.stringify(await world.query(query, login("other")))).toContain(
      query.includes("team/app:v1") ? "Results" : "secret-3",
    );
  }
  const page = `{ImageList(repo:"",requestedPage:{limit:9})${list}}`;
  expect(await world.data(page, login("reader"))).toMatchObject({
    ImageList: { Page: { TotalCount: 2, ItemCount: 2 } },
  });
  const newest = `{RepoListWithNewestImage{Results{NewestImage{Tag}}}}`;
  expect(await world.data(newest, login("reader"))).toEqual({
    RepoListWithNewestImage: { Results: [{ NewestImage: { Tag: "v2" } }] },
  });
});

test.each([
  ["the list of tags", "/v2/team/app/tags/list"],
  ["a page of it", "/v2/team/app/tags/list?n=1"],
  ["what happened lately", "/v2/_zot/activity"],
  ["what happened in a repository", "/v2/_zot/activity?repository=team/app&n=3"],
  ["the history of the tag", "/v2/team/app/_oci/tag-history/secret-3"],
])("%s", async (_, path) => {
  const told = async (name: string): Promise<string> => {
    const answer = await world.send("GET", path, login(name));
    expect(answer.status).toBe(200);
    return Buffer.from(answer.body).toString();
  };
  const own = await told("reader");
  expect(own).not.toContain("secret");
  expect(own).not.toContain(hidden.digest);
  expect(await told("other")).toContain(path.includes("history") ? hidden.digest : "secret-3");
});

test("what retention decides, why a layer is kept, and what an undo would do", async () => {
  const told = async (path: string, name: string): Promise<string> => {
    const answer = await world.send("GET", path, login(name));
    expect([path, answer.status]).toEqual([path, 200]);
    return Buffer.from(answer.body).toString();
  };
  const manifest = JSON.parse(await told("/v2/team/app/manifests/v1", "reader"));
  const base: string = manifest.layers[0].digest;
  for (const path of [
    "/v2/team/app/_zot/retention",
    `/v2/team/app/_zot/why/${base}`,
    "/v2/_zot/undo?since=1h",
  ]) {
    const own = await told(path, "reader");
    expect([path, own]).toEqual([path, expect.not.stringContaining("secret")]);
    expect([path, own]).toEqual([path, expect.not.stringContaining(hidden.digest)]);
    expect(own).toContain("v1");
    expect(await told(path, "other")).toContain("secret-3");
  }
  // That nothing else keeps it is not said.
  expect(JSON.parse(await told(`/v2/team/app/_zot/why/${hidden.digest}`, "reader"))).toMatchObject({
    ways: [],
    isCutOff: true,
    unnamedSince: null,
  });
});

test.each([
  "/v2/team/app/_zot/retention?tag=secret-3",
  "/v2/team/app/_zot/usage?tag=v1&tag=secret-3",
  "/v2/team/app/_zot/why/secret-3",
])("what is asked about the tag by its name is refused as a pull is: %s", async (path) => {
  const status = async (name: string): Promise<number> =>
    (await world.send("GET", path, login(name))).status;
  expect([await status("reader"), await status("other")]).toEqual([403, 200]);
});

test("a pull of it is refused as before, and the tags that are shown are pulled", async () => {
  const pull = async (tag: string): Promise<number> =>
    (await world.send("GET", `/v2/team/app/manifests/${tag}`, login("reader"))).status;
  expect(await pull("v1")).toBe(200);
  expect([403, 404]).toContain(await pull("secret-3"));
});
