// The outcome of a run as plain data: what JSON reports hold, and what the other forms are made of.
//
// `docs/compliance/README.md` documents these members; a change here is a change of a published
// format (`formatVersion`).
import type { TranscriptEntry } from "../client/transcript.ts";
import type { LeftBehind } from "./ledger.ts";
import type { GroupName, Level, Polarity, Status, Version } from "./suite.ts";

export const formatVersion = 1;

export interface CaseResult {
  /** `<scenario>/<case>`. */
  id: string;
  group: GroupName;
  scenario: string;
  title: string;
  polarity: Polarity;
  level: Level;
  since: Version;
  clause: { name: string; source: string; section: string; sentence: string; url: string | null };
  status: Status;
  /** Why it did not pass; null when it did. */
  message: string | null;
  durationMs: number;
  exchanges: TranscriptEntry[];
}

export type Totals = Record<Status, number>;

export interface Summary {
  status: Status;
  totals: Totals;
}

export interface VersionVerdict {
  version: Version;
  /** No case of this version failed or could not be judged. */
  compliant: boolean;
  totals: Totals;
}

export interface Report {
  formatVersion: number;
  tool: string;
  /** URL of the registry. */
  registry: string;
  /** What the user calls it; the URL when nothing was said. */
  name: string;
  /** RFC 3339, UTC. */
  startedAt: string;
  durationMs: number;
  readOnly: boolean;
  seed: string;
  repositories: string[];
  /** One per version that was asked for. */
  versions: VersionVerdict[];
  totals: Totals;
  positive: Totals;
  negative: Totals;
  groups: { name: GroupName; title: string; summary: Summary }[];
  scenarios: { id: string; group: GroupName; title: string; summary: Summary }[];
  cases: CaseResult[];
  leftBehind: LeftBehind;
  /** Set when the run ended early: the registry was gone, or the user stopped it. */
  aborted: string | null;
}

export function countStatuses(list: readonly Status[]): Totals {
  const totals: Totals = { passed: 0, skipped: 0, unsupported: 0, failed: 0, error: 0 };
  for (const status of list) totals[status] += 1;
  return totals;
}

/** 0 compliant, 1 not, 2 could not judge. `verdicts` are those of the versions asked for. */
export function exitCode(report: Report, judged: readonly Version[]): 0 | 1 | 2 {
  if (report.aborted !== null) return 2;
  const verdicts = report.versions.filter(({ version }) => judged.includes(version));
  if (verdicts.some(({ totals }) => totals.failed > 0)) return 1;
  return verdicts.every(({ compliant }) => compliant) ? 0 : 2;
}
