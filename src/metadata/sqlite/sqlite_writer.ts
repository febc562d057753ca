/**
 * The one writer of a SQLite store: group commit over `apply_commit.ts`.
 *
 * Commits that arrive while a transaction is being flushed share the next one. Each is all or nothing, and a batch that
 * fails as a whole is tried again one commit at a time, so that one bad commit does not fail the others. A commit of
 * many steps runs alone, and other commits run between two of its steps. With `durable`, a commit resolves after its
 * flush. Once the files were removed or replaced under the writer, no commit is acknowledged or accepted any more.
 * Commits of other processes arrive through `../commit_channel.ts`.
 */
import { constants, type Database, SQLiteError } from "bun:sqlite";
import { Connection } from "./connection.ts";
import { closeSync, openSync } from "node:fs";
import { Batcher } from "../../lib/batcher.ts";
import type { Clock } from "../../lib/clock.ts";
import { KeptFiles } from "../../lib/kept_files.ts";
import type { AnyCommit, CommitOutcome, Committer, SpareRoom } from "../metadata.ts";
import { MetadataFull, MetadataUnavailable } from "../metadata.ts";
import type { BytesUnderLock } from "../sql/bytes_under_lock.ts";
import { stepsOf } from "../sql/commit_steps.ts";
import { applyCommit } from "../sql/apply_commit.ts";
import type { RecordChange } from "../records.ts";
import { freesSpace } from "./full_disk.ts";
import { tablesWithLayouts } from "./own_tables.ts";
import { storesOf, type RecordTables, type Stores } from "../sql/record_tables.ts";
import { finish } from "../sql/statements.ts";
import { migrate, schemaVersion } from "./schema.ts";
import { SqliteEngine } from "./sqlite_engine.ts";

/** Commits that share one transaction at most. */
const batchCommitsMax = 512;
/** Commits that may wait for a transaction; more are refused rather than queued without end. */
const waitingCommitsMax = 10_000;
/**
 * Steps (a check, a row) of the commits in one transaction: about a tenth of a second. A commit of more than
 * `heavySteps` runs alone, in turn with the others; so many steps may wait in such commits.
 */
const batchStepsMax = 10_000;
const heavySteps = 256;
const heavyStepsMax = 200_000;
/** How long readers are waited for where the disk is full, so that the log takes no more of it. */
const fullWaitMs = 50;
/** How long a write waits for another server on the same root. */
const busyMs = 10_000;

export interface SqliteWriterOptions {
  readonly path: string;
  /** Flush before a commit resolves (`storage.commit`). */
  readonly durable: boolean;
  readonly clock: Clock;
  readonly bytes: BytesUnderLock;
  /** Further files that an acknowledgement rests on, looked at with the store's own before each one. */
  readonly kept?: readonly string[];
  /** What deletes may use when the disk is full; null keeps nothing for them. */
  readonly spare?: SpareRoom | null;
  /** Small stores beside the metadata. */
  readonly records?: readonly RecordTables<RecordChange, unknown>[] | undefined;
  /** Called once, when one of these files was removed or replaced: the store is of no use any more. */
  readonly onLost?: (problem: string) => void;
  /** Called after every transaction: how many commits it held, and how long it took. */
  readonly onBatch?: ((commits: number, ms: number) => void) | undefined;
}

type Settled = { readonly outcome: CommitOutcome } | { readonly error: Error };

export class SqliteWriter implements Committer {
  readonly #database: Database;
  readonly #engine: SqliteEngine;
  readonly #options: SqliteWriterOptions;
  readonly #batcher: Batcher<AnyCommit, Settled>;
  readonly #kept: KeptFiles;
  readonly #stores: Stores;
  #lost: string | null = null;
  /** There is no spare room: nothing but deletes is taken until it is there again. */
  #isFull = false;

  constructor(options: SqliteWriterOptions) {
    this.#options = options;
    this.#stores = storesOf(options.records ?? tablesWithLayouts);
    this.#database = openDatabase(options, this.#stores);
    this.#engine = new SqliteEngine(this.#database);
    // What stands in the log alone has no place in the database file yet: on a disk that fills up meanwhile it would get
    // none, and the log could only grow.
    this.#foldLog("TRUNCATE");
    this.#isFull = !this.makeSpare();
    const own = ["", "-wal", "-shm"].map((end) => `${options.path}${end}`);
    this.#kept = new KeptFiles([...own, ...(options.kept ?? [])]);
    this.#batcher = new Batcher<AnyCommit, Settled>({
      run: async (commits) => this.#runBatch(commits),
      itemsMax: batchCommitsMax,
      waitingMax: waitingCommitsMax,
      weights: {
        weigh: stepsOf,
        weightMax: batchStepsMax,
        heavyMin: heavySteps,
        heavyWaitingMax: heavyStepsMax,
      },
    });
  }

  /** @throws MetadataUnavailable when the files are not there any more as they were opened. */
  requireKept(): void {
    if (this.#lost === null) {
      this.#lost = this.#kept.problem();
      if (this.#lost !== null) this.#options.onLost?.(this.#lost);
    }
    if (this.#lost !== null) throw new MetadataUnavailable(`The metadata is lost: ${this.#lost}`);
  }

  /** Whether the spare room is there; where the disk is full the log gives its space for it, if it can be had. */
  makeSpare(): boolean {
    const { spare = null } = this.#options;
    if (spare === null || spare.fill()) return true;
    this.#foldLog("TRUNCATE");
    return spare.fill();
  }

  /** Writes and flushes something that changes nothing. @throws MetadataFull, MetadataUnavailable. */
  probe(): void {
    try {
      this.requireKept();
      const version = schemaVersion(this.#database);
      const write = (): unknown => this.#database.run(`PRAGMA user_version = ${version}`);
      this.#database.transaction(write).immediate();
    } catch (cause) {
      throw this.#asFull(cause);
    }
  }

  async commit(commit: AnyCommit): Promise<CommitOutcome> {
    if (this.#isFull && !freesSpace(this.#stores, commit)) this.#refill();
    const settled = await this.#batcher.submit(commit);
    if ("error" in settled) throw settled.error;
    return settled.outcome;
  }

  /**
   * Waits for the commits in flight, folds the log into the database file, and closes it. Where it cannot be
   * folded in (full disk) the log stays, which loses nothing: the next start reads it.
   */
  async close(): Promise<void> {
    await this.#batcher.idle();
    try {
      this.#database.run("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (error) {
      if (!(error instanceof SQLiteError)) throw error;
    }
    this.#database.close();
  }

  #runBatch(commits: AnyCommit[]): Settled[] {
    try {
      if (this.#lost !== null) this.requireKept();
      const settled = this.#settle(commits);
      // A write into a file that was removed must not count as durable.
      this.requireKept();
      return settled;
    } catch (error) {
      const lost = storeError(error);
      return commits.map(() => ({ error: lost }));
    }
  }

  #settle(commits: AnyCommit[]): Settled[] {
    const { clock, onBatch } = this.#options;
    const startedMs = clock.monotonicMs();
    try {
      const settled = this.#transact(commits);
      onBatch?.(commits.length, clock.monotonicMs() - startedMs);
      // A log that is written over from its start each time takes no more of what is left.
      if (this.#isFull) this.#foldLog("RESTART", fullWaitMs);
      return settled;
    } catch (cause) {
      if (commits.length === 1) return commits.map((commit) => this.#runFull(commit, cause));
      return commits.map((commit) => this.#runAlone(commit));
    }
  }

  #runAlone(commit: AnyCommit): Settled {
    try {
      return this.#transact([commit])[0] ?? { error: storeError("no outcome") };
    } catch (cause) {
      return this.#runFull(commit, cause);
    }
  }

  /** A commit failed. If that was for want of space, and it frees some, there are ways to find enough for it. */
  #runFull(commit: AnyCommit, cause: unknown): Settled {
    let failure = this.#asFull(cause);
    for (const makeRoom of [() => this.#foldLog("PASSIVE"), () => this.#useSpare()]) {
      if (!(failure instanceof MetadataFull) || !freesSpace(this.#stores, commit)) break;
      if (!makeRoom()) continue;
      try {
        return this.#transact([commit])[0] ?? { error: failure };
      } catch (again) {
        failure = this.#asFull(again);
      }
    }
    return { error: failure };
  }

  /**
   * Folds the log into the database, so that it is written over from its start and takes no more of the disk, or none
   * at all. Without `waitMs` it does not wait for readers: what they need stays.
   */
  #foldLog(mode: "PASSIVE" | "RESTART" | "TRUNCATE", waitMs = 0): boolean {
    try {
      this.#database.run(`PRAGMA busy_timeout = ${waitMs}`);
      this.#database.run(`PRAGMA wal_checkpoint(${mode})`);
      return true;
    } catch (error) {
      if (error instanceof SQLiteError) return false;
      throw error;
    } finally {
      this.#database.run(`PRAGMA busy_timeout = ${busyMs}`);
    }
  }

  #useSpare(): boolean {
    if (this.#options.spare?.release() !== true) return false;
    this.#isFull = true;
    this.#foldLog("RESTART", fullWaitMs);
    return true;
  }

  /** @throws MetadataFull while there is no room for what deletes need. */
  #refill(): void {
    if (this.#options.spare?.fill() === false) {
      throw new MetadataFull("What is left of the disk is kept for deletes");
    }
    this.#isFull = false;
  }

  /** SQLite tells a full disk from other trouble, but not a quota that is used up. */
  #asFull(cause: unknown): Error {
    const isUnclear =
      cause instanceof SQLiteError && cause.code?.startsWith("SQLITE_IOERR") === true;
    if (isUnclear && this.#options.spare?.hasRoom() === false) {
      return new MetadataFull("No space left for the metadata store", { cause });
    }
    return storeError(cause);
  }

  #transact(commits: AnyCommit[]): Settled[] {
    const context = {
      engine: this.#engine,
      bytes: this.#options.bytes,
      stores: this.#stores,
      now: this.#options.clock.now(),
      found: { holds: null },
    };
    const work = this.#database.transaction(() =>
      commits.map((commit): Settled => ({ outcome: finish(applyCommit(context, commit)) })),
    );
    return work.immediate();
  }
}

/** The store holds names that other users must not read; its log gets the same mode. */
const databaseMode = 0o600;

/** @throws Error with one line for the operator. */
function openDatabase(options: SqliteWriterOptions, stores: Stores): Database {
  try {
    closeSync(openSync(options.path, "a", databaseMode));
    const database = new Connection(options.path, { create: true, readwrite: true, strict: true });
    database.run(`PRAGMA busy_timeout = ${busyMs}`);
    useLog(database);
    // The log's files stay after a stop: on a full disk the next start could not make them, not even to read.
    database.fileControl(constants.SQLITE_FCNTL_PERSIST_WAL, 1);
    database.run(`PRAGMA synchronous = ${options.durable ? "FULL" : "NORMAL"}`);
    database.run("PRAGMA temp_store = MEMORY");
    database.run("PRAGMA cache_size = -16384"); // KiB
    database.run("PRAGMA wal_autocheckpoint = 4000"); // pages: 16 MiB of log
    migrate(database, stores);
    return database;
  } catch (cause) {
    if (!(cause instanceof SQLiteError)) throw cause;
    throw new Error(
      `metadata: expected to open ${options.path}, and cannot (${cause.message}); ` +
        "look for free space, rights and a damaged file there",
      { cause },
    );
  }
}

/** Several servers that make a database at once are told "busy" here at once, whatever `busy_timeout` says. */
function useLog(database: Database): void {
  const untilMs = performance.now() + busyMs;
  for (;;) {
    try {
      database.run("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      const isBusy = error instanceof SQLiteError && error.code === "SQLITE_BUSY";
      if (!isBusy || performance.now() > untilMs) throw error;
      Bun.sleepSync(10);
    }
  }
}

/** Names the failure for callers: a full disk is theirs to mend, the rest is the operator's. */
function storeError(cause: unknown): Error {
  if (cause instanceof MetadataUnavailable) return cause;
  if (cause instanceof SQLiteError && cause.code === "SQLITE_FULL") {
    return new MetadataFull("No space left for the metadata store", { cause });
  }
  const text = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof SQLiteError && cause.code !== undefined ? ` (${cause.code})` : "";
  return new MetadataUnavailable(`The metadata store cannot be written: ${text}${code}`, { cause });
}
