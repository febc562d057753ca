// What counts as a slip of the finger, and what as another word.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { nearest } from "./nearest.ts";

const words = ["serve", "verify", "schema", "dedupe", "rootDirectory"];

describe("nearest", () => {
  test.each([
    ["srve", "serve"], // a letter missing
    ["servee", "serve"], // one too many
    ["servr", "serve"], // another one
    ["sevre", "serve"], // two swapped
    ["SERVE", "serve"], // case does not count
    ["rootdirectroy", "rootDirectory"],
    ["rootDir", null], // nearly half is missing
    ["push", null],
    ["", null],
  ])("%p is nearest to %p", (word, expected) => {
    expect(nearest(word, words)).toBe(expected);
  });

  test("of equally near words the first wins", () => {
    expect(nearest("cat", ["bat", "rat"])).toBe("bat");
  });

  test("a word with one letter changed is found among others", () => {
    const letters = fc.stringMatching(/^[a-z]{4,12}$/);
    fc.assert(
      fc.property(letters, fc.nat(), (word, at) => {
        const index = at % word.length;
        const mistyped = `${word.slice(0, index)}0${word.slice(index + 1)}`;
        expect(nearest(mistyped, ["0000000000000", word])).toBe(word);
      }),
    );
  });
});
