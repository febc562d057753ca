// A process ends in the midst of collection, of a hold, an undo and a purge; power cuts there are in
// `test/faults/cut_steps.test.ts`.

import { expect, test } from "bun:test";
import { endAtCalls, endedSteps } from "./ended_steps.ts";

const timeoutMs = 120_000;

for (const name of Object.keys(endedSteps)) {
  test(
    name,
    async () => {
      const { problems, ended } = await endAtCalls(name);
      expect(problems).toEqual([]);
      expect(ended).toBeGreaterThan(0);
    },
    timeoutMs,
  );
}
