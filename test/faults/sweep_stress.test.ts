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
import { openRoot, pushBlob } from "../registry/world.ts";
import {
  auditUnderLock,
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
  }: { readonly planted?: PlantedBug | ""; readonly held?: boolean } = {},
) {
  await using directory = await memoryDirectory("zot-stress");
  const root = join(directory.path, "root");
  const first = await openRoot(root, systemClock, true, () => {});
  for (const at of stressed.repositories) await pushBlob(first, stressed.blobs[0]!, at);
  await new LayoutProjector(first.registry, () => {}).run("all");
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
        env: { HELD: held ? "1" : "0" },
      }),
    ),
  );
  const problems = outputs.flatMap(({ stdout, stderr }) =>
    `${stdout}${stderr}`.split("\n").filter((line) => line !== ""),
  );
  problems.push(...auditUnderLock(root), ...(await leftAtRest(first, root)));
  await first.close();
  return problems;
}

/** What is still there once nothing is named and all is swept. */
async function leftAtRest(
  { registry }: Awaited<ReturnType<typeof openRoot>>,
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
  return all
    .filter(({ repository, digest }) => existsSync(join(root, blobKey(repository, digest))))
    .map(({ repository, digest }) => `bytes that nothing names: ${repository} ${digest}`);
}

test("pushes, mounts, deletes and sweeps in five processes lose nothing and leave nothing", async () => {
  expect(await stress(1, 60)).toEqual([]);
});

test("so do holds, undos of deletes, and the ends of holds", async () => {
  expect(await stress(2, 60, { held: true })).toEqual([]);
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
