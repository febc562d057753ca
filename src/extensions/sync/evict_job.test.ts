// The job of caches on a disk that runs full: what is cached gives way, so much and no more.

import { expect, test } from "bun:test";
import { mirrors } from "../../metadata/mirrors.ts";
import { recordCommit } from "../../metadata/records.ts";
import type { Registry } from "../../registry/registry.ts";
import { image, openWorld, pushImage } from "../../../test/registry/world.ts";
import { syncValues } from "../../../test/mirror/sync_values.ts";
import { evictJob } from "./evict_job.ts";

const day = 24 * 60 * 60_000;
const at = "docker.io/library/app";

test("while less than twice minFree is free the oldest goes, without waiting for the sweep in between", async () => {
  await using world = await openWorld();
  await world.clock.advance(100 * day);
  const { metadata, clock } = world.registry;
  for (const [seed, daysAgo] of [
    [1, 9],
    [2, 6],
    [3, 3],
  ] as const) {
    const pushed = image(seed);
    await pushImage(world, pushed, `v${seed}`, at);
    const when = clock.now() - daysAgo * day;
    const { digest } = pushed;
    await metadata.commit(
      recordCommit(
        mirrors,
        { kind: "set-origin", repository: at, host: "docker.io", at: when },
        { kind: "cache-manifest", repository: at, digest, at: when },
        { kind: "cache-tag", repository: at, tag: `v${seed}`, digest, checkedAt: when },
      ),
    );
  }
  await world.clock.advance(2 * 60 * 60_000);
  const room = { freeBytes: 100, totalBytes: 1_000 };
  const registry: Registry = {
    ...world.registry,
    blobs: Object.assign(Object.create(world.registry.blobs) as Registry["blobs"], {
      room: async () => room,
    }),
  };
  const sync = syncValues({
    registries: [
      {
        urls: ["https://registry-1.docker.io"],
        onDemand: true,
        content: [{ prefix: "**", destination: "/docker.io" }],
      },
    ],
  });
  let evictedBytes = 0;
  const { run } = evictJob(
    registry,
    () => sync,
    (_, bytes) => {
      evictedBytes += bytes;
    },
  );
  const tags = () => metadata.tags(at, { after: null, limit: 9 });
  const once = async (): Promise<void> => {
    if (typeof run === "function") await run(new AbortController().signal);
  };
  await once();
  expect(await tags()).toEqual(["v1", "v2", "v3"]);
  room.freeBytes = 99;
  await once();
  expect(await tags()).toEqual(["v2", "v3"]);
  expect(evictedBytes).toBeGreaterThan(1);
  // The disk has not changed yet; what went is on its way.
  await once();
  expect(await tags()).toEqual(["v2", "v3"]);
  await world.clock.advance(6 * 60_000);
  await once();
  expect(await tags()).toEqual(["v3"]);
});
