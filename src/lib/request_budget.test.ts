// Steps of a request: spent, granted, and never more than there are.

import { expect, test } from "bun:test";
import { evaluate, parseExpression } from "./expression/expression.ts";
import { parseGlob, matchesGlob } from "./glob.ts";
import { BudgetSpent, RequestBudget } from "./request_budget.ts";

test("steps are spent until there are none, and granted steps can be spent, too", () => {
  const budget = new RequestBudget(10);
  budget.spend(10);
  expect(() => budget.spend(1)).toThrow(BudgetSpent);
  const granted = new RequestBudget(10);
  granted.grant(5);
  granted.spend(15);
  expect(granted.spent).toBe(15);
  expect(() => granted.spend(1)).toThrow(BudgetSpent);
});

test("an expression pays for what it does, and its request ends it, whatever it would absorb", () => {
  const variables = { req: { userAgent: "any" } } as const;
  const parsed = parseExpression("req.userAgent.matches('(.*,)*x$') || true", variables);
  if ("problem" in parsed) throw new Error(parsed.problem);
  const given = { req: new Map([["userAgent", "a,".repeat(500)]]) };
  const enough = new RequestBudget();
  expect(evaluate(parsed.expression, given, enough)).toEqual({ value: true });
  const { spent } = enough;
  expect(spent).toBeGreaterThan(1_000);
  const tooFew = new RequestBudget(spent - 1);
  expect(() => evaluate(parsed.expression, given, tooFew)).toThrow(BudgetSpent);
});

test("a pattern that decides early costs little, however long the text is", () => {
  const parsed = parseExpression("req.userAgent.matches('^docker/')", { req: "any" });
  if ("problem" in parsed) throw new Error(parsed.problem);
  const budget = new RequestBudget();
  const given = { req: new Map([["userAgent", `docker/${"x".repeat(15_000)}`]]) };
  expect(evaluate(parsed.expression, given, budget)).toEqual({ value: true });
  expect(budget.spent).toBeLessThan(500);
});

test("a glob pays for what it compares", () => {
  const spentOn = (text: string, name: string): number => {
    const parsed = parseGlob(text);
    if ("problem" in parsed) throw new Error(parsed.problem);
    const budget = new RequestBudget();
    matchesGlob(parsed.glob, name, budget);
    return budget.spent;
  };
  expect(spentOn("team/**", "team/app")).toBe(1);
  expect(spentOn("*a*a*a*a*a*a*a*a*ab", "a".repeat(255))).toBeGreaterThan(5);
  expect(spentOn("{a,b}".repeat(6), "c")).toBeWithin(64, 100);
});
