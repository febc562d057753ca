// Prints docs/reference/errors.md from the table of errors: codes, statuses, texts, and the endpoints that answer them.

import { headersByError } from "../src/api/answers.ts";
import { endpoints } from "../src/api/endpoints.ts";
import { type ApiErrorName, apiErrors } from "../src/oci/errors.ts";
import { markdownTable } from "./markdown.ts";

const introduction = `# Errors

<!-- Printed by \`npm run docs\` from src/oci/errors.ts. Do not edit. -->

Every API error that the registry answers. The body is JSON:

\`\`\`json
{ "errors": [{ "code": "BLOB_UNKNOWN", "message": "Blob is not known to this repository", "detail": {} }] }
\`\`\`

\`code\` is one of the specification's, for clients; \`message\` is one line for people that says what was expected, what
came, and what to do; \`detail\` may have more. Errors that share a code differ in status. The log
has the name of the error from this page and the id of the request, which the answer carries as \`X-Request-Id\`.
`;

export function errorsReference(): string {
  const all = Object.keys(apiErrors) as ApiErrorName[];
  const table = markdownTable(
    ["Name", "Status", "Code"],
    all.map((name) => [
      `[${name}](#${name.toLowerCase()})`,
      String(apiErrors[name].status),
      `\`${apiErrors[name].code}\``,
    ]),
  );
  return [introduction, table, ...all.map(section)].join("\n");
}

function section(name: ApiErrorName): string {
  const { code, status, message, section: source } = apiErrors[name];
  const carried = (headersByError[name] ?? []).map((header) => `\`${header.name}\``);
  const by = [
    ...new Set(endpoints.filter((row) => row.errors.includes(name)).map((row) => row.name)),
  ];
  return [
    `## ${name}\n`,
    `${status} \`${code}\`: ${message}.\n`,
    `- Defined in: ${source}`,
    ...(carried.length === 0 ? [] : [`- Carries: ${carried.join(", ")}`]),
    by.length === 0
      ? "- Refused by: any endpoint"
      : `- Refused by: ${by.map((row) => `[${row}](http.md#${row.replaceAll(".", "")})`).join(", ")}`,
    "",
  ].join("\n");
}
