/**
 * What a worker remembers of all repositories: their summaries, brought up to date by what changed since. Searching
 * names, and sorting, then takes no look at images at all.
 */
import { setImmediate } from "node:timers/promises";
import { TagTexts } from "./tag_texts.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import { summaries, type RepositorySummary } from "../../metadata/summaries.ts";

/** Rows that are read in one turn. */
const pageMax = 500;

export class RepositoryIndex {
  readonly #metadata: Metadata;
  readonly #all = new Map<number, RepositorySummary>();
  readonly #byName = new Map<string, RepositorySummary>();
  #sorted: readonly RepositorySummary[] | null = null;
  #version = 0;
  #reading: Promise<void> | null = null;
  /** Their tags. */
  readonly tags: TagTexts;
  /** Changes whenever a repository comes or goes. */
  names = 0;

  constructor(metadata: Metadata) {
    this.#metadata = metadata;
    this.tags = new TagTexts(metadata);
  }

  /** Reads what changed. */
  async refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    await this.#reading;
  }

  /** Those that have an image, by name. */
  get all(): readonly RepositorySummary[] {
    this.#sorted ??= [...this.#all.values()].sort((a, b) => inByteOrder(a.name, b.name));
    return this.#sorted;
  }

  find(name: string): RepositorySummary | null {
    return this.#byName.get(name) ?? null;
  }

  at(id: number): RepositorySummary | null {
    return this.#all.get(id) ?? null;
  }

  async #read(): Promise<void> {
    const reads = this.#metadata.records(summaries);
    for (;;) {
      const page = await reads.changed(this.#version, pageMax);
      for (const each of page) this.#take(each);
      if (page.length < pageMax) return;
      await setImmediate();
    }
  }

  #take(summary: RepositorySummary): void {
    const { id, name, images, version } = summary;
    this.#version = version;
    this.#sorted = null;
    if (images > 0 !== this.#all.has(id)) this.names += 1;
    if (images > 0) {
      this.#all.set(id, summary);
      this.#byName.set(name, summary);
    } else {
      this.#all.delete(id);
      this.#byName.delete(name);
      this.tags.forget(id);
    }
  }
}

export function inByteOrder(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
