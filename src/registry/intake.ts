/**
 * What the steps of reading in another tool's layout share: `take_in_manifests.ts`, `take_in_tags.ts` and
 * `take_in_blobs.ts`, which `reconcile_layout.ts` calls. All of them work page by page.
 */
import type { LayoutRegistry } from "./registry.ts";

/** Problems that are told one by one; of more, only the number. */
const problemsMax = 100;
/** Digests, tags or files that are asked about at once. */
export const pageMax = 256;

/** `by` of a tag that was moved in an index.json; no user's name has a colon. */
export const layoutAuthor = ":index.json";

export interface Intake {
  readonly registry: LayoutRegistry;
  readonly repository: string;
  /**
   * The generation that the other tool had read before it wrote; null when it is not known. What was committed after
   * it is newer than the file.
   */
  readonly base: number | null;
  /** When an index.json of ours was written that is newer than the metadata; null for any other. */
  readonly laterAt: number | null;
  /** Whether its index.json is ours and says truly that it is a mirror. */
  readonly isMirror: boolean;
  readonly signal: AbortSignal | undefined;
  readonly counts: IntakeCounts;
  readonly problems: Problems;
}

export interface IntakeCounts {
  /** Not in the metadata yet. */
  manifests: number;
  blobs: number;
  tags: number;
  /** What the file says of tags and manifests that were moved or removed since: they stay as they are. */
  stale: number;
}

/** Lines about what could not be read in: each once, a bounded number, and how many more. */
export class Problems {
  readonly #lines = new Set<string>();
  #more = 0;
  #hidesNames = false;

  /** Whether any of them hides what content is named. */
  get hidesNames(): boolean {
    return this.#hidesNames;
  }

  /** What could not be read may have named other content. */
  addHiding(line: string): void {
    this.#hidesNames = true;
    this.add(line);
  }

  add(line: string): void {
    if (this.#lines.has(line)) return;
    if (this.#lines.size < problemsMax) this.#lines.add(line);
    else this.#more += 1;
  }

  get lines(): string[] {
    return this.#more === 0 ? [...this.#lines] : [...this.#lines, `and ${this.#more} more`];
  }
}

/** What may be asked about at once, from a list of any length. */
export function* pagesOf<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += pageMax) yield items.slice(from, from + pageMax);
}
