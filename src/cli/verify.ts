// `zot verify`: what `zot serve` would say about a configuration and the files that it names, without serving it.
// What is valid here starts, if the port is free and the root directory can be used.

import { loadConfig } from "../config/load.ts";
import { checkFiles, isEveryInterface } from "../server.ts";
import type { Output } from "./command.ts";

/** Checks the file at `path`; prints each problem on its own line. Returns the exit status. */
export async function verify(path: string, output: Output): Promise<number> {
  const loaded = await loadConfig(path);
  if ("problems" in loaded) {
    for (const problem of loaded.problems) output.error(`${problem}\n`);
    return 1;
  }
  const files = await checkFiles(loaded.config);
  for (const warning of [...loaded.warnings, ...files.warnings]) {
    output.error(`warning: ${warning}\n`);
  }
  for (const problem of files.problems) output.error(`${problem}\n`);
  if (files.problems.length > 0) return 1;
  const { http, storage } = loaded.config;
  const where = isEveryInterface(http.address)
    ? `every interface, port ${http.port}`
    : `${http.address}:${http.port}`;
  output.out(`${path} is valid: it serves ${storage.rootDirectory} on ${where}\n`);
  return 0;
}
