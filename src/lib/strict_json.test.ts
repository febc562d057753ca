// Strict JSON: what parsers could read in two ways is refused; all else reads as JSON.parse reads it.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  isJsonObject,
  isStringArray,
  isStringMap,
  parseStrictJson,
  showJson,
} from "./strict_json.ts";

const options = { depthMax: 8 };
const encoder = new TextEncoder();

function parse(text: string | Uint8Array) {
  return parseStrictJson(typeof text === "string" ? encoder.encode(text) : text, options);
}

function problemOf(text: string | Uint8Array): string {
  const parsed = parse(text);
  return "problem" in parsed ? parsed.problem : "none";
}

describe("parseStrictJson", () => {
  test.each([
    "{}",
    "[]",
    "null",
    "0",
    '"a"',
    ' \n\t{"a":[1,{"b":"}:{"}]}\r\n ',
    '"\\"[[[[[[[[[[:"',
    '"\\\\"',
    "[[[[[[[[]]]]]]]]",
    "-1e3",
  ])("%p reads as JSON.parse reads it", (text) => {
    expect(parse(text)).toEqual({ value: JSON.parse(text) });
  });

  test.each([
    [new Uint8Array(), "not valid JSON"],
    ["", "not valid JSON"],
    [" ", "not valid JSON"],
    ["{", "not valid JSON"],
    ["{}{}", "not valid JSON"],
    ["{}x", "not valid JSON"],
    ["{'a':1}", "not valid JSON"],
    ["[1,]", "not valid JSON"],
    ["NaN", "not valid JSON"],
    ["// c\n{}", "not valid JSON"],
    ["]]]]{", "not valid JSON"],
    ['{"a":"\u0001"}', "not valid JSON"],
    ["\uFEFF{}", "byte order mark"],
    [new Uint8Array([0x22, 0xff, 0x22]), "UTF-8"],
    [new Uint8Array([0x22, 0xc0, 0xaf, 0x22]), "UTF-8"],
    [new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]), "UTF-8"],
    [new Uint8Array([0x22, 0xe2, 0x82]), "UTF-8"],
    ["[[[[[[[[[]]]]]]]]]", "deeper than 8"],
    ['{"a":'.repeat(9), "deeper than 8"],
    ["[".repeat(100_000), "deeper than 8"],
  ])("%p is refused: %s", (text, problem) => {
    expect(problemOf(text)).toContain(problem);
  });

  test.each([
    '{"a":1,"a":1}',
    '{"a":1,"b":2,"a":3}',
    '{"a":1,"\\u0061":2}',
    '[{"x":{"a":1,"a":2}}]',
    '{"__proto__":1,"__proto__":2}',
    '{"":1,"":2}',
  ])("%p repeats a name", (text) => {
    expect(problemOf(text)).toContain("more than once");
  });

  test("__proto__ is a member like any other", () => {
    const parsed = parse('{"__proto__":{"polluted":true},"a":1}');
    expect("value" in parsed && Object.keys(parsed.value ?? {})).toEqual(["__proto__", "a"]);
    expect(Reflect.get({}, "polluted")).toBeUndefined();
  });

  test("every JSON value within the depth reads back, in any spacing", () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 6 }),
        fc.constantFrom(undefined, 1, "\t"),
        (value, space) => {
          const text = JSON.stringify(value, null, space);
          expect(parse(text)).toEqual({ value: JSON.parse(text) });
        },
      ),
    );
  });

  test("one repeated name anywhere is found", () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { minKeys: 1 });
    fc.assert(
      fc.property(object, fc.nat(), (value, choice) => {
        const names = Object.keys(value);
        const name = names[choice % names.length]!;
        const text = `${JSON.stringify(value).slice(0, -1)},${JSON.stringify(name)}:0}`;
        expect(problemOf(`{"outer":[${text}]}`)).toContain("more than once");
      }),
    );
  });

  test("random bytes never throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const parsed = parse(bytes);
        expect("value" in parsed || parsed.problem.length > 0).toBe(true);
      }),
    );
  });
});

describe("shapes", () => {
  test("isJsonObject", () => {
    for (const value of [{}, { a: 1 }]) expect(isJsonObject(value)).toBe(true);
    for (const value of [null, [], "", 0, undefined]) expect(isJsonObject(value)).toBe(false);
  });

  test("isStringMap", () => {
    for (const value of [{}, { a: "" }]) expect(isStringMap(value)).toBe(true);
    for (const value of [{ a: 1 }, { a: null }, [], ["a"], null, "a"]) {
      expect(isStringMap(value)).toBe(false);
    }
  });

  test("isStringArray", () => {
    for (const value of [[], ["a", ""]]) expect(isStringArray(value)).toBe(true);
    for (const value of [{}, [1], [null], null, "a"]) expect(isStringArray(value)).toBe(false);
  });

  test.each([
    [undefined, "missing"],
    [null, "null"],
    [1.5, "1.5"],
    [true, "true"],
    ['a\n"b', '"a\\n\\"b"'],
    ["x".repeat(90), `"${"x".repeat(80)}…"`],
    [["a"], "an array"],
    [{ a: 1 }, "an object"],
  ])("showJson(%p) is %p", (value, text) => {
    expect(showJson(value)).toBe(text);
  });
});
