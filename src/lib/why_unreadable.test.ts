// Failed reads in words, made by real files.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { whyUnreadable } from "./why_unreadable.ts";

function reasonFor(path: string): string {
  try {
    readFileSync(path);
  } catch (error) {
    return whyUnreadable(error);
  }
  throw new Error(`${path} can be read`);
}

test("what is absent and what is a directory have words; the rest has the error's own", () => {
  expect(reasonFor(join(import.meta.dir, "absent"))).toBe("no such file");
  expect(reasonFor(import.meta.dir)).toBe("a directory");
  expect(reasonFor(join(import.meta.path, "below"))).toContain("ENOTDIR");
  expect(whyUnreadable("text")).toBe("text");
});
