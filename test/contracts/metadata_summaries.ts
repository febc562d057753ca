// Summaries of images: what is written about manifests, what tags make of it, and what is found by which index.

import { expect, test } from "bun:test";
import type { Metadata } from "../../src/metadata/metadata.ts";
import { recordCommit } from "../../src/metadata/records.ts";
import { retention } from "../../src/metadata/retention.ts";
import {
  isImageTag,
  summaries,
  type FoundImage,
  type ImageRow,
  type NewSummary,
  type SummaryChange,
  type SummaryReads,
} from "../../src/metadata/summaries.ts";
import {
  change,
  digest,
  manifest,
  openTested,
  otherRepository,
  repository,
  type OpenEmptyStore,
} from "./metadata_facts.ts";

const all = { offset: 0, limit: 100 };

export function summaryOf(name: string, parts: Partial<NewSummary> = {}): NewSummary {
  return {
    digest: digest(name),
    kind: "image",
    artifactType: null,
    config: { digest: digest(`config of ${name}`), mediaType: "a/config" },
    platform: { os: "linux", arch: "amd64" },
    updatedAt: null,
    annotatedAt: null,
    sizeBytes: 10,
    texts: {},
    annotatedVendor: null,
    layers: [],
    children: [],
    names: [],
    ...parts,
  };
}

const layersOf = (...names: string[]) =>
  names.map((name) => ({ digest: digest(name), sizeBytes: name.length }));

const summarise = (
  name: string,
  parts: Partial<NewSummary> = {},
  at = repository,
): SummaryChange => ({
  kind: "summarise",
  repository: at,
  summary: summaryOf(name, parts),
});

const setImages = (tags: readonly string[], at = repository): SummaryChange => ({
  kind: "set-images",
  repository: at,
  tags,
});

async function write(metadata: Metadata, ...changes: SummaryChange[]): Promise<void> {
  expect(await metadata.commit(recordCommit(summaries, ...changes))).toEqual({ committed: true });
}

async function idOf(reads: SummaryReads, name = repository): Promise<number> {
  const found = (await reads.changed(0, 100)).find((each) => each.name === name);
  return found?.id ?? -1;
}

const tagsOf = (rows: readonly ImageRow[]): string[] =>
  rows.map(({ name, tag }) => `${name}:${tag}`).sort();

export function testSummaries(open: OpenEmptyStore): void {
  test("a tag is an image once its manifest has a summary, as the tag stands then", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    const reads = tested.store.another().records(summaries);
    await tested.did(change.put("a"), change.put("b"), change.tag("v1", "a"));
    await write(metadata, setImages(["v1"]));
    const id = await idOf(reads);
    expect(await reads.image(id, "v1")).toBeNull();
    await write(metadata, summarise("a", { updatedAt: 5 }), setImages(["v1"]));
    expect(await reads.image(id, "v1")).toMatchObject({ digest: digest("a"), updatedAt: 5 });
    // Whoever comes late sees where the tag points by then.
    await write(metadata, summarise("b", { updatedAt: 7 }));
    await tested.did(change.tag("v1", "b"));
    await write(metadata, setImages(["v1"]));
    expect(await reads.image(id, "v1")).toMatchObject({ digest: digest("b"), updatedAt: 7 });
    await tested.did(change.untag("v1"));
    await write(metadata, setImages(["v1"]));
    expect(await reads.image(id, "v1")).toBeNull();
    expect(await reads.changed(0, 9)).toMatchObject([
      { name: repository, images: 0, newest: null },
    ]);
  });

  test("what is not there is not summarised, and what went is forgotten, unless it came back", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    const reads = metadata.records(summaries);
    await write(metadata, summarise("a"), summarise("a", {}, otherRepository));
    await tested.did(change.put("a"), change.tag("v1", "a"));
    await write(metadata, summarise("a", { layers: layersOf("l") }), setImages(["v1"]));
    const id = await idOf(reads);
    const forget: SummaryChange = { kind: "forget", repository, digests: [digest("a")] };
    await write(metadata, forget);
    expect(await reads.find(id, digest("a"))).not.toBeNull();
    await tested.did(change.remove("a"));
    await write(metadata, forget, { kind: "refresh", repository });
    expect(await reads.find(id, digest("a"))).toBeNull();
    expect(await reads.imagesWithDigest(digest("l"), null, 9)).toEqual([]);
    expect(await reads.changed(0, 9)).toMatchObject([{ images: 0 }]);
  });

  test("a repository has its newest image, platforms, vendors, pulls and stars; its version grows", async () => {
    await using tested = await openTested(open);
    const { metadata, clock } = tested;
    const reads = metadata.records(summaries);
    await tested.did(change.put("a"), change.put("b"), change.put("c"));
    await tested.did(change.tag("a1", "a"), change.tag("b1", "b"), change.tag("b2", "b"));
    const arm = { os: "linux", arch: "arm64/v8" };
    await write(
      metadata,
      summarise("a", { updatedAt: 5, annotatedVendor: "us" }),
      summarise("b", { updatedAt: 9, platform: arm, annotatedVendor: "them" }),
      setImages(["a1", "b2", "b1"]),
    );
    const [first] = await reads.changed(0, 9);
    expect(first).toMatchObject({
      name: repository,
      images: 3,
      newest: { tag: "b1", digest: digest("b") },
      updatedAt: clock.now(),
      platforms: [{ os: "linux", arch: "amd64" }, arm],
      vendors: ["them", "us"],
      pulls: 0,
      stars: 0,
      isSigned: false,
    });
    const pulls = ["b", "c"].map((name) => ({
      repository,
      digest: digest(name),
      at: 1,
      count: 3,
      looks: false,
    }));
    await metadata.commit(recordCommit(retention, { kind: "add-pulls", pulls }));
    const star = { kind: "toggle", preference: "star", repository } as const;
    await write(metadata, { ...star, user: "alice" }, { ...star, user: "bob" });
    await write(metadata, { ...star, preference: "bookmark", user: "alice" });
    await tested.did(change.untag("b1"), change.untag("b2"));
    await write(metadata, setImages(["b1", "b2"]));
    const [second] = await reads.changed(first?.version ?? 0, 9);
    // Pulls of what has no tag count no more.
    expect(second).toMatchObject({ images: 1, vendors: ["us"], pulls: 0, stars: 2 });
    expect(second?.platforms).toEqual([{ os: "linux", arch: "amd64" }]);
    expect(await reads.preferred("alice", "bookmark")).toEqual([second?.id ?? 0]);
    await write(metadata, { ...star, user: "alice" });
    expect(await reads.changed(0, 9)).toMatchObject([{ stars: 1 }]);
    expect(await reads.preferred("alice", "star")).toEqual([]);
  });

  test("a signature is a tag, or a referrer that says so; an attestation in a bundle is none", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    const reads = metadata.records(summaries);
    await tested.did(change.put("a"), change.tag("v1", "a"));
    await write(metadata, summarise("a"), setImages(["v1"]));
    const id = await idOf(reads);
    const bundle = (name: string, predicate: string | null) =>
      change.put(
        manifest(name, {
          subject: digest("a"),
          artifactType: "application/vnd.dev.sigstore.bundle.v0.3+json",
          annotations: JSON.stringify(
            predicate === null ? {} : { "dev.sigstore.bundle.predicateType": predicate },
          ),
        }),
      );
    await tested.did(bundle("slsa", "https://slsa.dev/provenance/v1"));
    expect(await reads.signatures(id, digest("a"))).toEqual([]);
    await tested.did(bundle("sign", "https://sigstore.dev/cosign/sign/v1"));
    expect(await reads.signatures(id, digest("a"))).toEqual([
      { tool: "cosign", digest: digest("sign") },
    ]);
    await tested.did(
      change.put("old"),
      change.tag(`${digest("a").replace(":", "-")}.sig`, "old"),
      change.put(
        manifest("notary", {
          subject: digest("a"),
          artifactType: "application/vnd.cncf.notary.signature",
        }),
      ),
    );
    const tools = (await reads.signatures(id, digest("a"))).map(({ tool }) => tool);
    expect(tools.sort()).toEqual(["cosign", "cosign", "notation"]);
    await write(metadata, { kind: "refresh", repository });
    expect(await reads.changed(0, 9)).toMatchObject([{ isSigned: true }]);
  });

  test("images are found by digests of manifests, children, configurations and layers", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    const reads = metadata.records(summaries);
    await tested.did(change.put("a"), change.put("b"), change.put("x"));
    await tested.did(change.tag("v1", "a"), change.tag("list", "x"));
    await tested.did(change.put("a", otherRepository), change.tag("o", "a", otherRepository));
    const layers = layersOf("base", "top");
    const child = { digest: digest("b"), platform: { os: "linux", arch: "arm64" } };
    await write(
      metadata,
      summarise("a", { layers }),
      summarise("b", { layers: layersOf("base") }),
      summarise("x", { kind: "index", config: null, children: [child], names: [digest("b")] }),
      setImages(["v1", "list"]),
      summarise("a", { layers }, otherRepository),
      setImages(["o"], otherRepository),
    );
    const found = async (text: string, within: readonly number[] | null = null) =>
      tagsOf(await reads.images(await reads.imagesWithDigest(text, within, 9)));
    const own = [`${repository}:v1`, `${otherRepository}:o`].sort();
    expect(await found(digest("a"))).toEqual(own);
    expect(await found(digest("config of a").slice(0, 20))).toEqual(own);
    expect(await found(digest("top"))).toEqual(own);
    expect(await found(digest("b"))).toEqual([`${repository}:list`]);
    expect(await found(digest("base"))).toEqual([`${repository}:list`, ...own].sort());
    const id = await idOf(reads);
    expect(await found(digest("base"), [id])).toEqual([`${repository}:list`, `${repository}:v1`]);
    expect(await found(digest("base"), [])).toEqual([]);
    expect(await found(digest("nowhere"))).toEqual([]);
    expect(await reads.indexesOf(repository, digest("b"))).toEqual([digest("x")]);
    expect((await reads.tagText(id)).split("\n").sort()).toEqual(["list", "v1"]);
    expect(await reads.tagText(id + 99)).toBe("");
    const summaryIds = await reads.summariesOf(digest("a"));
    expect(summaryIds).toContain((await reads.find(id, digest("a")))?.id ?? -1);
    expect(summaryIds).toHaveLength(2);
    const places = [
      { repository: id, tag: "v1" },
      { repository: id, tag: "gone" },
      { repository: id, tag: "list" },
    ];
    expect((await reads.images(places)).map(({ tag }) => tag)).toEqual(["v1", "list"]);
  });

  test("images below and above are those whose layers begin alike; equal ones are both", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    const reads = metadata.records(summaries);
    const images: Record<string, string[]> = {
      base: ["1"],
      same: ["1"],
      top: ["1", "2"],
      higher: ["1", "2", "3"],
      other: ["2", "1"],
      none: [],
    };
    for (const name of Object.keys(images))
      await tested.did(change.put(name), change.tag(name, name));
    for (const [name, layers] of Object.entries(images)) {
      await write(metadata, summarise(name, { layers: layersOf(...layers) }), setImages([name]));
    }
    const id = await idOf(reads);
    const relatives = async (name: string): Promise<[string[], string[]]> => {
      const summary = (await reads.find(id, digest(name)))?.id ?? -1;
      const names = (rows: readonly FoundImage[]): string[] => rows.map(({ tag }) => tag).sort();
      return [
        names(await reads.imagesBelow(summary, null, 9)),
        names(await reads.imagesAbove(summary, null, 9)),
      ];
    };
    expect(await relatives("top")).toEqual([
      ["base", "same", "top"],
      ["higher", "top"],
    ]);
    expect(await relatives("base")).toEqual([
      ["base", "same"],
      ["base", "higher", "same", "top"],
    ]);
    expect(await relatives("other")).toEqual([["other"], ["other"]]);
    expect(await relatives("none")).toEqual([[], []]);
  });

  test("pages are in order, with what has no time last, and ties by name and tag", async () => {
    await using tested = await openTested(open);
    const { metadata, clock } = tested;
    const reads = metadata.records(summaries);
    const times: Record<string, number | null> = { a: 5, b: 9, c: null, d: 5 };
    for (const [name, updatedAt] of Object.entries(times)) {
      await tested.did(change.put(name), change.tag(name, name));
      await write(metadata, summarise(name, { updatedAt }), setImages([name]));
      await clock.advance(1_000);
    }
    const id = await idOf(reads);
    const order = async (by: "updated" | "set" | "tag" | "tag-descending") =>
      (await reads.imagesOf(id, by, all)).map(({ tag }) => tag).join("");
    expect(await order("updated")).toBe("badc");
    expect(await order("set")).toBe("dcba");
    expect(await order("tag")).toBe("abcd");
    expect(await order("tag-descending")).toBe("dcba");
    const page = { offset: 1, limit: 2 };
    expect((await reads.newest(null, "updated", page)).map(({ tag }) => tag)).toEqual(["a", "d"]);
    expect((await reads.newest([id], "set", page)).map(({ tag }) => tag)).toEqual(["c", "b"]);
    expect(await reads.newest([id + 1], "set", page)).toEqual([]);
  });

  test("a round ends repository by repository; a new one begins all over", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    const reads = metadata.records(summaries);
    await tested.did(change.put("a"), change.tag("v1", "a"));
    await tested.did(change.put("a", otherRepository));
    expect(await reads.round()).toEqual({ round: 0, version: 0 });
    await write(metadata, { kind: "begin-round", version: 3 });
    expect(await reads.round()).toEqual({ round: 1, version: 3 });
    expect((await reads.unlooked(1, 9)).sort()).toEqual([repository, otherRepository].sort());
    await write(metadata, { kind: "end-repository", repository, round: 1 });
    expect(await reads.unlooked(1, 9)).toEqual([otherRepository]);
    expect(await reads.tagsOf(repository)).toMatchObject([{ tag: "v1", digest: digest("a") }]);
    await write(metadata, { kind: "begin-round", version: 3 });
    expect(await reads.unlooked(2, 9)).toHaveLength(2);
    await write(metadata, summarise("a"), setImages(["v1"]));
    expect(await reads.manifests(repository, [digest("a"), digest("b")])).toMatchObject([
      { digest: digest("a"), isSummarised: true },
    ]);
    await tested.did(change.untag("v1"));
    expect(await reads.goneTags(repository, 9)).toEqual(["v1"]);
  });

  test("signatures and lists of referrers are no images", () => {
    const hex = "a".repeat(64);
    const tags = [
      "v1",
      `sha256-${hex}`,
      `sha256-${hex}.sig`,
      `sha256-${hex}.att`,
      `sha256-${hex}.sbom`,
    ];
    expect(tags.map(isImageTag)).toEqual([true, false, false, true, true]);
  });
}
