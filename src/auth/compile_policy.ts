/**
 * Compiles the access control of the configuration once: globs, conditions, and groups looked up by their members.
 *
 * Every problem is found before the server listens, and is one line each: for example a glob that no repository name
 * can match, or a condition that does not parse. `policy.ts` decides with the result and parses nothing again.
 */
import {
  fieldsOf,
  parseExpression,
  type Expression,
  type Shape,
} from "../lib/expression/expression.ts";
import { showJson } from "../lib/strict_json.ts";
import { isHopeless, parseGlob, type Glob } from "../lib/glob.ts";
import { readNamedUser, userKey } from "./named_user.ts";
import type { AccessControl, Action, PolicyGrant } from "./options.ts";

export interface CompiledCondition {
  readonly expression: Expression;
  /** What a caller is told when it does not hold; empty for nothing. */
  readonly message: string;
  /** What it looks at of the things that differ between two questions of one request. */
  readonly reads: ReadonlySet<Varying>;
}

/** Fields of `req` that differ between two questions of one request, and what makes them differ. */
const varyingFields = {
  action: "action",
  repository: "repository",
  reference: "reference",
  referenceType: "reference",
  tag: "reference",
  digest: "reference",
} as const;

export type Varying = (typeof varyingFields)[keyof typeof varyingFields];

/** Actions for users and groups, under conditions. */
export interface Grant {
  /** Keys of users (`named_user.ts`). */
  readonly users: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
  readonly actions: ReadonlySet<Action>;
  readonly conditions: readonly CompiledCondition[];
}

/** What one glob says. */
export interface Rule {
  readonly glob: Glob;
  readonly policies: readonly Grant[];
  readonly defaultPolicy: ReadonlySet<Action>;
  readonly anonymousPolicy: ReadonlySet<Action>;
}

export interface CompiledPolicy {
  /** By length of the glob, longest first. */
  readonly rules: readonly Rule[];
  readonly admin: Grant;
  /** Groups by the key of a user. */
  readonly groupsByUser: ReadonlyMap<string, readonly string[]>;
  /** Whether any decision depends on more than identity, action and repository. */
  readonly conditional: boolean;
  /** Whether any of them depends on the tag, or digest, that a request names. */
  readonly looksAtReferences: boolean;
  /** Whether anonymous callers may do anything at all. */
  readonly anonymousAccess: boolean;
  /** Whether a user may do anything that an anonymous caller may not. */
  readonly userAccess: boolean;
  /** Who may read the metrics page. */
  readonly metrics: { readonly users: ReadonlySet<string>; readonly everybody: boolean };
  /** Groups that some policy names: the only ones that matter. */
  readonly namedGroups: ReadonlySet<string>;
}

/** What a repository name is made of (`oci/reference.ts` has the grammar). */
const names = { inside: /[a-z0-9._-]/, edge: /[a-z0-9]/ };

const requestShape: Shape = {
  time: "any",
  method: "any",
  userAgent: "any",
  action: "any",
  repository: "any",
  reference: "any",
  referenceType: "any",
  tag: "any",
  digest: "any",
  user: { username: "any", groups: "any" },
  auth: { anonymous: "any", admin: "any" },
  client: { ip: "any", forwardedFor: "any" },
  tls: { enabled: "any", version: "any" },
  claims: "any",
};

const place = "http.accessControl";

/** Reads a policy; or says everything that is wrong with it. */
export function compilePolicy(
  control: AccessControl,
): { readonly policy: CompiledPolicy } | { readonly problems: readonly string[] } {
  const problems: string[] = [];
  const rules: Rule[] = [];
  for (const [text, entry] of Object.entries(control.repositories)) {
    const path = `${place}.repositories[${JSON.stringify(text)}]`;
    const glob = readGlob(text, path, problems);
    const policies = entry.policies.map((grant, index) =>
      compileGrant(grant, `${path}.policies[${index}]`, problems),
    );
    if (glob === null) continue;
    rules.push({
      glob,
      policies,
      defaultPolicy: new Set(entry.defaultPolicy),
      anonymousPolicy: new Set(entry.anonymousPolicy),
    });
  }
  const admin = compileGrant(control.adminPolicy, `${place}.adminPolicy`, problems);
  const metrics = {
    users: usersOf(control.metrics.users, `${place}.metrics`, problems),
    everybody: control.metrics.anonymousPolicy.includes("read"),
  };
  for (const [group, { users }] of Object.entries(control.groups)) {
    usersOf(users, `${place}.groups[${JSON.stringify(group)}]`, problems);
  }
  if (problems.length > 0) return { problems };
  rules.sort((a, b) => b.glob.text.length - a.glob.text.length);
  const groupsByUser = turned(control);
  return { policy: { ...summary(rules, admin), rules, admin, metrics, groupsByUser } };
}

function readGlob(text: string, path: string, problems: string[]): Glob | null {
  const parsed = parseGlob(text);
  if ("problem" in parsed) {
    problems.push(`${path}: expected ${parsed.problem}, got ${showJson(text)}`);
    return null;
  }
  if (!isHopeless(parsed.glob, names)) return parsed.glob;
  problems.push(
    `${path}: expected a glob that a repository name can fit, got ${showJson(text)}; ${advice(text)}`,
  );
  return null;
}

function advice(text: string): string {
  const better = text.toLowerCase().replace(/^\/+|\/+$/g, "");
  const parsed = parseGlob(better);
  if (better !== text && "glob" in parsed && !isHopeless(parsed.glob, names)) {
    return `did you mean ${JSON.stringify(better)}?`;
  }
  return "names are lower-case letters, digits and single separators between slashes";
}

function compileGrant(grant: PolicyGrant, path: string, problems: string[]): Grant {
  const conditions: CompiledCondition[] = [];
  for (const [index, { expression, message }] of grant.conditions.entries()) {
    const parsed = parseExpression(expression, { req: requestShape });
    if ("expression" in parsed) {
      conditions.push({ ...parsed, message, reads: readsOf(parsed.expression) });
    } else {
      problems.push(`${path}.conditions[${index}].expression: expected ${parsed.problem}`);
    }
  }
  return {
    users: usersOf(grant.users, path, problems),
    groups: new Set(grant.groups),
    actions: new Set(grant.actions),
    conditions,
  };
}

/** Keys of the users of a list. */
function usersOf(users: readonly string[], path: string, problems: string[]): Set<string> {
  for (const [index, text] of users.entries()) {
    if (readNamedUser(text).name !== "") continue;
    problems.push(`${path}.users[${index}]: expected a user's name, got ${showJson(text)}`);
  }
  return new Set(users.map(userKey));
}

function readsOf(expression: Expression): Set<Varying> {
  const fields = fieldsOf(expression, "req");
  const varying = Object.entries(varyingFields);
  return new Set(varying.filter(([name]) => fields?.has(name) !== false).map(([, of]) => of));
}

/** From group → users to user → groups. */
function turned({ groups }: AccessControl): Map<string, string[]> {
  const byUser = new Map<string, string[]>();
  for (const [group, { users }] of Object.entries(groups)) {
    for (const key of users.map(userKey)) byUser.set(key, [...(byUser.get(key) ?? []), group]);
  }
  return byUser;
}

function summary(rules: readonly Rule[], admin: Grant) {
  const grants = [...rules.flatMap(({ policies }) => policies), admin];
  return {
    conditional: grants.some(({ conditions }) => conditions.length > 0),
    looksAtReferences: grants.some(({ conditions }) =>
      conditions.some(({ reads }) => reads.has("reference")),
    ),
    anonymousAccess: rules.some(({ anonymousPolicy }) => anonymousPolicy.size > 0),
    userAccess:
      grants.some(({ actions }) => actions.size > 0) ||
      rules.some(({ defaultPolicy }) => defaultPolicy.size > 0),
    namedGroups: new Set(grants.flatMap(({ groups }) => [...groups])),
  };
}
