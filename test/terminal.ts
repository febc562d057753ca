// Programs in a pseudo-terminal of their own, whose foreground group gets what the terminal's keys send.

import { packageDirectory } from "./harness.ts";
import { descendants, eventually, isAlive } from "./processes.ts";

export interface Terminal extends AsyncDisposable {
  readonly pid: number;
  /** What was printed so far; lines end with CR and LF. */
  text(): string;
  type(keys: string): void;
  /** Its exit status, when it has ended. */
  readonly exited: Promise<number>;
}

/** What is waited for, and what is typed then. */
export type Talk = readonly (readonly [question: string, answer: string])[];

/** Runs a program to its end, with somebody who types each answer once its question is there. */
export async function talkInTerminal(
  command: readonly string[],
  talk: Talk,
): Promise<{ shown: string; code: number }> {
  await using terminal = startInTerminal(command);
  for (const [question, answer] of talk) {
    await eventually(`it asks ${question}`, () => terminal.text().includes(question));
    terminal.type(answer);
  }
  const code = await terminal.exited;
  return { shown: terminal.text().replaceAll("\r\n", "\n"), code };
}

/** Starts a program in the checkout; at the end of the scope it and its children are gone. */
export function startInTerminal(
  command: readonly string[],
  env: Record<string, string> = {},
): Terminal {
  let text = "";
  const child = Bun.spawn([...command], {
    cwd: packageDirectory,
    env: { ...process.env, NO_COLOR: "1", ...env },
    terminal: { cols: 120, rows: 40, data: (_, data) => void (text += Buffer.from(data)) },
  });
  return {
    pid: child.pid,
    text: () => text,
    type: (keys) => void child.terminal?.write(keys),
    exited: child.exited,
    [Symbol.asyncDispose]: async () => {
      for (const pid of [child.pid, ...descendants(child.pid)].filter(isAlive)) {
        process.kill(pid, "SIGKILL");
      }
      await child.exited;
    },
  };
}
