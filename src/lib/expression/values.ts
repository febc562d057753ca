/**
 * Values of expressions, the operators on them, and the budget that everything of one evaluation is paid from.
 *
 * A value of the wrong type, or a time or duration out of range, is a problem, never a guess. An operation that reads a
 * whole value or makes a new one pays for its size first, so neither time nor memory can run away.
 */
import type { RequestBudget } from "../request_budget.ts";
import { ExpressionProblem } from "./tokens.ts";

/** A moment, in milliseconds since the epoch. */
export class Moment {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
}

/** A span of time in milliseconds. */
export class Span {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
}

export type Value =
  | null
  | boolean
  | number
  | string
  | Moment
  | Span
  | readonly Value[]
  | ReadonlyMap<string, Value>;

/** One for each node that is visited; only macros over long lists come near. */
const stepsMax = 50_000;
/** Characters that are looked at for the price of one step. */
const charsPerStep = 64;

/** Characters that a search for a text compares for the price of one step; it may compare all of it at each place. */
const comparedCharsPerStep = 2_048;

/** Comparisons of a regular expression with a character for the price of one step. */
const comparisonsPerStep = 8;

/**
 * What one evaluation may still do. Once it is used up, nothing more can be computed. What it does is paid for by its
 * request, too, which ends when that has nothing left.
 */
export class Budget {
  readonly #request: RequestBudget | null;
  #left = stepsMax;

  constructor(request: RequestBudget | null = null) {
    this.#request = request;
  }

  get isSpent(): boolean {
    return this.#left < 0;
  }

  /** @throws ExpressionProblem when the steps are used up; BudgetSpent when those of the request are. */
  spend(steps: number): void {
    this.#left -= steps;
    this.#request?.spend(steps);
    if (this.#left < 0) throw new ExpressionProblem(`up to ${stepsMax} steps`);
  }

  /** Pays for so many characters. */
  spendChars(chars: number): void {
    this.spend(Math.ceil(chars / charsPerStep));
  }

  /** Pays for looking for a text in another one. */
  spendSearch(text: string, inner: string): void {
    const places = Math.max(text.length - inner.length + 1, 0);
    this.spend(Math.ceil((places * inner.length) / comparedCharsPerStep));
  }

  spendComparisons(comparisons: number): void {
    this.spend(Math.ceil(comparisons / comparisonsPerStep));
  }

  /** Pays for looking at each part of a value once. */
  spendSize(value: Value): void {
    if (typeof value === "string") this.spendChars(value.length);
    else if (isList(value)) this.spend(value.length);
    else if (value instanceof Map) this.spend(value.size);
  }
}

export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

export function asText(value: Value | undefined): string {
  if (typeof value === "string") return value;
  throw new ExpressionProblem("a text");
}

/** Equal by value. Values of different kinds are never equal. */
export function isEqual(left: Value, right: Value, budget: Budget): boolean {
  // Lists share their parts: a small one may have more paths than there are atoms.
  budget.spendSize(left);
  if (left instanceof Moment && right instanceof Moment) return left.ms === right.ms;
  if (left instanceof Span && right instanceof Span) return left.ms === right.ms;
  if (isList(left) && isList(right)) {
    return (
      left.length === right.length &&
      left.every((item, at) => isEqual(item, right[at] ?? null, budget))
    );
  }
  if (left instanceof Map && right instanceof Map) {
    return (
      left.size === right.size &&
      [...left].every(
        ([key, value]) => right.has(key) && isEqual(value, right.get(key) ?? null, budget),
      )
    );
  }
  return left === right;
}

/** Negative, zero or positive. @throws ExpressionProblem for kinds that have no order between them. */
export function compare(left: Value, right: Value, budget: Budget): number {
  if (typeof left === "number" && typeof right === "number") return left - right;
  if (typeof left === "string" && typeof right === "string") {
    budget.spendSize(left);
    return left < right ? -1 : Number(left > right);
  }
  if (left instanceof Moment && right instanceof Moment) return left.ms - right.ms;
  if (left instanceof Span && right instanceof Span) return left.ms - right.ms;
  throw new ExpressionProblem("two numbers, texts, timestamps or durations to compare");
}

export function calculate(operator: string, left: Value, right: Value, budget: Budget): Value {
  if (operator === "+") return sum(left, right, budget);
  if (operator === "-") return difference(left, right);
  if (typeof left !== "number" || typeof right !== "number") {
    throw new ExpressionProblem(`two numbers around ${operator}`);
  }
  if (operator === "*") return finite(left * right);
  if (right === 0) throw new ExpressionProblem("a divisor that is not zero");
  return finite(operator === "/" ? left / right : left % right);
}

function sum(left: Value, right: Value, budget: Budget): Value {
  if (typeof left === "number" && typeof right === "number") return finite(left + right);
  if (typeof left === "string" && typeof right === "string") {
    budget.spendChars(left.length + right.length);
    return left + right;
  }
  if (isList(left) && isList(right)) {
    budget.spend(left.length + right.length);
    return [...left, ...right];
  }
  if (left instanceof Moment && right instanceof Span) return momentAt(left.ms + right.ms);
  if (left instanceof Span && right instanceof Moment) return momentAt(left.ms + right.ms);
  if (left instanceof Span && right instanceof Span) return spanOf(left.ms + right.ms);
  throw new ExpressionProblem("two numbers, texts or lists around +");
}

function difference(left: Value, right: Value): Value {
  if (typeof left === "number" && typeof right === "number") return finite(left - right);
  if (left instanceof Moment && right instanceof Moment) return spanOf(left.ms - right.ms);
  if (left instanceof Moment && right instanceof Span) return momentAt(left.ms - right.ms);
  if (left instanceof Span && right instanceof Span) return spanOf(left.ms - right.ms);
  throw new ExpressionProblem("two numbers around -");
}

function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw new ExpressionProblem("a number that is not beyond all numbers");
}

/** The years 1 to 9999 (Common Expression Language, "Timestamps and durations"). */
const momentMsMin = Date.parse("0001-01-01T00:00:00Z");
const momentMsMax = Date.UTC(10_000, 0, 1) - 1;
/** Ten thousand years. */
const spanMsMax = 315_576_000_000_000;

export function momentAt(ms: number): Moment {
  if (ms >= momentMsMin && ms <= momentMsMax) return new Moment(ms);
  throw new ExpressionProblem("a timestamp in the years 1 to 9999");
}

export function spanOf(ms: number): Span {
  if (Math.abs(ms) <= spanMsMax) return new Span(ms);
  throw new ExpressionProblem("a duration of up to 10000 years");
}
