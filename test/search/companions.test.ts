// What zot's clients expect beside the queries: discovery, logins, stars; and the ways in which a query may come.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { answerOf, SearchWorld, searchPath } from "./search_world.ts";

let world: SearchWorld;

beforeAll(async () => {
  world = await SearchWorld.start({ extensions: { search: { cve: { updateInterval: "2h" } } } });
  await world.push("team/app", "v1", { config: { os: "linux" } });
  await world.settled();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const body = (bytes: Uint8Array): Record<string, unknown> =>
  JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>;

test("search is discovered as zli looks for it", async () => {
  const answer = await world.send("GET", "/v2/_oci/ext/discover");
  const { extensions } = body(answer.body) as {
    extensions: { name: string; endpoints: string[] }[];
  };
  const found = extensions.find(({ name }) => name === "_zot");
  expect(found?.endpoints).toEqual([searchPath, "/v2/_zot/ext/mgmt", "/v2/_zot/ext/userprefs"]);
});

test("logins are told before anybody logs in", async () => {
  const { status, body: bytes } = await world.send("GET", "/v2/_zot/ext/mgmt");
  expect([status, body(bytes)]).toMatchObject([
    200,
    { distSpecVersion: "1.1.1", binaryType: "search", http: { auth: {} } },
  ]);
});

test("nobody has stars where nobody logs in, and wrong requests are told so", async () => {
  const put = async (query: string): Promise<number> =>
    (await world.send("PUT", `/v2/_zot/ext/userprefs${query}`)).status;
  expect(await put("?repo=team/app&action=toggleStar")).toBe(403);
  expect(await put("?repo=team/app")).toBe(400);
  expect(await put("?action=toggleStar")).toBe(400);
  expect(await put("?repo=team/app&action=turn")).toBe(400);
});

test("a query comes with raw braces, form-encoded with a body beside it, or in a body", async () => {
  const query = '{ImageList(repo:"team/app"){Results{Tag}}}';
  const raw = query.replaceAll('"', "%22").replaceAll(" ", "%20");
  const form = new URLSearchParams({ query }).toString();
  const answers = [
    await world.send("GET", `${searchPath}?query=${raw}`),
    await world.send("GET", `${searchPath}?${form}`, {
      headers: { "content-type": "application/json", authorization: "Basic Og==" },
    }),
  ].map(answerOf);
  answers.push(await world.post({ query }));
  answers.push(
    await world.post({
      query: "query Q($of:String!){ImageList(repo:$of){Results{Tag}}}",
      variables: { of: "team/app" },
      operationName: "Q",
    }),
  );
  for (const { status, data, errors } of answers) {
    expect([status, errors, data]).toEqual([
      200,
      null,
      { ImageList: { Results: [{ Tag: "v1" }] } },
    ]);
  }
});

/** Of each query the names and the order of its arguments, and what it gives: zli compares all three. */
const contract: Readonly<Record<string, readonly [arguments: string, gives: string]>> = {
  CVEListForImage: ["image requestedPage searchedCVE excludedCVE severity", "CVEResultForImage"],
  CVEDiffListForImages: [
    "minuend subtrahend requestedPage searchedCVE excludedCVE",
    "CVEDiffResult",
  ],
  ImageListForCVE: ["id filter requestedPage", "PaginatedImagesResult"],
  ImageListWithCVEFixed: ["id image filter requestedPage", "PaginatedImagesResult"],
  ImageListForDigest: ["id requestedPage", "PaginatedImagesResult"],
  RepoListWithNewestImage: ["requestedPage", "PaginatedReposResult"],
  ImageList: ["repo requestedPage", "PaginatedImagesResult"],
  ExpandedRepoInfo: ["repo", "RepoInfo"],
  GlobalSearch: ["query filter requestedPage", "GlobalSearchResult"],
  DerivedImageList: ["image digest requestedPage", "PaginatedImagesResult"],
  BaseImageList: ["image digest requestedPage", "PaginatedImagesResult"],
  Image: ["image", "ImageSummary"],
  Referrers: ["repo digest type", "LIST"],
  StarredRepos: ["requestedPage", "PaginatedReposResult"],
  BookmarkedRepos: ["requestedPage", "PaginatedReposResult"],
};

test("the schema is what zot's clients compare", async () => {
  const { __schema } = await world.data(
    "{__schema{queryType{fields{name args{name} type{kind ofType{name kind}}}}}}",
  );
  interface Field {
    readonly name: string;
    readonly args: readonly { readonly name: string }[];
    readonly type: {
      readonly kind: string;
      readonly ofType: { name: string | null; kind: string };
    };
  }
  const { fields } = (__schema as { queryType: { fields: Field[] } }).queryType;
  const found = fields.map(({ name, args, type }) => {
    // Nothing that a query gives may be null.
    expect([name, type.kind]).toEqual([name, "NON_NULL"]);
    return [name, [args.map((each) => each.name).join(" "), type.ofType.name ?? type.ofType.kind]];
  });
  expect(Object.fromEntries(found)).toEqual(
    Object.fromEntries(Object.entries(contract).map(([name, both]) => [name, [...both]])),
  );
});
