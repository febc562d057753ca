// What one request may ask for in all, whatever its fields ask for one by one.

import { describe, expect, test } from "bun:test";
import { everyone } from "../../auth/caller.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import type { ImageRow } from "../../metadata/summaries.ts";
import type { Registry } from "../../registry/registry.ts";
import { imagesMax } from "./paging.ts";
import { RepositoryIndex } from "./repository_index.ts";
import { partsMax, Searching, textsMax } from "./searching.ts";
import { Sight } from "./sight.ts";

const summary = (id: number, name: string) => ({
  id,
  name,
  images: 1,
  newest: null,
  updatedAt: null,
  platforms: [],
  vendors: [],
  pulls: 0,
  stars: 0,
  isSigned: false,
  version: id,
});

/** A registry that has the repositories 1 and 2; the caller may read the first. */
async function searching(ids: ReadonlySet<number> | null = new Set([1])): Promise<Searching> {
  const changed = async (version: number) =>
    version === 0 ? [summary(1, "open"), summary(2, "secret")] : [];
  const metadata = { records: () => ({ changed }) } as unknown as Metadata;
  const index = new RepositoryIndex(metadata);
  await index.refresh();
  const sight = new Sight(index, ids);
  return new Searching({ metadata } as Registry, { caller: everyone, showsWho: true, sight });
}

const rows = (count: number, repository = 1): ImageRow[] =>
  Array.from({ length: count }, () => ({ repository, tag: "v1" }) as ImageRow);

describe("images that searches find", () => {
  test("of a repository that the caller may not read are none of it, whenever it came", async () => {
    const found = await (await searching()).find(async () => [...rows(2, 2), ...rows(1)]);
    expect(found.map(({ repository }) => repository)).toEqual([1]);
    // All that there was may be read, and one more came since.
    const all = await searching(new Set([1, 3]));
    expect(await all.find(async () => rows(1, 2))).toEqual([]);
    expect(await (await searching(null)).find(async () => rows(1, 2))).toHaveLength(1);
  });

  test("are bounded for all searches of a request, though it asks for them at once", async () => {
    const request = await searching();
    let read = 0;
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, () =>
        request.find(async (limit) => {
          const found = rows(Math.min(limit, imagesMax));
          read += found.length;
          return found;
        }),
      ),
    );
    expect(read).toBeLessThanOrEqual(2 * imagesMax + 20);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
  });
});

test("manifests, layers and texts of a request are bounded", async () => {
  const request = await searching();
  request.takeParts(partsMax);
  expect(() => request.takeParts(1)).toThrow("manifests and layers");
  request.takeTexts(textsMax);
  expect(() => request.takeTexts(1)).toThrow("characters");
});
