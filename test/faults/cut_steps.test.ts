// Power cuts in the midst of collection, holds, undo, purge and checks, in short; `npm run faults` cuts at every call.

import { describe, expect, test } from "bun:test";
import { endAtCalls, endedSteps } from "../model/ended_steps.ts";
import { cutAtCalls, cutChecks, quarantinesUnmarked } from "./cut_checks.ts";
import { canCutPower, ext4Disk } from "./power_cut.ts";

const seed = Number(process.env["ZOT_SEED"] ?? Date.now() % 1_000_000);
const timeoutMs = 240_000;
/** Of the calls of a step, the first one and some later ones. */
const oneIn = 11 + (seed % 7);

describe.skipIf(!(await canCutPower()))("a power cut in the midst of", () => {
  for (const name of Object.keys(endedSteps)) {
    test(
      name,
      async () => {
        console.log(`power cuts: ZOT_SEED=${seed}`);
        await using disk = await ext4Disk();
        const { problems, ended } = await endAtCalls(name, { disk, oneIn });
        expect(problems).toEqual([]);
        expect(ended).toBeGreaterThan(0);
      },
      timeoutMs,
    );
  }

  for (const name of Object.keys(cutChecks)) {
    test(
      name,
      async () => {
        await using disk = await ext4Disk();
        const { problems, ended } = await cutAtCalls(name, { disk, oneIn });
        expect(problems).toEqual([]);
        expect(ended).toBeGreaterThan(0);
      },
      timeoutMs,
    );
  }

  test(
    "a planted bug is caught: damage is moved away before it is marked",
    async () => {
      await using disk = await ext4Disk();
      const name = "a round that finds two names of one file";
      const { problems } = await cutAtCalls(name, { disk, planted: quarantinesUnmarked, oneIn: 3 });
      expect(problems).not.toEqual([]);
    },
    timeoutMs,
  );

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
