/**
 * Finds files that nothing names: what a crash left behind between the bytes of a push and its commit.
 *
 * Once a week it passes over the names of all files under `blobs`, page by page, and asks the metadata for them. A file
 * that is not known, that no manifest names, that is a day old at least and that was found by the walk before, too, is
 * given to the sweep, which proves under the writer's lock that nothing names it. A walk that is broken off goes on where
 * it was.
 */
import { collection, type CollectionChange } from "../../metadata/collection.ts";
import { recordCommit } from "../../metadata/records.ts";
import { parseDigest, type Digest } from "../../oci/digest.ts";
import { Problems } from "../intake.ts";
import { lookAtIndex } from "../reconcile_layout.ts";
import { hasLayouts, type LayoutRegistry, type Registry } from "../registry.ts";
import { takeInDigests } from "../take_in_files.ts";
import { unreadUntil } from "./unread_layout.ts";

const dayMs = 24 * 60 * 60_000;
const walkEveryMs = 7 * dayMs;
/** A younger file may belong to a push, or to a tool that is at work. */
const ageMsMin = dayMs;
/** Repositories after which the place is noted. */
const repositoriesMax = 64;
/** After a page it rests so many times as long as the page took. */
const restFactor = 4;

interface Walk {
  readonly startedAt: number;
  /** The last repository that was looked at; null before the first. */
  readonly after: string | null;
  readonly isFinished: boolean;
}

export interface WalkOptions {
  readonly registry: Registry;
  /** `gcDelay` of the store that a repository lies in. */
  readonly delayMs: (repository: string) => number;
  /** Whether it looks at a repository at all. */
  readonly isWalked: (repository: string) => boolean;
  /** Whether it may go on now, with a repository, or at all (null). */
  readonly mayGoOn: (repository: string | null) => boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Walks if it is time for it; how many files it gave to the sweep. */
export async function walkFiles(options: WalkOptions): Promise<number> {
  const { registry } = options;
  if (!hasLayouts(registry)) return 0;
  return new FileWalk({ ...options, registry }).run();
}

class FileWalk {
  readonly #options: WalkOptions & { readonly registry: LayoutRegistry };
  #found = 0;

  constructor(options: WalkOptions & { readonly registry: LayoutRegistry }) {
    this.#options = options;
  }

  async run(): Promise<number> {
    const { metadata } = this.#options.registry;
    let walk = await this.#current();
    while (!walk.isFinished && this.#mayGoOn(null)) {
      const page = await metadata.repositories({ after: walk.after, limit: repositoriesMax });
      for (const repository of page) {
        if (!this.#options.isWalked(repository)) continue;
        if (!this.#mayGoOn(repository)) return this.#found;
        await this.#lookAt(repository, walk);
      }
      const isFinished = page.length < repositoriesMax;
      walk = { ...walk, after: page.at(-1) ?? walk.after, isFinished };
      await this.#note({ kind: "set", name: "walk", value: JSON.stringify(walk) });
      if (isFinished) await this.#note({ kind: "forget-strays", walk: walk.startedAt });
    }
    return this.#found;
  }

  #mayGoOn(repository: string | null): boolean {
    const { mayGoOn, signal } = this.#options;
    return mayGoOn(repository) && signal?.aborted !== true;
  }

  /** The walk that is not finished, the next one if it is time for it, or the last one. */
  async #current(): Promise<Walk> {
    const { metadata, clock } = this.#options.registry;
    const text = await metadata.records(collection).value("walk");
    const last = text === null ? null : (JSON.parse(text) as Walk);
    const now = clock.now();
    if (last !== null && !last.isFinished) return last;
    const isRecent = last !== null && Math.abs(now - last.startedAt) < walkEveryMs;
    return isRecent ? last : { startedAt: now, after: null, isFinished: false };
  }

  async #note(change: CollectionChange): Promise<void> {
    await this.#options.registry.metadata.commit(recordCommit(collection, change));
  }

  async #lookAt(repository: string, walk: Walk): Promise<void> {
    const { registry, signal } = this.#options;
    const { layouts, clock, report } = registry;
    const unreadable = (directory: string, error: unknown): void =>
      report("error", "a directory could not be read", { directory, error: String(error) });
    try {
      // What another tool lists there is taken in first.
      if (!(await lookAtIndex(registry, repository)).ours) return;
      if ((await unreadUntil(registry, repository)) !== null) return;
      for await (const { algorithm, names } of layouts.blobNames(repository, unreadable)) {
        if (!this.#mayGoOn(repository)) return;
        const startedMs = clock.monotonicMs();
        const digests = names.flatMap((name) => parseDigest(`${algorithm}:${name}`) ?? []);
        await this.#lookAtPage(repository, digests, walk);
        await clock.sleep((clock.monotonicMs() - startedMs) * restFactor, signal);
      }
    } catch (error) {
      report("error", "the files of a repository could not be looked at", {
        repository,
        error: String(error),
      });
    }
  }

  async #lookAtPage(
    repository: string,
    digests: readonly Digest[],
    { startedAt }: Walk,
  ): Promise<void> {
    const { metadata, report } = this.#options.registry;
    const known = new Set(
      (await metadata.held(repository, digests)).map(({ digest }): string => digest),
    );
    const unknown = digests.filter(
      (digest) => !known.has(digest) && this.#isOld(repository, digest),
    );
    const strays = await this.#unnamedOf(repository, unknown);
    if (strays.length === 0) return;
    const reads = metadata.records(collection);
    const again = new Set(await reads.strays(repository, strays, startedAt));
    await this.#note({ kind: "note-strays", repository, digests: strays, walk: startedAt });
    for (const digest of strays.filter((stray) => again.has(stray))) {
      report("info", "a file that nothing names is given to the sweep", { repository, digest });
      await metadata.commit({
        repository,
        preconditions: [],
        changes: [{ kind: "release-bytes", digest }],
        by: null,
      });
      this.#found += 1;
    }
  }

  /** What a manifest names was missing when that was read in, and somebody has put it here since: it is read in now. */
  async #unnamedOf(repository: string, digests: readonly Digest[]): Promise<Digest[]> {
    const { registry, signal } = this.#options;
    const reads = registry.metadata.records(collection);
    const [named, unnamed]: [Digest[], Digest[]] = [[], []];
    for (const digest of digests) {
      const { parent } = await reads.blob(repository, digest);
      (parent === null ? unnamed : named).push(digest);
    }
    if (named.length === 0) return unnamed;
    const problems = new Problems();
    const counts = { manifests: 0, blobs: 0, tags: 0, stale: 0 };
    const place = { registry, repository, base: null, laterAt: null, isMirror: false, signal };
    await takeInDigests({ ...place, counts, problems }, named);
    for (const line of problems.lines) registry.report("error", line, { repository });
    return unnamed;
  }

  #isOld(repository: string, digest: Digest): boolean {
    const { registry, delayMs } = this.#options;
    const file = registry.layouts.lookAtBlob(repository, digest);
    const ageMs = registry.clock.now() - (file?.changedAt ?? Number.POSITIVE_INFINITY);
    return file?.lying === "file" && ageMs >= Math.max(delayMs(repository), ageMsMin);
  }
}
