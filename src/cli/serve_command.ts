// `zot serve` and `zot worker` up to the point where the server takes over.
//
// Loads and checks the configuration; a start with problems prints them, one line each, and serves
// nothing. Serving itself is in `serve.ts` and `worker.ts`.

import { checkConfig, loadConfig, type Config } from "../config/load.ts";
import type { Output } from "./command.ts";

/** What `serve.ts` must export. Resolves with the exit status once serving has ended. */
export type Serve = (config: Config, about: ServeAbout) => Promise<number>;

export interface ServeAbout {
  /** null when no file was given and the defaults hold. */
  readonly configPath: string | null;
  /** Lines to log at the start. */
  readonly warnings: readonly string[];
}

/** What `worker.ts` must export. Resolves with the exit status. */
export type RunWorker = () => Promise<number>;

/** Serves what the file at `configPath` says, or the defaults. Returns the exit status. */
export async function serveCommand(configPath: string | null, output: Output): Promise<number> {
  const loaded = configPath === null ? checkConfig({}) : await loadConfig(configPath);
  if ("problems" in loaded) {
    for (const problem of loaded.problems) output.error(`${problem}\n`);
    return 1;
  }
  const module = await optionalModule("./serve.ts");
  if (!hasServe(module)) return notBuilt("serve", output);
  return await module.serve(loaded.config, { configPath, warnings: loaded.warnings });
}

/** Serves one share of the requests; started by `serve`. Returns the exit status. */
export async function workerCommand(output: Output): Promise<number> {
  const module = await optionalModule("./worker.ts");
  return hasRunWorker(module) ? await module.runWorker() : notBuilt("worker", output);
}

// The two modules are written beside this one; until both exist they cannot be named statically.
async function optionalModule(path: string): Promise<unknown> {
  return await import(path);
}

function hasServe(module: unknown): module is { serve: Serve } {
  return typeof module === "object" && module !== null && "serve" in module;
}

function hasRunWorker(module: unknown): module is { runWorker: RunWorker } {
  return typeof module === "object" && module !== null && "runWorker" in module;
}

function notBuilt(name: string, output: Output): number {
  output.error(`zot: ${name} is not part of this build\n`);
  return 1;
}
