// Tags, catalog and referrers: the table, and lists of thousands.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Exchange } from "../../src/client/exchange.ts";
import { nextPage } from "../../src/client/link_header.ts";
import { config, image, layer, type ManifestContent, referrer } from "./content.ts";
import { newScene, type Scene, testRows } from "./row.ts";
import { catalogRows, listRows } from "./rows/lists.ts";
import { startWorld, type World } from "./world.ts";

testRows("lists", listRows);
testRows("catalog", catalogRows);

describe("long lists", () => {
  let world: World;
  let scene: Scene;

  beforeAll(async () => {
    world = await startWorld();
    scene = newScene(world);
    await scene.give({ blob: config });
    await scene.give({ blob: layer });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const bodyOf = <T>(page: Exchange): T => JSON.parse(Buffer.from(page.body).toString()) as T;

  /** Every page from a first one on, by its links. */
  async function pagesFrom(target: string): Promise<Exchange[]> {
    const pages: Exchange[] = [];
    for (let next: string | null = scene.fill(target); next !== null;) {
      const page = await world.send("GET", next);
      expect(page.status).toBe(200);
      pages.push(page);
      next = nextPage(page.headers.get("link"));
      if (next !== null) expect(next).toStartWith("/v2/");
    }
    return pages;
  }

  const tagsOf = async (target: string): Promise<string[][]> =>
    (await pagesFrom(target)).map((page) => bodyOf<{ tags: string[] }>(page).tags);

  async function putTags(names: readonly string[]): Promise<void> {
    const { bytes, digest, mediaType } = image();
    for (let at = 0; at < names.length; at += 46) {
      const query = names
        .slice(at, at + 46)
        .map((tag) => `tag=${tag}`)
        .join("&");
      const answer = await world.send("PUT", scene.fill(`/v2/{r}/manifests/${digest}?${query}`), {
        body: bytes,
        headers: { "content-type": mediaType },
      });
      expect(answer.status).toBe(201);
    }
  }

  test("a list of 10,050 tags comes in pages of 10,000 at most, each tag once", async () => {
    const names = Array.from({ length: 10_050 }, (_, n) => `t${(n * 7919) % 10_050}`);
    await putTags(names);
    const sorted = names.toSorted();
    for (const query of ["", "?n=99999999999999999999", "?n=10001", "?n=10050"]) {
      const pages = await tagsOf(`/v2/{r}/tags/list${query}`);
      expect(pages.map((tags) => tags.length)).toEqual([10_000, 50]);
      expect(pages.flat()).toEqual(sorted);
    }
    const pages = await tagsOf("/v2/{r}/tags/list?n=999");
    expect(pages.map((tags) => tags.length)).toEqual([...Array<number>(10).fill(999), 60]);
    expect(pages.flat()).toEqual(sorted);
    expect((await tagsOf("/v2/{r}/tags/list?n=10&last=t9990")).flat()).toEqual(
      sorted.filter((tag) => tag > "t9990"),
    );
  });

  async function putAll(manifests: readonly ManifestContent[]): Promise<void> {
    const rest = [...manifests];
    const worker = async (): Promise<void> => {
      for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
        await scene.give({ manifest: next });
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
  }

  test("a list of 1,020 referrers comes in pages of 1,000 at most, each once, filtered on every page", async () => {
    const subject = image({ annotations: { for: "many" } });
    const type = "application/vnd.example.odd+json";
    const manifests = Array.from({ length: 1_020 }, (_, n) =>
      referrer(subject, n, n < 1_010 ? { artifactType: type } : {}),
    );
    await putAll(manifests);
    const digestsOf = (pages: Exchange[]): string[][] =>
      pages.map((page) =>
        bodyOf<{ manifests: { digest: string }[] }>(page).manifests.map(({ digest }) => digest),
      );
    const all = digestsOf(await pagesFrom(`/v2/{r}/referrers/${subject.digest}`));
    expect(all.map((page) => page.length)).toEqual([1_000, 20]);
    expect(all.flat()).toEqual(manifests.map(({ digest }) => digest).sort());
    const filtered = await pagesFrom(
      `/v2/{r}/referrers/${subject.digest}?artifactType=${encodeURIComponent(type)}`,
    );
    expect(filtered.map(({ headers }) => headers.get("oci-filters-applied"))).toEqual([
      "artifactType",
      "artifactType",
    ]);
    expect(digestsOf(filtered).flat()).toEqual(
      manifests
        .slice(0, 1_010)
        .map(({ digest }) => digest)
        .sort(),
    );
  });

  test("a page of referrers with large annotations stays below 4 MiB", async () => {
    const subject = image({ annotations: { for: "large" } });
    const manifests = Array.from({ length: 9 }, (_, n) =>
      referrer(subject, n, { annotations: { n: `${n}`, pad: "ä".repeat(500_000) } }),
    );
    for (const manifest of manifests) await scene.give({ manifest });
    const pages = await pagesFrom(`/v2/{r}/referrers/${subject.digest}`);
    expect(pages.length).toBeGreaterThan(1);
    for (const page of pages) expect(page.bodyBytes).toBeLessThan(4 * 1024 * 1024);
    const listed = pages.flatMap((page) => bodyOf<{ manifests: object[] }>(page).manifests);
    expect(listed.length).toBe(9);
  });
});
