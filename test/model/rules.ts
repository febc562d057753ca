// Rules of retention that a course changes between, and what each says of tags, in a few lines of its own.

import { retentionOptions, type RetentionValues } from "../../src/registry/retention/options.ts";
import type { Tag } from "./wanted.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

export interface RuleSet {
  readonly says: string;
  readonly gcDelayMs: number;
  readonly delayMs: number;
  readonly deleteUntagged: boolean;
  readonly deleteReferrers: boolean;
  readonly retention: RetentionValues;
  /** Whether a tag stays, by the wall clock; `all` are the tags of the repository. Null where both may be. */
  readonly keeps: (tag: string, own: Tag, all: readonly Tag[], wall: number) => boolean | null;
}

interface Given extends Partial<Pick<RuleSet, "delayMs" | "gcDelayMs" | "keeps">> {
  readonly says: string;
  readonly policy?: Readonly<Record<string, unknown>>;
}

function ruleSet({
  says,
  policy = {},
  keeps = () => true,
  gcDelayMs = hourMs,
  delayMs = hourMs,
}: Given): RuleSet {
  const policies = retentionOptions.policies.type.parse([{ repositories: ["**"], ...policy }]);
  const retention = { dryRun: false, delay: delayMs, policies };
  const { deleteUntagged = true, deleteReferrers = false } = policy as Record<string, boolean>;
  return { says, gcDelayMs, delayMs, deleteUntagged, deleteReferrers, retention, keeps };
}

const isVersion = (tag: string): boolean => tag.startsWith("v");

/** The first is in force at the start, and the last lets all go. */
export const ruleSets: readonly RuleSet[] = [
  ruleSet({ says: "all tags stay" }),
  ruleSet({
    says: "versions stay",
    policy: { keepTags: [{ patterns: ["^v"] }] },
    keeps: isVersion,
  }),
  ruleSet({
    says: "the two newest stay",
    policy: { keepTags: [{ mostRecentlyPushedCount: 2 }] },
    // Of tags that were set in one commit any may count as newer.
    keeps: (_tag, own, all) => {
      if (all.filter(({ setAt }) => setAt >= own.setAt).length <= 2) return true;
      return all.filter(({ setAt }) => setAt > own.setAt).length >= 2 ? false : null;
    },
  }),
  ruleSet({
    says: "versions stay, and what is younger than two hours",
    policy: { keepTags: [{ patterns: ["^v"] }, { pushedWithin: "2h" }] },
    keeps: (tag, { setAt }, _others, wall) => isVersion(tag) || setAt > wall - 2 * hourMs,
  }),
  ruleSet({ says: "untagged manifests stay", policy: { deleteUntagged: false } }),
  ruleSet({ says: "manifests wait for longer than blobs", delayMs: 5 * hourMs }),
  ruleSet({
    says: "blobs wait for longer than manifests",
    gcDelayMs: 4 * hourMs,
    delayMs: 20 * minuteMs,
  }),
  ruleSet({ says: "referrers go", policy: { deleteReferrers: true } }),
];
