// The reference of all options, printed from their rows: what `docs/reference/config.md` holds.
//
// Nothing here is written by hand but the introduction; a test checks that the page in the
// repository is the one that these rows print.

import { knownKeys, type KnownKey } from "./known_keys.ts";
import { placedOptions } from "./schema.ts";

/** One line of the reference. */
export interface OptionRow {
  readonly path: string;
  readonly type: string;
  /** As it would be written in a file, or in words. */
  readonly default: string;
  readonly applies: "live" | "restart";
  readonly description: string;
}

/** All options that are served, in the order of the page. */
export function optionRows(): OptionRow[] {
  return placedOptions()
    .filter(({ option }) => option.served)
    .map(({ path, option }) => ({
      path,
      type: option.type.meta()?.title ?? "value",
      default: option.defaultSays ?? `\`${JSON.stringify(option.default)}\``,
      applies: option.applies,
      description: option.says,
    }));
}

const introduction = `# Configuration

<!-- Printed by \`npm run docs\` from the option tables in src/*/options.ts. Do not edit. -->

\`zot serve\` takes the path of a JSON or YAML file with the keys of zot (Go); without a file, every
default below holds. \`zot verify <file>\` checks a file without serving, and \`zot schema\` prints a JSON
Schema for editors.

- Keys may be written in any case. A key that is unknown, of the wrong type or not served yet stops
  the start, with one line for each.
- \`\${NAME}\` in a value is replaced by that environment variable, \`\${NAME:-default}\` by the
  default where the variable is unset or empty. \`$\${\` is a plain \`\${\`. A variable that is unset and
  has no default stops the start.
- **Change** says what a changed file does: a \`live\` option takes effect within a second, without a
  request being dropped; a \`restart\` option is named in the log and waits for the next start. A file
  with a problem is rejected as a whole, and the server goes on with the old configuration.
- Durations are written with their unit: \`300ms\`, \`60s\`, \`1h30m\`. Sizes are a number of bytes or
  text such as \`4MiB\`.
`;

/** The whole page, as Markdown. */
export function configReference(): string {
  return [introduction, ...sectionPages(), notServedPage()].join("\n");
}

function sectionPages(): string[] {
  const bySection = Map.groupBy(optionRows(), (row) => row.path.split(".").slice(0, -1).join("."));
  return [...bySection].map(([section, rows]) => {
    const title = section === "" ? "Top level" : `\`${section}\``;
    return `## ${title}\n\n${table(
      ["Key", "Type", "Default", "Change", "Meaning"],
      rows.map((row) => [`\`${row.path}\``, row.type, row.default, row.applies, row.description]),
    )}`;
  });
}

function notServedPage(): string {
  const rows = keysNotServed().map((row) => [`\`${row.path}\``, row.feature, acceptedValue(row)]);
  return `## Known and not served yet

These keys of zot (Go) stop the start, with a line that names the key, except with the value in the last
column, which turns the feature off. Where anything is accepted, the key changes nothing, and a warning says so.

${table(["Key", "Turns on", "Accepted as"], rows)}`;
}

type NotServed = Pick<KnownKey, "path" | "feature" | "switched" | "warns"> & { off?: unknown };

/** Rows of `known_keys.ts` that no option has put out of force, and options not served. */
function keysNotServed(): NotServed[] {
  const options = placedOptions();
  const overruled = (path: string) =>
    options.some((placed) => placed.path === path || placed.path.startsWith(`${path}.`));
  const ours = options
    .filter(({ option }) => !option.served)
    .map(({ path, option }) => ({ path, feature: option.feature ?? path, off: option.default }));
  return [...ours, ...knownKeys.filter((row) => !overruled(row.path))];
}

function acceptedValue(row: NotServed): string {
  if (row.warns !== undefined) return "anything";
  if (row.switched === true) return "`enable: false`";
  return row.off === undefined ? "" : `\`${JSON.stringify(row.off)}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
  return line(head) + line(head.map(() => "---")) + rows.map(line).join("");
}
