// What is worth showing of an artifact, as labels and values: from its config and its annotations, by its kind's fields.
//
// Both are other people's: any shape is taken, long values are cut, and nothing is markup.

import type { ArtifactKind } from "./artifact_kinds/artifact_kind.ts";

/** Characters of a value, and entries of a list in it. */
export const valueLengthMax = 1_000;
export const valueEntriesMax = 32;

/**
 * The fields that are there, in the kind's order. `config` is the parsed config, null where there is none.
 * A source is `config:path.to.member` or `annotation:key`; of several with `|` between them the first that is there counts.
 */
export function artifactSummary(
  { fields }: Pick<ArtifactKind, "fields">,
  { config, annotations }: { config: unknown; annotations: Readonly<Record<string, string>> },
): [label: string, value: string][] {
  return fields.flatMap(([label, source]): [string, string][] => {
    for (const one of source.split("|")) {
      const value = shown(valueAt(one, { config, annotations }));
      if (value !== "") return [[label, value]];
    }
    return [];
  });
}

function valueAt(
  source: string,
  { config, annotations }: { config: unknown; annotations: Readonly<Record<string, string>> },
): unknown {
  const colon = source.indexOf(":");
  const path = source.slice(colon + 1);
  if (source.slice(0, colon) === "annotation") return own(annotations, path);
  let value = config;
  for (const member of path.split(".")) value = own(value, member);
  return value;
}

function own(value: unknown, member: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, member)) return null;
  return (value as Readonly<Record<string, unknown>>)[member];
}

/** A value as one text: lists with commas, objects by their name and version or by the names of their members. */
function shown(value: unknown): string {
  const text = Array.isArray(value)
    ? listed(value.slice(0, valueEntriesMax).map(entry)) + rest(value.length)
    : isObject(value)
      ? listed(Object.keys(value).slice(0, valueEntriesMax)) + rest(Object.keys(value).length)
      : scalar(value);
  return text.length > valueLengthMax ? `${text.slice(0, valueLengthMax)}…` : text;
}

function listed(texts: readonly string[]): string {
  return texts.filter((text) => text !== "").join(", ");
}

function rest(count: number): string {
  return count > valueEntriesMax ? ` and ${count - valueEntriesMax} more` : "";
}

function entry(value: unknown): string {
  if (!isObject(value)) return scalar(value);
  const [name, version] = [scalar(own(value, "name")), scalar(own(value, "version"))];
  return [name, version].filter((text) => text !== "").join(" ");
}

function scalar(value: unknown): string {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
