// The plan of an undo: whose changes it takes back, which it leaves because somebody came after, and what is gone. What
// it does over HTTP is in the table of test/http.

import { expect, test } from "bun:test";
import { change, commitOf, digest, manifest } from "../../../test/contracts/metadata_facts.ts";
import { reasonOf } from "../../../test/reason_of.ts";
import {
  noUndo,
  openWorld,
  repository,
  writeBlobFile,
  type World,
} from "../../../test/registry/world.ts";
import type { Hold } from "../../metadata/metadata.ts";
import { apiError } from "../../oci/errors.ts";
import { anyTag } from "../tag_rule.ts";
import { applyUndo, planUndo, type PlannedStep } from "./mishap.ts";
import { restoreTag, undelete } from "./restore.ts";

const deleted: Hold = { why: "deleted" };
const settings = { ...noUndo, windowMs: 1e6, pinMs: 5_000 };
const open = (): Promise<World> => openWorld({ undo: () => settings });

type Changes = Parameters<typeof commitOf>[0];

async function did(world: World, by: string, ...changes: Changes): Promise<void> {
  await world.clock.advance(1_000);
  const at = { at: repository, by };
  const placed = changes.map((each) => ({ ...each, repository: each.repository ?? repository }));
  const outcome = await world.registry.metadata.commit(commitOf(placed, at));
  expect(outcome).toEqual({ committed: true });
}

/** A change in the repository of the tests. */
const here = {
  put: (name: string) => change.put(manifest(name), repository),
  tag: (tag: string, name: string) => change.tag(tag, name, repository),
  untag: (tag: string) => change.untag(tag, repository),
  remove: (name: string, hold: Hold = deleted) => change.remove(name, repository, hold),
  releaseHeld: (name: string) => change.releaseHeld(name, repository),
};

function plan(world: World, since: number, by: string | null, prefix = "") {
  return planUndo(world.registry, { since, by, prefix, mayRead: (name) => name !== "secret/app" });
}

const shown = ({ tag, from, to, problem }: PlannedStep) => [tag, from, to, problem];
const [a, b, c] = [digest("a"), digest("b"), digest("c")];

async function prepared(): Promise<{ world: World; since: number }> {
  const world = await open();
  for (const name of ["a", "b", "c"]) {
    await writeBlobFile(world, digest(name), new TextEncoder().encode(name), repository);
  }
  const manifests = ["a", "b", "c"].map((name) => here.put(name));
  await did(world, "ann", ...manifests, here.tag("one", "a"), here.tag("two", "a"));
  return { world, since: world.clock.now() };
}

test("only what this caller did is taken back, and only where nobody came after", async () => {
  const { world, since } = await prepared();
  await using _ = world;
  await did(world, "ann", here.tag("two", "b"));
  await did(world, "ci", here.tag("one", "b"), here.tag("two", "c"), here.tag("new", "c"));
  await did(world, "ci", here.tag("one", "c"));
  await did(world, "bob", here.tag("new", "a"));
  expect((await plan(world, since, "ci")).map(shown)).toEqual([
    ["two", c, b, null],
    ["one", c, a, null],
    ["new", a, null, "moved since by bob"],
  ]);
  expect((await plan(world, since, "eve")).map(shown)).toEqual([]);
  expect((await plan(world, since, null)).map(shown)).toEqual([
    ["two", c, a, null],
    ["one", c, a, null],
    ["new", a, null, null],
  ]);
  expect(await plan(world, since, "ci", "other/")).toEqual([]);
  expect(await plan(world, world.clock.now(), "ci")).toEqual([]);
});

test("what was deleted comes back with its tags, and what was collected is told", async () => {
  const { world, since } = await prepared();
  await using _ = world;
  await did(world, "ci", here.remove("a"), here.remove("b"), here.remove("c"));
  await did(world, "ci", here.releaseHeld("b"));
  const steps = await plan(world, since, "ci");
  expect(steps.map(shown)).toEqual([
    ["one", null, a, null],
    ["two", null, a, null],
    [null, null, a, null],
    [null, null, b, "its content was collected"],
    [null, null, c, null],
  ]);
  const done = await applyUndo(world.registry, {
    steps: steps.filter(({ problem }) => problem === null),
    rulesOf: () => anyTag,
    by: "ann",
  });
  expect(done.pinnedUntil).toBe(world.clock.now() + settings.pinMs);
  const { metadata } = world.registry;
  expect(await metadata.tagsOf(repository, a, 9)).toEqual(["one", "two"]);
  expect(await metadata.manifestByDigest(repository, c)).not.toBeNull();
  expect(await metadata.past.pinnedUntil(repository, [a, b, c])).toEqual(
    expect.arrayContaining([
      { digest: a, until: world.clock.now() + settings.pinMs },
      { digest: c, until: world.clock.now() + settings.pinMs },
    ]),
  );
});

test("several repositories are one commit, and one that a caller may not read is not told of", async () => {
  const { world, since } = await prepared();
  await using _ = world;
  for (const at of ["team/other", "secret/app"]) {
    const changes = [change.put(manifest("x"), at), change.tag("v", "x", at)];
    await did(world, "ci", ...changes);
  }
  await did(world, "ci", here.untag("one"));
  const steps = await plan(world, since, null);
  expect(steps.map((step) => [step.repository, step.tag])).toEqual([
    ["team/other", "v"],
    [repository, "one"],
  ]);
  await did(world, "ann", here.tag("one", "c"));
  const apply = applyUndo(world.registry, { steps, rulesOf: () => anyTag, by: "ann" });
  expect(String(await reasonOf(apply))).toContain(`the tag one is not as the plan saw it in`);
  expect(await world.registry.metadata.tags("team/other", { after: null, limit: 9 })).toEqual([
    "v",
  ]);
});

test("who may only create tags brings back those that are gone, and moves none", async () => {
  const { world } = await prepared();
  await using _ = world;
  await did(world, "ci", here.untag("one"), here.tag("two", "b"));
  const tagRules = { ruleOf: () => "new" as const, forbidden: () => apiError("DENIED") };
  const restore = (tag: string, expect: typeof a | null) =>
    restoreTag(world.registry, {
      repository,
      tag,
      digest: a,
      expect,
      tagRules,
      by: "bob",
      showsWho: true,
    }).then(() => "done", String);
  expect(await restore("one", null)).toBe("done");
  expect(await restore("two", b)).toContain("Access to this resource is denied");
  expect(await restore("two", null)).toContain(`it points at ${b} since`);
  expect(await restore("two", null)).toContain(" by ci;");
});

test("content whose time is over is told as collected, with when it was removed", async () => {
  const { world } = await prepared();
  await using _ = world;
  await did(world, "ci", here.remove("a"), here.releaseHeld("a"));
  const error = await undelete(world.registry, { repository, digest: a, by: null }).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({
    reason: "MANIFEST_UNKNOWN",
    errors: [
      {
        detail: {
          reason: "collected",
          digest: a,
          removedAt: new Date(world.clock.now()).toISOString(),
        },
      },
    ],
  });
});
