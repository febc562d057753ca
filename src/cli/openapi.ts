// `zot openapi`: the OpenAPI document of what a configuration serves.

import { checkConfig } from "../config/load.ts";
import { openApiText } from "../server.ts";
import type { Output } from "./command.ts";
import { loadGiven } from "./load_given.ts";

/** Prints the document for the file at `path`, or for the defaults. Returns the exit status. */
export async function openapi(path: string | null, output: Output): Promise<number> {
  const loaded = path === null ? checkConfig({}) : await loadGiven(path);
  if ("problems" in loaded) {
    for (const problem of loaded.problems) output.error(`${problem}\n`);
    return 1;
  }
  output.out(`${JSON.stringify(JSON.parse(openApiText(loaded.config)), null, 2)}\n`);
  return 0;
}
