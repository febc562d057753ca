// Parts of tags are found in memory, and what is remembered is what is there.

import { expect, test } from "bun:test";
import type { Metadata } from "../../metadata/metadata.ts";
import type { RepositorySummary } from "../../metadata/summaries.ts";
import { TagTexts } from "./tag_texts.ts";

function world(tags: Record<number, string[]>) {
  let reads = 0;
  const tagText = async (id: number): Promise<string> => {
    reads += 1;
    return (tags[id] ?? []).join("\n");
  };
  const texts = new TagTexts({ records: () => ({ tagText }) } as unknown as Metadata);
  const at = (id: number, version = 1) => ({ id, version }) as RepositorySummary;
  const find = async (part: string, limit = 99, versions: Record<number, number> = {}) => {
    const repositories = Object.keys(tags).map((id) => at(Number(id), versions[Number(id)]));
    const found = await texts.find(repositories, part, limit);
    return found.map(({ repository, tag }) => `${repository} ${tag}`);
  };
  return { tags, texts, at, find, reads: () => reads };
}

test("a part of a tag is found wherever it stands, in either case, once a tag", async () => {
  const { find } = world({ 1: ["v1.0", "v1.1", "x-1.1-1.1"], 2: [], 3: ["V1.1", "latest"] });
  expect(await find("1.1")).toEqual(["1 v1.1", "1 x-1.1-1.1", "3 V1.1"]);
  expect(await find("latest")).toEqual(["3 latest"]);
  expect(await find("v1.0")).toEqual(["1 v1.0"]);
  expect(await find("")).toHaveLength(5);
  expect(await find("0v")).toEqual([]);
  expect(await find("0\nv")).toEqual([]);
  expect(await find("1", 2)).toEqual(["1 v1.0", "1 v1.1"]);
});

test("a repository is read once, and again when it has changed or was away", async () => {
  const known = world({ 1: ["old"], 2: ["other"] });
  expect(await known.find("o")).toEqual(["1 old", "2 other"]);
  expect(await known.find("o")).toEqual(["1 old", "2 other"]);
  expect(known.reads()).toBe(2);
  known.tags[1] = ["young"];
  expect(await known.find("o", 99, { 1: 2 })).toEqual(["1 young", "2 other"]);
  expect(known.reads()).toBe(3);
  known.texts.forget(2);
  expect(await known.texts.all(known.at(2))).toEqual(["other"]);
  expect(known.reads()).toBe(4);
});
