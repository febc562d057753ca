// Cases: tag lists, whole and in pages.
//
// The repository may have tags of others: what is expected is worked out from the whole list.
import type { Exchange } from "../../client/exchange.ts";
import { parseLinks } from "../../client/link_header.ts";
import { resolveAddress } from "../../client/registry_url.ts";
import {
  expectHeader,
  expectJson,
  expectNoHeader,
  expectSameOrigin,
  expectStatus,
  expectThat,
  expectPushed,
} from "../expect.ts";
import { type Case, negative, positive, scenario, type Scenario } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Skipped } from "../verdict.ts";
import { once } from "./once.ts";

/** The order of Go's sort.Strings for the characters that tags may have. */
export function compareStrings(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function tagScenarios(): Scenario[] {
  const cases = [...listCases, ...pageCases, ...edgeCases];
  return [scenario("tags", "tags", "Listing tags", cases)];
}

const tagCount = 7;

/** Pushes seven tags whose order shows case and digits; the whole list of the repository. */
const tagged = async (t: Trial): Promise<string[]> => {
  const image = await t.pushImage();
  const run = t.seed;
  const names = [
    `1.10-${run}`,
    `1.9-${run}`,
    `A-${run}`,
    `a-${run}`,
    `b-${run}`,
    `Z-${run}`,
    `_z-${run}`,
  ];
  for (const name of names) await expectPushed(t.pushManifest(image, name));
  const all = await walk(t, []);
  for (const name of names) expectThat(all.includes(name), `Expected tag ${name} in the list`);
  return all;
};
const shared = once(tagged);
const after = ["all"];
const should = { after, level: "should" } as const;
type Query = readonly (readonly [string, string])[];

/** One page, checked. */
async function page(t: Trial, query: Query): Promise<{ tags: string[]; answer: Exchange }> {
  const answer = await t.client.tagsList(t.repository, query);
  expectStatus(answer, 200);
  return { tags: tagsOf(answer), answer };
}

function tagsOf(answer: Exchange): string[] {
  const list = expectJson(answer)["tags"];
  expectThat(Array.isArray(list), "Expected a list `tags`");
  return list.map(String);
}

/** All pages, by Link. */
async function walk(t: Trial, query: Query): Promise<string[]> {
  const all: string[] = [];
  for await (const answer of t.client.paginate(await t.client.tagsList(t.repository, query))) {
    expectStatus(answer, 200);
    all.push(...tagsOf(answer));
  }
  return all;
}

function same(found: readonly string[], wanted: readonly string[]): void {
  expectThat(
    found.join() === wanted.join(),
    `Expected tags ${wanted.join(", ") || "(none)"}, got ${found.join(", ") || "(none)"}`,
  );
}

const listCases: readonly Case[] = [
  positive("all", "Every tag that was pushed is listed", "tags", async (t) => {
    await shared(t);
  }),
  positive(
    "body",
    "The body has the name of the repository and a list of tags",
    "tagsBody",
    async (t) => {
      await shared(t);
      const { answer } = await page(t, []);
      const body = expectJson(answer);
      expectThat(
        body["name"] === t.repository,
        `Expected name ${t.repository}, got ${String(body["name"])}`,
      );
    },
    { after: ["all"] },
  ),
  positive(
    "type",
    "The list is sent as application/json",
    "jsonType",
    async (t) => {
      const { answer } = await page(t, []);
      const type = expectHeader(answer, "Content-Type");
      expectThat(/^application\/json\b/.test(type), `Expected application/json, got ${type}`);
    },
    { after: ["all"], level: "should" },
  ),
  positive(
    "order",
    "Tags are in lexical order, by bytes or without case",
    "tagsOrder",
    async (t) => {
      const all = await shared(t);
      const byBytes = [...all].sort(compareStrings);
      const withoutCase = [...all].sort((a, b) => compareStrings(a.toLowerCase(), b.toLowerCase()));
      const lowerOnly = all.map((tag) => tag.toLowerCase()).join();
      const fits =
        all.join() === byBytes.join() ||
        lowerOnly === withoutCase.map((tag) => tag.toLowerCase()).join();
      expectThat(fits, `Expected lexical order, got ${all.join(", ")}`);
    },
    { after: ["all"] },
  ),
  positive(
    "unique",
    "Every tag is listed once",
    "tagsBody",
    async (t) => {
      const all = await shared(t);
      expectThat(new Set(all).size === all.length, "A tag is listed twice");
    },
    { after: ["all"] },
  ),
];

const pageCases: readonly Case[] = [
  positive(
    "n",
    "n=2 gives the first two tags",
    "tagsCount",
    async (t) => {
      const all = await shared(t);
      same((await page(t, [["n", "2"]])).tags, all.slice(0, 2));
    },
    { after },
  ),
  positive(
    "n-one",
    "n=1 gives the first tag",
    "tagsStart",
    async (t) => {
      same((await page(t, [["n", "1"]])).tags, (await shared(t)).slice(0, 1));
    },
    { after },
  ),
  positive(
    "walk",
    "Following Link with n=2 gives every tag once, in order",
    "tagsLinkMeansMore",
    async (t) => {
      const all = await shared(t);
      const { answer } = await page(t, [["n", "2"]]);
      if (!answer.headers.has("Link"))
        throw new Skipped("No Link header: pages have to be asked for with last");
      same(await walk(t, [["n", "2"]]), all);
    },
    { after },
  ),
  positive(
    "walk-last",
    "Asking with last for page after page gives every tag once, in order",
    "tagsLast",
    async (t) => {
      const all = await shared(t);
      const found: string[] = [];
      for (let last = ""; found.length <= all.length + 3;) {
        const { tags } = await page(t, [
          ["n", "3"],
          ...(last === "" ? [] : [["last", last] as const]),
        ]);
        found.push(...tags);
        if (tags.length < 3) break;
        last = tags.at(-1) ?? "";
      }
      same(found, all);
    },
    { after },
  ),
  positive(
    "link-format",
    'Link is </v2/...>; rel="next" on this registry',
    "tagsLink",
    async (t) => {
      await shared(t);
      const { answer } = await page(t, [["n", "2"]]);
      const link = answer.headers.get("Link");
      if (link === null) throw new Skipped("No Link header");
      const [first] = parseLinks(link) ?? [];
      expectThat(first !== undefined, `Expected a Link by RFC 5988, got ${link}`);
      expectThat(first.parameters.get("rel") === "next", `Expected rel="next", got ${link}`);
      const target = resolveAddress(first.target, answer.address);
      expectThat(target !== null, `Expected a Link that is a URL, got ${link}`);
      expectSameOrigin(target, answer);
    },
    { after },
  ),
  positive(
    "link-offered",
    "A page that is not the last has a Link",
    "tagsLinkMeansMore",
    async (t) => {
      await shared(t);
      expectHeader((await page(t, [["n", "2"]])).answer, "Link");
    },
    { after, level: "should" },
  ),
  positive(
    "full-page",
    "n equal to the number of tags gives all, and no Link",
    "tagsLinkMeansMore",
    async (t) => {
      const all = await shared(t);
      const { tags, answer } = await page(t, [["n", String(all.length)]]);
      same(tags, all);
      expectNoHeader(answer, "Link");
    },
    { after, level: "should" },
  ),
  positive(
    "large-n",
    "n larger than the number of tags gives all, and no Link",
    "tagsFewer",
    async (t) => {
      const all = await shared(t);
      const { tags, answer } = await page(t, [["n", String(all.length + 5)]]);
      same(tags, all);
      expectNoHeader(answer, "Link");
    },
    { after },
  ),
  positive(
    "last",
    "last without n gives every later tag",
    "tagsLastAlone",
    async (t) => {
      const all = await shared(t);
      const at = Math.max(0, all.length - tagCount + 2);
      same(await walk(t, [["last", all[at] ?? ""]]), all.slice(at + 1));
    },
    { after },
  ),
  positive(
    "n-and-last",
    "n and last together give the page after",
    "tagsLast",
    async (t) => {
      const all = await shared(t);
      const at = all.length - 4;
      same(
        (
          await page(t, [
            ["n", "2"],
            ["last", all[at] ?? ""],
          ])
        ).tags,
        all.slice(at + 1, at + 3),
      );
    },
    { after },
  ),
];

const edgeCases: readonly Case[] = [
  positive(
    "zero",
    "n=0 gives an empty list and no Link",
    "tagsZero",
    async (t) => {
      const { tags, answer } = await page(t, [["n", "0"]]);
      same(tags, []);
      expectNoHeader(answer, "Link");
    },
    { after },
  ),
  positive(
    "last-is-end",
    "last equal to the last tag gives an empty list and no Link",
    "tagsLast",
    async (t) => {
      const all = await shared(t);
      const { tags, answer } = await page(t, [["last", all.at(-1) ?? ""]]);
      same(tags, []);
      expectNoHeader(answer, "Link");
    },
    { after },
  ),
  positive(
    "last-unknown",
    "last may be a tag that does not exist",
    "tagsLast",
    async (t) => {
      const all = await shared(t);
      const at = all.length - 3;
      const between = `${all[at] ?? ""}.between`;
      const { tags } = await page(t, [["last", between]]);
      same(tags, all.slice(at + 1));
    },
    should,
  ),
  ...["-1", "a", "", "1.5", " "].map((n) =>
    negative(
      `bad-n-${n === "" ? "empty" : n === " " ? "space" : n}`,
      `n=${JSON.stringify(n)} is refused with 400`,
      "tagsInteger",
      async (t) => {
        expectStatus(await t.client.tagsList(t.repository, [["n", n]]), 400);
      },
      should,
    ),
  ),
  negative(
    "huge-n",
    "A huge n gives all tags, a page with Link, or 400, never a failure",
    "tagsInteger",
    async (t) => {
      const answer = await t.client.tagsList(t.repository, [["n", "99999999999999999999"]]);
      expectStatus(answer, [200, 400]);
    },
    should,
  ),
  negative(
    "unknown-repository",
    "The list of an unknown repository is 404, or empty",
    "end8",
    async (t) => {
      const answer = await t.client.tagsList(`${t.repository}/never-${t.seed}`);
      expectStatus(answer, [404, 200]);
    },
  ),
  positive(
    "moved-tag",
    "A tag that moves is listed once",
    "tagsBody",
    async (t) => {
      const tag = t.name("moved");
      await t.pushImage({ tag });
      await t.pushImage({ tag });
      const all = await walk(t, []);
      expectThat(
        all.filter((name) => name === tag).length === 1,
        `Expected ${tag} once in the list`,
      );
    },
    { after },
  ),
];
