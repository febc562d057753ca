/**
 * The rules of retention, ready to be asked: globs and patterns are read once, and a repository finds its policy.
 */
import { parseCapture, parsePattern } from "../../lib/expression/pattern.ts";
import { formatDuration } from "../../lib/duration.ts";
import { matchesGlob, parseGlob, type Glob } from "../../lib/glob.ts";
import { componentOf } from "../../storage/store_component.ts";
import type { WithStores } from "../store_settings.ts";
import type { KeepRuleValues, KeepTagsValues, PolicyValues, RetentionValues } from "./options.ts";

/** A rule that keeps the first so many, or what is younger than so long. */
export interface KeepRule {
  /** As in the file: `mostRecentlyPushedCount`. */
  readonly name: string;
  /** With its value, for people: `mostRecentlyPushedCount:3`. */
  readonly says: string;
  readonly by: "pushed" | "pulled" | "active" | "minor";
  /** Places, in each group; null for a rule of time. */
  readonly count: number | null;
  readonly withinMs: number | null;
}

/** What is kept of the things of one entry. */
export interface KeepEntry {
  readonly rules: readonly KeepRule[];
  /** Every rule must hold, not any. */
  readonly all: boolean;
  /** So many newest stay whatever else is said. */
  readonly minimum: number;
  readonly expiresAfterMs: number | null;
}

export interface TagEntry extends KeepEntry {
  readonly matches: (tag: string) => boolean;
  /** The group in which a tag is counted. */
  readonly groupOf: (tag: string) => string;
}

export interface Protection {
  readonly tags: (tag: string) => boolean;
  readonly digests: ReadonlySet<string>;
  readonly reason: string;
}

export interface Policy {
  readonly repositories: (name: string) => boolean;
  readonly deleteReferrers: boolean;
  readonly deleteUntagged: boolean;
  /** Empty: every tag stays. */
  readonly keepTags: readonly TagEntry[];
  /** Null: no untagged manifest stays. */
  readonly keepUntagged: KeepEntry | null;
  readonly isImmutable: (tag: string) => boolean;
  readonly hasImmutable: boolean;
  readonly protect: readonly Protection[];
  readonly expiresByLabel: boolean;
  readonly maxDeletePercent: number;
  /** Whether pulls by this user or user agent count for nothing. */
  readonly ignoresPull: (caller: string) => boolean;
}

export interface RetentionRules {
  readonly dryRun: boolean;
  /** From the moment when a manifest lost its last name. */
  readonly delayMs: number;
  /** The same for signatures that are tags, as in zot. */
  readonly gcDelayMs: number;
  readonly policies: readonly Policy[];
  /** Whether any policy has callers whose pulls count for nothing. */
  readonly ignoresPulls: boolean;
  /** Those of stores beside the main one, by the first component of names (`storage.subPaths`). */
  readonly apart: ReadonlyMap<string, RetentionRules>;
}

/** What holds where no policy fits. */
const unruled: Policy = {
  repositories: () => true,
  deleteReferrers: false,
  deleteUntagged: true,
  keepTags: [],
  keepUntagged: null,
  isImmutable: () => false,
  hasImmutable: false,
  protect: [],
  expiresByLabel: false,
  maxDeletePercent: 100,
  ignoresPull: () => false,
};

export function compileRules(values: RetentionValues, gcDelayMs: number): RetentionRules {
  return {
    dryRun: values.dryRun,
    delayMs: values.delay ?? gcDelayMs,
    gcDelayMs,
    policies: values.policies.map(compilePolicy),
    ignoresPulls: values.policies.some(({ pulledBy }) => (pulledBy?.ignore.length ?? 0) > 0),
    apart: new Map(),
  };
}

/** The rules of every store. */
export function compileStores(
  settings: WithStores<{ readonly retention: RetentionValues; readonly gcDelay: number }>,
): RetentionRules {
  const main = compileRules(settings.retention, settings.gcDelay);
  const apart = Object.entries(settings.subPaths ?? {}).map(
    ([key, { retention, gcDelay }]): [string, RetentionRules] => [
      key.slice(1),
      compileRules(retention, gcDelay),
    ],
  );
  const ignoresPulls = [main, ...apart.map(([, rules]) => rules)].some(
    (rules) => rules.ignoresPulls,
  );
  return { ...main, ignoresPulls, apart: new Map(apart) };
}

/** The rules of the store that a repository lies in. */
export function rulesOf(rules: RetentionRules, repository: string): RetentionRules {
  const component = rules.apart.size === 0 ? null : componentOf(repository);
  return (component === null ? undefined : rules.apart.get(component)) ?? rules;
}

/** The rules of the main store, then those of all others. */
export function everyRules(rules: RetentionRules): readonly RetentionRules[] {
  return [rules, ...rules.apart.values()];
}

/** The first policy of its store whose globs fit the repository. */
export function policyOf(rules: RetentionRules, repository: string): Policy {
  const { policies } = rulesOf(rules, repository);
  return policies.find(({ repositories }) => repositories(repository)) ?? unruled;
}

/** Whether a policy removes any tag at all. */
export function mayRemove({ keepTags, expiresByLabel, deleteReferrers }: Policy): boolean {
  return keepTags.length > 0 || expiresByLabel || deleteReferrers;
}

/** Whether a pull may change which tags or manifests stay: places are given by pulls. */
export function ranksPulls({ keepTags, keepUntagged }: Policy): boolean {
  const entries = keepUntagged === null ? keepTags : [...keepTags, keepUntagged];
  return entries.some(({ rules }) =>
    rules.some(({ by, count }) => count !== null && (by === "pulled" || by === "active")),
  );
}

function compilePolicy(values: PolicyValues): Policy {
  const { keepUntagged } = values;
  const untagged = keepUntagged === undefined ? null : compileEntry(keepUntagged);
  return {
    repositories: anyGlob(values.repositories),
    deleteReferrers: values.deleteReferrers,
    deleteUntagged: values.deleteUntagged,
    keepTags: values.keepTags.map(compileTagEntry),
    // `{}` is as if it were absent.
    keepUntagged: untagged !== null && asksForNothing(untagged) ? null : untagged,
    isImmutable: anyGlob(values.immutableTags),
    hasImmutable: values.immutableTags.length > 0,
    protect: values.protect.map(({ tags, digests, reason }) => ({
      tags: anyGlob(tags),
      digests: new Set(digests),
      reason,
    })),
    expiresByLabel: values.expiresByLabel,
    maxDeletePercent: values.maxDeletePercent,
    ignoresPull: anyGlobOfCallers(values.pulledBy?.ignore ?? []),
  };
}

export function compileTagEntry(values: KeepTagsValues): TagEntry {
  const { anchored, groupBy, semver } = values;
  const wanted = anyPattern(values.patterns, anchored);
  const unwanted = anyPattern(values.excludePatterns, anchored);
  const capture = groupBy === undefined ? null : parseCapture(groupBy);
  const entry = compileEntry(values);
  const minor = semver === undefined ? [] : [minorRule(semver.keepMinor)];
  return {
    ...entry,
    rules: [...entry.rules, ...minor],
    matches: (tag) => (values.patterns.length === 0 || wanted(tag)) && !unwanted(tag),
    // Tags that the pattern does not fit are one group of their own.
    groupOf: (tag) => (capture === null ? "" : (capture(tag) ?? "")),
  };
}

function compileEntry(values: KeepRuleValues): KeepEntry {
  const rules: KeepRule[] = [
    ...countRule("mostRecentlyPulledCount", "pulled", values.mostRecentlyPulledCount),
    ...countRule("mostRecentlyPushedCount", "pushed", values.mostRecentlyPushedCount),
    ...countRule("mostRecentlyActiveCount", "active", values.mostRecentlyActiveCount),
    ...timeRule("pulledWithin", "active", values.pulledWithin),
    ...timeRule("pushedWithin", "pushed", values.pushedWithin),
    ...timeRule("pulledOrPushedWithin", "active", values.pulledOrPushedWithin),
  ];
  const { all, minimum, expiresAfter } = values;
  return { rules, all, minimum, expiresAfterMs: expiresAfter ?? null };
}

function asksForNothing({ rules, minimum, expiresAfterMs }: KeepEntry): boolean {
  return rules.length === 0 && minimum === 0 && expiresAfterMs === null;
}

/** A count of 0 is no rule, as in zot. */
function countRule(name: string, by: KeepRule["by"], count = 0): KeepRule[] {
  return count === 0 ? [] : [{ name, says: `${name}:${count}`, by, count, withinMs: null }];
}

function timeRule(name: string, by: KeepRule["by"], withinMs: number | undefined): KeepRule[] {
  if (withinMs === undefined) return [];
  return [{ name, says: `${name}:${formatDuration(withinMs)}`, by, count: null, withinMs }];
}

function minorRule(count: number): KeepRule {
  const says = `semver.keepMinor:${count}`;
  return { name: "semver.keepMinor", says, by: "minor", count, withinMs: null };
}

/** Patterns fit anywhere in a tag, as in zot, unless they are anchored. */
export function anyPattern(
  sources: readonly string[],
  anchored: boolean,
): (text: string) => boolean {
  const patterns = sources.map((source) => parsePattern(anchored ? `^(?:${source})$` : source));
  return (text) => patterns.some((pattern) => pattern.test(text));
}

/** User agents have slashes, which stand for nothing: `trivy*` is also `trivy/0.58`. */
function anyGlobOfCallers(texts: readonly string[]): (caller: string) => boolean {
  const plain = (text: string): string => text.replaceAll("/", " ");
  const fits = anyGlob(texts.map(plain));
  return (caller) => fits(plain(caller));
}

function anyGlob(texts: readonly string[]): (name: string) => boolean {
  const globs = texts.flatMap((text): Glob[] => {
    const parsed = parseGlob(text);
    return "glob" in parsed ? [parsed.glob] : [];
  });
  return (name) => globs.some((glob) => matchesGlob(glob, name));
}
