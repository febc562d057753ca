// Expressions: what each form gives, what is refused when it is read, what fails when it is evaluated.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  evaluate,
  Moment,
  parseExpression,
  Span,
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
  ["[1, null].exists(x, x == null)", true],
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
  ["req.time.getHours('America/New_York')", 8],
  ["req.time.getHours('+05:30') * 100 + req.time.getMinutes('+05:30')", 1844],
  ["timestamp('2026-07-01T00:00:00Z').getDayOfYear()", 181],
  ["timestamp('2026-12-31T23:30:00Z').getFullYear('Europe/Berlin')", 2027],
  ["timestamp('0001-01-01T00:00:00Z').getFullYear()", 1],
  ["string(req.time)", "2026-11-22T13:14:15Z"],
  ["string(req.time + duration('1.5s'))", "2026-11-22T13:14:16.5Z"],
  ["int(req.time) - int(timestamp('2026-11-22T13:14:00Z'))", 15],
  ["duration('1h') + req.time == timestamp('2026-11-22T14:14:15Z')", true],
  ["req.user.name == 'alice' && 'dev' in req.user.groups", true],
  ["claims.missing == 1 || true", true],
  ["true || claims.missing == 1", true],
  ["false && claims.missing == 1", false],
  ["claims.missing == 1 && false", false],
  ["1 == 1 // a comment", true],
  ["claims.groups.exists(g, g.missing == 1 || g == 'b')", true],
  ["['a', 1].exists(x, x > 0)", true],
  ["['a', 0].all(x, x > 0)", false],
  ["claims.sub.matches('(?i)^ALICE\\\\z')", true],
  ["claims.sub.matches(claims.sub)", true],
  ["'\\u212Aate'.lowerAscii() == 'kate'", false],
  ["'👍a'.split('').size()", 2],
  ["'ab'.replace('', '-')", "-a-b-"],
  ["'a👍b'.charAt(1) + 'ab'.charAt(2)", "👍"],
  ["'a👍b'.substring(2) + 'a👍b'.substring(0, 2)", "ba👍"],
  ["claims.email.substring(claims.email.indexOf('@') + 1)", "example.com"],
  ["'👍abab'.indexOf('b') * 10 + '👍abab'.lastIndexOf('b')", 24],
  ["'abab'.indexOf('b', 2) * 10 + 'abab'.lastIndexOf('b', 2)", 31],
  ["'ab'.indexOf('') + 'ab'.lastIndexOf('') + 'ab'.indexOf('x')", 1],
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
  ["req['nothing']", "one of the fields time, user"],
  ["req['user']['toString']", "one of the fields name, groups"],
  ["has(req.nothing)", "one of the fields time, user"],
  ["nope(1)", "one of the functions"],
  ["claims.constructor()", "one of the functions"],
  ["__proto__('x')", "one of the functions"],
  ["claims.sub.matches('(')", "a regular expression"],
  ["claims.groups.all(1, true)", "all(name, expression)"],
  ["has(claims)", "a field in has()"],
  ["'\\q'", "an escape"],
  ["'\\ud800'", "a character"],
  ["9007199254740993", "a number up to 9007199254740991"],
  ["1e999", "a number"],
  ["size()", "1 for size()"],
  ["claims.sub.startsWith('a', 'b')", "2 for startsWith()"],
  ["claims.sub.matches('(?=a)')", "a regular expression"],
  ["claims.sub.matches('(a)\\\\1')", "a regular expression"],
  [`1${" + 1".repeat(1000)}`, "words and signs"],
  [`claims${".a".repeat(1000)}`, "words and signs"],
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
    "claims.groups.exists(g, g.missing == 1)",
    "['a', 1].all(x, x > 0)",
    "['a', 1].exists_one(x, x > 0)",
    "has(claims.sub.name)",
    "{'a': 1, 'a': 2}",
    "'ab'.substring(3)",
    "'ab'.substring(1, 0)",
    "'ab'.substring(0.5)",
    "'ab'.charAt(3)",
    "'ab'.charAt(-1)",
    "'ab'.indexOf('a', 3)",
    "'ab'.indexOf(1)",
    "int('')",
    "int('0x10')",
    "int(' 7 ')",
    "int('99999999999999999999')",
    "1e308 * 10",
    "timestamp('2026-02-31T00:00:00Z')",
    "timestamp('2026-11-22T24:00:00Z')",
    "timestamp('2026-11-22T13:14:15')",
    "timestamp('2026-11-22 13:14:15 EST')",
    "timestamp('9999-12-31T23:59:59Z') + duration('1s')",
    "timestamp('0001-01-01T00:00:00Z') - duration('1s')",
    "req.time.getHours('Mars/Olympus')",
    "timestamp('9999-12-31T23:59:59Z').getHours('+14:00')",
  ])("%s", (text) => {
    expect(run(text)).toHaveProperty("problem");
  });
});

describe("time and memory are bounded", () => {
  const list = `[${"1,".repeat(90)}1]`;
  const long = "a".repeat(3000);
  test.each([
    `${list}.all(a, ${list}.all(b, ${list}.all(c, a + b + c > 0)))`,
    `['x']${".map(a, a + a)".repeat(60)}.size()`,
    `[[1]]${".map(a, a + a)".repeat(60)}.size()`,
    `[1]${".map(a, [a, a])".repeat(40)} == [1]${".map(a, [a, a])".repeat(40)}`,
    `[[1]${".map(a, [a, a])".repeat(30)}].exists(b, b in [[1]${".map(a, [a, a])".repeat(30)}])`,
    `'${long}'.split('').map(a, '${"b".repeat(900)}').join('').size()`,
    `'${long}'${".replace('a', 'aaaa')".repeat(20)}`,
    `'${long}'${".replace('', 'aaaa')".repeat(20)}`,
    `'${long}'.matches('(?:a?){400}b')`,
    `['x']${".map(a, a + a)".repeat(20)}.exists(a, 'x'.matches(a))`,
    // What is absorbed elsewhere is not absorbed here: there is nothing left to decide with.
    `${list}.all(a, ${list}.all(b, ${list}.all(c, true))) || true`,
    `${list}.exists(d, ${list}.all(a, ${list}.all(b, ${list}.all(c, d + a + b + c > 0))))`,
  ])("%.60s", (text) => {
    expect(run(text)).toEqual({ problem: "up to 50000 steps" } as never);
  });

  test.each(["contains", "indexOf", "lastIndexOf", "split", "replace"])(
    "%s pays for what it compares at each place",
    (name) => {
      // Equal sums of characters at every other place, and a difference in the middle: what searches are slow at.
      const text = "ab".repeat(8_000);
      const inner = `${"ab".repeat(2_000)}ba${"ab".repeat(2_000)}`;
      const look = `claims.text.${name}(claims.inner${name === "replace" ? ", ''" : ""})`;
      const parsed = parseExpression(`[${look}, ${look}].size() == 2`, shapes);
      if ("problem" in parsed) throw new Error(parsed.problem);
      const claims = valueOf({ text, inner });
      expect(evaluate(parsed.expression, { claims })).toEqual({ problem: "up to 50000 steps" });
      const short = valueOf({ text: "team-a/team-b", inner: "team" });
      expect(evaluate(parsed.expression, { claims: short })).toEqual({ value: true });
    },
  );

  test("patterns that ruin other engines are tried in no time", () => {
    expect(
      run(`'${long}!'.matches('^(a+)+$') || '${"a".repeat(900)}'.matches('(.*a){9}b')`),
    ).toEqual({
      value: false,
    });
  });

  test("long lists of claims are looked through", () => {
    const many = valueOf({ groups: Array.from({ length: 5000 }, (_, index) => `team-${index}`) });
    const parsed = parseExpression("'team-4999' in claims.groups", shapes);
    if ("problem" in parsed) throw new Error(parsed.problem);
    expect(evaluate(parsed.expression, { claims: many })).toEqual({ value: true });
  });

  test("claims may be nested deeply", () => {
    const deep: unknown = JSON.parse(`${'{"a":['.repeat(5000)}${"]}".repeat(5000)}`);
    const parsed = parseExpression("claims.a[0].a[0] == claims.a[0].a[0]", shapes);
    if ("problem" in parsed) throw new Error(parsed.problem);
    expect(evaluate(parsed.expression, { claims: valueOf(deep) })).toEqual({ value: true });
  });
});

describe("no object of the runtime can be reached", () => {
  const names = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "length"];
  test.each(names)("%s", (name) => {
    for (const of of [
      "claims",
      "claims.sub",
      "claims.groups",
      "req.time",
      "'a'",
      "[1]",
      "{'a': 1}",
    ]) {
      for (const text of [`${of}.${name}`, `${of}['${name}']`]) {
        const parsed = parseExpression(text, shapes);
        const outcome = "problem" in parsed ? parsed : evaluate(parsed.expression, variables);
        expect([text, Object.keys(outcome)]).toEqual([text, ["problem"]]);
      }
    }
    expect(run(`'${name}' in claims || has(claims.${name})`)).toEqual({ value: false });
    expect(parseExpression(`${name}(claims)`, shapes)).toHaveProperty("problem");
    expect(parseExpression(`claims.${name}()`, shapes)).toHaveProperty("problem");
  });

  test("claims of such names are claims like others", () => {
    const claims = valueOf(JSON.parse('{"__proto__": {"admin": true}, "constructor": "c"}'));
    const parsed = parseExpression("has(claims.admin) || claims.constructor != 'c'", shapes);
    if ("problem" in parsed) throw new Error(parsed.problem);
    expect(evaluate(parsed.expression, { claims })).toEqual({ value: false });
  });
});

test("a variable that was not given is a problem", () => {
  const parsed = parseExpression("claims.sub == 'alice'", shapes);
  if ("problem" in parsed) throw new Error(parsed.problem);
  expect(evaluate(parsed.expression, {})).toEqual({ problem: "the variable claims" });
});

test("reading never throws, and what reads is evaluated to something", () => {
  const pieces = Array.from("()[]{}.,:?!-+*/%<>='\"\\0a ");
  const words = [
    "claims",
    "req",
    "==",
    "&&",
    "||",
    "in",
    "has(",
    "x",
    ".all(x,",
    "1.5",
    "'a'",
    ".matches('",
  ];
  const soup = fc.array(fc.constantFrom(...pieces, ...words), { maxLength: 20 });
  const texts = fc.oneof(
    fc.string({ maxLength: 60 }),
    soup.map((each) => each.join("")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const parsed = parseExpression(text, shapes);
      if ("problem" in parsed) expect(parsed.problem).not.toBe("");
      else expect(Object.keys(evaluate(parsed.expression, variables))).toHaveLength(1);
    }),
    { numRuns: 2000 },
  );
});

/** Expressions that are well formed; their types mostly do not fit. */
const wellFormed = fc.letrec<{ node: string }>((tie) => {
  const node = tie("node");
  const operators = ["||", "&&", "==", "!=", "<", ">=", "in", "+", "-", "*", "/", "%"] as const;
  const methods = ["startsWith", "contains", "matches", "split", "join", "getHours"] as const;
  const macros = ["all", "exists", "exists_one", "filter", "map"] as const;
  const calls = ["size", "string", "int", "timestamp", "duration"] as const;
  const leaves = ["1", "0.5", "'a'", "''", "'(a*)*'", "true", "null", "x", "claims", "req.time"];
  return {
    node: fc.oneof(
      { depthSize: "small", maxDepth: 5 },
      fc.constantFrom(...leaves, "claims.sub", "claims.groups", "claims.__proto__", "[]", "{}"),
      fc.tuple(node, fc.constantFrom(...operators), node).map(([a, op, b]) => `(${a} ${op} ${b})`),
      fc.tuple(node, fc.constantFrom(...methods), node).map(([a, name, b]) => `${a}.${name}(${b})`),
      fc
        .tuple(node, fc.constantFrom(...macros), node)
        .map(([a, name, b]) => `${a}.${name}(x, ${b})`),
      fc.tuple(fc.constantFrom(...calls), node).map(([name, a]) => `${name}(${a})`),
      fc.tuple(node, node, node).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
      fc.tuple(node, node).map(([a, b]) => `[${a}, ${b}]`),
      fc.tuple(node, node).map(([a, b]) => `{'k': ${a}, 'l': ${b}}.k`),
      fc.tuple(node, node).map(([a, b]) => `${a}[${b}]`),
      node.map((a) => `!${a}`),
      node.map((a) => `-${a}`),
    ),
  };
}).node;

const json = fc.jsonValue({ maxDepth: 3 });

function isPlain(value: Value): boolean {
  if (value === null || value instanceof Moment || value instanceof Span) return true;
  if (Array.isArray(value)) return value.every(isPlain);
  if (value instanceof Map) return [...value.values()].every(isPlain);
  return ["boolean", "number", "string"].includes(typeof value);
}

test("an evaluation ends with a plain value or a problem, the same one each time", () => {
  fc.assert(
    fc.property(wellFormed, json, json, (text, sub, groups) => {
      const parsed = parseExpression(text, { ...shapes, x: "any" });
      if ("problem" in parsed) return;
      const given = { ...variables, x: "a", claims: valueOf({ sub, groups }) };
      const outcome = evaluate(parsed.expression, given);
      if ("problem" in outcome) expect(outcome.problem).toMatch(/^.{1,200}$/s);
      else expect(isPlain(outcome.value)).toBe(true);
      expect(evaluate(parsed.expression, given)).toEqual(outcome);
    }),
    { numRuns: 2000 },
  );
});
