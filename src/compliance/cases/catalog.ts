// Cases: the catalog and the list of extensions, which are outside of the specification.
import { resolveAddress } from "../../client/registry_url.ts";
import { nextPage } from "../../client/link_header.ts";
import { isJsonObject } from "../../lib/strict_json.ts";
import { expectHeader, expectJson, expectSameOrigin, expectStatus, expectThat } from "../expect.ts";
import { type Case, negative, positive, scenario, type Scenario } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Skipped, Unsupported } from "../verdict.ts";
import { once } from "./once.ts";

const may = { level: "may" } as const;
const afterShape = { level: "may", after: ["shape"] } as const;
const pagesMax = 200;

export function catalogScenarios(): Scenario[] {
  return [
    scenario("catalog", "catalog", "The list of repositories", catalogCases),
    scenario("catalog", "extensions", "The list of extensions", extensionCases),
  ];
}

const content = once(async (t) => {
  await t.pushImage({ tag: t.name("catalog") });
  const maker = t.maker();
  const image = maker.image({ layerCount: 0 });
  await t.pushAll(maker, t.secondRepository);
  return image;
});
const list = async (t: Trial, query: readonly (readonly [string, string])[]): Promise<string[]> => {
  const answer = await t.client.catalog(query);
  expectStatus(answer, 200);
  const { repositories } = expectJson(answer);
  expectThat(Array.isArray(repositories), "Expected a list `repositories`");
  return repositories.map(String);
};
/** All pages by Link; a registry with very many repositories is not walked to its end. */
const walk = async (t: Trial, n: string): Promise<{ names: string[]; whole: boolean }> => {
  const names: string[] = [];
  let pages = 0;
  for await (const page of t.client.paginate(await t.client.catalog([["n", n]]))) {
    expectStatus(page, 200);
    const { repositories } = expectJson(page);
    if (Array.isArray(repositories)) names.push(...repositories.map(String));
    if (++pages >= pagesMax) return { names, whole: false };
  }
  return { names, whole: true };
};

const catalogCases: readonly Case[] = [
  positive(
    "shape",
    'GET /v2/_catalog gives {"repositories": [...]} as application/json',
    "catalog",
    async (t) => {
      await content(t);
      const answer = await t.client.catalog();
      if (answer.status !== 200)
        throw new Unsupported(`The catalog is not offered: ${answer.status}`);
      const type = expectHeader(answer, "Content-Type");
      expectThat(/^application\/json\b/.test(type), `Expected application/json, got ${type}`);
      expectThat(
        Array.isArray(expectJson(answer)["repositories"]),
        "Expected a list `repositories`",
      );
    },
    may,
  ),
  positive(
    "has-ours",
    "Repositories that were pushed to are listed",
    "catalog",
    async (t) => {
      const { names, whole } = await walk(t, "100");
      if (!whole) throw new Skipped("Too many repositories to look at all");
      for (const name of [t.repository, t.secondRepository]) {
        expectThat(names.includes(name), `Expected ${name} in the catalog`);
      }
    },
    afterShape,
  ),
  positive(
    "order",
    "Repositories are listed once, in lexical order",
    "catalog",
    async (t) => {
      const names = await list(t, []);
      expectThat(new Set(names).size === names.length, "A repository is listed twice");
      expectThat(
        names.join() === [...names].sort().join(),
        "Expected repositories in lexical order",
      );
    },
    afterShape,
  ),
  positive(
    "n",
    "n=1 gives one repository, and a Link to the next",
    "catalog",
    async (t) => {
      const answer = await t.client.catalog([["n", "1"]]);
      expectStatus(answer, 200);
      const { repositories } = expectJson(answer);
      expectThat(
        Array.isArray(repositories) && repositories.length === 1,
        "Expected one repository",
      );
      const next = nextPage(answer.headers.get("Link"));
      expectThat(next !== null, "Expected a Link to the next page");
      const target = resolveAddress(next, answer.address);
      expectThat(target !== null, `Expected a Link that is a URL, got ${next}`);
      expectSameOrigin(target, answer);
    },
    afterShape,
  ),
  positive(
    "last",
    "last gives the repositories after it",
    "catalog",
    async (t) => {
      const [first, second] = await list(t, [["n", "2"]]);
      if (first === undefined || second === undefined)
        throw new Skipped("Fewer than two repositories");
      const [next] = await list(t, [
        ["n", "1"],
        ["last", first],
      ]);
      expectThat(next === second, `Expected ${second} after ${first}, got ${next ?? "none"}`);
    },
    afterShape,
  ),
  positive(
    "walk",
    "Following Link gives every repository once",
    "catalog",
    async (t) => {
      const { names } = await walk(t, "1");
      expectThat(new Set(names).size === names.length, "A repository is listed twice");
      expectThat(names.length >= 2, "Expected at least two repositories");
    },
    afterShape,
  ),
  negative(
    "bad-n",
    "n=a is refused with 400",
    "catalog",
    async (t) => {
      expectStatus(await t.client.catalog([["n", "a"]]), 400);
    },
    afterShape,
  ),
  negative(
    "session-only",
    "A repository where only a session was opened is not listed",
    "catalog",
    async (t) => {
      const repository = `${t.repository}/${t.name("session")}`;
      const start = await t.client.uploadStart(repository);
      if (start.status !== 202) throw new Skipped(`No session in ${repository}: ${start.status}`);
      const { names } = await walk(t, "100");
      expectThat(!names.includes(repository), "A repository without content is listed");
    },
    afterShape,
  ),
];

const discover = async (t: Trial, path: string): Promise<void> => {
  const answer = await t.client.exchange({ method: "GET", url: path });
  if (answer.status === 404 || answer.status === 405) {
    throw new Unsupported(`Extensions are not listed: ${answer.status}`);
  }
  expectStatus(answer, 200);
  const { extensions } = expectJson(answer);
  expectThat(Array.isArray(extensions), "Expected a list `extensions`");
  for (const entry of extensions) {
    expectThat(isJsonObject(entry), "Expected every extension to be an object");
    for (const member of ["name", "url"]) {
      expectThat(
        typeof entry[member] === "string",
        `Expected a text ${member} for every extension`,
      );
    }
    expectThat(
      Array.isArray(entry["endpoints"]),
      "Expected a list of endpoints for every extension",
    );
  }
};

const extensionCases: readonly Case[] = [
  positive(
    "registry",
    "Extensions of the registry are listed",
    "extensions",
    (t) => discover(t, "/v2/_oci/ext/discover"),
    may,
  ),
  positive(
    "repository",
    "Extensions of a repository are listed",
    "extensions",
    async (t) => {
      await t.pushImage();
      await discover(t, `/v2/${t.repository}/_oci/ext/discover`);
    },
    may,
  ),
];
