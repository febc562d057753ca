/**
 * One entry of rules over the things that it is about: tags of a group, or untagged manifests.
 *
 * Rules of counts see everything that is not expired, also what other rules keep, as in zot. With `all` they see what
 * the rules of time left. Times are strict: what is exactly as old as a rule allows has gone past it.
 */
import type { KeepEntry, KeepRule } from "./rules.ts";
import { compareVersions, parseTagVersion, type TagVersion } from "./tag_version.ts";

/** What rules look at. */
export interface Aged {
  /** A tag, or a digest; of equals the one that comes first in the alphabet has the better place. */
  readonly name: string;
  readonly pushedAt: number;
  /** Null for never. */
  readonly pulledAt: number | null;
}

/** A rule and whether it keeps something. */
export interface RuleResult {
  readonly says: string;
  readonly holds: boolean;
}

export interface Outcome {
  readonly keep: boolean;
  /** The rule that keeps it; null for none. */
  readonly keptBy: string | null;
  readonly rules: readonly RuleResult[];
  /** When time alone may change it; null for never. */
  readonly lookAgainAt: number | null;
}

export function isExpired({ expiresAfterMs }: KeepEntry, { pushedAt }: Aged, now: number): boolean {
  return expiresAfterMs !== null && pushedAt + expiresAfterMs <= now;
}

/** What becomes of each. None of them may be expired. */
export function applyEntry<T extends Aged>(
  entry: KeepEntry,
  all: readonly T[],
  now: number,
): Map<T, Outcome> {
  const timely = entry.rules.filter(({ withinMs }) => withinMs !== null);
  const left = entry.all
    ? all.filter((one) => timely.every((rule) => untilOf(rule, one) > now))
    : all;
  const kept = new Map<KeepRule, ReadonlySet<Aged>>(
    entry.rules.flatMap((rule) => (rule.count === null ? [] : [[rule, firstOf(rule, left)]])),
  );
  return new Map(all.map((one) => [one, outcomeOf(entry, one, { kept, now })]));
}

/** The newest of all, expired or not. */
export function newestOf<T extends Aged>(all: readonly T[], count: number): ReadonlySet<T> {
  return new Set(all.toSorted(newestFirst("pushed")).slice(0, count));
}

function outcomeOf(
  entry: KeepEntry,
  one: Aged,
  { kept, now }: { kept: ReadonlyMap<KeepRule, ReadonlySet<Aged>>; now: number },
): Outcome {
  const results = entry.rules.map((rule) => {
    const until = rule.withinMs === null ? null : untilOf(rule, one);
    const holds = until === null ? kept.get(rule)?.has(one) === true : until > now;
    return { says: rule.says, holds, until };
  });
  const holding = results.filter(({ holds }) => holds);
  const keep =
    results.length === 0 || (entry.all ? holding.length === results.length : holding.length > 0);
  const expiresAt = entry.expiresAfterMs === null ? null : one.pushedAt + entry.expiresAfterMs;
  return {
    keep,
    keptBy: keep ? (holding[0]?.says ?? null) : null,
    rules: results.map(({ says, holds }) => ({ says, holds })),
    lookAgainAt: keep ? earliest(expiresAt, endOf(entry, holding)) : null,
  };
}

/** When the rules that hold stop to do so by themselves; a count does not. */
function endOf({ all }: KeepEntry, holding: readonly { readonly until: number | null }[]) {
  const ends = holding.map(({ until }) => until);
  const times = ends.filter((until) => until !== null);
  if (times.length === 0 || (!all && times.length < ends.length)) return null;
  return all ? Math.min(...times) : Math.max(...times);
}

export function earliest(...times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/** When a rule of time stops to hold. */
function untilOf({ by, withinMs }: KeepRule, one: Aged): number {
  return timeOf(by, one) + (withinMs ?? 0);
}

function firstOf(rule: KeepRule, all: readonly Aged[]): ReadonlySet<Aged> {
  const count = rule.count ?? 0;
  if (rule.by === "minor") return newestOfMinors(all, count);
  return new Set(all.toSorted(newestFirst(rule.by)).slice(0, count));
}

/** What was never pulled counts as pulled when it was pushed: a new image is not the first to go. */
function timeOf(by: KeepRule["by"], { pushedAt, pulledAt }: Aged): number {
  if (by === "pulled") return pulledAt ?? pushedAt;
  return by === "active" ? Math.max(pulledAt ?? 0, pushedAt) : pushedAt;
}

function newestFirst(by: KeepRule["by"]): (a: Aged, b: Aged) => number {
  return (a, b) => timeOf(by, b) - timeOf(by, a) || (a.name < b.name ? -1 : 1);
}

/** The newest versions of each minor one; what is no version is not among them. */
function newestOfMinors(all: readonly Aged[], count: number): ReadonlySet<Aged> {
  const minors = new Map<string, { one: Aged; version: TagVersion }[]>();
  for (const one of all) {
    const version = parseTagVersion(one.name);
    if (version === null) continue;
    const minor = `${version.major}.${version.minor}`;
    const others = minors.get(minor);
    if (others === undefined) minors.set(minor, [{ one, version }]);
    else others.push({ one, version });
  }
  return new Set(
    [...minors.values()].flatMap((versions) =>
      versions
        .toSorted((a, b) => compareVersions(b.version, a.version))
        .slice(0, count)
        .map(({ one }) => one),
    ),
  );
}
