// What a row of `npm run bench` is, and what comes of it: workloads of `src/bench` on several servers, and targets.

import type { ScenarioResult } from "../src/bench/bench.ts";
import type { Prepare } from "../src/bench/scenario.ts";
import type { PeerName } from "./peers.ts";

/** How often and how much: the whole benchmark, or `--quick` to see that it works. */
export interface Scale {
  readonly rounds: number;
  /** Operations of a case; each takes a share of it. */
  readonly requests: number;
  /** Tags or manifests in a "large" repository. */
  readonly many: number;
  /** The blob that slow readers read. */
  readonly hugeBytes: number;
}

/** One workload on some of the peers. Each peer has one line of figures for it. */
export interface Case {
  readonly name: string;
  readonly title: string;
  readonly peers: readonly PeerName[];
  /** Operations as a part of the scale's. */
  readonly share: number;
  readonly concurrency: number;
  readonly prepare: Prepare;
}

export interface Comparison {
  readonly name: string;
  readonly title: string;
  readonly cases: readonly Case[];
  /** Serve HTTPS, each server with a certificate of the same kind. */
  readonly tls?: boolean;
  /** Processes of each server, where it is not the default. */
  readonly workers?: number;
  /** Where it is not the scale's. */
  readonly rounds?: number;
  readonly targets: readonly Target[];
}

/** A figure of the result: which server, in which case. */
export interface Cell {
  readonly peer: PeerName;
  readonly case: string;
}

/** What the project set itself: a ratio of two figures, or one figure, with its limit. */
export interface Target {
  /** Stable name, under which `reasons.ts` may say why it is not met. */
  readonly id: string;
  /** In words, as it was asked. */
  readonly says: string;
  readonly quantity: "cpu" | "rate" | "peak";
  readonly of: Cell;
  readonly against?: Cell;
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface ComparisonResult {
  readonly name: string;
  /** A result for each case that was run, under the case's name. */
  readonly cases: readonly ScenarioResult[];
  /** Why it could not be run to its end. */
  readonly failure: string | null;
}

/** A whole run, as `--json` writes it. */
export interface RunResult {
  readonly date: string;
  readonly command: string;
  readonly quick: boolean;
  readonly scale: Scale;
  readonly machine: Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly comparisons: readonly ComparisonResult[];
}

/** Whether something could not be measured: then a figure is missing, or one of failed operations. */
export function hasFailed({ cases, failure }: ComparisonResult): boolean {
  const measured = cases.flatMap(({ results }) => results);
  return failure !== null || measured.some(({ problem, failed }) => problem !== null || failed > 0);
}
