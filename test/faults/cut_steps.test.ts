// Power cuts in the midst of collection, holds, undo and purge, in short; `npm run faults` cuts at every call.

import { describe, expect, test } from "bun:test";
import { endAtCalls, endedSteps } from "../model/ended_steps.ts";
import { canCutPower, ext4Disk } from "./power_cut.ts";

const seed = Number(process.env["ZOT_SEED"] ?? Date.now() % 1_000_000);
const timeoutMs = 240_000;
/** Of the calls of a step, one of the first few and some later ones. */
const firstOf = 4;
const oneIn = 9;

describe.skipIf(!(await canCutPower()))("a power cut in the midst of", () => {
  for (const name of Object.keys(endedSteps)) {
    test(
      name,
      async () => {
        console.log(`power cuts: ZOT_SEED=${seed}`);
        await using disk = await ext4Disk();
        const { problems, ended } = await endAtCalls(name, { disk, from: seed % firstOf, oneIn });
        expect(problems).toEqual([]);
        expect(ended).toBeGreaterThan(0);
      },
      timeoutMs,
    );
  }

  test(
    "a planted bug is caught: nothing is flushed",
    async () => {
      await using disk = await ext4Disk();
      const planted = { neverFlushes: true };
      const { problems } = await endAtCalls("an undo of a delete", { disk, planted, oneIn });
      expect(problems).not.toEqual([]);
    },
    timeoutMs,
  );
});
