/**
 * This very program with another command: the runtime with its flags and its script, or the compiled executable. The
 * flags matter: without them the runtime would read settings from the caller's working directory.
 *
 * A process that the program starts itself has no command line to read, so it loads nothing that reads one.
 */
import { isCompiled } from "../lib/runtime.ts";

const ownCommands = {
  worker: async () => (await import("./worker.ts")).runWorker(),
  heavy: async () => (await import("./heavy.ts")).runHeavy(),
} as const satisfies Readonly<Record<string, () => Promise<number>>>;

type OwnCommand = keyof typeof ownCommands;

export function ownCommand(command: OwnCommand): string[] {
  if (isCompiled) return [process.execPath, command];
  return [process.execPath, ...process.execArgv, Bun.main, command];
}

/** Runs such a process; null when the command line is another one. Resolves with the exit status. */
export function runOwnCommand([
  command = "",
  ...others
]: readonly string[]): Promise<number> | null {
  return isOwn(command) && others.length === 0 ? ownCommands[command]() : null;
}

function isOwn(command: string): command is OwnCommand {
  return Object.hasOwn(ownCommands, command);
}
