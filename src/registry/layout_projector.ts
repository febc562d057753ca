/**
 * Writes the `index.json` of every repository from its metadata.
 *
 * Within a moment of the last commit, index.json lists the same tags and manifests as the metadata. It is replaced in
 * one step and always parses. What another tool changed in the meantime is read in first (`reconcile_layout.ts`). A
 * repository has one such run at a time; the larger its index is, the longer it waits for the next one, so that pushes
 * into a repository of many tags do not pay for its length. `jobs.ts` decides when to run, `oci/layout_index.ts` writes
 * a line of index.json.
 */
import { runHere, type HeavyRunner, type HeavyWork } from "../jobs/heavy_work.ts";
import { assert } from "../lib/assert.ts";
import { KiB } from "../lib/bytes.ts";
import { KeyedMutex } from "../lib/keyed_mutex.ts";
import { layoutStates, type LayoutChange } from "../metadata/layout_states.ts";
import type { LayoutRecord, LayoutSnapshot } from "../metadata/metadata.ts";
import { recordCommit } from "../metadata/records.ts";
import { writeLayoutIndex, type LayoutEntry } from "../oci/layout_index.ts";
import type { LayoutDirectory } from "../storage/layout_directory.ts";
import { lookAtIndex, reconcileLayout } from "./reconcile_layout.ts";
import { hasLayouts, type LayoutRegistry, type Registry, type Report } from "./registry.ts";

/** Repositories looked at in one round. */
const roundMax = 256;
/** A repository rests this many times as long as its last projection took. */
const restFactor = 20;
const restMaxMs = 30_000;
/** Until a layout is looked at again that another tool seems to be writing. */
const unfinishedRestMs = 2_000;
/** How often a change by another tool at the moment of our writing is read in before it has to wait. */
const triesMax = 3;

/** An index.json up to this size, some thousand lines, is written in a moment. */
const lightIndexBytesMax = 1024 * KiB;
/** Digests that a line about missing bytes names. */
const toldMax = 10;

/**
 * Which repositories a run writes: "rested" those that had their rest, "all" every one, "last" every one but those
 * that another tool changed, which may take long and are found again at the next start.
 */
export type ProjectionMode = "rested" | "all" | "last";

/** Whether index.json equals the metadata now; if not, whether to look again soon. */
type Projected = "written" | "unfinished" | "left";

export class LayoutProjector {
  /** Where it writes. */
  readonly layouts: LayoutDirectory;
  readonly #registry: LayoutRegistry;
  readonly #report: Report;
  readonly #heavy: HeavyRunner<Registry>;
  readonly #working = new KeyedMutex();
  /** When a repository may be projected again, in monotonic milliseconds. */
  readonly #restUntil = new Map<string, number>();

  constructor(
    registry: LayoutRegistry,
    report: Report,
    heavy: HeavyRunner<Registry> = runHere<Registry>({ ...registry, report }),
  ) {
    this.#registry = registry;
    this.#heavy = heavy;
    this.layouts = registry.layouts;
    this.#report = report;
  }

  /**
   * Projects stale repositories.
   * @returns how long until the next one is rested, in milliseconds; null when nothing is stale.
   */
  async run(mode: ProjectionMode, signal?: AbortSignal): Promise<number | null> {
    const { metadata, clock } = this.#registry;
    /** What could not be written in this run has to wait for another. */
    const waiting = new Set<string>();
    for (;;) {
      const stale = await metadata.records(layoutStates).stale(roundMax);
      this.#forgetRested();
      const now = clock.monotonicMs();
      const rested = (name: string): boolean => mode !== "rested" || this.#restOf(name) <= now;
      const due = stale.filter((name) => !waiting.has(name) && rested(name));
      if (due.length === 0 || isAborted(signal)) return this.#nextRest(stale, now);
      for (const name of await this.#projectAll(due, mode, signal)) waiting.add(name);
    }
  }

  /**
   * Reads in a layout that another tool changed, and writes it anew, also where it was removed; nothing when it is
   * ours.
   * @returns false when another tool seems to be writing it just now: look again soon.
   */
  async takeIn(repository: string, signal?: AbortSignal): Promise<boolean> {
    return this.#working.run(repository, async () => {
      const { ours, removed } = await lookAtIndex(this.#registry, repository);
      if (ours && !removed) return true;
      if (removed) {
        this.#report("warn", "index.json was removed, and is written again", { repository });
      }
      return (await this.#project(repository, "all", signal)) !== "unfinished";
    });
  }

  async #project(
    repository: string,
    mode: ProjectionMode,
    signal?: AbortSignal,
  ): Promise<Projected> {
    const { clock } = this.#registry;
    const startedMs = clock.monotonicMs();
    const projected = await this.#projectWhere(repository, mode, signal);
    if (projected === "left") return projected;
    const tookMs = clock.monotonicMs() - startedMs;
    const isWritten = projected === "written";
    this.#rest(repository, isWritten ? Math.min(tookMs * restFactor, restMaxMs) : unfinishedRestMs);
    return projected;
  }

  /** Where much is to be read or written, a process of its own does it: no commit waits for it. */
  async #projectWhere(
    repository: string,
    mode: ProjectionMode,
    signal: AbortSignal | undefined,
  ): Promise<Projected> {
    const writer = new LayoutWriter(this.#registry, this.#report);
    // At the last run no request is served any more.
    if (mode === "last") return writer.project(repository, mode, signal);
    const { ours } = await lookAtIndex(this.#registry, repository);
    if (ours && !(await this.#isLarge(repository))) {
      return writer.project(repository, mode, signal);
    }
    const never = new AbortController().signal;
    return this.#heavy.run(projectLayout, { repository }, signal ?? never);
  }

  async #isLarge(repository: string): Promise<boolean> {
    const index = await this.layouts.openIndex(repository);
    return index !== null && index.sizeBytes > lightIndexBytesMax;
  }

  /** Projects each and returns those that were not written; one that fails does not stop the others. */
  async #projectAll(
    repositories: string[],
    mode: ProjectionMode,
    signal?: AbortSignal,
  ): Promise<string[]> {
    const waiting: string[] = [];
    for (const repository of repositories) {
      if (isAborted(signal)) break;
      try {
        const project = () => this.#project(repository, mode, signal);
        const outcome = await this.#working.run(repository, project);
        if (outcome !== "written") waiting.push(repository);
      } catch (error) {
        if (isAborted(signal)) break;
        waiting.push(repository);
        this.#rest(repository, restMaxMs);
        this.#report("error", "index.json could not be written; it is tried again", {
          repository,
          error: String(error),
        });
      }
    }
    return waiting;
  }

  #rest(repository: string, ms: number): void {
    this.#restUntil.set(repository, this.#registry.clock.monotonicMs() + ms);
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

/** Reads in what another tool changed in one layout, and writes index.json anew. */
export const projectLayout: HeavyWork<Registry, { readonly repository: string }, Projected> = {
  name: "project-layout",
  run: (registry, { repository }, signal) => {
    assert(hasLayouts(registry), "layouts are projected where there are any");
    return new LayoutWriter(registry, registry.report).project(repository, "all", signal);
  },
};

/** Writes index.json of one repository. */
class LayoutWriter {
  readonly #registry: LayoutRegistry;
  readonly #report: Report;

  constructor(registry: LayoutRegistry, report: Report) {
    this.#registry = registry;
    this.#report = report;
  }

  async project(
    repository: string,
    mode: ProjectionMode,
    signal: AbortSignal | undefined,
  ): Promise<Projected> {
    for (let attempt = 1; attempt <= triesMax; attempt += 1) {
      const { ours } = await lookAtIndex(this.#registry, repository);
      if (!ours && mode === "last") return "left";
      const { kind, stamp } = await reconcileLayout(
        this.#registry,
        repository,
        this.#report,
        signal,
      );
      if (kind === "unfinished") return "unfinished";
      if (await this.#write(repository, stamp)) return "written";
    }
    return "unfinished";
  }

  /** Puts our index.json in the place of the one that was `seen`; false when that is another one by now. */
  async #write(repository: string, seen: string | null): Promise<boolean> {
    const { metadata, layouts } = this.#registry;
    const layout = await metadata.openLayout(repository);
    // The repository is gone meanwhile, and with it what index.json had to show.
    if (layout === null) return true;
    const { generation, upstream } = layout;
    const missing = new Set<string>();
    const text = () =>
      writeLayoutIndex(this.#entryPages(repository, layout, missing), layout, upstream);
    try {
      const stamp = await layouts.writeIndex(repository, text, async (planned) => {
        await this.#commit({ kind: "plan-layout", repository, seen, stamp: planned });
        // Last of all: what another tool writes after this look is lost.
        if ((await layouts.indexStamp(repository)) !== seen) throw new ChangedMeanwhile();
      });
      await this.#commit({ kind: "record-layout", repository, stamp, generation });
      if (missing.size > 0) this.#tellMissing(repository, missing);
      return true;
    } catch (error) {
      if (error instanceof ChangedMeanwhile) return false;
      throw error;
    } finally {
      layout.close();
    }
  }

  /** What index.json lists: all of the metadata, except manifests whose bytes are `missing`. */
  *#entryPages(
    repository: string,
    layout: LayoutSnapshot,
    missing: Set<string>,
  ): Generator<LayoutEntry[]> {
    for (const page of layout.pages()) {
      const listed = page.filter(({ digest }) => {
        if (this.#isThere(repository, digest)) return true;
        missing.add(digest);
        return false;
      });
      yield listed.map(entryOf);
    }
  }

  /** Only what is not there is missing: one file that cannot be looked at keeps no index.json from being written. */
  #isThere(repository: string, digest: LayoutRecord["digest"]): boolean {
    try {
      return this.#registry.layouts.hasBlob(repository, digest);
    } catch {
      return true;
    }
  }

  #tellMissing(repository: string, missing: ReadonlySet<string>): void {
    this.#report("error", "bytes of manifests are gone; index.json does not list them", {
      repository,
      manifests: missing.size,
      digests: [...missing].slice(0, toldMax),
    });
  }

  async #commit(change: LayoutChange) {
    await this.#registry.metadata.commit(recordCommit(layoutStates, change));
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** Another tool wrote index.json between our look and our writing. */
class ChangedMeanwhile extends Error {
  override readonly name = "ChangedMeanwhile";
}

function entryOf(record: LayoutRecord): LayoutEntry {
  return {
    descriptor: { mediaType: record.mediaType, digest: record.digest, size: record.sizeBytes },
    tag: record.tag,
    ...(record.isCached && { isCached: true }),
  };
}
