// The rows that the reference page is made of.

import { expect, test } from "bun:test";
import { optionRows } from "./reference.ts";
import { placedOptions } from "./schema.ts";

test("a row says path, type, default, how it changes, and meaning", () => {
  expect(optionRows()).toContainEqual({
    path: "storage.uploadIdle",
    type: "duration",
    default: '`"24h"`',
    applies: "live",
    description: "An upload that received nothing for this long is dropped.",
  });
});

test("every option that is served has a row, and no word is missing in it", () => {
  const served = placedOptions().filter(({ option }) => option.served);
  expect(optionRows().map((row) => row.path)).toEqual(served.map(({ path }) => path));
  for (const row of optionRows()) {
    expect(row.type).not.toBe("value");
    expect(row.description).toMatch(/^[A-Z].*\.$/);
  }
});
