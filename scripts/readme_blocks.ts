// Code blocks of Markdown pages that are meant to be run, and the tools that they need.
//
// A block is runnable when its info string says so: "```sh run", "```sh run needs=skopeo,podman" for tools that a
// machine may lack, "```sh run=start" for the one that starts the server. The first word is what pages are coloured
// by; the rest shows nowhere. Running is left to `check_readme.ts`.

export interface Block {
  readonly file: string;
  /** Line of the first command, from 1. */
  readonly line: number;
  readonly text: string;
  /** true for the block that starts the server. */
  readonly starts: boolean;
  readonly needs: readonly string[];
}

const fence = /^```(\w*)\s*(.*)$/;

/** The runnable blocks of a page, in order. @throws Error for a mark that is not known. */
export function runnableBlocks(file: string, markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; marks: string; lines: string[] } | null = null;
  for (const [index, line] of markdown.split("\n").entries()) {
    const match = fence.exec(line);
    if (open === null && match !== null) {
      open = { line: index + 2, marks: match[2] ?? "", lines: [] };
    } else if (open !== null && line === "```") {
      const block = blockOf(file, open.line, open.marks, open.lines.join("\n"));
      if (block !== null) blocks.push(block);
      open = null;
    } else {
      open?.lines.push(line);
    }
  }
  return blocks;
}

function blockOf(file: string, line: number, marks: string, text: string): Block | null {
  const words = marks.split(/\s+/).filter((word) => word !== "");
  if (words.length === 0) return null;
  const known = words.every((word) => /^(run|run=start|needs=[\w,-]+)$/.test(word));
  if (!known) {
    throw new Error(`${file}:${line}: expected run, run=start and needs=…, got ${marks}`);
  }
  const needs = words
    .filter((word) => word.startsWith("needs="))
    .flatMap((word) => word.slice("needs=".length).split(","));
  return { file, line, text, starts: words.includes("run=start"), needs };
}
