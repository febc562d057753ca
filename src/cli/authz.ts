// `zot authz`: whether a user may do something, and what in the configuration says so.
//
// Decides with the very function that the server decides with, from the file alone: groups of a directory or of a token
// are not known here and may be given. Conditions are shown, and taken to hold. Where all users stand in an htpasswd
// file, a name that is not among them gets a line.

import { compilePolicy, type CompiledPolicy, type Grant } from "../auth/compile_policy.ts";
import { PolicyCaller } from "../auth/caller.ts";
import { hasAccessControl } from "../auth/check_options.ts";
import { anonymous, type Identity } from "../auth/identity.ts";
import { isAuthConfigured } from "../auth/check_options.ts";
import { readNamedUser } from "../auth/named_user.ts";
import { actions, type Action } from "../auth/options.ts";
import { knownUsers } from "../auth/open_auth.ts";
import { groupsOf, ruleFor } from "../auth/policy.ts";
import { unknownUser } from "../auth/unknown_users.ts";
import type { Config } from "../config/load.ts";
import { systemClock } from "../lib/clock.ts";
import { matchesGlob } from "../lib/glob.ts";
import { isRepositoryName } from "../oci/reference.ts";
import { mistakeStatus, type Output } from "./command.ts";
import { loadGiven } from "./load_given.ts";

export interface AuthzQuestion {
  readonly configPath: string;
  /** `-` is an anonymous caller; `ldap:ann` has logged in at the directory. */
  readonly user: string;
  readonly action: string;
  readonly repository: string;
  /** Groups that a directory or a token would add. */
  readonly groups: readonly string[];
}

/** Prints the decision and its reasons. Returns 0 when it is allowed, 1 when it is not, 2 when it cannot be told. */
export async function authz(question: AuthzQuestion, output: Output): Promise<number> {
  const action = actions.find((each) => each === question.action);
  if (action === undefined) {
    output.error(
      `zot: expected an action, one of ${actions.join(", ")}, got '${question.action}'\n`,
    );
    return mistakeStatus;
  }
  if (!isRepositoryName(question.repository)) {
    output.error(
      `zot: expected the name of a repository, such as team/app, got '${question.repository}'\n`,
    );
    return mistakeStatus;
  }
  const loaded = await loadGiven(question.configPath);
  if ("problems" in loaded) {
    for (const problem of loaded.problems) output.error(`${problem}\n`);
    return mistakeStatus;
  }
  const status = explain(loaded.config, { ...question, action }, output);
  const remark = await unknownRemark(loaded.config, question.user);
  if (remark !== null) output.out(`  but: ${remark}\n`);
  return status;
}

/** Null for a user who can log in, and where that cannot be told. */
async function unknownRemark({ http }: Config, user: string): Promise<string | null> {
  if (user === "-" || !isAuthConfigured(http)) return null;
  const setup = { clock: systemClock, tokenKeyAt: null, report: () => {} };
  // What is wrong with the files is for `zot verify` to say.
  const names = await knownUsers(http, setup).catch(() => null);
  return names === null ? null : unknownUser(user, names);
}

type Asked = Omit<AuthzQuestion, "action"> & { readonly action: Action };

function explain(config: Config, asked: Asked, output: Output): number {
  const { action, repository } = asked;
  const { http } = config;
  const identity = identityOf(asked);
  const who = identity.name === "" ? "an anonymous caller" : identity.name;
  if (!isAuthConfigured(http)) {
    output.out(`allowed: ${who} may ${action} ${repository}\n`);
    output.out("  neither authentication nor access control is configured: everybody may\n");
    return 0;
  }
  const policy = hasAccessControl(http.accessControl) ? policyOf(config) : null;
  const { allowed, reason } = new PolicyCaller(identity, policy).decideByPolicy(
    action,
    repository,
    "any",
  );
  output.out(
    `${allowed ? "allowed" : "denied"}: ${who} may ${allowed ? "" : "not "}${action} ${repository}\n`,
  );
  output.out(`  because: ${reason}\n`);
  if (policy !== null) explainPolicy(policy, identity, repository, output);
  return allowed ? 0 : 1;
}

function identityOf({ user, groups }: Asked): Identity {
  if (user === "-") return anonymous;
  const { method, name } = readNamedUser(user);
  const login = method === null ? {} : { login: method };
  return { name, groups, provenBy: "nothing", scope: null, ...login };
}

function policyOf({ http }: Config): CompiledPolicy {
  const compiled = compilePolicy(http.accessControl);
  if ("problems" in compiled) throw new Error(compiled.problems.join("; "));
  return compiled.policy;
}

function explainPolicy(
  policy: CompiledPolicy,
  identity: Identity,
  repository: string,
  output: Output,
): void {
  const fitting = policy.rules.filter(({ glob }) => matchesGlob(glob, repository));
  const rule = ruleFor(policy, repository);
  const shown = fitting.map(({ glob }) => JSON.stringify(glob.text)).join(", ");
  output.out(`  globs that fit, longest first: ${shown === "" ? "none" : shown}\n`);
  const groups = [...groupsOf(policy, identity)];
  output.out(`  groups: ${groups.length === 0 ? "none" : groups.join(", ")}\n`);
  for (const [index, grant] of (rule?.policies ?? []).entries()) {
    explainConditions(grant, `policies[${index}] of ${JSON.stringify(rule?.glob.text)}`, output);
  }
  explainConditions(policy.admin, "adminPolicy", output);
}

function explainConditions({ conditions }: Grant, place: string, output: Output): void {
  for (const { expression } of conditions) {
    output.out(`  only when, for ${place}: ${expression.text}\n`);
  }
}
