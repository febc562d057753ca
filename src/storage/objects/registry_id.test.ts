// Who may take an empty bucket: one registry, however many come at once, and in whatever order their requests arrive.

import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { reasonOf } from "../../../test/reason_of.ts";
import { must } from "../../lib/assert.ts";
import { manualClock } from "../../lib/clock.ts";
import { MemoryObjects } from "./memory_objects.ts";
import { ObjectStoreRefused, type ObjectStore } from "./object_store.ts";
import { claimBucket, readRegistry } from "./registry_id.ts";

/** A store whose requests go on in the order in which the test lets them. */
function inOrder(store: ObjectStore, turn: () => Promise<void>): ObjectStore {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return async (...given: unknown[]) => {
        await turn();
        return await (Reflect.apply(member, target, given) as Promise<unknown>);
      };
    },
  });
}

test("of registries that take a bucket at once one has it at most, and knows it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.integer({ min: 2, max: 4 }), async (scheduler, count) => {
      const store = new MemoryObjects();
      const turn = () => scheduler.schedule(Promise.resolve(), "request");
      // Two servers of the first registry are among them.
      const ids = [
        "a",
        ...Array.from({ length: count - 1 }, (_, at) => ["a", "b", "c"][at] ?? "a"),
      ];
      const claims = Promise.allSettled(
        ids.map((id) => claimBucket(inOrder(store, turn), { id, restores: 0 })),
      );
      await scheduler.waitFor(claims);
      const found = await readRegistry(store);
      for (const [at, claim] of (await claims).entries()) {
        if (claim.status === "rejected") expect(claim.reason).toBeInstanceOf(ObjectStoreRefused);
        else expect({ at, mark: claim.value }).toEqual({ at, mark: must(found, "it was taken") });
      }
    }),
    { numRuns: 300 },
  );
});

test("what a crash left of another one is forgotten after a while, and a bucket that has an id keeps it", async () => {
  const clock = manualClock(Date.UTC(2026, 0, 1));
  const store = new MemoryObjects({ clock });
  await store.put("registry.claims/crashed.1", new Uint8Array(1));
  expect(String(await reasonOf(claimBucket(store, { id: "a", restores: 0 })))).toContain(
    "no other registry",
  );
  await clock.advance(10 * 60_000 + 1);
  expect(await claimBucket(store, { id: "a", restores: 0 })).toMatchObject({ id: "a" });
  expect(await claimBucket(store, { id: "b", restores: 0 })).toMatchObject({ id: "a" });
  expect((await store.list("", null)).objects.map(({ key }) => key)).toEqual([
    "registry.claims/crashed.1",
    "registry.json",
  ]);
});
