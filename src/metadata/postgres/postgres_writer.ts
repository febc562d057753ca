/**
 * The write side of the PostgreSQL store: group commit over the rules of `../sql/`.
 *
 * Commits that arrive while a transaction is on its way share the next one of this process. Transactions of all
 * processes run one after the other (`lockWriters`): totals of content compare what all repositories have, which is
 * right only while nobody else changes it. So numbers of history are in the order of commits, too.
 *
 * Every transaction leaves an id. When its answer is lost, the same id is tried again: either it is there, and all was
 * committed, or it is not, and never will be, and all is done anew with it.
 */
import { Batcher } from "../../lib/batcher.ts";
import { must } from "../../lib/assert.ts";
import { systemClock, type Clock } from "../../lib/clock.ts";
import {
  MetadataFull,
  MetadataUnavailable,
  type AnyCommit,
  type Commit,
  type CommitOutcome,
  type Committer,
} from "../metadata.ts";
import { applyCommit } from "../sql/apply_commit.ts";
import type { BytesUnderLock } from "../sql/bytes_under_lock.ts";
import { stepsOf } from "../sql/commit_steps.ts";
import type { Stores } from "../sql/record_tables.ts";
import { pursue, type Statement } from "../sql/statements.ts";
import {
  PostgresError,
  type Ask,
  type Fate,
  type PostgresConnections,
} from "./postgres_connections.ts";
import { postgresEngine } from "./postgres_engine.ts";

/** Commits that share one transaction at most. */
const batchCommitsMax = 64;
/** Commits that may wait for a transaction; more are refused rather than queued without end. */
const waitingCommitsMax = 10_000;
/** Steps (a check, a row) of the commits in one transaction; a commit of more than `heavySteps` runs alone. */
const batchStepsMax = 2_000;
const heavySteps = 256;
const heavyStepsMax = 200_000;
/** How long the outcome of a commit is asked for, after its answer was lost. */
const decideMs = 10_000;
/** How often a transaction is tried that the server wants to be tried again. */
const repeatsMax = 3;
/** Ids of commits are kept so long. */
const idsKeptMs = 60 * 60_000;
/** Old ids are removed with one transaction in so many. */
const idsRemovedEvery = 256;

/** Statements that are on their way while nobody waits for their answers. */
const toldMax = 256;

const lockWriters =
  "SELECT pg_advisory_xact_lock(7046, hashtext(current_schema())), " +
  "(extract(epoch from clock_timestamp()) * 1000)::bigint AS now";

const repeatable: ReadonlySet<Fate> = new Set(["lost", "again"]);

const quotasExist = "SELECT 1 FROM usage_scopes WHERE place >= 0 LIMIT 1";

export interface PostgresWriterOptions {
  readonly connections: PostgresConnections;
  readonly stores: Stores;
  readonly bytes: BytesUnderLock;
  /** Flush before a commit resolves (`storage.commit`). */
  readonly durable: boolean;
  /** Times of rows; the database's own clock without it. */
  readonly clock?: Clock | undefined;
  /** Called after every transaction: how many commits it held, and how long it took. */
  readonly onBatch?: ((commits: number, ms: number) => void) | undefined;
}

type Settled = { readonly outcome: CommitOutcome } | { readonly error: Error };

/** A transaction, through all tries. */
interface Attempt {
  readonly id: string;
  /** What is true if it was committed; null while its end was not asked for. */
  settled: Settled[] | null;
}

export class PostgresWriter implements Committer {
  readonly #options: PostgresWriterOptions;
  readonly #batcher: Batcher<AnyCommit, Settled>;
  #transactions = 0;
  /** Since when no transaction has reached the database; null while they do. */
  #awaySinceMs: number | null = null;

  constructor(options: PostgresWriterOptions) {
    this.#options = options;
    this.#batcher = new Batcher<AnyCommit, Settled>({
      run: (commits) => this.#runBatch(commits),
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

  async commit(commit: AnyCommit): Promise<CommitOutcome> {
    const settled = await this.#batcher.submit(commit);
    if ("error" in settled) throw settled.error;
    return settled.outcome;
  }

  /** Waits for the commits in flight. */
  async close(): Promise<void> {
    await this.#batcher.idle();
  }

  async #runBatch(commits: AnyCommit[]): Promise<Settled[]> {
    const startedMs = systemClock.monotonicMs();
    try {
      const settled = await this.#decide(commits);
      this.#options.onBatch?.(commits.length, systemClock.monotonicMs() - startedMs);
      return settled;
    } catch (cause) {
      const isOfAll = cause instanceof PostgresError && cause.fate !== "refused";
      if (commits.length === 1 || isOfAll) return commits.map(() => ({ error: storeError(cause) }));
    }
    // One of them fails it for all.
    const settled: Settled[] = [];
    for (const commit of commits) settled.push(...(await this.#runBatch([commit])));
    return settled;
  }

  /** Until it is known that it was committed, or refused. */
  async #decide(commits: AnyCommit[]): Promise<Settled[]> {
    const attempt: Attempt = { id: crypto.randomUUID(), settled: null };
    const startedMs = systemClock.monotonicMs();
    for (let repeats = 0; ;) {
      try {
        const { connections } = this.#options;
        const settled = await connections.hold((ask) => this.#transact(ask, commits, attempt));
        this.#awaySinceMs = null;
        return settled;
      } catch (cause) {
        if (!(cause instanceof PostgresError) || !repeatable.has(cause.fate)) throw cause;
        if (cause.fate === "again") repeats += 1;
        else this.#awaySinceMs ??= startedMs;
        // What waited meanwhile is tried once, unless its end has to be asked for.
        const sinceMs = attempt.settled === null ? (this.#awaySinceMs ?? startedMs) : startedMs;
        if (repeats > repeatsMax || systemClock.monotonicMs() >= sinceMs + decideMs) throw cause;
      }
    }
  }

  async #transact(ask: Ask, commits: AnyCommit[], attempt: Attempt): Promise<Settled[]> {
    const { bytes, stores, clock } = this.#options;
    const now = await this.#begin(ask);
    const isFirst = await this.#leaveId(ask, attempt.id, now);
    if (!isFirst) {
      await ask({ text: "ROLLBACK", values: [] });
      if (attempt.settled === null) throw new Error("metadata: a commit has the id of another one");
      return attempt.settled;
    }
    const context = { engine: postgresEngine, bytes, stores, now: clock?.now() ?? now };
    const hasQuotas = (await ask({ text: quotasExist, values: [] })).rows.length > 0;
    const outcomes = new Map<number, CommitOutcome>();
    const apply = async (place: number): Promise<void> => {
      const commit = must(commits[place], "its place is in the batch");
      const outcome = await pursue(applyCommit(context, commit), ask, (each) => told.tell(each));
      outcomes.set(place, outcome);
    };
    const told = new Told(ask);
    try {
      for (const turn of turnsOf(commits, hasQuotas)) {
        await all(turn.map((places) => inTurn(places, apply)));
      }
    } finally {
      // What failed first says why, and the rest only that something did.
      await told.settle();
    }
    const settled = commits.map((_commit, place): Settled => {
      return { outcome: must(outcomes.get(place), "every commit of the batch has an outcome") };
    });
    attempt.settled = settled;
    await ask({ text: "COMMIT", values: [] });
    return settled;
  }

  /** The moment, once nobody else writes. */
  async #begin(ask: Ask): Promise<number> {
    const begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
    const flush = this.#options.durable ? "" : "; SET LOCAL synchronous_commit = off";
    const [, { rows }] = await Promise.all([
      ask({ text: begin + flush, values: [], isOwn: true }),
      ask({ text: lockWriters, values: [], isOwn: true }),
    ]);
    return Number(rows[0]?.["now"]);
  }

  /** False when the id is there already. */
  async #leaveId(ask: Ask, id: string, now: number): Promise<boolean> {
    this.#transactions += 1;
    const insert = "INSERT INTO commits (id, at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    const { changes } = await ask({ text: insert, values: [id, now] });
    if (this.#transactions % idsRemovedEvery === 0) {
      await ask({ text: "DELETE FROM commits WHERE at < ?1", values: [now - idsKeptMs] });
    }
    return changes === 1;
  }
}

/** Statements that were sent, and whose answers nobody waits for one by one. */
class Told {
  readonly #ask: Ask;
  #pending: Promise<void>[] = [];
  #failure: { readonly cause: unknown } | null = null;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** A promise where so many are on their way that the next one has to wait. */
  tell(statement: Statement): Promise<void> | null {
    const answered = this.#ask(statement).then(
      () => {},
      (cause: unknown) => {
        this.#failure ??= { cause };
      },
    );
    this.#pending.push(answered);
    return this.#pending.length < toldMax ? null : this.settle();
  }

  /** @throws what the first of them failed with. */
  async settle(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    await Promise.all(pending);
    if (this.#failure !== null) throw this.#failure.cause;
  }
}

/** Places of commits in a batch, one after the other. */
type Chain = readonly number[];

/**
 * Commits of different repositories do not see each other but through triggers, whose statements the connection takes
 * one by one: their statements are sent without waiting for each other's answers. Others have a turn of their own, and
 * so has every commit where quotas are looked at before it and after.
 */
export function turnsOf(commits: readonly AnyCommit[], hasQuotas: boolean): Chain[][] {
  const turns: Chain[][] = [];
  let chains = new Map<string, number[]>();
  const end = (): void => {
    if (chains.size > 0) turns.push([...chains.values()]);
    chains = new Map();
  };
  for (const [place, commit] of commits.entries()) {
    if (!("repository" in commit) || hasQuotas || looksElsewhere(commit)) {
      end();
      turns.push([[place]]);
      continue;
    }
    const chain = chains.get(commit.repository) ?? [];
    chain.push(place);
    chains.set(commit.repository, chain);
  }
  end();
  return turns;
}

function looksElsewhere({ preconditions, changes, records = [] }: Commit): boolean {
  return (
    records.length > 0 ||
    preconditions.some(({ kind }) => kind === "unmarked-in") ||
    // All repositories share the names in quarantine.
    changes.some(({ kind }) => kind === "quarantine")
  );
}

async function inTurn(places: Chain, apply: (place: number) => Promise<void>): Promise<void> {
  for (const place of places) await apply(place);
}

/** Waits for all of them, though one fails: their statements are on the same connection. */
async function all(works: readonly Promise<void>[]): Promise<void> {
  const ended = await Promise.allSettled(works);
  const failed = ended.find((each) => each.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

function storeError(cause: unknown): Error {
  if (cause instanceof MetadataFull || cause instanceof MetadataUnavailable) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new MetadataUnavailable(`The metadata store cannot be written: ${message}`, { cause });
}
