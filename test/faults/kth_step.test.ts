// A serving process that is killed in the midst of collection, a hold, an undo, a purge or a round of checks: a few calls
// here; `npm run faults` tries every call.

import { describe, expect, test } from "bun:test";
import { canInject } from "./kth_call.ts";
import { killedSteps, killInStep, type StepPoint } from "./kth_step.ts";

const timeoutMs = 120_000;
const seed = Number(process.env["ZOT_SEED"] ?? Date.now() % 1_000_000);
/** Writes of the log of the facts, of which a step makes some. */
const writesMax = 8;
const points: readonly StepPoint[] = [
  { call: "pwrite64", k: 1 + (seed % writesMax) },
  { call: "unlink", k: 1 },
];

describe.skipIf(!canInject())("a server that is killed in the midst of", () => {
  for (const name of Object.keys(killedSteps)) {
    test(
      name,
      async () => {
        console.log(`kills: ZOT_SEED=${seed}`);
        const results = [];
        for (const point of points) results.push(await killInStep(name, point));
        expect(results.flatMap(({ problems }) => problems)).toEqual([]);
        expect(results.some(({ hit }) => hit)).toBe(true);
      },
      timeoutMs,
    );
  }
});
