/**
 * Removes bytes whose last name was deleted.
 *
 * The writer of the metadata checks, under its lock, that nothing names the bytes at the moment when they are removed.
 * A push of the same digest at that moment either keeps the bytes, or notices and writes them again. A crash leaves at
 * most a file to sweep. Between two turns commits have the writer for four times as long as a turn took.
 *
 * Where an index.json stands that is not ours nothing is removed before it was read in: another tool may list the bytes,
 * or this registry itself, of whose metadata an older copy was put back.
 */
import { layoutStates } from "../metadata/layout_states.ts";
import type { Digest } from "../oci/digest.ts";
import { lookAtIndex } from "./reconcile_layout.ts";
import { hasLayouts, type Registry } from "./registry.ts";

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

/**
 * Sweeps orphans and returns how many were removed. One that has to wait, or cannot be removed, which is reported, is
 * tried again later.
 */
export async function sweepOrphans(
  registry: Registry,
  { signal, limit = Number.POSITIVE_INFINITY }: SweepOptions = {},
): Promise<number> {
  const { clock } = registry;
  /** What was not removed has to wait for another sweep. */
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

/** Returns those that were not removed. */
async function sweepEach(registry: Registry, orphans: readonly Orphan[]): Promise<Orphan[]> {
  const commit = (orphan: Orphan, kind: "sweep-orphan" | "retry-orphan"): Promise<unknown> =>
    registry.metadata.commit({
      repository: orphan.repository,
      preconditions: [],
      changes: [{ kind, digest: orphan.digest }],
      by: null,
    });
  const unread = await unreadOf(registry, orphans);
  const waiting = orphans.filter(({ repository }) => unread.has(repository));
  // Others have their turn first.
  await Promise.all(waiting.map((one) => commit(one, "retry-orphan")));
  const going = orphans.filter(({ repository }) => !unread.has(repository));
  const outcomes = await Promise.allSettled(going.map((one) => commit(one, "sweep-orphan")));
  const failures = outcomes.flatMap((outcome, at) => {
    const orphan = going[at];
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
  return [...waiting, ...failures.map(({ orphan }) => orphan)];
}

/** Repositories whose index.json has to be read in first, or cannot be looked at. */
async function unreadOf(
  registry: Registry,
  orphans: readonly Orphan[],
): Promise<ReadonlySet<string>> {
  const unread = new Set<string>();
  if (!hasLayouts(registry)) return unread;
  for (const repository of new Set(orphans.map((one) => one.repository))) {
    const { ours } = await lookAtIndex(registry, repository).catch(() => ({ ours: false }));
    if (!ours) unread.add(repository);
  }
  return unread;
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
