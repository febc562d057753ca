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
import { objects } from "../objects.ts";
import { uploads } from "../uploads.ts";
import { pursue } from "../sql/statements.ts";
import { JoinedStatements, JoinedTexts, type Line } from "./joined_statements.ts";
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

const now = "(extract(epoch from clock_timestamp()) * 1000)::bigint";
const lockWriters = `SELECT pg_advisory_xact_lock(7046, hashtext(current_schema())), ${now} AS now`;
const leaveId = `INSERT INTO commits (id, at) VALUES ($1::text, ${now}) ON CONFLICT DO NOTHING`;
const removeIds = `DELETE FROM commits WHERE at < ${now} - $1::bigint`;

/**
 * All statements find their rows by an index, and are planned once: a plan that was made while a table was small would
 * else read all of it, and one for each set of values costs more than the statement.
 */
const plans = [
  "plan_cache_mode = force_generic_plan",
  "enable_seqscan = off",
  "enable_hashjoin = off",
  "enable_mergejoin = off",
  "jit = off",
]
  .map((setting) => `; SET LOCAL ${setting}`)
  .join("");

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
  readonly #texts = new JoinedTexts();
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
    const { now, isFirst, hasQuotas } = await this.#begin(ask, attempt.id);
    if (!isFirst) {
      await ask({ text: "ROLLBACK", values: [] });
      if (attempt.settled === null) throw new Error("metadata: a commit has the id of another one");
      return attempt.settled;
    }
    const context = { engine: postgresEngine, bytes, stores, now: clock?.now() ?? now };
    const outcomes = new Map<number, CommitOutcome>();
    const apply = async (place: number, { ask: asked, tell }: Line): Promise<void> => {
      const commit = must(commits[place], "its place is in the batch");
      outcomes.set(place, await pursue(applyCommit(context, commit), asked, tell));
    };
    const statements = new JoinedStatements(ask, this.#texts);
    try {
      for (const turn of turnsOf(commits, hasQuotas)) {
        const lines = turn.map((places) => ({ places, line: statements.open() }));
        await all(lines.map(({ places, line }) => inTurn(places, line, apply)));
      }
    } finally {
      // What failed first says why, and the rest only that something did.
      await statements.settle();
    }
    const settled = commits.map((_commit, place): Settled => {
      return { outcome: must(outcomes.get(place), "every commit of the batch has an outcome") };
    });
    attempt.settled = settled;
    await ask({ text: "COMMIT", values: [] });
    return settled;
  }

  /** The moment, once nobody else writes; whether its id is not there yet; and whether there are quotas. */
  async #begin(
    ask: Ask,
    id: string,
  ): Promise<{ now: number; isFirst: boolean; hasQuotas: boolean }> {
    const begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
    const flush = this.#options.durable ? "" : "; SET LOCAL synchronous_commit = off";
    this.#transactions += 1;
    const isTidy = this.#transactions % idsRemovedEvery === 0;
    // One after the other there, and on their way at once.
    const [, locked, left, quotas] = await all([
      ask({ text: begin + plans + flush, values: [], isOwn: true }),
      ask({ text: lockWriters, values: [], isOwn: true }),
      ask({ text: leaveId, values: [id], isOwn: true }),
      ask({ text: quotasExist, values: [], isOwn: true }),
      ...(isTidy ? [ask({ text: removeIds, values: [idsKeptMs], isOwn: true })] : []),
    ]);
    return {
      now: Number(locked?.rows[0]?.["now"]),
      isFirst: left?.changes === 1,
      hasQuotas: quotas?.rows.length !== 0,
    };
  }
}

/** Places of commits in a batch, one after the other. */
type Chain = readonly number[];

/**
 * Commits of different repositories do not see each other but through triggers, which see digest by digest: their
 * statements are sent together (`joined_statements.ts`). Others have a turn of their own, and
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
    const name = hasQuotas ? null : chainOf(commit);
    if (name === null) {
      end();
      turns.push([[place]]);
      continue;
    }
    const chain = chains.get(name) ?? [];
    chain.push(place);
    chains.set(name, chain);
  }
  end();
  return turns;
}

/** Names of objects are those of a repository, uploads those of one request at a time. */
const ownRecords: ReadonlySet<string> = new Set([objects.name, uploads.name]);

/** What is changed by nobody else at the same time: a repository, an upload, keys that are new; null for anything. */
function chainOf(commit: AnyCommit): string | null {
  if ("repository" in commit) {
    return looksElsewhere(commit) ? null : `repository ${commit.repository}`;
  }
  if (!("records" in commit) || commit.also !== undefined) return null;
  const { records, changes } = commit;
  const [change, ...others] = changes;
  if (change === undefined || others.length > 0) return null;
  if (records === objects.name) return change.kind === "reserve" ? "keys" : null;
  const isAlone = records !== uploads.name || change["content"] !== undefined;
  return isAlone ? null : `upload ${String(change["id"])}`;
}

function looksElsewhere({ preconditions, changes, records = [] }: Commit): boolean {
  return (
    records.some((each) => !ownRecords.has(each.records)) ||
    preconditions.some(({ kind }) => kind === "unmarked-in") ||
    // All repositories share the names in quarantine.
    changes.some(({ kind }) => kind === "quarantine")
  );
}

async function inTurn(
  places: Chain,
  line: Line,
  apply: (place: number, line: Line) => Promise<void>,
): Promise<void> {
  try {
    for (const place of places) await apply(place, line);
  } finally {
    line.end();
  }
}

/** Waits for all of them, though one fails: their statements are on the same connection. */
async function all<T>(works: readonly Promise<T>[]): Promise<T[]> {
  const ended = await Promise.allSettled(works);
  return ended.map((each) => {
    if (each.status === "rejected") throw each.reason;
    return each.value;
  });
}

function storeError(cause: unknown): Error {
  if (cause instanceof MetadataFull || cause instanceof MetadataUnavailable) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new MetadataUnavailable(`The metadata store cannot be written: ${message}`, { cause });
}
