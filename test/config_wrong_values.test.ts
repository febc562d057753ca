// Every option of the reference, with values that people write by mistake: each is refused with one line that names the
// key, what was expected and what came.

import { expect, test } from "bun:test";
import { parse } from "yaml";
import { checkConfig, type Loaded } from "../src/config/load.ts";
import { placedOptions } from "../src/config/schema.ts";
import { checkFiles } from "../src/server.ts";
import { wrongValues } from "./config_wrong_values.ts";

function configOf(values: Readonly<Record<string, string>>): object {
  const config: Record<string, unknown> = {};
  for (const [path, text] of Object.entries(values)) {
    const keys = path.split(".");
    let at = config;
    for (const key of keys.slice(0, -1)) at = (at[key] ??= {}) as Record<string, unknown>;
    at[keys.at(-1)!] = parse(text);
  }
  return config;
}

async function problemsOf(loaded: Loaded): Promise<readonly string[]> {
  if ("problems" in loaded) return loaded.problems;
  return (await checkFiles(loaded.config)).problems;
}

test("every option that is served has wrong values", () => {
  const served = placedOptions().filter(({ option }) => option.served);
  expect(Object.keys(wrongValues)).toEqual(served.map(({ path }) => path));
});

const rows = Object.entries(wrongValues).flatMap(([path, { wrong, beside = {} }]) =>
  wrong.map((value) => ({ path, value, beside })),
);

for (const { path, value, beside } of rows) {
  test(`${path}: ${value}`, async () => {
    const problems = await problemsOf(checkConfig(configOf({ ...beside, [path]: value }), {}));
    const [line, ...others] = problems.filter((problem) => problem.startsWith(path));
    expect([line, others]).toEqual([expect.stringMatching(/expected .+, got .+/), []]);
    expect(line).not.toContain("\n");
  });
}
