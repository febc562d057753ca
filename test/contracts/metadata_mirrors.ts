// Mirrored content: origins, cached tags and manifests, and what is forgotten with them.

import { expect, test } from "bun:test";
import { isCached, mirrors, type MirrorChange } from "../../src/metadata/mirrors.ts";
import { recordCommit } from "../../src/metadata/records.ts";
import { retention } from "../../src/metadata/retention.ts";
import { change, digest, openTested, repository, type OpenEmptyStore } from "./metadata_facts.ts";

export function testMirrors(open: OpenEmptyStore): void {
  async function opened() {
    const tested = await openTested(open);
    const { metadata } = tested;
    const reads = metadata.records(mirrors);
    const write = async (...changes: MirrorChange[]): Promise<void> => {
      expect(await metadata.commit(recordCommit(mirrors, ...changes))).toEqual({ committed: true });
    };
    return {
      tested,
      metadata,
      reads,
      write,
      [Symbol.asyncDispose]: () => tested[Symbol.asyncDispose](),
    };
  }

  test("a repository keeps its first origin until that is forgotten", async () => {
    await using world = await opened();
    const { metadata, reads, write } = world;
    const origin = (host: string): MirrorChange => ({
      kind: "set-origin",
      repository: "a",
      host,
      at: 1,
    });
    expect(await reads.origin("a")).toBeNull();
    expect(await isCached(metadata, "a")).toBe(false);
    await write(origin("docker.io"), origin("quay.io"), {
      ...origin("ghcr.io"),
      repository: "b",
    });
    expect(await reads.origin("a")).toBe("docker.io");
    expect(await isCached(metadata, "a")).toBe(true);
    expect(await reads.repositories("", 9)).toEqual([
      { repository: "a", host: "docker.io" },
      { repository: "b", host: "ghcr.io" },
    ]);
    expect(await reads.repositories("a", 1)).toEqual([{ repository: "b", host: "ghcr.io" }]);
    await write({ kind: "forget-origin", repository: "a" });
    expect(await reads.origin("a")).toBeNull();
  });

  test("what an upstream brings is refused where the repository is a mirror of another", async () => {
    await using world = await opened();
    const { metadata, reads } = world;
    const commitOf = (...hosts: string[]) => ({
      repository: "a",
      preconditions: [{ kind: "origin-in", hosts } as const],
      changes: [],
      by: null,
      records: [
        recordCommit(mirrors, { kind: "set-origin", repository: "a", host: hosts[0]!, at: 1 }),
      ],
    });
    expect(await metadata.commit(commitOf("one.example", "spare.example"))).toEqual({
      committed: true,
    });
    const other = commitOf("two.example");
    const failed = [{ precondition: other.preconditions[0]!, found: "one.example" }];
    expect(await metadata.commit(other)).toEqual({ committed: false, failed });
    expect(await metadata.commit(commitOf("spare.example", "one.example"))).toEqual({
      committed: true,
    });
    expect(await reads.origin("a")).toBe("one.example");
  });

  test("a cached tag is checked again, and goes with its manifest", async () => {
    await using world = await opened();
    const { reads, write } = world;
    const tag = (name: string, of: string, checkedAt: number): MirrorChange => ({
      kind: "cache-tag",
      repository: "a",
      tag: name,
      digest: of,
      checkedAt,
    });
    await write(tag("v1", "sha256:1", 5), tag("v2", "sha256:1", 6), tag("v3", "sha256:2", 7));
    await write(tag("v1", "sha256:1", 9));
    expect(await reads.tag("a", "v1")).toEqual({ digest: "sha256:1", checkedAt: 9 });
    expect(await reads.tag("b", "v1")).toBeNull();
    await write({ kind: "forget-manifest", repository: "a", digest: "sha256:1" });
    expect(await reads.tag("a", "v1")).toBeNull();
    expect(await reads.tag("a", "v2")).toBeNull();
    expect(await reads.tag("a", "v3")).toEqual({ digest: "sha256:2", checkedAt: 7 });
    await write({ kind: "forget-tag", repository: "a", tag: "v3" });
    expect(await reads.tag("a", "v3")).toBeNull();
  });

  test("cached manifests are listed while they are there, with their last use; usage counts all content", async () => {
    await using world = await opened();
    const { tested, reads, write } = world;
    await tested.did(change.put("m1"), change.put("m2"), {
      kind: "link-blob",
      repository,
      digest: digest("b"),
      sizeBytes: 100,
    });
    for (const [name, at] of [
      ["m1", 30],
      ["m2", 10],
      ["gone", 20],
    ] as const) {
      await write({ kind: "cache-manifest", repository, digest: digest(name), at });
    }
    expect(await reads.usedAt(repository, digest("m1"))).toBe(30);
    expect(await reads.usedAt(repository, digest("b"))).toBeNull();
    const listed = await reads.manifests(repository, "", 9);
    expect(Object.fromEntries(listed.map((each) => [each.digest, each.usedAt]))).toEqual({
      [digest("m1")]: 30,
      [digest("m2")]: 10,
    });
    const sizes = listed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    expect(await reads.usage(repository)).toBe(100 + sizes);
    expect(await reads.usage("nowhere")).toBe(0);
    const pulls = [{ repository, digest: digest("m2"), at: 40, count: 1, looks: false }];
    await tested.metadata.commit(recordCommit(retention, { kind: "add-pulls", pulls }));
    expect(await reads.usedAt(repository, digest("m2"))).toBe(40);
    await write({ kind: "forget-manifest", repository, digest: digest("m1") });
    expect(await reads.usedAt(repository, digest("m1"))).toBeNull();
  });
}
