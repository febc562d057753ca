/**
 * This very program with another command: the runtime with its flags and its script, or the compiled executable. The
 * flags matter: without them the runtime would read settings from the caller's working directory.
 */
import { isCompiled } from "../lib/runtime.ts";

export function ownCommand(command: string): string[] {
  if (isCompiled) return [process.execPath, command];
  return [process.execPath, ...process.execArgv, Bun.main, command];
}
