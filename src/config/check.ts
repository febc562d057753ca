// A parsed configuration file against every key and every type: all problems, in the file's order.
//
// One walk matches keys without regard to case, refuses what is unknown or not served, and fills in
// variables; then the schema judges the values and gives the defaults. A key is reported once, by
// its first problem. Nothing is passed over in silence: a key is served, refused, asks for nothing,
// or is warned of because it changes nothing.

import type { Option } from "../lib/option.ts";
import { isJsonObject } from "../lib/strict_json.ts";
import { childOf, keyTree, type KeyNode } from "./key_tree.ts";
import { knownKeys, type KnownKey } from "./known_keys.ts";
import { notServed, showPath, unknownKey, unknownMember, wrongValue } from "./problem.ts";
import { keysWithin, readValue, type PathPart, type ValueContext } from "./read_value.ts";
import { fileSchema, options, typedValues, type FileValues } from "./schema.ts";
import { substitute, type Environment } from "./substitute.ts";

/** The values with defaults, the paths that the file itself set, and warnings; or one line per problem. */
export type Checked =
  | {
      readonly values: FileValues;
      readonly written: ReadonlySet<string>;
      readonly warnings: readonly string[];
      /** What the file holds of keys that change nothing, as it stands there. */
      readonly passedOver: ReadonlyMap<string, unknown>;
    }
  | { readonly problems: readonly string[] };

type Path = readonly PathPart[];

const root = keyTree(options, knownKeys);

/** Checks what a parser gave. `env` is where variables are looked up. */
export function checkValue(value: unknown, env: Environment): Checked {
  const walk = new Walk(env);
  const aligned = walk.section(value, root, []);
  const parsed = fileSchema.safeParse(aligned);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) walk.issue(issue, aligned);
  }
  const problems = walk.lines();
  if (problems.length > 0 || !parsed.success) return { problems };
  const { written, warnings, passedOver } = walk;
  return { values: typedValues(parsed.data), written, warnings, passedOver };
}

/** What a schema says is wrong; the part of zod's issue that is looked at. */
interface Issue {
  readonly code?: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: unknown;
}

class Walk implements ValueContext {
  readonly env: Environment;
  /** Paths of the options that the file set, in its order. */
  readonly written = new Set<string>();
  readonly warnings: string[] = [];
  readonly passedOver = new Map<string, unknown>();
  readonly #problems = new Map<string, { says: string; rank: number }>();
  readonly #variables = new Map<string, readonly string[]>();
  readonly #order = new Map<string, number>();

  constructor(env: Environment) {
    this.env = env;
  }

  /** Reads the keys of a section; returns what the schema is to judge. */
  section(value: unknown, at: KeyNode, path: Path): Record<string, unknown> {
    const read: Record<string, unknown> = {};
    if (value === null && path.length > 0) return read; // A YAML section whose keys are commented out.
    if (!isJsonObject(value)) {
      this.problem(path, wrongValue("a section with keys", value, { option: null, variables: [] }));
      return read;
    }
    for (const [, child, inner] of this.#members(value, at, path)) {
      const at = [...path, child.name];
      this.#see(at); // In its proper spelling.
      if (child.refusal !== null) this.#refuse(inner, child, child.refusal, at);
      else if (child.option !== null) read[child.name] = this.#option(inner, child.option, at);
      else {
        const section = this.section(inner, child, at);
        if (isServed(child)) read[child.name] = section;
      }
    }
    for (const { name, option } of at.children.values()) {
      if (option?.inSection !== undefined && !(name in read)) read[name] = option.inSection;
    }
    return read;
  }

  problem(path: Path, says: string): void {
    const shown = showPath(path);
    if (!this.#problems.has(shown)) this.#problems.set(shown, { says, rank: this.#rank(path) });
  }

  variables(path: Path, names: readonly string[]): void {
    this.#variables.set(showPath(path), names);
  }

  /** Words an issue of the schema. Paths that have a problem already keep their first. */
  issue(issue: Issue, aligned: unknown): void {
    const path = issue.path.map((part) => (typeof part === "symbol" ? String(part) : part));
    if (issue.code === "unrecognized_keys" && Array.isArray(issue.keys)) {
      const option = optionAbove(path);
      const section = path.reduce<unknown>(member, aligned);
      const known = option === null ? [] : keysWithin(option.option.type, option.rest, section);
      for (const key of issue.keys.map(String)) {
        this.problem([...path, key], unknownMember(key, path, known));
      }
      return;
    }
    const option = optionAbove(path);
    const variables = this.#variables.get(showPath(path)) ?? [];
    const value = path.reduce<unknown>(member, aligned);
    this.problem(
      path,
      wrongValue(issue.message, value, { option: option?.option ?? null, variables, path }),
    );
  }

  /** All problems, in the order of the file. */
  lines(): string[] {
    return [...this.#problems]
      .sort(([, a], [, b]) => a.rank - b.rank)
      .map(([path, { says }]) => `${path}: ${says}`);
  }

  /** The members whose keys are known; tells of the others, and of keys that differ only in case. */
  *#members(
    value: Readonly<Record<string, unknown>>,
    at: KeyNode,
    path: Path,
  ): Generator<[string, KeyNode, unknown]> {
    const seen = new Map<KeyNode, string>();
    for (const [key, inner] of Object.entries(value)) {
      this.#see([...path, key]);
      const child = childOf(at, key);
      const first = child === null ? undefined : seen.get(child);
      if (child === null) this.problem([...path, key], unknownKey(key, path, { parent: at, root }));
      else if (first !== undefined && child.name !== "*") {
        this.problem([...path, key], `expected each key once, got it as ${first}, too; keep one`);
      } else {
        seen.set(child, key);
        yield [key, child, inner];
      }
    }
  }

  #option(value: unknown, option: Option, path: Path): unknown {
    this.written.add(showPath(path));
    return readValue(value, option.type, path, this);
  }

  /** Refuses a key that is not served, unless its value asks for nothing or would change nothing. */
  #refuse(value: unknown, at: KeyNode, row: KnownKey, path: Path): void {
    if (!this.#asksForNothing(value, row)) {
      if (row.warns === undefined) this.problem(path, notServed(row));
      else {
        this.warnings.push(`${showPath(path)}: ${row.warns}`);
        this.passedOver.set(showPath(path), value);
      }
    }
    this.#names(value, at, path);
  }

  #asksForNothing(value: unknown, row: KnownKey): boolean {
    if (value === null) return true;
    if (row.off !== undefined) return this.#equals(value, row.off);
    if (row.switched !== true || !isJsonObject(value)) return false;
    const key = Object.keys(value).find((each) => each.toLowerCase() === "enable");
    return key !== undefined && this.#equals(value[key], false);
  }

  #equals(value: unknown, off: boolean | number | string): boolean {
    if (typeof value !== "string") return value === off;
    const filled = substitute(value, this.env);
    if ("problem" in filled) return false;
    return filled.variables.length > 0 ? filled.text === String(off) : filled.text === off;
  }

  /** Looks for mistyped keys in a block whose values are not looked at. */
  #names(value: unknown, at: KeyNode, path: Path): void {
    if (at.open || at.children.size === 0) return;
    if (Array.isArray(value)) {
      for (const [index, each] of value.entries()) this.#names(each, at, [...path, index]);
    } else if (isJsonObject(value)) {
      for (const [key, child, inner] of this.#members(value, at, path)) {
        this.#names(inner, child, [...path, key]);
      }
    }
  }

  /** Remembers where in the file a path stands; what is found later stands with its parent. */
  #see(path: Path): void {
    const shown = showPath(path);
    if (!this.#order.has(shown)) this.#order.set(shown, this.#order.size);
  }

  #rank(path: Path): number {
    for (let length = path.length; length > 0; length -= 1) {
      const rank = this.#order.get(showPath(path.slice(0, length)));
      if (rank !== undefined) return rank;
    }
    return -1;
  }
}

/** Tells whether the schema has a place for a section: at least one option in it is served. */
function isServed(section: KeyNode): boolean {
  return [...section.children.values()].some((child) => child.option !== null || isServed(child));
}

/** The option that a path is in, and the way from there. */
function optionAbove(path: Path): { readonly option: Option; readonly rest: Path } | null {
  let at: KeyNode | null = root;
  for (const [index, part] of path.entries()) {
    at = childOf(at, String(part));
    if (at === null) return null;
    if (at.option !== null) return { option: at.option, rest: path.slice(index + 1) };
  }
  return null;
}

function member(value: unknown, part: PathPart): unknown {
  return isJsonObject(value) || Array.isArray(value) ? Reflect.get(value, part) : undefined;
}
