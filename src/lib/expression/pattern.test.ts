// Regular expressions: what RE2 says of each form, what is refused, agreement with another engine, and patterns that ruin one.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { parseCapture, parsePattern } from "./pattern.ts";
import { ExpressionProblem } from "./tokens.ts";

const rows: [pattern: string, fits: readonly string[], others: readonly string[]][] = [
  ["", ["", "a"], []],
  ["abc", ["abc", "xabcx"], ["ab", "ABC"]],
  ["^v[0-9]+(\\.[0-9]+)*$", ["v1", "v1.22.3"], ["v", "v1.", "xv1", "v1\n"]],
  ["a|bc|", ["", "a", "x"], []],
  ["^(?:a|bc)$", ["a", "bc"], ["ab", "abc", ""]],
  ["^a{2,3}$", ["aa", "aaa"], ["a", "aaaa"]],
  ["^a{2}$", ["aa"], ["a", "aaa"]],
  ["^a{2,}?$", ["aa", "aaaaaa"], ["a"]],
  ["a{,2}", ["a{,2}"], ["aa"]],
  ["^.$", ["a", "ä", "👍"], ["", "\n", "ab"]],
  ["(?s)^.$", ["\n"], [""]],
  ["(?m)^b$", ["a\nb\nc", "b"], ["ab"]],
  ["(?i)alice", ["ALICE", "Alice"], ["bob"]],
  ["(?i)kate", ["\u212Aate"], []],
  ["kate", [], ["\u212Aate"]],
  ["(?i)\u212Aate", ["kate", "KATE"], []],
  ["(?i)[^k]", ["x"], ["k", "K"]],
  ["^a(?i)b|c$", ["aB", "C"], ["Ab"]],
  ["^(?i:a)b$", ["Ab"], ["AB"]],
  ["(?i)^a(?-i:b)$", ["Ab"], ["aB"]],
  ["^(?P<one>a)(?<two>b)$", ["ab"], ["a"]],
  ["\\Aalice\\z", ["alice"], ["Aalicez", "alice\n"]],
  ["^[[:alpha:]]+$", ["abC"], ["a1", ":a]"]],
  ["^[[:^digit:]x-z]$", ["a"], ["1"]],
  ["^[]a-c-]+$", ["]-b"], ["d"]],
  ["^[^]a]$", ["b"], ["]", "a"]],
  ["^[\\d\\-_]+$", ["1-_"], ["a"]],
  ["^[\\D]$", ["a", "💥"], ["1"]],
  ["^\\w\\W\\s\\S$", ["a- b"], ["aa b"]],
  ["\\bcat\\b", ["a cat!"], ["concat"]],
  ["\\Bcat", ["concat"], ["cat"]],
  ["^\\x41\\x{1F44D}\\t\\.\\/$", ["A👍\t./"], ["A"]],
  ["^\\d$", ["7"], ["٧"]],
  ["(a*)*b", ["aab", "b"], ["a"]],
  ["^(|a)+$", ["", "aa"], ["b"]],
];

test.each(rows)("%p", (source, fits, others) => {
  const pattern = parsePattern(source);
  expect(fits.filter((text) => !pattern.test(text))).toEqual([]);
  expect(others.filter((text) => pattern.test(text))).toEqual([]);
});

test.each([
  "(",
  "a)",
  "[a",
  "[",
  "*a",
  "a**",
  "a{2}{3}",
  "a(?i)?",
  "a{3,2}",
  "a{1001}",
  "a{99999999}",
  "{2}",
  "(?=a)",
  "(?!a)",
  "(?<=a)b",
  "(a)\\1",
  "\\p{L}",
  "\\y",
  "\\",
  "[z-a]",
  "[\\d-z]",
  "[[:nope:]]",
  "\\x{110000}",
  "(?x)a",
  "(".repeat(60) + ")".repeat(60),
  "((a{100}){100}){100}",
])("%p is refused", (source) => {
  expect(() => parsePattern(source)).toThrow(ExpressionProblem);
});

describe("patterns that are tried again and again elsewhere", () => {
  test.each(["^(a+)+$", "^(a|a)*$", "^(a?){200}a{200}b$", "^.*.*.*.*=$", "(.*a){12}c", "^(a*)*$"])(
    "%p ends, and does not fit",
    (source) => {
      expect(parsePattern(source).test(`${"a".repeat(3000)}!`)).toBe(false);
    },
  );
});

/** Patterns of the syntax that both engines read alike, over three letters. */
const shared = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom("a", "b", "c", ".", "[ab]", "[^a]", "\\w", "\\W", "^", "$", "\\b", "\\B"),
    fc.tuple(tie("node"), tie("node")).map(([left, right]) => left + right),
    fc.tuple(tie("node"), tie("node")).map(([left, right]) => `(?:${left}|${right})`),
    fc
      .tuple(tie("node"), fc.constantFrom("*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "+?"))
      .map(([of, sign]) => `(?:${of})${sign}`),
  ),
})).node;

test("it answers as another engine does", () => {
  const texts = fc.string({ unit: fc.constantFrom("a", "b", "c", "-", "\n"), maxLength: 8 });
  fc.assert(
    fc.property(shared, texts, (source, text) => {
      fc.pre(source.length < 80);
      expect(parsePattern(source).test(text)).toBe(new RegExp(source, "u").test(text));
    }),
  );
});

test("what is no pattern is refused, whatever it is", () => {
  const unit = fc.constantFrom(...Array.from("ab()[]{}*+?|\\^$.,-:1dwzxP<>i"));
  fc.assert(
    fc.property(
      fc.string({ unit, maxLength: 16 }),
      fc.string({ unit, maxLength: 16 }),
      (source, text) => {
        try {
          parsePattern(source).test(text);
        } catch (error) {
          expect(error).toBeInstanceOf(ExpressionProblem);
        }
      },
    ),
  );
});

describe("what the first group takes", () => {
  test.each([
    ["^(env\\d+)-", "env12-a", "env12"],
    ["^(env\\d+)-", "prod-a", null],
    ["^v(\\d+)\\.(\\d+)", "v1.22.3", "1"],
    ["(?:a|b)(c+)", "xbccc", "ccc"],
    ["(?P<name>a+?)", "aaa", "a"],
    ["(a+)", "baab", "aa"],
    ["(a|ab)(c|bcd)", "abcd", "a"],
    ["^(a)?b", "b", ""],
    ["a+", "baaab", "aaa"],
    ["^(.*)-[^-]*$", "main-12-abc", "main-12"],
    ["^(.*?)-", "main-12-abc", "main"],
    ["^((a+)+)+$", `${"a".repeat(100)}!`, null],
    ["(é+)", "xéé", "éé"],
  ])("%p of %p is %p", (source, text, taken) => {
    expect(parseCapture(source)(text)).toBe(taken);
  });

  test("it is what another engine takes", () => {
    const piece = fc.constantFrom("a", "b", "[ab]", "c?", "a*", "b+", "(?:a|bc)", "a{1,2}", "b*?");
    const joined = fc.array(piece, { minLength: 1, maxLength: 3 }).map((all) => all.join(""));
    const texts = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 10 });
    fc.assert(
      fc.property(joined, joined, joined, texts, (before, inside, after, text) => {
        const source = `${before}(${inside})${after}`;
        expect(parseCapture(source)(text)).toBe(new RegExp(source).exec(text)?.[1] ?? null);
      }),
    );
  });
});
