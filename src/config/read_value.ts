// The value of one option as its schema wants it: variables filled in, keys in their spelling.
//
// Text that came out of a variable becomes a number or a boolean where the schema wants one; text
// that a person wrote does not, so that a slip is told. Keys of objects are matched without regard
// to case; keys of maps (repository patterns, group names) are the user's own and kept. Whether the
// value is right is left to the schema.

import * as z from "zod";
import { isJsonObject } from "../lib/strict_json.ts";
import { substitute, type Environment } from "./substitute.ts";

/** Hears about problems and variables; `path` is where in the file. */
export interface ValueContext {
  readonly env: Environment;
  problem(path: readonly PathPart[], says: string): void;
  variables(path: readonly PathPart[], names: readonly string[]): void;
}

export type PathPart = string | number;

type Schema = z.core.$ZodType;

/** Returns the value to check. What cannot be filled in is told to the context and left out. */
export function readValue(
  value: unknown,
  schema: Schema | null,
  path: readonly PathPart[],
  context: ValueContext,
): unknown {
  const wanted = schema === null ? null : chosen(unwrapped(schema), value);
  if (typeof value === "string") return readText(value, wanted, path, context);
  if (Array.isArray(value)) {
    const element = wanted instanceof z.ZodArray ? wanted.element : null;
    return value.map((each, index) => readValue(each, element, [...path, index], context));
  }
  if (isJsonObject(value)) return readObject(value, wanted, path, context);
  return value;
}

function readText(
  text: string,
  wanted: Schema | null,
  path: readonly PathPart[],
  context: ValueContext,
): unknown {
  const filled = substitute(text, context.env);
  if ("problem" in filled) {
    context.problem(path, filled.problem);
    return undefined;
  }
  if (filled.variables.length === 0) return filled.text;
  context.variables(path, filled.variables);
  if (wanted instanceof z.ZodBoolean && /^(true|false)$/.test(filled.text)) {
    return filled.text === "true";
  }
  if (wanted instanceof z.ZodNumber && /^-?\d+(\.\d+)?$/.test(filled.text)) {
    return Number(filled.text);
  }
  return filled.text;
}

function readObject(
  value: Readonly<Record<string, unknown>>,
  wanted: Schema | null,
  path: readonly PathPart[],
  context: ValueContext,
): unknown {
  const shape = wanted instanceof z.ZodObject ? wanted.shape : null;
  const each = wanted instanceof z.ZodRecord ? wanted.valueType : null;
  const names = new Map(Object.keys(shape ?? {}).map((name) => [name.toLowerCase(), name]));
  const entries = new Map<string, unknown>();
  for (const [key, member] of Object.entries(value)) {
    const name = names.get(key.toLowerCase()) ?? key;
    const inner = shape === null ? each : (shape[name] ?? null);
    if (entries.has(name)) context.problem([...path, key], `expected ${name} once, got it again`);
    entries.set(name, readValue(member, inner, [...path, name], context));
  }
  // Not member by member: a key such as "__proto__" must become a plain member, too.
  return Object.fromEntries(entries);
}

/** The schema below defaults, transforms and the like: what stands in a file. */
function unwrapped(schema: Schema): Schema {
  if (schema instanceof z.ZodPipe) return unwrapped(schema.def.in);
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault) {
    return unwrapped(schema.def.innerType);
  }
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodReadonly
  ) {
    return unwrapped(schema.def.innerType);
  }
  return schema;
}

/** Of sections that one of their keys tells apart, the one that the value is; the first where it is none of them. */
function chosen(schema: Schema, value: unknown): Schema {
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return schema;
  const options: readonly Schema[] = schema.options;
  const fits = (option: Schema): boolean => {
    const key = memberOf(unwrapped(option), schema.def.discriminator);
    return (
      key !== null && isJsonObject(value) && z.safeParse(key, tellsApart(value, schema)).success
    );
  };
  const [first = schema] = options;
  return unwrapped(options.find(fits) ?? first);
}

/** The value of the key that tells sections apart, which may be spelled in any case. */
function tellsApart(
  value: Readonly<Record<string, unknown>>,
  schema: z.ZodDiscriminatedUnion,
): unknown {
  const wanted = schema.def.discriminator.toLowerCase();
  return Object.entries(value).find(([key]) => key.toLowerCase() === wanted)?.[1];
}

/**
 * The keys that an object may have which stands at `path` within values of the schema, and is `value`; empty for anything
 * else.
 */
export function keysWithin(
  schema: Schema,
  path: readonly PathPart[],
  value: unknown,
): readonly string[] {
  const [part, ...rest] = path;
  const at = unwrapped(schema);
  if (part === undefined) {
    const section = chosen(at, value);
    return section instanceof z.ZodObject ? Object.keys(section.shape) : [];
  }
  const inner = memberOf(at, String(part));
  return inner === null ? [] : keysWithin(inner, rest, value);
}

function memberOf(schema: Schema, name: string): Schema | null {
  if (schema instanceof z.ZodArray) return schema.element;
  if (schema instanceof z.ZodRecord) return schema.valueType;
  return schema instanceof z.ZodObject ? (schema.shape[name] ?? null) : null;
}
