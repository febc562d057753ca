// Programs in a pseudo-terminal of their own, whose foreground group gets what the terminal's keys send.

import { packageDirectory } from "./harness.ts";
import { descendants, isAlive } from "./processes.ts";

export interface Terminal extends AsyncDisposable {
  readonly pid: number;
  /** What was printed so far; lines end with CR and LF. */
  text(): string;
  type(keys: string): void;
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
    [Symbol.asyncDispose]: async () => {
      for (const pid of [child.pid, ...descendants(child.pid)].filter(isAlive)) {
        process.kill(pid, "SIGKILL");
      }
      await child.exited;
    },
  };
}
