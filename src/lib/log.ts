/**
 * The log: JSON lines for machines, coloured lines on a terminal.
 *
 * Promises: a line is whole, also when several processes write to one pipe; lines are written together a few
 * times a second at most (errors at once), so that logging does not cost a system call per request; fields
 * whose name says that they are a secret are blanked at any depth.
 * Leaves to others: what to log. Nothing is logged and thrown.
 */
import { accessSync, constants, openSync, statSync, writeSync } from "node:fs";
import { dirname, resolve } from "node:path";
import pino, { type DestinationStream, type Logger } from "pino";

/** The log, and beside it the one for answered requests, whose fields are fixed and need no blanking. */
export type Log = Logger & { readonly access: Logger };
export type LogLevelName = "trace" | "debug" | "info" | "warn" | "error" | "fatal";

export interface LogOptions {
  readonly level: LogLevelName;
  /** A file to append to; null for standard output. */
  readonly output: string | null;
  /** Fields of every line, such as the worker's number. */
  readonly base: Readonly<Record<string, string | number>>;
}

/** A pipe takes this much in one piece (POSIX PIPE_BUF), whatever other processes write. */
const wholeWriteBytesMax = 4096;
/** Lines wait this long for company. */
const flushDelayMs = 100;
/** Lines beyond this are dropped while the reader of the log does not read. */
const bufferedBytesMax = 8 * 1024 * 1024;

const secretNames = ["password", "authorization", "token", "secret", "cookie", "bindPassword"];
const secretPaths = secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** Opens the log. On a terminal lines are for people, elsewhere they are JSON. */
export async function openLog(options: LogOptions): Promise<Log> {
  const descriptor = options.output === null ? 1 : openSync(options.output, "a", 0o640);
  const forPeople = options.output === null && process.stdout.isTTY;
  const destination = forPeople ? await prettyLines() : new LineBuffer(descriptor);
  const common = {
    level: options.level,
    base: options.base,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  // Looking for secrets in every line costs more than answering a small request.
  const access = pino(common, destination);
  const log = pino({ ...common, redact: { paths: secretPaths, censor: "***" } }, destination);
  return Object.assign(log, { access });
}

/**
 * Finds out whether files of the section `log` can be written, before anything is.
 * @throws with one line for the operator.
 */
export function checkLogFiles(files: {
  readonly output: string | null;
  readonly audit: string | null;
}): void {
  for (const key of ["output", "audit"] as const) {
    const path = files[key];
    const problem = path === null ? null : appendProblem(path);
    if (problem === null) continue;
    throw new Error(`log.${key}: expected a file that can be written to, got ${problem}: ${path}`);
  }
}

/** Why nothing can be appended to a file, which need not be there yet; null when it can. */
function appendProblem(path: string): string | null {
  const isThere = statSync(path, { throwIfNoEntry: false });
  if (isThere?.isDirectory() === true) return "a directory";
  try {
    accessSync(isThere === undefined ? dirname(resolve(path)) : path, constants.W_OK);
    return null;
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    return isMissing ? "no such directory" : "no permission";
  }
}

/** Writes lines of this level and above from now on. */
export function setLogLevel(log: Log, level: LogLevelName): void {
  log.level = level;
  log.access.level = level;
}

/** Writes what still waits; call it before the process ends. */
export function flushLogs(): void {
  for (const buffer of openBuffers) buffer.flush();
}

/** Loaded only for a terminal: a server that nobody watches starts without it. */
async function prettyLines(): Promise<DestinationStream> {
  const { default: pretty } = await import("pino-pretty");
  return pretty({ sync: true, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l" });
}

const openBuffers = new Set<LineBuffer>();

class LineBuffer implements DestinationStream {
  readonly #descriptor: number;
  #lines: string[] = [];
  #bytes = 0;
  #dropped = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
    openBuffers.add(this);
  }

  write(line: string): void {
    if (this.#bytes > bufferedBytesMax) {
      this.#dropped += 1;
      return;
    }
    this.#lines.push(line);
    this.#bytes += line.length;
    if (isUrgent(line)) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), flushDelayMs);
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#dropped > 0) {
      this.#lines.push(
        `{"level":"warn","msg":"log lines were dropped","count":${this.#dropped}}\n`,
      );
      this.#dropped = 0;
    }
    while (this.#lines.length > 0) {
      const count = this.#pieceLength();
      if (!this.#writePiece(this.#lines.slice(0, count).join(""))) return;
      for (const line of this.#lines.splice(0, count)) this.#bytes -= line.length;
    }
    this.#bytes = 0;
  }

  /** How many lines fit one piece; at least one. */
  #pieceLength(): number {
    let bytes = 0;
    let count = 0;
    for (const line of this.#lines) {
      // Three bytes per character at most: a piece is never longer than it may be.
      const length = Buffer.byteLength(line);
      if (count > 0 && bytes + length > wholeWriteBytesMax) break;
      bytes += length;
      count += 1;
    }
    return count;
  }

  /** False when the reader is slow: the lines stay for the next time. */
  #writePiece(text: string): boolean {
    let bytes = Buffer.from(text);
    while (bytes.length > 0) {
      try {
        bytes = bytes.subarray(writeSync(this.#descriptor, bytes));
      } catch (error) {
        if ((error as { code?: string }).code !== "EAGAIN") return true;
        this.#timer ??= setTimeout(() => this.flush(), flushDelayMs);
        return false;
      }
    }
    return true;
  }
}

/** Errors are written at once: the process may not live to write them later. */
function isUrgent(line: string): boolean {
  return line.startsWith('{"level":"error"') || line.startsWith('{"level":"fatal"');
}
