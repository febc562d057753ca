// `zot serve` and `zot worker` up to the point where the server takes over.
//
// Loads and checks the configuration; a start with problems prints them, one line each, and serves
// nothing. Serving itself is in `serve.ts` and `worker.ts`, loaded once there is something to serve.

import { checkConfig, loadConfig } from "../config/load.ts";
import { mistakeStatus, type Output } from "./command.ts";
import { standardInput } from "./load_given.ts";
import { WorkerProcess } from "./worker_process.ts";

/** Serves what the file at `configPath` says, or the defaults. Returns the exit status. */
export async function serveCommand(configPath: string | null, output: Output): Promise<number> {
  if (configPath === standardInput) {
    output.error(
      "zot: expected a configuration file, which is followed while it serves; got standard input\n",
    );
    return mistakeStatus;
  }
  const loaded = configPath === null ? checkConfig({}) : await loadConfig(configPath);
  if ("problems" in loaded) {
    for (const problem of loaded.problems) output.error(`${problem}\n`);
    return 1;
  }
  // They load what they are made of while this process does.
  const workers = Array.from({ length: loaded.config.http.workers }, () => new WorkerProcess());
  const { serve } = await import("./serve.ts");
  return await serve(loaded.config, {
    workers,
    configPath,
    written: loaded.written,
    warnings: loaded.warnings,
  });
}

/** Does work that computes for long; started by `serve`. Returns the exit status. */
export async function heavyCommand(): Promise<number> {
  const { runHeavy } = await import("./heavy.ts");
  return await runHeavy();
}

/** Serves one share of the requests; started by `serve`. Returns the exit status. */
export async function workerCommand(): Promise<number> {
  const { runWorker } = await import("./worker.ts");
  return await runWorker();
}
