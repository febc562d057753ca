// Room for bytes: taken up to the limit, given back, and there for one that is larger than all of it.

import { expect, test } from "bun:test";
import { MemoryBudget } from "./memory_budget.ts";

test("there is room up to the limit, and again when some is given back", () => {
  const budget = new MemoryBudget(10);
  expect([budget.take(6), budget.take(4), budget.take(1)]).toEqual([true, true, false]);
  budget.give(4);
  expect([budget.take(5), budget.take(4)]).toEqual([false, true]);
});

test("one alone always has room", () => {
  const budget = new MemoryBudget(10);
  expect([budget.take(11), budget.take(1)]).toEqual([true, false]);
  budget.give(11);
  expect(budget.take(1)).toBe(true);
});

test("nothing can be given back that was not taken", () => {
  const budget = new MemoryBudget(10);
  budget.take(1);
  expect(() => budget.give(2)).toThrow("Only what was taken");
});
