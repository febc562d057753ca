/**
 * What the test runner said of each test that failed, and of errors outside of tests, taken out of its whole output:
 * `.ci/run` says it again at its end, where it is read first.
 *
 *     scripts/bun scripts/failed_tests.ts <file with the output>
 */

/** Lines of one test: its error, where it happened, and what the test printed just before. */
const testLinesMax = 45;
const linesBefore = 12;
const withoutErrorMax = 15;
const allLinesMax = 150;

const fileLine = /^\S+\.test\.ts:$/;
const endedLine = /^\((pass|fail|skip|todo)\) /;
const outsideLine = "# Unhandled error between tests";
const ruler = /^-{20,}$/;
/** A run of the test runner, after that of others or not. */
const startLine = /^(?:bun test v|== )/;
/** The runner's own summary, which names failures a second time. */
const summaryLine = /^ *\d+ (tests failed:|pass$)/;

/** Their lines, each test below the file that it stands in. */
export function failedTests(output: string): string[] {
  const found: string[] = [];
  let file = "";
  let block: string[] = [];
  let isSummary = false;
  const keep = (lines: readonly string[]): void => {
    if (lines.length > 0) found.push(`-- ${file}`, ...lines);
  };
  for (const line of output.split("\n")) {
    isSummary = summaryLine.test(line) || (isSummary && !startLine.test(line));
    if (isSummary) {
      if (block.length > 0) keep(outside(block));
      block = [];
    } else if (fileLine.test(line)) {
      keep(outside(block));
      file = line.slice(0, -1);
      block = [];
    } else if (endedLine.test(line)) {
      keep(line.startsWith("(fail) ") ? [...shortened(block), line] : outside(block));
      block = [];
    } else if (line.startsWith("  ^ ") && block.length === 0) {
      // Why the runner itself ended the test of the line before.
      if (found.at(-1)?.startsWith("(fail) ") === true) found.push(line);
    } else block.push(line);
  }
  keep(outside(block));
  if (found.length <= allLinesMax) return found;
  const left = found.length - allLinesMax;
  return [...found.slice(0, allLinesMax), `... and ${left} more lines`];
}

/** From shortly before the first error on; without one, the last lines. */
function shortened(block: readonly string[]): string[] {
  const error = block.findIndex((line) => line.startsWith("error: "));
  const from = error === -1 ? block.length - withoutErrorMax : error - linesBefore;
  return block.slice(Math.max(from, 0)).slice(0, testLinesMax);
}

/** What was reported between two tests that did not fail. */
function outside(block: readonly string[]): string[] {
  const from = block.indexOf(outsideLine);
  if (from === -1) return [];
  const rulers = block.flatMap((line, at) => (at > from && ruler.test(line) ? [at] : []));
  return block.slice(from, (rulers[1] ?? block.length) + 1).slice(0, testLinesMax);
}

if (import.meta.main) {
  const [path = ""] = Bun.argv.slice(2);
  for (const line of failedTests(await Bun.file(path).text())) console.log(line);
}
