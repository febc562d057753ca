/**
 * From tokens to a tree (Common Expression Language, "Syntax"): literals, lists, maps, fields, indexes, calls,
 * the operators `?: || && == != < <= > >= in + - * / % !`, and the macros `has`, `all`, `exists`, `exists_one`,
 * `filter` and `map`.
 *
 * Nesting is limited. What the parser does not understand is a problem with one line, and is never skipped.
 * `expression.ts` checks that functions exist and fields are known.
 */
import { ExpressionProblem, readTokens, type Token } from "./tokens.ts";

export type Node =
  | { readonly kind: "literal"; readonly value: null | boolean | number | string }
  | { readonly kind: "list"; readonly items: readonly Node[] }
  | { readonly kind: "map"; readonly entries: readonly (readonly [Node, Node])[] }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "field"; readonly of: Node; readonly field: string }
  | { readonly kind: "index"; readonly of: Node; readonly index: Node }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Node[] }
  | { readonly kind: "not" | "negate"; readonly of: Node }
  | {
      readonly kind: "binary";
      readonly operator: string;
      readonly left: Node;
      readonly right: Node;
    }
  | { readonly kind: "choice"; readonly test: Node; readonly yes: Node; readonly no: Node }
  | { readonly kind: "has"; readonly of: Node; readonly field: string }
  | {
      readonly kind: "each";
      readonly macro: Macro;
      readonly of: Node;
      readonly name: string;
      readonly body: Node;
    };

export type Macro = "all" | "exists" | "exists_one" | "filter" | "map";

const macros = new Map<string, Macro>([
  ["all", "all"],
  ["exists", "exists"],
  ["exists_one", "exists_one"],
  ["filter", "filter"],
  ["map", "map"],
]);
const literals = new Map<string, null | boolean>([
  ["true", true],
  ["false", false],
  ["null", null],
]);
/** Binary operators from the loosest to the tightest. */
const levels: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["==", "!=", "<", "<=", ">", ">=", "in"],
  ["+", "-"],
  ["*", "/", "%"],
];
const depthMax = 48;

/** @throws ExpressionProblem. */
export function parseTokens(text: string): Node {
  const parser = new Parser(readTokens(text));
  return parser.whole();
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Node {
    const node = this.#expression();
    if (this.#next().kind !== "end") throw this.#unexpected("the end");
    return node;
  }

  #next(): Token {
    return this.#tokens[this.#at] ?? { kind: "end", value: "", at: 0 };
  }

  #unexpected(wanted: string): ExpressionProblem {
    const token = this.#next();
    const got = token.kind === "end" ? "the end" : JSON.stringify(token.value);
    return new ExpressionProblem(`${wanted} at character ${token.at + 1}, got ${got}`);
  }

  #take(symbol: string): boolean {
    const token = this.#next();
    const found = (token.kind === "symbol" || token.kind === "name") && token.value === symbol;
    if (found) this.#at += 1;
    return found;
  }

  #must(symbol: string): void {
    if (!this.#take(symbol)) throw this.#unexpected(symbol);
  }

  #name(): string {
    const token = this.#next();
    if (token.kind !== "name") throw this.#unexpected("a name");
    this.#at += 1;
    return token.value;
  }

  #expression(): Node {
    this.#depth += 1;
    if (this.#depth > depthMax) throw new ExpressionProblem(`up to ${depthMax} levels of nesting`);
    const test = this.#binary(0);
    let node = test;
    if (this.#take("?")) {
      const yes = this.#expression();
      this.#must(":");
      node = { kind: "choice", test, yes, no: this.#expression() };
    }
    this.#depth -= 1;
    return node;
  }

  #binary(level: number): Node {
    const operators = levels[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const operator = operators.find((each) => this.#take(each));
      if (operator === undefined) return left;
      left = { kind: "binary", operator, left, right: this.#binary(level + 1) };
    }
  }

  #unary(): Node {
    this.#depth += 1;
    if (this.#depth > depthMax) throw new ExpressionProblem(`up to ${depthMax} levels of nesting`);
    const kind = this.#take("!") ? "not" : this.#take("-") ? "negate" : null;
    const node: Node = kind === null ? this.#member() : { kind, of: this.#unary() };
    this.#depth -= 1;
    return node;
  }

  #member(): Node {
    let node = this.#primary();
    for (;;) {
      if (this.#take(".")) node = this.#afterDot(node);
      else if (this.#take("[")) {
        node = { kind: "index", of: node, index: this.#expression() };
        this.#must("]");
      } else return node;
    }
  }

  #afterDot(of: Node): Node {
    const name = this.#name();
    if (!this.#take("(")) return { kind: "field", of, field: name };
    const args = this.#list(")");
    const macro = macros.get(name);
    if (macro === undefined) return { kind: "call", name, args: [of, ...args] };
    const [variable, body] = args;
    if (variable?.kind !== "name" || body === undefined || args.length !== 2) {
      throw new ExpressionProblem(`${name}(name, expression)`);
    }
    return { kind: "each", macro, of, name: variable.name, body };
  }

  #list(end: string): Node[] {
    const items: Node[] = [];
    while (!this.#take(end)) {
      items.push(this.#expression());
      if (this.#take(end)) break;
      this.#must(",");
    }
    return items;
  }

  #primary(): Node {
    const token = this.#next();
    if (token.kind === "number" || token.kind === "string") {
      this.#at += 1;
      return { kind: "literal", value: token.value };
    }
    if (token.kind === "name") return this.#named();
    if (this.#take("(")) {
      const node = this.#expression();
      this.#must(")");
      return node;
    }
    if (this.#take("[")) return { kind: "list", items: this.#list("]") };
    if (this.#take("{")) return { kind: "map", entries: this.#entries() };
    throw this.#unexpected("a value");
  }

  #named(): Node {
    const name = this.#name();
    const literal = literals.get(name);
    if (literal !== undefined) return { kind: "literal", value: literal };
    if (!this.#take("(")) return { kind: "name", name };
    const args = this.#list(")");
    if (name !== "has") return { kind: "call", name, args };
    const [field] = args;
    if (field?.kind !== "field" || args.length !== 1) {
      throw new ExpressionProblem("a field in has(), such as has(claims.email)");
    }
    return { kind: "has", of: field.of, field: field.field };
  }

  #entries(): [Node, Node][] {
    const entries: [Node, Node][] = [];
    while (!this.#take("}")) {
      const key = this.#expression();
      this.#must(":");
      entries.push([key, this.#expression()]);
      if (this.#take("}")) break;
      this.#must(",");
    }
    return entries;
  }
}
