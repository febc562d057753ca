// Lists: what pages hold is in the tables of test/http; here is what a long catalog does to everybody else.

import { expect, test } from "bun:test";
import type { Page } from "../metadata/metadata.ts";
import { listRepositories } from "./lists.ts";
import type { Registry } from "./registry.ts";

test("a caller who may read little of a long catalog lets others have their turn", async () => {
  const names = Array.from({ length: 5_000 }, (_, at) => `r${String(at).padStart(4, "0")}`);
  let reads = 0;
  const catalog = ({ after, limit }: Page): Promise<string[]> => {
    reads += 1;
    const first = after === null ? 0 : names.indexOf(after) + 1;
    return Promise.resolve(names.slice(first, first + limit));
  };
  const registry = { metadata: { catalog } } as unknown as Registry;
  let turns = 0;
  const others = setInterval(() => (turns += 1), 0);
  const isLast = (name: string): boolean => name === "r4999";
  const page = await listRepositories(registry, { last: null, count: 1 }, isLast);
  clearInterval(others);
  expect(page).toEqual({ items: ["r4999"], next: null });
  expect(reads).toBeLessThan(20);
  expect(turns).toBeGreaterThan(0);
});
