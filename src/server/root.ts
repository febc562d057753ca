/**
 * Where a registry keeps its bytes and metadata, as the parts of a server open it: a directory
 * (`directory_root.ts`), a directory and a store of objects (`object_root.ts`), or the memory of this process
 * (`memory_root.ts`).
 */
import type { Clock } from "../lib/clock.ts";
import type { Leases } from "../lib/lease.ts";
import type { Log } from "../lib/log.ts";
import type { Committer, Metadata } from "../metadata/metadata.ts";
import type { MetadataExporter } from "../registry/export_job.ts";
import type { Stores } from "../storage/stores.ts";

export interface Root {
  /** Of the jobs. */
  readonly leases: Leases;
  /** Makes the place, and says what is unwise about it. @throws with one line for the operator. */
  make(): readonly string[];
  /** Keeps other servers away. @throws with one line for the operator. */
  claim(log: Pick<Log, "warn">): { release(): void };
  /** The bytes as the primary has them, who prepares the place. Called once, after `claim`. */
  prepareBytes(): Promise<Stores>;
  /** The metadata for writing; the primary opens them, after the bytes. */
  openWriter(hooks: WriterHooks): Promise<Writer>;
  /** The bytes as everybody else reads and writes them; what is known of them is written by commits. */
  openBytes(committer: Committer): Stores;
  /** Null, or not there, where metadata are not exported. */
  readonly exporter?: MetadataExporter | null;
  /** The metadata for reading, with commits that go to a committer. */
  openMetadata(view: MetadataView): Metadata;
}

export interface WriterHooks {
  readonly clock: Clock;
  readonly onBatch: ((commits: number, ms: number) => void) | undefined;
}

export interface Writer {
  /** Where commits go. */
  readonly committer: Committer;
  /** Resolves with one line for the operator when files that it holds open were removed or replaced. */
  readonly lost: Promise<string>;
  /** A small write. @throws where the disk takes none, or has no room for the space that is kept for deletes. */
  probe(): Promise<void>;
  close(): Promise<void>;
}

export interface MetadataView {
  readonly committer: Committer;
  /** Remembers what was read; without it each read is made anew. */
  readonly remembers: boolean;
  /** Hears of lookups in what is remembered. */
  readonly onLookup: ((hit: boolean) => void) | undefined;
}
