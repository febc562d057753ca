// `zot verify`: what `zot serve` would say about a configuration, without serving it.

import { loadConfig } from "../config/load.ts";
import type { Output } from "./command.ts";

/** Checks the file at `path`; prints each problem on its own line. Returns the exit status. */
export async function verify(path: string, output: Output): Promise<number> {
  const loaded = await loadConfig(path);
  if ("problems" in loaded) {
    for (const problem of loaded.problems) output.error(`${problem}\n`);
    return 1;
  }
  for (const warning of loaded.warnings) output.error(`warning: ${warning}\n`);
  const { http, storage } = loaded.config;
  output.out(
    `${path} is valid: it serves ${storage.rootDirectory} on ${http.address}:${http.port}\n`,
  );
  return 0;
}
