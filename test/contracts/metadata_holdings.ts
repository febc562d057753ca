// What figures are made of: everything that repositories hold, slice by slice, and how far layouts are behind.

import { expect, test } from "bun:test";
import type { Holding, Metadata } from "../../src/metadata/metadata.ts";
import {
  type OpenEmptyStore,
  change,
  digest,
  openTested,
  otherRepository,
  project,
  repository,
  startMs,
} from "./metadata_facts.ts";

async function allOf(
  metadata: Metadata,
  kind: "blob" | "manifest",
  limit: number,
): Promise<Holding[]> {
  const found: Holding[] = [];
  let after: string | null = null;
  do {
    const slice = await metadata.holdings(kind, after, limit);
    expect(slice.items.length).toBeLessThanOrEqual(limit);
    found.push(...slice.items);
    after = slice.next;
  } while (after !== null);
  return found;
}

const held = (at: string, name: string): Holding => ({
  repository: at,
  digest: digest(name),
  sizeBytes: name.length,
});
const byDigest = (a: Holding, b: Holding): number =>
  `${a.digest} ${a.repository}` < `${b.digest} ${b.repository}` ? -1 : 1;

export function testHoldings(open: OpenEmptyStore): void {
  test("an empty store holds nothing", async () => {
    await using tested = await openTested(open);
    for (const kind of ["blob", "manifest"] as const) {
      expect(await tested.metadata.holdings(kind, null, 9)).toEqual({ items: [], next: null });
    }
    expect(await tested.layouts.lag()).toEqual({ repositories: 0, since: null });
  });

  test("slices of any length hold each blob and manifest of each repository once", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    const names = ["a", "bb", "ccc", "dddd"];
    const both = [repository, otherRepository];
    for (const at of both) {
      await tested.did(...names.map((name) => change.link(name, at)), change.put("manifest", at));
    }
    await tested.did(change.link("only here"), change.unlink("ccc", otherRepository));
    const blobs = [
      ...names.map((name) => held(repository, name)),
      ...names.filter((name) => name !== "ccc").map((name) => held(otherRepository, name)),
      held(repository, "only here"),
    ];
    for (const limit of [1, 2, 3, blobs.length, 100]) {
      const found = await allOf(metadata, "blob", limit);
      expect(found.map(({ digest }) => digest)).toEqual(found.map(({ digest }) => digest).sort());
      expect(found.sort(byDigest)).toEqual(blobs.sort(byDigest));
      expect((await allOf(metadata, "manifest", limit)).sort(byDigest)).toEqual(
        both.map((at) => held(at, "manifest")).sort(byDigest),
      );
    }
  });

  test("layouts are behind since the first commit that index.json does not show", async () => {
    await using tested = await openTested(open);
    const { clock } = tested;
    await tested.did(change.put("m"));
    await clock.advance(1_000);
    await tested.did(change.put("m", otherRepository));
    await clock.advance(1_000);
    await tested.did(change.tag("v1", "m"));
    expect(await tested.layouts.lag()).toEqual({ repositories: 2, since: startMs });
    await project(tested);
    expect(await tested.layouts.lag()).toEqual({ repositories: 1, since: startMs + 1_000 });
    await project(tested, otherRepository);
    expect(await tested.layouts.lag()).toEqual({ repositories: 0, since: null });
  });
}
