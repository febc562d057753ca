/** What a round of collection decided and removed: counted, and told in the lines that zot has. */
import type { Candidate } from "../../metadata/collection.ts";
import type { CandidateKind } from "../../metadata/metadata.ts";
import type { Report } from "../registry.ts";
import type { Decision } from "./decide_candidate.ts";

/** What was removed. */
export interface CollectedTotals {
  readonly manifests: number;
  readonly blobs: number;
  readonly repositories: number;
  readonly sizeBytes: number;
}

interface Counts {
  manifest: number;
  blob: number;
  repository: number;
  sizeBytes: number;
}

const noCounts = (): Counts => ({ manifest: 0, blob: 0, repository: 0, sizeBytes: 0 });

/** Repositories that are counted one by one in a round; the others are added up. */
const repositoriesMax = 10_000;
const others = "(others)";

export class Collected {
  readonly #report: Report;
  readonly #byRepository = new Map<string, Counts>();
  /** Repositories that could not be looked at. */
  readonly #failed = new Set<string>();
  readonly #total = noCounts();

  constructor(report: Report) {
    this.#report = report;
  }

  /** Tells what a rule said of a manifest. */
  decided({ kind, repository, digest }: Candidate, decision: Decision, dryRun: boolean): void {
    if (kind !== "manifest" || (decision.kind !== "kept" && decision.kind !== "collected")) return;
    this.#report("info", "applied untagged policy", {
      module: "retention",
      "dry-run": dryRun,
      repository,
      reference: digest,
      decision: decision.kind === "kept" ? "keep" : "delete",
      reason: decision.reason,
    });
  }

  /** Counts what was removed. */
  add({ kind, repository, digest, reason }: Candidate, sizeBytes: number): void {
    const isCounted = this.#byRepository.size < repositoriesMax;
    const name = isCounted || this.#byRepository.has(repository) ? repository : others;
    const counts = this.#byRepository.get(name) ?? noCounts();
    this.#byRepository.set(name, counts);
    for (const sum of [counts, this.#total]) {
      sum[kind] += 1;
      sum.sizeBytes += sizeBytes;
    }
    const line = removedLines[kind];
    if (line === null) return;
    const message = reason === "no-subject" ? "removed manifest without reference" : line;
    this.#report("info", message, { module: "gc", repository, reference: digest });
  }

  /** True the first time that a repository cannot be looked at. */
  isNewFailure(repository: string): boolean {
    if (this.#failed.has(repository)) return false;
    this.#failed.add(repository);
    return true;
  }

  /** How much was removed so far. */
  get count(): number {
    return this.#total.manifest + this.#total.blob + this.#total.repository;
  }

  get totals(): CollectedTotals {
    const { manifest: manifests, blob: blobs, repository: repositories, sizeBytes } = this.#total;
    return { manifests, blobs, repositories, sizeBytes };
  }

  /** Tells what came of the round, by repository, where something did. */
  finish(): void {
    for (const [repository, { blob, sizeBytes }] of this.#byRepository) {
      const fields = { module: "gc", repository };
      if (blob > 0) {
        this.#report("info", "garbage collected blobs", { ...fields, count: blob, sizeBytes });
      }
      this.#report("info", `gc successfully completed for ${repository}`, fields);
    }
  }
}

const removedLines: Readonly<Record<CandidateKind, string | null>> = {
  manifest: "removed untagged manifest",
  // One line for all of them, at the end.
  blob: null,
  repository: "removed empty repository",
};
