// What a suite is made of: cases in scenarios in groups, and the ladder of statuses.
//
// A case is a row: what it checks, by which sentence, for which version, and a `run` that returns
// when the registry keeps the rule. A scenario is an ordered list of cases on the same content; a
// case that builds on others names them in `after` and is skipped when one of them did not pass.
// The rows are made by `positive` and `negative`; running them is the runner's.
import { must } from "../lib/assert.ts";
import type { ClauseName } from "./specification/clauses.ts";
import type { Trial } from "./trial.ts";

/** From best to worst; a roll-up takes the worst of `passed`, `failed`, `error` that occurs. */
export const statuses = ["passed", "skipped", "unsupported", "failed", "error"] as const;
/**
 * `passed`: the rule is kept. `failed`: it is broken. `unsupported`: an optional or recommended thing
 * is not there. `skipped`: not tried, for a reason given. `error`: could not be judged.
 */
export type Status = (typeof statuses)[number];

/** Published versions of the specification, and its main branch. */
export const versions = ["1.0", "1.1", "dev"] as const;
export type Version = (typeof versions)[number];

/** `positive`: work gets done. `negative`: what must be refused is refused properly. */
export type Polarity = "positive" | "negative";

/** `must` fails a registry. `should` (recommended) and `may` (optional) make it `unsupported`. */
export type Level = "must" | "should" | "may";

/** Groups in the order in which they run and are reported. */
export const groups = {
  ping: "Is it a registry",
  empty: "Repositories that do not exist",
  push: "Pushing blobs",
  upload: "Upload sessions",
  pull: "Pulling blobs",
  mount: "Mounting blobs",
  content: "Images, indexes, artifacts",
  manifest: "Manifests",
  tags: "Tag lists",
  referrers: "Referrers",
  delete: "Deletion",
  grammar: "Names, tags, digests",
  errors: "Error answers",
  headers: "Headers",
  catalog: "Catalog and extensions",
  login: "Login",
  integrity: "Integrity and concurrency",
} as const;
export type GroupName = keyof typeof groups;

export interface Case {
  /** Unique in its scenario; `<scenario>/<case>` is unique in the suite. */
  readonly id: string;
  /** What a registry that keeps the rule does. */
  readonly title: string;
  readonly polarity: Polarity;
  readonly clause: ClauseName;
  readonly level: Level;
  /** The first version that has the rule. */
  readonly since: Version;
  /** Cases of the same scenario that have to pass first. */
  readonly after: readonly string[];
  readonly run: (t: Trial) => Promise<void>;
}

/** What a scenario is asked for by. */
export interface Named {
  readonly id: string;
  readonly group: GroupName;
}

export interface Scenario extends Named {
  readonly title: string;
  /** `read` scenarios change nothing and run in the read-only mode too. */
  readonly access: "read" | "write";
  readonly cases: readonly Case[];
}

export interface CaseOptions {
  level?: Level;
  since?: Version;
  after?: readonly string[];
}
type CaseMaker = (
  id: string,
  title: string,
  clause: ClauseName,
  run: (t: Trial) => Promise<void>,
  options?: CaseOptions,
) => Case;

const maker =
  (polarity: Polarity): CaseMaker =>
  (id, title, clause, run, options = {}) => ({
    id,
    title,
    polarity,
    clause,
    level: options.level ?? "must",
    since: options.since ?? "1.0",
    after: options.after ?? [],
    run,
  });

/** A case in which work gets done. */
export const positive = maker("positive");
/** A case in which something has to be refused. */
export const negative = maker("negative");

/** A scenario that pushes or deletes. */
export function scenario(
  group: GroupName,
  id: string,
  title: string,
  cases: readonly Case[],
): Scenario {
  return { id, group, title, access: "write", cases };
}

/** A scenario that only reads. */
export function readingScenario(
  group: GroupName,
  id: string,
  title: string,
  cases: readonly Case[],
): Scenario {
  return { id, group, title, access: "read", cases };
}

/** Whether a rule that came with `since` holds in `version`. */
export function appliesTo(since: Version, version: Version): boolean {
  return versions.indexOf(since) <= versions.indexOf(version);
}

/** Sums up statuses: broken rules count most; nothing but absence is absence. */
export function rollUp(list: readonly Status[]): Status {
  for (const worst of ["error", "failed", "passed", "unsupported"] as const) {
    if (list.includes(worst)) return worst;
  }
  return "skipped";
}

/** Throws when two rows have the same name or a row builds on one that is not before it. */
export function checkSuite(scenarios: readonly Scenario[]): void {
  const seen = new Set<string>();
  for (const { id: scenarioId, cases } of scenarios) {
    const before = new Set<string>();
    for (const { id, after } of cases) {
      const fullId = `${scenarioId}/${id}`;
      must(seen.has(fullId) ? null : fullId, `Case ${fullId} occurs once`);
      for (const name of after) {
        must(
          before.has(name) ? name : null,
          `Case ${fullId} builds on ${name}, which is before it`,
        );
      }
      seen.add(fullId);
      before.add(id);
    }
  }
}
