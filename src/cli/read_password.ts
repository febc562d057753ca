// Reads a new password: a terminal asks for it twice without showing it, else it is one line of standard input. It
// never comes from the command line, which every user of the machine can read.

import type { Output } from "./command.ts";

const inputBytesMax = 4096;

/** Ctrl+C at the question. */
export class PasswordCancelled extends Error {
  override readonly name = "PasswordCancelled";
}

/** @throws with one line when there is none, or the second differs from the first. */
export async function readPassword(name: string, output: Output): Promise<string> {
  if (!process.stdin.isTTY) return await readLineOfInput();
  const first = await askHidden(`Password for ${name}: `, output);
  if (first !== (await askHidden("The same again: ", output))) {
    throw new Error("expected the same password twice, got two; nothing is changed");
  }
  return first;
}

async function readLineOfInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(Buffer.from(chunk));
    length += chunk.length;
    if (length > inputBytesMax) throw new Error("expected one line with the password, got more");
  }
  const text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  const line = text.replace(/\r?\n$/, "");
  if (/[\r\n]/.test(line)) throw new Error("expected one line with the password, got several");
  return line;
}

const keys = { enter: ["\r", "\n"], cancel: "\u0003", end: "\u0004", clear: "\u0015" } as const;
const backspaces: readonly string[] = ["\u007f", "\b"];

/** One line from the terminal, of which it shows nothing. */
async function askHidden(question: string, output: Output): Promise<string> {
  const { stdin } = process;
  const typed: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const onKeys = (text: string): void => {
    for (const key of text) {
      if (key === keys.cancel) reject(new PasswordCancelled());
      else if (keys.enter.some((each) => each === key) || key === keys.end) resolve(typed.join(""));
      else if (key === keys.clear) typed.length = 0;
      else if (backspaces.includes(key)) typed.pop();
      else if (typed.length < inputBytesMax) typed.push(key);
    }
  };
  // Before the question: whoever answers it must not be shown.
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  stdin.on("data", onKeys);
  stdin.resume();
  output.error(question);
  try {
    return await promise;
  } finally {
    stdin.off("data", onKeys);
    stdin.setRawMode(false);
    stdin.pause();
    output.error("\n");
  }
}
