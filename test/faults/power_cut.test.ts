// Power cuts right after acknowledgements and under load, in short; `npm run faults` has the long version.

import { describe, expect, test } from "bun:test";
import { canCutPower, cutPower } from "./power_cut.ts";
import { cutAfterIntake } from "./power_cut_intake.ts";

const seed = Number(process.env["ZOT_SEED"] ?? Date.now() % 1_000_000);
const timeoutMs = 120_000;

describe.skipIf(!(await canCutPower()))("a power cut", () => {
  test(
    "takes nothing with it that was acknowledged",
    async () => {
      console.log(`power cuts: ZOT_SEED=${seed}`);
      const { problems, acknowledged } = await cutPower({ cycles: 5, seed });
      expect(problems).toEqual([]);
      expect(acknowledged).toBeGreaterThan(10);
    },
    timeoutMs,
  );

  test("takes nothing with it that was taken in from another tool, and served", async () => {
    const { problems, served } = await cutAfterIntake([1, 30, 1]);
    expect(problems).toEqual([]);
    expect(served).toBe(32 * 3);
  });

  test(
    "a planted bug is caught: a server that does not flush",
    async () => {
      const { problems } = await cutPower({ cycles: 2, seed, planted: "never-flushes" });
      expect(problems).not.toEqual([]);
    },
    timeoutMs,
  );
});
