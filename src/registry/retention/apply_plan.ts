/** Carries out lines of a plan, each only while what it says still holds and the rules still say the same. */
import { collection } from "../../metadata/collection.ts";
import { parseDigest } from "../../oci/digest.ts";
import { collectionDueUntil } from "../collection/collection_clock.ts";
import { Compared } from "../collection/compared.ts";
import { decideCandidate } from "../collection/decide_candidate.ts";
import { mustBeRead, mustWait } from "../collection/must_wait.ts";
import type { Registry } from "../registry.ts";
import { evaluationOf, type Evaluation } from "./evaluate.ts";
import { readFacts } from "./facts.ts";
import type { PlanLine } from "./plan.ts";
import { removeTags } from "./remove_tags.ts";
import { rulesOf } from "./rules.ts";

/** A line of a plan, as far as it says what to remove. */
export type PlannedRemoval =
  | Pick<Extract<PlanLine, { kind: "tag" }>, "kind" | "repository" | "tag" | "digest">
  | Pick<
      Extract<PlanLine, { kind: "manifest" | "blob" }>,
      "kind" | "repository" | "digest" | "since"
    >;

export interface Applied {
  readonly removed: number;
  readonly skipped: readonly { readonly line: PlannedRemoval; readonly reason: string }[];
}

export interface Applying {
  /** Who asked for it, for history. */
  readonly by: string;
  /** Why the caller may not remove it; null when it may. */
  readonly forbids: (line: PlannedRemoval) => string | null;
}

export async function applyPlan(
  registry: Registry,
  lines: readonly PlannedRemoval[],
  applying: Applying,
): Promise<Applied> {
  const skipped: { line: PlannedRemoval; reason: string }[] = [];
  const allowed = lines.filter((line) => {
    const reason = applying.forbids(line);
    if (reason !== null) skipped.push({ line, reason });
    return reason === null;
  });
  const tags = allowed.filter((line) => line.kind === "tag");
  const others = allowed.filter((line) => line.kind !== "tag");
  for (const [repository, group] of Map.groupBy(tags, (line) => line.repository)) {
    skipped.push(...(await applyTags(registry, repository, group, applying.by)));
  }
  for (const line of others) {
    const reason = await applyCandidate(registry, line);
    if (reason !== null) skipped.push({ line, reason });
  }
  return { removed: lines.length - skipped.length, skipped };
}

type TagLine = Extract<PlannedRemoval, { kind: "tag" }>;

async function applyTags(
  registry: Registry,
  repository: string,
  lines: readonly TagLine[],
  by: string,
): Promise<{ line: TagLine; reason: string }[]> {
  const { metadata, retention: rules, clock } = registry;
  if (await mustBeRead(registry, repository)) {
    return lines.map((line) => ({ line, reason: "its layout is to be read in first" }));
  }
  const facts = await readFacts(metadata, repository);
  const evaluation = facts === null ? null : evaluationOf(facts, rules, clock.now());
  const digests = new Map(facts?.tags.map(({ tag, digest }) => [tag, digest]));
  const skipped: { line: TagLine; reason: string }[] = [];
  const removals = lines.filter((line) => {
    const reason = whyTagStays(line, digests.get(line.tag) ?? null, evaluation);
    if (reason !== null) skipped.push({ line, reason });
    return reason === null;
  });
  const { signal } = new AbortController();
  const moved = new Set(await removeTags(registry, repository, removals, { by, signal }));
  for (const line of removals) {
    if (moved.has(line.tag)) skipped.push({ line, reason: "the tag moved meanwhile" });
  }
  return skipped;
}

function whyTagStays(
  { tag, digest }: TagLine,
  pointsAt: string | null,
  evaluation: Evaluation | null,
): string | null {
  if (pointsAt === null) return "the tag is gone";
  if (pointsAt !== digest) return `the tag points at ${pointsAt} now`;
  if (evaluation?.deleted.some((each) => each.tag === tag) === true) return null;
  const kept = evaluation?.kept.find((each) => each.tag === tag);
  return `the rules keep it now: ${kept?.reason ?? "see zot retention explain"}`;
}

async function applyCandidate(
  registry: Registry,
  line: Exclude<PlannedRemoval, TagLine>,
): Promise<string | null> {
  const { metadata, retention: rules, clock } = registry;
  const { repository, kind } = line;
  const digest = parseDigest(line.digest);
  if (digest === null) return "it has no digest that is known here";
  const found = await metadata.records(collection).candidate(repository, digest, kind);
  if (found === null) return "something names it, or it is gone";
  if (found.since !== line.since) return "something named it meanwhile";
  const now = clock.now();
  const compared = new Compared(registry);
  const comparedIn = (name: string) => compared.verdictsIn(name, { rules, now });
  const reason = kind === "blob" ? "unnamed" : "untagged";
  const candidate = { repository, digest, kind, ...found, reason } as const;
  const own = rulesOf(rules, repository);
  const delayMs = kind === "blob" ? own.gcDelayMs : own.delayMs;
  if (found.since > (await collectionDueUntil(registry, delayMs)))
    return "it has not waited for long enough";
  const waits = await mustWait(registry, candidate, { delayMs, indexes: new Map() });
  if (waits !== null) return "its layout is to be read in first, or its file is young";
  const deciding = { registry, rules, now, stamp: null, comparedIn };
  const decision = await decideCandidate(deciding, candidate);
  if (decision.kind === "kept") return `the rules keep it now: ${decision.reason}`;
  if (decision.kind !== "collected") return "something names it, or is at work on it";
  const { committed } = await metadata.commit(decision.commit);
  return committed ? null : "something named it meanwhile";
}
