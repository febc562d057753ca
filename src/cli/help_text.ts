// A help page as text: sections of two columns, wrapped to the width of the terminal.
//
// No line is wider than `width`, unless a word or an example is. `help_pages.ts` has the text; usage, arguments and
// options come from commander, in `program.ts`.

import type { HelpPage } from "./command.ts";

const indent = 2;
const gap = 2;
/** Terms longer than this stand on a line of their own. */
const termMax = 24;

export interface HelpStyle {
  readonly width: number;
  readonly title: (text: string) => string;
}

/** Everything of a page that stands below the options, with an empty line before each section. */
export function helpText(page: Partial<HelpPage>, { width, title }: HelpStyle): string {
  const statuses = page.exitStatus?.map(([status, says]) => [String(status), says] as const);
  const sections: (readonly [string, readonly string[]])[] = [
    ["Signals:", columns(page.signals, width)],
    ["Exit status:", columns(statuses, width)],
    ["Environment:", columns(page.environment, width)],
    ["Files:", columns(page.files, width)],
    ["Examples:", lines(page.examples)],
    ["See also:", lines(page.seeAlso)],
  ];
  return sections
    .filter(([, content]) => content.length > 0)
    .map(([name, content]) => `\n${title(name)}\n${content.join("\n")}`)
    .join("\n");
}

function lines(texts: readonly string[] = []): string[] {
  return texts.map((text) => " ".repeat(indent) + text);
}

function columns(rows: readonly (readonly [string, string])[] = [], width: number): string[] {
  const terms = rows.map(([term]) => term.length).filter((length) => length <= termMax);
  const at = indent + Math.max(0, ...terms) + gap;
  return rows.flatMap(([term, says]) => {
    const text = wrapped(says, width - at).map((line) => " ".repeat(at) + line);
    const head = " ".repeat(indent) + term;
    const [first = "", ...rest] = text;
    if (term.length > termMax) return [head, first, ...rest];
    return [head.padEnd(at) + first.slice(at), ...rest];
  });
}

function wrapped(text: string, width: number): string[] {
  const found: string[] = [];
  for (const word of text.split(" ")) {
    const last = found.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) {
      found[found.length - 1] = `${last} ${word}`;
    } else {
      found.push(word);
    }
  }
  return found;
}
