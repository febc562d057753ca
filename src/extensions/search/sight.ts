/**
 * Which repositories a caller may read, decided once for all of them and remembered for as long as the same policy
 * decides about the same caller. Everything that search tells passes here first: what a caller may not read is not
 * counted, not sorted and not there.
 */
import { setImmediate } from "node:timers/promises";
import { everyone } from "../../auth/caller.ts";
import type { Call } from "../../http/call.ts";
import { stepsPerEntry } from "../../lib/request_budget.ts";
import type { RepositorySummary, Within } from "../../metadata/summaries.ts";
import type { TagTexts } from "./tag_texts.ts";
import type { RepositoryIndex } from "./repository_index.ts";

/** How long decisions are remembered, though nothing is known to have changed. */
const lastsMs = 60_000;
/** Names that are decided about in one turn. */
const turnMax = 250;

export class Sight {
  /** Those that the caller may read, by name. */
  readonly all: readonly RepositorySummary[];
  /** Their ids; null where it may read all. */
  readonly within: Within;
  readonly #index: RepositoryIndex;
  readonly #ids: ReadonlySet<number> | null;

  constructor(index: RepositoryIndex, ids: ReadonlySet<number> | null) {
    this.#index = index;
    this.#ids = ids;
    this.all = ids === null ? index.all : index.all.filter(({ id }) => ids.has(id));
    this.within = ids === null || ids.size >= index.all.length ? null : [...ids];
  }

  /** Tags of the repositories. */
  get tags(): TagTexts {
    return this.#index.tags;
  }

  /** Null for what is not there, and for what the caller may not read. */
  find(name: string): RepositorySummary | null {
    return this.#seen(this.#index.find(name));
  }

  at(id: number): RepositorySummary | null {
    return this.#seen(this.#index.at(id));
  }

  #seen(found: RepositorySummary | null): RepositorySummary | null {
    return found !== null && (this.#ids?.has(found.id) ?? true) ? found : null;
  }
}

interface Remembered {
  readonly ids: ReadonlySet<number>;
  readonly names: number;
  readonly atMs: number;
}

export class Sights {
  readonly #index: RepositoryIndex;
  /** By what a caller's decisions are remembered under; it goes with the caller. */
  readonly #remembered = new WeakMap<object, Remembered>();

  constructor(index: RepositoryIndex) {
    this.#index = index;
  }

  /** What the caller of a request may read, as of now. */
  async of(call: Call, nowMs: number): Promise<Sight> {
    const { caller } = call;
    await this.#index.refresh();
    if (caller === everyone) return new Sight(this.#index, null);
    const { memory } = caller;
    const known = memory === null ? undefined : this.#remembered.get(memory);
    if (known?.names === this.#index.names && nowMs - known.atMs < lastsMs) {
      return new Sight(this.#index, known.ids);
    }
    const { names } = this.#index;
    const ids = await this.#decide(call);
    if (memory !== null) this.#remembered.set(memory, { ids, names, atMs: nowMs });
    return new Sight(this.#index, ids);
  }

  async #decide({ caller, budget }: Call): Promise<Set<number>> {
    const ids = new Set<number>();
    for (const [at, { id, name }] of this.#index.all.entries()) {
      if (at % turnMax === turnMax - 1) await setImmediate();
      // How many there are is not the sender's choice.
      budget.grant(stepsPerEntry);
      if (caller.may("read", name)) ids.add(id);
    }
    return ids;
  }
}
