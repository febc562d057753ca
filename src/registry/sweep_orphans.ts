/**
 * Removes bytes whose last name was deleted.
 *
 * The writer of the metadata checks, under its lock, that nothing names the bytes at the moment when they are removed.
 * A push of the same digest at that moment either keeps the bytes, or notices and writes them again. A crash leaves at
 * most a file to sweep. Between two turns commits have the writer for four times as long as a turn took.
 */
import { layoutStates } from "../metadata/layout_states.ts";
import type { Digest } from "../oci/digest.ts";
import type { Registry } from "./registry.ts";

/** Files that are removed in one turn: each is a call or two to the file system, under the writer's lock. */
const turnMax = 32;
const restFactor = 4;

interface Orphan {
  readonly repository: string;
  readonly digest: Digest;
}

export interface SweepOptions {
  readonly signal?: AbortSignal | undefined;
  /** How many files at most; all of them without it. */
  readonly limit?: number;
}

/** Sweeps orphans and returns how many were removed. One that cannot be removed is reported, and tried again later. */
export async function sweepOrphans(
  registry: Registry,
  { signal, limit = Number.POSITIVE_INFINITY }: SweepOptions = {},
): Promise<number> {
  const { clock } = registry;
  /** What could not be removed has to wait for another sweep. */
  const failed = new Set<string>();
  let swept = 0;
  for (let looked = 0; looked < limit && !isAborted(signal);) {
    const orphans = (await sweepable(registry)).filter((one) => !failed.has(nameOf(one)));
    if (orphans.length === 0) break;
    const startedMs = clock.monotonicMs();
    for (const one of await sweepEach(registry, orphans)) failed.add(nameOf(one));
    looked += orphans.length;
    swept = looked - failed.size;
    await clock.sleep((clock.monotonicMs() - startedMs) * restFactor, signal);
  }
  return swept;
}

/** Returns those that could not be removed. */
async function sweepEach(registry: Registry, orphans: readonly Orphan[]): Promise<Orphan[]> {
  const commit = (orphan: Orphan, kind: "sweep-orphan" | "retry-orphan"): Promise<unknown> =>
    registry.metadata.commit({
      repository: orphan.repository,
      preconditions: [],
      changes: [{ kind, digest: orphan.digest }],
      by: null,
    });
  const outcomes = await Promise.allSettled(orphans.map((one) => commit(one, "sweep-orphan")));
  const failures = outcomes.flatMap((outcome, at) => {
    const orphan = orphans[at];
    return outcome.status === "fulfilled" || orphan === undefined
      ? []
      : [{ orphan, error: outcome.reason as unknown }];
  });
  for (const { orphan, error } of failures) {
    registry.report("error", "a file that nothing names cannot be removed; it is tried again", {
      ...orphan,
      error: String(error),
    });
    await commit(orphan, "retry-orphan");
  }
  return failures.map(({ orphan }) => orphan);
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function nameOf({ repository, digest }: Orphan): string {
  return `${repository} ${digest}`;
}

/** What index.json still lists waits until that is written anew; without layouts nothing has to wait. */
function sweepable({ metadata, layouts }: Registry): Promise<Orphan[]> {
  return layouts === null
    ? metadata.orphans(turnMax)
    : metadata.records(layoutStates).unlistedOrphans(turnMax);
}
