// What a scenario of the benchmark is: the types that its table, its runner and its report share.

import type { Job } from "./load/jobs.ts";
import type { Server, ServerName } from "./servers.ts";

/** How long and how much: the whole benchmark, or `--quick` to see that it works. */
export interface Scale {
  readonly rounds: number;
  /** Length of one round of requests. */
  readonly seconds: number;
  /** Blobs of 100 MiB in one round of uploads. */
  readonly uploads: number;
  /** Manifests in one round of pushes. */
  readonly pushes: number;
  /** Tags or manifests in a "large" repository. */
  readonly many: number;
  /** The blob that slow readers read. */
  readonly hugeBytes: number;
}

/** One row of figures for each of its servers. */
export interface Case {
  readonly name: string;
  readonly title: string;
  readonly servers: readonly ServerName[];
}

/** Gives the load for one round of a case; what it sets up first is not measured. Round -1 is the warm-up. */
export type JobOf = (caseName: string, round: number) => Promise<Job>;

export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** What one line of load is: connections, sizes. */
  readonly load: string;
  /** What CPU time is divided by. */
  readonly unit: Unit;
  readonly cases: readonly Case[];
  /** Flush the disk before a round, and wait after it until the server has done what it put off. */
  readonly writes: boolean;
  /** Serve HTTPS, each server with a certificate of the same kind. */
  readonly tls?: boolean;
  /** Processes of each server, where it is not the default. */
  readonly workers?: number;
  /** Where it is not the scale's. */
  readonly rounds?: number;
  /** Fills a server that was just started with an empty directory. */
  readonly prepare: (server: Server, scale: Scale) => Promise<JobOf>;
  readonly targets: readonly Target[];
}

export type Unit = "request" | "push" | "GiB";

/** A figure of the result: which server, in which case. */
export interface Cell {
  readonly server: ServerName;
  readonly case: string;
}

/** What issue 2 asks for: a ratio of two figures, or one figure, with its limit. */
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

/** One process of a server and the most memory it had. */
export interface Peak {
  readonly name: string;
  readonly bytes: number;
}

/** One round of one cell. */
export interface Round {
  readonly operations: number;
  readonly bytes: number;
  readonly seconds: number;
  /** Of all processes of the server, what it did after the load included. */
  readonly cpuSeconds: number;
  readonly generatorCpuSeconds: number;
  /** The server's first process, then its others. */
  readonly peaks: readonly Peak[];
}

/** All rounds of one cell. */
export interface Measured extends Cell {
  readonly rounds: readonly Round[];
}

export interface ScenarioResult {
  readonly name: string;
  readonly measured: readonly Measured[];
  /** Why the scenario could not be run to its end. */
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
  readonly scenarios: readonly ScenarioResult[];
}
