// How a problem of a configuration file is worded: one line each, path first.
//
// Every line says where, what was expected, what came, and where it is not plain, what to do. What
// a variable held is never repeated, since it may be a secret.

import type { Option } from "../lib/option.ts";
import { showJson } from "../lib/strict_json.ts";
import { nearest } from "../lib/nearest.ts";
import { findKey, type KeyNode } from "./key_tree.ts";
import type { KnownKey } from "./known_keys.ts";
import type { PathPart } from "./read_value.ts";

/** A path as people write it: `http.compat[0]`, `groups["a.b"]`. */
export function showPath(path: readonly PathPart[]): string {
  if (path.length === 0) return "the configuration";
  return path.map((part, index) => showPart(part, index === 0)).join("");
}

function showPart(part: PathPart, first: boolean): string {
  if (typeof part === "number") return `[${part}]`;
  if (!/^[\w$*-]+$/.test(part)) return `[${JSON.stringify(part)}]`;
  return first ? part : `.${part}`;
}

/** A key that is neither served nor known. `parent` is the section it was found in, at `path`. */
export function unknownKey(
  key: string,
  path: readonly PathPart[],
  nodes: { parent: KeyNode; root: KeyNode },
): string {
  const siblings = [...nodes.parent.children.values()].map((child) => child.name).sort();
  const start = `expected a key of ${showPath(path)}, got ${showJson(key)}`;
  const near = nearest(key, siblings);
  if (near !== null) return `${start}; did you mean ${showPath([...path, near])}?`;
  const elsewhere = findKey(nodes.root, key);
  if (elsewhere !== null) return `${start}; did you mean ${elsewhere}?`;
  return `${start}; its keys are ${siblings.join(", ")}`;
}

/** A key that values of an option do not have. */
export function unknownMember(
  key: string,
  path: readonly PathPart[],
  known: readonly string[],
): string {
  const start = `expected a key of ${showPath(path)}, got ${showJson(key)}`;
  const near = nearest(key, known);
  if (near !== null) return `${start}; did you mean ${near}?`;
  return known.length === 0 ? start : `${start}; its keys are ${known.join(", ")}`;
}

/** A key that is known and not served. */
export function notServed(row: KnownKey): string {
  return `${row.feature} is not served by this version yet; ${wayOut(row)}`;
}

function wayOut(row: KnownKey): string {
  if (row.switched === true) return "remove the key or set its enable to false";
  if (row.off !== undefined) return `remove the key or set it to ${JSON.stringify(row.off)}`;
  return "remove the key";
}

/** A value that does not fit. `expected` ends the sentence, `variables` are those it came from. */
export function wrongValue(
  expected: string,
  value: unknown,
  about: { option: Option | null; variables: readonly string[]; path?: readonly PathPart[] },
): string {
  const { option, variables, path = [] } = about;
  if (variables.length > 0) {
    const names = variables.map((name) => `\${${name}}`).join(" and ");
    return `expected ${expected}, got something else from ${names}`;
  }
  const hint = option === null ? "" : quotesHint(option, value);
  const isSecret = option?.secret === true || secretKey.test(String(path.at(-1)));
  const isAbsent = value === undefined || value === "";
  const hidden = isAbsent ? "nothing" : "something else";
  const shown = isSecret ? hidden : showValue(value);
  return `expected ${expected}, got ${shown}${hint}`;
}

/** Keys inside of options whose values are secrets. */
const secretKey = /password$|secret$|token$|secretkey$|accesskey$|accountkey$/i;

/** A password in a URL is not repeated. */
function showValue(value: unknown): string {
  if (typeof value !== "string") return showJson(value);
  return showJson(value.replace(/\/\/[^/\s]*@/, "//***@"));
}

/** Quotes that are missing, or too many, are the commonest slip in YAML. */
function quotesHint(option: Option, value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean") {
    return option.type.safeParse(String(value)).success ? "; put it in quotes" : "";
  }
  if (typeof value !== "string" || !/^(true|false|-?\d+)$/.test(value)) return "";
  return option.type.safeParse(JSON.parse(value)).success ? "; remove the quotes" : "";
}
