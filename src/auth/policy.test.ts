// Access control: a table of zot's rules, conditions, reasons, and properties of every policy.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import * as z from "zod";
import { PolicyCaller } from "./caller.ts";
import { compilePolicy, type CompiledPolicy } from "./compile_policy.ts";
import { anonymous, type Identity } from "./identity.ts";
import { accessControlOptions, actions, type AccessControl, type Action } from "./options.ts";
import { decide, type RequestFacts } from "./policy.ts";
import { scopeOf } from "./scope.ts";

const schema = z.strictObject({
  repositories: accessControlOptions.repositories.type.prefault({}),
  adminPolicy: accessControlOptions.adminPolicy.type.prefault({}),
  groups: accessControlOptions.groups.type.prefault({}),
  metrics: z
    .strictObject({
      users: accessControlOptions.metrics.users.type.prefault([]),
      anonymousPolicy: accessControlOptions.metrics.anonymousPolicy.type.prefault([]),
    })
    .prefault({}),
});

function control(written: z.input<typeof schema>): AccessControl {
  return schema.parse(written);
}

function compiled(written: z.input<typeof schema>): CompiledPolicy {
  const result = compilePolicy(control(written));
  if ("problems" in result) throw new Error(result.problems.join("\n"));
  return result.policy;
}

function user(name: string, groups: string[] = []): Identity {
  return { name, groups, provenBy: "htpasswd", scope: null };
}

const policy = compiled({
  groups: { group1: { users: ["jack", "jane"] }, ops: { users: ["olga"] } },
  repositories: {
    "**": {
      policies: [
        { users: ["charlie"], groups: ["group1", "ldap-devs"], actions: ["read", "create"] },
        { users: ["mary"], actions: ["read", "create", "update", "delete"] },
      ],
      defaultPolicy: ["read"],
      anonymousPolicy: [],
    },
    "pub/**": { anonymousPolicy: ["read"] },
    "tmp/*": { defaultPolicy: ["read", "create", "update"], anonymousPolicy: ["read"] },
    "tmp/closed": { policies: [{ users: ["charlie"], actions: ["read"] }] },
  },
  adminPolicy: { users: ["admin"], groups: ["ops"], actions: ["read", "delete"] },
});

const rows: [who: Identity, action: Action, repository: string, allowed: boolean][] = [
  // Users and groups of the longest glob.
  [user("charlie"), "read", "any/where", true],
  [user("charlie"), "create", "any/where", true],
  [user("charlie"), "update", "any/where", false],
  [user("mary"), "delete", "any", true],
  [user("jack"), "create", "any", true],
  [user("someone", ["ldap-devs"]), "create", "any", true],
  [user("someone", ["group"]), "create", "any", false],
  // Names are exact.
  [user("Charlie"), "create", "any", false],
  [user("charlie "), "create", "any", false],
  // defaultPolicy is for everyone who is logged in, not for others.
  [user("someone"), "read", "any", true],
  [user("someone"), "delete", "any", false],
  [anonymous, "read", "any", false],
  // anonymousPolicy is for anonymous callers only: a user does not inherit it.
  [anonymous, "read", "pub/a", true],
  [anonymous, "read", "pub", true],
  [anonymous, "create", "pub/a", false],
  [user("someone"), "read", "pub/a", false],
  // Nothing is inherited from shorter globs.
  [user("mary"), "delete", "tmp/a", false],
  [user("mary"), "update", "tmp/a", true],
  [user("mary"), "read", "tmp/closed", false],
  [user("charlie"), "read", "tmp/closed", true],
  [user("charlie"), "create", "tmp/closed", false],
  [anonymous, "read", "tmp/closed", false],
  [user("mary"), "update", "tmp/a/b", true],
  [user("someone"), "update", "tmp/a/b", false],
  // The admin policy is added everywhere, with its own actions.
  [user("admin"), "delete", "tmp/closed", true],
  [user("admin"), "read", "tmp/closed", true],
  [user("admin"), "create", "tmp/closed", false],
  [user("olga"), "delete", "pub/a", true],
  [user("someone", ["ops"]), "delete", "pub/a", true],
];

test.each(rows)("%j may %s in %s: %p", (identity, action, repository, allowed) => {
  const decision = decide(policy, { identity, action, repository, facts: null });
  expect(decision.allowed).toBe(allowed);
  expect(decision.reason).not.toBe("");
});

test("the first of equally long globs applies", () => {
  const tied = compiled({
    repositories: { "a/*": { defaultPolicy: ["read"] }, "*/b": { defaultPolicy: ["delete"] } },
  });
  const question = { identity: user("u"), repository: "a/b", facts: null };
  expect(decide(tied, { ...question, action: "read" }).allowed).toBe(true);
  expect(decide(tied, { ...question, action: "delete" }).allowed).toBe(false);
});

test("reasons name the place that decided", () => {
  const why = (identity: Identity, action: Action, repository: string) =>
    decide(policy, { identity, action, repository, facts: null }).reason;
  expect(why(user("jack"), "read", "a")).toBe('policies[0] of "**", group group1');
  expect(why(user("mary"), "read", "a")).toBe('policies[1] of "**", user mary');
  expect(why(user("x"), "read", "a")).toBe('defaultPolicy of "**"');
  expect(why(anonymous, "read", "pub/a")).toBe('anonymousPolicy of "pub/**"');
  expect(why(user("admin"), "delete", "a")).toBe("adminPolicy, user admin");
  expect(why(user("x"), "delete", "a")).toBe('"**" gives x no delete');
  expect(why(anonymous, "read", "a")).toBe('"**" gives an anonymous caller no read');
  const narrow = compiled({ repositories: { a: { defaultPolicy: ["read"] } } });
  const question = { identity: user("x"), action: "read", repository: "b", facts: null } as const;
  expect(decide(narrow, question).reason).toBe("no glob of accessControl.repositories fits b");
});

const facts: RequestFacts = {
  timeMs: Date.parse("2026-11-22T10:00:00Z"),
  method: "PUT",
  userAgent: "skopeo/1.9",
  reference: "latest",
  clientAddress: "10.0.0.5",
  forwardedFor: ["192.0.2.7"],
  tlsVersion: null,
};

describe("conditions", () => {
  const conditions: [expression: string, holds: boolean][] = [
    ['req.time < timestamp("2099-12-31T23:59:59Z")', true],
    ['req.time > timestamp("2099-12-31T23:59:59Z")', false],
    ['req.referenceType == "tag" && req.tag == "latest" && req.digest == ""', true],
    ['req.referenceType == "digest"', false],
    ['req.method == "PUT" && req.action == "create"', true],
    ['req.userAgent.startsWith("skopeo/")', true],
    ['req.repository.startsWith("prod/")', true],
    ['req.user.username == "alice" && "dev" in req.user.groups', true],
    ["!req.auth.anonymous && !req.auth.admin", true],
    ['req.client.ip == "10.0.0.5" && req.client.forwardedFor[0].startsWith("192.0.2.")', true],
    ["req.tls.enabled", false],
    ['req.claims.team == "a"', false], // No claims: it cannot be computed.
    ["req.client.forwardedFor[7] == 'x'", false],
    ["req.user.username", false], // Not a truth.
  ];
  test.each(conditions)("%s", (expression, holds) => {
    const conditional = compiled({
      groups: { dev: { users: ["alice"] } },
      repositories: {
        "prod/**": {
          policies: [{ users: ["alice"], actions: ["create"], conditions: [{ expression }] }],
        },
      },
    });
    const question = { identity: user("alice"), action: "create", repository: "prod/a" } as const;
    expect(decide(conditional, { ...question, facts }).allowed).toBe(holds);
    // Without a request nothing holds.
    expect(decide(conditional, { ...question, facts: null }).allowed).toBe(false);
  });

  test("a caller whose claims were lost on the way fulfils no condition on claims", () => {
    const claimless = compiled({
      repositories: {
        "prod/**": {
          policies: [
            {
              users: ["alice"],
              actions: ["create"],
              conditions: [{ expression: '!("suspended" in req.claims)' }],
            },
          ],
        },
      },
    });
    const allowed = (identity: Identity): boolean =>
      decide(claimless, { identity, action: "create", repository: "prod/a", facts }).allowed;
    expect(allowed(user("alice"))).toBe(true);
    expect(allowed({ ...user("alice"), claimsLost: true })).toBe(false);
  });

  test("every condition must hold, and the first that does not tells its message", () => {
    const conditional = compiled({
      repositories: {
        "**": {
          policies: [
            {
              users: ["alice"],
              actions: ["create"],
              conditions: [
                { expression: 'req.method == "PUT"' },
                { expression: 'req.tag != "latest"', message: "push a version" },
              ],
            },
          ],
        },
      },
    });
    const question = { identity: user("alice"), action: "create", repository: "a" } as const;
    const refused = decide(conditional, { ...question, facts });
    expect(refused).toMatchObject({ allowed: false, message: "push a version" });
    expect(refused.reason).toContain('req.tag != "latest"');
    const granted = decide(conditional, { ...question, facts: { ...facts, reference: "1" } });
    expect(granted.allowed).toBe(true);
  });

  test("a later policy may grant what a condition refused", () => {
    const conditional = compiled({
      repositories: {
        "**": {
          policies: [
            { users: ["alice"], actions: ["read"], conditions: [{ expression: "false" }] },
            { groups: ["dev"], actions: ["read"] },
          ],
        },
      },
    });
    const identity = user("alice", ["dev"]);
    const question = { identity, action: "read", repository: "a", facts } as const;
    expect(decide(conditional, question).allowed).toBe(true);
  });
});

describe("what stops the start", () => {
  const refused: [written: z.input<typeof schema>, says: string][] = [
    [{ repositories: { "/a": {} } }, 'did you mean "a"?'],
    [{ repositories: { "Team/**": {} } }, 'did you mean "team/**"?'],
    [{ repositories: { "a b": {} } }, "a glob that a repository name can fit"],
    [{ repositories: { "": {} } }, "a glob that a repository name can fit"],
    [{ repositories: { "a[": {} } }, "expected a class"],
    [
      { repositories: { a: { policies: [{ conditions: [{ expression: "nope" }] }] } } },
      'http.accessControl.repositories["a"].policies[0].conditions[0].expression: expected one of req',
    ],
    [
      { adminPolicy: { conditions: [{ expression: "1 +" }] } },
      "http.accessControl.adminPolicy.conditions[0].expression",
    ],
  ];
  test.each(refused)("%j", (written, says) => {
    const result = compilePolicy(control(written));
    expect("problems" in result ? result.problems.join() : "accepted").toContain(says);
  });
});

// Arbitrary policies over a small world, in which everything happens often.
const names = fc.constantFrom("alice", "bob", "carol");
const groups = fc.constantFrom("dev", "ops");
const globs = fc.constantFrom("**", "a/**", "a/*", "*/b", "a/b", "c");
const someActions = fc.uniqueArray(fc.constantFrom(...actions), { maxLength: 3 });
const grant = fc.record({
  users: fc.array(names, { maxLength: 2 }),
  groups: fc.array(groups, { maxLength: 1 }),
  actions: someActions,
});
const written = fc.record({
  repositories: fc.dictionary(
    globs,
    fc.record({
      policies: fc.array(grant, { maxLength: 3 }),
      defaultPolicy: someActions,
      anonymousPolicy: someActions,
    }),
  ),
  adminPolicy: grant,
  groups: fc.dictionary(groups, fc.record({ users: fc.array(names, { maxLength: 2 }) })),
});
const identities = fc.oneof(
  fc.constant(anonymous),
  fc.tuple(names, fc.array(groups, { maxLength: 1 })).map(([name, list]) => user(name, list)),
);
const repositories = fc.constantFrom("a", "b", "c", "a/b", "x/b", "a/b/c");
const action = fc.constantFrom(...actions);

type Written = z.input<typeof schema>;

/** Every policy that is this one with a single grant taken out. */
function* weakened(from: Written): Generator<Written> {
  for (const [glob, entry] of Object.entries(from.repositories ?? {})) {
    const without = (change: object): Written => ({
      ...from,
      repositories: { ...from.repositories, [glob]: { ...entry, ...change } },
    });
    const policies = entry.policies ?? [];
    for (const index of policies.keys()) {
      yield without({ policies: policies.filter((_, at) => at !== index) });
      yield without({
        policies: policies.map((each, at) => (at === index ? { ...each, users: [] } : each)),
      });
    }
    yield without({ defaultPolicy: [] });
    yield without({ anonymousPolicy: [] });
  }
  yield { ...from, adminPolicy: {} };
  yield { ...from, groups: {} };
}

test("taking a grant out of a policy never adds access", () => {
  fc.assert(
    fc.property(written, identities, action, repositories, (from, identity, what, repository) => {
      const question = { identity, action: what, repository, facts: null };
      const before = decide(compiled(from), question).allowed;
      for (const less of weakened(from)) {
        if (decide(compiled(less), question).allowed) expect(before).toBe(true);
      }
    }),
  );
});

test("without a grant nobody may anything", () => {
  const empty = compiled({ repositories: { "**": {} } });
  fc.assert(
    fc.property(identities, action, repositories, (identity, what, repository) => {
      expect(decide(empty, { identity, action: what, repository, facts: null }).allowed).toBe(
        false,
      );
    }),
  );
});

test("a scope only ever narrows: access is the intersection of policy and scope", () => {
  const entries = fc.array(
    fc.record({
      type: fc.constantFrom("repository", "registry", "other"),
      name: fc.oneof(repositories, fc.constant("catalog")),
      actions: fc.uniqueArray(fc.constantFrom("pull", "push", "delete", "*", "x")),
    }),
    { maxLength: 4 },
  );
  fc.assert(
    fc.property(
      written,
      identities,
      entries,
      repositories,
      (from, identity, access, repository) => {
        const policy = compiled(from);
        const scope = scopeOf(access);
        const whole = new PolicyCaller(identity, policy, null);
        const narrowed = new PolicyCaller({ ...identity, scope }, policy, null);
        for (const [what, needs] of [
          ["read", "pull"],
          ["create", "push"],
          ["update", "push"],
          ["delete", "delete"],
        ] as const) {
          const named = access.some(
            ({ type, name, actions }) =>
              type === "repository" &&
              name === repository &&
              (actions.includes(needs) || actions.includes("*")),
          );
          expect(narrowed.may(what, repository)).toBe(whole.may(what, repository) && named);
        }
        if (narrowed.mayList()) expect(whole.mayList()).toBe(true);
      },
    ),
  );
});
