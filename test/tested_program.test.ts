// The program that tests start is of the sources as they are, also when they change while it is built.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { tempDirectory } from "./harness.ts";
import { builtAsItIs } from "./tested_program.ts";

test("what was built while a source changed is not taken for either state", async () => {
  await using directory = await tempDirectory("tested-program");
  const kept = (state: string): string => join(directory.path, state, "zot");
  let state = "old";
  const built: string[] = [];
  const build = async (path: string): Promise<void> => {
    built.push(state);
    await Bun.write(path, `a mixture of ${state}`);
    // Another branch is checked out while the first build runs.
    state = "new";
  };
  const path = await builtAsItIs(async () => state, { kept, build });
  expect(path).toBe(kept("new"));
  expect(await Bun.file(path).text()).toBe("a mixture of new");
  expect(await Bun.file(kept("old")).exists()).toBe(false);
  expect(built).toEqual(["old", "new"]);
  expect(await builtAsItIs(async () => state, { kept, build })).toBe(path);
  expect(built).toHaveLength(2);
});

test("sources that change all the time end the run", async () => {
  await using directory = await tempDirectory("tested-program");
  let states = 0;
  const built = builtAsItIs(async () => String((states += 1)), {
    kept: (state) => join(directory.path, state, "zot"),
    build: async (path) => void (await Bun.write(path, "")),
  });
  expect(built).rejects.toThrow("the sources changed during each of");
  await built.catch(() => {});
});
