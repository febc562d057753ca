// Prints docs/reference/http.md from the endpoint table: what every row takes, answers and refuses.
//
// Nothing here is written by hand but the introduction; rows of one name (a path with and without its slash)
// are one section.

import { commonHeaders, errorHeaders } from "../src/api/answers.ts";
import { endpoints } from "../src/api/endpoints.ts";
import type { Answer, Content, Endpoint, Parameter } from "../src/http/endpoint.ts";
import { apiErrors } from "../src/oci/errors.ts";
import { markdownTable } from "./markdown.ts";

type Row = Endpoint<never>;

/** Rows of one name, in the order of the table. */
interface Operation {
  readonly row: Row;
  readonly paths: readonly string[];
}

export function httpReference(): string {
  const operations = operationsOf(endpoints);
  return [introduction(), summary(operations), ...operations.map(section)].join("\n");
}

function operationsOf(rows: readonly Row[]): Operation[] {
  const byName = Map.groupBy(rows, ({ name }) => name);
  return [...byName.values()].flatMap((group) => {
    const [row] = group;
    return row === undefined ? [] : [{ row, paths: [...new Set(group.map(({ path }) => path))] }];
  });
}

function introduction(): string {
  return `# HTTP

<!-- Printed by \`npm run docs\` from src/api/endpoints.ts. Do not edit. -->

The registry serves the [distribution specification](https://github.com/opencontainers/distribution-spec) at its HEAD,
a catalog, extension discovery and health. Identifiers such as \`end-2\` are the specification's. The same table is
served as an OpenAPI document where the configuration asks for it.

- \`{repository}\` may have plain slashes; \`{reference}\` is a tag or a digest. An encoded slash separates nothing.
- HEAD answers what GET answers, without a body and without regard to ranges. OPTIONS answers 204 with \`Allow\`
  and the CORS headers for browsers (\`http.allowOrigin\`). Any other method that a path does not serve is 405.
- Parameters that are not listed are ignored. If a parameter is repeated, the first counts, unless its row says otherwise.
- An API error has the body \`{"errors":[{"code","message","detail"}]}\`; every name below is explained in [Errors](errors.md).
- Locations and links are paths, so that they work behind any proxy that does not change the path.

Headers of every answer: ${names(commonHeaders)}. Of every API error: ${names(errorHeaders)}.
`;
}

function names(parameters: readonly Parameter[]): string {
  return parameters
    .map(({ name, schema }) =>
      "const" in schema ? `\`${name}: ${String(schema["const"])}\`` : `\`${name}\``,
    )
    .join(", ");
}

function summary(operations: readonly Operation[]): string {
  const rows = operations.map(({ row, paths }) => [
    row.spec ?? "",
    `[${row.name}](#${anchorOf(row.name)})`,
    row.methods.join(", "),
    paths.map((path) => `\`${shown(path, row)}\``).join(" "),
    row.asks === undefined ? row.needs : `${row.needs}, asks ${row.asks}`,
    row.says,
  ]);
  return `## Endpoints

${markdownTable(["Id", "Name", "Methods", "Path", "Needs", "Does"], rows)}
What a row *needs* and a caller has not is refused; what it *asks* merely changes the answer.
`;
}

function shown(path: string, { when = [] }: Row): string {
  const query = when.length === 0 ? "" : `?${when.join("&")}`;
  return path.replaceAll("...}", "}") + query;
}

/** As code hosts make it of a heading. */
function anchorOf(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9 _-]/g, "");
}

function section({ row, paths }: Operation): string {
  const id = row.spec === null ? "" : ` (${row.spec})`;
  return [
    `## ${row.name}\n`,
    `${row.says}${id}.\n`,
    `\`${row.methods.join("`, `")}\` ${paths.map((path) => `\`${shown(path, row)}\``).join(" or ")}\n`,
    parametersOf("Query", row.query ?? []),
    parametersOf("Headers", row.headers ?? []),
    bodyOf(row),
    "Answers:\n",
    ...row.answers.map(answerOf),
    "",
    errorsOf(row),
  ]
    .filter((part) => part !== null)
    .join("\n");
}

function parametersOf(title: string, parameters: readonly Parameter[]): string | null {
  if (parameters.length === 0) return null;
  const lines = parameters.map((parameter) => {
    const marks = [
      parameter.required === true ? "required" : "",
      parameter.repeats === true ? "may repeat" : "",
    ].filter((mark) => mark !== "");
    const mark = marks.length === 0 ? "" : ` (${marks.join(", ")})`;
    const example = parameter.example === undefined ? "" : ` Such as \`${parameter.example}\`.`;
    return `- \`${parameter.name}\`${mark}: ${parameter.says}${example}`;
  });
  return `${title}:\n\n${lines.join("\n")}\n`;
}

function bodyOf(row: Row): string | null {
  const { takes } = row;
  if (takes === undefined) return null;
  const how = row.body === "stream" ? "a stream of any length" : "whole, within a limit";
  return `Body: ${typesOf([takes])}, ${how}.\n`;
}

function typesOf(contents: readonly Content[]): string {
  return contents
    .flatMap(({ types }) => types)
    .map((type) => `\`${type}\``)
    .join(", ");
}

function answerOf({ status, says, headers = [], content = [] }: Answer): string {
  const body = content.length === 0 ? "" : ` As ${typesOf(content)}.`;
  const carried = headers.map(({ name, required }) =>
    required === true ? `\`${name}\`` : `\`${name}\` at times`,
  );
  const carries = carried.length === 0 ? "" : ` With ${carried.join(", ")}.`;
  return `- **${status}** ${says}${body}${carries}`;
}

function errorsOf(row: Row): string {
  if (row.errors.length === 0) return "Refuses nothing of its own.\n";
  const shownRefusals = row.errors.map(
    (name) => `[${name}](errors.md#${anchorOf(name)}) ${apiErrors[name].status}`,
  );
  return `Refuses: ${shownRefusals.join(", ")}.\n`;
}
