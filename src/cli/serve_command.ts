// `zot serve` up to the point where the server takes over.
//
// Loads and checks the configuration; a start with problems prints them, one line each, and serves
// nothing. Serving itself is in `serve.ts`. Processes load what they are made of at the same time: the first worker is
// started before anything else is loaded here.

import { availableParallelism } from "node:os";
import type { CommandLine, Loaded } from "../config/load.ts";
import { mistakeStatus, standardInput, type Output } from "./command.ts";
import { WorkerProcess } from "./worker_process.ts";

/** Serves what the file at `configPath` says, or the defaults. Returns the exit status. */
export async function serveCommand(
  configPath: string | null,
  mirror: string | null,
  output: Output,
): Promise<number> {
  if (configPath === standardInput) {
    output.error(
      "zot: expected a configuration file, which is followed while it serves; got standard input\n",
    );
    return mistakeStatus;
  }
  // However many the configuration wants, one is needed.
  const first = new WorkerProcess();
  const { checkConfig, loadConfig } = await import("../config/load.ts");
  const { withoutFile } = await import("../config/without_file.ts");
  const { env } = process;
  const mirrors = mirror === null ? null : checkMirrors(mirror, checkConfig);
  const isWrong = mirrors !== null && "problem" in mirrors;
  const added = mirrors === null || isWrong ? null : mirrors;
  const loaded =
    configPath === null
      ? checkConfig(withoutFile, env, added)
      : await loadConfig(configPath, env, added);
  if (isWrong || "problems" in loaded) {
    first.kill();
    const problems = isWrong ? [mirrors.problem] : "problems" in loaded ? loaded.problems : [];
    for (const problem of problems) output.error(`${problem}\n`);
    return isWrong ? mistakeStatus : 1;
  }
  // Those that find no processor free would only make the first answer come later.
  const early = Math.min(loaded.config.http.workers, availableParallelism() - 1);
  const others = Array.from({ length: Math.max(early - 1, 0) }, () => new WorkerProcess());
  const workers = [first, ...others];
  const { serve } = await import("./serve.ts");
  return await serve(loaded.config, {
    workers,
    configPath,
    added,
    written: loaded.written,
    warnings: loaded.warnings,
  });
}

/** The registries of `--mirror`, which are those of an option: it says what is wrong with one. */
function checkMirrors(
  text: string,
  check: (value: unknown) => Loaded,
): CommandLine | { readonly problem: string } {
  const mirrors = text.split(",").map((each) => each.trim());
  const checked = check({ extensions: { sync: { mirrors } } });
  if (!("problems" in checked)) return { mirrors };
  const [first = ""] = checked.problems;
  return { problem: `zot: --mirror: ${first.replace(/^[^:]*: /, "")}` };
}
