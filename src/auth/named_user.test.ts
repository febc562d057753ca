// Users as policies name them: who is meant by a bare name, and who by a name with a method.
import { describe, expect, test } from "bun:test";
import { compilePolicy } from "./compile_policy.ts";
import { anonymous, type Identity } from "./identity.ts";
import { readNamedUser } from "./named_user.ts";
import type { AccessControl } from "./options.ts";
import { decide } from "./policy.ts";
import { PolicyCaller } from "./caller.ts";

const who = (
  name: string,
  provenBy: Identity["provenBy"],
  more: Partial<Identity> = {},
): Identity => ({
  name,
  groups: [],
  provenBy,
  scope: null,
  ...more,
});

function control(users: readonly string[], groups: Record<string, string[]> = {}): AccessControl {
  const policies = [
    { users: [...users], groups: Object.keys(groups), actions: ["read" as const], conditions: [] },
  ];
  return {
    repositories: { "**": { policies, defaultPolicy: [], anonymousPolicy: [] } },
    adminPolicy: { users: [], groups: [], actions: [], conditions: [] },
    groups: Object.fromEntries(Object.entries(groups).map(([name, of]) => [name, { users: of }])),
    metrics: { users: [...users], anonymousPolicy: [] },
  };
}

function policyOf(access: AccessControl) {
  const compiled = compilePolicy(access);
  if ("problems" in compiled) throw new Error(compiled.problems.join("; "));
  return compiled.policy;
}

const people: [says: string, identity: Identity][] = [
  ["of the file", who("ann", "htpasswd")],
  ["of the directory", who("ann", "ldap")],
  ["of a certificate", who("ann", "certificate")],
  ["of a workload", who("ann", "workload")],
  ["with a key made in the directory", who("ann", "api key", { login: "ldap" })],
  ["with a token of a login of the file", who("ann", "token", { login: "htpasswd" })],
  ["with a session of the directory", who("ann", "session", { login: "ldap" })],
  ["with a token of before", who("ann", "token")],
];

describe.each([
  ["ann", [true, true, true, true, true, true, true, true]],
  ["ldap:ann", [false, true, false, false, true, false, true, false]],
  ["htpasswd:ann", [true, false, false, false, false, true, false, false]],
  ["certificate:ann", [false, false, true, false, false, false, false, false]],
  ["workload:ann", [false, false, false, true, false, false, false, false]],
] as const)("%s in a policy", (user, expected) => {
  test.each(people.map(([says, identity], at) => [says, identity, expected[at] ?? false] as const))(
    "for ann %s",
    (_, identity, allowed) => {
      const asked = { identity, action: "read" as const, repository: "a", facts: null };
      expect(decide(policyOf(control([user])), asked).allowed).toBe(allowed);
      expect(decide(policyOf(control([], { team: [user] })), asked).allowed).toBe(allowed);
      const caller = new PolicyCaller(identity, policyOf(control([user])));
      expect(caller.mayReadMetrics()).toBe(allowed);
    },
  );
});

test("nobody becomes another method's user by a name that looks like it", () => {
  const policy = policyOf(control(["htpasswd:ann"], { team: ["ldap:bob"] }));
  for (const identity of [
    who("htpasswd:ann", "workload"),
    who("ldap:bob", "certificate"),
    anonymous,
  ]) {
    const asked = { identity, action: "read" as const, repository: "a", facts: null };
    expect(decide(policy, asked).allowed).toBe(false);
  }
});

test.each([
  ["ann", null, "ann"],
  ["spiffe://example.org/ci", null, "spiffe://example.org/ci"],
  ["repo:team/app:ref:refs/heads/main", null, "repo:team/app:ref:refs/heads/main"],
  ["workload:repo:team/app:ref:main", "workload", "repo:team/app:ref:main"],
  ["LDAP:ann", null, "LDAP:ann"],
  [":ann", null, ":ann"],
] as const)("%s reads as %p and %s", (text, method, name) => {
  expect(readNamedUser(text)).toEqual({ method, name });
});

test.each([[["ldap:"]], [[""]]])("a user without a name is a mistake: %p", (users) => {
  expect(compilePolicy(control(users))).toEqual({
    problems: expect.arrayContaining([
      expect.stringMatching(/policies\[0\]\.users\[0\]: expected a user's name, got ""|"ldap:"/),
    ]),
  });
});
