// Programs that tests run: one command to its end, a server until it is stopped, and conditions waited for.
//
// Every wait has a limit and says what it waited for. A server that was started here ends with the test process, even
// when that is killed (the kernel's parent-death signal, where `setpriv` is there).

import { readdirSync, readFileSync } from "node:fs";

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Added to this process's environment; `undefined` removes a variable. */
  readonly env?: Record<string, string | undefined>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  readonly stdin?: string;
}

/** How long a test waits for anything: below the limit of a test (`scripts/bun`), so that it can say what for. */
const waitMs = 50_000;

/** Runs a command to its end; rejects only when it cannot start or when `timeoutMs` passes. */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Output> {
  const timeoutMs = options.timeoutMs ?? 120_000;
  const child = Bun.spawn([command, ...args], {
    env: environment(options.env),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: options.stdin === undefined ? "ignore" : new Blob([options.stdin]),
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (child.signalCode !== null) {
    const shown = [command, ...args].join(" ");
    throw new Error(`${shown}: ended by ${child.signalCode} (limit ${timeoutMs} ms)\n${stderr}`);
  }
  return { code, stdout, stderr };
}

/** As `run`, but any exit code other than 0 is an error that shows what the command printed. */
export async function runOk(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Output> {
  const output = await run(command, args, options);
  if (output.code !== 0) {
    const shown = [command, ...args].join(" ");
    throw new Error(`${shown}: exit code ${output.code}\n${output.stdout}\n${output.stderr}`);
  }
  return output;
}

function environment(changes: Record<string, string | undefined> = {}): Record<string, string> {
  const merged = { ...process.env, ...changes };
  return Object.fromEntries(
    Object.entries(merged).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}

/**
 * Whether a program is on the PATH. In CI (`CI=true`) a missing one is an error; on a person's machine
 * the reason for the skip is printed, and the caller skips (`test.skipIf(!requireTool("skopeo"))`).
 */
export function requireTool(...names: readonly string[]): boolean {
  const missing = names.filter((name) => Bun.which(name) === null);
  return requirement(missing.length === 0, `not installed: ${missing.join(", ")}`);
}

/** As `requireTool`, for tests that mount, make namespaces or change users. */
export function requireRoot(): boolean {
  return requirement(process.getuid?.() === 0, "these tests need root");
}

/** Whether something holds that tests need; in CI it must. */
export function requirement(met: boolean, reason: string): boolean {
  if (met) return true;
  if (process.env["CI"] === "true") throw new Error(`in CI this is an error: ${reason}`);
  console.log(`skipped: ${reason}`);
  return false;
}

/** Asks again and again until `check` gives a value (not null, undefined or false); 20 ms between. */
export async function eventually<T>(
  what: string,
  check: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  timeoutMs = waitMs,
): Promise<T> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value !== null && value !== undefined && value !== false) return value;
    if (performance.now() > until) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await Bun.sleep(20);
  }
}

export interface Service extends AsyncDisposable {
  readonly pid: number;
  /** Everything printed so far, by line. */
  stdout(): readonly string[];
  stderr(): readonly string[];
  /** The first line of standard output (`true`) or of both that fits; rejects when the program ends first. */
  waitForLine(what: string, fits: (line: string) => boolean, timeoutMs?: number): Promise<string>;
  /** Resolves with the exit code, 128 + n for a signal. */
  readonly exited: Promise<number>;
  running(): boolean;
  /** SIGTERM, then waits; SIGKILL and an error when it is still there after `limitMs`. */
  stop(limitMs?: number): Promise<number>;
}

export interface ServiceOptions {
  readonly env?: Record<string, string | undefined>;
  readonly cwd?: string;
  /** User and group to run as, by `setpriv`; needs root. */
  readonly uid?: number;
}

/** Starts a program that serves until it is stopped. */
export function startService(command: readonly string[], options: ServiceOptions = {}): Service {
  const child = Bun.spawn([...wrapper(options.uid), ...command], {
    env: environment(options.env),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const stdout: string[] = [];
  const stderr: string[] = [];
  const read = Promise.all([collect(child.stdout, stdout), collect(child.stderr, stderr)]);
  const running = () => child.exitCode === null && child.signalCode === null;
  const stop = async (limitMs = waitMs): Promise<number> => {
    if (running()) child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
    const code = await child.exited;
    clearTimeout(timer);
    const { promise: late, resolve } = Promise.withResolvers<boolean>();
    const closing = setTimeout(() => resolve(false), limitMs);
    const closed = await Promise.race([read.then(() => true), late]);
    clearTimeout(closing);
    if (!closed) throw new Error(`${command.join(" ")}: left a process that holds its output open`);
    if (child.signalCode === "SIGKILL") {
      throw new Error(`${command.join(" ")}: still there ${limitMs} ms after SIGTERM`);
    }
    return code;
  };
  return {
    pid: child.pid,
    stdout: () => stdout,
    stderr: () => stderr,
    exited: child.exited,
    running,
    stop,
    async waitForLine(what, fits, timeoutMs = waitMs) {
      const shown = () => [...stdout, ...stderr].slice(-20).join("\n");
      const next = [firstIn(stdout, fits), firstIn(stderr, fits)];
      const find = () => next[0]?.() ?? next[1]?.();
      const found = await eventually(
        what,
        () => {
          const line = find();
          if (line !== undefined) return { line };
          return running() ? null : { line: null };
        },
        timeoutMs,
      ).catch((error: Error) => {
        throw new Error(`${error.message}\n${shown()}`);
      });
      if (found.line !== null) return found.line;
      await Promise.race([read, Bun.sleep(1000)]);
      const late = find();
      if (late !== undefined) return late;
      throw new Error(`${command.join(" ")} ended before: ${what}\n${shown()}`);
    },
    [Symbol.asyncDispose]: async () => {
      if (running()) await stop();
    },
  };
}

/** The first line that fits of those that came since it was last asked: there may be many, and it is asked often. */
function firstIn(lines: readonly string[], fits: (line: string) => boolean) {
  let seen = 0;
  return (): string | undefined => {
    while (seen < lines.length) {
      const line = lines[seen] ?? "";
      seen += 1;
      if (fits(line)) return line;
    }
    return undefined;
  };
}

function wrapper(uid: number | undefined): string[] {
  const user = uid === undefined ? [] : [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  if (process.platform !== "linux" || Bun.which("setpriv") === null) {
    if (uid !== undefined) throw new Error("to run as another user needs setpriv");
    return [];
  }
  return ["setpriv", "--pdeathsig", "TERM", ...user, "--"];
}

async function collect(stream: ReadableStream<Uint8Array>, lines: string[]): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
  }
  if (rest !== "") lines.push(rest);
}

/** The process ids of all living descendants of `pid` (Linux). A zombie counts as gone. */
export function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = processStat(Number(entry));
    if (stat === null || stat.state === "Z") continue;
    children.set(stat.parent, [...(children.get(stat.parent) ?? []), Number(entry)]);
  }
  const found: number[] = [];
  for (const next = [pid]; next.length > 0;) {
    const below = children.get(next.pop() ?? 0) ?? [];
    found.push(...below);
    next.push(...below);
  }
  return found;
}

/** As `process.kill`, to a process that may have ended; 0, which a missing one is taken for, would be ourselves. */
export function signalTo(pid: number, signal: NodeJS.Signals): void {
  if (pid <= 0) throw new Error(`expected a process to send ${signal} to, got ${pid}`);
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as { code?: string }).code !== "ESRCH") throw error;
  }
}

/** Whether a process exists and is not a zombie. */
export function isAlive(pid: number): boolean {
  const stat = processStat(pid);
  return stat !== null && stat.state !== "Z";
}

function processStat(pid: number): { state: string; parent: number } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the name in parentheses, which may hold spaces and parentheses itself.
    const [state = "", parent = "0"] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state, parent: Number(parent) };
  } catch {
    return null;
  }
}
