/**
 * Globs over names with slashes, as zot's access control, mirroring and retention write them.
 *
 * `*` is any run within a component, `?` one character, `[a-z]` and `[^a-z]` a class, `{a,b}` either, `\` takes the
 * next character as it is. A component `**` is any number of components, none included: `a/**` is also `a`.
 * Inside a component `**` is `*`.
 *
 * A glob is parsed once, and a problem is one line. A match costs at most the product of the lengths of glob and name,
 * so that no name can make it slow.
 */
import type { RequestBudget } from "./request_budget.ts";

/** One character of a component, or a run. */
type Token =
  | { readonly kind: "char"; readonly char: string }
  | { readonly kind: "class"; readonly accepts: (char: string) => boolean }
  | { readonly kind: "any" }
  | { readonly kind: "run" };

/** `deep` stands for any number of components. */
type Component = "deep" | readonly Token[];

export interface Glob {
  readonly text: string;
  /** What the braces unfold to: each alternative as its components. */
  readonly alternatives: readonly (readonly Component[])[];
}

export type ParsedGlob = { readonly glob: Glob } | { readonly problem: string };

/** Longer globs, or braces that unfold to more, are a mistake. */
const lengthMax = 512;
const alternativesMax = 64;

/** Reads a glob. The problem ends a sentence that begins with "expected". */
export function parseGlob(text: string): ParsedGlob {
  if (text.length > lengthMax) return { problem: `a glob of up to ${lengthMax} characters` };
  const unfolded = unfold(text);
  if ("problem" in unfolded) return unfolded;
  const alternatives: Component[][] = [];
  for (const alternative of unfolded.alternatives) {
    const components = readComponents(alternative);
    if ("problem" in components) return components;
    alternatives.push(components.components);
  }
  return { glob: { text, alternatives } };
}

/** Characters that are compared for the price of one step. */
const charsPerStep = 16;

/** Whether the whole name fits the glob, at the cost of a request, if there is one. @throws BudgetSpent. */
export function matchesGlob(
  glob: Glob,
  name: string,
  request: RequestBudget | null = null,
): boolean {
  const components = name.split("/");
  const work = { compared: 0 };
  for (const alternative of glob.alternatives) {
    const fits = matchesComponents(alternative, components, work);
    request?.spend(1 + Math.floor(work.compared / charsPerStep));
    work.compared %= charsPerStep;
    if (fits) return true;
  }
  return false;
}

/**
 * Whether no name at all can fit, for names of non-empty components whose characters `inside` accepts, and whose first
 * and last character `edge` accepts.
 */
export function isHopeless(
  glob: Glob,
  names: { readonly inside: RegExp; readonly edge: RegExp },
): boolean {
  return glob.alternatives.every((alternative) =>
    alternative.some((component) => component !== "deep" && isHopelessComponent(component, names)),
  );
}

function isHopelessComponent(
  tokens: readonly Token[],
  { inside, edge }: { readonly inside: RegExp; readonly edge: RegExp },
): boolean {
  if (tokens.length === 0) return true;
  const last = tokens.length - 1;
  return tokens.some((token, at) => {
    if (token.kind !== "char") return false;
    return !inside.test(token.char) || ((at === 0 || at === last) && !edge.test(token.char));
  });
}

/** Counts what a match compares. */
interface Work {
  compared: number;
}

function matchesComponents(
  pattern: readonly Component[],
  name: readonly string[],
  work: Work,
): boolean {
  // Where in the name the components so far may end.
  let ends = new Set([0]);
  for (const component of pattern) {
    const next = new Set<number>();
    for (const end of ends) {
      work.compared += 1;
      if (component === "deep") for (let at = end; at <= name.length; at += 1) next.add(at);
      else if (end < name.length && matchesTokens(component, name[end] ?? "", work)) {
        next.add(end + 1);
      }
    }
    if (next.size === 0) return false;
    ends = next;
  }
  return ends.has(name.length);
}

/** The classic match of runs: on a mismatch the latest run takes one character more. */
function matchesTokens(tokens: readonly Token[], name: string, work: Work): boolean {
  let at = 0;
  let token = 0;
  let runToken = -1;
  let runAt = 0;
  while (at < name.length) {
    work.compared += 1;
    const current = tokens[token];
    if (current?.kind === "run") {
      runToken = token;
      runAt = at;
      token += 1;
    } else if (current !== undefined && acceptsChar(current, name[at] ?? "")) {
      at += 1;
      token += 1;
    } else if (runToken === -1) {
      return false;
    } else {
      runAt += 1;
      at = runAt;
      token = runToken + 1;
    }
  }
  return tokens.slice(token).every(({ kind }) => kind === "run");
}

function acceptsChar(token: Token, char: string): boolean {
  if (token.kind === "char") return token.char === char;
  return token.kind === "any" || (token.kind === "class" && token.accepts(char));
}

/** Replaces braces by all their choices. Escapes and classes are passed over. */
function unfold(text: string): { alternatives: string[] } | { problem: string } {
  let pending = [text];
  const done: string[] = [];
  while (pending.length > 0) {
    const next: string[] = [];
    for (const each of pending) {
      const braces = firstBraces(each);
      if (braces === "unclosed") return { problem: "a glob whose { is closed by a }" };
      if (braces === null) done.push(each);
      else next.push(...braces);
    }
    if (done.length + next.length > alternativesMax) {
      return { problem: `a glob whose braces unfold to up to ${alternativesMax} alternatives` };
    }
    pending = next;
  }
  return { alternatives: done };
}

/** The texts that the first outermost braces stand for; null when there are none. */
function firstBraces(text: string): string[] | "unclosed" | null {
  const open = scan(text, 0, "{");
  if (open === null) return null;
  const choices: string[] = [];
  let start = open + 1;
  for (let at = start, depth = 0; ; at += 1) {
    const found = scan(text, at, "{,}");
    if (found === null) return "unclosed";
    const char = text[found];
    at = found;
    if (char === "{") depth += 1;
    else if (depth > 0) depth -= char === "}" ? 1 : 0;
    else {
      choices.push(text.slice(start, found));
      start = found + 1;
      if (char === "}") break;
    }
  }
  return choices.map((choice) => text.slice(0, open) + choice + text.slice(start));
}

/** The next of `wanted` outside of escapes and classes. */
function scan(text: string, from: number, wanted: string): number | null {
  let inClass = false;
  for (let at = from; at < text.length; at += 1) {
    const char = text[at] ?? "";
    if (char === "\\") at += 1;
    else if (inClass) inClass = char !== "]";
    else if (wanted.includes(char)) return at;
    else inClass = char === "[";
  }
  return null;
}

function readComponents(text: string): { components: Component[] } | { problem: string } {
  const components: Component[] = [];
  let tokens: Token[] = [];
  let start = 0;
  for (let at = 0; at <= text.length;) {
    if (at === text.length || text[at] === "/") {
      components.push(text.slice(start, at) === "**" ? "deep" : tokens);
      tokens = [];
      at += 1;
      start = at;
      continue;
    }
    const read = readToken(text, at);
    if ("problem" in read) return read;
    tokens.push(read.token);
    at = read.end;
  }
  return { components };
}

type ReadToken = { token: Token; end: number } | { problem: string };

function readToken(text: string, at: number): ReadToken {
  const char = text[at] ?? "";
  if (char === "*") {
    let end = at + 1;
    while (text[end] === "*") end += 1;
    return { token: { kind: "run" }, end };
  }
  if (char === "?") return { token: { kind: "any" }, end: at + 1 };
  if (char === "[") return readClass(text, at);
  if (char !== "\\") return { token: { kind: "char", char }, end: at + 1 };
  const escaped = text[at + 1];
  if (escaped === undefined) return { problem: "a character after \\" };
  return { token: { kind: "char", char: escaped }, end: at + 2 };
}

/** `[abc]`, `[a-z]`, `[^a-z]` or `[!a-z]`; a class never accepts a slash. */
function readClass(text: string, at: number): ReadToken {
  const match = /^\[([\^!]?)((?:\\.|[^\]\\])+)\]/.exec(text.slice(at));
  const ranges = match === null ? null : readRanges(match[2] ?? "");
  if (match === null || ranges === null) return { problem: "a class such as [a-z] after [" };
  const negated = match[1] !== "";
  const accepts = (char: string): boolean =>
    ranges.some(([first, last]) => first <= char && char <= last) !== negated;
  return { token: { kind: "class", accepts }, end: at + match[0].length };
}

/** Single characters and ranges; null when a range lacks an end or runs backwards. */
function readRanges(text: string): [string, string][] | null {
  const chars = [...text.matchAll(/\\(.)|(.)/g)];
  const ranges: [string, string][] = [];
  for (let at = 0; at < chars.length; at += 1) {
    const first = chars[at]?.[1] ?? chars[at]?.[2] ?? "";
    if (chars[at]?.[2] === "-") return null;
    if (chars[at + 1]?.[2] !== "-") {
      ranges.push([first, first]);
      continue;
    }
    const last = chars[at + 2]?.[1] ?? chars[at + 2]?.[2];
    if (last === undefined || chars[at + 2]?.[2] === "-" || last < first) return null;
    ranges.push([first, last]);
    at += 2;
  }
  return ranges;
}
