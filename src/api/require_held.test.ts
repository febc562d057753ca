// What HEAD says of content that a check has found damaged since the last HEAD.

import { expect, test } from "bun:test";
import { truncate } from "node:fs/promises";
import { sample } from "../../test/contracts/store_samples.ts";
import { reasonOf } from "../../test/reason_of.ts";
import { scrubOnce } from "../../test/registry/scrubbing.ts";
import { openWorld, pushBlob, repository } from "../../test/registry/world.ts";
import type { Call } from "../http/call.ts";
import { blobKey } from "../storage/layout.ts";
import { resolveBlob } from "../registry/resolve.ts";
import type { App } from "./app.ts";
import { requireHeld } from "./require_held.ts";

for (const [caller, mayPush, answer] of [
  ["who may push is told that it is not there", true, { reason: "BLOB_UNKNOWN" }],
  ["others are told of the damage", false, { name: "DamagedContent" }],
] as const) {
  test(`from the mark on, though it was seen in the same second: ${caller}`, async () => {
    await using world = await openWorld();
    const digest = await pushBlob(world, sample(5_000));
    const call = { repository, caller: { may: () => mayPush } } as unknown as Call;
    const app = { registry: world.registry } as unknown as App;
    const head = async (): Promise<void> => {
      const { found } = await resolveBlob(world.registry, repository, digest);
      if (found === null) throw new Error("expected a blob");
      await requireHeld(call, app, found, { asked: repository, unknown: "BLOB_UNKNOWN" });
    };
    await head();
    await truncate(world.pathOf(blobKey(repository, digest)), 7);
    await scrubOnce(world);
    expect(await reasonOf(head())).toMatchObject(answer);
  });
}
