// Expressions: what each form gives, what is refused when it is read, what fails when it is evaluated.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  evaluate,
  Moment,
  parseExpression,
  valueOf,
  type Shape,
  type Value,
} from "./expression.ts";

const shapes: Record<string, Shape> = {
  claims: "any",
  req: { time: "any", user: { name: "any", groups: "any" } },
};
const variables: Record<string, Value> = {
  claims: valueOf({
    sub: "alice",
    email: "alice@example.com",
    verified: true,
    age: 42,
    groups: ["a", "b"],
    "with/slash": "yes",
    nothing: null,
  }),
  req: new Map<string, Value>([
    ["time", new Moment(Date.parse("2026-11-22T13:14:15Z"))],
    ["user", valueOf({ name: "alice", groups: ["dev"] })],
  ]),
};

function run(text: string) {
  const parsed = parseExpression(text, shapes);
  if ("problem" in parsed) throw new Error(parsed.problem);
  return evaluate(parsed.expression, variables);
}

const values: [text: string, value: unknown][] = [
  ["1 + 2 * 3", 7],
  ["(1 + 2) * 3", 9],
  ["7 % 4 - 1", 2],
  ["-2 + 5", 3],
  ["10 / 4", 2.5],
  ["1 < 2 && 2 <= 2", true],
  ["'a' < 'b'", true],
  ["1 == 1.0", true],
  ["'1' == 1", false],
  ["!true || true", true],
  ["true ? 'x' : 'y'", "x"],
  ["'a' + \"b\"", "ab"],
  ["'\\n\\u0041\\x42\\\\'", "\nAB\\"],
  ["r'\\d'", "\\d"],
  ["[1, 2] + [3]", [1, 2, 3]],
  ["[1, 2][1]", 2],
  ["{'a': 1}['a']", 1],
  ["claims.sub", "alice"],
  ["claims['with/slash']", "yes"],
  ["claims.email.split('@')[0]", "alice"],
  ["claims.verified == true", true],
  ["claims.nothing == null", true],
  ["'a' in claims.groups", true],
  ["'sub' in claims", true],
  ["has(claims.sub)", true],
  ["has(claims.missing)", false],
  ["claims.email.endsWith('@example.com')", true],
  ["claims.email.startsWith('bob')", false],
  ["claims.email.contains('@')", true],
  ["claims.email.matches('^[a-z]+@')", true],
  ["claims.groups.exists(g, g == 'b')", true],
  ["claims.groups.exists_one(g, g == 'b')", true],
  ["claims.groups.all(g, g.size() == 1)", true],
  ["claims.groups.filter(g, g != 'a')", ["b"]],
  ["claims.groups.map(g, 'team-' + g)", ["team-a", "team-b"]],
  ["claims.groups.join(',')", "a,b"],
  ["size(claims.groups)", 2],
  ["size('äö')", 2],
  ["string(claims.age) + 'y'", "42y"],
  ["int('7') + 1", 8],
  ["'AbC'.lowerAscii() + 'x'.upperAscii()", "abcX"],
  ["' a '.trim().replace('a', '$&')", "$&"],
  ["req.time < timestamp('2099-12-31T23:59:59Z')", true],
  ["req.time > timestamp('2099-12-31T23:59:59+01:00')", false],
  ["req.time - timestamp('2026-11-22T13:00:00Z') < duration('1h')", true],
  ["req.time + duration('24h') > req.time", true],
  ["req.time.getHours() >= 8 && req.time.getHours() < 18", true],
  ["req.time.getDayOfWeek()", 0],
  ["req.user.name == 'alice' && 'dev' in req.user.groups", true],
  ["claims.missing == 1 || true", true],
  ["true || claims.missing == 1", true],
  ["false && claims.missing == 1", false],
  ["claims.missing == 1 && false", false],
  ["1 == 1 // a comment", true],
];

test.each(values)("%s", (text, value) => {
  expect(run(text)).toEqual({ value } as never);
});

const refused: [text: string, says: string][] = [
  ["", "a value at character 1"],
  ["1 +", "a value at character 4, got the end"],
  ["(1", ")"],
  ["1 2", "the end at character 3"],
  ["a = 1", "an expression"],
  ["'open", "an expression"],
  ["nobody", "one of claims, req"],
  ["req.nothing", "one of the fields time, user"],
  ["req.user.constructor", "one of the fields name, groups"],
  ["nope(1)", "one of the functions"],
  ["claims.constructor()", "one of the functions"],
  ["__proto__('x')", "one of the functions"],
  ["claims.sub.matches('(')", "a regular expression"],
  ["claims.groups.all(1, true)", "all(name, expression)"],
  ["has(claims)", "a field in has()"],
  ["'\\q'", "an escape"],
  ["(".repeat(100), "levels of nesting"],
  ["!".repeat(100), "levels of nesting"],
  ["1".repeat(5000), "up to 4096 characters"],
];

test.each(refused)("%p is refused", (text, says) => {
  const parsed = parseExpression(text, shapes);
  expect("problem" in parsed ? parsed.problem : "accepted").toContain(says);
});

describe("what cannot be computed is a problem", () => {
  test.each([
    "claims.missing",
    "claims.groups[9]",
    "1 / 0",
    "1 + 'a'",
    "1 < 'a'",
    "claims.sub && true",
    "!claims.sub",
    "claims.sub.startsWith(1)",
    "claims.age.startsWith('4')",
    "timestamp('tomorrow')",
    "duration('1 hour')",
    "claims.sub in 'alice'",
    "claims.missing == 1 || false",
    "claims.sub.matches(claims.sub + '(')",
  ])("%s", (text) => {
    expect(run(text)).toHaveProperty("problem");
  });

  test("so is what takes too many steps", () => {
    const list = `[${"1,".repeat(90)}1]`;
    const nested = `${list}.all(a, ${list}.all(b, ${list}.all(c, a + b + c > 0)))`;
    expect(run(nested)).toHaveProperty("problem");
  });
});

test("reading never throws", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 60 }), (text) => {
      parseExpression(text, shapes);
    }),
  );
});
