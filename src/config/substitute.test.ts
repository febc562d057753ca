// Variables in text: what is filled in, what is left alone, and what is refused.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { substitute } from "./substitute.ts";

const env = { A: "alpha", EMPTY: "", TRICK: "${A}", _x9: "nine" };
const malformed = 'expected ${NAME} or ${NAME:-default}, got "${"; write $${ for a plain one';

function unset(name: string): string {
  return `expected the environment to set ${name}, got nothing; set it, or write \${${name}:-default}`;
}

describe("substitute", () => {
  test.each([
    ["plain", "plain", []],
    ["$A costs $5", "$A costs $5", []],
    ["^v.*$", "^v.*$", []],
    ["${A}", "alpha", ["A"]],
    ["${_x9}", "nine", ["_x9"]],
    ["x${A}y${A}z", "xalphayalphaz", ["A", "A"]],
    ["${EMPTY}", "", ["EMPTY"]],
    ["${EMPTY:-d}", "d", ["EMPTY"]],
    ["${UNSET:-d}", "d", ["UNSET"]],
    ["${UNSET:-}", "", ["UNSET"]],
    ["${UNSET:-a:-b $ {}", "a:-b $ {", ["UNSET"]],
    ["$${A}", "${A}", []],
    ["$$${A}", "$${A}", []],
    ["$${A} ${A}", "${A} alpha", ["A"]],
    ["${TRICK}", "${A}", ["TRICK"]], // Once: a variable's value is not searched.
  ])("%p becomes %p", (text, expected, variables) => {
    expect(substitute(text, env)).toEqual({ text: expected, variables });
  });

  test.each([
    ["${UNSET}", unset("UNSET")],
    ["${A}${UNSET}${OTHER}", unset("UNSET")],
    ["${}", malformed],
    ["${A", malformed],
    ["${A-b}", malformed],
    ["${1A}", malformed],
    ["${A:b}", malformed],
  ])("%p is refused", (text, problem) => {
    expect(substitute(text, env)).toEqual({ problem });
  });

  test("a problem never shows what a variable holds", () => {
    const result = substitute("${A} ${UNSET}", { A: "hunter2" });
    expect(JSON.stringify(result)).not.toContain("hunter2");
  });

  test("any value comes through as it is", () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        expect(substitute("<${V}>", { V: value })).toEqual({
          text: `<${value}>`,
          variables: ["V"],
        });
      }),
    );
  });
});
