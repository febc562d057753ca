// What each test file costs: processor time of its whole process tree, wall time, and its tests.
//
//   scripts/bun scripts/measure_suite.ts [--out after.json] [--against before.json] [path…]
//
// Runs every test file below the paths (all of them) alone, one after the other, and prints the most expensive first.
// With an earlier run's figures it prints both, file by file. A process that a test leaves to somebody else, such as a
// container's, is not counted. Not a test: figures depend on the machine, processor time less than wall time.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

interface Figures {
  readonly cpuS: number;
  readonly wallS: number;
  readonly passed: number;
  readonly skipped: number;
  readonly failed: number;
}

type Suite = Record<string, Figures>;

const root = join(import.meta.dir, "..");

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { out: { type: "string" }, against: { type: "string" } },
  });
  const before = values.against === undefined ? null : read(values.against);
  const suite: Suite = {};
  for (const file of testFiles(positionals)) {
    suite[file] = await measure(file);
    process.stderr.write(`${row(file, suite[file], before?.[file])}\n`);
    if (values.out !== undefined) writeFileSync(values.out, JSON.stringify(suite, null, 1));
  }
  const ordered = Object.entries(suite).toSorted(([, a], [, b]) => b.cpuS - a.cpuS);
  for (const [file, figures] of ordered) console.log(row(file, figures, before?.[file]));
  const all = sum(Object.values(suite));
  const same = before === null ? [] : Object.keys(suite).map((file) => before[file] ?? nothing);
  console.log(row("all", all, before === null ? undefined : sum(same)));
}

function testFiles(paths: readonly string[]): string[] {
  const found = [...new Bun.Glob("{src,test,scripts}/**/*.test.ts").scanSync(root)];
  const wanted = (file: string): boolean =>
    paths.length === 0 || paths.some((path) => file === path || file.startsWith(`${path}/`));
  return found.filter(wanted).toSorted();
}

async function measure(file: string): Promise<Figures> {
  const startedMs = performance.now();
  const tests = Bun.spawn([join(root, "scripts/bun"), "test", file], {
    cwd: root,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const output = await new Response(tests.stderr).text();
  await tests.exited;
  for (const line of output.split("\n")) {
    if (line.startsWith("(fail)")) process.stderr.write(`${line}\n`);
  }
  const usage = tests.resourceUsage();
  const count = (what: string): number =>
    Number(new RegExp(String.raw`^ *(\d+) ${what}$`, "m").exec(output)?.[1] ?? 0);
  return {
    cpuS: Number(usage?.cpuTime.total ?? 0) / 1e6,
    wallS: (performance.now() - startedMs) / 1000,
    passed: count("pass"),
    skipped: count("skip"),
    failed: count("fail") + count("error"),
  };
}

const nothing: Figures = { cpuS: 0, wallS: 0, passed: 0, skipped: 0, failed: 0 };

function sum(all: readonly Figures[]): Figures {
  return all.reduce(
    (total, each) => ({
      cpuS: total.cpuS + each.cpuS,
      wallS: total.wallS + each.wallS,
      passed: total.passed + each.passed,
      skipped: total.skipped + each.skipped,
      failed: total.failed + each.failed,
    }),
    nothing,
  );
}

function row(file: string, now: Figures, before: Figures | undefined): string {
  const { passed, skipped, failed } = now;
  const was = before === undefined ? "" : `${before.cpuS.toFixed(1).padStart(7)} s cpu before, `;
  const figures = `${now.cpuS.toFixed(1).padStart(7)} s cpu, ${now.wallS.toFixed(1).padStart(6)} s wall`;
  return `${was}${figures}, ${passed} passed, ${skipped} skipped, ${failed} failed  ${file}`;
}

function read(path: string): Suite {
  return JSON.parse(readFileSync(path, "utf8")) as Suite;
}

await main();
