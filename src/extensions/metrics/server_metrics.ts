/**
 * Everything that one process counts, behind the hooks that the parts of the server offer.
 *
 * A hook costs an addition or two, and never throws or waits. Without metrics nobody makes one of these, and the hooks
 * stay empty. `metrics_page.ts` shows the numbers.
 */
import type { Clock } from "../../lib/clock.ts";
import type { MetricPage, MetricRegion, RegionHolder } from "../../lib/metrics/metric_page.ts";
import type { AnyCommit, CommitOutcome, Committer } from "../../metadata/metadata.ts";
import type { JobWatcher } from "../../jobs/job.ts";
import type { AccessRecord } from "../../http/dispatch.ts";
import type { CollectedTotals } from "../../registry/collection/collected.ts";
import { repositorySlots, type MetricShape, type PlacedMetrics } from "./metric_shape.ts";
import { RequestMetrics, type CountedRow } from "./request_metrics.ts";
import type { CacheName } from "../extension.ts";
import type { Usage } from "./usage.ts";

export class ServerMetrics {
  readonly page: MetricPage;
  readonly shape: MetricShape;
  readonly #region: MetricRegion;
  readonly #placed: PlacedMetrics;
  readonly #requests: RequestMetrics;
  /** Repositories whose bytes were told, to take back those that are gone. */
  #measured = new Set<number>();

  constructor(
    page: MetricPage,
    shape: MetricShape,
    options: { readonly holder: RegionHolder; readonly rows: readonly CountedRow[] },
  ) {
    this.page = page;
    this.shape = shape;
    this.#region = page.hold(options.holder);
    this.#placed = shape.placed;
    this.#requests = new RequestMetrics(this.#region, shape, options.rows);
  }

  request(record: AccessRecord): void {
    this.#requests.count(record);
  }

  /** For a cache: counts a lookup. */
  lookup(cache: CacheName): (hit: boolean) => void {
    const region = this.#region;
    const hitSlot = this.#placed.cacheLookups.of(cache, "hit");
    const missSlot = this.#placed.cacheLookups.of(cache, "miss");
    return (hit) => region.add(hit ? hitSlot : missSlot);
  }

  /** For the metadata writer: counts a transaction. */
  batch(commits: number, ms: number): void {
    const { batchCommits, batchSeconds } = this.#placed;
    this.#region.observe(batchCommits.at(), batchCommits.metric.buckets ?? [], commits);
    this.#region.observe(batchSeconds.at(), batchSeconds.metric.buckets ?? [], ms / 1000);
  }

  /** Counts the commits that go through it. */
  counted(committer: Committer, clock: Clock): Committer {
    const commits = this.#placed.commits;
    const slots = {
      committed: commits.of("committed"),
      refused: commits.of("refused"),
      failed: commits.of("failed"),
    };
    const { commitSeconds } = this.#placed;
    const buckets = commitSeconds.metric.buckets ?? [];
    return {
      commit: async (commit: AnyCommit): Promise<CommitOutcome> => {
        const startedMs = clock.monotonicMs();
        let slot = slots.failed;
        try {
          const outcome = await committer.commit(commit);
          slot = outcome.committed ? slots.committed : slots.refused;
          return outcome;
        } finally {
          this.#region.add(slot);
          const seconds = (clock.monotonicMs() - startedMs) / 1000;
          this.#region.observe(commitSeconds.at(), buckets, seconds);
        }
      },
    };
  }

  jobWatcher(): JobWatcher {
    const { jobRuns, jobSeconds } = this.#placed;
    return (job, ms, failed) => {
      this.#region.add(jobRuns.of(job, failed ? "failed" : "done"));
      this.#region.add(jobSeconds.of(job), ms / 1000);
    };
  }

  expired(uploads: number): void {
    this.#region.add(this.#placed.uploads.of("expired"), uploads);
    this.#region.add(this.#placed.collected.of("upload"), uploads);
  }

  /** A round of collection; null when it failed. */
  collected(removed: CollectedTotals | null, ms: number): void {
    const { collectionRuns, collectionSeconds, collected, collectedBytes } = this.#placed;
    this.#region.add(collectionRuns.of(removed === null ? "true" : "false"));
    this.#region.observe(collectionSeconds.at(), collectionSeconds.metric.buckets ?? [], ms / 1000);
    if (removed === null) return;
    this.#region.add(collected.of("manifest"), removed.manifests);
    this.#region.add(collected.of("blob"), removed.blobs);
    this.#region.add(collected.of("repository"), removed.repositories);
    this.#region.add(collectedBytes.at(), removed.sizeBytes);
  }

  /** A total of content was wrong by so much. */
  drifted(bytes: number): void {
    this.#region.add(this.#placed.drift.at(), bytes);
  }

  /** The process that held a region is gone, unasked when it ended by itself. */
  processEnded(region: number, asked: boolean): void {
    this.page.release(region);
    if (!asked) this.#region.add(this.#placed.workersEnded.at());
  }

  /** Takes in what the job in `usage.ts` measured; for one process only. */
  usage({ contentBytes, repositories }: Usage): void {
    this.#region.set(this.#placed.storageBytes.at(), contentBytes);
    this.#region.set(this.#placed.repositories.at(), repositories.size);
    if (this.shape.page.namesMax === 0) return;
    const { storageBytes } = repositorySlots;
    const measured = new Set<number>();
    let others = 0;
    // The largest are named first.
    for (const [repository, bytes] of [...repositories].sort(([, a], [, b]) => b - a)) {
      const name = this.#region.nameOf(repository, true);
      if (name === null) others += bytes;
      else {
        measured.add(name);
        this.#region.setNamed(name, storageBytes, bytes);
      }
    }
    for (const name of this.#measured) {
      if (!measured.has(name)) this.#region.setNamed(name, storageBytes, 0);
    }
    this.#measured = measured;
    this.#region.setNamed(null, storageBytes, others);
  }
}
