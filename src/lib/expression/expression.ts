/**
 * Expressions in configuration files: a subset of the Common Expression Language that conditions and claim mappings
 * of zot's dialect are written in.
 *
 * An expression is parsed once, and refused with one line when it names something that does not exist. Evaluating it
 * has no effects, throws nothing but BudgetSpent, and costs a limited amount of time and memory. What cannot be
 * computed is a problem, so that callers can deny. `a || b` is true when either is, even if the other cannot be
 * computed; the same holds for `&&`, `exists` and `all`. Values are data: an expression reaches no object and no
 * prototype of the runtime. Not in the language: bytes, types as values, optional values, protocol buffers. All numbers
 * are doubles, so `10 / 4` is 2.5. Why this is our own code: docs/dependencies.md.
 */
import { must, unreachable } from "../assert.ts";
import type { RequestBudget } from "../request_budget.ts";
import { functions, type Context } from "./functions.ts";
import { parseTokens, type Node } from "./parse.ts";
import { parsePattern, type Pattern } from "./pattern.ts";
import { ExpressionProblem, shown } from "./tokens.ts";
import { asText, Budget, calculate, compare, isEqual, isList, type Value } from "./values.ts";

export { Moment, Span, type Value } from "./values.ts";

/** What is known of a variable: its fields, or "any" for what only the evaluation tells. */
export type Shape = "any" | { readonly [field: string]: Shape };

export interface Expression {
  readonly text: string;
  readonly root: Node;
  /** Regular expressions that its text names, by their source. */
  readonly patterns: ReadonlyMap<string, Pattern>;
}

const textLengthMax = 4096;
/** Deeper values are taken for null: no claim that anybody asks for lies there. */
const valueDepthMax = 64;

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
    const patterns = new Map<string, Pattern>();
    check(root, new Map(Object.entries(variables)), patterns);
    return { expression: { text, root, patterns } };
  } catch (error) {
    if (error instanceof ExpressionProblem) return { problem: error.message };
    throw error;
  }
}

/** The value of an expression, or why it has none. */
export type Outcome = { readonly value: Value } | { readonly problem: string };

/** Evaluates at the cost of a request, if there is one. @throws BudgetSpent when it has no more to spend. */
export function evaluate(
  expression: Expression,
  variables: Readonly<Record<string, Value>>,
  request: RequestBudget | null = null,
): Outcome {
  const evaluation = new Evaluation(expression.patterns, request);
  try {
    return { value: evaluation.run(expression.root, new Map(Object.entries(variables))) };
  } catch (error) {
    if (error instanceof ExpressionProblem) return { problem: error.message };
    throw error;
  }
}

/** Fields of a variable that an expression looks at; null when it may look at any. */
export function fieldsOf({ root }: Expression, variable: string): ReadonlySet<string> | null {
  const fields = new Set<string>();
  return collectFields(root, variable, fields) ? fields : null;
}

/** False when the variable itself is used, with whatever is in it. */
function collectFields(node: Node, variable: string, fields: Set<string>): boolean {
  if (node.kind === "name") return node.name !== variable;
  if ((node.kind === "field" || node.kind === "has") && isVariable(node.of, variable)) {
    fields.add(node.field);
    return true;
  }
  return operandsOf(node).every((child) => collectFields(child, variable, fields));
}

function isVariable(node: Node, variable: string): boolean {
  return node.kind === "name" && node.name === variable;
}

/** Every node right below one. */
function operandsOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case "field":
    case "has":
      return [node.of];
    case "index":
      return [node.of, node.index];
    case "call":
      return node.args;
    case "each":
      return [node.of, node.body];
    default:
      return childrenOf(node);
  }
}

/** A value of JSON as the language sees it. */
export function valueOf(json: unknown): Value {
  return valueAt(json, 0);
}

function valueAt(json: unknown, depth: number): Value {
  if (typeof json === "string" || typeof json === "number" || typeof json === "boolean")
    return json;
  if (typeof json !== "object" || json === null || depth >= valueDepthMax) return null;
  if (Array.isArray(json)) return json.map((item) => valueAt(item, depth + 1));
  return new Map(Object.entries(json).map(([key, value]) => [key, valueAt(value, depth + 1)]));
}

type Names = ReadonlyMap<string, Shape>;

/** Finds names, fields and functions that do not exist, before anything depends on the expression. */
function check(node: Node, names: Names, patterns: Map<string, Pattern>): Shape {
  switch (node.kind) {
    case "name": {
      const shape = names.get(node.name);
      if (shape !== undefined) return shape;
      throw new ExpressionProblem(`one of ${[...names.keys()].join(", ")}, got ${node.name}`);
    }
    case "field":
      return fieldOf(check(node.of, names, patterns), node.field);
    case "has":
      fieldOf(check(node.of, names, patterns), node.field);
      return "any";
    case "index": {
      const shape = check(node.of, names, patterns);
      check(node.index, names, patterns);
      const key = node.index.kind === "literal" ? node.index.value : null;
      return typeof key === "string" ? fieldOf(shape, key) : "any";
    }
    case "call":
      checkCall(node, patterns);
      for (const arg of node.args) check(arg, names, patterns);
      return "any";
    case "each":
      check(node.of, names, patterns);
      check(node.body, new Map([...names, [node.name, "any"]]), patterns);
      return "any";
    default:
      for (const child of childrenOf(node)) check(child, names, patterns);
      return "any";
  }
}

function fieldOf(shape: Shape, name: string): Shape {
  if (shape === "any") return "any";
  const field = Object.hasOwn(shape, name) ? shape[name] : undefined;
  if (field !== undefined) return field;
  throw new ExpressionProblem(
    `one of the fields ${Object.keys(shape).join(", ")}, got ${shown(name)}`,
  );
}

function checkCall(
  { name, args }: Extract<Node, { kind: "call" }>,
  patterns: Map<string, Pattern>,
): void {
  const found = functions.get(name);
  if (found === undefined) {
    throw new ExpressionProblem(
      `one of the functions ${[...functions.keys()].join(", ")}, got ${name}`,
    );
  }
  const { least, most } = found;
  if (args.length < least || args.length > most) {
    const count = least === most ? String(least) : `${least} or ${most}`;
    throw new ExpressionProblem(
      `${count} for ${name}(), with what stands before the dot, got ${args.length}`,
    );
  }
  const source = args[1];
  if (name !== "matches" || source?.kind !== "literal") return;
  const text = asText(source.value);
  patterns.set(text, parsePattern(text));
}

function childrenOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case "list":
      return node.items;
    case "map":
      return node.entries.flat();
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
  readonly #budget: Budget;
  readonly #context: Context;

  constructor(patterns: ReadonlyMap<string, Pattern>, request: RequestBudget | null) {
    const budget = new Budget(request);
    this.#budget = budget;
    this.#context = {
      budget,
      patternOf: (source) => {
        const known = patterns.get(source);
        if (known !== undefined) return known;
        budget.spend(source.length);
        return parsePattern(source);
      },
    };
  }

  run(node: Node, names: Bindings): Value {
    this.#budget.spend(1);
    switch (node.kind) {
      case "literal":
        return node.value;
      case "list":
        return node.items.map((item) => this.run(item, names));
      case "map":
        return this.#map(node.entries, names);
      case "name":
        return variableOf(names, node.name);
      case "field":
        return memberOf(this.run(node.of, names), node.field);
      case "index":
        return memberOf(this.run(node.of, names), this.run(node.index, names));
      case "has": {
        const of = this.run(node.of, names);
        if (!(of instanceof Map)) throw new ExpressionProblem(`a map with ${node.field} in has()`);
        return of.has(node.field);
      }
      case "not":
        return !this.#truth(node.of, names);
      case "negate":
        return calculate("-", 0, this.run(node.of, names), this.#budget);
      case "choice":
        return this.run(this.#truth(node.test, names) ? node.yes : node.no, names);
      case "call": {
        const args = node.args.map((arg) => this.run(arg, names));
        return must(functions.get(node.name), node.name).run(args, this.#context);
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

  #map(entries: readonly (readonly [Node, Node])[], names: Bindings): Value {
    const map = new Map<string, Value>();
    for (const [key, value] of entries) {
      const name = asText(this.run(key, names));
      if (map.has(name)) throw new ExpressionProblem(`${shown(name)} once in a map`);
      map.set(name, this.run(value, names));
    }
    return map;
  }

  #binary(node: Extract<Node, { kind: "binary" }>, names: Bindings): Value {
    const { operator } = node;
    if (operator === "||") return this.#either(node, names, true);
    if (operator === "&&") return this.#either(node, names, false);
    const left = this.run(node.left, names);
    const right = this.run(node.right, names);
    switch (operator) {
      case "==":
        return isEqual(left, right, this.#budget);
      case "!=":
        return !isEqual(left, right, this.#budget);
      case "<":
        return compare(left, right, this.#budget) < 0;
      case "<=":
        return compare(left, right, this.#budget) <= 0;
      case ">":
        return compare(left, right, this.#budget) > 0;
      case ">=":
        return compare(left, right, this.#budget) >= 0;
      case "in":
        return isIn(left, right, this.#budget);
      default:
        return calculate(operator, left, right, this.#budget);
    }
  }

  /** `||` (decided by true) and `&&` (decided by false): one side that decides is enough. */
  #either(node: Extract<Node, { kind: "binary" }>, names: Bindings, decides: boolean): boolean {
    return this.#decided([node.left, node.right], decides, (side) => this.#truth(side, names));
  }

  /** Whether any item decides; what cannot be computed matters only when none does. */
  #decided<Item>(
    items: readonly Item[],
    decides: boolean,
    truthOf: (item: Item) => boolean,
  ): boolean {
    let failure: ExpressionProblem | null = null;
    for (const item of items) {
      try {
        if (truthOf(item) === decides) return decides;
      } catch (error) {
        if (!(error instanceof ExpressionProblem) || this.#budget.isSpent) throw error;
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
    this.#budget.spend(items.length);
    const inner = (item: Value): Bindings => new Map([...names, [node.name, item]]);
    const truthOf = (item: Value): boolean => this.#truth(node.body, inner(item));
    switch (node.macro) {
      case "map":
        return items.map((item) => this.run(node.body, inner(item)));
      case "filter":
        return items.filter(truthOf);
      case "exists_one":
        return items.filter(truthOf).length === 1;
      case "all":
        return this.#decided(items, false, truthOf);
      case "exists":
        return this.#decided(items, true, truthOf);
      default:
        return unreachable(node.macro);
    }
  }
}

function variableOf(names: Bindings, name: string): Value {
  const value = names.get(name);
  if (value !== undefined) return value;
  throw new ExpressionProblem(`the variable ${name}`);
}

function memberOf(of: Value, key: Value): Value {
  if (of instanceof Map && typeof key === "string") {
    const value = of.get(key);
    if (value !== undefined) return value;
    throw new ExpressionProblem(`the key ${shown(key)}`);
  }
  if (isList(of) && typeof key === "number") {
    const value = of[key];
    if (value !== undefined) return value;
    throw new ExpressionProblem(`an item ${key}`);
  }
  throw new ExpressionProblem("a map or a list to look into");
}

function isIn(item: Value, of: Value, budget: Budget): boolean {
  if (isList(of)) {
    budget.spend(of.length);
    return of.some((each) => isEqual(each, item, budget));
  }
  if (of instanceof Map) return typeof item === "string" && of.has(item);
  throw new ExpressionProblem("a list or a map after in");
}
