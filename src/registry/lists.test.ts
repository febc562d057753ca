// Lists: what pages hold is in the tables of test/http; here is what a long catalog does to everybody else.

import { expect, test } from "bun:test";
import type { CatalogPage, Page } from "../metadata/metadata.ts";
import { listRepositories } from "./lists.ts";
import type { Registry } from "./registry.ts";

/** A registry of so many repositories, and how often it was read. */
function catalogOf(length: number) {
  const names = Array.from({ length }, (_, at) => `r${String(at).padStart(4, "0")}`);
  let reads = 0;
  const catalog = ({ after, limit }: Page): Promise<CatalogPage> => {
    reads += 1;
    const first = after === null ? 0 : names.indexOf(after) + 1;
    const found = names.slice(first, first + limit);
    return Promise.resolve({ names: found, next: found.length < limit ? null : found.at(-1)! });
  };
  return { registry: { metadata: { catalog } } as unknown as Registry, reads: () => reads };
}

/** Counts the turns that others have while work goes on. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  const done = new AbortController();
  const others = (async () => {
    while (!done.signal.aborted) {
      await nextTurn();
      turns += 1;
    }
  })();
  await work();
  done.abort();
  await others;
  return turns;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test("a caller who may read little of a long catalog lets others have their turn", async () => {
  const { registry, reads } = catalogOf(5_000);
  const reader = { mayRead: (name: string) => name === "r4999", spent: () => 0 };
  const turns = await turnsDuring(async () => {
    const page = await listRepositories(registry, { last: null, count: 1 }, reader);
    expect(page).toEqual({ items: ["r4999"], next: null });
  });
  expect(reads()).toBeLessThan(20);
  expect(turns).toBeGreaterThan(5);
});

test("decisions that cost much let others have their turn, however few they are", async () => {
  const { registry } = catalogOf(100);
  let spent = 0;
  const mayRead = (): boolean => {
    spent += 10_000;
    return true;
  };
  const reader = { mayRead, spent: () => spent };
  const turns = await turnsDuring(async () => {
    const page = await listRepositories(registry, { last: null, count: null }, reader);
    expect(page.items).toHaveLength(100);
  });
  expect(turns).toBeGreaterThan(30);
});
