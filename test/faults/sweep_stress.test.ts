// Many pushers, mounters and deleters against sweepers, in several processes: what is named has its bytes at any moment,
// what is not named goes, and the check for it sees the mistakes that such code is prone to.

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/lib/clock.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { LayoutProjector } from "../../src/registry/layout_projector.ts";
import { removeBlob } from "../../src/registry/delete.ts";
import { endHolds } from "../../src/registry/history/end_holds.ts";
import { sweepOrphans } from "../../src/registry/sweep_orphans.ts";
import { blobKey } from "../../src/storage/layout.ts";
import { memoryDirectory } from "../memory_directory.ts";
import { run } from "../processes.ts";
import { objects } from "../../src/metadata/objects.ts";
import { hasLayouts } from "../../src/registry/registry.ts";
import { FakeS3 } from "../objects/fake_s3.ts";
import { pushBlob } from "../registry/world.ts";
import {
  auditUnderLock,
  openStressed,
  plantedBugs,
  plantInStore,
  stressed,
  type PlantedBug,
} from "./sweep_stress_process.ts";

const script = join(import.meta.dir, "sweep_stress_process.ts");

/** One round of all roles at once; the problems that were seen. */
async function stress(
  seed: number,
  actions: number,
  {
    planted = "",
    held = false,
    store = null,
  }: {
    readonly planted?: PlantedBug | "";
    readonly held?: boolean;
    readonly store?: FakeS3 | null;
  } = {},
) {
  await using directory = await memoryDirectory("zot-stress");
  const root = join(directory.path, "root");
  const first = await openStressed(root, undefined, store?.url);
  for (const at of stressed.repositories) await pushBlob(first, stressed.blobs[0]!, at);
  if (hasLayouts(first.registry)) await new LayoutProjector(first.registry, () => {}).run("all");
  plantInStore(root, planted);
  const roles = [
    ["work", `${actions}`],
    ["work", `${actions}`],
    ["sweep", `${actions * 3}`],
    ["sweep", `${actions * 3}`],
    ["audit", `${actions * 2}`],
  ] as const;
  const outputs = await Promise.all(
    roles.map(([role, count], index) =>
      run(process.execPath, [script, root, role, `${seed * 10 + index}`, count, planted], {
        env: { HELD: held ? "1" : "0", ...(store === null ? {} : { OBJECTS: store.url }) },
      }),
    ),
  );
  const problems = outputs.flatMap(({ stdout, stderr }) =>
    `${stdout}${stderr}`.split("\n").filter((line) => line !== ""),
  );
  problems.push(...auditUnderLock(root, store !== null));
  if (store !== null) problems.push(...(await unreadable(first)));
  problems.push(...(await leftAtRest(first, root)));
  if (store !== null) problems.push(...(await leftInStore(first, store)));
  await first.close();
  return problems;
}

/** What is still there once nothing is named and all is swept. */
async function leftAtRest(
  { registry }: Awaited<ReturnType<typeof openStressed>>,
  root: string,
): Promise<string[]> {
  const digests = stressed.blobs.map((bytes) => digestOf("sha256", bytes));
  const all = stressed.repositories.flatMap((repository) =>
    digests.map((digest) => ({ repository, digest })),
  );
  for (const { repository, digest } of all) {
    await removeBlob(registry, { repository, target: digest, by: null }).catch(() => undefined);
  }
  await endHolds(registry);
  await sweepOrphans(registry);
  const isThere = async ({ repository, digest }: (typeof all)[number]): Promise<boolean> =>
    existsSync(join(root, blobKey(repository, digest))) ||
    (await registry.blobs.size(repository, digest)) !== null;
  const left: string[] = [];
  for (const one of all) {
    if (await isThere(one)) left.push(`bytes that nothing names: ${one.repository} ${one.digest}`);
  }
  return left;
}

/** What is named and does not have its bytes in the store. */
async function unreadable({ registry }: Awaited<ReturnType<typeof openStressed>>) {
  const problems: string[] = [];
  for (const repository of stressed.repositories) {
    for (const bytes of stressed.blobs) {
      const digest = digestOf("sha256", bytes);
      if ((await registry.metadata.blobRecord(repository, digest)) === null) continue;
      const found = await registry.blobs.read(repository, digest, bytes.length);
      if (found === null || Buffer.compare(found, bytes) !== 0)
        problems.push(`named blob without its object: ${repository} ${digest}`);
    }
  }
  return problems;
}

/** Objects and rows that are left once nothing is named, and unfinished parts. */
async function leftInStore(
  { registry, stores }: Awaited<ReturnType<typeof openStressed>>,
  store: FakeS3,
): Promise<string[]> {
  await systemClock.sleep(2);
  await stores.upkeep?.removeFreed(0);
  const keys = await registry.metadata.records(objects).keys("", 10_000);
  // Those that processes have reserved, and did not use, are given up after a day.
  const rows = keys.filter(({ state }) => state !== "reserved");
  return [
    ...rows.map(({ key, state }) => `row of an object: ${key} ${state}`),
    ...[...store.objects.keys()].map((key) => `object that nothing names: ${key}`),
    ...[...store.uploads.values()].map(({ key }) => `parts that nothing names: ${key}`),
  ];
}

test("pushes, mounts, deletes and sweeps in five processes lose nothing and leave nothing", async () => {
  expect(await stress(1, 60)).toEqual([]);
});

test("so do holds, undos of deletes, and the ends of holds", async () => {
  expect(await stress(2, 60, { held: true })).toEqual([]);
});

test("the same over a store of objects, from which what nothing names is removed at once", async () => {
  await using store = await FakeS3.start();
  expect(await stress(3, 60, { store })).toEqual([]);
  expect(await stress(4, 40, { store, held: true })).toEqual([]);
});

describe("a planted bug is seen over a store of objects", () => {
  for (const planted of ["removes-after-a-look", "push-without-check"] as const) {
    test(planted, async () => {
      await using store = await FakeS3.start();
      let seen: string[] = [];
      for (let attempt = 1; attempt <= 10 && seen.length === 0; attempt += 1) {
        seen = await stress(attempt, 40, { planted, store });
      }
      expect(seen.join("\n")).toContain(plantedBugs[planted]);
    });
  }
});

describe("a planted bug is seen", () => {
  /** Each try is another course of events; one that shows nothing proves nothing. */
  const triesMax = 10;
  for (const [planted, problem] of Object.entries(plantedBugs)) {
    test(planted, async () => {
      let seen: string[] = [];
      for (let attempt = 1; attempt <= triesMax && seen.length === 0; attempt += 1) {
        const held = planted === "keeps-held";
        seen = await stress(attempt, 40, { planted: planted as PlantedBug, held });
      }
      expect(seen.join("\n")).toContain(problem);
    });
  }
});
