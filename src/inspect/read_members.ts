/** Members of JSON that strangers wrote: of the type that is expected, or nothing. */
import { isJsonObject, type JsonObject } from "../lib/strict_json.ts";

export function objectIn(value: unknown, name: string): JsonObject {
  const member = own(value, name);
  return isJsonObject(member) ? member : {};
}

export function listIn(value: unknown, name: string): readonly unknown[] {
  const member = own(value, name);
  return Array.isArray(member) ? member : [];
}

/** Null for anything but a text that says something. */
export function textIn(value: unknown, name: string): string | null {
  const member = own(value, name);
  return typeof member === "string" && member !== "" ? member : null;
}

function own(value: unknown, name: string): unknown {
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : null;
}
