// The program: what was typed, to a command, to the exit status.
//
// The only place that reads process.argv and ends the process; everything else gets values and
// returns values. It ends once everything is written: process.exit alone cuts what a pipe has not
// taken yet (measured on Bun 1.4.5: all but the first 64 KiB).

import type { Output } from "./cli/command.ts";
import { runOwnCommand } from "./cli/own_command.ts";
import { wantsColour } from "./cli/wants_colour.ts";

let outWritten = Promise.resolve();
let errorWritten = Promise.resolve();

const output: Output = {
  out(text) {
    outWritten = written(process.stdout, text);
  },
  error(text) {
    errorWritten = written(process.stderr, text);
  },
  colour: wantsColour(),
  columns: process.stdout.isTTY ? process.stdout.columns : undefined,
};

// Without waiting at the top: a script with parsed code (`scripts/bundle.ts`) cannot.
void end(process.argv.slice(2));

async function end(words: readonly string[]): Promise<void> {
  const status = await (runOwnCommand(words) ?? readCommandLine(words));
  await Promise.all([outWritten, errorWritten]);
  process.exit(status);
}

async function readCommandLine(line: readonly string[]): Promise<number> {
  const { runCommandLine } = await import("./cli/program.ts");
  return await runCommandLine(line, output);
}

/** Resolves when the text and all before it are out, or the reader is gone. */
function written(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve) => {
    stream.write(text, () => {
      resolve();
    });
  });
}
