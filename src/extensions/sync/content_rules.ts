/**
 * The content rules of an upstream, both ways: which of its names are mirrored and what they are here, and what a name
 * here is there (zot's `content`, with `prefix`, `destination` and `stripPrefix`).
 */
import { type Glob, matchesGlob, parseGlob } from "../../lib/glob.ts";
import { assert } from "../../lib/assert.ts";
import { isRepositoryName } from "../../oci/reference.ts";
import type { ContentValues } from "./options.ts";

interface Rule {
  readonly values: ContentValues;
  /** Names at the upstream. */
  readonly upstream: Glob;
  /** Names here without the destination. */
  readonly rest: Glob;
  readonly destination: string;
  /** What is taken off a name of the upstream; empty for nothing. */
  readonly stripped: string;
}

const glob = /[*?[\]{}\\]/;

/** A name as the rules take it: without slashes around it. */
export function trimmed(name: string): string {
  return name.replaceAll(/^\/+|\/+$/g, "");
}

/** The components of a prefix before its first glob. */
export function literalOf(prefix: string): string {
  const components = trimmed(prefix).split("/");
  const first = components.findIndex((component) => glob.test(component));
  return (first === -1 ? components : components.slice(0, first)).join("/");
}

/** Why a rule cannot work; null when it can. Ends a sentence that begins with "expected". */
export function ruleProblem({ prefix, destination, stripPrefix }: ContentValues): string | null {
  const to = trimmed(destination);
  if (to !== "" && !isRepositoryName(to)) {
    return `a destination that can begin a repository's name, got ${JSON.stringify(destination)}`;
  }
  if (!stripPrefix) return null;
  const literal = literalOf(prefix);
  const rest = trimmed(trimmed(prefix).slice(literal.length));
  if (rest === "" && to === "") {
    return "a destination or a glob beside stripPrefix, got neither: names would be empty";
  }
  const first = rest.split("/")[0] ?? "";
  if (first !== "" && !first.startsWith("*") && !first.startsWith("?") && !first.startsWith("[")) {
    return `a glob that begins a component of the prefix where stripPrefix is set, got ${JSON.stringify(prefix)}`;
  }
  return null;
}

function compiled(text: string): Glob {
  const parsed = parseGlob(text);
  assert("glob" in parsed, "globs are checked where options are");
  return parsed.glob;
}

export class ContentRules {
  readonly #rules: readonly Rule[];

  /** Without rules every name is the same on both sides. */
  constructor(content: readonly ContentValues[]) {
    const all = content.length === 0 ? [everything] : content;
    this.#rules = all.map((values) => {
      const prefix = trimmed(values.prefix);
      const stripped = values.stripPrefix ? literalOf(prefix) : "";
      return {
        values,
        upstream: compiled(prefix),
        rest: compiled(trimmed(prefix.slice(stripped.length))),
        destination: trimmed(values.destination),
        stripped,
      };
    });
  }

  /** The first rule that a name of the upstream fits; null where it is not mirrored. */
  ruleOf(upstreamName: string): ContentValues | null {
    return this.#ruleOf(upstreamName)?.values ?? null;
  }

  /** What a name of the upstream is here; null where it is not mirrored, or can be none here. */
  localName(upstreamName: string): string | null {
    const rule = this.#ruleOf(upstreamName);
    if (rule === null) return null;
    const rest = trimmed(upstreamName.slice(rule.stripped.length));
    const local = [rule.destination, rest].filter((part) => part !== "").join("/");
    return isRepositoryName(local) ? local : null;
  }

  /** What a name here is at the upstream; null where it comes from elsewhere. */
  upstreamName(localName: string): string | null {
    for (const rule of this.#rules) {
      const rest = below(rule.destination, localName);
      if (rest === null || !matchesRest(rule, rest)) continue;
      const name = [rule.stripped, rest].filter((part) => part !== "").join("/");
      if (isRepositoryName(name)) return name;
    }
    return null;
  }

  #ruleOf(upstreamName: string): Rule | null {
    return this.#rules.find((rule) => matchesGlob(rule.upstream, upstreamName)) ?? null;
  }
}

const everything: ContentValues = { prefix: "**", destination: "", stripPrefix: false };

/** A rule without a glob behind what it strips is about that one name. */
function matchesRest({ rest, stripped }: Rule, name: string): boolean {
  if (name === "") return stripped !== "" && (rest.text === "" || rest.text === "**");
  return rest.text !== "" && matchesGlob(rest, name);
}

/** What of a name lies below a folder; empty for the folder itself, null for what lies elsewhere. */
function below(folder: string, name: string): string | null {
  if (folder === "" || name === folder) return folder === "" ? name : "";
  return name.startsWith(`${folder}/`) ? name.slice(folder.length + 1) : null;
}
