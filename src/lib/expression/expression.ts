/**
 * Expressions in configuration files: a subset of the Common Expression Language that conditions and claim mappings
 * of zot's dialect are written in.
 *
 * Promises: an expression is read once and refused with one line when it names what does not exist; evaluating has
 * no effects, and a bounded cost; whatever cannot be computed is a problem, so that callers can fail closed.
 * `a || b` is true when either is, even if the other cannot be computed, and `&&` likewise.
 * Left out of the language: bytes, types as values, optional values, protocol buffers.
 */
import { unreachable } from "../assert.ts";
import { asText, calculate, compare, functions, isEqual, isList, type Value } from "./functions.ts";
import { parseTokens, type Node } from "./parse.ts";
import { ExpressionProblem } from "./tokens.ts";

export { Moment, Span, type Value } from "./functions.ts";

/** What is known of a variable: its fields, or "any" for what only the evaluation tells. */
export type Shape = "any" | { readonly [field: string]: Shape };

export interface Expression {
  readonly text: string;
  readonly root: Node;
}

const textLengthMax = 4096;
/** Nodes visited in one evaluation: only macros over long lists come near. */
const stepsMax = 50_000;

/** Reads an expression. The problem ends a sentence that begins with "expected". */
export function parseExpression(
  text: string,
  variables: Readonly<Record<string, Shape>>,
): { readonly expression: Expression } | { readonly problem: string } {
  try {
    if (text.length > textLengthMax) {
      throw new ExpressionProblem(`an expression of up to ${textLengthMax} characters`);
    }
    const root = parseTokens(text);
    check(root, new Map(Object.entries(variables)));
    return { expression: { text, root } };
  } catch (error) {
    if (error instanceof ExpressionProblem) return { problem: error.message };
    throw error;
  }
}

/** The value of an expression, or why it has none. */
export function evaluate(
  expression: Expression,
  variables: Readonly<Record<string, Value>>,
): { readonly value: Value } | { readonly problem: string } {
  const evaluation = new Evaluation();
  try {
    return { value: evaluation.run(expression.root, new Map(Object.entries(variables))) };
  } catch (error) {
    // A pattern that does not compile is a SyntaxError: computed ones are only known now.
    if (error instanceof ExpressionProblem || error instanceof SyntaxError) {
      return { problem: error.message };
    }
    throw error;
  }
}

/** A value of JSON as the language sees it. */
export function valueOf(json: unknown): Value {
  if (typeof json === "string" || typeof json === "number" || typeof json === "boolean")
    return json;
  if (Array.isArray(json)) return json.map(valueOf);
  if (typeof json !== "object" || json === null) return null;
  return new Map(Object.entries(json).map(([key, value]) => [key, valueOf(value)]));
}

type Names = ReadonlyMap<string, Shape>;

/** Finds names, fields and functions that do not exist, before anything depends on the expression. */
function check(node: Node, names: Names): Shape {
  switch (node.kind) {
    case "name": {
      const shape = names.get(node.name);
      if (shape !== undefined) return shape;
      throw new ExpressionProblem(`one of ${[...names.keys()].join(", ")}, got ${node.name}`);
    }
    case "field":
    case "has": {
      const shape = check(node.of, names);
      if (shape === "any") return "any";
      const field = Object.hasOwn(shape, node.field) ? shape[node.field] : undefined;
      if (field !== undefined) return node.kind === "has" ? "any" : field;
      throw new ExpressionProblem(
        `one of the fields ${Object.keys(shape).join(", ")}, got ${node.field}`,
      );
    }
    case "call":
      if (!Object.hasOwn(functions, node.name)) {
        throw new ExpressionProblem(
          `one of the functions ${Object.keys(functions).join(", ")}, got ${node.name}`,
        );
      }
      for (const arg of node.args) check(arg, names);
      checkPattern(node);
      return "any";
    case "each":
      check(node.of, names);
      check(node.body, new Map([...names, [node.name, "any"]]));
      return "any";
    default:
      for (const child of childrenOf(node)) check(child, names);
      return "any";
  }
}

function checkPattern({ name, args }: Extract<Node, { kind: "call" }>): void {
  const source = args[1];
  if (name !== "matches" || source?.kind !== "literal") return;
  try {
    RegExp(String(source.value), "u");
  } catch {
    throw new ExpressionProblem(`a regular expression, got ${JSON.stringify(source.value)}`);
  }
}

function childrenOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case "list":
      return node.items;
    case "map":
      return node.entries.flat();
    case "index":
      return [node.of, node.index];
    case "not":
    case "negate":
      return [node.of];
    case "binary":
      return [node.left, node.right];
    case "choice":
      return [node.test, node.yes, node.no];
    default:
      return [];
  }
}

type Bindings = ReadonlyMap<string, Value>;

class Evaluation {
  #steps = 0;

  run(node: Node, names: Bindings): Value {
    this.#steps += 1;
    if (this.#steps > stepsMax) throw new ExpressionProblem(`up to ${stepsMax} steps`);
    switch (node.kind) {
      case "literal":
        return node.value;
      case "list":
        return node.items.map((item) => this.run(item, names));
      case "map":
        return new Map(
          node.entries.map(([key, value]) => [
            asText(this.run(key, names)),
            this.run(value, names),
          ]),
        );
      case "name":
        return names.get(node.name) ?? null;
      case "field":
        return memberOf(this.run(node.of, names), node.field);
      case "index":
        return memberOf(this.run(node.of, names), this.run(node.index, names));
      case "has": {
        const of = this.run(node.of, names);
        return of instanceof Map && of.has(node.field);
      }
      case "not":
        return !this.#truth(node.of, names);
      case "negate":
        return calculate("-", 0, this.run(node.of, names));
      case "choice":
        return this.run(this.#truth(node.test, names) ? node.yes : node.no, names);
      case "call": {
        const args = node.args.map((arg) => this.run(arg, names));
        return functions[node.name]?.(args) ?? null;
      }
      case "each":
        return this.#each(node, names);
      case "binary":
        return this.#binary(node, names);
      default:
        return unreachable(node);
    }
  }

  #truth(node: Node, names: Bindings): boolean {
    const value = this.run(node, names);
    if (typeof value !== "boolean") throw new ExpressionProblem("true or false");
    return value;
  }

  #binary(node: Extract<Node, { kind: "binary" }>, names: Bindings): Value {
    const { operator } = node;
    if (operator === "||") return this.#either(node, names, true);
    if (operator === "&&") return this.#either(node, names, false);
    const left = this.run(node.left, names);
    const right = this.run(node.right, names);
    switch (operator) {
      case "==":
        return isEqual(left, right);
      case "!=":
        return !isEqual(left, right);
      case "<":
        return compare(left, right) < 0;
      case "<=":
        return compare(left, right) <= 0;
      case ">":
        return compare(left, right) > 0;
      case ">=":
        return compare(left, right) >= 0;
      case "in":
        return isIn(left, right);
      default:
        return calculate(operator, left, right);
    }
  }

  /** `||` (decided by true) and `&&` (decided by false): one side that decides is enough. */
  #either(node: Extract<Node, { kind: "binary" }>, names: Bindings, decides: boolean): boolean {
    let failure: unknown = null;
    for (const side of [node.left, node.right]) {
      try {
        if (this.#truth(side, names) === decides) return decides;
      } catch (error) {
        if (!(error instanceof ExpressionProblem)) throw error;
        failure ??= error;
      }
    }
    if (failure !== null) throw failure;
    return !decides;
  }

  #each(node: Extract<Node, { kind: "each" }>, names: Bindings): Value {
    const of = this.run(node.of, names);
    const items = isList(of) ? of : of instanceof Map ? [...of.keys()] : null;
    if (items === null) throw new ExpressionProblem(`a list before ${node.macro}()`);
    const inner = (item: Value): Bindings => new Map([...names, [node.name, item]]);
    if (node.macro === "map") return items.map((item) => this.run(node.body, inner(item)));
    const fitting = items.filter((item) => this.#truth(node.body, inner(item)));
    if (node.macro === "filter") return fitting;
    if (node.macro === "all") return fitting.length === items.length;
    return node.macro === "exists" ? fitting.length > 0 : fitting.length === 1;
  }
}

function memberOf(of: Value, key: Value): Value {
  if (of instanceof Map && typeof key === "string") {
    const value = of.get(key);
    if (value !== undefined) return value;
    throw new ExpressionProblem(`the key ${JSON.stringify(key)}`);
  }
  if (isList(of) && typeof key === "number") {
    const value = of[key];
    if (value !== undefined) return value;
    throw new ExpressionProblem(`an item ${key}`);
  }
  throw new ExpressionProblem("a map or a list to look into");
}

function isIn(item: Value, of: Value): boolean {
  if (isList(of)) return of.some((each) => isEqual(each, item));
  if (of instanceof Map) return typeof item === "string" && of.has(item);
  throw new ExpressionProblem("a list or a map after in");
}
