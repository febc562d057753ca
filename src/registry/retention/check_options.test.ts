// What a person is warned of in rules that are read without a problem.

import { describe, expect, test } from "bun:test";
import { PatternsOnTags, retentionWarnings } from "./check_options.ts";
import { retentionOptions } from "./options.ts";

function valuesOf(policies: unknown) {
  return { dryRun: false, delay: null, policies: retentionOptions.policies.type.parse(policies) };
}

const place = "storage.retention.policies";
const all = { repositories: ["**"] };
const rows: readonly [what: string, policies: object[], warnings: string[]][] = [
  ["rules of zot", [{ ...all, keepTags: [{ patterns: ["v.*"] }, { pushedWithin: "24h" }] }], []],
  ["an entry for all tags at the end", [{ ...all, keepTags: [{ patterns: ["v"] }, {}] }], []],
  [
    "a first entry that takes every tag",
    [{ ...all, keepTags: [{ patterns: [".*"], pushedWithin: "1h" }, { patterns: ["v"] }] }],
    [
      `${place}[0].keepTags[1]: keepTags[0] fits every tag first; this entry and those behind it never apply`,
    ],
  ],
  [
    "a policy that an earlier one leaves nothing",
    [all, { repositories: ["team/**"] }],
    [`${place}[1].repositories: an earlier policy fits all of it first; this one never applies`],
  ],
  [
    "a policy without repositories",
    [{}],
    [`${place}[0].repositories: expected globs, got none; the policy fits no repository`],
  ],
  [
    "a count of 0",
    [{ ...all, keepTags: [{ mostRecentlyPushedCount: 0 }] }],
    [
      `${place}[0].keepTags[0].mostRecentlyPushedCount: 0 is no rule, as in zot: it keeps nothing and removes nothing`,
    ],
  ],
  [
    "keepUntagged beside deleteUntagged: false",
    [{ ...all, deleteUntagged: false, keepUntagged: { pushedWithin: "1h" } }],
    [`${place}[0].keepUntagged: has no effect while deleteUntagged is false`],
  ],
  [
    "windows that contradict each other",
    [{ ...all, keepTags: [{ pushedWithin: "48h", expiresAfter: "24h" }] }],
    [
      `${place}[0].keepTags[0].pushedWithin: expiresAfter is not longer; what is older goes all the same`,
      `${place}[0]: zot (Go) does not know expiresAfter`,
    ],
  ],
  [
    "all and minimum that change nothing",
    [{ ...all, keepTags: [{ all: true, minimum: 2 }] }],
    [
      `${place}[0].keepTags[0].all: has no effect with fewer than two rules`,
      `${place}[0].keepTags[0].minimum: has no effect without a rule: every tag stays`,
      `${place}[0]: zot (Go) does not know all, minimum`,
    ],
  ],
  [
    "every addition is named",
    [
      {
        ...all,
        keepTags: [
          {
            patterns: ["v"],
            excludePatterns: ["x"],
            anchored: true,
            groupBy: "(v)",
            semver: { keepMinor: 1 },
            mostRecentlyActiveCount: 1,
            pulledOrPushedWithin: "1h",
          },
        ],
        immutableTags: ["v*"],
        protect: [{ tags: ["p"] }],
        expiresByLabel: true,
        maxDeletePercent: 50,
        pulledBy: { ignore: ["trivy*"] },
      },
    ],
    [
      `${place}[0]: zot (Go) does not know mostRecentlyActiveCount, pulledOrPushedWithin, excludePatterns, anchored, ` +
        "groupBy, semver, immutableTags, protect, expiresByLabel, maxDeletePercent, pulledBy",
    ],
  ],
];

test.each(rows)("%s", (_what, policies, warnings) => {
  expect(retentionWarnings(valuesOf(policies))).toEqual(warnings);
});

describe("patterns on the tags that are there", () => {
  const tags = ["0.0.1", "10.0.15", "a0.0.1"];
  const warningsFor = (entry: object): string[] => {
    const seen = new PatternsOnTags(valuesOf([{ ...all, keepTags: [entry] }]), "storage.retention");
    for (const tag of tags) seen.see({ policy: 0, repository: "team/app", tag });
    return seen.warnings();
  };

  test("those that fit more than whole tags are told, with an example", () => {
    expect(warningsFor({ patterns: ["0.0.1"] })).toEqual([
      `${place}[0].keepTags[0].patterns: they fit anywhere in a tag, and so fit 2 tags that they do not fit whole, ` +
        "such as team/app:10.0.15; write ^ and $, or anchored: true",
    ]);
  });

  test.each([
    { patterns: ["0.0.1"], anchored: true },
    { patterns: ["^0"] },
    { patterns: [".*"] },
    {},
  ])("%j", (entry) => {
    const isLoose = "patterns" in entry && entry.patterns[0] === "^0";
    expect(warningsFor(entry)).toHaveLength(isLoose ? 1 : 0);
  });
});
