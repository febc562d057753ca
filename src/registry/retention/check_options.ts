/**
 * What is unwise in rules of retention: what can never apply, what says nothing, what zot does not know, and patterns
 * that fit more than they seem to. Each is one line that begins with the option's path.
 */
import { parsePattern } from "../../lib/expression/pattern.ts";
import type { KeepRuleValues, KeepTagsValues, PolicyValues, RetentionValues } from "./options.ts";

const counts = [
  "mostRecentlyPushedCount",
  "mostRecentlyPulledCount",
  "mostRecentlyActiveCount",
] as const;
const windows = ["pushedWithin", "pulledWithin", "pulledOrPushedWithin"] as const;

/** Whether a policy removes tags, as its values say. */
export function mayRemoveTags({ keepTags, expiresByLabel }: PolicyValues): boolean {
  return keepTags.length > 0 || expiresByLabel;
}

/** Warnings that the values alone give. */
export function retentionWarnings(
  { policies }: RetentionValues,
  section = "storage.retention",
): string[] {
  const taken = new Set<string>();
  return policies.flatMap((policy, index) => {
    const place = `${section}.policies[${index}]`;
    const unreachable = unreachablePolicy(policy, taken);
    for (const glob of policy.repositories) taken.add(glob);
    const lines = [
      ...(unreachable === null ? [] : [`${place}.repositories: ${unreachable}`]),
      ...entriesOf(policy).flatMap(([name, entry]) => entryWarnings(`${place}.${name}`, entry)),
      ...unreachableEntries(policy, place),
    ];
    const { keepUntagged, deleteUntagged } = policy;
    if (keepUntagged !== undefined && !deleteUntagged) {
      lines.push(`${place}.keepUntagged: has no effect while deleteUntagged is false`);
    }
    const own = additionsOf(policy);
    if (own.length > 0) lines.push(`${place}: zot (Go) does not know ${own.join(", ")}`);
    return lines;
  });
}

function entriesOf({ keepTags, keepUntagged }: PolicyValues): [string, KeepRuleValues][] {
  const tags = keepTags.map((entry, index): [string, KeepRuleValues] => [
    `keepTags[${index}]`,
    entry,
  ]);
  return keepUntagged === undefined ? tags : [...tags, ["keepUntagged", keepUntagged]];
}

function unreachablePolicy({ repositories }: PolicyValues, taken: ReadonlySet<string>) {
  if (repositories.length === 0) return "expected globs, got none; the policy fits no repository";
  const isTaken = taken.has("**") || repositories.every((glob) => taken.has(glob));
  return isTaken ? "an earlier policy fits all of it first; this one never applies" : null;
}

/** A first entry that fits every tag leaves none to those behind it. */
function unreachableEntries({ keepTags }: PolicyValues, place: string): string[] {
  const first = keepTags.findIndex(fitsAll);
  if (first === -1 || first === keepTags.length - 1) return [];
  return [
    `${place}.keepTags[${first + 1}]: keepTags[${first}] fits every tag first; this entry and those behind it never apply`,
  ];
}

function fitsAll({ patterns, excludePatterns }: KeepTagsValues): boolean {
  if (excludePatterns.length > 0) return false;
  return patterns.length === 0 || patterns.some((each) => /^\^?\.[*+]\$?$/.test(each));
}

function entryWarnings(place: string, entry: KeepRuleValues): string[] {
  const lines = counts
    .filter((name) => entry[name] === 0)
    .map(
      (name) => `${place}.${name}: 0 is no rule, as in zot: it keeps nothing and removes nothing`,
    );
  const { expiresAfter, minimum, all } = entry;
  const within = windows.flatMap((name) => {
    const value = entry[name];
    return value === undefined ? [] : [{ name, value }];
  });
  const isRuled = within.length > 0 || counts.some((name) => (entry[name] ?? 0) > 0);
  const longer = within.find(({ value }) => expiresAfter !== undefined && expiresAfter <= value);
  if (longer !== undefined) {
    lines.push(
      `${place}.${longer.name}: expiresAfter is not longer; what is older goes all the same`,
    );
  }
  if (all && within.length + counts.filter((name) => (entry[name] ?? 0) > 0).length < 2) {
    lines.push(`${place}.all: has no effect with fewer than two rules`);
  }
  if (minimum > 0 && !isRuled && expiresAfter === undefined && place.includes("keepTags")) {
    lines.push(`${place}.minimum: has no effect without a rule: every tag stays`);
  }
  return lines;
}

/** Keys of ours that the policy uses: a zot that reads the file refuses it. */
function additionsOf(policy: PolicyValues): string[] {
  const used = new Set<string>();
  const note = (name: string, isUsed: boolean): void => void (isUsed && used.add(name));
  for (const [, entry] of entriesOf(policy)) {
    note("all", entry.all);
    note("minimum", entry.minimum > 0);
    note("expiresAfter", entry.expiresAfter !== undefined);
    note("mostRecentlyActiveCount", entry.mostRecentlyActiveCount !== undefined);
    note("pulledOrPushedWithin", entry.pulledOrPushedWithin !== undefined);
  }
  for (const entry of policy.keepTags) {
    note("excludePatterns", entry.excludePatterns.length > 0);
    note("anchored", entry.anchored);
    note("groupBy", entry.groupBy !== undefined);
    note("semver", entry.semver !== undefined);
  }
  note("immutableTags", policy.immutableTags.length > 0);
  note("protect", policy.protect.length > 0);
  note("expiresByLabel", policy.expiresByLabel);
  note("maxDeletePercent", policy.maxDeletePercent < 100);
  note("pulledBy", policy.pulledBy !== undefined);
  return [...used];
}

/** A tag that is there, and the place of the policy that its repository has. */
export interface ExistingTag {
  readonly policy: number;
  readonly repository: string;
  readonly tag: string;
}

/** Warnings about patterns of entries that fit more of what is there than they would with anchors. */
export class PatternsOnTags {
  readonly #entries: readonly {
    readonly policy: number;
    readonly place: string;
    readonly loose: (tag: string) => boolean;
    readonly whole: (tag: string) => boolean;
  }[];
  readonly #found = new Map<string, { count: number; example: string }>();

  /** `section` is where the rules stand in the file. */
  constructor({ policies }: RetentionValues, section: string) {
    this.#entries = policies.flatMap(({ keepTags }, policy) =>
      keepTags.flatMap(({ patterns, anchored }, entry) => {
        // `.*` says that it fits everything.
        const read = patterns.filter((each) => !/^\^?\.[*+]\$?$/.test(each));
        if (anchored || read.length === 0) return [];
        const loose = read.map((each) => parsePattern(each));
        const whole = read.map((each) => parsePattern(`^(?:${each})$`));
        return [
          {
            policy,
            place: `${section}.policies[${policy}].keepTags[${entry}].patterns`,
            loose: (tag: string) => loose.some((pattern) => pattern.test(tag)),
            whole: (tag: string) => whole.some((pattern) => pattern.test(tag)),
          },
        ];
      }),
    );
  }

  see({ policy, repository, tag }: ExistingTag): void {
    for (const entry of this.#entries) {
      if (entry.policy !== policy || !entry.loose(tag) || entry.whole(tag)) continue;
      const found = this.#found.get(entry.place) ?? { count: 0, example: `${repository}:${tag}` };
      this.#found.set(entry.place, { ...found, count: found.count + 1 });
    }
  }

  warnings(): string[] {
    return [...this.#found].map(
      ([place, { count, example }]) =>
        `${place}: they fit anywhere in a tag, and so fit ${count} tags that they do not fit whole, such as ${example}; ` +
        "write ^ and $, or anchored: true",
    );
  }
}
