// Pages of tags, repositories, referrers and holders of a blob: complete, in byte order, without repeats.
//
// Properties over random names: pages of any length, put together, are the whole list.

import { expect, test } from "bun:test";
import * as fc from "fast-check";
import type { Metadata, Page } from "../../src/metadata/metadata.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import {
  type OpenEmptyStore,
  change,
  digest,
  manifest,
  openTested,
  otherRepository,
  repository,
} from "./metadata_facts.ts";

/** All pages of a list, one after the other, as a client that follows `last` sees them. */
async function pages<T>(
  read: (page: Page) => Promise<T[]>,
  options: { readonly limit: number; readonly keyOf: (item: T) => string },
): Promise<T[]> {
  const items: T[] = [];
  for (let after: string | null = null; ;) {
    const page = await read({ after, limit: options.limit });
    expect(page.length).toBeLessThanOrEqual(options.limit);
    items.push(...page);
    const last = page.at(-1);
    if (last === undefined) return items;
    after = options.keyOf(last);
  }
}

/** As `pages`, for lists that say themselves where the next page begins. */
async function scanned<Scanned extends { readonly next: string | null }, T>(
  read: (page: Page) => Promise<Scanned>,
  limit: number,
  itemsOf: (page: Scanned) => readonly T[],
): Promise<T[]> {
  const items: T[] = [];
  for (let after: string | null = null; ;) {
    const page: Scanned = await read({ after, limit });
    expect(itemsOf(page).length).toBeLessThanOrEqual(limit);
    items.push(...itemsOf(page));
    if (page.next === null) return items;
    after = page.next;
  }
}

const itself = (item: string): string => item;
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

const tagText = fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,12}$/);
const nameText = fc.stringMatching(
  /^[a-z0-9]{1,4}(?:[._-][a-z0-9]{1,3})?(?:\/[a-z0-9]{1,4}){0,2}$/,
);

export function testLists(open: OpenEmptyStore): void {
  test("tags: any pages make the whole list, in byte order", async () => {
    const property = fc.asyncProperty(
      fc.uniqueArray(tagText, { maxLength: 25 }),
      fc.integer({ min: 1, max: 8 }),
      async (tags, limit) => {
        await using tested = await openTested(open);
        await tested.did(change.put("m"), ...tags.map((tag) => change.tag(tag, "m")));
        await tested.did(change.tag("elsewhere", "m", otherRepository));
        const read = (page: Page) => tested.metadata.tags(repository, page);
        expect(await pages(read, { limit, keyOf: itself })).toEqual(tags.toSorted(byBytes));
      },
    );
    await fc.assert(property, { numRuns: 15 });
  });

  test("catalog: any pages make the whole list, of repositories that hold a manifest", async () => {
    const property = fc.asyncProperty(
      fc.uniqueArray(nameText, { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 6 }),
      async (names, limit) => {
        await using tested = await openTested(open);
        const [empty = "", ...full] = names;
        await tested.did(change.create(empty), change.link("layer", empty));
        for (const name of full) await tested.did(change.put("m", name));
        const read = (page: Page) => tested.metadata.catalog(page);
        const listed = await scanned(read, limit, ({ names }) => names);
        expect(listed).toEqual(full.toSorted(byBytes));
      },
    );
    await fc.assert(property, { numRuns: 15 });
  });

  const pageRows: readonly [after: string | null, limit: number, expected: string[]][] = [
    [null, 2, ["A", "a"]],
    ["A", 2, ["a", "a-b"]],
    ["a", 9, ["a-b", "b"]],
    ["a-", 1, ["a-b"]],
    ["aa", 9, ["b"]],
    ["b", 9, []],
    ["zzz", 9, []],
    ["", 9, ["A", "a", "a-b", "b"]],
  ];
  test("tags: a cursor need not exist, and what equals it is not listed again", async () => {
    await using tested = await openTested(open);
    await tested.did(...["b", "a-b", "A", "a"].map((tag) => change.tag(tag, "m")), change.put("m"));
    for (const [after, limit, expected] of pageRows) {
      expect(await tested.metadata.tags(repository, { after, limit })).toEqual(expected);
    }
    expect(await tested.metadata.tags("no/such", { after: null, limit: 9 })).toEqual([]);
    expect(await tested.metadata.tagsOf("no/such", digest("m"), 9)).toEqual([]);
  });

  test("a repository leaves the catalog with its last manifest", async () => {
    await using tested = await openTested(open);
    const catalog = async () => (await tested.metadata.catalog({ after: null, limit: 9 })).names;
    await tested.did(change.put("m"), change.put("n"));
    await tested.did(change.remove("m"));
    expect(await catalog()).toEqual([repository]);
    await tested.did(change.remove("n"));
    expect(await catalog()).toEqual([]);
    expect(await tested.metadata.repositoryExists(repository)).toBe(true);
  });

  test("holders of a blob: every other repository that links it, at most so many", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    const names = ["a", "b/c", "d"];
    for (const name of names) await tested.did(change.link("layer", name));
    await tested.did(change.put("layer", "e"), change.link("other", "f"));
    const holders = (except: string, limit = 9) =>
      metadata.repositoriesWithBlob(digest("layer"), except, limit);
    expect((await holders("b/c")).toSorted()).toEqual(["a", "d"]);
    expect((await holders("none")).toSorted()).toEqual(names);
    expect(await holders("none", 2)).toHaveLength(2);
    await tested.did(change.unlink("layer", "a"));
    expect((await holders("none")).toSorted()).toEqual(["b/c", "d"]);
  });

  testReferrers(open);
}

const types = ["application/vnd.example.sbom", "application/vnd.example.signature", null] as const;

function testReferrers(open: OpenEmptyStore): void {
  const subject = digest("subject");
  const referrer = (name: string, artifactType: string | null, of = subject) =>
    change.put(manifest(name, { subject: of, artifactType, annotations: `{"name":"${name}"}` }));
  const read = (
    metadata: Metadata,
    artifactTypes: readonly string[],
    page: Page = { after: null, limit: 1000 },
    bytesMax = 1_000_000,
  ) => metadata.referrers(repository, subject, artifactTypes, { ...page, bytesMax });
  const listed = async (metadata: Metadata, artifactTypes: readonly string[]) =>
    (await read(metadata, artifactTypes)).records;

  test("referrers: any pages make the whole list by digest, of any types", async () => {
    const property = fc.asyncProperty(
      fc.array(fc.constantFrom(...types), { maxLength: 20 }),
      fc.uniqueArray(fc.constantFrom(types[0], types[1], "application/vnd.example.none")),
      fc.integer({ min: 1, max: 5 }),
      async (artifactTypes, wanted, limit) => {
        await using tested = await openTested(open);
        await tested.did(
          referrer("elsewhere", types[0], digest("another subject")),
          ...artifactTypes.map((type, index) => referrer(`referrer ${index}`, type)),
        );
        const expected = artifactTypes
          .map((type, index) => ({ type, digest: digest(`referrer ${index}`) }))
          .filter(({ type }) => wanted.length === 0 || wanted.includes(type as never))
          .map((row) => row.digest)
          .toSorted(byBytes);
        for (const bytesMax of [0, 40, 1_000]) {
          const found = await scanned(
            (page) => read(tested.metadata, wanted, page, bytesMax),
            limit,
            ({ records }) => records,
          );
          expect(found.map((record) => record.digest)).toEqual(expected);
        }
      },
    );
    await fc.assert(property, { numRuns: 15 });
  });

  test("a referrer is shown as it was pushed, whether its subject is there or not", async () => {
    await using tested = await openTested(open);
    await tested.did(referrer("sbom", types[0]));
    const shown = {
      digest: digest("sbom"),
      mediaType: mediaTypes.ociImage,
      sizeBytes: 4,
      artifactType: types[0],
      annotations: '{"name":"sbom"}',
    };
    expect(await listed(tested.metadata, [])).toEqual([shown]);
    await tested.did(change.put("subject"), change.remove("subject"));
    expect(await listed(tested.metadata, [types[0]])).toEqual([shown]);
    await tested.did(change.remove("sbom"));
    expect(await listed(tested.metadata, [])).toEqual([]);
  });

  test("referrers: no more annotations are read than asked for, but for those of a first entry", async () => {
    await using tested = await openTested(open);
    await tested.did(...Array.from({ length: 9 }, (_, index) => referrer(`${index}`, types[0])));
    const page = { after: null, limit: 9 };
    const counts = [0, 12, 23, 24, 1_000].map(async (bytesMax) => {
      const { records, next } = await read(tested.metadata, [], page, bytesMax);
      expect(next).toBe(records.at(-1)?.digest ?? null);
      return records.length;
    });
    expect(await Promise.all(counts)).toEqual([1, 1, 1, 2, 9]);
  });

  test("referrers: long annotations are shown as they were pushed, and go with their manifest", async () => {
    await using tested = await openTested(open);
    const long = JSON.stringify({ pad: "ä".repeat(1_000) });
    const put = (text: string | null) =>
      change.put(manifest("long", { subject, annotations: text, artifactType: types[0] }));
    await tested.did(put(long), put(long));
    expect((await listed(tested.metadata, []))[0]?.annotations).toBe(long);
    await tested.did(change.remove("long"), put(null));
    expect((await listed(tested.metadata, []))[0]?.annotations).toBeNull();
  });

  test("referrers: a page looks at so many, whether they are of the types or not", async () => {
    await using tested = await openTested(open);
    const all = Array.from({ length: 9 }, (_, index) => `${index}`);
    await tested.did(...all.map((name) => referrer(name, types[0])));
    const { records, next } = await read(tested.metadata, ["a/b"], { after: null, limit: 4 });
    const sorted = all.map((name) => digest(name)).toSorted(byBytes);
    expect([records.length, next]).toEqual([0, sorted[3] ?? null]);
  });

  test("referrers of another repository, or of an unknown one, are not listed", async () => {
    await using tested = await openTested(open);
    await tested.did(change.create(), change.put(manifest("sbom", { subject }), otherRepository));
    expect(await listed(tested.metadata, [])).toEqual([]);
    const page = { after: null, limit: 9, bytesMax: 99 };
    expect((await tested.metadata.referrers("no/such", subject, [], page)).records).toEqual([]);
  });
}
