/**
 * Regular expressions of `matches()`, from text to a tree: the syntax of RE2, which the language names.
 *
 * Nesting is limited. What RE2 does not have (lookaround, back references) is refused, never read as something else.
 * Also refused: `\p`, `\C`, `\Q…\E` and octal numbers. `pattern.ts` matches a text.
 */
import { ExpressionProblem, shown } from "./tokens.ts";

type Range = readonly [first: number, last: number];

/** A set of code points. */
export interface CharSet {
  readonly ranges: readonly Range[];
  readonly negated: boolean;
  /** Whether upper and lower case are the same: a character is in it when one of its `foldings` is. */
  readonly fold: boolean;
}

export type Edge = "start" | "end" | "lineStart" | "lineEnd" | "word" | "notWord";

export type PatternNode =
  | { readonly kind: "one"; readonly set: CharSet }
  | { readonly kind: "edge"; readonly edge: Edge }
  | { readonly kind: "sequence"; readonly items: readonly PatternNode[] }
  | { readonly kind: "choice"; readonly options: readonly PatternNode[] }
  /** The first capturing group, where it was asked for. */
  | { readonly kind: "group"; readonly of: PatternNode }
  | {
      readonly kind: "repeat";
      readonly of: PatternNode;
      readonly least: number;
      /** Infinity for no limit. */
      readonly most: number;
      /** Takes as few as it can: of use only to who asks for what a group took. */
      readonly isLazy: boolean;
    };

interface Flags {
  readonly i: boolean;
  readonly m: boolean;
  readonly s: boolean;
}

const depthMax = 48;
const repeatMax = 1000; // As RE2.

function rangesOf(text: string): Range[] {
  const ranges: Range[] = [];
  for (let at = 0; at < text.length; at += 2) {
    ranges.push([text.charCodeAt(at), text.charCodeAt(at + 1)]);
  }
  return ranges;
}

/** Pairs of a first and a last character; RE2's classes are of ASCII only. */
const classes: ReadonlyMap<string, readonly Range[]> = new Map(
  Object.entries({
    d: "09",
    s: "\t\n\f\r  ",
    w: "09AZ__az",
    "[:alnum:]": "09AZaz",
    "[:alpha:]": "AZaz",
    "[:ascii:]": "\0\x7f",
    "[:blank:]": "\t\t  ",
    "[:cntrl:]": "\0\x1f\x7f\x7f",
    "[:digit:]": "09",
    "[:graph:]": "!~",
    "[:lower:]": "az",
    "[:print:]": " ~",
    "[:punct:]": "!/:@[`{~",
    "[:space:]": "\t\r  ",
    "[:upper:]": "AZ",
    "[:word:]": "09AZ__az",
    "[:xdigit:]": "09AFaf",
  }).map(([name, text]) => [name, rangesOf(text)]),
);

const controls = new Map([
  ["a", 7],
  ["t", 9],
  ["n", 10],
  ["v", 11],
  ["f", 12],
  ["r", 13],
]);

const edges = new Map<string, Edge>([
  ["A", "start"],
  ["z", "end"],
  ["b", "word"],
  ["B", "notWord"],
]);

/** `marksGroup`: the first capturing group becomes a node of its own. @throws ExpressionProblem. */
export function parsePatternText(source: string, marksGroup = false): PatternNode {
  return new PatternParser(source, marksGroup).whole();
}

class PatternParser {
  readonly #source: string;
  #at = 0;
  #depth = 0;
  #flags: Flags = { i: false, m: false, s: false };
  /** Whether the next capturing group is the one to mark. */
  #marksGroup: boolean;

  constructor(source: string, marksGroup: boolean) {
    this.#source = source;
    this.#marksGroup = marksGroup;
  }

  whole(): PatternNode {
    const node = this.#choice();
    if (this.#at < this.#source.length) throw this.#problem("a ) that nothing opened");
    return node;
  }

  #problem(why: string): ExpressionProblem {
    return new ExpressionProblem(
      `a regular expression (of RE2), got ${shown(this.#source)} with ${why}`,
    );
  }

  /** Takes what fits here. */
  #take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#source);
    if (match !== null) this.#at = pattern.lastIndex;
    return match;
  }

  #choice(): PatternNode {
    this.#depth += 1;
    if (this.#depth > depthMax) throw this.#problem(`more than ${depthMax} levels of nesting`);
    const options = [this.#sequence()];
    while (this.#take(/\|/y)) options.push(this.#sequence());
    this.#depth -= 1;
    return { kind: "choice", options };
  }

  #sequence(): PatternNode {
    const items: PatternNode[] = [];
    while (this.#at < this.#source.length && !/[|)]/.test(this.#source.charAt(this.#at))) {
      items.push(this.#repeated(this.#atom()));
    }
    return { kind: "sequence", items };
  }

  #repeated(of: PatternNode): PatternNode {
    const match = this.#take(/(?:([*+?])|\{(\d+)(,(\d*))?\})(\??)/y);
    if (match === null) return of;
    if (this.#take(/[*+?]|\{\d+(?:,\d*)?\}/y)) throw this.#problem("a repetition of a repetition");
    const [, sign, first, comma, last, lazy] = match;
    const least = first === undefined ? Number(sign === "+") : Number(first);
    let most = sign === "?" ? 1 : Infinity;
    if (first !== undefined && comma === undefined) most = least;
    else if (last !== undefined && last !== "") most = Number(last);
    if (least > most || least > repeatMax || (most !== Infinity && most > repeatMax)) {
      throw this.#problem(`a repetition that is not within 0 and ${repeatMax}`);
    }
    return { kind: "repeat", of, least, most, isLazy: lazy === "?" };
  }

  #nothingToRepeat(): void {
    if (this.#take(/[*+?]|\{\d+(?:,\d*)?\}/y)) throw this.#problem("a repetition of nothing");
  }

  #one(ranges: readonly Range[], negated = false): PatternNode {
    const fold = this.#flags.i;
    const folded = fold ? ranges.flatMap(foldedRanges) : ranges;
    return { kind: "one", set: { ranges: folded, negated, fold } };
  }

  #atom(): PatternNode {
    this.#nothingToRepeat();
    if (this.#take(/\(/y)) return this.#group();
    if (this.#take(/\[/y)) return this.#class();
    if (this.#take(/\./y)) return this.#one(this.#flags.s ? [] : [[10, 10]], true);
    if (this.#take(/\^/y)) return { kind: "edge", edge: this.#flags.m ? "lineStart" : "start" };
    if (this.#take(/\$/y)) return { kind: "edge", edge: this.#flags.m ? "lineEnd" : "end" };
    const edge = edges.get(this.#take(/\\([AzbB])/y)?.[1] ?? "");
    if (edge !== undefined) return { kind: "edge", edge };
    return this.#one(this.#char());
  }

  #group(): PatternNode {
    const before = this.#flags;
    const opening = this.#take(/\?(?:P?<[A-Za-z_]\w*>|([imsU]*)(?:-([imsU]+))?([:)]))/y);
    if (opening === null && this.#take(/\?/y))
      throw this.#problem("a group that RE2 does not know");
    const [, on = "", off = "", end] = opening ?? [];
    for (const flag of ["i", "m", "s"] as const) {
      if (on.includes(flag)) this.#flags = { ...this.#flags, [flag]: true };
      if (off.includes(flag)) this.#flags = { ...this.#flags, [flag]: false };
    }
    // Without a colon they are set for the rest of the group around.
    if (end === ")") {
      this.#nothingToRepeat();
      return { kind: "sequence", items: [] };
    }
    const isMarked = this.#marksGroup && end === undefined;
    if (isMarked) this.#marksGroup = false;
    const inner = this.#choice();
    if (!this.#take(/\)/y)) throw this.#problem("no ) at the end of a group");
    this.#flags = before;
    return isMarked ? { kind: "group", of: inner } : inner;
  }

  #class(): PatternNode {
    const negated = this.#take(/\^/y) !== null;
    const ranges: Range[] = [];
    do {
      if (this.#at >= this.#source.length) throw this.#problem("no ] at the end of a class");
      const named = this.#take(/\[:(\^?)(\w+):\]/y);
      if (named !== null) {
        const [, not, name] = named;
        const found = classes.get(`[:${name}:]`);
        if (found === undefined) throw this.#problem(`the unknown class [:${name}:]`);
        ranges.push(...(not === "" ? found : complement(found)));
      } else ranges.push(...this.#classItem());
    } while (!this.#take(/\]/y));
    return this.#one(ranges, negated);
  }

  /** A character, a range of them, or an escape that stands for many. */
  #classItem(): readonly Range[] {
    const from = this.#char();
    if (!this.#take(/-(?!\])/y)) return from;
    const to = this.#char();
    const [first] = from;
    const [last] = to;
    const single = from.length === 1 && to.length === 1 && first?.[0] === first?.[1];
    if (!single || first === undefined || last === undefined || last[0] !== last[1]) {
      throw this.#problem("a range between more than characters");
    }
    if (first[0] > last[0]) throw this.#problem("a range that is the wrong way round");
    return [[first[0], last[0]]];
  }

  /** One character as it stands, or an escape. */
  #char(): readonly Range[] {
    if (!this.#take(/\\/y)) {
      const code = this.#source.codePointAt(this.#at);
      if (code === undefined) throw this.#problem("nothing where a character is expected");
      this.#at += code > 0xffff ? 2 : 1;
      return [[code, code]];
    }
    const hex = this.#take(/x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})/y);
    if (hex !== null) {
      const code = Number.parseInt(hex[1] ?? hex[2] ?? "", 16);
      if (code > 0x10ffff) throw this.#problem("a character beyond the last one");
      return [[code, code]];
    }
    const escaped = this.#take(/[dswDSWatnvfr]|[!-/:-@[-`{-~]/y)?.[0];
    if (escaped === undefined) throw this.#problem("an escape that is not known");
    const control = controls.get(escaped);
    if (control !== undefined) return [[control, control]];
    const found = classes.get(escaped.toLowerCase());
    if (found !== undefined) return /[a-z]/.test(escaped) ? found : complement(found);
    const code = escaped.charCodeAt(0);
    return [[code, code]];
  }
}

function foldedRanges(range: Range): readonly Range[] {
  const [first, last] = range;
  return first === last ? foldings(first).map((code) => [code, code] as const) : [range];
}

/** The code points that differ from one in case only, itself among them. */
export function foldings(code: number): readonly number[] {
  const char = String.fromCodePoint(code);
  const upper = char.toUpperCase();
  const codes = [char, upper, char.toLowerCase(), upper.toLowerCase()].flatMap((each) => {
    const [single, ...more] = Array.from(each);
    return single === undefined || more.length > 0 ? [] : [single.codePointAt(0) ?? code];
  });
  return [...new Set(codes)];
}

/** What is not in ranges that are in their order. */
function complement(ranges: readonly Range[]): Range[] {
  const others: Range[] = [];
  let next = 0;
  for (const [first, last] of ranges) {
    if (first > next) others.push([next, first - 1]);
    next = last + 1;
  }
  return [...others, [next, 0x10ffff]];
}
