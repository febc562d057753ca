// What decisions about one request cost: a condition over the caller's text is computed once, whatever is asked, and
// what would cost too much ends the request. What is decided is tested in `policy.test.ts`.

import { describe, expect, test } from "bun:test";
import { BudgetSpent, RequestBudget } from "../lib/request_budget.ts";
import { PolicyCaller } from "./caller.ts";
import { compilePolicy } from "./compile_policy.ts";
import type { Identity } from "./identity.ts";
import { accessControlOptions } from "./options.ts";
import type { RequestFacts } from "./policy.ts";
import { keyScope } from "./scope.ts";

const alice: Identity = { name: "alice", groups: [], provenBy: "htpasswd", scope: null };

const facts: RequestFacts = {
  timeMs: 0,
  method: "GET",
  userAgent: "a,".repeat(700),
  reference: "",
  clientAddress: "10.0.0.5",
  forwardedFor: [],
  tlsVersion: null,
};

function policyOf(expression: string) {
  const actions = ["read", "create", "update"] as const;
  const policies = [{ users: ["alice"], actions: [...actions], conditions: [{ expression }] }];
  const { repositories, adminPolicy, groups } = accessControlOptions;
  const compiled = compilePolicy({
    repositories: repositories.type.parse({ "**": { policies } }),
    adminPolicy: adminPolicy.type.parse({}),
    groups: groups.type.parse({}),
    metrics: { users: [], anonymousPolicy: [] },
  });
  if ("problems" in compiled) throw new Error(compiled.problems.join("; "));
  return compiled.policy;
}

/** Steps that decisions about so many repositories take. */
function stepsFor(expression: string, repositories: number): number {
  const budget = new RequestBudget();
  const caller = new PolicyCaller(alice, policyOf(expression)).at(facts, budget);
  for (let at = 0; at < repositories; at += 1) caller.may("read", `team/app${at}`);
  return budget.spent;
}

describe("a condition", () => {
  const costly = "!req.userAgent.matches('(.*,)*x$')";

  test("over text of the caller costs a list of 4,000 repositories what it costs one", () => {
    expect(stepsFor(costly, 1)).toBeGreaterThan(1_000);
    expect(stepsFor(costly, 4_000)).toBe(stepsFor(costly, 1));
  });

  test("is computed for each tag only where it looks at tags", () => {
    const stepsForTags = (expression: string): number => {
      const budget = new RequestBudget();
      const caller = new PolicyCaller(alice, policyOf(expression)).at(facts, budget);
      for (let at = 0; at < 46; at += 1) {
        for (const action of ["create", "update"] as const) {
          expect(caller.about(`v${at}`).may(action, "team/app")).toBe(true);
        }
      }
      return budget.spent;
    };
    expect(stepsForTags(costly)).toBe(stepsFor(costly, 1));
    const cheap = stepsForTags("req.tag.startsWith('v')");
    expect(cheap).toBeGreaterThan(46);
    expect(cheap).toBeLessThan(1_000);
  });

  test("that differs by repository is computed for each, and never answers for another", () => {
    const budget = new RequestBudget();
    const caller = new PolicyCaller(alice, policyOf("req.repository.startsWith('a/')")).at(
      facts,
      budget,
    );
    const names = ["a/b", "b/a", "a/c", "b/c", "a/b"];
    expect(names.map((name) => caller.may("read", name))).toEqual([true, false, true, false, true]);
  });

  test("over the whole request is computed anew for everything that differs", () => {
    const budget = new RequestBudget();
    const whole = policyOf("[req].all(r, r.repository == 'a' && r.action == 'read')");
    const caller = new PolicyCaller(alice, whole).at(facts, budget);
    expect(caller.may("read", "a")).toBe(true);
    expect(caller.may("read", "b")).toBe(false);
    expect(caller.may("create", "a")).toBe(false);
  });

  test("that costs too much for one request ends it, and is never taken for a decision", () => {
    const mixed = "(req.userAgent + req.repository).matches('(.*,)*x$')";
    expect(() => stepsFor(mixed, 4_000)).toThrow(BudgetSpent);
  });
});

test("globs of an API key are paid for by the request", () => {
  const read = keyScope(Array.from({ length: 30 }, () => `${"*a".repeat(120)}*b`));
  if ("problem" in read) throw new Error(read.problem);
  const identity: Identity = { ...alice, provenBy: "api key", scope: read.scope };
  const name = (at: number): string => `${"a".repeat(240)}${at}`;
  const ask = (budget: RequestBudget): void => {
    const caller = new PolicyCaller(identity, null).paidBy(budget);
    for (let at = 0; at < 4_000; at += 1) expect(caller.may("read", name(at))).toBe(false);
  };
  expect(() => ask(new RequestBudget())).toThrow(BudgetSpent);
});
