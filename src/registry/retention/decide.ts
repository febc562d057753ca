/**
 * THE decision: which tags and untagged manifests of a repository stay. It reads nothing and changes nothing, so that
 * explain, plan, dry run and the real run say the same.
 *
 * For a tag the first of these that applies decides: protection and pins, immutable tags, the subject of a signature,
 * the label, the first entry that fits with its rules, the minimum. The guard of the percentage looks at all of them
 * together, last.
 */
import { subjectOfTag } from "../../oci/referrers.ts";
import {
  applyEntry,
  earliest,
  isExpired,
  newestOf,
  type Aged,
  type Outcome,
  type RuleResult,
} from "./keep_entry.ts";
import { policyOf, rulesOf, type Policy, type RetentionRules } from "./rules.ts";

/** What is known of a tag. */
export interface TagFacts extends Omit<Aged, "name"> {
  readonly tag: string;
  readonly digest: string;
  /** When the tag was last set. */
  readonly pushedAt: number;
  /** By its label or annotation, from `pushedAt` on; null for none. */
  readonly expiresAfterMs: number | null;
  /** Brought back by an undo: retention leaves it alone until then. */
  readonly pinnedUntil: number | null;
}

/** Whether a manifest that others are about is there. */
export type Subject =
  | { readonly isHere: true }
  | { readonly isHere: false; readonly goneSince: number };

export interface RepositoryFacts {
  readonly repository: string;
  readonly tags: readonly TagFacts[];
  /** Of digests that names of tags speak of (`sha256-<hex>.sig`); absent for one that was never here. */
  readonly subjects: ReadonlyMap<string, Subject>;
}

/** A manifest that no tag and no index names. */
export interface UntaggedFacts extends Omit<Aged, "name"> {
  readonly digest: string;
  /** When it lost its last name, or was pushed without one. */
  readonly since: number;
  /** Null for one that is about nothing. */
  readonly subject: Subject | null;
}

export type Step =
  | "protect"
  | "pin"
  | "immutable"
  | "subject"
  | "label"
  | "patterns"
  | "rules"
  | "minimum"
  | "percent"
  | "delay"
  | "none";

export interface Verdict {
  readonly decision: "keep" | "delete";
  readonly reason: string;
  /** What decided it. */
  readonly step: Step;
  /** The entry of `keepTags` that fits, from 0 on. */
  readonly entry: number | null;
  readonly rules: readonly RuleResult[];
  /** When time alone may change the decision; null for never. */
  readonly lookAgainAt: number | null;
}

const keep = (step: Step, reason: string, lookAgainAt: number | null = null): Verdict => ({
  decision: "keep",
  reason,
  step,
  entry: null,
  rules: [],
  lookAgainAt,
});
const drop = (step: Step, reason: string): Verdict => ({
  ...keep(step, reason),
  decision: "delete",
});

/** A tag on its way through the steps. */
interface Asked extends Aged {
  readonly facts: TagFacts;
  readonly entry: number | null;
  readonly group: string;
}

/** What becomes of each tag, in the order of the facts. */
export function decideTags(
  facts: RepositoryFacts,
  rules: RetentionRules,
  now: number,
): Map<TagFacts, Verdict> {
  const work = decidingTags(facts, rules, now);
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** Tags that are decided about in one turn: patterns take some microseconds for each. */
const tagsAtOnce = 500;

/** Decides as `decideTags` does, turn by turn, so that whoever drives it can let others work in between. */
export function* decidingTags(
  facts: RepositoryFacts,
  rules: RetentionRules,
  now: number,
): Generator<undefined, Map<TagFacts, Verdict>> {
  const policy = policyOf(rules, facts.repository);
  const asked: Asked[] = [];
  for (const tag of facts.tags) {
    asked.push(askedOf(tag, policy));
    if (asked.length % tagsAtOnce === 0) yield;
  }
  const outcomes = outcomesOf(asked, policy, now);
  yield;
  const verdicts = new Map<TagFacts, Verdict>();
  for (const one of asked) {
    if (verdicts.size % tagsAtOnce === 0) yield;
    const outcome = outcomes.get(one) ?? { minimum: false, rules: null };
    const verdict =
      fixedVerdict(one.facts, policy, now) ??
      subjectVerdict(one.facts, { facts, policy, rules, now }) ??
      entryVerdict(one, outcome, { policy, now });
    verdicts.set(one.facts, { ...verdict, entry: one.entry, rules: outcome.rules?.rules ?? [] });
  }
  return guarded(verdicts, policy);
}

function askedOf(facts: TagFacts, { keepTags }: Policy): Asked {
  const entry = keepTags.findIndex(({ matches }) => matches(facts.tag));
  return {
    name: facts.tag,
    pushedAt: facts.pushedAt,
    pulledAt: facts.pulledAt,
    facts,
    entry: entry === -1 ? null : entry,
    group: keepTags[entry]?.groupOf(facts.tag) ?? "",
  };
}

interface TagOutcome {
  readonly minimum: boolean;
  /** Null for what is expired: no rule looks at it. */
  readonly rules: Outcome | null;
}

/** Rules and minimum of each entry, group by group. */
function outcomesOf(
  asked: readonly Asked[],
  policy: Policy,
  now: number,
): ReadonlyMap<Asked, TagOutcome> {
  const groups = Map.groupBy(asked, ({ entry, group }) => `${entry} ${group}`);
  const outcomes = new Map<Asked, TagOutcome>();
  for (const group of groups.values()) {
    const entry = policy.keepTags[group[0]?.entry ?? -1];
    if (entry === undefined) continue;
    const newest = newestOf(group, entry.minimum);
    const alive = group.filter(
      (one) => !isExpired(entry, one, now) && !hasLabelExpired(one.facts, policy, now),
    );
    const applied = applyEntry(entry, alive, now);
    for (const one of group) {
      outcomes.set(one, { minimum: newest.has(one), rules: applied.get(one) ?? null });
    }
  }
  return outcomes;
}

function labelEndsAt({ expiresAfterMs, pushedAt }: TagFacts, policy: Policy): number | null {
  return policy.expiresByLabel && expiresAfterMs !== null ? pushedAt + expiresAfterMs : null;
}

function hasLabelExpired(facts: TagFacts, policy: Policy, now: number): boolean {
  return (labelEndsAt(facts, policy) ?? Number.POSITIVE_INFINITY) <= now;
}

/** What no rule can change. */
function fixedVerdict(facts: TagFacts, policy: Policy, now: number): Verdict | null {
  const protection = protectionOf(policy, facts);
  if (protection !== null) return keep("protect", protection);
  const { pinnedUntil } = facts;
  if (pinnedUntil !== null && pinnedUntil > now) {
    return keep("pin", "brought back by an undo", pinnedUntil);
  }
  return policy.isImmutable(facts.tag) ? keep("immutable", "immutable tag") : null;
}

/** Why a tag or a digest is protected; null when it is not. */
export function protectionOf(
  { protect }: Policy,
  { tag, digest }: { readonly tag: string | null; readonly digest: string },
): string | null {
  const found = protect.find(
    (each) => each.digests.has(digest) || (tag !== null && each.tags(tag)),
  );
  if (found === undefined) return null;
  return found.reason === "" ? "protected" : `protected: ${found.reason}`;
}

/** Signatures and the like that are tags follow what they are about, whatever patterns say. */
function subjectVerdict(
  { tag, pushedAt }: TagFacts,
  {
    facts,
    policy,
    rules,
    now,
  }: { facts: RepositoryFacts; policy: Policy; rules: RetentionRules; now: number },
): Verdict | null {
  const digest = subjectOfTag(tag);
  if (digest === null) return null;
  const subject = facts.subjects.get(digest) ?? { isHere: false, goneSince: pushedAt };
  return aboutSubject(subject, policy, {
    delayMs: rulesOf(rules, facts.repository).gcDelayMs,
    now,
  });
}

function aboutSubject(
  subject: Subject,
  { deleteReferrers }: Policy,
  { delayMs, now }: { readonly delayMs: number; readonly now: number },
): Verdict {
  if (subject.isHere) return keep("subject", "its subject is here");
  if (!deleteReferrers) return keep("subject", "its subject has gone, and deleteReferrers is off");
  const due = subject.goneSince + delayMs;
  return due > now
    ? keep("delay", "its subject went less than the delay ago", due)
    : drop("subject", "its subject has gone");
}

function entryVerdict(
  { facts, entry }: Asked,
  outcome: TagOutcome,
  { policy, now }: { policy: Policy; now: number },
): Verdict {
  const labelEnds = labelEndsAt(facts, policy);
  const rule = policy.keepTags[entry ?? -1];
  const verdict = expiryOrRules(facts, outcome.rules, { policy, rule, now });
  if (verdict.decision === "delete" && outcome.minimum) {
    return keep("minimum", `retained by minimum:${rule?.minimum ?? 0} policy`);
  }
  if (verdict.decision === "delete") return verdict;
  return { ...verdict, lookAgainAt: earliest(verdict.lookAgainAt, labelEnds) };
}

function expiryOrRules(
  facts: TagFacts,
  outcome: Outcome | null,
  {
    policy,
    rule,
    now,
  }: { policy: Policy; rule: Policy["keepTags"][number] | undefined; now: number },
): Verdict {
  if (hasLabelExpired(facts, policy, now)) return drop("label", "expired by its label");
  if (policy.keepTags.length === 0) return keep("none", "no rules for tags");
  if (rule === undefined) return drop("patterns", "didn't meet any tag 'patterns' rules");
  if (outcome === null) return drop("rules", "older than expiresAfter");
  if (!outcome.keep) return drop("rules", "didn't meet any tag retention rule");
  const by = outcome.keptBy ?? "patterns";
  return keep("rules", `retained by ${by} policy`, outcome.lookAgainAt);
}

/** Keeps all, where more would go at once than the policy allows. */
function guarded(
  verdicts: Map<TagFacts, Verdict>,
  { maxDeletePercent }: Policy,
): Map<TagFacts, Verdict> {
  const gone = [...verdicts.values()].filter(({ decision }) => decision === "delete").length;
  if (gone * 100 <= maxDeletePercent * verdicts.size) return verdicts;
  const says = `held back: ${gone} of ${verdicts.size} tags would go at once, more than maxDeletePercent:${maxDeletePercent}`;
  const held = (verdict: Verdict): Verdict =>
    verdict.decision === "keep"
      ? verdict
      : { ...verdict, decision: "keep", step: "percent", reason: `${says} (${verdict.reason})` };
  return new Map([...verdicts].map(([facts, verdict]) => [facts, held(verdict)]));
}

/** What becomes of each manifest without a name: `untagged` are all of the repository, since counts look at all. */
export function decideUntagged(
  repository: string,
  untagged: readonly UntaggedFacts[],
  { rules, now }: { readonly rules: RetentionRules; readonly now: number },
): Map<UntaggedFacts, Verdict> {
  const policy = policyOf(rules, repository);
  const { keepUntagged } = policy;
  const asked = untagged.map((facts) => ({ ...facts, name: facts.digest, facts }));
  const counted = asked.filter(({ subject }) => subject === null);
  const alive = counted.filter(
    (one) => keepUntagged !== null && !isExpired(keepUntagged, one, now),
  );
  const outcomes = keepUntagged === null ? null : applyEntry(keepUntagged, alive, now);
  const newest = newestOf(counted, keepUntagged?.minimum ?? 0);
  return new Map(
    asked.map((one) => [
      one.facts,
      untaggedVerdict(one.facts, {
        policy,
        outcome: outcomes?.get(one) ?? null,
        isNewest: newest.has(one),
        delayMs: rulesOf(rules, repository).delayMs,
        now,
      }),
    ]),
  );
}

function untaggedVerdict(
  facts: UntaggedFacts,
  known: {
    readonly policy: Policy;
    readonly outcome: Outcome | null;
    readonly isNewest: boolean;
    readonly delayMs: number;
    readonly now: number;
  },
): Verdict {
  const { policy, outcome, delayMs, now } = known;
  const protection = protectionOf(policy, { tag: null, digest: facts.digest });
  if (protection !== null) return keep("protect", protection);
  if (facts.subject !== null) return aboutSubject(facts.subject, policy, { delayMs, now });
  if (!policy.deleteUntagged) return keep("none", "deleteUntagged is off");
  const rules = outcome?.rules ?? [];
  const due = facts.since + delayMs;
  if (due > now) {
    return { ...keep("delay", "lost its last name less than the delay ago", due), rules };
  }
  // Without a rule an entry of tags keeps all that fits it; here, all that is not expired.
  const { minimum = 0, expiresAfterMs = null } = policy.keepUntagged ?? {};
  if (outcome?.keep === true && (rules.length > 0 || expiresAfterMs !== null)) {
    const reason = `retained by ${outcome.keptBy ?? "expiresAfter"} policy`;
    return { ...keep("rules", reason, outcome.lookAgainAt), rules };
  }
  if (known.isNewest) {
    return {
      ...keep("minimum", `retained by minimum:${minimum} policy`),
      rules,
    };
  }
  return { ...drop("rules", "didn't meet any untagged retention rule"), rules };
}
