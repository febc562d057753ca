// Every key that a configuration file may name, as one tree that is searched without regard to case.
//
// A leaf is an option that is served, or a row of `known_keys.ts` (or of an `options.ts`) that is
// not; what is neither is a section. An option that is served wins over a row of the same path, and
// a block that is served in part is a section whose other keys are still refused by name.

import { isOption, type Option, type OptionTree } from "../lib/option.ts";
import type { KnownKey } from "./known_keys.ts";

export interface KeyNode {
  /** The key in its proper spelling; `*` stands for any. */
  readonly name: string;
  /** By key in lower case. */
  readonly children: Map<string, KeyNode>;
  option: Option | null;
  /** Set when the key is known and not served. */
  refusal: KnownKey | null;
  /** true when whatever stands below is somebody else's to name. */
  open: boolean;
}

/** Builds the tree of the options and the known keys. */
export function keyTree(options: OptionTree, known: readonly KnownKey[]): KeyNode {
  const root = node("");
  addOptions(root, options, "");
  for (const row of known) addKnown(root, row);
  return root;
}

/** The node of a key below `parent`, in any case; null when there is none. */
export function childOf(parent: KeyNode, key: string): KeyNode | null {
  return parent.children.get(key.toLowerCase()) ?? parent.children.get("*") ?? null;
}

/** The path of the first key of that name anywhere below `parent`; null when there is none. */
export function findKey(parent: KeyNode, key: string, prefix = ""): string | null {
  const found = parent.children.get(key.toLowerCase());
  if (found !== undefined) return `${prefix}${found.name}`;
  for (const child of parent.children.values()) {
    const path = findKey(child, key, `${prefix}${child.name}.`);
    if (path !== null) return path;
  }
  return null;
}

function node(name: string): KeyNode {
  return { name, children: new Map(), option: null, refusal: null, open: false };
}

function addOptions(parent: KeyNode, tree: OptionTree, prefix: string): void {
  for (const [key, entry] of Object.entries(tree)) {
    const path = `${prefix}${key}`;
    const child = descend(parent, [key]);
    if (!isOption(entry)) addOptions(child, entry, `${path}.`);
    else if (entry.served) child.option = entry;
    else child.refusal = refusalOf(entry, path);
  }
}

function refusalOf(option: Option, path: string): KnownKey {
  const off = option.default;
  const plain = typeof off === "boolean" || typeof off === "number" || typeof off === "string";
  return { path, feature: option.feature ?? path, ...(plain ? { off } : {}) };
}

function addKnown(root: KeyNode, row: KnownKey): void {
  const block = descend(root, row.path.split("."));
  if (block.option !== null) return;
  const servedInPart = hasOption(block);
  if (!servedInPart) block.refusal ??= row;
  block.open ||= row.holds === "any";
  if (row.switched === true) descend(block, ["enable"]);
  for (const path of row.holds === "any" ? [] : keyPaths(row.holds ?? "")) {
    descend(block, path);
    if (servedInPart) refuseRest(block, path, row);
  }
}

/** Refuses the first key of `path` under which nothing is served. */
function refuseRest(block: KeyNode, path: readonly string[], row: KnownKey): void {
  for (const [index] of path.entries()) {
    const names = path.slice(0, index + 1);
    const child = descend(block, names);
    if (child.option !== null) return;
    if (hasOption(child)) continue;
    child.refusal ??= { path: `${row.path}.${names.join(".")}`, feature: row.feature };
    return;
  }
}

/** The paths in `a b{c d}`: a, b, b.c and b.d. */
function keyPaths(text: string): string[][] {
  const paths: string[][] = [];
  const outer: string[] = [];
  for (const [word] of text.matchAll(/[{}]|[^\s{}]+/g)) {
    if (word === "{") outer.push(paths.at(-1)?.at(-1) ?? "");
    else if (word === "}") outer.pop();
    else paths.push([...outer, word]);
  }
  return paths;
}

function hasOption(parent: KeyNode): boolean {
  return [...parent.children.values()].some((child) => child.option !== null || hasOption(child));
}

/** The node at a path, made on the way where it is missing. */
function descend(parent: KeyNode, path: readonly string[]): KeyNode {
  let at = parent;
  for (const name of path) {
    const next = at.children.get(name.toLowerCase()) ?? node(name);
    at.children.set(name.toLowerCase(), next);
    at = next;
  }
  return at;
}
