/**
 * Carries out what was decided about candidates. A dry run has an executor that does nothing, and is the same code in
 * everything else.
 */
import type { Candidate } from "../../metadata/collection.ts";
import type { Change } from "../../metadata/metadata.ts";
import type { Registry } from "../registry.ts";
import type { Decision } from "./decide_candidate.ts";
import { hasLooseFiles } from "./loose_files.ts";
import { removeDirectory, restoreDirectory } from "./remove_directory.ts";

/** When only another rule may change something: never. */
export const never = 8_640_000_000_000_000;

export interface Executor {
  /** True when something was removed. `shiftMs` is how long ago a candidate must have begun to be due now. */
  carryOut(candidate: Candidate, decision: Decision, shiftMs: number): Promise<boolean>;
}

export const nullExecutor: Executor = { carryOut: () => Promise.resolve(false) };

export function executorOf(registry: Registry, keepsDirectories: boolean): Executor {
  return {
    carryOut: async (candidate, decision, shiftMs) => {
      if (decision.kind === "collected") {
        const hasDirectory = candidate.kind === "repository" && !keepsDirectories;
        if (hasDirectory) return removeRepository(registry, candidate, decision);
        const { committed } = await registry.metadata.commit(decision.commit);
        return committed;
      }
      await noteDecision(registry, candidate, changeOf(candidate, decision, shiftMs));
      return false;
    },
  };
}

/** False where a push put a file there meanwhile: its commit may still come, or never. */
async function removeRepository(
  registry: Registry,
  { repository }: Candidate,
  { commit, stamp = null }: Extract<Decision, { kind: "collected" }>,
): Promise<boolean> {
  await removeDirectory(registry, repository, stamp);
  const isLoose = await hasLooseFiles(registry, repository);
  const removed = !isLoose && (await registry.metadata.commit(commit)).committed;
  await restoreDirectory(registry, repository);
  return removed;
}

function changeOf(
  { digest, kind: as }: Candidate,
  decision: Exclude<Decision, { kind: "collected" }>,
  shiftMs: number,
): Change {
  if (decision.kind === "named") {
    const { until } = decision;
    const later = until === null ? {} : { lookAt: until - shiftMs };
    return { kind: "drop-candidate", digest, as, ...later };
  }
  const lookAt = decision.until === null ? never : decision.until - shiftMs;
  return { kind: "keep-candidate", digest, as, lookAt };
}

/** Unless it was pushed again, or lost another name, meanwhile: then it waits from then on. */
async function noteDecision(
  { metadata }: Registry,
  { repository, digest, kind: as, since }: Candidate,
  change: Change,
): Promise<void> {
  await metadata.commit({
    repository,
    preconditions: [{ kind: "candidate-since", digest, as, since }],
    changes: [change],
    by: null,
  });
}
