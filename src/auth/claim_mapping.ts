/**
 * From the claims of an OpenID token to a user: zot's `claimMapping`, written as expressions over `claims` and `vars`.
 *
 * Every expression is compiled at the start, before the server listens. A token whose claims do not fit (a validation
 * fails, or the name is not text) logs nobody in. Whether the token is genuine is checked before, in `bearer.ts`.
 */
import {
  evaluate,
  parseExpression,
  valueOf,
  type Expression,
  type Shape,
  type Value,
} from "../lib/expression/expression.ts";
import { BudgetSpent, RequestBudget } from "../lib/request_budget.ts";
import { isUserName } from "./identity.ts";
import type { OidcIssuer } from "./options.ts";

type MappingOptions = OidcIssuer["claimMapping"];

export interface ClaimMapping {
  readonly variables: readonly { readonly name: string; readonly expression: Expression }[];
  readonly validations: readonly { readonly expression: Expression; readonly message: string }[];
  readonly username: Expression;
  readonly groups: Expression | null;
}

export interface MappedUser {
  readonly name: string;
  readonly groups: readonly string[];
}

/** The issuer is part of the name, since two issuers may know different people by one subject. */
const usernameDefault = 'claims.iss + "/" + claims.sub';
/** Groups of one token that are looked at. */
const groupsMax = 1000;

/** Every expression of a mapping that does not read, as one line each. */
export function checkMapping(options: MappingOptions, path: string): string[] {
  const problems: string[] = [];
  readMapping(options, (place, problem) => problems.push(`${path}.${place}: expected ${problem}`));
  return problems;
}

/** Reads a mapping that `checkMapping` has found right. */
export function compileMapping(options: MappingOptions): ClaimMapping {
  return readMapping(options, (place, problem) => {
    throw new Error(`claimMapping.${place}: expected ${problem}`);
  });
}

function readMapping(
  options: MappingOptions,
  report: (place: string, problem: string) => void,
): ClaimMapping {
  const vars: Record<string, Shape> = {};
  const read = (text: string, place: string): Expression => {
    const parsed = parseExpression(text, { claims: "any", vars: { ...vars } });
    if ("expression" in parsed) return parsed.expression;
    report(place, parsed.problem);
    return { text, root: { kind: "literal", value: null }, patterns: new Map() };
  };
  const variables = options.variables.map(({ name, expression }, index) => {
    const variable = { name, expression: read(expression, `variables[${index}].expression`) };
    vars[name] = "any";
    return variable;
  });
  return {
    variables,
    validations: options.validations.map(({ expression, message }, index) => ({
      expression: read(expression, `validations[${index}].expression`),
      message,
    })),
    username: read(options.username === "" ? usernameDefault : options.username, "username"),
    groups: options.groups === "" ? null : read(options.groups, "groups"),
  };
}

/** The user whom the claims describe, or why they describe none. */
export function mapClaims(
  mapping: ClaimMapping,
  claims: Readonly<Record<string, unknown>>,
): { readonly user: MappedUser } | { readonly problem: string } {
  try {
    return mapWithin(new RequestBudget(), mapping, claims);
  } catch (error) {
    if (error instanceof BudgetSpent) return { problem: "its claims cost more than a login may" };
    throw error;
  }
}

/** All expressions of a mapping have one budget: an issuer lets its users write claims. */
function mapWithin(
  budget: RequestBudget,
  mapping: ClaimMapping,
  claims: Readonly<Record<string, unknown>>,
): { readonly user: MappedUser } | { readonly problem: string } {
  const vars = new Map<string, Value>();
  const known = { claims: valueOf(claims), vars };
  for (const { name, expression } of mapping.variables) {
    const outcome = evaluate(expression, known, budget);
    if ("problem" in outcome) return { problem: `variable ${name} needs ${outcome.problem}` };
    vars.set(name, outcome.value);
  }
  for (const { expression, message } of mapping.validations) {
    const outcome = evaluate(expression, known, budget);
    if (!("value" in outcome) || outcome.value !== true) {
      return { problem: message === "" ? `${expression.text} does not hold` : message };
    }
  }
  const name = evaluate(mapping.username, known, budget);
  if (!("value" in name) || typeof name.value !== "string" || !isUserName(name.value)) {
    return { problem: `username needs ${"problem" in name ? name.problem : "a text"}` };
  }
  const groups = mapping.groups === null ? { value: [] } : evaluate(mapping.groups, known, budget);
  if ("problem" in groups) return { problem: `groups needs ${groups.problem}` };
  return { user: { name: name.value, groups: groupList(groups.value) } };
}

function groupList(value: Value): string[] {
  const list: readonly Value[] = Array.isArray(value) ? value : [value];
  return list.filter((each) => typeof each === "string").slice(0, groupsMax);
}
