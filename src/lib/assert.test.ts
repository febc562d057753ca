// Assertions throw AssertionError with the promise that was broken, and pass values through.

import { describe, expect, test } from "bun:test";
import { assert, AssertionError, must, unreachable } from "./assert.ts";

describe("assert", () => {
  test("passes on truth and throws on falsehood", () => {
    expect(() => assert(1 + 1 === 2, "arithmetic")).not.toThrow();
    for (const falsy of [false, 0, "", null, undefined]) {
      expect(() => assert(falsy, "Promise is kept")).toThrow(new AssertionError("Promise is kept"));
    }
  });

  test("must returns what is there, falsy values included", () => {
    expect(must<unknown>(0, "x")).toBe(0);
    expect(must<unknown>("", "x")).toBe("");
    expect(must<unknown>(false, "x")).toBe(false);
    expect(() => must(null, "Row is there")).toThrow(AssertionError);
    expect(() => must(undefined, "Row is there")).toThrow("Row is there");
  });

  test("unreachable names the value that was not foreseen", () => {
    // @ts-expect-error: the compiler would not let it come to this.
    expect(() => unreachable("surprise")).toThrow("surprise");
  });

  test("an assertion is told from other errors by its name", () => {
    expect(new AssertionError("x").name).toBe("AssertionError");
    expect(new AssertionError("x")).toBeInstanceOf(Error);
  });
});
