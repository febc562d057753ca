/** What the resolvers of one request work with. */
import type { ShowsTag } from "../../api/shown_tags.ts";
import type { Caller } from "../../auth/caller.ts";
import { MiB } from "../../lib/bytes.ts";
import {
  summaries,
  type FoundImage,
  type Preference,
  type SummaryReads,
} from "../../metadata/summaries.ts";
import type { Registry } from "../../registry/registry.ts";
import { imagesMax, tooManyImages } from "./paging.ts";
import { SearchError } from "./search_error.ts";
import type { Sight } from "./sight.ts";

/** Configurations that one request reads for their histories. */
const configsMax = 256;
/** Referrers that one request is given. */
const referrersMax = 10_000;
/** Images that all searches of one request find together, by digests, tags and layers, or read to sort them. */
const foundMax = 2 * imagesMax;
/** Searches of one request that look at every tag. */
const scansMax = 2;
/** Manifests, layers and steps of histories that one request is given. */
export const partsMax = 500_000;
/** Characters of texts of images, and of annotations, that one request is given; a field may be asked for twice. */
export const textsMax = 32 * MiB;

/** Where an image is. */
export interface Place {
  readonly repository: number;
  readonly tag: string;
  /** Of an index, the images of it that were found; all of them without it. */
  readonly parts?: ReadonlySet<string>;
}

/** Each image once, with all that was found in it. */
export function placesOf(found: readonly FoundImage[]): Place[] {
  const places = new Map<string, { repository: number; tag: string; parts?: Set<string> }>();
  for (const { repository, tag, child } of found) {
    const key = `${repository}:${tag}`;
    const known = places.get(key);
    if (known === undefined) {
      const parts = child === null ? {} : { parts: new Set([child]) };
      places.set(key, { repository, tag, ...parts });
    } else if (child === null) {
      delete known.parts;
    } else {
      known.parts?.add(child);
    }
  }
  return [...places.values()];
}

export class Searching {
  readonly registry: Registry;
  readonly caller: Caller;
  /** Whether the caller is told who pushed: as in the history of a tag, whoever has logged in. */
  readonly showsWho: boolean;
  readonly sight: Sight;
  /** Null where all tags of what the caller may read are shown. */
  readonly showsTag: ShowsTag | null;
  readonly reads: SummaryReads;
  readonly #preferred = new Map<Preference, Promise<ReadonlySet<number>>>();
  #images = 0;
  #configs = 0;
  #referrers = 0;
  #found = 0;
  #scans = 0;
  #parts = 0;
  #texts = 0;
  /** Searches of one request wait for each other: what one finds is less for the next. */
  #search: Promise<unknown> = Promise.resolve();

  constructor(
    registry: Registry,
    {
      caller,
      showsWho,
      sight,
      showsTag = null,
    }: {
      readonly caller: Caller;
      readonly showsWho: boolean;
      readonly sight: Sight;
      readonly showsTag?: ShowsTag | null;
    },
  ) {
    this.registry = registry;
    this.caller = caller;
    this.showsWho = showsWho;
    this.sight = sight;
    this.showsTag = showsTag;
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

  /**
   * Images that a search finds and the caller may see, also where some came since it was asked what that is. The search
   * is given the number of images to find. @throws SearchError.
   */
  find<Found extends Place>(
    search: (limit: number) => Promise<readonly Found[]>,
  ): Promise<readonly Found[]> {
    const found = this.#search.then(async () => {
      const rows = await search(Math.min(imagesMax, foundMax - this.#found) + 1);
      this.takeFound(rows.length);
      return this.seen(rows);
    });
    this.#search = found.catch(() => undefined);
    return found;
  }

  /** Those that the caller may see. */
  seen<Found extends Place>(rows: readonly Found[]): readonly Found[] {
    return rows.filter(({ repository, tag }) => {
      const name = this.sight.at(repository)?.name;
      return name !== undefined && (this.showsTag?.(name, tag) ?? true);
    });
  }

  /** Images were read. @throws SearchError. */
  takeFound(count: number): void {
    this.#found += count;
    if (count > imagesMax || this.#found > foundMax) throw tooManyImages();
  }

  /** Every tag is to be looked at. @throws SearchError. */
  takeScan(): void {
    if (++this.#scans > scansMax) {
      throw new SearchError(`more than ${scansMax} searches for tags: ask for fewer at once`);
    }
  }

  /** @throws SearchError. */
  takeParts(count: number): void {
    this.#parts += count;
    if (this.#parts > partsMax) {
      throw new SearchError(`more than ${partsMax} manifests and layers: ask for fewer images`);
    }
  }

  /** @throws SearchError. */
  takeTexts(length: number): void {
    this.#texts += length;
    if (this.#texts > textsMax) {
      throw new SearchError(`more than ${textsMax} characters: ask for fewer images`);
    }
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
