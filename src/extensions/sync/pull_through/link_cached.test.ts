// A blob that another repository of the same upstream has: quotas count it, and refuse no pull of it.

import { expect, test } from "bun:test";
import { sample } from "../../../../test/contracts/store_samples.ts";
import { openWorld, pushBlob } from "../../../../test/registry/world.ts";
import { mirrors } from "../../../metadata/mirrors.ts";
import { recordCommit } from "../../../metadata/records.ts";
import { usage } from "../../../metadata/usage.ts";
import { linkCached } from "./link_cached.ts";

test("a full quota refuses no mount of what is cached, and counts it", async () => {
  await using world = await openWorld();
  const { metadata } = world.registry;
  const digest = await pushBlob(world, sample(500), "docker.io/library/one");
  const repository = "docker.io/library/two";
  await metadata.commit(
    recordCommit(
      mirrors,
      ...["docker.io/library/one", repository].map(
        (name) => ({ kind: "set-origin", repository: name, host: "docker.io", at: 1 }) as const,
      ),
    ),
  );
  const quota = {
    name: "two",
    scope: { prefix: repository },
    limits: { bytes: 100, tags: null, manifests: null, repositories: null },
    count: "linked",
    warnAt: 0.9,
    isMaxRepos: false,
  } as const;
  await metadata.commit(recordCommit(usage, { kind: "set-quotas", quotas: [quota] }));
  const wanted = { repository, digest, host: "docker.io", isUpstream: async () => true };
  expect(await linkCached(world.registry, wanted)).toBe(true);
  expect((await metadata.records(usage).quotas())[0]?.used.bytes).toBe(500);
});
