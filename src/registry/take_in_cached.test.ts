// A mirror whose metadata were lost: what its index.json says of the upstream counts, whoever named the repository first.

import { expect, test } from "bun:test";
import {
  changedCommits,
  image,
  openWorld,
  pushImage,
  repository,
  type World,
} from "../../test/registry/world.ts";
import { mirrors } from "../metadata/mirrors.ts";
import { recordCommit } from "../metadata/records.ts";
import type { Digest } from "../oci/digest.ts";
import { reconcileLayout } from "./reconcile_layout.ts";
import type { LayoutRegistry } from "./registry.ts";

const host = "upstream.example";

/** A mirror with a cached tag and a pushed one, and without its metadata; the digest of the cached one. */
async function lostMirror(world: World): Promise<Digest> {
  const digest = await pushImage(world, image(1), "cached");
  await pushImage(world, image(2), "own");
  const at = world.clock.now();
  await world.registry.metadata.commit(
    recordCommit(
      mirrors,
      { kind: "set-origin", repository, host, at },
      { kind: "cache-manifest", repository, digest, at },
      { kind: "cache-tag", repository, tag: "cached", digest, checkedAt: at },
    ),
  );
  await world.settle();
  await world.crash({ loseFacts: true });
  return digest;
}

/** What is known of its tags: whether they are here, and their marks. */
async function marksOf({ registry: { metadata } }: World) {
  const records = metadata.records(mirrors);
  const tags = ["cached", "own"].map(async (tag) => {
    const here = (await metadata.manifestByTag(repository, tag)) !== null;
    return [tag, here, await records.tag(repository, tag)];
  });
  return { origin: await records.origin(repository), tags: await Promise.all(tags) };
}

function readIn(world: World, registry: LayoutRegistry = world.registry, signal?: AbortSignal) {
  const mirroring = { ...registry, mirroredFrom: () => [host] };
  return reconcileLayout(mirroring, repository, world.report, signal);
}

/** Nobody knows any more when the tag was checked. */
const marks = (digest: Digest) => ({
  origin: host,
  tags: [
    ["cached", true, { digest, checkedAt: null }],
    ["own", true, null],
  ],
});

test("a request that named the repository first changes nothing of it", async () => {
  await using world = await openWorld();
  const digest = await lostMirror(world);
  await world.commit({ kind: "create-repository" });
  expect(await readIn(world)).toMatchObject({ kind: "taken", problems: [] });
  expect(await marksOf(world)).toEqual(marks(digest));
  expect(world.reports.map(({ message }) => message)).toEqual([
    "took in a layout whose metadata was lost",
  ]);
});

test("a tag is never there without its mark, and a process that ends after any commit loses none", async () => {
  for (let commitsMax = 1; ; commitsMax += 1) {
    await using world = await openWorld();
    const digest = await lostMirror(world);
    const may: unknown[] = [
      ["cached", false, null],
      ["cached", true, { digest, checkedAt: null }],
    ];
    const seen: unknown[] = [];
    let commits = 0;
    const ending = changedCommits(world.registry, async (commit, commitNow) => {
      if (commits >= commitsMax) throw new Error("ended");
      commits += 1;
      const outcome = await commitNow(commit);
      seen.push((await marksOf(world)).tags[0]);
      return outcome;
    });
    const ended = await readIn(world, ending).then(
      () => false,
      (error: unknown) => String(error).includes("ended"),
    );
    for (const each of seen) expect(may).toContainEqual(each);
    await world.crash();
    await readIn(world);
    expect(await marksOf(world)).toEqual(marks(digest));
    if (!ended) break;
  }
});

test("the metadata of another upstream stand", async () => {
  await using world = await openWorld();
  await lostMirror(world);
  const { metadata, clock } = world.registry;
  await world.commit({ kind: "create-repository" });
  const at = clock.now();
  const other = { kind: "set-origin", repository, host: "other.example", at } as const;
  await metadata.commit(recordCommit(mirrors, other));
  await readIn(world);
  expect(await marksOf(world)).toEqual({
    origin: "other.example",
    tags: [
      ["cached", true, null],
      ["own", true, null],
    ],
  });
});
