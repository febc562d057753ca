// Runs scenarios one after the other and turns what happens into results.
//
// A case passes by returning; how else it can end is in verdict.ts. After every scenario its content
// is removed. A registry that is gone, or a user who stops the run, ends it early with what is known
// so far; cleaning up is still tried. Which scenarios there are is none of its business.
import { ClientError } from "../client/client_error.ts";
import type { TranscriptEntry } from "../client/transcript.ts";
import { type Clock, systemClock } from "../lib/clock.ts";
import type { LeftBehind } from "./ledger.ts";
import type { CaseResult } from "./report.ts";
import { clauses, clauseUrl } from "./specification/clauses.ts";
import type { Case, Scenario, Status } from "./suite.ts";
import { isUnreachable, type Trial } from "./trial.ts";
import { Broken, Skipped, Unsupported, Wrong } from "./verdict.ts";

export interface RunOptions {
  scenarios: readonly Scenario[];
  trial: Trial;
  /** The transcript that the trial's clients write to; the runner empties it for every case. */
  transcript: TranscriptEntry[];
  readOnly: boolean;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number, current: CaseResult) => void;
  clock?: Clock;
}

export interface RunOutcome {
  results: CaseResult[];
  leftBehind: LeftBehind;
  aborted: string | null;
}

const exchangesPerCaseMax = 60;
const unreachableMax = 3;

/** Runs every case in order. Never throws for what a registry does. */
export async function runScenarios(options: RunOptions): Promise<RunOutcome> {
  const { scenarios, trial, transcript } = options;
  const total = scenarios.reduce((sum, scenario) => sum + scenario.cases.length, 0);
  const results: CaseResult[] = [];
  const leftBehind: LeftBehind = { manifests: 0, tags: 0, blobs: 0, uploads: 0 };
  let unreachable = 0;
  let aborted: string | null = null;
  for (const scenario of scenarios) {
    const passed = new Set<string>();
    for (const row of scenario.cases) {
      if (options.signal?.aborted === true) aborted = "Stopped by the user";
      if (aborted !== null) break;
      transcript.length = 0;
      const { result, gone } = await runCase(options, scenario, row, passed);
      if (result.status === "passed") passed.add(row.id);
      results.push(result);
      options.onProgress?.(results.length, total, result);
      unreachable = gone ? unreachable + 1 : 0;
      if (unreachable >= unreachableMax) aborted = `The registry is gone: ${result.message ?? ""}`;
    }
    addUp(leftBehind, await trial.client.ledger.clear(trial.client));
    if (aborted !== null) break;
  }
  return { results, leftBehind, aborted };
}

async function runCase(
  options: RunOptions,
  scenario: Scenario,
  row: Case,
  passed: ReadonlySet<string>,
): Promise<{ result: CaseResult; gone: boolean }> {
  const clock = options.clock ?? systemClock;
  const startMs = clock.monotonicMs();
  const clause = clauses[row.clause];
  let status: Status = "passed";
  let message: string | null = null;
  let gone = false;
  try {
    skipIfHopeless(options, scenario, row, passed);
    await row.run(options.trial);
  } catch (error) {
    status = statusOf(error, row);
    message = error instanceof Error ? error.message : String(error);
    gone = isUnreachable(error);
    if (status === "error" && !(error instanceof ClientError) && error instanceof Error) {
      message = `The suite failed: ${error.stack ?? message}`;
    }
    message = shorten(message);
  }
  const result: CaseResult = {
    id: `${scenario.id}/${row.id}`,
    group: scenario.group,
    scenario: scenario.id,
    title: row.title,
    polarity: row.polarity,
    level: row.level,
    since: row.since,
    clause: {
      name: row.clause,
      source: clause.source,
      section: clause.section,
      sentence: clause.sentence,
      url: clauseUrl(clause),
    },
    status,
    message,
    durationMs: Math.round(clock.monotonicMs() - startMs),
    exchanges: options.transcript.splice(0).slice(0, exchangesPerCaseMax),
  };
  return { result, gone };
}

function skipIfHopeless(
  options: RunOptions,
  scenario: Scenario,
  row: Case,
  passed: ReadonlySet<string>,
): void {
  if (options.readOnly && scenario.access === "write") throw new Skipped("Read-only run");
  const missing = row.after.find((id) => !passed.has(id));
  if (missing !== undefined) throw new Skipped(`Needs "${missing}", which did not pass`);
}

/** An answer that breaks HTTP or never ends is the registry's fault; a registry that is gone is nobody's. */
function statusOf(error: unknown, row: Case): Status {
  if (error instanceof Unsupported) return "unsupported";
  if (error instanceof Skipped) return "skipped";
  if (error instanceof Wrong) return "failed";
  if (error instanceof Broken) return row.level === "must" ? "failed" : "unsupported";
  if (error instanceof ClientError && !isUnreachable(error)) return "failed";
  return "error";
}

/** Digests fill lines and say little; the transcript has them whole. */
function shorten(message: string): string {
  return message.replace(/([0-9a-f]{12})[0-9a-f]{20,}/g, "$1...");
}

function addUp(sum: LeftBehind, more: LeftBehind): void {
  sum.manifests += more.manifests;
  sum.tags += more.tags;
  sum.blobs += more.blobs;
  sum.uploads += more.uploads;
}
