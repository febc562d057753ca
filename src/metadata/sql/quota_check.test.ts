// Quotas in the commit: what grows beyond a limit is refused whole, by whatever change; everything else goes on.

import { describe, expect, test } from "bun:test";
import {
  blobSize,
  change,
  digest,
  manifest,
  repository as usual,
  type PlacedChange,
} from "../../../test/contracts/metadata_facts.ts";
import { noBytes } from "../../../test/contracts/no_bytes.ts";
import { manualClock } from "../../lib/clock.ts";
import { MemoryMetadata } from "../memory/memory_metadata.ts";
import { QuotaExceeded, type Change, type Commit, type Metadata } from "../metadata.ts";
import { recordCommit } from "../records.ts";
import { usage, type Exceeded, type Quota } from "../usage.ts";

const noLimits: Quota["limits"] = { bytes: null, tags: null, manifests: null, repositories: null };

function quota(prefix: string, limits: Partial<Quota["limits"]>, more: Partial<Quota> = {}): Quota {
  return {
    name: prefix,
    scope: { prefix },
    limits: { ...noLimits, ...limits },
    count: "linked",
    warnAt: 0.9,
    isMaxRepos: false,
    ...more,
  };
}

class Store implements Disposable {
  readonly #store = new MemoryMetadata({
    clock: manualClock(1_000),
    bytes: noBytes,
  });
  readonly metadata: Metadata = this.#store.open({ committer: this.#store });

  /** The limit that was exceeded; null when all was done. */
  async does(...changes: readonly PlacedChange[]): Promise<Exceeded | null> {
    return this.commits({ changes });
  }

  async commits({
    changes,
    ...more
  }: Partial<Omit<Commit, "changes">> & { readonly changes: readonly PlacedChange[] }) {
    const byRepository = Map.groupBy(changes, ({ repository }) =>
      repository === undefined || repository === usual ? "team/app" : repository,
    );
    const parts = [...byRepository].map(([repository, of]): Commit => ({
      repository,
      preconditions: [],
      changes: of as readonly Change[],
      by: null,
      ...more,
    }));
    try {
      await this.metadata.commit(parts.length === 1 ? parts[0]! : { parts });
      return null;
    } catch (error) {
      if (error instanceof QuotaExceeded) return error.exceeded;
      throw error;
    }
  }

  async set(...quotas: readonly Quota[]): Promise<void> {
    await this.metadata.commit(recordCommit(usage, { kind: "set-quotas", quotas }));
    while (await this.metadata.records(usage).isCounting()) {
      await this.metadata.commit(recordCommit(usage, { kind: "count", limit: 2 }));
    }
  }

  async used(): Promise<object[]> {
    return (await this.metadata.records(usage).quotas()).map((each) => each.used);
  }

  [Symbol.dispose](): void {
    void this.#store.close();
  }
}

/** As many characters as it has bytes. */
const layer = (sizeBytes: number, mark = "x"): string => mark.repeat(sizeBytes);

describe("bytes", () => {
  test("what fits exactly is taken, and the next byte is refused, whatever brings it", async () => {
    using store = new Store();
    await store.set(quota("team/", { bytes: 10 }));
    expect(await store.does(change.link(layer(10)))).toBe(null);
    const refused = { scope: "team/", figure: "bytes", limit: 10, used: 10, isMaxRepos: false };
    expect(await store.does(change.link("y"))).toEqual({ ...refused, need: 1 } as Exceeded);
    expect(await store.does(change.link("y", "team/new"))).toEqual({
      ...refused,
      need: 1,
    } as Exceeded);
    expect(await store.does(change.put("mm"))).toEqual({ ...refused, need: 2 } as Exceeded);
    expect(await store.does(change.link("y", "elsewhere"))).toBe(null);
    expect(await store.metadata.repositoryExists("team/new")).toBe(false);
    expect(await store.used()).toEqual([{ bytes: 10, tags: 0, manifests: 0, repositories: 0 }]);
  });

  test("what the quota has already is free in all of its repositories", async () => {
    using store = new Store();
    await store.set(quota("team/", { bytes: 10 }));
    await store.does(change.link(layer(10)));
    expect(await store.does(change.link(layer(10)), change.link(layer(10), "team/web"))).toBe(null);
    expect(await store.does(change.unlink(layer(10)))).toBe(null);
    expect(await store.used()).toEqual([expect.objectContaining({ bytes: 10 })]);
    expect(await store.does(change.unlink(layer(10), "team/web"))).toBe(null);
    expect(await store.used()).toEqual([expect.objectContaining({ bytes: 0 })]);
  });

  test("a commit is refused whole, and one of several repositories, too", async () => {
    using store = new Store();
    await store.set(quota("team/", { bytes: 10 }));
    expect(await store.does(change.link(layer(6)), change.link(layer(6, "y")))).not.toBe(null);
    expect(
      await store.does(change.link(layer(6), "other"), change.link(layer(11), "team/a")),
    ).not.toBe(null);
    expect(await blobSize(store.metadata, "other", digest(layer(6)))).toBe(null);
    expect(await store.used()).toEqual([expect.objectContaining({ bytes: 0 })]);
  });

  test("own bytes: what others have, too, is not counted", async () => {
    using store = new Store();
    await store.set(quota("team/", { bytes: 10 }, { count: "own" }));
    await store.does(change.link(layer(30), "base"));
    expect(await store.does(change.link(layer(30)), change.link(layer(10, "y")))).toBe(null);
    expect(await store.does(change.link("z"))).toMatchObject({ used: 10, need: 1 });
    // The last who had it beside them leaves: they have more of their own, and nobody is kept from leaving.
    expect(await store.does(change.unlink(layer(30), "base"))).toBe(null);
    expect(await store.used()).toEqual([expect.objectContaining({ bytes: 40 })]);
  });

  test("what is held for an undo does not count, and comes back only where there is room", async () => {
    using store = new Store();
    await store.set(quota("team/", { bytes: 10 }));
    await store.does(change.link(layer(10)));
    await store.does(change.unlink(layer(10), "team/app", { why: "deleted" }));
    expect(await store.does(change.link(layer(8, "y")))).toBe(null);
    expect(await store.does(change.restore(layer(10)))).toMatchObject({ used: 8, need: 10 });
    await store.does(change.unlink(layer(8, "y")));
    expect(await store.does(change.restore(layer(10)))).toBe(null);
  });

  test("what another tool wrote is counted and not refused", async () => {
    using store = new Store();
    await store.set(quota("team/", { bytes: 10 }));
    const changes = [change.link(layer(12))];
    expect(await store.commits({ changes, quotas: "counted" })).toBe(null);
    expect(await store.used()).toEqual([expect.objectContaining({ bytes: 12 })]);
  });

  test("a limit below what is used refuses what grows, and nothing else", async () => {
    using store = new Store();
    await store.does(
      change.link(layer(9)),
      change.put(manifest("mm", { references: [{ digest: digest(layer(9)), target: "blob" }] })),
      change.tag("v1", "mm"),
    );
    await store.set(quota("team/", { bytes: 5, tags: 0, manifests: 0, repositories: 0 }));
    expect(await store.does(change.link("y"))).toMatchObject({ used: 11, need: 1 });
    expect(await store.does(change.tag("v2", "mm"))).toMatchObject({ figure: "tags", need: 1 });
    expect(await store.does(change.link(layer(9)), change.put("mm"), change.tag("v1", "mm"))).toBe(
      null,
    );
    expect(await store.does(change.untag("v1"), change.remove("mm"))).toBe(null);
  });

  test("no limit is passed by many commits at once", async () => {
    using store = new Store();
    await store.set(quota("team/", { bytes: 100 }));
    const sizes = Array.from({ length: 20 }, (_, at) =>
      change.link(layer(10, String.fromCharCode(97 + at)), `team/${at}`),
    );
    const outcomes = await Promise.all(sizes.map((each) => store.does(each)));
    expect(outcomes.filter((each) => each === null)).toHaveLength(10);
    expect(await store.used()).toEqual([expect.objectContaining({ bytes: 100 })]);
  });
});

describe("tags, manifests and repositories", () => {
  test("a tag that moves is no tag more", async () => {
    using store = new Store();
    await store.set(quota("team/", { tags: 2 }));
    await store.does(
      change.put("m"),
      change.put("n"),
      change.tag("v1", "m"),
      change.tag("v2", "m"),
    );
    expect(await store.does(change.tag("v2", "n"))).toBe(null);
    expect(await store.does(change.tag("v3", "n"))).toMatchObject({
      figure: "tags",
      used: 2,
      need: 1,
    });
    expect(await store.does(change.untag("v1"), change.tag("v3", "n"))).toBe(null);
  });

  test("manifests count each in its repository", async () => {
    using store = new Store();
    await store.set(quota("team/", { manifests: 2 }));
    expect(await store.does(change.put("m"), change.put("m", "team/web"))).toBe(null);
    expect(await store.does(change.put("m"))).toBe(null);
    expect(await store.does(change.put("n"))).toMatchObject({ figure: "manifests", need: 1 });
  });

  test("a repository counts from its first manifest to its last", async () => {
    using store = new Store();
    const maxRepos = { name: "storage.maxRepos", isMaxRepos: true };
    await store.set(quota("", { repositories: 1 }, maxRepos), quota("team/", { repositories: 1 }));
    expect(await store.does(change.put("m"))).toBe(null);
    expect(await store.does(change.link("b", "team/web"))).toBe(null);
    expect(await store.does(change.put("m", "team/web"))).toMatchObject({
      isMaxRepos: true,
      limit: 1,
    });
    await store.does(change.remove("m"));
    expect(await store.does(change.put("m", "team/web"))).toBe(null);
  });
});

describe("several quotas", () => {
  test("all apply, and the one with the least room answers", async () => {
    using store = new Store();
    await store.set(quota("team/", { bytes: 100 }), quota("team/app", { bytes: 10 }));
    await store.does(change.link(layer(50, "y"), "team/web"));
    expect(await store.does(change.link(layer(11)))).toMatchObject({ scope: "team/app" });
    expect(await store.does(change.link(layer(60)))).toMatchObject({ scope: "team/app" });
    await store.does(change.link(layer(48), "team/other"));
    expect(await store.does(change.link(layer(5, "z")))).toMatchObject({
      scope: "team/",
      used: 98,
    });
    expect(await store.does(change.link(layer(5, "z"), "team/apps"))).toMatchObject({
      scope: "team/",
    });
  });

  test("a prefix ends where components do, and globs fit whole names", async () => {
    using store = new Store();
    const globs = { name: "globs", scope: { globs: ["ci/**", "**/scratch"] } };
    await store.set(quota("team", { bytes: 0 }), quota("", { bytes: 0 }, globs));
    for (const name of ["team", "team/app", "ci/a/b", "ci", "x/scratch"]) {
      expect([name, await store.does(change.link("x", name))]).not.toEqual([name, null]);
    }
    for (const name of ["teams", "my/team", "scratch/x"]) {
      expect([name, await store.does(change.link("x", name))]).toEqual([name, null]);
    }
  });

  test("one that is changed keeps its figures, one that is gone refuses nothing", async () => {
    using store = new Store();
    await store.does(change.link(layer(9)));
    await store.set(quota("team/", { bytes: 9 }));
    expect(await store.does(change.link("y"))).not.toBe(null);
    await store.set(quota("team/", { bytes: 10 }));
    expect(await store.does(change.link("y"))).toBe(null);
    await store.set();
    expect(await store.does(change.link(layer(99)))).toBe(null);
    await store.set(quota("team/", { bytes: 10 }));
    expect(await store.used()).toEqual([expect.objectContaining({ bytes: 109 })]);
  });
});
