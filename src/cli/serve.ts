/**
 * `zot serve`: a primary that supervises worker processes, and follows its configuration file.
 *
 * It prints one line when the registry can be pushed to. On SIGTERM or SIGINT it finishes what is in flight within the
 * grace time, writes every index.json and returns 0. SIGHUP makes it look at the configuration file now. Workers end
 * when their supervisor does. `../server.ts` joins the parts, `supervisor.ts` runs the workers.
 */
import type { CommandLine } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { checkLogFiles, flushLogs, openLog, type Log } from "../lib/log.ts";
import {
  checkLive,
  openTls,
  requireAddress,
  requireListen,
  startPrimary,
  type Primary,
} from "../server.ts";
import { announcement, whereabouts, type Whereabouts } from "./announce.ts";
import { ConfigFollower } from "./config_follower.ts";
import { HeavyProcess } from "./heavy_process.ts";
import { ownCommand } from "./own_command.ts";
import { wantsColour } from "./wants_colour.ts";
import { Signals } from "./signals.ts";
import { Supervisor } from "./supervisor.ts";
import type { WorkerProcess } from "./worker_process.ts";

const lostFiles =
  "files of the running server were removed or replaced: it acknowledges nothing and ends";

export interface ServeOptions {
  /** Path of the configuration file; null when the defaults serve. */
  readonly configPath: string | null;
  /** What the command line adds to it. */
  readonly added: CommandLine | null;
  /** Paths that the file itself set. */
  readonly written: ReadonlySet<string>;
  readonly warnings: readonly string[];
  /** Of those that the configuration wants, the ones that were started meanwhile. */
  readonly workers: readonly WorkerProcess[];
}

/** Serves until a signal; returns the exit code. */
export async function serve(config: Config, options: ServeOptions): Promise<number> {
  // Before anything says that it listens: who reads that may send a signal at once.
  const signals = new Signals();
  const log = await openLogs(config);
  for (const warning of options.warnings) log?.warn(warning);
  const opened = log === null ? null : await open(config, options.workers, log);
  if (log === null || opened === null) {
    for (const worker of options.workers) worker.kill();
    return 1;
  }
  const { primary, supervisor } = opened;
  const url = await supervisor.start();
  if (url === null) {
    await primary.stop();
    flushLogs();
    tellBesides(config, "no worker could start; the log says why");
    return 1;
  }
  announce(config, options, { log, places: whereabouts(config, url, opened.certificate) });
  const follower = follow(config, options, { supervisor, log });
  signals.onReload = () => {
    if (follower === null) log.info("there is no configuration file that could be read again");
    else follower.reload();
  };
  const ended = await Promise.race([
    signals.stop.then((signal) => ({ signal })),
    primary.lost.then((problem) => ({ problem })),
  ]);
  if ("problem" in ended) {
    log.fatal(ended, lostFiles);
    tellBesides(config, `${lostFiles}: ${ended.problem}`);
  } else log.info(ended, "stopping");
  await follower?.close();
  await supervisor.stop();
  if ("problem" in ended) {
    flushLogs();
    return 1;
  }
  await primary.stop();
  log.info("stopped");
  flushLogs();
  return 0;
}

/** The line for machines, and for a person at a terminal how to push. */
function announce(
  config: Config,
  { configPath }: ServeOptions,
  { log, places }: { readonly log: Log; readonly places: Whereabouts },
): void {
  const { rootDirectory } = config.storage;
  const outside = places.outsideUrls.length === 0 ? {} : { outsideUrls: places.outsideUrls };
  log.info(
    {
      url: places.url,
      ...outside,
      workers: config.http.workers,
      rootDirectory,
      config: configPath,
    },
    "listening",
  );
  flushLogs();
  const isWatched = configPath === null || process.stderr.isTTY;
  if (isWatched) process.stderr.write(announcement(config, places));
}

/** Null when they cannot be written, which is told. */
async function openLogs(config: Config): Promise<Log | null> {
  try {
    checkLogFiles(config.log);
    const { level, output } = config.log;
    const log = await openLog({ level, output, base: {}, colour: wantsColour() });
    tellBesides(config, `the log goes to ${output}`);
    return log;
  } catch (error) {
    tell(error);
    return null;
  }
}

async function open(
  config: Config,
  early: readonly WorkerProcess[],
  log: Log,
): Promise<{ primary: Primary; supervisor: Supervisor; certificate: string | null } | null> {
  try {
    const tls = await openTls(config, log, (material) => supervisor.replaceTls(material));
    await requireAddress(config.http.address);
    await requireListen(config.http, config.storage.shared);
    const command = ownCommand("heavy");
    const primary = await startPrimary(config, log, {
      heavy: (committer) => new HeavyProcess({ command, config, committer, log }),
    });
    const supervisor = new Supervisor(config, { primary, tls, log, early });
    return { primary, supervisor, certificate: tls?.current.cert ?? null };
  } catch (error) {
    tell(error);
    return null;
  }
}

/** For whoever watches the terminal while the log goes to a file. */
function tellBesides({ log: { output } }: Config, line: string): void {
  if (output !== null) process.stderr.write(`zot: ${line}\n`);
}

function tell(error: unknown): void {
  process.stderr.write(`zot: ${error instanceof Error ? error.message : String(error)}\n`);
}

/** Null when there is no file to follow. */
function follow(
  config: Config,
  { configPath, added, written, warnings }: ServeOptions,
  { supervisor, log }: { readonly supervisor: Supervisor; readonly log: Log },
): ConfigFollower | null {
  if (configPath === null) return null;
  const follower = new ConfigFollower({
    path: configPath,
    added,
    running: { config, written },
    warnings,
    log,
    check: (next) => checkLive(next, log),
    apply: (next) => supervisor.reconfigure(next),
  });
  follower.start();
  return follower;
}
