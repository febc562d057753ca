/**
 * Tags of all repositories in the memory of a worker, so that a search for a part of a tag reads no database: a text for
 * each repository, with a tag a line. A text is read anew when its repository has changed, and only when somebody
 * searches.
 */
import { setImmediate } from "node:timers/promises";
import { MiB } from "../../lib/bytes.ts";
import { summaries, type RepositorySummary } from "../../metadata/summaries.ts";
import type { Metadata } from "../../metadata/metadata.ts";

/** Characters that are remembered; tags of further repositories are read each time. */
const tagTextMax = 32 * MiB;
/** Characters that are read, or searched, in one turn: about a millisecond of either. */
const turnLength = 256 * 1024;

interface TagText {
  readonly version: number;
  /** Tags as they are. */
  readonly text: string;
  /** The same in lower case. */
  readonly lower: string;
}

export class TagTexts {
  readonly #metadata: Metadata;
  readonly #texts = new Map<number, TagText>();
  #length = 0;

  constructor(metadata: Metadata) {
    this.#metadata = metadata;
  }

  /** Tags that contain a text in lower case, of each of these repositories in turn, at most `limit` of all. */
  async find(
    repositories: readonly RepositorySummary[],
    text: string,
    limit: number,
  ): Promise<{ repository: number; tag: string }[]> {
    const found: { repository: number; tag: string }[] = [];
    // It stands between two tags.
    if (text.includes("\n")) return found;
    let turn = 0;
    for (const repository of repositories) {
      const known = await this.of(repository);
      for (const tag of linesWith(known, text)) {
        if (found.length >= limit) return found;
        found.push({ repository: repository.id, tag });
      }
      turn += known.text.length;
      if (turn < turnLength) continue;
      turn = 0;
      await setImmediate();
    }
    return found;
  }

  /** All tags of a repository. */
  async all(repository: RepositorySummary): Promise<string[]> {
    const { text } = await this.of(repository);
    return text === "" ? [] : text.split("\n");
  }

  /** The repository is not there any more. */
  forget(repository: number): void {
    this.#length -= lengthOf(this.#texts.get(repository));
    this.#texts.delete(repository);
  }

  async of({ id, version }: RepositorySummary): Promise<TagText> {
    const known = this.#texts.get(id);
    if (known?.version === version) return known;
    const text = await this.#metadata.records(summaries).tagText(id);
    const lower = text.toLowerCase();
    const read = { version, text, lower: lower === text ? text : lower };
    this.forget(id);
    if (this.#length + lengthOf(read) > tagTextMax) return read;
    this.#texts.set(id, read);
    this.#length += lengthOf(read);
    return read;
  }
}

function lengthOf(known: TagText | undefined): number {
  if (known === undefined) return 0;
  return known.text === known.lower ? known.text.length : 2 * known.text.length;
}

/** Lines of a text in which something stands. */
function* linesWith({ text, lower }: TagText, part: string): Generator<string> {
  for (let at = lower.indexOf(part); at >= 0;) {
    const start = lower.lastIndexOf("\n", at) + 1;
    const next = lower.indexOf("\n", at);
    const end = next < 0 ? lower.length : next;
    if (end > start) yield text.slice(start, end);
    at = end < lower.length ? lower.indexOf(part, end + 1) : -1;
  }
}
