// The limit of a test holds in every file of a run, not only in the first one.

import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { packageDirectory, run, tempDirectory } from "./harness.ts";

/** Longer than the runner's own limit. */
const sleepMs = 5_200;

test("a slow test of the second file is no failure", async () => {
  await using directory = await tempDirectory();
  const source = (ms: number) =>
    `import { test } from "bun:test"; test("slow", async () => { await Bun.sleep(${ms}); });`;
  await writeFile(join(directory.path, "a.test.ts"), source(1));
  await writeFile(join(directory.path, "b.test.ts"), source(sleepMs));
  const program = join(packageDirectory, "scripts/bun");
  const { code, stderr } = await run(program, ["test"], { cwd: directory.path });
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("2 pass") });
});
