// The JSON Schema of a configuration file, for editors and for other programs.
//
// It accepts what the loader accepts, in the keys' proper spelling (JSON Schema cannot ignore case):
// every option that is served, keys that are not served at the value that asks for nothing, and
// `${VARIABLE}` in place of any value. Sizes of numbers that are only the runtime's are left out.

import * as z from "zod";
import { isJsonObject } from "../lib/strict_json.ts";
import { knownKeys, type KnownKey } from "./known_keys.ts";
import { fileSchema, placedOptions } from "./schema.ts";

type Schema = Record<string, unknown>;

/** Returns the schema, draft 2020-12. */
export function jsonSchema(): object {
  const root: Schema = z.toJSONSchema(fileSchema, {
    target: "draft-2020-12",
    io: "input",
    override: ({ jsonSchema }) => {
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  for (const { path, option } of placedOptions()) {
    const keys = path.split(".");
    const place = placeOf(root, keys);
    const name = keys.at(-1) ?? "";
    if (option.served) place[name] = admitVariables(place[name], option.defaultSays === undefined);
    else delete place[name];
    if (!option.served) place[name] = { const: option.default, description: notServed(option) };
  }
  for (const row of knownKeys) addOffValue(root, row);
  return {
    ...root,
    title: "Configuration of zot",
    description: "Keys may be written in any case; this schema knows their proper spelling.",
    $defs: { variable: { type: "string", pattern: "\\$\\{" } },
  };
}

/** Lets a variable stand for a value that is more than any text. */
function admitVariables(property: unknown, keepDefault: boolean): Schema {
  const { title, description, default: standard, ...rest } = isJsonObject(property) ? property : {};
  const about = { title, description, ...(keepDefault ? { default: standard } : {}) };
  const anyText = rest["type"] === "string" && Object.keys(rest).length === 1;
  return anyText
    ? { ...about, ...rest }
    : { ...about, anyOf: [rest, { $ref: "#/$defs/variable" }] };
}

function addOffValue(root: Schema, row: KnownKey): void {
  const keys = row.path.split(".");
  const place = placeOf(root, keys);
  const name = keys.at(-1) ?? "";
  if (place[name] !== undefined) return;
  if (row.warns !== undefined) {
    place[name] = { description: `Accepted with a warning: ${row.warns}.` };
    return;
  }
  const off = { const: row.off ?? false };
  const description = notServed(row);
  if (row.off !== undefined) place[name] = { ...off, description };
  if (row.switched === true) {
    place[name] = {
      type: "object",
      description,
      properties: { enable: off },
      required: ["enable"],
    };
  }
}

function notServed(about: { readonly feature?: string }): string {
  return `Turns on ${about.feature ?? "what this key names"}, which is not served by this version yet.`;
}

/** The `properties` that hold the last of `keys`; sections are made on the way. */
function placeOf(root: Schema, keys: readonly string[]): Schema {
  let place = propertiesOf(root);
  for (const key of keys.slice(0, -1)) {
    const section = place[key];
    const next: Schema = isJsonObject(section)
      ? section
      : { default: {}, type: "object", properties: {}, additionalProperties: false };
    place[key] = next;
    place = propertiesOf(next);
  }
  return place;
}

function propertiesOf(section: Schema): Schema {
  const properties = section["properties"];
  return isJsonObject(properties) ? properties : {};
}
