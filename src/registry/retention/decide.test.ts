// The table of zot's rules, row by row as its users know them, with what ours do differently; then our additions.
// Rows whose effect is only seen when something is collected are tested with a server.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  decideTags,
  decideUntagged,
  decidingTags,
  type Subject,
  type TagFacts,
  type UntaggedFacts,
} from "./decide.ts";
import { retentionOptions } from "./options.ts";
import { compileRules, policyOf, type RetentionRules } from "./rules.ts";

const hour = 3_600_000;
const day = 24 * hour;
const now = 1_000 * day;

function rulesOf(policies: unknown, more: { delay?: string } = {}): RetentionRules {
  const read = retentionOptions.policies.type.parse(policies);
  const delay = retentionOptions.delay.type.parse(more.delay ?? "");
  return compileRules({ dryRun: false, delay, policies: read }, hour);
}

/** A policy for every repository with these entries. */
const keeping = (...keepTags: object[]): RetentionRules =>
  rulesOf([{ repositories: ["**"], keepTags }]);

interface Row extends Partial<TagFacts> {
  /** Days ago; null for never. */
  readonly pushed: number;
  readonly pulled?: number | null;
}

function tag(name: string, { pushed, pulled = null, ...rest }: Row): TagFacts {
  return {
    tag: name,
    digest: `sha256:${name}`,
    pushedAt: now - pushed * day,
    pulledAt: pulled === null ? null : now - pulled * day,
    expiresAfterMs: null,
    pinnedUntil: null,
    ...rest,
  };
}

const subjects = new Map<string, Subject>();

/** The tags that stay, in the order of the facts. */
function kept(tags: readonly TagFacts[], rules: RetentionRules, about = subjects): string[] {
  const verdicts = decideTags({ repository: "retention", tags, subjects: about }, rules, now);
  return tags.filter((one) => verdicts.get(one)?.decision === "keep").map(({ tag: name }) => name);
}

/** Fixture F: days since push and pull. */
const F = [
  tag("0.0.1", { pushed: 10, pulled: 10 }),
  tag("0.0.2", { pushed: 11, pulled: 11 }),
  tag("0.0.3", { pushed: 12, pulled: 12 }),
  tag("0.0.7", { pushed: 13, pulled: 13 }),
  tag("0.0.4", { pushed: 1, pulled: 1 }),
  tag("0.0.5", { pushed: 2, pulled: 2 }),
  tag("0.0.6", { pushed: 3, pulled: 2 }),
  tag("0.0.8", { pushed: 4, pulled: 4 }),
];
const allOfF = F.map(({ tag: name }) => name);
const ofF = (...last: number[]): string[] =>
  allOfF.filter((name) => last.includes(Number(name.at(-1))));
const d = (days: number): string => `${days * 24}h`;

test("20,000 tags are decided about in turns of some hundred, with the same result", () => {
  const tags = Array.from({ length: 20_000 }, (_, at) => tag(`v${at}`, { pushed: at % 90 }));
  const facts = { repository: "retention", tags, subjects };
  const rules = keeping({ patterns: ["^v1"] }, { mostRecentlyPushedCount: 100 });
  const work = decidingTags(facts, rules, now);
  let turns = 0;
  let step = work.next();
  for (; step.done !== true; step = work.next()) turns += 1;
  expect(turns).toBeGreaterThanOrEqual(2 * 40);
  expect(step.value).toEqual(decideTags(facts, rules, now));
});

describe("tags, as in zot", () => {
  const rows: readonly [row: string, rules: RetentionRules, tags: TagFacts[], stay: string[]][] = [
    ["2 no retention block", rulesOf([]), F, allOfF],
    [
      "3 policies match another repository",
      rulesOf([{ repositories: ["other"], keepTags: [{ patterns: ["v1"] }] }]),
      F,
      allOfF,
    ],
    ["4 no keepTags", rulesOf([{ repositories: ["**"] }]), F, allOfF],
    ["4 keepTags: []", keeping(), F, allOfF],
    ["4 keepTags: [{}]", keeping({}), F, allOfF],
    ["5 0.0.*", keeping({ patterns: ["0.0.*"] }), F, allOfF],
    ["6 v1", keeping({ patterns: ["v1"] }), F, []],
    [
      "7 two tags of one digest, neither matches",
      keeping({ patterns: ["v1"] }),
      [tag("a", { pushed: 1, digest: "x" }), tag("b", { pushed: 1, digest: "x" })],
      [],
    ],
    [
      "8 two tags of one digest, one matches",
      keeping({ patterns: ["a"] }),
      [tag("a", { pushed: 1, digest: "x" }), tag("b", { pushed: 1, digest: "x" })],
      ["a"],
    ],
    [
      "9 ours: nothing is unknown, it was pushed when it was taken in",
      keeping({ patterns: ["0.0.[1-5]", "0.0.7"] }),
      [...F, tag("0.0.9", { pushed: 0 })],
      ofF(1, 2, 3, 4, 5, 7),
    ],
    [
      "10 pulled and pushed within 7 days",
      keeping({ patterns: [".*"], pulledWithin: d(7), pushedWithin: d(7) }),
      F,
      ofF(4, 5, 6, 8),
    ],
    ["11 pushed 3", keeping({ patterns: [".*"], mostRecentlyPushedCount: 3 }), F, ofF(4, 5, 6)],
    ["12 pulled 3", keeping({ patterns: [".*"], mostRecentlyPulledCount: 3 }), F, ofF(4, 5, 6)],
    [
      "13 pulled 3 or pushed 4",
      keeping({ patterns: [".*"], mostRecentlyPulledCount: 3, mostRecentlyPushedCount: 4 }),
      F,
      ofF(4, 5, 6, 8),
    ],
    [
      "14 three entries; what is as old as the rule has gone past it",
      keeping(
        { patterns: ["0.0.1"] },
        { patterns: ["0.0.2"] },
        { patterns: [".*"], pulledWithin: d(2) },
      ),
      F,
      ofF(1, 2, 4),
    ],
    ["15 0.0.1 alone", keeping({ patterns: ["0.0.1"] }), F, ofF(1)],
    [
      "16 a pattern fits anywhere",
      keeping({ patterns: ["0.0.1"] }),
      [tag("10.0.15", { pushed: 1 })],
      ["10.0.15"],
    ],
    [
      "17 one entry of two patterns counts both together",
      keeping({ patterns: ["a-.*", "b-.*"], mostRecentlyPushedCount: 1 }),
      [tag("a-1", { pushed: 2 }), tag("b-1", { pushed: 1 })],
      ["b-1"],
    ],
    [
      "18 two entries count each",
      keeping(
        { patterns: ["a-.*"], mostRecentlyPushedCount: 1 },
        { patterns: ["b-.*"], mostRecentlyPushedCount: 1 },
      ),
      [tag("a-1", { pushed: 2 }), tag("a-0", { pushed: 3 }), tag("b-1", { pushed: 1 })],
      ["a-1", "b-1"],
    ],
    [
      "19 a broad first entry takes the tags of later ones",
      keeping({ patterns: [".*"], mostRecentlyPushedCount: 1 }, { patterns: ["v.*"] }),
      [tag("v1", { pushed: 9 }), tag("x", { pushed: 1 })],
      ["x"],
    ],
    ["20 more places than tags", keeping({ mostRecentlyPushedCount: 50 }), F, allOfF],
    ["21 a count of 0 is no rule", keeping({ mostRecentlyPushedCount: 0 }), F, allOfF],
    [
      "22 ours: what was never pulled counts from its push",
      keeping({ mostRecentlyPulledCount: 3 }),
      [
        tag("a", { pushed: 90, pulled: 60 }),
        tag("b", { pushed: 90, pulled: 61 }),
        tag("c", { pushed: 90, pulled: 62 }),
        tag("new", { pushed: 0 }),
      ],
      ["a", "b", "new"],
    ],
    [
      "23 pulledWithin accepts a recent push",
      keeping({ pulledWithin: d(3) }),
      [tag("a", { pushed: 1 })],
      ["a"],
    ],
    [
      "24 pushedWithin does not look at pulls",
      keeping({ pushedWithin: d(3) }),
      [tag("a", { pushed: 9, pulled: 0 })],
      [],
    ],
    [
      "25 tags of one digest share the pull",
      keeping({ pulledWithin: d(3) }),
      [
        tag("a", { pushed: 9, pulled: 1, digest: "x" }),
        tag("b", { pushed: 9, pulled: 1, digest: "x" }),
      ],
      ["a", "b"],
    ],
    [
      "26 ours: an old digest under a new tag was pushed when the tag was set",
      keeping({ pushedWithin: d(3) }),
      [tag("old", { pushed: 90, digest: "x" }), tag("new", { pushed: 0, digest: "x" })],
      ["new"],
    ],
    [
      "53 globs of repositories: the first policy wins",
      rulesOf([
        { repositories: ["infra/*", "tmp/**"], keepTags: [{ patterns: ["none"] }] },
        { repositories: ["**"], keepTags: [{ patterns: ["0.0.1"] }] },
      ]),
      F,
      ofF(1),
    ],
  ];

  test.each(rows)("%s", (_row, rules, tags, stay) => {
    expect(kept(tags, rules)).toEqual(stay);
  });

  test.each([
    ["infra/*", "infra/a/b", false],
    ["infra/*", "infra/a", true],
    ["tmp/**", "tmp/a/b", true],
    ["{a,b}/**", "b/c", true],
  ])("53 %s and %s: %p", (glob, repository, fits) => {
    const rules = rulesOf([{ repositories: [glob], deleteUntagged: false }]);
    expect(policyOf(rules, repository).deleteUntagged).toBe(!fits);
  });
});

describe("signatures that are tags follow their subject", () => {
  const hex = "a".repeat(64);
  const digest = `sha256:${hex}`;
  const here = new Map<string, Subject>([[digest, { isHere: true }]]);
  const gone = (agoMs: number): Map<string, Subject> =>
    new Map([[digest, { isHere: false, goneSince: now - agoMs }]]);
  const names = [`sha256-${hex}.sig`, `sha256-${hex}.att`, `sha256-${hex}.sbom`, `sha256-${hex}`];
  const tags = names.map((name) => tag(name, { pushed: 90 }));
  const policy = { repositories: ["**"], keepTags: [{ patterns: ["v.*"] }] };

  test("40, 40b ours: kept while it is here, whatever patterns say", () => {
    expect(kept(tags, rulesOf([policy]), here)).toEqual(names);
  });

  test("39 removed gcDelay after it has gone, with deleteReferrers", () => {
    const rules = rulesOf([{ ...policy, deleteReferrers: true }], { delay: d(9) });
    expect(kept(tags, rules, gone(hour - 1))).toEqual(names);
    expect(kept(tags, rules, gone(hour))).toEqual([]);
  });

  test("37 kept for ever without deleteReferrers", () => {
    expect(kept(tags, rulesOf([policy]), gone(400 * day))).toEqual(names);
  });

  test("one about something that was never here counts from its push", () => {
    const rules = rulesOf([{ ...policy, deleteReferrers: true }]);
    expect(kept(tags, rules)).toEqual([]);
    expect(kept([tag(names[0]!, { pushed: 0 })], rules)).toEqual([names[0]!]);
  });

  test("another name of the kind is an ordinary tag", () => {
    expect(kept([tag(`sha256-${hex}.zip`, { pushed: 1 })], rulesOf([policy]), here)).toEqual([]);
  });
});

interface UntaggedRow extends Partial<UntaggedFacts> {
  readonly pushed: number;
  readonly pulled?: number;
}

function untagged(digest: string, { pushed, pulled, ...rest }: UntaggedRow): UntaggedFacts {
  return {
    digest,
    pushedAt: now - pushed * day,
    pulledAt: pulled === undefined ? null : now - pulled * day,
    since: now - pushed * day,
    subject: null,
    ...rest,
  };
}

function untaggedKept(rows: readonly UntaggedFacts[], rules: RetentionRules): string[] {
  const verdicts = decideUntagged("retention", rows, { rules, now });
  return rows.filter((one) => verdicts.get(one)?.decision === "keep").map(({ digest }) => digest);
}

describe("manifests without a name, as in zot", () => {
  const policy = (more: object): RetentionRules => rulesOf([{ repositories: ["**"], ...more }]);
  const gone = (days: number): Subject => ({ isHere: false, goneSince: now - days * day });
  const two = [untagged("a", { pushed: 9, pulled: 5 }), untagged("b", { pushed: 8, pulled: 6 })];
  const rows: readonly [string, RetentionRules, UntaggedFacts[], string[]][] = [
    ["1 no retention block", rulesOf([]), [untagged("a", { pushed: 1 })], []],
    [
      "3 policies match another repository",
      rulesOf([{ repositories: ["other"], deleteUntagged: false }]),
      [untagged("a", { pushed: 1 })],
      [],
    ],
    ["29 deleteUntagged: false", policy({ deleteUntagged: false }), two, ["a", "b"]],
    ["31 keepUntagged: {}", policy({ keepUntagged: {} }), two, []],
    ["32 pulled count 1", policy({ keepUntagged: { mostRecentlyPulledCount: 1 } }), two, ["a"]],
    [
      "34 ours: pulls are always known; what was never pulled counts from its push",
      policy({ keepUntagged: { mostRecentlyPulledCount: 1 } }),
      [untagged("a", { pushed: 9 }), untagged("b", { pushed: 8 })],
      ["b"],
    ],
    [
      "35 ours: without statistics it was pushed when it was taken in",
      policy({ keepUntagged: { pulledWithin: d(3) } }),
      [untagged("a", { pushed: 1 })],
      ["a"],
    ],
    [
      "36 a referrer whose subject is here",
      policy({ deleteReferrers: true }),
      [untagged("a", { pushed: 90, subject: { isHere: true } })],
      ["a"],
    ],
    [
      "37 its subject has gone, deleteReferrers on",
      policy({ deleteReferrers: true }),
      [untagged("a", { pushed: 90, subject: gone(1) })],
      [],
    ],
    [
      "37 its subject has gone, deleteReferrers off",
      policy({}),
      [untagged("a", { pushed: 90, subject: gone(1) })],
      ["a"],
    ],
    [
      "37 its subject went less than the delay ago",
      policy({ deleteReferrers: true }),
      [untagged("a", { pushed: 90, subject: gone(0) })],
      ["a"],
    ],
    [
      "43 younger than the delay",
      rulesOf([], { delay: d(2) }),
      [untagged("a", { pushed: 1 })],
      ["a"],
    ],
    [
      "44 ours: the delay counts from when it lost its last name",
      rulesOf([]),
      [untagged("a", { pushed: 30, since: now })],
      ["a"],
    ],
    [
      "45 the delay is gcDelay by default",
      rulesOf([]),
      [
        untagged("a", { pushed: 9, since: now - hour + 1 }),
        untagged("b", { pushed: 9, since: now - hour }),
      ],
      ["a"],
    ],
  ];

  test.each(rows)("%s", (_row, rules, facts, stay) => {
    expect(untaggedKept(facts, rules)).toEqual(stay);
  });

  test("a referrer takes no place of a count", () => {
    const rules = policy({ keepUntagged: { mostRecentlyPushedCount: 1 } });
    const signature = untagged("sig", { pushed: 1, subject: { isHere: true } });
    expect(untaggedKept([...two, signature], rules)).toEqual(["b", "sig"]);
  });
});

describe("additions", () => {
  const rows: readonly [string, RetentionRules, TagFacts[], string[]][] = [
    [
      "all: every rule must hold",
      keeping({ mostRecentlyPushedCount: 3, pushedWithin: `${2.5 * 24}h`, all: true }),
      F,
      ofF(4, 5),
    ],
    [
      "all: a count runs over what the rules of time left",
      keeping({ mostRecentlyPulledCount: 1, pushedWithin: d(8), all: true }),
      [tag("old", { pushed: 9, pulled: 0 }), tag("young", { pushed: 1, pulled: 1 })],
      ["young"],
    ],
    [
      "groupBy counts for each captured text",
      keeping({ groupBy: "^(env[0-9]+)-", mostRecentlyPushedCount: 1 }),
      [
        tag("env1-a", { pushed: 3 }),
        tag("env1-b", { pushed: 2 }),
        tag("env2-a", { pushed: 9 }),
        tag("x", { pushed: 8 }),
        tag("y", { pushed: 7 }),
      ],
      ["env1-b", "env2-a", "y"],
    ],
    [
      "minimum: the newest stay, whatever else is said",
      keeping({ pushedWithin: "1h", minimum: 2 }),
      F,
      ofF(4, 5),
    ],
    [
      "minimum is counted for each group",
      keeping({ groupBy: "^(.)", pushedWithin: "1h", minimum: 1 }),
      [tag("a1", { pushed: 3 }), tag("a2", { pushed: 2 }), tag("b1", { pushed: 9 })],
      ["a2", "b1"],
    ],
    [
      "excludePatterns leave a tag to the next entry",
      keeping({ patterns: [".*"], excludePatterns: ["-rc"] }, { patterns: ["-rc1"] }),
      [tag("1", { pushed: 1 }), tag("1-rc1", { pushed: 1 }), tag("1-rc2", { pushed: 1 })],
      ["1", "1-rc1"],
    ],
    [
      "anchored: a pattern fits the whole tag",
      keeping({ patterns: ["0.0.1", "a|b"], anchored: true }),
      [
        tag("0.0.1", { pushed: 1 }),
        tag("10.0.15", { pushed: 1 }),
        tag("a", { pushed: 1 }),
        tag("ab", { pushed: 1 }),
      ],
      ["0.0.1", "a"],
    ],
    [
      "semver: the newest of each minor version",
      keeping({ semver: { keepMinor: 2 } }),
      ["v1.2.3", "1.2.10", "1.2.9", "1.3.0-rc.1", "1.3.0-rc.2", "1.3.0", "latest"].map((name) =>
        tag(name, { pushed: 1 }),
      ),
      ["1.2.10", "1.2.9", "1.3.0-rc.2", "1.3.0"],
    ],
    [
      "mostRecentlyActiveCount: pulled or pushed",
      keeping({ mostRecentlyActiveCount: 2 }),
      [
        tag("a", { pushed: 9, pulled: 1 }),
        tag("b", { pushed: 2, pulled: 9 }),
        tag("c", { pushed: 3 }),
      ],
      ["a", "b"],
    ],
    [
      "pulledOrPushedWithin",
      keeping({ pulledOrPushedWithin: d(3) }),
      [tag("a", { pushed: 9, pulled: 1 }), tag("b", { pushed: 9 }), tag("c", { pushed: 1 })],
      ["a", "c"],
    ],
    [
      "expiresAfter: older than that goes, though it is counted",
      keeping({ mostRecentlyPushedCount: 8, expiresAfter: d(11) }),
      F,
      ofF(1, 4, 5, 6, 8),
    ],
    [
      "what is expired takes no place of a count",
      keeping({ mostRecentlyPulledCount: 1, expiresAfter: d(5) }),
      [tag("a", { pushed: 9, pulled: 0 }), tag("b", { pushed: 2, pulled: 1 })],
      ["b"],
    ],
    [
      "a pin of an undo stands above the rules until it ends",
      keeping({ patterns: ["none"] }),
      [tag("a", { pushed: 9, pinnedUntil: now + 1 }), tag("b", { pushed: 9, pinnedUntil: now })],
      ["a"],
    ],
    [
      "protect and immutableTags stand above the rules",
      rulesOf([
        {
          repositories: ["**"],
          keepTags: [{ patterns: ["none"] }],
          immutableTags: ["v*"],
          protect: [
            { tags: ["prod-*"], reason: "in production" },
            { digests: [`sha256:${"b".repeat(64)}`] },
          ],
        },
      ]),
      [
        tag("v1", { pushed: 9 }),
        tag("prod-1", { pushed: 9 }),
        tag("x", { pushed: 9, digest: `sha256:${"b".repeat(64)}` }),
        tag("y", { pushed: 9 }),
      ],
      ["v1", "prod-1", "x"],
    ],
    [
      "expiresByLabel counts from the push of the tag",
      rulesOf([{ repositories: ["**"], expiresByLabel: true }]),
      [
        tag("a", { pushed: 2, expiresAfterMs: 2 * day }),
        tag("b", { pushed: 2, expiresAfterMs: 2 * day + 1 }),
        tag("c", { pushed: 9 }),
      ],
      ["b", "c"],
    ],
    [
      "a label is not honoured unless the policy says so",
      keeping({}),
      [tag("a", { pushed: 2, expiresAfterMs: 1 })],
      ["a"],
    ],
    [
      "minimum stands above the label",
      rulesOf([{ repositories: ["**"], expiresByLabel: true, keepTags: [{ minimum: 1 }] }]),
      [tag("a", { pushed: 2, expiresAfterMs: day }), tag("b", { pushed: 3, expiresAfterMs: day })],
      ["a"],
    ],
    [
      "maxDeletePercent: more at once, and nothing goes",
      rulesOf([
        { repositories: ["**"], keepTags: [{ patterns: ["0.0.1"] }], maxDeletePercent: 87 },
      ]),
      F,
      allOfF,
    ],
    [
      "maxDeletePercent: no more than that may go",
      rulesOf([
        { repositories: ["**"], keepTags: [{ patterns: ["0.0.1"] }], maxDeletePercent: 88 },
      ]),
      F,
      ofF(1),
    ],
  ];

  test.each(rows)("%s", (_row, rules, tags, stay) => {
    expect(kept(tags, rules)).toEqual(stay);
  });

  test("of untagged manifests: minimum, expiresAfter and all", () => {
    const rows2 = [
      untagged("a", { pushed: 1 }),
      untagged("b", { pushed: 5 }),
      untagged("c", { pushed: 9, pulled: 1 }),
    ];
    const stay = (keepUntagged: object): string[] =>
      untaggedKept(rows2, rulesOf([{ repositories: ["**"], keepUntagged }]));
    expect(stay({ minimum: 2 })).toEqual(["a", "b"]);
    expect(stay({ expiresAfter: d(6) })).toEqual(["a", "b"]);
    expect(stay({ mostRecentlyActiveCount: 2, pushedWithin: d(6), all: true })).toEqual(["a", "b"]);
    expect(stay({ pulledOrPushedWithin: d(2) })).toEqual(["a", "c"]);
  });

  test("a protected manifest stays without a name", () => {
    const digest = `sha256:${"b".repeat(64)}`;
    const protect = [{ digests: [digest], reason: "evidence" }];
    const rows2 = [untagged(digest, { pushed: 90 }), untagged("a", { pushed: 90 })];
    expect(untaggedKept(rows2, rulesOf([{ repositories: ["**"], protect }]))).toEqual([digest]);
  });
});

describe("reasons and times", () => {
  function verdictOf(one: TagFacts, rules: RetentionRules, others: TagFacts[] = []) {
    const tags = [one, ...others];
    return decideTags({ repository: "retention", tags, subjects }, rules, now).get(one)!;
  }

  test.each([
    ["none", rulesOf([]), "keep", "no rules for tags"],
    ["patterns", keeping({ patterns: ["b"] }), "delete", "didn't meet any tag 'patterns' rules"],
    [
      "rules",
      keeping({ pushedWithin: d(2), pulledWithin: d(1) }),
      "delete",
      "didn't meet any tag retention rule",
    ],
    ["rules", keeping({ pushedWithin: d(9) }), "keep", "retained by pushedWithin:216h policy"],
    ["rules", keeping({ patterns: ["a"] }), "keep", "retained by patterns policy"],
  ] as const)("step %s", (step, rules, decision, reason) => {
    expect(verdictOf(tag("a", { pushed: 5 }), rules)).toMatchObject({ step, decision, reason });
  });

  test("the entry and each rule with its value are told", () => {
    const rules = keeping({ patterns: ["^v"] }, { pushedWithin: d(9), mostRecentlyPushedCount: 1 });
    const { entry, rules: results } = verdictOf(tag("a", { pushed: 5 }), rules, [
      tag("b", { pushed: 1 }),
    ]);
    expect(entry).toBe(1);
    expect(results).toEqual([
      { says: "mostRecentlyPushedCount:1", holds: false },
      { says: "pushedWithin:216h", holds: true },
    ]);
  });

  test("when time alone may change a decision", () => {
    const one = tag("a", { pushed: 5, pulled: 1 });
    const until = (rules: RetentionRules, more: Partial<TagFacts> = {}): number | null => {
      const at = verdictOf({ ...one, ...more }, rules).lookAgainAt;
      return at === null ? null : (at - now) / day;
    };
    expect(until(keeping({ pushedWithin: d(9) }))).toBe(4);
    expect(until(keeping({ pushedWithin: d(9), pulledWithin: d(9) }))).toBe(8);
    expect(until(keeping({ pushedWithin: d(9), pulledWithin: d(9), all: true }))).toBe(4);
    expect(until(keeping({ pushedWithin: d(9), mostRecentlyPushedCount: 1 }))).toBe(null);
    expect(until(keeping({ mostRecentlyPushedCount: 1, expiresAfter: d(7) }))).toBe(2);
    expect(until(keeping({}))).toBe(null);
    expect(until(keeping({}), { pinnedUntil: now + day })).toBe(1);
    const byLabel = rulesOf([{ repositories: ["**"], expiresByLabel: true }]);
    expect(until(byLabel, { expiresAfterMs: 6 * day })).toBe(1);
  });

  test("at the time that it names the decision is another one, and just before it is the same", () => {
    const times = fc.integer({ min: 0, max: 20 }).map((days) => now - days * day);
    const facts = fc.array(fc.record({ pushedAt: times, pulledAt: fc.option(times) }), {
      minLength: 1,
      maxLength: 6,
    });
    const window = fc.option(fc.integer({ min: 1, max: 30 }).map(d), { nil: undefined });
    const entry = fc.record({
      pushedWithin: window,
      pulledWithin: window,
      expiresAfter: window,
      all: fc.boolean(),
    });
    fc.assert(
      fc.property(facts, entry, (rows, keepTags) => {
        const tags = rows.map((row, index) => ({ ...tag(`t${index}`, { pushed: 0 }), ...row }));
        const rules = keeping(JSON.parse(JSON.stringify(keepTags)));
        const at = (time: number, one: TagFacts) =>
          decideTags({ repository: "retention", tags, subjects }, rules, time).get(one)!;
        for (const one of tags) {
          const { decision, lookAgainAt } = at(now, one);
          if (decision === "delete" || lookAgainAt === null) continue;
          expect(at(lookAgainAt - 1, one).decision).toBe("keep");
          expect(at(lookAgainAt, one).decision).toBe("delete");
        }
      }),
    );
  });
});
