// Starts `zot serve` as a person would, and gives tests its address, its log and its end.
//
// The server is ready when `startZot` resolves. At the end of the scope the server, its workers and its temporary files
// are gone. The log is read from a pipe, hence JSON lines. Tests talk to the server with plain `fetch`, or with the
// real clients in test/clients.

import { chmod, chown, mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Registry } from "./docker_registry.ts";
import { descendants, eventually, isAlive, startService } from "./processes.ts";
import { type TempDirectory, tempDirectory } from "./temp.ts";
import { testedProgram } from "./tested_program.ts";

export { type Registry, startDockerRegistry } from "./docker_registry.ts";
export {
  descendants,
  eventually,
  isAlive,
  type Output,
  requireRoot,
  requireTool,
  run,
  runOk,
  type RunOptions,
  type Service,
  signalTo,
  startService,
} from "./processes.ts";
export { freePort, runDirectory, tempDirectory } from "./temp.ts";
export { checkoutProgram, testedProgram } from "./tested_program.ts";

/** The checkout that the tests run in. */
export const packageDirectory = resolve(import.meta.dir, "..");

/** One line of the server's log. */
export type LogLine = Readonly<Record<string, unknown>>;

export interface ZotOptions {
  /** Merged, object by object, over a loopback address, port 0 and the root directory. */
  readonly config?: object;
  /** An existing root directory, which stays; without it a temporary one, which goes. */
  readonly rootDirectory?: string;
  readonly env?: Record<string, string | undefined>;
  /** Further arguments after `serve <file>`. */
  readonly args?: readonly string[];
  /** User and group to run as (needs root); the temporary root directory is given to that user. */
  readonly uid?: number;
  /** Instead of the executable that was built from this checkout. */
  readonly executable?: string;
  readonly cwd?: string;
}

export interface Zot extends Registry {
  /** The configuration file that it was started with. */
  readonly configFile: string;
  /** Writes the configuration file anew, merged as at the start; the server hears of nothing else. */
  configure(changes: object): Promise<void>;
  /** Every line that is a JSON object, in order. */
  logs(): LogLine[];
  /** The first line of the log that fits, waiting for it. */
  waitForLog(what: string, fits: (line: LogLine) => boolean): Promise<LogLine>;
  /** Everything written to standard error, which should be nothing. */
  stderr(): readonly string[];
  /** The worker processes that live now. */
  workerPids(): number[];
  /** Resolves with the exit code when the server ends by itself, or is ended. */
  readonly exited: Promise<number>;
  /** SIGTERM, then waits for the exit code; an error when it takes more than 30 s or a worker remains. */
  stop(): Promise<number>;
  /** SIGKILL to the supervisor, then waits until its workers are gone too. */
  kill(): Promise<void>;
}

/** Starts the server and waits until it listens; rejects with its output when it ends instead. */
export async function startZot(options: ZotOptions = {}): Promise<Zot> {
  const directory = await tempDirectory();
  try {
    return await start(options, directory);
  } catch (error) {
    await directory[Symbol.asyncDispose]();
    throw error;
  }
}

async function start(options: ZotOptions, directory: TempDirectory): Promise<Zot> {
  const rootDirectory = options.rootDirectory ?? join(directory.path, "root");
  await mkdir(rootDirectory, { recursive: true });
  const file = join(directory.path, "config.json");
  await writeFile(file, JSON.stringify(configuration(rootDirectory, options.config ?? {})));
  if (options.uid !== undefined) {
    await chmod(directory.path, 0o755);
    if (options.rootDirectory === undefined) {
      await chown(rootDirectory, options.uid, options.uid);
    }
  }
  const executable = options.executable ?? (await testedProgram());
  const service = startService([executable, "serve", file, ...(options.args ?? [])], options);
  const line = await service
    .waitForLine("the server listens", (line) => parseLog(line)?.["msg"] === "listening")
    .catch(async (error: unknown) => {
      await service.stop().catch(() => undefined);
      throw error;
    });
  const url = String(parseLog(line)?.["url"]);
  const workerPids = () => (service.running() ? descendants(service.pid) : []);
  const workersGone = (workers: readonly number[]) =>
    eventually(
      `the workers ${workers.join(", ")} end with their supervisor`,
      () => !workers.some(isAlive),
    );
  const parsed: LogLine[] = [];
  let parsedLines = 0;
  const stop = async () => {
    const workers = workerPids();
    const code = await service.stop();
    await workersGone(workers);
    return code;
  };
  return {
    url,
    host: new URL(url).host,
    port: Number(new URL(url).port),
    pid: service.pid,
    rootDirectory,
    configFile: file,
    configure: (changes) => writeFile(file, JSON.stringify(configuration(rootDirectory, changes))),
    logs: () => {
      const lines = service.stdout();
      // Asked again and again: only what came since is parsed.
      for (; parsedLines < lines.length; parsedLines += 1) {
        const line = parseLog(lines[parsedLines] ?? "");
        if (line !== null) parsed.push(line);
      }
      return [...parsed];
    },
    waitForLog: async (what, fits) => {
      const found = await service.waitForLine(what, (text) => {
        const parsed = parseLog(text);
        return parsed !== null && fits(parsed);
      });
      return parseLog(found) ?? {};
    },
    stderr: () => service.stderr(),
    workerPids,
    exited: service.exited,
    stop,
    kill: async () => {
      const workers = workerPids();
      process.kill(service.pid, "SIGKILL");
      await service.exited;
      await workersGone(workers).catch((error: unknown) => {
        for (const pid of workers.filter(isAlive)) process.kill(pid, "SIGKILL");
        throw error;
      });
    },
    [Symbol.asyncDispose]: async () => {
      try {
        if (service.running()) await stop();
      } finally {
        await directory[Symbol.asyncDispose]();
      }
    },
  };
}

function parseLog(line: string): LogLine | null {
  if (!line.startsWith("{")) return null;
  try {
    const parsed: unknown = JSON.parse(line);
    return isPlain(parsed) ? { ...parsed } : null;
  } catch {
    return null;
  }
}

function configuration(rootDirectory: string, changes: object): object {
  const base = {
    storage: { rootDirectory },
    http: { address: "127.0.0.1", port: "0" },
  };
  return merge(base, changes);
}

function merge(base: object, changes: object): object {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(changes)) {
    const old = merged[key];
    merged[key] = isPlain(old) && isPlain(value) ? merge(old, value) : value;
  }
  return merged;
}

function isPlain(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
