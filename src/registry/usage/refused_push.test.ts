// A push that a quota refuses in its commit, into a repository that was not there: it leaves nothing.

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { sample } from "../../../test/contracts/store_samples.ts";
import { hourMs, openCollector } from "../../../test/registry/collecting.ts";
import { filesOf, openWorld, pushBlob, repository } from "../../../test/registry/world.ts";
import { reasonOf } from "../../../test/reason_of.ts";
import { recordCommit } from "../../metadata/records.ts";
import { usage } from "../../metadata/usage.ts";

test("bytes that were written for it are swept, and its directory goes", async () => {
  await using world = await openWorld();
  const gc = openCollector(world);
  const { metadata } = world.registry;
  const quota = {
    name: "team/",
    scope: { prefix: "team/" },
    limits: { bytes: 100, tags: null, manifests: null, repositories: null },
    count: "linked",
    warnAt: 0.9,
    isMaxRepos: false,
  } as const;
  await metadata.commit(recordCommit(usage, { kind: "set-quotas", quotas: [quota] }));
  expect(String(await reasonOf(pushBlob(world, sample(101))))).toContain("QuotaExceeded");
  await world.settle();
  expect((await filesOf(world)).filter((path) => path.includes("/blobs/"))).toEqual([]);
  // Nobody is told that there is such a repository with content.
  expect((await metadata.catalog({ after: null, limit: 9 })).names).toEqual([]);
  await world.clock.advance(hourMs + 60_000);
  await gc.settle();
  expect(await metadata.repositories({ after: null, limit: 9 })).toEqual([]);
  expect(existsSync(world.pathOf(repository))).toBe(false);
});
