// Another tool beside the server, in short; `npm run faults` has the long version.

import { expect, test } from "bun:test";
import { workBeside } from "./other_tools.ts";

const seed = Number(process.env["ZOT_SEED"] ?? Date.now() % 1_000_000);

test("old copies of index.json and unreadable files of another tool undo nothing that was acknowledged", async () => {
  console.log(`other tools: ZOT_SEED=${seed}`);
  const { problems, acknowledged, staleWrites } = await workBeside({ cycles: 3, seed });
  expect(problems).toEqual([]);
  expect(acknowledged).toBeGreaterThan(300);
  expect(staleWrites).toBe(9);
});
