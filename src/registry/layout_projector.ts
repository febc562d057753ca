/**
 * Keeps `index.json` of every repository after its facts.
 *
 * Promises: after the last commit, index.json lists the same tags and manifests within a moment; at rest
 * it equals the metadata. It is replaced in one step and always parses. What another tool changed in the
 * meantime is taken in first (`reconcile_layout.ts`). The larger an index is, the longer it
 * waits for its next turn, so that pushes into a repository of many tags do not pay for its length.
 * Leaves to others: when to run (`jobs.ts`), what a line of index.json looks like (`oci/layout_index.ts`).
 */
import type { LayoutRecord } from "../metadata/metadata.ts";
import { writeLayoutIndex, type LayoutEntry } from "../oci/layout_index.ts";
import { reconcileLayout } from "./reconcile_layout.ts";
import type { Registry, Report } from "./registry.ts";

/** Repositories looked at in one round. */
const roundMax = 256;
/** A repository rests this many times as long as its last projection took. */
const restFactor = 20;
const restMaxMs = 30_000;

export class LayoutProjector {
  readonly #registry: Registry;
  readonly #report: Report;
  /** When a repository may be projected again, in monotonic milliseconds. */
  readonly #restUntil = new Map<string, number>();

  constructor(registry: Registry, report: Report) {
    this.#registry = registry;
    this.#report = report;
  }

  /**
   * Projects stale repositories that are rested, or all of them.
   * @returns how long until the next one is rested, in milliseconds; null when nothing is stale.
   */
  async run(mode: "rested" | "all", signal?: AbortSignal): Promise<number | null> {
    const { metadata, clock } = this.#registry;
    for (;;) {
      const stale = await metadata.staleLayouts(roundMax);
      this.#forgetRested();
      const now = clock.monotonicMs();
      const due = stale.filter((name) => mode === "all" || this.#restOf(name) <= now);
      if (due.length === 0) return this.#nextRest(stale, now);
      const before = due.length;
      const failed = await this.#projectAll(due, signal);
      if (signal?.aborted === true || failed === before)
        return this.#nextRest(stale, now) ?? restMaxMs;
    }
  }

  /** Writes one repository's index.json from its facts. */
  async project(repository: string): Promise<void> {
    const { metadata, storage, clock } = this.#registry;
    const startedMs = clock.monotonicMs();
    const { stamp: seen } = await reconcileLayout(this.#registry, repository, this.#report);
    const { generation, records } = await metadata.layoutRecords(repository);
    const text = writeLayoutIndex(records.map(entryOf));
    const stamp = await storage.writeIndex(repository, text, async (planned) => {
      if ((await storage.indexStamp(repository)) !== seen) {
        throw new Error("index.json was changed by another tool while it was being written");
      }
      await this.#commit({ kind: "plan-layout", repository, seen, stamp: planned });
    });
    await this.#commit({ kind: "record-layout", repository, stamp, generation });
    const tookMs = clock.monotonicMs() - startedMs;
    this.#restUntil.set(repository, clock.monotonicMs() + Math.min(tookMs * restFactor, restMaxMs));
  }

  async #commit(change: Parameters<Registry["metadata"]["commit"]>[0]["changes"][number]) {
    await this.#registry.metadata.commit({ preconditions: [], changes: [change], by: null });
  }

  /** Projects each; one that fails is reported, rests, and does not stop the others. */
  async #projectAll(repositories: string[], signal?: AbortSignal): Promise<number> {
    let failed = 0;
    for (const repository of repositories) {
      if (signal?.aborted === true) break;
      try {
        await this.project(repository);
      } catch (error) {
        failed += 1;
        this.#restUntil.set(repository, this.#registry.clock.monotonicMs() + restMaxMs);
        this.#report("error", "index.json could not be written; it is tried again", {
          repository,
          error: String(error),
        });
      }
    }
    return failed;
  }

  #restOf(repository: string): number {
    return this.#restUntil.get(repository) ?? 0;
  }

  #nextRest(stale: string[], now: number): number | null {
    if (stale.length === 0) return null;
    const next = Math.min(...stale.map((name) => this.#restOf(name)));
    return Math.max(next - now, 0);
  }

  /** Rests that are over need no entry: the map holds only what is resting. */
  #forgetRested(): void {
    const now = this.#registry.clock.monotonicMs();
    for (const [repository, until] of this.#restUntil) {
      if (until <= now) this.#restUntil.delete(repository);
    }
  }
}

function entryOf(record: LayoutRecord): LayoutEntry {
  return {
    descriptor: { mediaType: record.mediaType, digest: record.digest, size: record.sizeBytes },
    tag: record.tag,
  };
}
