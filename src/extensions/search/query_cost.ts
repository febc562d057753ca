/**
 * What a query may be before anything of it is looked up: so deep, so wide, one operation. Fragments count wherever
 * they are spread, so that a short text cannot ask for much.
 */
import type { DocumentNode, FragmentDefinitionNode, SelectionSetNode } from "graphql";

const depthMax = 15;
/** Fields, those of fragments as often as they are spread. */
const nodesMax = 2_000;
const aliasesMax = 20;
/** Fragments that are spread, named ones and others. */
const spreadsMax = 50;
/** The same field in one selection: how they merge is checked pair by pair. */
const repeatsMax = 10;

/** Why a query is refused, in one line; null for nothing. */
export function costProblem({ definitions }: DocumentNode): string | null {
  const operations = definitions.filter((each) => "operation" in each);
  if (operations.length !== 1) return `expected one operation, got ${operations.length}`;
  const [operation] = operations;
  if (String(operation?.operation) !== "query")
    return "expected a query: nothing can be changed here";
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const each of definitions) if (isFragment(each)) fragments.set(each.name.value, each);
  const count = new Count(fragments);
  try {
    for (const each of definitions) {
      if ("selectionSet" in each) count.visit(each.selectionSet, 1, new Set());
    }
    return null;
  } catch (error) {
    if (error instanceof TooCostly) return error.message;
    throw error;
  }
}

function isFragment(
  definition: DocumentNode["definitions"][number],
): definition is FragmentDefinitionNode {
  return "typeCondition" in definition;
}

class TooCostly extends Error {
  override readonly name = "TooCostly";
}

class Count {
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  #nodes = 0;
  #aliases = 0;
  #spreads = 0;

  constructor(fragments: ReadonlyMap<string, FragmentDefinitionNode>) {
    this.#fragments = fragments;
  }

  visit({ selections }: SelectionSetNode, depth: number, within: ReadonlySet<string>): void {
    if (depth > depthMax) throw new TooCostly(`expected fields up to ${depthMax} deep`);
    const repeats = new Map<string, number>();
    for (const selection of selections) {
      if ("arguments" in selection) {
        this.#nodes = this.#more(this.#nodes, nodesMax, "fields");
        if (selection.alias !== undefined) {
          this.#aliases = this.#more(this.#aliases, aliasesMax, "aliases");
        }
        const name = selection.alias?.value ?? selection.name.value;
        repeats.set(name, this.#more(repeats.get(name) ?? 0, repeatsMax, "fields of one name"));
        if (selection.selectionSet !== undefined) {
          this.visit(selection.selectionSet, depth + 1, within);
        }
        continue;
      }
      this.#spreads = this.#more(this.#spreads, spreadsMax, "fragments");
      if ("selectionSet" in selection) {
        this.visit(selection.selectionSet, depth, within);
        continue;
      }
      const name = selection.name.value;
      const fragment = this.#fragments.get(name);
      // One that spreads itself is told of by the validation.
      if (fragment === undefined || within.has(name)) continue;
      this.visit(fragment.selectionSet, depth, new Set([...within, name]));
    }
  }

  #more(count: number, max: number, what: string): number {
    if (count >= max) throw new TooCostly(`expected up to ${max} ${what}, got more`);
    return count + 1;
  }
}
