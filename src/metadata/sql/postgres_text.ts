/**
 * The dialect: what a statement of the rules, written for SQLite and for PostgreSQL alike as far as both know it, is to
 * PostgreSQL. A text is turned once and kept.
 *
 * Numbers are `bigint` and text is compared byte by byte (`COLLATE "C"`, by the columns). Every variable is shown with
 * its type, since PostgreSQL would guess a smaller one.
 */
import type { Value } from "./statements.ts";

interface Rewrite {
  readonly from: RegExp;
  readonly to: string;
  readonly because: string;
}

/** THE table of what differs. */
const rewrites: readonly Rewrite[] = [
  {
    from: /SELECT (\?\d), key, value ->> 0, value ->> 1, unhex\(value ->> 2\) FROM json_each\((\?\d)\)/,
    to:
      "SELECT $1, place - 1, value ->> 0, CAST(value ->> 1 AS bigint), decode(value ->> 2, 'hex') " +
      "FROM jsonb_array_elements(CAST($2 AS jsonb)) WITH ORDINALITY AS given(value, place)",
    because: "lists of lists have another name, and types",
  },
  {
    from: /FROM json_each\((\?\d)\) CROSS JOIN summary_images i ON i.repository = json_each.value ->> 0/,
    to:
      "FROM jsonb_array_elements(CAST($1 AS jsonb)) AS json_each(value) " +
      "JOIN summary_images i ON i.repository = CAST(json_each.value ->> 0 AS bigint)",
    because: "lists of lists have another name, and types",
  },
  {
    from: /group_concat\(i\.tag, char\(10\)\)/g,
    to: "string_agg(i.tag, chr(10))",
    because: "other names",
  },
  { from: / INDEXED BY \w+/g, to: "", because: "its planner takes no orders" },
  { from: /\bCROSS JOIN\b(?= [^,]*? ON )/g, to: "JOIN", because: "there it is a join without ON" },
  { from: / WHERE rowid = 1\b/g, to: "", because: "a table of one row" },
  { from: /\bAS ([a-z]+[A-Z]\w*)/g, to: 'AS "$1"', because: "names lose their capitals" },
  {
    from: /\bsum\(([^()]*)\)/g,
    to: "CAST(sum($1) AS bigint)",
    because: "sums of numbers are no such numbers",
  },
  { from: /\binstr\(/g, to: "strpos(", because: "another name" },
  { from: /\bIS NOT (?=[?']|excluded\.)/g, to: "IS DISTINCT FROM ", because: "IS takes no values" },
  { from: /\bIS (?=[?'])/g, to: "IS NOT DISTINCT FROM ", because: "IS takes no values" },
  {
    from: /\bs\.counts_own AND\b/g,
    to: "s.counts_own = 1 AND",
    because: "a number is no condition",
  },
  {
    from: /\bupdated_at DESC\b/g,
    to: "updated_at DESC NULLS LAST",
    because: "nulls come first there",
  },
  { from: /^WITH named\b/, to: "WITH RECURSIVE named", because: "it wants to be told" },
  {
    from: /VALUES \(0, (\?\d)\) UNION ALL/g,
    to: 'SELECT 0, CAST($1 AS text) COLLATE "C" UNION ALL',
    because: "both halves need one collation",
  },
  {
    from: /\bjson_each\((\?\d)\)(?: (?!CROSS|WHERE|JOIN)(\w+)\b)?/g,
    to: "jsonb_array_elements_text(CAST($1 AS jsonb)) AS $2json_each(value)",
    because: "another name",
  },
];

/** Functions of two values that have another name there, where the one of rows keeps its own. */
const ofTwo: Readonly<Record<string, string>> = { max: "greatest", min: "least" };

const types = { number: "bigint", string: "text", bytes: "bytea" } as const;

function typeOf(value: Value): keyof typeof types | null {
  if (value === null) return null;
  if (typeof value === "number") return "number";
  return typeof value === "string" ? "string" : "bytes";
}

/** Texts that are kept: ours are fixed, and some hundreds. */
const textsMax = 2_048;

export class PostgresTexts {
  readonly #texts = new Map<string, Map<string, string>>();

  /** The text for these values, each of which is used or not. */
  of(text: string, values: readonly Value[]): string {
    const key = values.reduce<string>((all, value) => `${all}${typeOf(value)?.[0] ?? "-"}`, "");
    const variants = this.#texts.get(text) ?? new Map<string, string>();
    const known = variants.get(key);
    if (known !== undefined) return known;
    const made = typed(portable(text), values);
    if (this.#texts.size < textsMax) this.#texts.set(text, variants.set(key, made));
    return made;
  }
}

/** Without the types of variables, which stand as they are. */
export function portable(text: string): string {
  let result = text;
  for (const { from, to } of rewrites) result = result.replace(from, to);
  result = result.replaceAll(/AS (\w*?)json_each\(value\)/g, (_whole, name: string) =>
    name === "" ? "AS json_each(value)" : `AS ${name}(value)`,
  );
  return withAliases(withFunctionsOfTwo(result));
}

function typed(text: string, values: readonly Value[]): string {
  let bare = 0;
  return text.replaceAll(/\?(\d*)/g, (_whole, digits: string) => {
    const number = digits === "" ? (bare += 1) : Number(digits);
    const type = typeOf(values[number - 1] ?? null);
    return type === null ? `$${number}` : `$${number}::${types[type]}`;
  });
}

/** Where the parenthesis that opens before this place is closed, and whether a comma stands between by itself. */
export function closing(
  text: string,
  from: number,
): { readonly end: number; readonly hasComma: boolean } {
  let depth = 1;
  let hasComma = false;
  for (let at = from; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === "'") at = text.indexOf("'", at + 1);
    else if (sign === "(") depth += 1;
    else if (sign === ")") depth -= 1;
    else if (sign === "," && depth === 1) hasComma = true;
    if (depth === 0) return { end: at, hasComma };
  }
  throw new Error(`metadata: a parenthesis is not closed in ${text}`);
}

function withFunctionsOfTwo(text: string): string {
  return text.replaceAll(/\b(max|min)\(/gi, (call, name: string, at: number) => {
    const { hasComma } = closing(text, at + call.length);
    return hasComma ? `${ofTwo[name.toLowerCase()]}(` : call;
  });
}

/** A query in the place of a table has a name there. */
function withAliases(text: string): string {
  let result = text;
  for (let count = 0, from = 0; ; count += 1) {
    const at = result.indexOf("FROM (", from);
    if (at === -1) return result;
    from = at + "FROM (".length;
    const { end } = closing(result, from);
    const rest = result.slice(end + 1);
    const hasName = /^\s+(?!UNION|GROUP|ORDER|LIMIT|WHERE|CROSS|JOIN)\w/.test(rest);
    if (!hasName) result = `${result.slice(0, end + 1)} AS q${count}${rest}`;
  }
}
