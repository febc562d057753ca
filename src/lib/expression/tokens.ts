/**
 * Splits the text of an expression into tokens (Common Expression Language, "Syntax").
 *
 * The time is linear in the text. Every token knows its position, so that a problem can name it. `parse.ts` reads the
 * grammar.
 */

export type Token =
  | { readonly kind: "number"; readonly value: number; readonly at: number }
  | { readonly kind: "string"; readonly value: string; readonly at: number }
  | { readonly kind: "name"; readonly value: string; readonly at: number }
  | { readonly kind: "symbol"; readonly value: string; readonly at: number }
  | { readonly kind: "end"; readonly value: ""; readonly at: number };

/** What is wrong with an expression, as the end of a sentence that begins with "expected". */
export class ExpressionProblem extends Error {
  override readonly name = "ExpressionProblem";
}

/** A text in a message: quoted, and not longer than a line, whoever wrote it. */
export function shown(text: string): string {
  return JSON.stringify(text.length > shownLengthMax ? `${text.slice(0, shownLengthMax)}…` : text);
}

const shownLengthMax = 60;

const pattern =
  /\s+|\/\/[^\n]*|(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?u?)|([rR]?)("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|([A-Za-z_]\w*)|(&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()[\]{}])/y;

const tokensMax = 1500;

export function readTokens(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) {
      throw new ExpressionProblem(`an expression, got ${JSON.stringify(text.slice(at, at + 12))}`);
    }
    const [, number, raw, quoted, name, symbol] = match;
    if (number !== undefined) tokens.push({ kind: "number", value: numberOf(number), at });
    else if (quoted !== undefined) {
      const inner = quoted.slice(1, -1);
      tokens.push({ kind: "string", value: raw === "" ? unescaped(inner) : inner, at });
    } else if (name !== undefined) tokens.push({ kind: "name", value: name, at });
    else if (symbol !== undefined) tokens.push({ kind: "symbol", value: symbol, at });
    // A chain such as 1 + 1 + 1 is as deep as it is long.
    if (tokens.length > tokensMax)
      throw new ExpressionProblem(`up to ${tokensMax} words and signs`);
    at = pattern.lastIndex;
  }
  tokens.push({ kind: "end", value: "", at: text.length });
  return tokens;
}

/** Numbers that a double holds exactly, or as close as it can when they have a fraction. */
function numberOf(text: string): number {
  const value = Number.parseFloat(text);
  const isExact = /[.eE]/.test(text) || Number.isSafeInteger(value);
  if (Number.isFinite(value) && isExact) return value;
  throw new ExpressionProblem(`a number up to ${Number.MAX_SAFE_INTEGER}, got ${text}`);
}

const escapes = new Map([
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["a", "\u0007"],
  ["b", "\b"],
  ["f", "\f"],
  ["v", "\v"],
]);

function unescaped(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/g,
    (
      _all,
      x: string | undefined,
      u: string | undefined,
      long: string | undefined,
      char: string,
    ) => {
      const hex = x ?? u ?? long;
      if (hex === undefined) return plainEscape(char);
      const code = Number.parseInt(hex, 16);
      if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        throw new ExpressionProblem(`a character, got \\${x === undefined ? "u" : "x"}${hex}`);
      return String.fromCodePoint(code);
    },
  );
}

function plainEscape(char: string): string {
  const escaped = escapes.get(char);
  if (escaped !== undefined) return escaped;
  if (/[\\"'`?]/.test(char)) return char;
  throw new ExpressionProblem(`an escape such as \\n or \\\\, got \\${char}`);
}
