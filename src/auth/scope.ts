/**
 * Scopes: what a token or an API key allows, in the grammar of the distribution token specification.
 *
 * `repository:team/app:pull,push` names a type, a name and actions; the name may hold colons (`host:5000/app`), so it
 * lies between the first and the last one. `registry:catalog:*` is the list of repositories. API keys may name
 * repositories by a glob, alone (`team/**`, everything) or with actions.
 *
 * Unknown types and actions are no error and grant nothing. Scopes only narrow; this file knows no policy.
 */
import { matchesGlob, parseGlob, type Glob } from "../lib/glob.ts";
import type { RequestBudget } from "../lib/request_budget.ts";

/** What the globs of one key may unfold to together, in characters: users write them, and every request pays. */
const keyGlobsLengthMax = 8192;

/** What a token can allow on a repository. */
export type ScopeAction = "pull" | "push" | "delete";
const actions: readonly ScopeAction[] = ["pull", "push", "delete"];

/** One entry of the `access` claim of a token, as the distribution specification writes it. */
export interface AccessEntry {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

export interface Scope {
  /** @throws BudgetSpent when the request cannot pay for it. */
  allows(action: ScopeAction, repository: string, request?: RequestBudget | null): boolean;
  /** Whether it is good for the list of repositories at all. */
  readonly catalog: boolean;
  /** Whether that list may show the repository. */
  readonly lists: (repository: string, request?: RequestBudget | null) => boolean;
}

/** Good for nothing. */
export const emptyScope: Scope = { allows: () => false, catalog: false, lists: () => false };

/** Texts of scopes longer than this ask for nothing. */
const scopeLengthMax = 4096;
/** Entries of one request or token that are looked at. */
export const entriesMax = 100;

/** Reads one scope; null when it has not the form `type:name:actions`. */
export function parseScope(text: string): AccessEntry | null {
  if (text.length > scopeLengthMax) return null;
  const first = text.indexOf(":");
  const last = text.lastIndexOf(":");
  if (first <= 0 || last === first || last === first + 1) return null;
  // `repository(plugin):name:pull`: the class says what the content is, and changes no permission.
  const type = text.slice(0, first).replace(/\([\w-]+\)$/, "");
  const wanted = text.slice(last + 1).split(",");
  return { type, name: text.slice(first + 1, last), actions: wanted.filter((each) => each !== "") };
}

/** Reads the `scope` parameters of a request: repeated, and several in one. At most `entriesMax`. */
export function parseScopes(parameters: readonly string[]): AccessEntry[] {
  return parameters
    .flatMap((parameter) => parameter.split(/[ \t]+/, entriesMax))
    .slice(0, entriesMax)
    .map(parseScope)
    .filter((entry) => entry !== null);
}

/** The actions of an entry on a repository that we know; `*` is all of them. */
export function repositoryActions(entry: AccessEntry): ScopeAction[] {
  if (entry.actions.includes("*")) return [...actions];
  return actions.filter((action) => entry.actions.includes(action));
}

export function isCatalogEntry({ type, name, actions }: AccessEntry): boolean {
  return type === "registry" && name === "catalog" && actions.includes("*");
}

/** The scope of a token: exact names. */
export function scopeOf(entries: readonly AccessEntry[]): Scope {
  const repositories = new Map<string, Set<ScopeAction>>();
  let catalog = false;
  for (const entry of entries.slice(0, entriesMax)) {
    catalog ||= isCatalogEntry(entry);
    if (entry.type !== "repository") continue;
    const known = repositories.get(entry.name) ?? new Set<ScopeAction>();
    for (const action of repositoryActions(entry)) known.add(action);
    repositories.set(entry.name, known);
  }
  return {
    allows: (action, repository) => repositories.get(repository)?.has(action) === true,
    catalog,
    // `registry:catalog:*` is the whole list; the policy says what is on it.
    lists: () => catalog,
  };
}

/**
 * The scope of an API key, from its list of scopes; an empty list narrows nothing and is null.
 * Returns the problem of the first that cannot be read.
 */
export function keyScope(
  texts: readonly string[],
): { readonly scope: Scope | null } | { readonly problem: string } {
  if (texts.length === 0) return { scope: null };
  const grants: { readonly glob: Glob; readonly actions: readonly ScopeAction[] }[] = [];
  let catalog = false;
  let length = 0;
  for (const text of texts) {
    const entry = parseScope(text) ?? { type: "repository", name: text, actions: ["*"] };
    if (entry.type === "registry") {
      if (!isCatalogEntry(entry)) return { problem: unreadable(text) };
      catalog = true;
      continue;
    }
    const parsed = parseGlob(entry.name);
    const granted = repositoryActions(entry);
    if (entry.type !== "repository" || "problem" in parsed || granted.length === 0) {
      return { problem: unreadable(text) };
    }
    length += entry.name.length * parsed.glob.alternatives.length;
    if (length > keyGlobsLengthMax) return { problem: tooLong };
    grants.push({ glob: parsed.glob, actions: granted });
  }
  const allows: Scope["allows"] = (action, repository, request = null) =>
    grants.some(
      (grant) => grant.actions.includes(action) && matchesGlob(grant.glob, repository, request),
    );
  // A key that names repositories may list them, and no others.
  const lists: Scope["lists"] = (repository, request = null) =>
    grants.length === 0 ? catalog : allows("pull", repository, request);
  return { scope: { allows, catalog: catalog || grants.length > 0, lists } };
}

const tooLong = `Expected scopes that unfold to up to ${keyGlobsLengthMax} characters together, got more`;

function unreadable(text: string): string {
  return `Expected a scope such as team/** or repository:team/app:pull,push, got ${JSON.stringify(text.slice(0, 80))}`;
}
