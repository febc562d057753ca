// JSON from strangers: one reading of the bytes, or none.
//
// Parsers disagree on byte order marks, broken UTF-8 and repeated names, and a check that reads a
// document in one way does not protect a program that reads it in another; so all of these are refused. Depth is
// bounded before parsing, because every later walk may recurse. All costs are linear in the bytes,
// whose number the caller bounds. Nothing here throws. Names such as "__proto__" become own
// properties: take members with `Object.hasOwn` in mind, and never assign them one by one.

export type JsonObject = Record<string, unknown>;

/** The value of a JSON text, or one line that says why there is none (capital, no full stop). */
export type StrictJson = { value: unknown } | { problem: string };

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }); // A BOM then stays visible.

/** Parses UTF-8 bytes that nest arrays and objects at most `depthMax` deep. */
export function parseStrictJson(bytes: Uint8Array, options: { depthMax: number }): StrictJson {
  const { depth, members } = scan(bytes);
  if (depth > options.depthMax) {
    return { problem: `JSON nests deeper than ${options.depthMax} levels` };
  }
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return { problem: "Text is not valid UTF-8" };
  }
  if (text.startsWith("\uFEFF")) return { problem: "Text begins with a byte order mark" };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problem: `Text is not valid JSON: ${error instanceof Error ? error.message : ""}` };
  }
  // Of repeated names only the last survives parsing, so that the value then has fewer members.
  if (countMembers(value) !== members) {
    return { problem: "JSON object holds the same name more than once" };
  }
  return { value };
}

const code = {
  quote: 0x22,
  colon: 0x3a,
  openBracket: 0x5b,
  backslash: 0x5c,
  closeBracket: 0x5d,
  openBrace: 0x7b,
  closeBrace: 0x7d,
} as const;

/** Depth, and number of members (colons outside of strings). Exact for valid JSON, safe for any bytes. */
function scan(bytes: Uint8Array): { depth: number; members: number } {
  let depth = 0;
  let depthNow = 0;
  let members = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (inString) {
      if (byte === code.backslash) at += 1;
      else if (byte === code.quote) inString = false;
    } else if (byte === code.quote) {
      inString = true;
    } else if (byte === code.colon) {
      members += 1;
    } else if (byte === code.openBrace || byte === code.openBracket) {
      depthNow += 1;
      if (depthNow > depth) depth = depthNow;
    } else if (byte === code.closeBrace || byte === code.closeBracket) {
      depthNow -= 1;
    }
  }
  return { depth, members };
}

/** Number of members of all objects in the value. Recursion is safe: depth was bounded before. */
function countMembers(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const children: unknown[] = Array.isArray(value) ? value : Object.values(value);
  let members = Array.isArray(value) ? 0 : children.length;
  for (const child of children) {
    if (typeof child === "object" && child !== null) members += countMembers(child);
  }
  return members;
}

/** Tells whether the value is an object and neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Tells whether the value is an object whose members are all strings. */
export function isStringMap(value: unknown): value is Record<string, string> {
  return isJsonObject(value) && Object.values(value).every((member) => typeof member === "string");
}

/** Tells whether the value is an array of strings only. */
export function isStringArray(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((element) => typeof element === "string");
}

const shownLengthMax = 80;

/** Says in a few words what a value is, for a message: `"1.0"` (cut short), `3`, `null`, `an array`. */
export function showJson(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return "an array";
  if (isJsonObject(value)) return "an object";
  if (typeof value !== "string") return JSON.stringify(value);
  const short = value.length <= shownLengthMax ? value : `${value.slice(0, shownLengthMax)}…`;
  return JSON.stringify(short);
}
