/**
 * The statements of rules: what commits mean is written once, for every database that can run it.
 *
 * A rule is a generator function that asks its statements by `yield* get(…)` and its like. The engine that it is handed
 * answers: SQLite at once, so that the rule runs to its end without a pause (`finish`), and a database behind a
 * connection by handing the statement out, whose answer the rule is resumed with (`pursue`).
 */

export type Row = Record<string, string | number | null>;
export type Value = string | number | null | Uint8Array;

export interface Statement {
  readonly text: string;
  readonly values: readonly Value[];
  /** Nobody waits for its answer: what is asked after it sees what it did. */
  readonly isTold?: true;
}

export interface Answer {
  readonly rows: readonly Row[];
  /** Rows that it changed. */
  readonly changes: number;
}

/** Work that asks statements on its way to a result: the call of a generator function, or a result that is known. */
export type Rule<T> = Iterable<Statement, T, Answer>;

/** What runs the statements of rules, in one open transaction. */
export interface Engine {
  get(text: string, values: Value[]): Rule<Row | null>;
  all(text: string, values: Value[]): Rule<Row[]>;
  /** How many rows it changed. */
  run(text: string, values: Value[]): Rule<number>;
  tell(text: string, values: Value[]): Rule<unknown>;
}

interface Work {
  readonly engine: Engine;
}

export function get(work: Work, sql: string, ...values: Value[]): Rule<Row | null> {
  return work.engine.get(sql, values);
}

export function all(work: Work, sql: string, ...values: Value[]): Rule<Row[]> {
  return work.engine.all(sql, values);
}

/** Runs a statement and returns how many rows it changed. */
export function run(work: Work, sql: string, ...values: Value[]): Rule<number> {
  return work.engine.run(sql, values);
}

/** Runs a statement of which nothing has to be known: it costs no wait where the database is elsewhere. */
export function tell(work: Work, sql: string, ...values: Value[]): Rule<unknown> {
  return work.engine.tell(sql, values);
}

/** A result without a statement. */
export function known<T>(value: T): Rule<T> {
  return new Known(value);
}

/** An iterator that is at its end, and its own last result: a push makes a hundred of them. */
class Known<T> implements Rule<T>, IteratorReturnResult<T> {
  readonly done = true;
  readonly value: T;

  constructor(value: T) {
    this.value = value;
  }

  [Symbol.iterator](): Iterator<Statement, T, Answer> {
    return this;
  }

  next(): IteratorReturnResult<T> {
    return this;
  }
}

/** The result of a rule whose engine answers at once. */
export function finish<T>(rule: Rule<T>): T {
  const step = rule[Symbol.iterator]().next();
  if (step.done !== true) throw new Error("metadata: a statement was not answered at once");
  return step.value;
}

const untold: Answer = { rows: [], changes: 0 };

/** The result of a rule whose statements are answered later. `tell` takes those whose answers nobody waits for. */
export async function pursue<T>(
  rule: Rule<T>,
  ask: (statement: Statement) => Promise<Answer>,
  tell: ((statement: Statement) => Promise<void> | null) | null = null,
): Promise<T> {
  const steps = rule[Symbol.iterator]();
  let step = steps.next();
  while (step.done !== true) {
    if (tell === null || step.value.isTold !== true) {
      step = steps.next(await ask(step.value));
      continue;
    }
    const full = tell(step.value);
    if (full !== null) await full;
    step = steps.next(untold);
  }
  return step.value;
}
