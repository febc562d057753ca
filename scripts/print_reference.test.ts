// The printed pages in the repository are those that the tables print now.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { pages } from "./print_reference.ts";

test.each([...pages])("$path is fresh ('npm run docs' prints it)", async ({ path, text }) => {
  expect(await Bun.file(join(import.meta.dirname, "..", path)).text()).toBe(text());
});
