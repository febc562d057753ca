/**
 * TABLE of the functions that an expression may call.
 *
 * Methods are functions whose first argument is what stands before the dot. Every function checks what it is
 * given: a wrong type is a problem, never a guess. It pays for what it looks at and makes before it does.
 */
import { parseDuration } from "../duration.ts";
import { dateIn, momentParts } from "./moment_parts.ts";
import type { Pattern } from "./pattern.ts";
import { ExpressionProblem, shown } from "./tokens.ts";
import { asText, isList, Moment, momentAt, spanOf, type Budget, type Value } from "./values.ts";

/** What a function may use beside its arguments. */
export interface Context {
  readonly budget: Budget;
  /** @throws ExpressionProblem when it is no regular expression. */
  readonly patternOf: (source: string) => Pattern;
}

export interface ExpressionFunction {
  /** How many arguments it takes, what stands before the dot among them. */
  readonly least: number;
  readonly most: number;
  readonly run: (args: readonly Value[], context: Context) => Value;
}

/** A function of texts only; looking at them is paid for. */
function texts(
  count: number,
  run: (context: Context, ...args: string[]) => Value,
): ExpressionFunction {
  return {
    least: count,
    most: count,
    run: (args, context) => {
      const read = args.map(asText);
      for (const text of read) context.budget.spendChars(text.length);
      return run(context, ...read);
    },
  };
}

function one(run: (value: Value, context: Context) => Value): ExpressionFunction {
  return { least: 1, most: 1, run: ([value = null], context) => run(value, context) };
}

/** A function of a text as its characters, and of places in it (Common Expression Language, "Strings"). */
function places(
  least: number,
  most: number,
  run: (chars: readonly string[], others: readonly Value[], budget: Budget) => Value,
): ExpressionFunction {
  return {
    least,
    most,
    run: ([text, ...others], { budget }) => {
      budget.spend(asText(text).length);
      return run(Array.from(asText(text)), others, budget);
    },
  };
}

/** A place from 0 to the end of a text. */
function placeIn(chars: readonly string[], place: Value): number {
  if (typeof place === "number" && Number.isInteger(place) && place >= 0 && place <= chars.length) {
    return place;
  }
  throw new ExpressionProblem(`a place from 0 to ${chars.length}`);
}

/** Where a text begins among characters: the first of the places that are tried, or -1. */
function find(
  chars: readonly string[],
  inner: Value,
  search: { readonly from: number; readonly step: 1 | -1; readonly budget: Budget },
): number {
  const { from, step, budget } = search;
  const text = chars.join("");
  const part = asText(inner);
  budget.spendSearch(text, part);
  const units = chars.slice(0, from).join("").length;
  const at = step === 1 ? text.indexOf(part, units) : text.lastIndexOf(part, units);
  return at < 0 ? at : Array.from(text.slice(0, at)).length;
}

/** A part of a moment, in UTC or in the zone that is given. */
function part(read: (date: Date) => number): ExpressionFunction {
  return {
    least: 1,
    most: 2,
    run: ([moment, zone = ""]) => {
      if (!(moment instanceof Moment)) throw new ExpressionProblem("a timestamp");
      return read(dateIn(asText(zone), moment));
    },
  };
}

const rows: Record<string, ExpressionFunction> = {
  startsWith: texts(2, (_context, text, start) => text.startsWith(start)),
  endsWith: texts(2, (_context, text, end) => text.endsWith(end)),
  contains: texts(2, ({ budget }, text, inner) => {
    budget.spendSearch(text, inner);
    return text.includes(inner);
  }),
  matches: texts(2, ({ budget, patternOf }, text, source) => {
    return patternOf(source).test(text, (comparisons) => budget.spendComparisons(comparisons));
  }),
  split: texts(2, ({ budget }, text, separator) => {
    budget.spendSearch(text, separator);
    const parts = separator === "" ? Array.from(text) : text.split(separator);
    budget.spend(parts.length);
    return parts;
  }),
  replace: texts(3, ({ budget }, text, old, fresh) => {
    budget.spendSearch(text, old);
    const parts = old === "" ? ["", ...Array.from(text), ""] : text.split(old);
    budget.spend(parts.length);
    budget.spendChars(text.length + parts.length * fresh.length);
    return parts.join(fresh);
  }),
  charAt: places(2, 2, (chars, [place = null]) => chars[placeIn(chars, place)] ?? ""),
  indexOf: places(2, 3, (chars, [inner = null, from = 0], budget) =>
    find(chars, inner, { from: placeIn(chars, from), step: 1, budget }),
  ),
  lastIndexOf: places(2, 3, (chars, [inner = null, from = chars.length], budget) =>
    find(chars, inner, { from: placeIn(chars, from), step: -1, budget }),
  ),
  substring: places(2, 3, (chars, [from = null, to = chars.length]) => {
    const [start, end] = [placeIn(chars, from), placeIn(chars, to)];
    if (start > end) throw new ExpressionProblem("a place that is not before the first");
    return chars.slice(start, end).join("");
  }),
  trim: texts(1, (_context, text) => text.trim()),
  lowerAscii: texts(1, (_context, text) =>
    text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()),
  ),
  upperAscii: texts(1, (_context, text) =>
    text.replace(/[a-z]+/g, (letters) => letters.toUpperCase()),
  ),
  join: {
    least: 1,
    most: 2,
    run: ([list, separator = ""], { budget }) => {
      if (!isList(list)) throw new ExpressionProblem("a list before join()");
      const parts = list.map(asText);
      const between = asText(separator);
      for (const each of parts) budget.spendChars(1 + each.length + between.length);
      return parts.join(between);
    },
  },
  size: one((value, { budget }) => {
    budget.spendSize(value);
    if (typeof value === "string") return Array.from(value).length;
    if (isList(value)) return value.length;
    if (value instanceof Map) return value.size;
    throw new ExpressionProblem("a text, list or map in size()");
  }),
  string: one((value) => {
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    // Without zeros at the end of its fraction, as the language writes it.
    if (value instanceof Moment) return new Date(value.ms).toISOString().replace(/\.?0+Z$/, "Z");
    throw new ExpressionProblem("a plain value in string()");
  }),
  int: one((value) => {
    if (value instanceof Moment) return Math.floor(value.ms / 1000);
    const isWritten = typeof value === "string" && /^[+-]?\d{1,16}$/.test(value);
    const number = isWritten ? Number(value) : value;
    if (typeof number !== "number" || Math.abs(number) > Number.MAX_SAFE_INTEGER) {
      throw new ExpressionProblem("a number in int()");
    }
    return Math.trunc(number) + 0; // No negative zero.
  }),
  timestamp: texts(1, (_context, text) => momentAt(parseTimestamp(text))),
  duration: texts(1, (_context, text) => {
    const ms = parseDuration(text);
    if (ms === null) throw new ExpressionProblem(`a duration such as 1h30m, got ${shown(text)}`);
    return spanOf(ms);
  }),
  ...Object.fromEntries(Object.entries(momentParts).map(([name, read]) => [name, part(read)])),
};

export const functions: ReadonlyMap<string, ExpressionFunction> = new Map(Object.entries(rows));

/** RFC 3339 §5.6, in milliseconds. The runtime's reader would take days that a month does not have. */
function parseTimestamp(text: string): number {
  const clock = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.exec(
    text,
  )?.[1];
  const clockMs = clock === undefined ? Number.NaN : Date.parse(`${clock}Z`);
  const ms = Date.parse(text);
  if (
    Number.isNaN(clockMs) ||
    Number.isNaN(ms) ||
    !new Date(clockMs).toISOString().startsWith(`${clock}.`)
  ) {
    throw new ExpressionProblem(`a time such as 2030-12-31T23:59:59Z, got ${shown(text)}`);
  }
  return ms;
}
