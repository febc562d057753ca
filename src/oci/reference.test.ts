// Names, tags and references: the name corpus, and generators that do not share our patterns.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { parseDigest } from "./digest.ts";
import { isRepositoryName, isTag, parseReference } from "./reference.ts";

const hex64 = "0123456789abcdef".repeat(4);

describe("isRepositoryName", () => {
  test.each([
    "a",
    "0",
    "a0",
    "library/alpine",
    "a/b/c",
    "a__b",
    "a_b",
    "a.b",
    "a-b",
    "a--b",
    "a---b",
    "a-b_c.d__e/f",
    "x".repeat(255),
    Array.from({ length: 128 }, () => "a").join("/"),
    // Legal, and dangerous as file names: storage must tell repositories from their insides.
    "con",
    "nul",
    "v2",
    "blobs",
    "blobs/sha256",
    "uploads",
    "manifests",
    "manifests/latest",
    "tags/list",
    "referrers",
    "index.json",
    "oci-layout",
    "x/index.json",
    "x/blobs/sha256",
    "constructor",
    "a/blobs/uploads",
    "0.0.0.0",
  ])("%p is legal", (name) => {
    expect(isRepositoryName(name)).toBe(true);
  });

  test.each([
    "",
    ".",
    "..",
    "a/../b",
    "a/./b",
    "a//b",
    "/a",
    "a/",
    "/",
    "A",
    "a/B",
    "a_",
    "_a",
    "a___b",
    "a..b",
    "a-.b",
    "a.-b",
    "a._b",
    "a_.b",
    "-a",
    "a-",
    ".a",
    "a.",
    "a/-b",
    "a-/b",
    "%2e",
    "%2e%2e",
    "a%2fb",
    "a\0",
    "\0",
    "a\u007f",
    "a\n",
    "a\r\nb",
    "\na",
    " a",
    "a ",
    "a b",
    "a:b",
    "a:1",
    "a@b",
    "a\\b",
    "..\\a",
    "con:",
    "_catalog",
    "_uploads",
    ".git",
    "a/.git",
    "-rf",
    "~",
    "~root",
    "$(id)",
    "`id`",
    "{{7*7}}",
    "'--",
    "a;b",
    "a|b",
    "a&b",
    "a?b",
    "a#b",
    "a*b",
    "a+b",
    "__proto__",
    "a/__proto__",
    "х",
    "аlpine",
    "ａ",
    "ﬁ",
    "ı",
    "é",
    "e\u0301",
    "a\u200bb",
    "a\u202eb",
    "ſ",
    "K",
    "🐳",
    "x".repeat(256),
    "x".repeat(4096),
    `${"a/".repeat(127)}aa`,
  ])("%p is illegal", (name) => {
    expect(isRepositoryName(name)).toBe(false);
  });

  test("accepts what the grammar builds, up to 255 characters", () => {
    const characters = Array.from("abcdefghijklmnopqrstuvwxyz0123456789");
    const word = fc.string({ unit: fc.constantFrom(...characters), minLength: 1, maxLength: 9 });
    const separator = fc.oneof(
      fc.constantFrom(".", "_", "__"),
      fc.nat(4).map((n) => "-".repeat(n + 1)),
    );
    const component = fc
      .tuple(word, fc.array(fc.tuple(separator, word), { maxLength: 4 }))
      .map(([first, rest]) => first + rest.flat().join(""));
    fc.assert(
      fc.property(fc.array(component, { minLength: 1, maxLength: 12 }), (components) => {
        const name = components.join("/");
        expect(isRepositoryName(name)).toBe(name.length <= 255);
      }),
    );
  });

  test("agrees with a reading of the grammar character by character", () => {
    const text = fc.string({ unit: fc.constantFrom(...Array.from("ab0.._-/A\n")), maxLength: 14 });
    fc.assert(
      fc.property(text, (name) => {
        expect(isRepositoryName(name)).toBe(slowIsRepositoryName(name));
      }),
      { numRuns: 2000 },
    );
  });
});

/** The grammar of names without a regular expression: words and separators take turns. */
function slowIsRepositoryName(name: string): boolean {
  return name.split("/").every((component) => {
    const separators = [""]; // What stands before, between and after the characters of words.
    for (const character of component) {
      const isWord = "abcdefghijklmnopqrstuvwxyz0123456789".includes(character);
      if (isWord) separators.push("");
      else separators.push((separators.pop() ?? "") + character);
    }
    const legal = (separator: string): boolean =>
      ["", ".", "_", "__"].includes(separator) || separator === "-".repeat(separator.length);
    return (
      separators.length > 1 &&
      separators[0] === "" &&
      separators.at(-1) === "" &&
      separators.every(legal)
    );
  });
}

describe("isTag", () => {
  test.each([
    "latest",
    "v1.0.0",
    "_",
    "0",
    "A-Z_a.z",
    "x".repeat(128),
    "__proto__",
    "constructor",
    "1..2",
    "a-",
    "a.",
    `sha256-${hex64}`,
  ])("%p is legal", (tag) => {
    expect(isTag(tag)).toBe(true);
  });

  test.each([
    "",
    ".a",
    "-a",
    "..",
    "x".repeat(129),
    "a:b",
    "a+b",
    "a/b",
    "a b",
    " a",
    "a ",
    "a\n",
    "a\0",
    "a@b",
    "a%20",
    "é",
    "$(id)",
    `sha256:${hex64}`,
  ])("%p is illegal", (tag) => {
    expect(isTag(tag)).toBe(false);
  });

  test("accepts exactly what the grammar builds", () => {
    const first = Array.from("abcxyzABCXYZ0189_");
    const rest = fc.string({ unit: fc.constantFrom(...first, ".", "-"), maxLength: 140 });
    fc.assert(
      fc.property(fc.constantFrom(...first), rest, (head, tail) => {
        expect(isTag(head + tail)).toBe(tail.length <= 127);
        expect(isTag(`.${tail}`) || isTag(`-${tail}`)).toBe(false);
      }),
    );
  });
});

describe("parseReference", () => {
  const digest = parseDigest(`sha256:${hex64}`)!;

  test("a legal tag or digest is what it looks like", () => {
    expect(parseReference("latest")).toEqual({ kind: "tag", tag: "latest" });
    expect(parseReference(`sha256-${hex64}`)).toEqual({ kind: "tag", tag: `sha256-${hex64}` });
    expect(parseReference(digest)).toEqual({ kind: "digest", digest });
  });

  test.each([
    ["", "tag"],
    [".hidden", "tag"],
    ["x".repeat(129), "tag"],
    ["a+b", "tag"],
    [hex64.repeat(3), "tag"],
    ["sha256:baddigeststring", "malformed-digest"],
    ["latest:", "malformed-digest"],
    [":", "malformed-digest"],
    [`SHA256:${hex64}`, "malformed-digest"],
    ["md5:d41d8cd98f00b204e9800998ecf8427e", "unsupported-digest"],
    ["repo:tag", "unsupported-digest"],
  ] as const)("%p has the problem %p", (text, problem) => {
    expect(parseReference(text)).toEqual({ kind: "invalid", problem });
  });
});
