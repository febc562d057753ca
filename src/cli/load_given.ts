// The configuration that a command line names: a file, or standard input as `-`.

import { loadConfig, loadText, type Loaded } from "../config/load.ts";
import { standardInput } from "./command.ts";

/** What problems call it. */
const standardInputName = "standard input";

/** Reads and checks the configuration at `path`. */
export async function loadGiven(path: string): Promise<Loaded> {
  if (path !== standardInput) return await loadConfig(path);
  return await loadText(await Bun.stdin.text(), standardInputName);
}

/** How to speak of what was given. */
export function nameOfGiven(path: string): string {
  return path === standardInput ? standardInputName : path;
}
