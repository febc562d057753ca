// `zot verify`: what `zot serve` would say about a configuration, without serving it.

import { isAuthConfigured } from "../auth/check_options.ts";
import { checkAuthFiles } from "../auth/open_auth.ts";
import { loadConfig, type Config } from "../config/load.ts";
import { systemClock } from "../lib/clock.ts";
import type { Output } from "./command.ts";

/** Checks the file at `path`; prints each problem on its own line. Returns the exit status. */
export async function verify(path: string, output: Output): Promise<number> {
  const loaded = await loadConfig(path);
  if ("problems" in loaded) {
    for (const problem of loaded.problems) output.error(`${problem}\n`);
    return 1;
  }
  for (const warning of loaded.warnings) output.error(`warning: ${warning}\n`);
  const problem = await fileProblem(loaded.config);
  if (problem !== null) {
    output.error(`${problem}\n`);
    return 1;
  }
  const { http, storage } = loaded.config;
  output.out(
    `${path} is valid: it serves ${storage.rootDirectory} on ${http.address}:${http.port}\n`,
  );
  return 0;
}

/** What is wrong in the files that callers are known by, with its line; null when they are right. */
async function fileProblem({ http }: Config): Promise<string | null> {
  if (!isAuthConfigured(http)) return null;
  try {
    const setup = { clock: systemClock, tokenKeyPath: null, report: () => {} };
    await checkAuthFiles(http, setup);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
