// Configuration files of other registries, recognised as such: one line says how to migrate, instead of one for each
// of their keys.

import { isJsonObject } from "../lib/strict_json.ts";

/** What is wrong with a file of another registry; null for what is none. `name` is the file's. */
export function otherDialectProblem(value: unknown, name: string): string | null {
  // docker-registry (distribution) reads no file without this key, and no file of ours has it.
  const version = isJsonObject(value) ? value["version"] : undefined;
  const text = typeof version === "number" || typeof version === "string" ? String(version) : "";
  if (!/^0\.\d+$/.test(text)) return null;
  return (
    `${name}: expected a configuration of zot, got one of docker-registry (version: ${text}); ` +
    "its keys by the names that they have here: docs/guides/migrate.md, From docker-registry and others"
  );
}
