/** Two JSON documents, or two lists of annotations: which values differ, by their paths. */
import { isJsonObject } from "../lib/strict_json.ts";

/** Values of a document that are compared; what is beyond is left out. */
export const valuesMax = 2_000;
/** Characters of a value that are told. */
export const valueLengthMax = 1_000;

export interface ValueChange {
  /** Members with a dot between them: `config.User`, `config.Env.PATH`. */
  readonly path: string;
  /** Null where it is not there. */
  readonly before: string | null;
  readonly after: string | null;
}

/** In the order of the paths. */
export function compareValues(before: unknown, after: unknown): ValueChange[] {
  const [was, is] = [flat(before), flat(after)];
  const paths = [...new Set([...was.keys(), ...is.keys()])].sort();
  return paths.flatMap((path) => {
    const change = { path, before: was.get(path) ?? null, after: is.get(path) ?? null };
    return change.before === change.after
      ? []
      : [{ path, before: told(change.before), after: told(change.after) }];
  });
}

/** What layers tell better. */
const passedOver: ReadonlySet<string> = new Set(["rootfs", "history"]);

function flat(document: unknown): Map<string, string> {
  const found = new Map<string, string>();
  const add = (path: string, value: unknown): void => {
    if (found.size >= valuesMax || passedOver.has(path)) return;
    if (isJsonObject(value)) {
      const entries = Object.entries(value);
      // `{"80/tcp": {}}` says something by its name.
      if (entries.length === 0 && path !== "") found.set(path, "{}");
      for (const [name, member] of entries) add(path === "" ? name : `${path}.${name}`, member);
    } else if (path === "config.Env" && Array.isArray(value)) {
      for (const entry of value) addVariable(String(entry));
    } else if (value !== null) {
      found.set(path, typeof value === "string" ? value : JSON.stringify(value));
    }
  };
  const addVariable = (entry: string): void => {
    const equals = entry.indexOf("=");
    const name = equals === -1 ? entry : entry.slice(0, equals);
    if (found.size >= valuesMax) return;
    found.set(`config.Env.${name}`, equals === -1 ? "" : entry.slice(equals + 1));
  };
  add("", document);
  return found;
}

function told(value: string | null): string | null {
  return value === null || value.length <= valueLengthMax
    ? value
    : `${value.slice(0, valueLengthMax)}…`;
}
