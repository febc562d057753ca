/** A registry's place in the memory of this process, for programs that embed one: empty at first, and gone at the end. */
import type { Leases } from "../lib/lease.ts";
import { must } from "../lib/assert.ts";
import { EpochCommitter, Epochs } from "../metadata/epochs.ts";
import { MemoryMetadata } from "../metadata/memory/memory_metadata.ts";
import { atOnce } from "../metadata/sql/bytes_under_lock.ts";
import type { Metadata } from "../metadata/metadata.ts";
import { openMemory, type MemoryOptions } from "../storage/memory/open_memory.ts";
import type { LocalStores, Stores } from "../storage/stores.ts";
import type { MetadataView, Root, Writer, WriterHooks } from "./root.ts";

export class MemoryRoot implements Root {
  readonly leases = ownLeases;
  readonly #stores: LocalStores;
  /** What tells those who remember that something changed. */
  readonly #epochs = new Epochs();
  #metadata: MemoryMetadata | null = null;

  constructor(options: MemoryOptions) {
    this.#stores = openMemory(options);
  }

  make(): readonly string[] {
    return [];
  }

  /** Nobody else can reach it. */
  claim(): { release(): void } {
    return { release: () => undefined };
  }

  async prepareBytes(): Promise<Stores> {
    return this.#stores;
  }

  openBytes(): Stores {
    return this.#stores;
  }

  async openWriter(hooks: WriterHooks): Promise<Writer> {
    const metadata = new MemoryMetadata({ bytes: atOnce(this.#stores.underLock), ...hooks });
    this.#metadata = metadata;
    return {
      committer: new EpochCommitter(metadata, this.#epochs),
      // Memory is not removed under a process.
      lost: new Promise(() => undefined),
      probe: async () => undefined,
      close: () => metadata.close(),
    };
  }

  openMetadata({ committer, remembers, onLookup }: MetadataView): Metadata {
    const metadata = must(this.#metadata, "the primary opens the metadata first");
    return metadata.open({ committer, epochs: remembers ? this.#epochs : null, onLookup });
  }
}

/** There is one server: its leases are always free, and never lost. */
const ownLeases: Leases = {
  take: async () => ({
    fence: 1,
    lost: new AbortController().signal,
    release: async () => undefined,
  }),
};
