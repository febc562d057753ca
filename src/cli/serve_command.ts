// `zot serve` up to the point where the server takes over.
//
// Loads and checks the configuration; a start with problems prints them, one line each, and serves
// nothing. Serving itself is in `serve.ts`. Processes load what they are made of at the same time: the first worker is
// started before anything else is loaded here.

import { availableParallelism } from "node:os";
import { mistakeStatus, standardInput, type Output } from "./command.ts";
import { WorkerProcess } from "./worker_process.ts";

/** Serves what the file at `configPath` says, or the defaults. Returns the exit status. */
export async function serveCommand(configPath: string | null, output: Output): Promise<number> {
  if (configPath === standardInput) {
    output.error(
      "zot: expected a configuration file, which is followed while it serves; got standard input\n",
    );
    return mistakeStatus;
  }
  // However many the configuration wants, one is needed.
  const first = new WorkerProcess();
  const { checkConfig, loadConfig } = await import("../config/load.ts");
  const loaded = configPath === null ? checkConfig({}) : await loadConfig(configPath);
  if ("problems" in loaded) {
    first.kill();
    for (const problem of loaded.problems) output.error(`${problem}\n`);
    return 1;
  }
  // Those that find no processor free would only make the first answer come later.
  const early = Math.min(loaded.config.http.workers, availableParallelism() - 1);
  const others = Array.from({ length: Math.max(early - 1, 0) }, () => new WorkerProcess());
  const workers = [first, ...others];
  const { serve } = await import("./serve.ts");
  return await serve(loaded.config, {
    workers,
    configPath,
    written: loaded.written,
    warnings: loaded.warnings,
  });
}
