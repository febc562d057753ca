/** What retention decides about the tags of one repository now. Large repositories are work for another process. */
import { setImmediate } from "node:timers/promises";
import type { HeavyRunner, HeavyWork } from "../../jobs/heavy_work.ts";
import {
  decideTags,
  decidingTags,
  type RepositoryFacts,
  type TagFacts,
  type Verdict,
} from "./decide.ts";
import { readFacts } from "./facts.ts";
import { earliest } from "./keep_entry.ts";
import { compileRules, type RetentionRules } from "./rules.ts";
import type { RetentionValues } from "./options.ts";
import type { Registry } from "../registry.ts";

/** Tags that are decided about beside the commits: patterns take some microseconds for each. */
const lightTagsMax = 1_000;
/** Tags that stay of which each is told; of those that go, all are. */
const keptToldMax = 1_000;

/** A tag and what becomes of it. */
export type Decision = Omit<TagFacts, "expiresAfterMs" | "pinnedUntil"> & Verdict;

export interface Evaluation {
  readonly repository: string;
  readonly tags: number;
  /** Tags that no entry fits. */
  readonly unmatched: number;
  readonly deleted: readonly Decision[];
  /** The first of those that stay. */
  readonly kept: readonly Decision[];
  /** When time alone changes something; null for never. */
  readonly lookAt: number | null;
}

export interface Question {
  readonly repository: string;
  readonly values: RetentionValues;
  readonly gcDelayMs: number;
  readonly now: number;
}

export async function evaluate(
  registry: Registry,
  heavy: HeavyRunner<Registry>,
  { question, rules }: { readonly question: Question; readonly rules: RetentionRules },
  signal: AbortSignal,
): Promise<Evaluation> {
  const facts = await readFacts(registry.metadata, question.repository, lightTagsMax);
  if (facts === null) return heavy.run(evaluateLarge, question, signal);
  return evaluationOf(facts, rules, question.now);
}

/** Decides about a repository of many tags. */
export const evaluateLarge: HeavyWork<Registry, Question, Evaluation> = {
  name: "evaluate-retention",
  run: async ({ metadata }, { repository, values, gcDelayMs, now }) => {
    const facts = await readFacts(metadata, repository);
    const tags = facts ?? { repository, tags: [], subjects: new Map() };
    return evaluationOf(tags, compileRules(values, gcDelayMs), now);
  },
};

export function evaluationOf(
  facts: RepositoryFacts,
  rules: RetentionRules,
  now: number,
): Evaluation {
  const all = decisionsOf(facts, rules, now);
  const kept = all.filter(({ decision }) => decision === "keep");
  return {
    repository: facts.repository,
    tags: all.length,
    unmatched: all.filter(({ step }) => step === "patterns").length,
    deleted: all.filter(({ decision }) => decision === "delete"),
    kept: kept.slice(0, keptToldMax),
    lookAt: earliest(...kept.map(({ lookAgainAt }) => lookAgainAt)),
  };
}

/** Every tag and what becomes of it. */
function decisionsOf(facts: RepositoryFacts, rules: RetentionRules, now: number): Decision[] {
  return toldOf(decideTags(facts, rules, now));
}

/** The same, in turns between which others work. */
export async function decisionsInTurns(
  facts: RepositoryFacts,
  rules: RetentionRules,
  now: number,
): Promise<Decision[]> {
  const work = decidingTags(facts, rules, now);
  for (;;) {
    const step = work.next();
    if (step.done === true) return toldOf(step.value);
    await setImmediate();
  }
}

function toldOf(verdicts: ReadonlyMap<TagFacts, Verdict>): Decision[] {
  return [...verdicts].map(([one, verdict]) => ({
    tag: one.tag,
    digest: one.digest,
    pushedAt: one.pushedAt,
    pulledAt: one.pulledAt,
    ...verdict,
  }));
}
