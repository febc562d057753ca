/**
 * What becomes of a candidate, from its facts and the rules. The commit of what goes proves the facts again.
 */
import {
  collection,
  followingTagsMax,
  type Candidate,
  type ManifestFacts,
} from "../../metadata/collection.ts";
import type { Commit } from "../../metadata/metadata.ts";
import { parseDigest } from "../../oci/digest.ts";
import { subjectOfTag } from "../../oci/referrers.ts";
import type { Registry } from "../registry.ts";
import { decideUntagged, type Verdict } from "../retention/decide.ts";
import { rulesOf, type RetentionRules } from "../retention/rules.ts";
import { giveUpBlob, giveUpManifest, giveUpRepository } from "./give_up.ts";
import { hasLooseFiles } from "./loose_files.ts";
import { wantedReason, wantedUntil } from "./wanted_until.ts";

export type Decision =
  /** Something names it. It is no candidate any more, or again one to look at where `until` is not null. */
  | { readonly kind: "named"; readonly until: number | null }
  /** Somebody else is at work on it. */
  | { readonly kind: "waits"; readonly until: number }
  /** A rule keeps it; `until` is null where only another rule would let it go. */
  | { readonly kind: "kept"; readonly until: number | null; readonly reason: string }
  | {
      readonly kind: "collected";
      readonly reason: string;
      readonly commit: Commit;
      readonly sizeBytes: number;
      /** Rows that the commit writes, about. */
      readonly steps: number;
      /** Of a repository: the stamp of the index.json that goes with it. */
      readonly stamp?: string | null;
    };

export interface Deciding {
  readonly registry: Registry;
  readonly rules: RetentionRules;
  readonly now: number;
  /** Of the repository's index.json. */
  readonly stamp: string | null;
  /** What the rules say of the untagged manifests of a repository where they are compared with each other. */
  readonly comparedIn: (repository: string) => Promise<ReadonlyMap<string, Verdict> | null>;
}

const named: Decision = { kind: "named", until: null };
/** How long a sweep may take. */
const sweptMs = 2_000;
/** Files that nothing names go with a weekly walk, or an operator removes them. */
const looseMs = 60 * 60_000;
/** Rows of a candidate, an orphan and a link. */
const stepsOfBlob = 4;
/** Rows of a manifest and its history, and of each digest that it names. */
const stepsOfManifest = 12;
const stepsOfReference = 4;

export function decideCandidate(deciding: Deciding, candidate: Candidate): Promise<Decision> {
  return deciders[candidate.kind](deciding, candidate);
}

type Decider = (deciding: Deciding, candidate: Candidate) => Promise<Decision>;

const deciders: Readonly<Record<Candidate["kind"], Decider>> = {
  blob: async ({ registry, now }, candidate) => {
    const { repository, digest } = candidate;
    const { sizeBytes, parent, pinnedUntil } = await registry.metadata
      .records(collection)
      .blob(repository, digest);
    if (sizeBytes === null || parent !== null) return named;
    const pinned = whilePinned(pinnedUntil, now);
    if (pinned !== null) return pinned;
    return {
      kind: "collected",
      reason: "no manifest names it",
      commit: giveUpBlob(registry, candidate),
      sizeBytes,
      steps: stepsOfBlob,
    };
  },
  manifest: async (deciding, candidate) => {
    const { repository, digest } = candidate;
    const reads = deciding.registry.metadata.records(collection);
    const facts = await reads.manifest(repository, digest, followingTagsMax);
    const { sizeBytes, references } = facts;
    if (sizeBytes === null) return named;
    if (await isNamed(deciding, repository, facts)) return namedNow(deciding, candidate);
    const pinned = whilePinned(facts.pinnedUntil, deciding.now);
    if (pinned !== null) return pinned;
    const wanted = await wantedUntil(deciding.registry, candidate);
    if (wanted !== null && wanted > deciding.now) {
      return { kind: "kept", until: wanted, reason: wantedReason };
    }
    const verdict = await verdictOf(deciding, candidate, facts);
    if (verdict.decision === "keep") {
      return { kind: "kept", until: verdict.lookAgainAt, reason: verdict.reason };
    }
    return {
      kind: "collected",
      reason: verdict.reason,
      commit: giveUpManifest(deciding.registry, candidate, { ...facts, isCached: wanted !== null }),
      sizeBytes,
      steps: stepsOfManifest + references * stepsOfReference,
    };
  },
  repository: async ({ registry, now, stamp }, candidate) => {
    const { repository } = candidate;
    const holds = await registry.metadata.records(collection).holds(repository);
    if (holds === "content") return named;
    // Its last bytes are removed first.
    if (holds === "orphans") return { kind: "waits", until: now + sweptMs };
    if (await hasLooseFiles(registry, repository)) {
      return { kind: "kept", until: now + looseMs, reason: "files that nothing names lie in it" };
    }
    return {
      kind: "collected",
      reason: "it holds nothing",
      commit: giveUpRepository(candidate),
      sizeBytes: 0,
      steps: stepsOfManifest,
      stamp,
    };
  },
};

function whilePinned(pinnedUntil: number | null, now: number): Decision | null {
  if (pinnedUntil === null || pinnedUntil <= now) return null;
  return { kind: "kept", until: pinnedUntil, reason: "brought back by an undo" };
}

/** What names it may have waited for longer: the time for an undo runs since it lost its own name, which is not forgotten. */
function namedNow({ registry, now }: Deciding, { since }: Candidate): Decision {
  const until = since + registry.undo().windowMs;
  return until > now ? { kind: "named", until } : named;
}

/** By a tag of its own, an index, or a subject that is here. */
async function isNamed(
  { registry }: Deciding,
  repository: string,
  facts: ManifestFacts,
): Promise<boolean> {
  const { parent, tags, isSubjectHere } = facts;
  if (parent !== null || isSubjectHere || tags.length >= followingTagsMax) return true;
  for (const tag of tags) {
    const subject = parseDigest(subjectOfTag(tag) ?? "");
    if (subject === null) return true;
    const here = await registry.metadata.records(collection).manifest(repository, subject, 0);
    if (here.sizeBytes !== null) return true;
  }
  return false;
}

async function verdictOf(
  { rules, now, comparedIn }: Deciding,
  { repository, digest, since }: Candidate,
  { subject, tags, pushedAt }: ManifestFacts,
): Promise<Verdict> {
  const follows = subject !== null || tags.length > 0;
  const compared = follows ? null : (await comparedIn(repository))?.get(digest);
  if (compared !== null && compared !== undefined) return compared;
  const facts = {
    digest,
    since,
    pushedAt: pushedAt ?? since,
    pulledAt: null,
    subject: follows ? ({ isHere: false, goneSince: since } as const) : null,
  };
  // That it has waited for long enough was seen by its place in the line, which knows of jumps of the clock.
  const waited = { ...rulesOf(rules, repository), delayMs: 0 };
  const verdict = decideUntagged(repository, [facts], { rules: waited, now }).get(facts);
  if (verdict === undefined) throw new Error(`collection: no verdict about ${digest}`);
  return verdict;
}
