// Pushers, deleters and collectors in two processes: an image is whole at any moment, what was promised is kept,
// nothing goes early, and the checks see the mistakes that such code is prone to.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { systemClock } from "../../src/lib/clock.ts";
import { LayoutProjector } from "../../src/registry/layout_projector.ts";
import { memoryDirectory } from "../memory_directory.ts";
import { run } from "../processes.ts";
import { openRoot, pushImage } from "../registry/world.ts";
import { auditUnderLock, images, plantedBug } from "./collection_stress_process.ts";

const timeoutMs = 300_000;
const triesMax = 30;
const actions = "10";
const script = join(import.meta.dir, "collection_stress_process.ts");

/** One round of all roles at once; the problems that were seen. */
async function stress(seed: number, planted = ""): Promise<string[]> {
  await using directory = await memoryDirectory("zot-collecting");
  const root = join(directory.path, "root");
  const first = await openRoot(root, systemClock, true, () => {});
  for (const one of images) await pushImage(first, one, one.tag);
  await new LayoutProjector(first.registry, () => {}).run("all");
  await first.close();
  const outputs = await Promise.all(
    ["push,untag,audit,collect", "push,untag,collect"].map((roles, index) =>
      run(process.execPath, [script, root, roles, `${seed * 10 + index}`, actions, planted]),
    ),
  );
  const problems = outputs.flatMap(({ stdout, stderr }) =>
    `${stdout}${stderr}`.split("\n").filter((line) => line !== ""),
  );
  return [...problems, ...auditUnderLock(root)];
}

test(
  "what is named stays whole and nothing goes early, whoever collects meanwhile",
  async () => {
    expect(await stress(1)).toEqual([]);
  },
  timeoutMs,
);

test(
  "a planted bug is seen: collection without its protocol",
  async () => {
    // Each try is another course of events; one that shows nothing proves nothing.
    let seen = "";
    for (let seed = 1; seed <= triesMax && !seen.includes("without its blob"); seed += 1) {
      seen = (await stress(seed, plantedBug)).join("\n");
    }
    expect(seen).toContain("manifest without its blob");
  },
  timeoutMs,
);
