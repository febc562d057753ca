// What a query may be: limits of depth, width, aliases and fragments, at their edges.

import { expect, test } from "bun:test";
import { parse } from "graphql";
import { costProblem } from "./query_cost.ts";

const nested = (depth: number): string => "{a".repeat(depth) + "}".repeat(depth);
const fields = (count: number, name: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => name(at)).join(" ");

test.each<[string, string, string | null]>([
  ["a plain query", "{a{b}}", null],
  ["15 deep", nested(15), null],
  ["16 deep", nested(16), "expected fields up to 15 deep"],
  ["2,000 fields", `{${fields(2_000, (at) => `f${at}`)}}`, null],
  ["2,001 fields", `{${fields(2_001, (at) => `f${at}`)}}`, "expected up to 2000 fields, got more"],
  ["20 aliases", `{${fields(20, (at) => `a${at}:f`)}}`, null],
  ["21 aliases", `{${fields(21, (at) => `a${at}:f`)}}`, "expected up to 20 aliases, got more"],
  ["10 fields of one name", `{${fields(10, () => "f")}}`, null],
  [
    "11 fields of one name",
    `{${fields(11, () => "f")}}`,
    "expected up to 10 fields of one name, got more",
  ],
  ["no operation", "fragment F on Query{a}", "expected one operation, got 0"],
  ["two operations", "query A{a} query B{a}", "expected one operation, got 2"],
  ["50 fragments", `{${fields(50, () => "...{a}")}}`, null],
  ["51 fragments", `{${fields(51, () => "...{a}")}}`, "expected up to 50 fragments, got more"],
  ["a fragment that spreads itself", "{...F} fragment F on Query{a ...F}", null],
  ["an unknown fragment", "{...F}", null],
])("%s", (_name, query, problem) => {
  expect(costProblem(parse(query))).toBe(problem);
});

test("fragments that double at each step are counted as often as they are spread", () => {
  const steps = Array.from(
    { length: 14 },
    (_, at) => `fragment F${at} on Query{...F${at + 1} ...F${at + 1}}`,
  );
  const query = `{...F0} ${steps.join(" ")} fragment F14 on Query{a}`;
  expect(costProblem(parse(query))).toBe("expected up to 50 fragments, got more");
});
