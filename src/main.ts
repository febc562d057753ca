// The program: what was typed, to a command, to the exit status.
//
// The only place that reads process.argv and ends the process; everything else gets values and
// returns values. It ends once everything is written: process.exit alone cuts what a pipe has not
// taken yet (measured on Bun 1.4.5: all but the first 64 KiB).

import type { Output } from "./cli/command.ts";
import { runCommandLine } from "./cli/program.ts";
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

const status = await runCommandLine(process.argv.slice(2), output);
await Promise.all([outWritten, errorWritten]);
process.exit(status);

/** Resolves when the text and all before it are out, or the reader is gone. */
function written(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve) => {
    stream.write(text, () => {
      resolve();
    });
  });
}
