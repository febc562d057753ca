// Pages of tags and of the catalog while others push: what was there all the time is visited once, in order.

import { afterAll, beforeAll, expect, test } from "bun:test";
import * as fc from "fast-check";
import { nextPage } from "../../src/client/link_header.ts";
import { holds } from "../property.ts";
import { config, image, layer } from "./content.ts";
import { startWorld, type World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

async function prepare(repository: string): Promise<void> {
  for (const blob of [config, layer]) {
    const target = `/v2/${repository}/blobs/uploads/?digest=${blob.digest}`;
    expect((await world.send("POST", target, { body: blob.bytes })).status).toBe(201);
  }
}

async function push(repository: string, tags: readonly string[]): Promise<void> {
  const { bytes, digest, mediaType } = image();
  const query = tags.map((tag) => `tag=${tag}`).join("&");
  const answer = await world.send("PUT", `/v2/${repository}/manifests/${digest}?${query}`, {
    body: bytes,
    headers: { "content-type": mediaType },
  });
  expect(answer.status).toBe(201);
}

/** Visits every page; `between` runs after each. */
async function walk(
  target: string,
  member: "tags" | "repositories",
  between: (page: number) => Promise<void>,
): Promise<string[]> {
  const visited: string[] = [];
  let pages = 0;
  for (let next: string | null = target; next !== null; pages += 1) {
    const answer = await world.send("GET", next);
    expect(answer.status).toBe(200);
    const body = JSON.parse(Buffer.from(answer.body).toString()) as Record<string, string[]>;
    visited.push(...(body[member] ?? []));
    next = nextPage(answer.headers.get("link"));
    await between(pages);
  }
  return visited;
}

const tag = fc.stringMatching(/^[a-cA-C0-2_][a-c._-]{0,3}$/);
const tags = fc.uniqueArray(tag, { maxLength: 40 });

/** Names that come and go between pages. */
const changes = fc.array(
  fc.record({ add: fc.uniqueArray(tag, { maxLength: 4 }), remove: fc.option(fc.nat()) }),
  {
    maxLength: 8,
  },
);

let runs = 0;

test("a walk over tags visits each that stays exactly once, in byte order", async () => {
  await holds(
    "pages of tags",
    fc.asyncProperty(tags, fc.integer({ min: 1, max: 9 }), changes, async (before, n, changes) => {
      runs += 1;
      const repository = `pages/r${runs}`;
      await prepare(repository);
      await push(repository, before);
      const removed = new Set<string>();
      const added = new Set<string>();
      const visited = await walk(`/v2/${repository}/tags/list?n=${n}`, "tags", async (page) => {
        const change = changes[page];
        if (change === undefined) return;
        if (change.add.length > 0) await push(repository, change.add);
        for (const name of change.add) added.add(name);
        const victim = before[(change.remove ?? 0) % Math.max(before.length, 1)];
        if (change.remove === null || victim === undefined) return;
        await world.send("DELETE", `/v2/${repository}/manifests/${victim}`);
        removed.add(victim);
      });
      expect(visited).toEqual([...new Set(visited)].sort());
      const stays = before.filter((name) => !removed.has(name));
      expect(stays.filter((name) => !visited.includes(name))).toEqual([]);
      const strangers = visited.filter((name) => !before.includes(name) && !added.has(name));
      expect(strangers).toEqual([]);
    }),
    25,
  );
});

test("a walk over the catalog visits each repository exactly once, in byte order", async () => {
  const name = fc.stringMatching(/^[a-c][0-2]?(\/[a-c])?$/);
  await holds(
    "pages of the catalog",
    fc.asyncProperty(
      fc.uniqueArray(name, { minLength: 1, maxLength: 6 }),
      fc.uniqueArray(name, { maxLength: 3 }),
      fc.integer({ min: 1, max: 7 }),
      async (first, later, n) => {
        runs += 1;
        const make = async (names: readonly string[]): Promise<string[]> => {
          const full = names.map((part) => `walk${runs}/${part}`);
          for (const repository of full) {
            await prepare(repository);
            await push(repository, ["x"]);
          }
          return full;
        };
        const before = await make(first);
        const after: string[] = [];
        const visited = await walk(`/v2/_catalog?n=${n}`, "repositories", async (page) => {
          if (page === 0) after.push(...(await make(later)));
        });
        expect(visited).toEqual([...new Set(visited)].sort());
        expect(before.filter((repository) => !visited.includes(repository))).toEqual([]);
      },
    ),
    10,
  );
});
