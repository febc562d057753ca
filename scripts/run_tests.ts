/**
 * Every test: `npm test`. Most tests wait for a server or a clock, so two processes of the test runner go side by side,
 * each with the test files of one folder at a time; a folder's output is printed whole when it has ended. Folders whose
 * tests write into the checkout come last, alone. The end is one summary in the form of the test runner's own.
 *
 *     scripts/bun scripts/run_tests.ts [arguments of `bun test`]
 *
 * With arguments it is `bun test` itself.
 */
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testedProgram } from "../test/tested_program.ts";

export interface Group {
  readonly name: string;
  /** Paths from the package's directory. */
  readonly files: readonly string[];
  /** Nothing else may run meanwhile. */
  readonly isAlone: boolean;
}

/** What the test runner counted, as it names it. */
export type Counts = Readonly<Record<(typeof counted)[number], number>>;

export interface Ended {
  readonly counts: Counts;
  readonly files: number;
  readonly exitCode: number;
}

export interface RunOptions {
  readonly directory: string;
  /** How many go side by side. */
  readonly lanes: number;
  readonly write: (text: string) => void;
  /** Ends what runs; its output so far is printed. */
  readonly signal: AbortSignal;
}

const counted = ["pass", "skip", "todo", "fail", "error"] as const;
const root = join(import.meta.dir, "..");
/** As `bun test` finds them, but for what is no part of the package's own tests. */
export const testFiles = new Bun.Glob("{bench,examples,scripts,src,test}/**/*.test.ts");
/** A folder is one group with all below it; those of `test` are groups of their own. */
const folderOf = /^(?:test\/)?[^/]+(?=\/)/;
/** Groups that take long, so that they begin first: neither lane waits for the other at the end. */
const longest = ["test", "test/http", "src", "test/faults", "test/ui", "scripts", "test/objects"];
/** They pack the checkout, which puts files between its sources for a moment, or build into its `dist`. */
const alone: ReadonlySet<string> = new Set(["test/packages", "test/machine"]);
const lanesMax = 2;

/** Every test file is in one group; in the order in which they begin. */
export function groupsOf(files: readonly string[]): Group[] {
  const groups = Map.groupBy(files.toSorted(), (file) => folderOf.exec(file)?.[0] ?? "");
  const rank = (name: string): number => {
    const at = longest.indexOf(name);
    return at === -1 ? longest.length : at;
  };
  return [...groups]
    .map(([name, members]) => ({ name, files: members, isAlone: alone.has(name) }))
    .toSorted((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name));
}

/** Runs all, each once. */
export async function runGroups(groups: readonly Group[], options: RunOptions): Promise<Ended[]> {
  const sharing = await runInLanes(
    groups.filter(({ isAlone }) => !isAlone),
    options,
  );
  const last = groups.filter(({ isAlone }) => isAlone);
  return [...sharing, ...(await runInLanes(last, { ...options, lanes: 1 }))];
}

async function runInLanes(groups: readonly Group[], options: RunOptions): Promise<Ended[]> {
  const waiting = [...groups];
  const ended: Ended[] = [];
  const lane = async (): Promise<void> => {
    for (let group = waiting.shift(); group !== undefined; group = waiting.shift()) {
      if (options.signal.aborted) return;
      ended.push(await runGroup(group, options));
    }
  };
  await Promise.all(Array.from({ length: options.lanes }, lane));
  return ended;
}

async function runGroup({ name, files }: Group, options: RunOptions): Promise<Ended> {
  const { directory, signal, write } = options;
  const startedMs = performance.now();
  await using output = await tempFile();
  // Not a pipe, which would not end before every process that a test has left.
  const command = ["sh", "-c", 'exec "$@" >"$0" 2>&1', output.path, join(root, "scripts/bun")];
  const child = Bun.spawn([...command, "test", ...files.map((file) => `./${file}`)], {
    cwd: directory,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
  const end = (): void => child.kill("SIGTERM");
  signal.addEventListener("abort", end);
  const exitCode = await child.exited;
  signal.removeEventListener("abort", end);
  const text = await Bun.file(output.path).text();
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  write(`\n== ${name} (${seconds} s)\n${text}`);
  const counts = countsIn(text);
  if (isWhole(text) || signal.aborted) return { counts, files: files.length, exitCode };
  write(`\n(fail) ${name}: the test runner ended with ${child.signalCode ?? exitCode}\n`);
  return { counts: { ...counts, fail: counts.fail + 1 }, files: files.length, exitCode };
}

async function tempFile(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = join(tmpdir(), `zot-tests-${crypto.randomUUID()}`);
  await Bun.write(path, "");
  return { path, [Symbol.asyncDispose]: () => rm(path, { force: true }) };
}

/** Whether the test runner came to its end. */
function isWhole(output: string): boolean {
  return /^Ran \d+ tests? across \d+ files?\./m.test(output);
}

/** What the summary at the end of an output says. */
export function countsIn(output: string): Counts {
  const countOf = (kind: string): number => {
    const found = [...output.matchAll(new RegExp(`^ *(\\d+) ${kind}s?$`, "gm"))].at(-1);
    return Number(found?.[1] ?? 0);
  };
  return Object.fromEntries(counted.map((kind) => [kind, countOf(kind)])) as Counts;
}

/** As the test runner's own. */
export function summaryOf(ended: readonly Ended[], seconds: number): string {
  const sum = (of: (each: Ended) => number): number =>
    ended.reduce((total, each) => total + of(each), 0);
  const totals = counted.map((kind) => ({ kind, total: sum(({ counts }) => counts[kind]) }));
  const lines = totals.map(({ kind, total }) => ` ${total} ${kind}`);
  const all = totals.reduce((count, { kind, total }) => count + (kind === "error" ? 0 : total), 0);
  const files = sum((each) => each.files);
  return [...lines, `Ran ${all} tests across ${files} files. [${seconds.toFixed(2)}s]`, ""].join(
    "\n",
  );
}

async function main(args: readonly string[]): Promise<number> {
  if (args.length > 0) {
    const inherited = { stdin: "inherit", stdout: "inherit", stderr: "inherit" } as const;
    return await Bun.spawn([join(root, "scripts/bun"), "test", ...args], inherited).exited;
  }
  const startedMs = performance.now();
  // Once, before both lanes ask for it; who cannot have it says why.
  await testedProgram().catch(() => null);
  const ending = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => ending.abort());
  const ended = await runGroups(groupsOf([...testFiles.scanSync(root)]), {
    directory: root,
    lanes: Math.min(lanesMax, navigator.hardwareConcurrency),
    write: (text) => void process.stdout.write(text),
    signal: ending.signal,
  });
  process.stdout.write(`\n${summaryOf(ended, (performance.now() - startedMs) / 1000)}`);
  return ending.signal.aborted || ended.some(({ exitCode }) => exitCode !== 0) ? 1 : 0;
}

if (import.meta.main) process.exitCode = await main(Bun.argv.slice(2));
