/**
 * The log: JSON lines for machines, lines for people on a terminal (`terminal_line.ts`).
 *
 * Lines stay whole, also when several processes write to one pipe. They are written together a few times a second
 * (errors at once), so that logging does not cost a system call per request. Fields whose name says that they are a
 * secret are blanked at any depth. A file that log rotation moved away is made anew within a second or with the next
 * line. An error is either logged or thrown, never both.
 */
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import pino, { type DestinationStream, type Logger } from "pino";
import { terminalLine } from "./terminal_line.ts";

/** The log, and beside it the one for answered requests, whose fields are fixed and need no blanking. */
export type Log = Logger & { readonly access: Logger };
export type LogLevelName = "trace" | "debug" | "info" | "warn" | "error" | "fatal";

export interface LogOptions {
  readonly level: LogLevelName | "silent";
  /** A file to append to; null for standard output. */
  readonly output: string | null;
  /** Whether a terminal wants colours. */
  readonly colour?: boolean;
  /** Fields of every line, such as the worker's number. */
  readonly base: Readonly<Record<string, string | number>>;
}

/** A pipe takes this much in one piece (POSIX PIPE_BUF), whatever other processes write. */
const wholeWriteBytesMax = 4096;
/** Lines wait this long for company. */
const flushDelayMs = 100;
/** How often the file is looked at, to see whether it was moved away. */
const lookMs = 1_000;
/** Lines beyond this are dropped while the reader of the log does not read. */
const bufferedBytesMax = 8 * 1024 * 1024;

const secretNames = ["password", "authorization", "token", "secret", "cookie", "bindPassword"];
const secretPaths = secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** Opens the log. On a terminal lines are for people, elsewhere they are JSON. */
export async function openLog(options: LogOptions): Promise<Log> {
  const forPeople = options.output === null && process.stdout.isTTY;
  const isColoured = options.colour === true;
  const format = forPeople ? (line: string) => terminalLine(line, isColoured) : null;
  return logTo(new LineBuffer(options.output, format), options);
}

/** A log whose lines, JSON, go to `destination` one by one. */
export function logTo(
  destination: DestinationStream,
  { level, base }: Pick<LogOptions, "level" | "base">,
): Log {
  const common = {
    level,
    base,
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

const openBuffers = new Set<LineBuffer>();

class LineBuffer implements DestinationStream {
  readonly #path: string | null;
  /** Makes lines for people, who want to see each at once; null for machines. */
  readonly #format: ((line: string) => string) | null;
  #descriptor: number;
  #lookedAtMs = performance.now();
  #lines: string[] = [];
  #bytes = 0;
  #dropped = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** What was begun of a piece and could not be written yet. */
  #rest: Uint8Array = new Uint8Array(0);

  /** Appends to the file at `path`; null for standard output. */
  constructor(path: string | null, format: ((line: string) => string) | null) {
    this.#path = path;
    this.#format = format;
    this.#descriptor = path === null ? 1 : openLogFile(path);
    openBuffers.add(this);
  }

  write(line: string): void {
    if (this.#bytes > bufferedBytesMax) {
      this.#dropped += 1;
      return;
    }
    this.#push(line);
    if (this.#format !== null || isUrgent(line)) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), flushDelayMs);
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#dropped > 0) {
      const time = new Date().toISOString();
      const said = { level: "warn", time, msg: "log lines were dropped", count: this.#dropped };
      this.#push(`${JSON.stringify(said)}\n`);
      this.#dropped = 0;
    }
    while (this.#writeRest() && this.#lines.length > 0) {
      this.#reopen();
      const piece = this.#lines.splice(0, this.#pieceLength());
      for (const line of piece) this.#bytes -= line.length;
      this.#rest = Buffer.from(piece.join(""));
    }
  }

  #push(line: string): void {
    const text = this.#format?.(line) ?? line;
    this.#lines.push(text);
    this.#bytes += text.length;
  }

  /** A file that was moved away is made anew; only between two pieces, so that none is torn. */
  #reopen(): void {
    if (this.#path === null || performance.now() - this.#lookedAtMs < lookMs) return;
    this.#lookedAtMs = performance.now();
    try {
      const open = fstatSync(this.#descriptor);
      const there = statSync(this.#path, { throwIfNoEntry: false });
      if (there?.ino === open.ino && there.dev === open.dev) return;
      const fresh = openLogFile(this.#path);
      closeSync(this.#descriptor);
      this.#descriptor = fresh;
    } catch {
      // It cannot be made anew: the old one is better than none.
    }
  }

  /** How many lines fit one piece; at least one. */
  #pieceLength(): number {
    let bytes = 0;
    let count = 0;
    for (const line of this.#lines) {
      const length = Buffer.byteLength(line);
      if (count > 0 && bytes + length > wholeWriteBytesMax) break;
      bytes += length;
      count += 1;
    }
    return count;
  }

  /** False when the reader is slow: what is left stays for the next time. */
  #writeRest(): boolean {
    while (this.#rest.length > 0) {
      try {
        this.#rest = this.#rest.subarray(writeSync(this.#descriptor, this.#rest));
      } catch (error) {
        if ((error as { code?: string }).code !== "EAGAIN") this.#rest = new Uint8Array(0);
        else {
          this.#timer ??= setTimeout(() => this.flush(), flushDelayMs);
          return false;
        }
      }
    }
    return true;
  }
}

function openLogFile(path: string): number {
  return openSync(path, "a", 0o640);
}

/** Errors are written at once: the process may not live to write them later. */
function isUrgent(line: string): boolean {
  return line.startsWith('{"level":"error"') || line.startsWith('{"level":"fatal"');
}
