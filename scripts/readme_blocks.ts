// Code blocks of Markdown pages that are meant to be run, and what they need.
//
// A block is used when its info string says so, behind the word that pages are coloured by:
//
//     ```sh run                   run it
//     ```sh run needs=skopeo,jq   run it where these tools are
//     ```sh run=start             it starts the server (README.md in a fresh clone)
//     ```yaml serve               serve the page's next blocks with this configuration, added to those before it
//     ```yaml file=config.yaml    write it to a file, for the page's next blocks
//     ```sh on=server             run it on a machine with systemd, as one of the readers there (test/machine/)
//
// Both last marks may stand together, and `needs` beside any of them. Running is left to `check_readme.ts`.

export interface Block {
  readonly file: string;
  /** Line of the first command, from 1. */
  readonly line: number;
  readonly text: string;
  /** `start` is `run` for the block that starts the server. */
  readonly kind: "run" | "start" | "configuration";
  /** Whether a configuration is served. */
  readonly serves: boolean;
  /** File that a configuration is written to; null for none. */
  readonly path: string | null;
  readonly needs: readonly string[];
  /** Who runs it on a machine of the test's own; null for a block that runs on this one. */
  readonly on: string | null;
}

/** Blocks of numbered steps are indented. */
const fence = /^( *)```(\w*)\s*(.*)$/;

/** The marked blocks of a page, in order. @throws Error for a mark that is not known. */
export function runnableBlocks(file: string, markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; marks: string; indent: string; lines: string[] } | null = null;
  for (const [index, line] of markdown.split("\n").entries()) {
    const match = fence.exec(line);
    if (open === null && match !== null) {
      open = { line: index + 2, marks: match[3] ?? "", indent: match[1] ?? "", lines: [] };
    } else if (open !== null && line === `${open.indent}\`\`\``) {
      const block = blockOf(file, open.line, open.marks, open.lines.join("\n"));
      if (block !== null) blocks.push(block);
      open = null;
    } else {
      open?.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
    }
  }
  return blocks;
}

function blockOf(file: string, line: number, marks: string, text: string): Block | null {
  const words = marks.split(/\s+/).filter((word) => word !== "");
  if (words.length === 0) return null;
  const known = words.every((word) =>
    /^(run|run=start|serve|file=\S+|needs=[\w,-]+|on=\w+)$/.test(word),
  );
  if (!known) {
    throw new Error(
      `${file}:${line}: expected run, run=start, serve, file=…, needs=… and on=…, got ${marks}`,
    );
  }
  const valueOf = (key: string) =>
    words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1) ?? null;
  const path = valueOf("file");
  const serves = words.includes("serve");
  const runs = words.includes("run") ? "run" : "start";
  return {
    file,
    line,
    text,
    kind: serves || path !== null ? "configuration" : runs,
    serves,
    path,
    needs: valueOf("needs")?.split(",") ?? [],
    on: valueOf("on"),
  };
}
