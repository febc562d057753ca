// Positions of what is wrong in JSON; agreement with the runtime's parser on what is right.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { findJsonProblem } from "./json_syntax.ts";

describe("findJsonProblem", () => {
  test.each([
    ['{"a": 1,\n "b": 2,\n}', 3, 1, 'expected a key in double quotes, got "}"'],
    ['{"a": 1\n "b": 2}', 2, 2, 'expected "," or "}", got "\\""'],
    ["[1 2]", 1, 4, 'expected "," or "]", got "2"'],
    ["[1,]", 1, 4, 'expected a value, got "]"'],
    ['{"a": tru}', 1, 7, 'expected a value, got "tru"'],
    ['{"a" 1}', 1, 6, 'expected ":" after "a", got "1"'],
    ["{'a': 1}", 1, 2, 'expected a key in double quotes, got "\'"'],
    ["// note\n{}", 1, 1, 'expected a value, got "/"'],
    ['{"a": 1', 1, 8, 'expected "," or "}", got the end of the file'],
    ["", 1, 1, "expected a value, got the end of the file"],
    ['{} {"a": 1}', 1, 4, 'expected the end of the file, got "{"'],
    ['{"a": 01}', 1, 8, 'expected "," or "}", got "1"'],
    ['{"a": "x\ny"}', 1, 7, 'expected a value, got "\\""'],
    ['{"a": 1, "b": 2,\n  "a": 3}', 2, 3, 'expected each key once, got "a" again'],
    ['{"a": {"a": [{"a": 1, "a": 2}]}}', 1, 23, 'expected each key once, got "a" again'],
  ])("%p", (text, line, column, says) => {
    expect(findJsonProblem(text)).toEqual({ line, column, says });
  });

  test("nesting has a limit", () => {
    const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
    expect(findJsonProblem(nested(65))).toBeNull();
    expect(findJsonProblem(nested(66))?.says).toBe("expected at most 64 levels");
    expect(findJsonProblem("[".repeat(1_000_000))?.says).toBe("expected at most 64 levels");
  });

  test("every JSON value is fine, with any spacing", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.nat(4), (value, indent) => {
        expect(findJsonProblem(JSON.stringify(value, null, indent))).toBeNull();
      }),
    );
  });

  test("what is fine can be parsed, whatever is cut out of a JSON text", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.nat(), fc.nat(3), (value, at, length) => {
        const text = JSON.stringify(value);
        const start = at % (text.length + 1);
        const broken = text.slice(0, start) + text.slice(start + length);
        const accepted = findJsonProblem(broken) === null;
        const repeats = findJsonProblem(broken)?.says.startsWith("expected each key once") === true;
        expect(accepted || repeats).toBe(parses(broken));
      }),
    );
  });
});

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
