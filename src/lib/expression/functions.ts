/**
 * TABLE of the functions that an expression may call, with the operators on values.
 *
 * Methods are functions whose first argument is what stands before the dot. Every function checks what it is
 * given: a wrong type is a problem, never a guess.
 */
import { parseDuration } from "../duration.ts";
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

/** Texts that a pattern is tried on are cut at this length. */
const matchedLengthMax = 4096;

type Run = (args: readonly Value[]) => Value;

/** A function that wants texts only. */
function texts(count: number, run: (...args: string[]) => Value): Run {
  return (args) => {
    if (args.length !== count) throw new ExpressionProblem(`${count - 1} arguments`);
    return run(...args.map(asText));
  };
}

/** A part of a moment in UTC. */
function part(read: (date: Date) => number): Run {
  return ([moment, ...others]) => {
    if (!(moment instanceof Moment) || others.length > 0) {
      throw new ExpressionProblem("a timestamp, in UTC");
    }
    return read(new Date(moment.ms));
  };
}

const dayMs = 86_400_000;

export const functions: Readonly<Record<string, Run>> = {
  startsWith: texts(2, (text, start) => text.startsWith(start)),
  endsWith: texts(2, (text, end) => text.endsWith(end)),
  contains: texts(2, (text, inner) => text.includes(inner)),
  matches: texts(2, (text, source) =>
    new RegExp(source, "u").test(text.slice(0, matchedLengthMax)),
  ),
  split: texts(2, (text, separator) => text.split(separator)),
  replace: texts(3, (text, old, fresh) => text.replaceAll(old, () => fresh)),
  trim: texts(1, (text) => text.trim()),
  lowerAscii: texts(1, (text) => text.replace(/[A-Z]/g, (char) => char.toLowerCase())),
  upperAscii: texts(1, (text) => text.replace(/[a-z]/g, (char) => char.toUpperCase())),
  join: (args) => {
    const [list, separator = ""] = args;
    if (!isList(list)) throw new ExpressionProblem("a list before join()");
    return list.map(asText).join(asText(separator));
  },
  size: ([value]) => {
    if (typeof value === "string") return Array.from(value).length;
    if (isList(value)) return value.length;
    if (value instanceof Map) return value.size;
    throw new ExpressionProblem("a text, list or map in size()");
  },
  string: ([value]) => {
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    if (value instanceof Moment) return new Date(value.ms).toISOString();
    throw new ExpressionProblem("a plain value in string()");
  },
  int: ([value]) => {
    if (value instanceof Moment) return Math.floor(value.ms / 1000);
    const number = typeof value === "string" ? Number(value) : value;
    if (typeof number !== "number" || !Number.isFinite(number)) {
      throw new ExpressionProblem("a number in int()");
    }
    return Math.trunc(number);
  },
  timestamp: texts(1, (text) => {
    const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(text)
      ? Date.parse(text)
      : Number.NaN;
    if (Number.isNaN(ms)) {
      throw new ExpressionProblem(`a time such as 2030-12-31T23:59:59Z, got ${text}`);
    }
    return new Moment(ms);
  }),
  duration: texts(1, (text) => {
    const ms = parseDuration(text);
    if (ms === null) throw new ExpressionProblem(`a duration such as 1h30m, got ${text}`);
    return new Span(ms);
  }),
  getFullYear: part((date) => date.getUTCFullYear()),
  getMonth: part((date) => date.getUTCMonth()),
  getDate: part((date) => date.getUTCDate()),
  getDayOfMonth: part((date) => date.getUTCDate() - 1),
  getDayOfWeek: part((date) => date.getUTCDay()),
  getDayOfYear: part((date) =>
    Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / dayMs),
  ),
  getHours: part((date) => date.getUTCHours()),
  getMinutes: part((date) => date.getUTCMinutes()),
  getSeconds: part((date) => date.getUTCSeconds()),
};

export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

export function asText(value: Value | undefined): string {
  if (typeof value === "string") return value;
  throw new ExpressionProblem("a text");
}

/** Equal by value. Values of different kinds are never equal. */
export function isEqual(left: Value, right: Value): boolean {
  if (left instanceof Moment && right instanceof Moment) return left.ms === right.ms;
  if (left instanceof Span && right instanceof Span) return left.ms === right.ms;
  if (isList(left) && isList(right)) {
    return (
      left.length === right.length && left.every((item, at) => isEqual(item, right[at] ?? null))
    );
  }
  if (left instanceof Map && right instanceof Map) {
    return (
      left.size === right.size &&
      [...left].every(([key, value]) => right.has(key) && isEqual(value, right.get(key) ?? null))
    );
  }
  return left === right;
}

/** Negative, zero or positive. @throws ExpressionProblem for kinds that have no order between them. */
export function compare(left: Value, right: Value): number {
  if (typeof left === "number" && typeof right === "number") return left - right;
  if (typeof left === "string" && typeof right === "string") {
    return left < right ? -1 : Number(left > right);
  }
  if (left instanceof Moment && right instanceof Moment) return left.ms - right.ms;
  if (left instanceof Span && right instanceof Span) return left.ms - right.ms;
  throw new ExpressionProblem("two numbers, texts, timestamps or durations to compare");
}

export function calculate(operator: string, left: Value, right: Value): Value {
  if (operator === "+") return sum(left, right);
  if (operator === "-") return difference(left, right);
  if (typeof left !== "number" || typeof right !== "number") {
    throw new ExpressionProblem(`two numbers around ${operator}`);
  }
  if (operator === "*") return left * right;
  if (right === 0) throw new ExpressionProblem("a divisor that is not zero");
  return operator === "/" ? left / right : left % right;
}

function sum(left: Value, right: Value): Value {
  if (typeof left === "number" && typeof right === "number") return left + right;
  if (typeof left === "string" && typeof right === "string") return left + right;
  if (isList(left) && isList(right)) return [...left, ...right];
  if (left instanceof Moment && right instanceof Span) return new Moment(left.ms + right.ms);
  if (left instanceof Span && right instanceof Span) return new Span(left.ms + right.ms);
  throw new ExpressionProblem("two numbers, texts or lists around +");
}

function difference(left: Value, right: Value): Value {
  if (typeof left === "number" && typeof right === "number") return left - right;
  if (left instanceof Moment && right instanceof Moment) return new Span(left.ms - right.ms);
  if (left instanceof Moment && right instanceof Span) return new Moment(left.ms - right.ms);
  if (left instanceof Span && right instanceof Span) return new Span(left.ms - right.ms);
  throw new ExpressionProblem("two numbers around -");
}
