/** What a process remembers of its answers about what happened lately, and what it seals numbers with. */
import { Lru } from "../lib/lru.ts";
import type { Metadata } from "../metadata/metadata.ts";
import { sharedSecret } from "../metadata/secrets.ts";

/** Pages whose entity tags are remembered. */
const tagsMax = 2_000;

export class ActivityAnswers {
  /** Entity tags of pages that were told, and the last record that there was. */
  readonly tags = new Lru<string, { readonly end: number; readonly tag: string }>({
    entriesMax: tagsMax,
  });
  readonly #metadata: Metadata;
  #key: Promise<Buffer> | null = null;

  constructor(metadata: Metadata) {
    this.#metadata = metadata;
  }

  /** The same in all processes. */
  key(): Promise<Buffer> {
    this.#key ??= sharedSecret(this.#metadata, "activity").catch((error: unknown) => {
      // Whoever asks next tries again.
      this.#key = null;
      throw error;
    });
    return this.#key;
  }
}
