/**
 * Connections to PostgreSQL: the one place that knows the client.
 *
 * Every statement has a deadline of ours, since a client waits for ever for a server that is silent: then all that wait
 * are given up, and the connections are replaced. Statements run on any connection, or on one that is held for a
 * transaction. Numbers of eight bytes come as numbers, conditions as 0 and 1. What the server says, and what the
 * connection does, becomes an error that says what became of the statement (`PostgresError`). A connection that leads to
 * a standby is none: what it reads may be old.
 */
import { SQL } from "bun";
import { assert } from "../../lib/assert.ts";
import { systemClock, type Clock } from "../../lib/clock.ts";
import { MetadataFull, MetadataUnavailable } from "../metadata.ts";
import { parsePostgresUrl, type PostgresAddress } from "./postgres_url.ts";
import { PostgresTexts } from "../sql/postgres_text.ts";
import type { Answer, Row, Statement, Value } from "../sql/statements.ts";

/** Connections of a process, where no number is given. */
const connectionsDefault = 8;
/** How long a statement, or a wait for a connection, may take. */
const statementMs = 10_000;
/** How long a statement waits for a lock of another transaction. */
const lockMs = 5_000;
/** A transaction whose process has stopped is ended after that. */
const idleTransactionMs = 15_000;
/** How long a connection may take to begin. */
const connectSeconds = 5;
/** How often deadlines are looked at. */
const lookMs = 500;
/** After a connection that could not be made, the next one is tried so much later. */
const backOffMs = 250;

/** What became of a statement that failed. */
export type Fate =
  /** The server refused it, and goes on. */
  | "refused"
  /** The connection or the server is gone: nothing is known of what it did. */
  | "lost"
  /** The server asks to try the transaction again. */
  | "again"
  /** It took the server too long, or it waited too long for another transaction. */
  | "late"
  /** No room on its disk. */
  | "full";

export class PostgresError extends MetadataUnavailable {
  readonly fate: Fate;
  /** SQLSTATE; null where the client gave up. */
  readonly state: string | null;

  constructor(message: string, given: { fate: Fate; state: string | null; cause: unknown }) {
    super(message, { cause: given.cause });
    this.fate = given.fate;
    this.state = given.state;
  }
}

/** A statement in PostgreSQL's own words is sent as it is: several at once where it has no values. */
export type PostgresStatement = Statement & { readonly isOwn?: true };

/** Asks one statement. */
export type Ask = (statement: PostgresStatement) => Promise<Answer>;

export interface PostgresOptions {
  /** `postgres://…`, as `postgres_url.ts` reads it. */
  readonly url: string;
  /** Instead of the password in the URL: asked for each connection. @throws where it cannot be read. */
  readonly password?: (() => string) | null | undefined;
  /** Certificates to trust, as PEM; those of the system without it. */
  readonly ca?: string | null | undefined;
  /** The schema of the tables; that of the user without it. */
  readonly schema?: string | null | undefined;
  /** How many at most. */
  readonly connectionsMax?: number | undefined;
  readonly clock?: Clock | undefined;
}

interface Pending {
  readonly dueMs: number;
  cancel(): void;
}

type Client = Pick<SQL, "unsafe">;
type Reserved = Awaited<ReturnType<SQL["reserve"]>>;

export class PostgresConnections {
  readonly #options: PostgresOptions;
  readonly #clock: Clock;
  readonly #pending = new Set<Pending>();
  readonly #texts = new PostgresTexts();
  #sql: SQL;
  #isWatching = false;
  #isClosed = false;
  /** A try before that moment would find what the last one did. */
  #notBeforeMs = 0;

  constructor(options: PostgresOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#sql = connect(options);
  }

  /** One statement, by itself. @throws PostgresError. */
  async ask(statement: PostgresStatement): Promise<Answer> {
    await this.#backOff();
    return await this.#ask(this.#sql, statement);
  }

  /**
   * Holds a connection for a transaction, of which `work` sends every statement. @throws PostgresError.
   */
  async hold<T>(work: (ask: Ask) => Promise<T>): Promise<T> {
    await this.#backOff();
    const held = await this.#reserve();
    let isSound = false;
    try {
      const result = await work((statement) => this.#ask(held, statement));
      isSound = true;
      return result;
    } finally {
      // A transaction that was not ended would stay open on the connection.
      if (!isSound) await this.#ask(held, { text: "ROLLBACK", values: [] }).catch(() => {});
      void held.release();
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#sql.close({ timeout: 0 });
  }

  async #reserve(): Promise<Reserved> {
    const { promise, resolve, reject } = Promise.withResolvers<Reserved>();
    const gaveUp = Promise.withResolvers<never>();
    const pending = {
      dueMs: this.#clock.monotonicMs() + statementMs,
      cancel: () => gaveUp.reject(new Error("no connection became free in time")),
    };
    this.#watch(pending);
    let isLate = false;
    this.#sql.reserve().then((held) => (isLate ? held.release() : resolve(held)), reject);
    try {
      return await Promise.race([promise, gaveUp.promise]);
    } catch (cause) {
      isLate = true;
      throw this.#errorOf(cause);
    } finally {
      this.#pending.delete(pending);
    }
  }

  async #ask(client: Client, statement: PostgresStatement): Promise<Answer> {
    const { text, values, isOwn } = statement;
    for (const value of values) assertValue(value, text);
    const own = isOwn === true ? text : this.#texts.of(text, values);
    const query =
      values.length === 0 ? client.unsafe(own) : client.unsafe(own, values.map(storable));
    const pending = {
      dueMs: this.#clock.monotonicMs() + statementMs,
      cancel: () => void query.cancel(),
    };
    this.#watch(pending);
    try {
      const rows = await query;
      // What was to be committed and had failed before is rolled back without an error.
      if (text === "COMMIT" && rows.command !== "COMMIT") throw new Error("nothing was committed");
      return { rows: rows.map(rowOf), changes: Number(rows.count ?? 0) };
    } catch (cause) {
      throw this.#errorOf(cause);
    } finally {
      this.#pending.delete(pending);
    }
  }

  #watch(pending: Pending): void {
    this.#pending.add(pending);
    if (this.#isWatching) return;
    this.#isWatching = true;
    void this.#watchAll();
  }

  /** While something waits. */
  async #watchAll(): Promise<void> {
    while (this.#pending.size > 0) {
      await this.#clock.sleep(lookMs);
      const now = this.#clock.monotonicMs();
      if ([...this.#pending].some(({ dueMs }) => dueMs <= now)) this.#replace();
    }
    this.#isWatching = false;
  }

  /** The server is silent: what waits is given up, and later statements get connections of their own. */
  #replace(): void {
    const silent = this.#sql;
    if (!this.#isClosed) this.#sql = connect(this.#options);
    for (const pending of this.#pending) pending.cancel();
    void silent.close({ timeout: 0 }).catch(() => {});
  }

  async #backOff(): Promise<void> {
    const waitMs = this.#notBeforeMs - this.#clock.monotonicMs();
    if (waitMs > 0) await this.#clock.sleep(waitMs);
  }

  #errorOf(cause: unknown): Error {
    const error = errorOf(cause);
    if (error instanceof PostgresError && error.fate === "lost") {
      this.#notBeforeMs = this.#clock.monotonicMs() + backOffMs;
    }
    return error;
  }
}

/** @throws Error with one line for the operator. */
function connect(options: PostgresOptions): SQL {
  const address = parsePostgresUrl(options.url);
  if ("expected" in address) throw new Error(`storage.metadata.url: expected ${address.expected}`);
  const { ca, schema, connectionsMax, password = null } = options;
  const { directory, port, isVerified } = address;
  return new SQL({
    // Whole and in our words, so that nothing comes from the environment.
    url: clientUrl(address),
    ...(directory === null ? {} : { path: `${directory}/.s.PGSQL.${port}` }),
    ...(password === null ? {} : { password }),
    ...(isVerified ? { tls: typeof ca === "string" ? { ca } : true } : {}),
    max: connectionsMax ?? connectionsDefault,
    bigint: true,
    connectionTimeout: connectSeconds,
    connection: {
      application_name: "zot",
      statement_timeout: statementMs,
      lock_timeout: lockMs,
      idle_in_transaction_session_timeout: idleTransactionMs,
      // Of the transaction in which the connection begins: a standby refuses it.
      transaction_read_only: "off",
      ...(schema === null || schema === undefined ? {} : { search_path: schema }),
    },
  });
}

function clientUrl({ host, port, user, password, database, isVerified }: PostgresAddress): string {
  const [name, secret] = [user, password ?? ""].map(encodeURIComponent);
  const mode = isVerified ? "verify-full" : "disable";
  return (
    `postgres://${name}:${secret}@${host ?? "localhost"}:${port}/${encodeURIComponent(database)}` +
    `?sslmode=${mode}`
  );
}

const escapedNul = /(?<!\\)((?:\\\\)*)\\u0000/g;

/**
 * Texts of PostgreSQL have no NUL, and neither have those in its JSON: the next character stands for it, which keeps the
 * order of all that has none. It comes from outside alone, where no name may have it.
 */
function storable(value: Value): Value {
  if (typeof value !== "string") return value;
  const text = value.includes("\0") ? value.replaceAll("\0", "\u0001") : value;
  if (!text.startsWith("[") || !text.includes("\\u0000")) return text;
  return text.replace(escapedNul, "$1\\u0001");
}

/** The client would take undefined for null, and round a fraction. */
function assertValue(value: Value, text: string): void {
  assert(value !== undefined, `A value is missing in ${text}`);
  assert(typeof value !== "number" || Number.isSafeInteger(value), `No integer in ${text}`);
}

function rowOf(row: Record<string, unknown>): Row {
  for (const [name, value] of Object.entries(row)) {
    if (typeof value === "bigint") row[name] = Number(value);
    else if (typeof value === "boolean") row[name] = value ? 1 : 0;
  }
  return row as Row;
}

/** Classes of SQLSTATE, and single ones, by what they mean. */
const fates: readonly (readonly [RegExp, Fate])[] = [
  [/^(40001|40P01)$/, "again"],
  [/^(55P03|57014)$/, "late"],
  [/^53100$/, "full"],
  // Shut down, crashed, starting, a standby, read-only, no connections left, nobody is let in, no such database.
  [/^(08|57P0|53[34]00|25006|25001|28|3D000)/, "lost"],
];

function errorOf(cause: unknown): Error {
  if (!(cause instanceof Error)) return new MetadataUnavailable(String(cause), { cause });
  const { errno, code } = cause as { errno?: unknown; code?: unknown };
  const state = typeof errno === "string" ? errno : null;
  const isOfClient = typeof code === "string" && code !== "ERR_POSTGRES_SERVER_ERROR";
  const known = fates.find(([fits]) => state !== null && fits.test(state))?.[1];
  const fate = known ?? (isOfClient || state === null ? "lost" : "refused");
  if (fate === "full") return new MetadataFull("No space left for the database", { cause });
  const said = state === "25001" ? "it is a standby, or takes no writes" : cause.message;
  const message = `The database does not answer as it should: ${said}`;
  return new PostgresError(message, { fate, state, cause });
}
