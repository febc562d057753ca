/**
 * Undoes a whole mishap: everything that one caller, or anybody, did to tags since a moment, in one commit.
 *
 * The plan says for each tag where it goes back to, and why some cannot: somebody else moved it since, or what it pointed
 * at was collected. Carrying out a plan has the condition that each tag is as the plan saw it.
 */
import { setImmediate } from "node:timers/promises";
import type { FeedRecord, JointCommit, Precondition } from "../../metadata/metadata.ts";
import { parseDigest, type Digest } from "../../oci/digest.ts";
import { apiError } from "../../oci/errors.ts";
import type { Registry } from "../registry.ts";
import type { TagRules } from "../tag_rule.ts";
import {
  originRecords,
  pinEnd,
  restoreChanges,
  tagChanges,
  tagPreconditions,
  type Restored,
} from "./restore.ts";

export interface MishapRequest {
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** Only what this caller did; null for everybody. */
  readonly by: string | null;
  /** Only repositories whose names begin so. */
  readonly prefix: string;
  readonly mayRead: (repository: string) => boolean;
}

/** One step of a plan. */
export interface UndoStep {
  readonly repository: string;
  /** Null for a manifest that had no tag. */
  readonly tag: string | null;
  /** What the tag points at now; null for nothing. */
  readonly from: Digest | null;
  /** What it points at afterwards; null removes it. */
  readonly to: Digest | null;
}

export interface PlannedStep extends UndoStep {
  /** Of the last change that the step undoes, in milliseconds since the epoch. */
  readonly at: number;
  readonly by: string | null;
  /** Why it cannot be undone; null when it can. */
  readonly problem: string | null;
}

/** Records of history that a plan looks at. */
const recordsMax = 100_000;
/** Records that are read in one turn. */
const pageMax = 500;
/** Steps that are judged in one turn. */
const judgedAtOnce = 100;
/** Steps of one plan: they are one commit. */
export const stepsMax = 10_000;

/** @throws PARAMETER_INVALID when more happened since then than a plan looks at. */
export async function planUndo(
  registry: Registry,
  request: MishapRequest,
): Promise<readonly PlannedStep[]> {
  const changed = await changesSince(registry, request);
  const steps: PlannedStep[] = [];
  for (const records of changed.values()) {
    const step = stepOf(records, request);
    if (step === null) continue;
    if (steps.length >= stepsMax) throw tooMuch(`more than ${stepsMax} tags changed`);
    steps.push(await judged(registry, step));
    if (steps.length % judgedAtOnce === 0) await setImmediate();
  }
  return steps;
}

/** The records since then of each tag, and of each manifest that was removed, oldest first. */
async function changesSince(
  { metadata }: Registry,
  { since, prefix, mayRead }: MishapRequest,
): Promise<ReadonlyMap<string, FeedRecord[]>> {
  const changed = new Map<string, FeedRecord[]>();
  let after = await metadata.past.lastBefore(since);
  let count = 0;
  for (;;) {
    const page = await metadata.feed(after, pageMax);
    for (const record of page) {
      const { repository, tag, digest, previous } = record;
      // A push without a tag is no change of what anybody pulls.
      if (tag === null && digest !== null) continue;
      if (!repository.startsWith(prefix) || !mayRead(repository)) continue;
      const key = `${repository} ${tag ?? `@${previous}`}`;
      const records = changed.get(key);
      if (records === undefined) changed.set(key, [record]);
      else records.push(record);
    }
    count += page.length;
    if (count > recordsMax) throw tooMuch(`more than ${recordsMax} changes were made`);
    const last = page.at(-1);
    if (last === undefined || page.length < pageMax) return changed;
    after = last.sequence;
    await setImmediate();
  }
}

function tooMuch(what: string): Error {
  return apiError("PARAMETER_INVALID", {
    message: `Expected a shorter time, or a prefix of repositories: ${what} since then`,
  });
}

/** What undoes the last changes of one tag, as far as they are those of the caller; null when none are. */
function stepOf(records: readonly FeedRecord[], { by }: MishapRequest): PlannedStep | null {
  const isMeant = (record: FeedRecord): boolean => by === null || record.by === by;
  const last = records.at(-1);
  const lastMeant = records.findLast(isMeant);
  if (last === undefined || lastMeant === undefined) return null;
  const run = records.slice(records.findLastIndex((record) => !isMeant(record)) + 1);
  const [first = lastMeant] = run;
  const step = {
    repository: last.repository,
    tag: last.tag,
    from: digestOf(last.tag === null ? null : last.digest),
    to: digestOf(first.previous),
    at: lastMeant.at,
    by: lastMeant.by,
  };
  if (!isMeant(last)) {
    return { ...step, problem: `moved since by ${last.by ?? "an anonymous caller"}` };
  }
  return last.tag !== null && step.from === step.to ? null : { ...step, problem: null };
}

function digestOf(text: string | null): Digest | null {
  return text === null ? null : parseDigest(text);
}

/** Whether the content of a step can be had. */
async function judged(registry: Registry, step: PlannedStep): Promise<PlannedStep> {
  const { repository, to, problem } = step;
  if (problem !== null || to === null) return step;
  const failed = await registry.metadata.check(repository, [
    { kind: "restorable", digest: to, as: "manifest" },
  ]);
  return failed.length === 0 ? step : { ...step, problem: "its content was collected" };
}

export interface UndoRequest {
  readonly steps: readonly UndoStep[];
  readonly rulesOf: (step: UndoStep) => TagRules;
  readonly by: string | null;
}

/** Carries out steps: all of them, or none. @throws PRECONDITION_FAILED with the first that does not hold any more. */
export async function applyUndo(registry: Registry, request: UndoRequest): Promise<Restored> {
  const { steps, rulesOf, by } = request;
  const pinnedUntil = pinEnd(registry);
  const byRepository = Map.groupBy(steps, ({ repository }) => repository);
  const commit: JointCommit = {
    parts: [...byRepository].map(([repository, own]) => ({
      repository,
      preconditions: own.flatMap((step) => preconditionsOf(registry, step, rulesOf(step))),
      changes: own.flatMap(({ tag, to }) =>
        tag === null
          ? to === null
            ? []
            : restoreChanges(to, pinnedUntil)
          : tagChanges(tag, to, pinnedUntil),
      ),
      by,
      records: own.flatMap(({ tag, to }) =>
        originRecords(registry, { repository, tag, digest: to }),
      ),
    })),
  };
  const outcome = await registry.metadata.commit(commit);
  if (outcome.committed) return { pinnedUntil };
  const [failed] = outcome.failed;
  const precondition = failed?.precondition;
  const what =
    precondition !== undefined && "tag" in precondition
      ? `the tag ${precondition.tag} is`
      : "content is";
  throw apiError("PRECONDITION_FAILED", {
    message: `Nothing was undone: ${what} not as the plan saw it in ${failed?.repository}; make a new plan`,
    detail: { repository: failed?.repository, precondition, found: failed?.found },
  });
}

function preconditionsOf(
  registry: Registry,
  { repository, tag, from, to }: UndoStep,
  tagRules: TagRules,
): Precondition[] {
  if (tag !== null) {
    return tagPreconditions(registry, { repository, tag, digest: to, expect: from, tagRules });
  }
  return to === null ? [] : [{ kind: "restorable", digest: to, as: "manifest" }];
}
