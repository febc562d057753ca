// Judges a registry: the one function that the command, the tests and the reports call.
//
// Whatever the registry does, a Report comes back, or a ClientError when there is nothing to judge (unreachable, login
// refused). Everything that was pushed is removed, as far as the registry allows. It uses only the project's own
// client, so it can judge any registry.
import { randomBytes } from "node:crypto";
import type { Credentials } from "../client/client_auth.ts";
import type { IdleLimits, TlsOptions } from "../client/connection.ts";
import { checkRegistry } from "../client/preflight.ts";
import type { TranscriptEntry } from "../client/transcript.ts";
import { type Clock, systemClock } from "../lib/clock.ts";
import { allScenarios } from "./cases/cases.ts";
import {
  type CaseResult,
  countStatuses,
  formatVersion,
  type Report,
  type Summary,
  type VersionVerdict,
} from "./report.ts";
import { runScenarios } from "./runner.ts";
import {
  appliesTo,
  type GroupName,
  groups,
  type Named,
  rollUp,
  type Scenario,
  type Version,
  versions,
} from "./suite.ts";
import { Trial } from "./trial.ts";

export interface ComplianceOptions {
  /** `host:port` or a URL. */
  url: string;
  credentials?: Credentials;
  tls?: TlsOptions;
  limits?: Partial<IdleLimits>;
  repository?: string;
  secondRepository?: string;
  /** Versions to judge by; the newest decides which cases run. */
  versions: readonly Version[];
  /** Names of groups, or beginnings of scenario ids; all when left out. */
  only?: readonly string[];
  readOnly?: boolean;
  /** Lower-case letters and digits; random when left out. */
  seed?: string;
  /** Name and version of the program, for the report. */
  tool?: string;
  /** What the report calls the registry. */
  name?: string;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number, current: CaseResult) => void;
  clock?: Clock;
}

export const repositoryDefault = "zot-compliance/first";
export const secondRepositoryDefault = "zot-compliance/second";

/** Runs the suite. Throws a ClientError when the registry cannot be reached or refuses the login. */
export async function runCompliance(options: ComplianceOptions): Promise<Report> {
  const clock = options.clock ?? systemClock;
  const startedMs = clock.now();
  const seed = options.seed ?? randomBytes(4).toString("hex");
  const transcript: TranscriptEntry[] = [];
  const trial = new Trial({
    client: {
      url: options.url,
      userAgent: options.tool ?? "zot-compliance",
      onTranscript: (entry) => void transcript.push(entry),
      clock,
      ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
      ...(options.tls === undefined ? {} : { tls: options.tls }),
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    },
    repository: options.repository ?? repositoryDefault,
    secondRepository: options.secondRepository ?? secondRepositoryDefault,
    seed,
  });
  try {
    await checkRegistry(trial.client);
    const scenarios = select(allScenarios(seed, wantedBy(options)), options);
    const outcome = await runScenarios({
      scenarios,
      trial,
      transcript,
      readOnly: options.readOnly ?? false,
      clock,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    });
    return {
      formatVersion,
      tool: options.tool ?? "zot",
      registry: trial.client.url,
      name: options.name ?? trial.client.url,
      startedAt: new Date(startedMs).toISOString(),
      durationMs: clock.now() - startedMs,
      readOnly: options.readOnly ?? false,
      seed,
      repositories: [trial.repository, trial.secondRepository],
      ...sumUp(outcome.results, scenarios, options.versions),
      cases: outcome.results,
      leftBehind: outcome.leftBehind,
      aborted: outcome.aborted,
    };
  } finally {
    trial.close();
  }
}

function wantedBy({ only }: Pick<ComplianceOptions, "only">): (scenario: Named) => boolean {
  return ({ group, id }) => only?.some((name) => name === group || id.startsWith(name)) ?? true;
}

/** The cases of the newest version asked for, in the groups asked for. */
export function select(
  scenarios: readonly Scenario[],
  options: Pick<ComplianceOptions, "versions" | "only">,
): Scenario[] {
  const newest = versions.findLast((version) => options.versions.includes(version)) ?? "dev";
  return scenarios
    .filter(wantedBy(options))
    .map((one) => ({ ...one, cases: one.cases.filter(({ since }) => appliesTo(since, newest)) }))
    .filter(({ cases }) => cases.length > 0);
}

function sumUp(
  results: readonly CaseResult[],
  scenarios: readonly Scenario[],
  asked: readonly Version[],
): Pick<Report, "versions" | "totals" | "positive" | "negative" | "groups" | "scenarios"> {
  const groupNames = Object.keys(groups).filter(isGroupName);
  return {
    versions: asked.map((version) => verdict(results, version)),
    totals: totalsOf(results),
    positive: totalsOf(results.filter(({ polarity }) => polarity === "positive")),
    negative: totalsOf(results.filter(({ polarity }) => polarity === "negative")),
    groups: groupNames
      .map((name) => ({
        name,
        title: groups[name],
        summary: summaryOf(results.filter(({ group }) => group === name)),
      }))
      .filter(({ name }) => results.some(({ group }) => group === name)),
    scenarios: scenarios.map(({ id, group, title }) => ({
      id,
      group,
      title,
      summary: summaryOf(results.filter(({ scenario }) => scenario === id)),
    })),
  };
}

export function isGroupName(name: string): name is GroupName {
  return Object.hasOwn(groups, name);
}

function verdict(results: readonly CaseResult[], version: Version): VersionVerdict {
  const totals = totalsOf(results.filter(({ since }) => appliesTo(since, version)));
  return { version, compliant: totals.failed === 0 && totals.error === 0, totals };
}

const totalsOf = (results: readonly CaseResult[]) =>
  countStatuses(results.map(({ status }) => status));

function summaryOf(results: readonly CaseResult[]): Summary {
  const list = results.map(({ status }) => status);
  return { status: rollUp(list), totals: countStatuses(list) };
}
