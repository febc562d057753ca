/**
 * Who may do what: zot's access control as one pure function, whose decision carries its reason.
 *
 * Of the globs that match a repository only the longest applies; nothing is inherited from shorter ones. Inside it the
 * policies of the user and of its groups are asked, then `defaultPolicy` for every user who is logged in, or
 * `anonymousPolicy` for callers who are not; then the `adminPolicy`. A policy with conditions grants only when all of
 * them hold, and a condition that cannot be evaluated does not hold. What nothing grants is denied.
 *
 * A condition is evaluated once in a request, unless it reads what the request asks about. The function throws only
 * when the request's budget for conditions is spent.
 */
import {
  evaluate,
  Moment,
  valueOf,
  type Outcome,
  type Value,
} from "../lib/expression/expression.ts";
import { matchesGlob } from "../lib/glob.ts";
import type { RequestBudget } from "../lib/request_budget.ts";
import { isAnonymous, type Identity } from "./identity.ts";
import { keysOf, namesUser } from "./named_user.ts";
import type { CompiledCondition, CompiledPolicy, Grant, Rule } from "./compile_policy.ts";
import type { Action } from "./options.ts";

export interface Decision {
  readonly allowed: boolean;
  /** Why, in one line for the operator. */
  readonly reason: string;
  /** What the policy's author says to the caller whom a condition turned away. */
  readonly message?: string;
}

/** What conditions may ask about a request. */
export interface RequestFacts {
  readonly timeMs: number;
  readonly method: string;
  readonly userAgent: string;
  /** Tag or digest that names a manifest in the path; empty elsewhere, for blobs and referrers, too. */
  readonly reference: string;
  readonly clientAddress: string;
  readonly forwardedFor: readonly string[];
  /** Such as "1.3"; null without TLS. */
  readonly tlsVersion: string | null;
}

export interface Question {
  readonly identity: Identity;
  readonly action: Action;
  readonly repository: string;
  /**
   * Null where no request is at hand: conditions then do not hold. "any" takes them to hold, for what is decided again
   * when the request comes, such as the scope of a token.
   */
  readonly facts: RequestFacts | "any" | null;
  /** The request whose budget the decision uses; without it there is no budget. */
  readonly paying?: Paying | null;
}

/** What the questions of one request share. */
export interface Paying {
  readonly budget: RequestBudget;
  /** What conditions have said. */
  readonly outcomes: Map<CompiledCondition, Map<string, Outcome>>;
}

/** What one condition has said that is remembered: a list asks about each repository once. */
const outcomesMax = 100;

/** Decides one question. @throws BudgetSpent. */
export function decide(policy: CompiledPolicy, question: Question): Decision {
  const rule = ruleFor(policy, question.repository);
  const groups = groupsOf(policy, question.identity);
  const asked: Asked = { ...question, groups, policy };
  const refusals: Refused[] = [];
  const granted =
    (rule === null ? null : grantedByRule(asked, rule, refusals)) ??
    grantedToAdmin(asked, refusals);
  if (granted !== null) return { allowed: true, reason: granted };
  const [failed] = refusals;
  return {
    allowed: false,
    reason: failed?.reason ?? reasonToRefuse(asked, rule),
    ...(failed?.message === undefined ? {} : { message: failed.message }),
  };
}

/** The rule of the longest glob that fits; the first of equally long ones. */
export function ruleFor(policy: CompiledPolicy, repository: string): Rule | null {
  // The rules are in the order of their length.
  return policy.rules.find(({ glob }) => matchesGlob(glob, repository)) ?? null;
}

/** Groups by policy and identity: callers may have thousands, and lists of them ask thousands of questions. */
const knownGroups = new WeakMap<CompiledPolicy, WeakMap<Identity, ReadonlySet<string>>>();

/** Groups from the proof and from the configuration. */
export function groupsOf(policy: CompiledPolicy, identity: Identity): ReadonlySet<string> {
  if (identity.name === "") return new Set();
  const known = knownGroups.get(policy) ?? new WeakMap<Identity, ReadonlySet<string>>();
  const found = known.get(identity);
  if (found !== undefined) return found;
  const all = new Set([
    ...identity.groups,
    ...keysOf(identity).flatMap((key) => policy.groupsByUser.get(key) ?? []),
  ]);
  knownGroups.set(policy, known.set(identity, all));
  return all;
}

interface Asked extends Question {
  readonly groups: ReadonlySet<string>;
  readonly policy: CompiledPolicy;
}

interface Refused {
  readonly reason: string;
  readonly message?: string;
}

function grantedByRule(asked: Asked, rule: Rule, refusals: Refused[]): string | null {
  const { identity, action } = asked;
  const where = `of ${JSON.stringify(rule.glob.text)}`;
  if (isAnonymous(identity)) {
    return rule.anonymousPolicy.has(action) ? `anonymousPolicy ${where}` : null;
  }
  for (const [index, grant] of rule.policies.entries()) {
    const how = heldBy(asked, grant);
    if (how === null) continue;
    const place = `policies[${index}] ${where}`;
    if (!grant.actions.has(action)) continue;
    const refused = refusedByCondition(asked, grant.conditions, place);
    if (refused === null) return `${place}, ${how}`;
    refusals.push(refused);
  }
  return rule.defaultPolicy.has(action) ? `defaultPolicy ${where}` : null;
}

function grantedToAdmin(asked: Asked, refusals: Refused[]): string | null {
  const { admin } = asked.policy;
  const how = isAnonymous(asked.identity) ? null : heldBy(asked, admin);
  if (how === null || !admin.actions.has(asked.action)) return null;
  const refused = refusedByCondition(asked, admin.conditions, "adminPolicy");
  if (refused === null) return `adminPolicy, ${how}`;
  refusals.push(refused);
  return null;
}

/** How a grant reaches the caller: by name or by a group. */
function heldBy({ identity, groups }: Asked, grant: Grant): string | null {
  if (namesUser(grant.users, identity)) return `user ${identity.name}`;
  for (const group of grant.groups) if (groups.has(group)) return `group ${group}`;
  return null;
}

function refusedByCondition(
  asked: Asked,
  conditions: readonly CompiledCondition[],
  place: string,
): Refused | null {
  if (conditions.length === 0 || asked.facts === "any") return null;
  for (const condition of conditions) {
    const { expression, message } = condition;
    const { facts } = asked;
    const outcome = facts === null ? { problem: "a request" } : outcomeOf(asked, facts, condition);
    if ("problem" in outcome) {
      return { reason: `${place}: ${expression.text} needs ${outcome.problem}` };
    }
    if (outcome.value !== true) {
      const reason = `${place}: the condition ${expression.text} does not hold`;
      return message === "" ? { reason } : { reason, message };
    }
  }
  return null;
}

/** What a condition says: once for everything that it looks at. */
function outcomeOf(asked: Asked, facts: RequestFacts, condition: CompiledCondition): Outcome {
  const { paying = null } = asked;
  const { expression, reads } = condition;
  if (paying === null) return evaluate(expression, requestVariables(asked, facts));
  const varying = {
    action: asked.action,
    repository: asked.repository,
    reference: facts.reference,
  };
  const key = JSON.stringify([...reads].map((each) => varying[each]));
  const known = paying.outcomes.get(condition) ?? new Map<string, Outcome>();
  const found = known.get(key);
  if (found !== undefined) return found;
  const outcome = evaluate(expression, requestVariables(asked, facts), paying.budget);
  if (known.size < outcomesMax) paying.outcomes.set(condition, known.set(key, outcome));
  return outcome;
}

function requestVariables(asked: Asked, facts: RequestFacts): Record<string, Value> {
  const { identity, action, repository, groups, policy } = asked;
  const isDigest = facts.reference.includes(":");
  const fields: [string, Value][] = [
    ["time", new Moment(facts.timeMs)],
    ["method", facts.method],
    ["userAgent", facts.userAgent],
    ["action", action],
    ["repository", repository],
    ["reference", facts.reference],
    ["referenceType", facts.reference === "" ? "" : isDigest ? "digest" : "tag"],
    ["tag", isDigest ? "" : facts.reference],
    ["digest", isDigest ? facts.reference : ""],
    [
      "user",
      new Map<string, Value>([
        ["username", identity.name],
        ["groups", [...groups]],
      ]),
    ],
    [
      "auth",
      valueOf({ anonymous: isAnonymous(identity), admin: heldBy(asked, policy.admin) !== null }),
    ],
    [
      "client",
      new Map<string, Value>([
        ["ip", facts.clientAddress],
        ["forwardedFor", facts.forwardedFor],
      ]),
    ],
    ["tls", valueOf({ enabled: facts.tlsVersion !== null, version: facts.tlsVersion ?? "" })],
    // Lost ones stand for nothing: a condition on them cannot be computed, and so does not hold.
    ...(identity.claimsLost === true ? [] : [claimsField(identity)]),
  ];
  return { req: new Map(fields) };
}

function claimsField({ claims }: Identity): [string, Value] {
  return ["claims", claims ?? new Map<string, Value>()];
}

function reasonToRefuse(asked: Asked, rule: Rule | null): string {
  const { identity, action, repository } = asked;
  const who = isAnonymous(identity) ? "an anonymous caller" : identity.name;
  if (rule === null) return `no glob of accessControl.repositories fits ${repository}`;
  return `${JSON.stringify(rule.glob.text)} gives ${who} no ${action}`;
}
