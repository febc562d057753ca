/**
 * The metadata store in the memory of one process: for tests and for embedding.
 *
 * It is the SQLite store on a database without a file, so that only one implementation says what commits mean. What
 * concerns files only (flushes and their batches, other processes, full disks) does not apply to it.
 */
import { Connection } from "../sqlite/connection.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Epochs } from "../epochs.ts";
import type { OnLookup } from "../fact_cache.ts";
import type { AnyCommit, CommitOutcome, Committer, Metadata } from "../metadata.ts";
import type { BytesUnderLock } from "../sql/bytes_under_lock.ts";
import { applyCommit } from "../sql/apply_commit.ts";
import type { RecordChange } from "../records.ts";
import { ownTables } from "../sqlite/own_tables.ts";
import { storesOf, type RecordTables, type RecordWork } from "../sql/record_tables.ts";
import { finish, type Rule } from "../sql/statements.ts";
import { migrate } from "../sqlite/schema.ts";
import { SqliteEngine } from "../sqlite/sqlite_engine.ts";
import { SqliteMetadata } from "../sqlite/sqlite_metadata.ts";

export interface MemoryMetadataOptions {
  readonly clock: Clock;
  readonly bytes: BytesUnderLock;
  /** Small stores beside the metadata. */
  readonly records?: readonly RecordTables<RecordChange, unknown>[] | undefined;
  /** Called after each commit with how long it took. */
  readonly onBatch?: ((commits: number, ms: number) => void) | undefined;
}

/** How a part of the process sees metadata in memory. */
export interface MemoryView {
  /** Where its commits go: the store itself, or what stands before it. */
  readonly committer: Committer;
  /** With these it remembers what it read. */
  readonly epochs?: Epochs | null;
  readonly onLookup?: OnLookup | null | undefined;
}

/** A database that several parts of a process look at; empty at first, and forgotten when it is closed. */
export class MemoryMetadata implements Committer {
  readonly #database = new Connection(":memory:", { strict: true });
  readonly #records: readonly RecordTables<RecordChange, unknown>[];
  readonly #options: MemoryMetadataOptions;
  readonly #context: Pick<Parameters<typeof applyCommit>[0], "engine" | "bytes" | "stores">;

  constructor(options: MemoryMetadataOptions) {
    this.#options = options;
    this.#records = options.records ?? ownTables;
    const stores = storesOf(this.#records);
    migrate(this.#database, stores);
    this.#context = {
      engine: new SqliteEngine(this.#database),
      bytes: options.bytes,
      stores,
    };
  }

  async commit(unit: AnyCommit): Promise<CommitOutcome> {
    const { clock, onBatch } = this.#options;
    const startedMs = clock.monotonicMs();
    const context = { ...this.#context, now: clock.now(), found: { holds: null } };
    const outcome = this.#database
      .transaction(() => finish(applyCommit(context, unit)))
      .immediate();
    onBatch?.(1, clock.monotonicMs() - startedMs);
    return outcome;
  }

  /** Follows a rule of its own, which is a commit by itself. */
  decide<T>(rule: (work: RecordWork) => Rule<T>): T {
    const work = { engine: this.#context.engine, now: this.#options.clock.now() };
    return this.#database.transaction(() => finish(rule(work))).immediate();
  }

  /** What this gives is closed with the database. */
  open({ committer, epochs = null, onLookup = null }: MemoryView): Metadata {
    return new SqliteMetadata(this.#database, committer, epochs, onLookup, this.#records);
  }

  async close(): Promise<void> {
    this.#database.close();
  }
}
