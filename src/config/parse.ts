// The text of a configuration file as a value, whether it is JSON or YAML.
//
// The extension decides; a file without a known one is read as JSON if it is JSON, else as YAML.
// Whatever a parser would pass over in silence is a problem: repeated keys, unknown tags, a second
// document. Problems name line and column. What the value means is left to `check.ts`.

import { basename, extname } from "node:path";
import { findJsonProblem } from "./json_syntax.ts";

export type Parsed = { readonly value: unknown } | { readonly problems: readonly string[] };

const secondDocument = "expected one document, got a second";

/** Reads the text of the file at `path`, which is only looked at for its name. */
export async function parseText(text: string, path: string): Promise<Parsed> {
  const name = basename(path);
  const body = text.replace(/^\uFEFF/, "");
  if (body.trim() === "") return { problems: [`${name}: expected a configuration, got nothing`] };
  switch (extname(path).toLowerCase()) {
    case ".json":
      return parseJson(body, name);
    case ".yaml":
    case ".yml":
      return await parseYaml(body, name);
    default:
      return await parseEither(body, name);
  }
}

function parseJson(text: string, name: string): Parsed {
  const problem = findJsonProblem(text);
  if (problem === null) return { value: JSON.parse(text) };
  return { problems: [`${name}: line ${problem.line}, column ${problem.column}: ${problem.says}`] };
}

async function parseYaml(text: string, name: string): Promise<Parsed> {
  // Loaded when needed: most starts read JSON or nothing, and the parser takes 20 ms.
  const { parseDocument } = await import("yaml");
  const document = parseDocument(text, { version: "1.2", stringKeys: true });
  const problems = [...document.errors, ...document.warnings].map((error) => {
    const says = error.code === "MULTIPLE_DOCS" ? secondDocument : firstLine(error.message);
    const start = error.linePos?.[0];
    const where = start === undefined ? "" : `line ${start.line}, column ${start.col}: `;
    return `${name}: ${where}${says}`;
  });
  if (problems.length > 0) return { problems };
  try {
    return { value: document.toJS() };
  } catch (error) {
    // An alias without its anchor, or one that unfolds beyond all measure.
    return { problems: [`${name}: ${error instanceof Error ? error.message : String(error)}`] };
  }
}

/** The parser ends its first line with the position and puts a picture of the text below it. */
function firstLine(message: string): string {
  return message.replace(/( at line \d+, column \d+)?:?(\n[^]*)?$/, "");
}

async function parseEither(text: string, name: string): Promise<Parsed> {
  const json = parseJson(text, name);
  // YAML would take most broken JSON for something else, so a text in braces is judged as JSON.
  if ("value" in json || /^\s*[{[]/.test(text)) return json;
  return await parseYaml(text, name);
}
