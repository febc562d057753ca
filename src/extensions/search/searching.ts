/** What the resolvers of one request work with. */
import type { Caller } from "../../auth/caller.ts";
import { summaries, type Preference, type SummaryReads } from "../../metadata/summaries.ts";
import type { Registry } from "../../registry/registry.ts";
import { imagesMax, tooManyImages } from "./paging.ts";
import { SearchError } from "./search_error.ts";
import type { Sight } from "./sight.ts";

/** Configurations that one request reads for their histories. */
const configsMax = 256;
/** Referrers that one request is given. */
const referrersMax = 10_000;

export class Searching {
  readonly registry: Registry;
  readonly caller: Caller;
  readonly sight: Sight;
  readonly reads: SummaryReads;
  readonly #preferred = new Map<Preference, Promise<ReadonlySet<number>>>();
  #images = 0;
  #configs = 0;
  #referrers = 0;

  constructor(registry: Registry, caller: Caller, sight: Sight) {
    this.registry = registry;
    this.caller = caller;
    this.sight = sight;
    this.reads = registry.metadata.records(summaries);
  }

  /** Ids of repositories that the caller prefers; none for an anonymous one. */
  preferred(preference: Preference): Promise<ReadonlySet<number>> {
    let known = this.#preferred.get(preference);
    if (known === undefined) {
      const { name } = this.caller;
      known =
        name === null
          ? Promise.resolve(new Set<number>())
          : this.reads.preferred(name, preference).then((ids) => new Set(ids));
      this.#preferred.set(preference, known);
    }
    return known;
  }

  /** Images are to be looked at for this request. @throws SearchError. */
  takeImages(count: number): void {
    this.#images += count;
    if (this.#images > imagesMax) throw tooManyImages();
  }

  /** @throws SearchError. */
  takeConfig(): void {
    if (++this.#configs > configsMax) {
      throw new SearchError(`the history of more than ${configsMax} images: ask for fewer at once`);
    }
  }

  /** How many referrers may still be given. */
  takeReferrers(count: number): number {
    const left = Math.max(0, Math.min(count, referrersMax - this.#referrers));
    this.#referrers += left;
    return left;
  }
}
