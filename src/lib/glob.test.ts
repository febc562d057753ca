// Globs: a table of what each form matches, what is refused, and properties against a plain model.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { isHopeless, matchesGlob, parseGlob, type Glob } from "./glob.ts";

function glob(text: string): Glob {
  const parsed = parseGlob(text);
  if ("problem" in parsed) throw new Error(parsed.problem);
  return parsed.glob;
}

const table: [pattern: string, name: string, matches: boolean][] = [
  ["a", "a", true],
  ["a", "b", false],
  ["a", "a/b", false],
  ["*", "abc", true],
  ["*", "a/b", false],
  ["a*c", "ac", true],
  ["a*c", "abbc", true],
  ["a*c", "ab/c", false],
  ["a*b*c", "axbxbxc", true],
  ["a*b*c", "axbxbx", false],
  ["?", "a", true],
  ["?", "/", false],
  ["a?c", "a/c", false],
  ["[a-c]x", "bx", true],
  ["[a-c]x", "dx", false],
  ["[^a-c]x", "dx", true],
  ["[!a-c]x", "ax", false],
  ["a[^b]c", "a/c", false],
  ["[\\]]", "]", true],
  ["[\\-x]", "-", true],
  ["\\*", "*", true],
  ["\\*", "a", false],
  ["**", "a", true],
  ["**", "a/b/c", true],
  ["a/**", "a", true],
  ["a/**", "a/b", true],
  ["a/**", "a/b/c", true],
  ["a/**", "ab", false],
  ["a/**", "b/a", false],
  ["**/c", "c", true],
  ["**/c", "a/b/c", true],
  ["**/c", "a/bc", false],
  ["a/**/c", "a/c", true],
  ["a/**/c", "a/x/y/c", true],
  ["a/**/c", "a/xc", false],
  ["a/**/**", "a", true],
  ["a**c", "abc", true],
  ["a**c", "a/c", false],
  ["a/*", "a", false],
  ["a/*", "a/b", true],
  ["a/*", "a/b/c", false],
  ["ab{c,d}", "abc", true],
  ["ab{c,d}", "abe", false],
  ["{a,b/*}/c", "b/x/c", true],
  ["{a,{b,c}}d", "cd", true],
  ["{a,}b", "b", true],
  ["a\\{b", "a{b", true],
  ["[{]", "{", true],
];

test.each(table)("%p on %p", (pattern, name, matches) => {
  expect(matchesGlob(glob(pattern), name)).toBe(matches);
});

test.each(["[", "a[", "[]", "[a", "[a-]", "[-a]", "[c-a]", "{a", "{a,{b}", "a\\", "[\\"])(
  "%p is refused",
  (pattern) => {
    expect(parseGlob(pattern)).toHaveProperty("problem");
  },
);

test("what unfolds beyond the limit is refused", () => {
  expect(parseGlob("{a,b}".repeat(6))).toHaveProperty("glob");
  expect(parseGlob("{a,b}".repeat(7))).toHaveProperty("problem");
  expect(parseGlob("a".repeat(513))).toHaveProperty("problem");
});

describe("globs that no name fits", () => {
  const names = { inside: /[a-z0-9._-]/, edge: /[a-z0-9]/ };
  const hopeless = ["", "/a", "a/", "a//b", "A/b", "a b", "-a", "a-/b", "a:b", "{A,B}", "a/../b"];
  test.each(hopeless)("%p", (pattern) => expect(isHopeless(glob(pattern), names)).toBe(true));
  test.each(["a", "**", "a/**", "{A,b}", "*-*", "[A-z]", "a.b/c_d"])("not %p", (pattern) => {
    expect(isHopeless(glob(pattern), names)).toBe(false);
  });
});

/** The same meaning by a regular expression, for patterns without braces and classes. */
function model(pattern: string): RegExp {
  const source = pattern
    .split("/")
    .map((component) => (component === "**" ? "**" : component.replace(/\*+/g, "[^/]*")))
    .join("/")
    .replace(/^\*\*$/, ".*")
    .replace(/^\*\*\//, "(?:.*/)?")
    .replaceAll("/**/", "/(?:.*/)?")
    .replace(/\/\*\*$/, "(?:/.*)?");
  return new RegExp(`^${source}$`);
}

test("agrees with a regular expression", () => {
  const component = fc.string({ unit: fc.constantFrom("a", "b", "*"), minLength: 1, maxLength: 4 });
  const pattern = fc.tuple(component, component, component).map((parts) =>
    // Two ** in a row are the one case that the model cannot say.
    parts.map((part, at) => (part === "**" && parts[at - 1] === "**" ? "a" : part)).join("/"),
  );
  const name = fc
    .array(fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 4 }), {
      minLength: 1,
      maxLength: 4,
    })
    .map((parts) => parts.join("/"));
  fc.assert(
    fc.property(pattern, name, (text, subject) => {
      expect(matchesGlob(glob(text), subject)).toBe(model(text).test(subject));
    }),
  );
});

test("a hostile name costs no more than a harmless one", () => {
  const pattern = glob(`${"*a".repeat(100)}b`);
  expect(matchesGlob(pattern, "a".repeat(5000))).toBe(false);
});
