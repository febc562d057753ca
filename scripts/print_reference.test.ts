// The printed pages in the repository are those that the tables print now.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { parse } from "yaml";
import { optionRows } from "../src/config/reference.ts";
import { placedOptions } from "../src/config/schema.ts";
import { configExamples } from "./config_examples.ts";
import { pages } from "./print_reference.ts";

test.each([...pages])("$path is fresh ('npm run docs' prints it)", async ({ path, text }) => {
  expect(await Bun.file(join(import.meta.dirname, "..", path)).text()).toBe(text());
});

test("every option of the configuration has an example", () => {
  expect(Object.keys(configExamples)).toEqual(optionRows().map(({ path }) => path));
});

test.each(placedOptions().filter(({ option }) => option.served))(
  "$path: its example fits, and says something else than the default",
  ({ path, option }) => {
    const text = configExamples[path] ?? "";
    const value: unknown = parse(text);
    const parsed = option.type.safeParse(value);
    expect({ value, ...parsed }).toMatchObject({ success: true });
    // Workers are told the configuration as JSON.
    expect(JSON.parse(JSON.stringify(parsed.data))).toEqual(parsed.data);
    const same = ["distSpecVersion", "extensions.metrics.enable"];
    if (!same.includes(path)) expect(value).not.toEqual(option.default);
  },
);
