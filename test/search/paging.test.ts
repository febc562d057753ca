// Pages: corners of limit and offset, orders with their ties, and a walk over pages while tags move.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { SearchWorld } from "./search_world.ts";

let world: SearchWorld;
const created = (hour: number) => `2026-01-01T${String(hour).padStart(2, "0")}:00:00Z`;

beforeAll(async () => {
  world = await SearchWorld.start();
  // Two images of the same time in each repository, and one without any.
  for (const name of ["b/one", "a/two"]) {
    await world.push(name, "v2", { layers: [name], config: { created: created(5) } });
    await world.push(name, "v1", { layers: [name], config: { created: created(5) } });
    await world.push(name, "v3", { layers: [name], config: { created: created(7) } });
    await world.push(name, "none", { layers: [name, "none"], config: {} });
  }
  for (let pull = 0; pull < 3; pull += 1) await world.send("GET", "/v2/b/one/manifests/none");
  await world.settled();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

async function images(
  page: string,
  repo = "",
): Promise<{ total: number; count: number; found: string[] }> {
  const { ImageList } = await world.data(
    `{ImageList(repo:"${repo}",requestedPage:{${page}}){Page{TotalCount ItemCount} Results{RepoName Tag}}}`,
  );
  const { Page, Results } = ImageList as {
    Page: { TotalCount: number; ItemCount: number };
    Results: { RepoName: string; Tag: string }[];
  };
  return {
    total: Page.TotalCount,
    count: Page.ItemCount,
    found: Results.map(({ RepoName, Tag }) => `${RepoName}:${Tag}`),
  };
}

const byName = ["none", "v1", "v2", "v3"]
  .flatMap((tag) => `a/two:${tag}`)
  .concat(["none", "v1", "v2", "v3"].map((tag) => `b/one:${tag}`));

describe("limit and offset", () => {
  test.each<[string, readonly string[]]>([
    ["", byName],
    ["limit:0", byName],
    ["limit:0,offset:3", []],
    ["limit:3", byName.slice(0, 3)],
    ["limit:3,offset:2", byName.slice(2, 5)],
    ["limit:100,offset:6", byName.slice(6)],
    ["limit:3,offset:100", []],
    ["offset:0", byName],
  ])("{%s}", async (page, expected) => {
    // An empty input needs one member.
    const found = await images(page === "" ? "limit:null" : page);
    expect(found).toEqual({ total: 8, count: expected.length, found: [...expected] });
  });
});

test.each(["RELEVANCE", "UPDATE_TIME", "ALPHABETIC_DSC", "DOWNLOADS"])(
  "a repository that is not there has no images by %s, and stands for no others",
  async (sortBy) => {
    const found = await images(`limit:10,sortBy:${sortBy}`, "no/such");
    expect(found).toEqual({ total: 0, count: 0, found: [] });
  },
);

describe("orders", () => {
  const newest = ["v3", "v1", "v2", "none"];
  test.each<[string, readonly string[]]>([
    ["ALPHABETIC_ASC", byName],
    ["RELEVANCE", byName],
    ["ALPHABETIC_DSC", byName.toReversed()],
    [
      "UPDATE_TIME",
      newest
        .slice(0, 1)
        .flatMap((tag) => [`a/two:${tag}`, `b/one:${tag}`])
        .concat(["a/two:v1", "a/two:v2", "b/one:v1", "b/one:v2"], ["a/two:none", "b/one:none"]),
    ],
  ])("%s", async (order, expected) => {
    expect((await images(`sortBy:${order}`)).found).toEqual([...expected]);
    // Page by page it is the same.
    const walked: string[] = [];
    for (let offset = 0; offset < 8; offset += 3) {
      walked.push(...(await images(`limit:3,offset:${offset},sortBy:${order}`)).found);
    }
    expect(walked).toEqual([...expected]);
  });

  test("of one repository", async () => {
    expect((await images("sortBy:UPDATE_TIME", "a/two")).found).toEqual(
      newest.map((tag) => `a/two:${tag}`),
    );
  });
});

test("a list of hundreds is told whole, in order, while others are answered", async () => {
  const tags = Array.from({ length: 350 }, (_, at) => `t${String(at).padStart(3, "0")}`);
  const image = await world.push("c/many", "t000", { layers: ["many"] });
  for (const tag of tags) await world.put("c/many", tag, image);
  await world.settled();
  const { found, total } = await images("sortBy:ALPHABETIC_DSC", "c/many");
  expect([total, found]).toEqual([350, tags.toReversed().map((tag) => `c/many:${tag}`)]);
  const { ExpandedRepoInfo } = await world.data(`{ExpandedRepoInfo(repo:"c/many"){Images{Tag}}}`);
  expect((ExpandedRepoInfo as { Images: object[] }).Images).toEqual(tags.map((Tag) => ({ Tag })));
  expect((await world.send("DELETE", `/v2/c/many/manifests/${image.digest}`)).status).toBe(202);
  await world.settled();
});

test("a walk over pages while a tag moves repeats no image", async () => {
  const walked: string[] = [];
  for (let offset = 0; offset < 8; offset += 2) {
    walked.push(...(await images(`limit:2,offset:${offset}`)).found);
    await world.push("b/one", "v2", {
      layers: [`moved ${offset}`],
      config: { created: created(9) },
    });
    await world.settled();
  }
  expect(walked).toEqual(byName);
});
