/**
 * Brings the pulls of repositories into their summaries: commits that tell of pulls are noted as they pass, and the
 * repositories are made anew a little later, each once.
 */
import { isRecordCommit, type AnyCommit, type Committer } from "../../metadata/metadata.ts";
import { recordCommit, storesIn } from "../../metadata/records.ts";
import { retention, type RetentionChange } from "../../metadata/retention.ts";
import { summaries } from "../../metadata/summaries.ts";
import type { Registry } from "../../registry/registry.ts";
import type { RegistryJob } from "../../registry/registry_job.ts";

export const pulledJobName = "summarise-pulls";
const everyMs = 10_000;
/** Repositories that are noted; pulls of others show with the next change of theirs. */
const namesMax = 20_000;
/** Repositories in one commit. */
const sliceMax = 32;

export class PulledRepositories {
  readonly #names = new Set<string>();

  /** Sees commits on their way. */
  noting(next: Committer): Committer {
    return {
      commit: async (commit) => {
        const outcome = await next.commit(commit);
        if (outcome.committed) this.#note(commit);
        return outcome;
      },
    };
  }

  job({ metadata }: Registry): RegistryJob {
    return {
      name: pulledJobName,
      everyMs,
      followsCommits: false,
      lease: null,
      run: async (signal) => {
        for (const slice of this.#take()) {
          signal.throwIfAborted();
          const changes = slice.map((repository) => ({ kind: "refresh", repository }) as const);
          await metadata.commit(recordCommit(summaries, ...changes));
        }
        return null;
      },
    };
  }

  #note(commit: AnyCommit): void {
    if (!isRecordCommit(commit)) return;
    for (const { records, changes } of storesIn(commit)) {
      if (records !== retention.name) continue;
      // They are of that store.
      for (const change of changes as readonly RetentionChange[]) {
        if (change.kind !== "add-pulls") continue;
        for (const { repository } of change.pulls) {
          if (this.#names.size < namesMax) this.#names.add(repository);
        }
      }
    }
  }

  #take(): string[][] {
    const names = [...this.#names];
    this.#names.clear();
    const slices: string[][] = [];
    for (let at = 0; at < names.length; at += sliceMax) slices.push(names.slice(at, at + sliceMax));
    return slices;
  }
}
